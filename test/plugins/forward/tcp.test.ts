import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLAG_CD, FLAG_RD } from '../../../engine-as/shared/codes.ts';
import { rcodeOf, scene, textOf } from './scene.ts';
import { goodAnswer, manyAddresses } from './scripted-upstream.ts';
import { until } from './world.ts';

test('a TCP client is served over TCP, the connection is used again', () =>
  scene('', goodAnswer, async ({ up, world }) => {
    for (const name of ['a', 'b', 'c']) {
      const ended = await world.ask(`${name}.example`, { isStream: true, flags: FLAG_RD | FLAG_CD });
      assert.equal(rcodeOf(ended), 0);
    }
    assert.ok(up.seen.every(({ proto, message }) => proto === 'tcp' && message.flags === (FLAG_RD | FLAG_CD)));
    assert.equal(up.connections, 1);
    assert.equal(world.counters.get('conn_cache_misses', 'tcp'), 1);
    assert.equal(world.counters.get('conn_cache_hits', 'tcp'), 2);
  }));

test('force_tcp and prefer_udp overrule the client, force_tcp first', async () => {
  await scene('force_tcp\nprefer_udp', goodAnswer, async ({ up, world }) => {
    await world.ask('a.example');
    assert.equal(up.seen[0]!.proto, 'tcp');
  });
  await scene('prefer_udp', goodAnswer, async ({ up, world }) => {
    await world.ask('a.example', { isStream: true });
    assert.equal(up.seen[0]!.proto, 'udp');
  });
});

test('one query a connection at a time, several at once on several', () =>
  scene(
    '',
    async (query) => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      return goodAnswer(query);
    },
    async ({ up, world }) => {
      const asked = ['a', 'b', 'a', 'c'].map((name) => world.ask(`${name}.example`, { isStream: true }));
      assert.deepEqual((await Promise.all(asked)).map(rcodeOf), [0, 0, 0, 0]);
      assert.equal(up.seen.length, 3);
      assert.equal(up.connections, 3);
    },
  ));

test('a large reply comes whole', () =>
  scene(
    '',
    (query) => goodAnswer(query, { addresses: manyAddresses(2000) }),
    async ({ world }) => {
      const ended = await world.ask('a.example', { isStream: true });
      assert.ok(ended.kind === 'reply' && ended.message.answer.length === 2000);
    },
  ));

test('a pooled connection that the peer has closed costs nothing, and counts as CoreDNS counts it', () =>
  scene('max_connect_attempts 1', goodAnswer, async ({ up, world }) => {
    await world.ask('a.example', { isStream: true });
    up.hangUp();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(rcodeOf(await world.ask('b.example', { isStream: true })), 0);
    assert.equal(up.connections, 2);
    assert.equal(world.counters.get('conn_cache_hits', 'tcp'), 1);
    assert.equal(world.counters.get('conn_cache_misses', 'tcp'), 2);
  }));

test('half a message and the end: the attempt has failed, even on a pooled connection', () =>
  scene(
    'max_connect_attempts 1',
    ({ name, message }) => (name === 'half.example.' ? 'half' : goodAnswer({ message })),
    async ({ world }) => {
      assert.equal(textOf(await world.ask('half.example', { isStream: true })), 'unexpected EOF');
      await world.ask('a.example', { isStream: true });
      assert.equal(textOf(await world.ask('half.example', { isStream: true })), 'unexpected EOF');
    },
  ));

test('a reset fails the attempt, even on a pooled connection', () =>
  scene(
    'max_connect_attempts 1',
    ({ name, message }) => (name === 'reset.example.' ? 'reset' : goodAnswer({ message })),
    async ({ world }) => {
      await world.ask('a.example', { isStream: true });
      const text = textOf(await world.ask('reset.example', { isStream: true }));
      assert.match(text, /^read tcp \S+->\S+: read: connection reset by peer$/);
    },
  ));

test('what comes unasked on an idle connection does not harm the next query', () =>
  scene(
    'max_connect_attempts 1',
    (query) => [goodAnswer(query), goodAnswer(query, { rcode: 5 })],
    async ({ up, world }) => {
      for (const name of ['a', 'b', 'c']) {
        assert.equal(rcodeOf(await world.ask(`${name}.example`, { isStream: true })), 0);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      assert.equal(up.connections, 1);
    },
  ));

test('a pooled connection that closes on the query is replaced at once', () => {
  let isFirst = true;
  return scene(
    'max_connect_attempts 1',
    (query) => {
      if (query.name !== 'b.example.' || !isFirst) return goodAnswer(query);
      isFirst = false;
      return 'close';
    },
    async ({ up, world }) => {
      await world.ask('a.example', { isStream: true });
      assert.equal(rcodeOf(await world.ask('b.example', { isStream: true })), 0);
      assert.deepEqual(up.names(), ['a.example.', 'b.example.', 'b.example.']);
      assert.equal(up.probes, 0);
    },
  );
});

test('a fresh connection that closes without a reply fails the attempt: EOF', () =>
  scene(
    '',
    () => 'close',
    async ({ up, world }) => {
      assert.equal(textOf(await world.ask('a.example', { isStream: true })), 'EOF');
      assert.equal(up.seen.length, 2);
      await until(() => up.probes > 0);
    },
  ));

test("a silent TCP upstream times out in CoreDNS's words", () =>
  scene(
    'read_timeout 50ms',
    () => undefined,
    async ({ up, world }) => {
      const text = textOf(await world.ask('a.example', { isStream: true }));
      assert.match(text, new RegExp(`^read tcp 127\\.0\\.0\\.1:\\d+->${up.text}: i/o timeout$`));
      assert.equal(up.connections, 2);
    },
  ));

test('a reply cut within its records fails the attempt: a stream loses nothing', () =>
  scene(
    '',
    (query) => goodAnswer(query).subarray(0, -6),
    async ({ world }) => {
      assert.match(textOf(await world.ask('a.example', { isStream: true })), /^dns: overflow/);
    },
  ));

test('expire, max_age and max_idle_conns bound the pool', async () => {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 60));
  for (const option of ['expire 30ms', 'expire 30ms\nmax_age 30ms']) {
    await scene(option, goodAnswer, async ({ up, world }) => {
      await world.ask('a.example', { isStream: true });
      await pause();
      await world.ask('b.example', { isStream: true });
      assert.equal(up.connections, 2);
    });
  }
  await scene('max_idle_conns 1', goodAnswer, async ({ up, world }) => {
    await Promise.all(['a', 'b', 'c'].map((name) => world.ask(`${name}.example`, { isStream: true })));
    await pause();
    await Promise.all(['d', 'e'].map((name) => world.ask(`${name}.example`, { isStream: true })));
    assert.equal(up.connections, 4);
  });
});
