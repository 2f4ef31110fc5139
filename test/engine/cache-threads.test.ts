import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type HammerResult, type HammerTask, hammer } from './cache-hammer.ts';
import { compileEngine, createMemory, SUCCESS, TestEngine } from './image-engine.ts';

const module = compileEngine();

function start(task: HammerTask): Worker {
  return new Worker(new URL('./cache-hammer.ts', import.meta.url), { workerData: task });
}

async function result(worker: Worker): Promise<HammerResult> {
  for (;;) {
    const [message] = (await once(worker, 'message')) as [HammerResult | string];
    if (typeof message !== 'string') return message;
  }
}

// Few names and slots: entries are replaced, evicted and their blocks reused all the time.
for (const [names, capacity] of [
  [3, 4],
  [40, 16],
] as const) {
  test(`two shards over one cache, ${names} names in ${capacity} slots: every answer found is whole`, {
    timeout: 300_000,
  }, async () => {
    const memory = createMemory();
    const main = new TestEngine(module, memory, 0);
    const cache = main.exports.cacheCreate(capacity, capacity);
    const task = { module, memory, cache, names, operations: 20_000, role: 'mixed' as const };
    const workers = [start({ ...task, index: 1 }), start({ ...task, index: 2 })];
    const results = await Promise.all(workers.map(result));
    for (const one of results) {
      assert.equal(one.wrong, undefined);
      assert.ok(one.hits > 500 && one.stores > 500 && one.refreshes! > 50, JSON.stringify(one));
    }
    assert.ok(main.exports.cacheEntries(cache, SUCCESS) <= capacity);
  });
}

test('torn reads are never believed', { timeout: 300_000 }, async () => {
  const memory = createMemory();
  const main = new TestEngine(module, memory, 0);
  const cache = main.exports.cacheCreate(4, 4);
  const task = { module, memory, cache, names: 1 };
  const writer = start({ ...task, index: 1, operations: 100_000_000, role: 'writer' });
  const reader = start({ ...task, index: 2, operations: 300_000, role: 'reader' });
  const found = await result(reader);
  await writer.terminate();
  assert.equal(found.wrong, undefined);
  assert.ok(found.hits > 1000, JSON.stringify(found));
});

test('shards that die at any moment neither block nor spoil the cache', { timeout: 300_000 }, async () => {
  const memory = createMemory();
  const main = new TestEngine(module, memory, 0);
  const cache = main.exports.cacheCreate(16, 16);
  const task = { module, memory, cache, names: 20, role: 'mixed' as const };
  for (let i = 0; i < 6; i++) {
    const workers = [1, 2].map((index) => start({ ...task, index, operations: 100_000_000 }));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    await sleep(20 + i * 17);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  const after = hammer({ ...task, index: 0, operations: 20_000 });
  assert.equal(after.wrong, undefined);
  assert.ok(after.hits > 5000, JSON.stringify(after));
});
