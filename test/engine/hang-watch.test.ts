import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SHARD_HEARTBEAT } from '../../engine-as/shared/layout.ts';
import { HangWatch } from '../../host/engine/hang-watch.ts';
import { areaAt, createMemory, planMemory } from '../../host/engine/memory.ts';

const plan = planMemory(2);
const memory = createMemory(plan, () => 0n);
const words = new Int32Array(memory.buffer);

const LOOK_MS = 500;
const LIMITS = { hangMs: 4 * LOOK_MS, requestMs: 60_000 };

/** A shard as the watch sees it. */
class Shard {
  isRunning = true;
  readonly reasons: string[] = [];
  readonly shard: number;
  readonly generation: number;

  constructor(shard: number, generation: number) {
    this.shard = shard;
    this.generation = generation;
  }

  terminate(reason: string): void {
    this.reasons.push(reason);
    this.isRunning = false;
  }

  beat(): void {
    Atomics.add(words, (areaAt(plan, this.shard) + SHARD_HEARTBEAT) >>> 2, 1);
  }
}

function watched(context: TestContext, ...shards: Shard[]) {
  context.mock.timers.enable({ apis: ['setInterval'] });
  const watch = new HangWatch(memory, plan, shards, LIMITS);
  context.after(() => watch.close());
  return (looks: number) => context.mock.timers.tick(looks * LOOK_MS);
}

test('a shard that hangs in its first query, before its first heartbeat, is terminated', (context) => {
  const serving = new Shard(0, 1);
  const starting = new Shard(1, 0);
  const pass = watched(context, serving, starting);
  pass(1 + 3);
  assert.deepEqual(serving.reasons, []);
  pass(1);
  assert.deepEqual(serving.reasons, ['it stood still']);
  // Loading the worker's code may take as long as a request
  pass(115);
  assert.deepEqual(starting.reasons, []);
  pass(1);
  assert.deepEqual([serving.reasons.length, starting.reasons], [1, ['it stood still']]);
});

test('a shard that has beaten and then stands still is terminated, one that goes on is not', (context) => {
  const hanging = new Shard(0, 0);
  const healthy = new Shard(1, 1);
  const pass = watched(context, hanging, healthy);
  pass(1);
  hanging.beat();
  for (let i = 0; i < 20; i++) {
    assert.deepEqual(hanging.reasons, i < 5 ? [] : ['it stood still'], `${i} looks`);
    pass(1);
    if (i % 3 === 0) healthy.beat();
  }
  assert.deepEqual(healthy.reasons, []);
});

test('a replacement has the time of a start again', (context) => {
  const shard = new Shard(0, 0);
  const pass = watched(context, shard);
  pass(1);
  shard.beat();
  pass(1 + 4);
  assert.equal(shard.reasons.length, 1);
  pass(1);
  shard.isRunning = true;
  pass(1 + 119);
  assert.equal(shard.reasons.length, 1);
  pass(1);
  assert.equal(shard.reasons.length, 2);
});
