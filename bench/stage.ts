/** What every bench command needs first: the cluster, the upstream and the servers up, the query files written. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, startCluster } from './cluster.ts';
import type { Options } from './options.ts';
import { PEERS } from './peers/order.ts';
import type { Peer, Room, Running } from './peers/peer.ts';
import { startUpstream } from './peers/upstream.ts';
import { earlierBuild } from './peers/wasmdns.ts';
import { stopAll } from './processes.ts';
import { type QuerySet, SETS } from './sets.ts';

const repository = join(import.meta.dirname, '..');

export interface Stage {
  readonly options: Options;
  readonly sets: readonly QuerySet[];
  readonly peers: ReadonlyMap<Peer, Running>;
  readonly files: ReadonlyMap<QuerySet, string>;
  readonly cluster: Cluster | undefined;
  /** The bench's work directory: logs of the servers lie in a directory each. */
  readonly directory: string;
}

export const note = (text: string): void => void process.stderr.write(`${text}\n`);

export const takesPart = (peer: Peer, set: QuerySet): boolean =>
  set.needs.some((need) => peer.abilities.includes(need));

/** Runs `work` with everything up, and leaves nothing behind, whatever happens. `nodeFlags` are for wasmdns. */
export async function withStage(
  options: Options,
  nodeFlags: readonly string[],
  work: (stage: Stage) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'wasmdns-bench-'));
  const cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  cleanup.defer(stopAll);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void cleanup.disposeAsync().finally(() => process.exit(130)));
  }
  try {
    await work(await prepare(options, nodeFlags, directory, cleanup));
  } finally {
    await cleanup.disposeAsync();
  }
}

/** Peers are all up at once and idle but for the one measured; starting them again for each run would cost hours. */
async function prepare(
  options: Options,
  nodeFlags: readonly string[],
  directory: string,
  cleanup: AsyncDisposableStack,
): Promise<Stage> {
  const sets = SETS.filter((set) => options.sets.includes(set.name));
  const known = options.against === '' ? PEERS : [...PEERS, earlierBuild(options.against)];
  const isChosen = (peer: Peer): boolean => options.peers.includes(peer.name) || peer.name === 'before';
  const chosen = known.filter((peer) => isChosen(peer) && sets.some((set) => takesPart(peer, set)));
  const tools = process.env['WASMDNS_TOOLS'] ?? join(homedir(), '.cache', 'wasmdns-tools');
  const { serverCore, loadCore, services } = options;
  const empty: Room = {
    ...{ directory, tools, repository, serverCore, loadCore, services, nodeFlags },
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
  return { options, sets, peers, files, cluster, directory };
}

function requireCommand(peer: Peer, room: Room): void {
  const bundle = join(repository, 'dist', 'wasmdns.js');
  const isThere = existsSync(peer.command(room)) && (peer.name !== 'wasmdns' || existsSync(bundle));
  if (!isThere) throw new Error(`${peer.title} is not installed: ${peer.install}, or leave it out with --peers`);
}
