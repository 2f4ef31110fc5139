// Hits and misses of the pool of connections, as CoreDNS would count them: one query at a time on each, and only what
// has brought a whole reply comes back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdleConnections } from '../../../host/plugins/forward/idle-connections.ts';
import { rcodeOf, scene } from './scene.ts';
import { goodAnswer, type Script, ScriptedUpstream } from './scripted-upstream.ts';
import { World } from './world.ts';

interface Case {
  readonly what: string;
  readonly script: Script;
  readonly proto: 'udp' | 'tcp';
  /** Of three queries, one after the other. */
  readonly misses: number;
  readonly hits: number;
}

const garbage: Script = (query) => goodAnswer(query).fill(0x80, 12, 16);
const anotherQuestion: Script = (query) => {
  const question = {
    ...query.message.questions[0]!,
    name: 'other.example.',
    wire: Buffer.from('\x05other\x07example\0'),
  };
  return goodAnswer({ ...query, message: { ...query.message, questions: [question] } });
};

const CASES: readonly Case[] = [
  { what: 'good replies', script: goodAnswer, proto: 'udp', misses: 1, hits: 2 },
  { what: 'good replies', script: goodAnswer, proto: 'tcp', misses: 1, hits: 2 },
  { what: 'silence', script: () => undefined, proto: 'udp', misses: 3, hits: 0 },
  { what: 'silence', script: () => undefined, proto: 'tcp', misses: 3, hits: 0 },
  { what: 'garbage', script: garbage, proto: 'udp', misses: 3, hits: 0 },
  { what: 'garbage', script: garbage, proto: 'tcp', misses: 3, hits: 0 },
  { what: 'replies to another question', script: anotherQuestion, proto: 'udp', misses: 1, hits: 2 },
  { what: 'connections that are closed', script: () => 'close', proto: 'tcp', misses: 3, hits: 0 },
];

for (const { what, script, proto, misses, hits } of CASES) {
  const timeout = what === 'silence' ? '40ms' : '20s';
  test(`${what}, ${proto}: ${misses} misses and ${hits} hits`, () =>
    scene(`read_timeout ${timeout}\nmax_connect_attempts 1\nmax_fails 0`, script, async ({ world }) => {
      for (const name of ['a', 'b', 'c']) await world.ask(`${name}.example`, { isStream: proto === 'tcp' });
      const counted = ['misses', 'hits'].map((kind) => world.counters.get(`conn_cache_${kind}`, proto));
      assert.deepEqual(counted, [misses, hits]);
    }));
}

test('a port where nobody listens, also asked by many at a time: misses only', async () => {
  const up = await ScriptedUpstream.start();
  const { text } = up;
  await up.stop();
  const world = new World(`forward . ${text} {\nmax_fails 0\n}`);
  const asked = Array.from({ length: 8 }, (_, n) => world.ask(`n${n}.example`));
  for (const ended of await Promise.all(asked)) assert.equal(rcodeOf(ended), -2);
  for (let n = 8; n < 12; n++) await world.ask(`n${n}.example`);
  assert.equal(world.counters.get('conn_cache_hits', 'udp'), 0);
  assert.equal(world.counters.get('conn_cache_misses', 'udp'), 24, 'two attempts each');
  await world.plugin.stop();
});

test('the oldest idle connection is taken; expire, max_age and max_idle_conns bound them', () => {
  const idle = new IdleConnections({ expireMs: 100, maxAgeMs: 150, maxIdleConns: 3 });
  assert.equal(idle.take(0), -1);
  for (const openedMs of [1, 2, 3, 4]) idle.giveBack(openedMs, 10);
  assert.equal(idle.count, 3, 'the fourth is closed');
  assert.equal(idle.take(20), 1);
  idle.closeLast();
  assert.equal(idle.take(20), 2);
  assert.equal(idle.take(20), -1);
  idle.giveBack(5, 30);
  assert.equal(idle.take(131), -1, 'expired');
  idle.giveBack(5, 140);
  assert.equal(idle.take(156), -1, 'too old');
});

test('many idle connections keep their order', () => {
  const idle = new IdleConnections({ expireMs: 1000, maxAgeMs: 0, maxIdleConns: 0 });
  for (let n = 0; n < 40; n++) idle.giveBack(n, 0);
  for (let n = 0; n < 30; n++) assert.equal(idle.take(0), n);
  for (let n = 40; n < 300; n++) idle.giveBack(n, 0);
  for (let n = 30; n < 300; n++) assert.equal(idle.take(0), n);
  assert.equal(idle.count, 0);
});
