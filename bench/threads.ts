/**
 * `npm run bench:threads [-- --threads 1,2,4,8 --seconds S --rounds N]`: as many engines as there are threads over one
 * memory, as shards are, without sockets: does a thread cost the others anything? Prints a table.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { BATCH } from '../engine-as/shared/layout.ts';
import { compileEngine } from '../host/engine/load.ts';
import { areaAt } from '../host/engine/memory.ts';
import { type Packed, pack } from './engine/batches.ts';
import { ENGINE_SETS, freshNames, questionsOf } from './engine/sets.ts';
import { RACE_READY, RACE_STATE, type ThreadResult, type ThreadTask } from './engine/thread.ts';
import { buildWorld } from './engine/world.ts';
import { describeMachine } from './machine.ts';
import { median, ratio, spread } from './statistics.ts';
import { formatNumber, formatPercent, formatRate, formatRatio, renderTable } from './table.ts';

const ENGINE = fileURLToPath(new URL('../dist/engine.wasm', import.meta.url));
const THREAD = new URL('./engine/thread.ts', import.meta.url);
const SERVICES = 10_000;
const CACHED = ENGINE_SETS.find(({ name }) => name === 'cached1k')!;
const CLUSTER = ENGINE_SETS.find(({ name }) => name === 'clusterip')!;

interface Options {
  readonly threads: readonly number[];
  readonly rounds: number;
  readonly seconds: number;
}

function parseWords(words: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...words],
    options: {
      threads: { type: 'string', default: '1,2,4,8' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1' },
    },
  });
  const numbers = [values.rounds, values.seconds, ...values.threads.split(',')].map((text) => {
    if (!(Number(text) > 0)) throw new Error(`expected a number above 0, got "${text}"`);
    return Number(text);
  });
  const [rounds = 1, seconds = 1, ...threads] = numbers;
  return { threads, rounds, seconds };
}

interface Race {
  /** Messages a second. */
  readonly rate: number;
  /** Share of the messages asked that the engines answered themselves. */
  readonly answered: number;
  /** CPU time of a message, with what lays the messages out: nanoseconds. */
  readonly cpuNs: number;
}

/** Each race has a memory of its own, so that none begins with what another has stored. */
async function race(count: number, seconds: number, cluster: Packed, cached: Packed): Promise<Race> {
  const { world, listeners } = buildWorld(SERVICES, [9984], count);
  const words = new Int32Array(new SharedArrayBuffer(64));
  const module = compileEngine(ENGINE);
  const workers = Array.from({ length: count }, (_, shard) => {
    const area = areaAt(world.plan, shard);
    world.setSeconds(1000, area);
    const task: ThreadTask = {
      ...{ module, memory: world.memory, shard, area, listener: listeners[0]!, cluster, cached },
      ...{ fresh: pack(freshNames(BATCH, shard * BATCH)), race: words },
    };
    return new Worker(THREAD, { workerData: task });
  });
  const results = Promise.all(
    workers.map(
      (worker) => new Promise<ThreadResult>((resolve, reject) => worker.on('message', resolve).on('error', reject)),
    ),
  );
  while (Atomics.load(words, RACE_READY) < count) await Promise.race([sleep(5), results]);
  const begun = performance.now();
  Atomics.store(words, RACE_STATE, 1);
  Atomics.notify(words, RACE_STATE);
  await Promise.race([sleep(seconds * 1000), results]);
  Atomics.store(words, RACE_STATE, 2);
  const elapsed = performance.now() - begun;
  const done = await results;
  const messages = done.reduce((sum, one) => sum + one.messages, 0);
  const answered = done.reduce((sum, one) => sum + one.answered, 0);
  const cpuMs = done.reduce((sum, one) => sum + one.cpuMs, 0);
  return { rate: (messages / elapsed) * 1000, answered: answered / messages, cpuNs: (cpuMs / messages) * 1e6 };
}

async function main(options: Options): Promise<void> {
  const cluster = pack(questionsOf(CLUSTER, SERVICES));
  const cached = pack(questionsOf(CACHED, SERVICES));
  const rows = options.threads.map((count) => ({ count, races: [] as Race[] }));
  for (let round = 0; round < options.rounds; round++) {
    for (const one of rows) one.races.push(await race(one.count, options.seconds, cluster, cached));
  }
  const of = (races: readonly Race[], word: keyof Race): number[] => races.map((one) => one[word]);
  const first = median(of(rows[0]!.races, 'rate'));
  const cells = rows.map(({ count, races }) => [
    String(count),
    formatRate(median(of(races, 'rate'))),
    formatRatio(ratio(median(of(races, 'rate')), first)),
    formatPercent(spread(of(races, 'rate'))),
    formatNumber(median(of(races, 'cpuNs'))),
    formatPercent(median(of(races, 'answered'))),
  ]);
  const { date, processor, cores, kernel, node, commit } = describeMachine();
  process.stdout.write(
    `${date}, ${processor} (${cores} cores), Linux ${kernel}, Node ${node}, commit ${commit}; ${SERVICES} services and ` +
      `1,000 cached names, one message in 16 stored anew; ${options.rounds} rounds of ${options.seconds} s\n\n` +
      renderTable(['threads', 'messages/s', `of ${rows[0]!.count}`, 'spread', 'CPU ns', 'answered'], cells),
  );
}

await main(parseWords(process.argv.slice(2)));
