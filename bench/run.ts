/** `npm run bench`: starts the peers, measures every query set on each of them in turn, writes the tables. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, startCluster } from './cluster.ts';
import { askDnsperf } from './dnsperf.ts';
import { describeMachine } from './machine.ts';
import { type Measurement, measure } from './measure.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { PEERS } from './peers/order.ts';
import type { Peer, Room, Running } from './peers/peer.ts';
import { startUpstream } from './peers/upstream.ts';
import { stopAll } from './processes.ts';
import { appendHistory, writeResults } from './results.ts';
import { type QuerySet, SETS } from './sets.ts';
import { figuresTable, LEGEND, ratiosTable, summarise } from './summary.ts';
import { formatNumber, formatRate } from './table.ts';

const repository = join(import.meta.dirname, '..');

interface Stage {
  readonly options: Options;
  readonly sets: readonly QuerySet[];
  readonly peers: ReadonlyMap<Peer, Running>;
  readonly files: ReadonlyMap<QuerySet, string>;
  readonly cluster: Cluster | undefined;
}

const note = (text: string): void => void process.stderr.write(`${text}\n`);

function readOptions(): Options {
  try {
    return parseOptions(
      process.argv.slice(2),
      SETS.map((set) => set.name),
      PEERS.map((peer) => peer.name),
    );
  } catch (error) {
    note(`bench: ${(error as Error).message}\n${USAGE}`);
    process.exit(2);
  }
}

const takesPart = (peer: Peer, set: QuerySet): boolean => set.needs.some((need) => peer.abilities.includes(need));

/** Peers are all up at once and idle but for the one measured; starting them again for each run would cost hours. */
async function prepare(options: Options, directory: string, cleanup: AsyncDisposableStack): Promise<Stage> {
  const sets = SETS.filter((set) => options.sets.includes(set.name));
  const chosen = PEERS.filter((peer) => options.peers.includes(peer.name) && sets.some((set) => takesPart(peer, set)));
  const tools = process.env['WASMDNS_TOOLS'] ?? join(homedir(), '.cache', 'wasmdns-tools');
  const { serverCore, loadCore, services } = options;
  const empty: Room = {
    ...{ directory, tools, repository, serverCore, loadCore, services },
    ...{ upstreamPort: 0, kubeconfig: '' },
  };
  for (const peer of chosen) requireCommand(peer, empty);
  const needsCluster = chosen.some((peer) => peer.abilities.includes('cluster'));
  if (needsCluster) note(`filling a kube-apiserver with ${services} services ...`);
  const cluster = needsCluster ? await startCluster(services, loadCore) : undefined;
  cleanup.defer(async () => cluster?.stop());
  const upstream = await startUpstream(empty);
  const room: Room = { ...empty, upstreamPort: upstream.port, kubeconfig: cluster?.kubeconfig ?? '' };
  const peers = new Map<Peer, Running>();
  for (const peer of chosen) {
    note(`starting ${peer.title} ...`);
    peers.set(peer, await peer.start(room));
  }
  const files = new Map<QuerySet, string>();
  for (const set of sets) {
    const file = join(directory, `${set.name}.questions`);
    writeFileSync(file, `${set.lines(services).join('\n')}\n`);
    files.set(set, file);
  }
  return { options, sets, peers, files, cluster };
}

function requireCommand(peer: Peer, room: Room): void {
  const bundle = join(repository, 'dist', 'wasmdns.js');
  const isThere = existsSync(peer.command(room)) && (peer.name !== 'wasmdns' || existsSync(bundle));
  if (!isThere) throw new Error(`${peer.title} is not installed: ${peer.install}, or leave it out with --peers`);
}

/** Interleaved: each run of a set goes through all peers, starting with another one each time. */
async function measureAll(stage: Stage): Promise<Measurement[]> {
  const { options, sets } = stage;
  const measurements: Measurement[] = [];
  for (const set of sets) {
    const peers = [...stage.peers].filter(([peer]) => takesPart(peer, set));
    for (let turn = 1; turn <= options.runs; turn++) {
      for (let place = 0; place < peers.length; place++) {
        const [peer, server] = peers[(place + turn) % peers.length]!;
        const one = await quietly(stage.cluster, () =>
          measure(set, peer, server, stage.files.get(set)!, turn, options),
        );
        measurements.push(one);
        note(
          `${set.name} ${turn}/${options.runs} ${peer.name}: ${formatRate(one.qps)} qps, ` +
            `${formatNumber(one.cpuMicros)} us${one.firstWrong === '' ? '' : `; WRONG: ${one.firstWrong}`}`,
        );
      }
    }
  }
  return measurements;
}

async function measureWithDnsperf(stage: Stage): Promise<Map<string, number>> {
  const figures = new Map<string, number>();
  for (const set of stage.sets) {
    for (const [peer, server] of stage.peers) {
      if (!takesPart(peer, set) || peer.abilities.includes('echo')) continue;
      const file = stage.files.get(set)!;
      const qps = await quietly(stage.cluster, () => askDnsperf(set, server.port, file, stage.options));
      figures.set(`${set.name}/${peer.name}`, qps);
    }
  }
  return figures;
}

async function quietly<Result>(cluster: Cluster | undefined, work: () => Promise<Result>): Promise<Result> {
  cluster?.freeze();
  try {
    return await work();
  } finally {
    cluster?.thaw();
  }
}

/** Fewer runs of a set have no median worth keeping. */
const RUNS_WRITTEN_MIN = 3;

async function main(): Promise<void> {
  const options = readOptions();
  const machine = describeMachine();
  const directory = mkdtempSync(join(tmpdir(), 'wasmdns-bench-'));
  const cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  cleanup.defer(stopAll);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void cleanup.disposeAsync().finally(() => process.exit(130)));
  }
  try {
    const stage = await prepare(options, directory, cleanup);
    const measurements = await measureAll(stage);
    const dnsperf = options.isShort ? new Map<string, number>() : await measureWithDnsperf(stage);
    const rows = summarise(
      measurements,
      stage.sets,
      [...stage.peers.keys()].map((peer) => peer.name),
      dnsperf,
    );
    process.stdout.write([figuresTable(rows), ratiosTable(rows, 'wasmdns'), `${LEGEND}\n`].filter(Boolean).join('\n'));
    if (options.isShort) return;
    if (options.peers.length < PEERS.length || options.runs < RUNS_WRITTEN_MIN) {
      note('results.md and history.csv are left alone: they take a run with all peers and three runs of each set');
      return;
    }
    const command = ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ');
    appendHistory(join(import.meta.dirname, 'history.csv'), measurements, machine);
    writeResults(join(import.meta.dirname, 'results.md'), rows, machine, command);
  } finally {
    await cleanup.disposeAsync();
  }
}

await main().catch((error: unknown) => {
  note(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
