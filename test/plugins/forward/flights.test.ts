import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FLIGHTS_MAX, FlightTable } from '../../../host/plugins/forward/flights.ts';
import { RandomIds } from '../../../host/plugins/forward/ids.ts';
import { ConcurrencyLimit } from '../../../host/plugins/forward/limit.ts';
import { createPolicy } from '../../../host/plugins/forward/policy.ts';
import { ManualClock } from './manual-clock.ts';
import { rcodeOf, scene, textOf } from './scene.ts';
import { goodAnswer, type Script } from './scripted-upstream.ts';
import { until } from './world.ts';

/** Waits until the upstream has seen `count` queries: what has left is not reordered by moving the clock. */
const sent = (up: { seen: readonly unknown[] }, count: number) => until(() => up.seen.length === count);

test('a late waiter does not get the error of attempts it was hardly there for', async () => {
  const clock = new ManualClock();
  let script: Script = () => undefined;
  await scene(
    'read_timeout 160ms',
    (query) => script(query),
    async ({ up, world }) => {
      const first = world.ask('a.example');
      await sent(up, 1);
      clock.advance(40);
      const early = world.ask('a.example');
      clock.advance(55);
      const late = world.ask('a.example');
      assert.equal(up.seen.length, 1);
      clock.advance(68);
      await sent(up, 2);
      // The second attempt fails: the last one for the first two, who were there for most of both
      clock.advance(163);
      assert.match(textOf(await first), /i\/o timeout$/);
      assert.match(textOf(await early), /i\/o timeout$/);
      await sent(up, 3);
      assert.equal(world.exchanges.openCount, 1);
      const joined = world.ask('a.example');
      script = goodAnswer;
      clock.advance(163);
      // Out of attempts (two) and answered by another one: the fourth belongs to who came last
      assert.match(textOf(await late), /i\/o timeout$/);
      assert.equal(rcodeOf(await joined), 0);
      assert.equal(up.seen.length, 4);
    },
    { clock },
  );
});

test('nobody starts another attempt after 5 s, whatever max_connect_attempts says', async () => {
  const clock = new ManualClock();
  await scene(
    'max_connect_attempts 0',
    () => undefined,
    async ({ up, world }) => {
      const ended = world.ask('a.example');
      for (let attempt = 1; attempt <= 3; attempt++) {
        await sent(up, attempt);
        clock.advance(2020);
      }
      assert.equal(rcodeOf(await ended), -2);
      assert.equal(up.seen.length, 3);
    },
    { clock },
  );
});

test('without max_connect_attempts a port that refuses is not asked in a tight loop', async () => {
  const clock = new ManualClock();
  await scene(
    'forward . 127.0.0.1:99999 {\nmax_connect_attempts 0\nmax_fails 0\n}',
    goodAnswer,
    async ({ world }) => {
      const ended = world.ask('a.example');
      clock.advance(4900);
      assert.equal(world.exchanges.openCount, 1);
      clock.advance(200);
      assert.equal(rcodeOf(await ended), -2);
    },
    { clock },
  );
});

test('the table of flights: claimed ones are distinct, found by hash, and all come back', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 40 })), { maxLength: 900 }), (steps) => {
      const table = new FlightTable(3);
      const living = new Map<number, number>();
      for (const [isClaim, number] of steps) {
        if (isClaim || living.size === 0) {
          const flight = table.claim(0);
          assert.ok(flight > 0 && !living.has(flight));
          const hash = Math.imul(number, 0x10001);
          table.list(flight, hash);
          table.join(flight, 2 * flight, 0);
          living.set(flight, hash);
        } else {
          const flight = [...living.keys()][number % living.size]!;
          table.unlist(flight);
          table.release(flight);
          living.delete(flight);
        }
        assert.equal(table.count, living.size);
      }
      const found = new Set<number>();
      for (const hash of new Set(living.values())) {
        for (let at = table.bucket(hash); at !== 0; at = table.chain[at]!) if (table.hash[at] === hash) found.add(at);
      }
      assert.deepEqual(found, new Set(living.keys()));
      const visited = new Set<number>();
      table.each((flight) => visited.add(flight));
      assert.deepEqual(visited, new Set(living.keys()));
    }),
  );
});

test('the table of flights is bounded', () => {
  const table = new FlightTable(1);
  for (let i = 0; i < FLIGHTS_MAX; i++) assert.notEqual(table.claim(0), 0);
  assert.equal(table.claim(0), 0);
  table.release(77);
  assert.equal(table.claim(0), 77);
});

test('every policy gives a permutation; random ones differ, round_robin turns', () => {
  const ids = new RandomIds();
  const orders = (name: 'random' | 'round_robin' | 'sequential', count: number, times: number) => {
    const policy = createPolicy(name, ids);
    return Array.from({ length: times }, () => {
      const order = new Uint8Array(count + 2).fill(99);
      policy(order, 1, count);
      assert.deepEqual([order[0], order[count + 1]], [99, 99]);
      return [...order.subarray(1, count + 1)];
    });
  };
  for (const name of ['random', 'round_robin', 'sequential'] as const) {
    for (const order of orders(name, 9, 20)) assert.deepEqual(new Set(order), new Set([0, 1, 2, 3, 4, 5, 6, 7, 8]));
  }
  assert.ok(new Set(orders('random', 9, 40).map(String)).size > 30);
  assert.deepEqual(orders('round_robin', 3, 4), [
    [1, 0, 2],
    [2, 0, 1],
    [0, 1, 2],
    [1, 0, 2],
  ]);
});

test('a shard that begins anew forgets what its predecessor counted', () => {
  const words = new Int32Array(new SharedArrayBuffer(16));
  words[1] = 5;
  const options = { words, indices: [0, 1], max: 3 };
  const used = new Set<number>();
  const first = new ConcurrencyLimit({ ...options, shard: 0 }, used);
  assert.ok(!first.enter());
  const second = new ConcurrencyLimit({ ...options, shard: 1 }, used);
  assert.ok(first.enter() && second.enter());
  // A reload in the same thread keeps the count
  const reloaded = new ConcurrencyLimit({ ...options, shard: 1 }, used);
  assert.ok(reloaded.enter() && !reloaded.enter());
  first.leave();
  second.leave();
  reloaded.leave();
  assert.deepEqual([...words.subarray(0, 2)], [0, 0]);
});
