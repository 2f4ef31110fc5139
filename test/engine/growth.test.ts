import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { compileEngine } from '../../host/engine/load.ts';
import { createMemory, planMemory } from '../../host/engine/memory.ts';

const ROUNDS = 30;
const THREADS = 8;
/** Of the times after which the last growth comes, between a thread's creation and its first line. */
const LATEST_MS = 80;

test('threads that begin while the memory grows see all of it', async () => {
  const module = compileEngine(new URL('../../dist/engine.wasm', import.meta.url));
  let seen = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const memory = createMemory(planMemory(1), () => 0n);
    const workers = Array.from({ length: THREADS }, () => {
      return new Worker(new URL('./growing-worker.ts', import.meta.url), { workerData: { module, memory } });
    });
    const answers = Promise.all(workers.map((worker) => once(worker, 'message')));
    growUntil(memory, performance.now() + (LATEST_MS * (round + 1)) / ROUNDS);
    const bytes = memory.buffer.byteLength;
    for (const worker of workers) worker.postMessage('how long is it?');
    const lengths = (await answers).map(([length]) => length as number);
    await Promise.all(workers.map((worker) => worker.terminate()));
    assert.deepEqual(lengths, new Array(THREADS).fill(bytes));
    seen += lengths.length;
  }
  assert.equal(seen, ROUNDS * THREADS);
});

/** A page every 50 us: one of them falls into the moment at which a thread has the memory's old length. */
function growUntil(memory: WebAssembly.Memory, endMs: number): void {
  while (performance.now() < endMs) {
    memory.grow(1);
    const next = performance.now() + 0.05;
    while (performance.now() < next);
  }
}
