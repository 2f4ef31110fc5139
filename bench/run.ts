/** `npm run bench`: starts the peers, measures every query set on each of them in turn, writes the tables. */
import { join } from 'node:path';
import type { Cluster } from './cluster.ts';
import { askDnsperf } from './dnsperf.ts';
import { describeMachine } from './machine.ts';
import { type Measurement, measure } from './measure.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { PEERS } from './peers/order.ts';
import { appendHistory, writeResults } from './results.ts';
import { SETS } from './sets.ts';
import { note, type Stage, takesPart, withStage } from './stage.ts';
import { figuresTable, LEGEND, ratiosTable, summarise } from './summary.ts';
import { formatNumber, formatRate } from './table.ts';

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
  await withStage(options, [], async (stage) => {
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
  });
}

await main().catch((error: unknown) => {
  note(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
