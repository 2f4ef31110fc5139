/**
 * `npm run bench:profile [-- --sets a,b --seconds S]`: where a query's CPU time goes and what it allocates, from one
 * shard under the closed load of each set. Times by `perf` (every thread of the process), allocation by V8's own
 * account of its collections. Prints the table that stands in results.md.
 */
import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Order, Outcome } from './load/order.ts';
import { load } from './measure.ts';
import { type Options, parseOptions } from './options.ts';
import { PEERS } from './peers/order.ts';
import { allocatedBytes, type Budget, budgetOf, PARTS } from './profile-parse.ts';
import { type QuerySet, SETS } from './sets.ts';
import { note, type Stage, withStage } from './stage.ts';
import { formatNumber, renderTable } from './table.ts';

const DEFAULT_SETS = ['clusterip', 'srv-headless', 'nxdomain', 'cached', 'uncached', 'tcp'];
/** perf resolves compiled JavaScript and WebAssembly by the map that the first writes; --trace-gc accounts heaps. */
const NODE_FLAGS = ['--perf-basic-prof', '--interpreted-frames-native-stack', '--trace-gc'];
const SAMPLES_A_SECOND = 997;
const run = promisify(execFile);

interface Profile {
  readonly set: QuerySet;
  readonly outcome: Outcome;
  readonly budget: Budget;
  readonly allocatedPerQuery: number;
}

async function profileSet(stage: Stage, set: QuerySet): Promise<Profile> {
  const server = [...stage.peers.values()][0];
  if (server === undefined) throw new Error('wasmdns takes no part in this set');
  const { options } = stage;
  const order: Order = {
    mode: set.mode === 'idle' ? 'paced' : set.mode,
    port: server.port,
    file: stage.files.get(set)!,
    warmSeconds: 0,
    seconds: options.warmSeconds,
    ...{ window: set.window, sockets: set.sockets, rate: set.rate, serverPids: server.pids },
    ...{ isEcho: false, isCoreShared: set.usesUpstream || set.mode === 'paced' },
  };
  await load(order, options);
  const log = join(stage.directory, 'wasmdns', 'log');
  const from = statSync(log).size;
  const samples = join(stage.directory, `${set.name}.perf`);
  const words = ['record', '-q', '-e', 'cpu-clock', '-F', String(SAMPLES_A_SECOND), '-p', String(server.process.pid)];
  const [outcome] = await Promise.all([
    load({ ...order, seconds: options.seconds }, options),
    run('perf', [...words, '-o', samples, '--', 'sleep', String(options.seconds)]),
  ]);
  const allocated = allocatedBytes(readFileSync(log, 'utf8').slice(from));
  const report = ['report', '-i', samples, '--stdio', '-q', '--no-children', '-g', 'none', '--sort', 'dso,symbol'];
  const { stdout } = await run('perf', [...report, '--percent-limit', '0'], { maxBuffer: 64 << 20 });
  return { set, outcome, budget: budgetOf(stdout), allocatedPerQuery: allocated / outcome.right };
}

function table(profiles: readonly Profile[]): string {
  const heads = ['query set', 'us/query', ...PARTS.map((part) => part.title), 'octets allocated'];
  const rows = profiles.map(({ set, outcome, budget, allocatedPerQuery }) => {
    const micros = (outcome.serverCpuSeconds / outcome.right) * 1e6;
    const parts = PARTS.map((part) => formatNumber((micros * (budget.shares[part.name] ?? 0)) / 100));
    return [set.title, formatNumber(micros), ...parts, allocatedPerQuery.toFixed(1)];
  });
  return renderTable(heads, rows);
}

const HOTTEST = 12;

async function main(): Promise<void> {
  const given = process.argv.slice(2);
  const words = [...(given.includes('--sets') ? [] : ['--sets', DEFAULT_SETS.join(',')]), ...given];
  const names = [SETS.map((set) => set.name), PEERS.map((peer) => peer.name)] as const;
  const options: Options = { ...parseOptions(words, ...names), peers: ['wasmdns'] };
  await withStage(options, NODE_FLAGS, async (stage) => {
    const profiles: Profile[] = [];
    for (const set of stage.sets) {
      stage.cluster?.freeze();
      const profile = await profileSet(stage, set).finally(() => stage.cluster?.thaw());
      profiles.push(profile);
      note(`\n${set.title}: the ${HOTTEST} hottest places\n${profile.budget.hottest.slice(0, HOTTEST).join('\n')}`);
    }
    process.stdout.write(table(profiles));
  });
}

await main().catch((error: unknown) => {
  note(`profile: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
