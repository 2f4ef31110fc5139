/** One thread of bench/threads.ts: a shard's engine over the shared memory, fed without sockets until it is told to stop. */
import { parentPort, workerData } from 'node:worker_threads';
import { BATCH } from '../../engine-as/shared/layout.ts';
import { instantiateEngine } from '../../host/engine/load.ts';
import { type Packed, Slots } from './batches.ts';
import { Inserts } from './inserts.ts';

export interface ThreadTask {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly shard: number;
  readonly area: number;
  readonly listener: number;
  readonly cluster: Packed;
  readonly cached: Packed;
  /** Asked once, to learn where a miss leaves the engine; each thread has others. */
  readonly fresh: Packed;
  /** Words of the race, see RACE_. */
  readonly race: Int32Array;
}

/** Threads that are ready. */
export const RACE_READY = 0;
/** 0 = wait, 1 = run, 2 = stop. */
export const RACE_STATE = 1;

/** What one thread has done between start and stop. */
export interface ThreadResult {
  readonly messages: number;
  /** Of them: answered by the engine itself. */
  readonly answered: number;
  /** CPU time of the thread, however long it had to wait for a core. */
  readonly cpuMs: number;
}

/** Of 16 batches: this many ask for cluster names, one stores replies for cached names anew, the rest asks for those. */
const CLUSTER_BATCHES = 9;
const BATCHES = 16;
/** Turns before it counts: the compiler is done then. */
const WARM_TURNS = 200;

function run(task: ThreadTask): ThreadResult {
  const { area, cached, cluster, listener, memory, race, shard } = task;
  const engine = instantiateEngine(task.module, memory);
  engine.prepareShard(area);
  const slots = new Slots(memory, area);
  const inserts = new Inserts(engine, memory, area);
  slots.fill(task.fresh, 0);
  engine.serve(area, listener, BATCH);
  inserts.learn();
  // Each thread asks from another name on
  let nextCluster = (shard * 7919) % cluster.bytes.length;
  let nextCached = (shard * 7919) % cached.bytes.length;
  let nextStored = (shard * 104_729) % cached.bytes.length;
  let answered = 0;
  const turn = (): void => {
    for (let batch = 0; batch < BATCHES - 1; batch++) {
      if (batch < CLUSTER_BATCHES) nextCluster = slots.fill(cluster, nextCluster);
      else nextCached = slots.fill(cached, nextCached);
      engine.serve(area, listener, BATCH);
      answered += slots.sends;
    }
    engine.settle(area, 0.1);
    nextStored = inserts.fill(cached, nextStored);
    inserts.run();
    engine.quiesce(shard);
  };
  for (let i = 0; i < WARM_TURNS; i++) turn();
  answered = 0;
  Atomics.add(race, RACE_READY, 1);
  Atomics.wait(race, RACE_STATE, 0);
  const before = process.threadCpuUsage();
  let turns = 0;
  for (; Atomics.load(race, RACE_STATE) === 1; turns++) turn();
  const used = process.threadCpuUsage(before);
  const cpuMs = (used.user + used.system) / 1000;
  return { messages: turns * BATCHES * BATCH, answered: answered + turns * BATCH, cpuMs };
}

parentPort?.postMessage(run(workerData as ThreadTask));
