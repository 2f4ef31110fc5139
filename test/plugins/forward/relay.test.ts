import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { CLASS_ANY, FLAG_AD, FLAG_CD, FLAG_RD, TYPE_HINFO } from '../../../engine-as/shared/codes.ts';
import { composeName } from '../../../host/dns/name.ts';
import { ManualClock } from './manual-clock.ts';
import { rcodeOf, scene, textOf } from './scene.ts';
import { goodAnswer, type Script, ScriptedUpstream } from './scripted-upstream.ts';
import { until, World } from './world.ts';

const TYPE_TSIG = 250;

for (const useNative of [true, false]) {
  test(`the query goes out as it came, with another id (${useNative ? 'koffi' : 'node:dgram'})`, () =>
    scene(
      '',
      goodAnswer,
      async ({ up, world }) => {
        const ended = await world.ask('WwW.Example.org', { flags: FLAG_RD | FLAG_CD, payloadBytes: 1400 });
        assert.equal(rcodeOf(ended), 0);
        const [query] = up.seen;
        assert.equal(query!.proto, 'udp');
        assert.equal(query!.message.flags, FLAG_RD | FLAG_CD);
        assert.equal(query!.message.edns?.payloadBytes, 1400);
        assert.deepEqual(Buffer.from(query!.message.questions[0]!.wire).toString(), '\x03WwW\x07Example\x03org\0');
        assert.equal(world.counters.get('request_duration', up.text, '"NOERROR"'), 1);
        assert.equal(world.counters.get('conn_cache_misses', up.text, 'udp'), 1);
      },
      { useNative },
    ));
}

test('AD=1 is set if the cache asks for it', () =>
  scene('', goodAnswer, async ({ up, world }) => {
    await world.ask('a.example', { wantsAd: true });
    await world.ask('a.example', { wantsAd: false });
    assert.deepEqual(
      up.seen.map(({ message }) => message.flags),
      [FLAG_RD | FLAG_AD, FLAG_RD],
    );
  }));

test('a query with a TSIG leaves as it came, at the first attempt', () => {
  const unsigned: Script = ({ message }) => goodAnswer({ message: { ...message, additional: [] } });
  return scene('', unsigned, async ({ up, world }) => {
    const rdata = Uint8Array.from([...composeName('hmac-sha256.'), 0, 0, 0, 0, 0, 1, 1, 44, 0, 0, 18, 52, 0, 0, 0, 0]);
    const tsig = { name: 'key.', type: TYPE_TSIG, class: CLASS_ANY, ttl: 0, rdata };
    assert.equal(rcodeOf(await world.ask('a.example', { additional: [tsig] })), 0);
    assert.equal(up.seen.length, 1);
    const [sent] = up.seen[0]!.message.additional;
    assert.deepEqual([sent?.name, sent?.type], ['key.', TYPE_TSIG]);
    assert.deepEqual(Buffer.from(sent!.rdata), Buffer.from(rdata));
  });
});

test('ids differ; one query after the other leaves from one socket, as in CoreDNS', () =>
  scene('', goodAnswer, async ({ up, world }) => {
    for (let i = 0; i < 40; i++) await world.ask(`n${i}.example`);
    assert.ok(new Set(up.seen.map(({ message }) => message.id)).size > 30);
    assert.equal(new Set(up.seen.map(({ port }) => port)).size, 1);
    assert.equal(world.counters.get('conn_cache_misses'), 1);
    assert.equal(world.counters.get('conn_cache_hits'), 39);
  }));

test('queries at the same time leave from up to four sockets, each used again', () => {
  const waiting: (() => void)[] = [];
  return scene(
    '',
    async (query) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return goodAnswer(query);
    },
    async ({ up, world }) => {
      for (let i = 0; i < 12; i++) {
        world.relay(`n${i}.example`);
        // Apart, so that they are no burst, which stays together
        await until(() => up.seen.length === i + 1);
      }
      assert.equal(new Set(up.seen.map(({ port }) => port)).size, 4);
      for (const answer of waiting) answer();
      await until(() => world.exchanges.openCount === 0);
      // In CoreDNS each query has a connection to itself, and so it is counted
      assert.equal(world.counters.get('conn_cache_misses'), 12);
      assert.equal(world.counters.get('conn_cache_hits'), 0);
    },
  );
});

test('what has brought damage is not used again', () =>
  scene(
    'max_connect_attempts 1',
    (query) => (query.name === 'bad.example.' ? goodAnswer(query).fill(0x80, 12, 16) : goodAnswer(query)),
    async ({ up, world }) => {
      for (const isStream of [false, true]) {
        for (const name of ['a', 'bad', 'b']) await world.ask(`${name}.example`, { isStream });
      }
      const ports = up.seen.map(({ port }) => port);
      assert.deepEqual(
        [ports[0] === ports[1], ports[1] === ports[2], ports[3] === ports[4], ports[4] === ports[5]],
        [true, false, true, false],
      );
      assert.equal(world.counters.get('conn_cache_misses', 'udp'), 2);
      assert.equal(world.counters.get('conn_cache_misses', 'tcp'), 2);
    },
  ));

test('rcodes without slots of their own are counted under their name, or number', () =>
  scene(
    '',
    (query) => goodAnswer(query, { rcode: Number(query.name.split('.')[0]), addresses: [] }),
    async ({ world }) => {
      for (const rcode of [0, 5, 9, 12, 12]) await world.ask(`${rcode}.example`);
      for (const rcode of [16, 23, 3841]) await world.ask(`${rcode}.example`, { payloadBytes: 1232 });
      const counted = (label: string) => world.counters.get('request_duration', `"rcode":"${label}"`);
      assert.deepEqual(
        ['NOERROR', 'REFUSED', 'NOTAUTH', '12', 'BADSIG', 'BADCOOKIE', '3841'].map(counted),
        [1, 1, 1, 2, 1, 1, 1],
      );
    },
  ));

test('max_idle_conns 1 keeps one socket', () =>
  scene('max_idle_conns 1', goodAnswer, async ({ up, world }) => {
    for (let i = 0; i < 20; i++) await world.ask(`n${i}.example`);
    assert.equal(new Set(up.seen.map(({ port }) => port)).size, 1);
  }));

test('an unused socket is retired after expire', () =>
  scene('max_idle_conns 1\nexpire 30ms', goodAnswer, async ({ up, world }) => {
    await world.ask('a.example');
    await new Promise((resolve) => setTimeout(resolve, 60));
    await world.ask('b.example');
    assert.equal(world.counters.get('conn_cache_misses'), 2);
    assert.equal(up.seen.length, 2);
  }));

test('identical questions in flight to an upstream (docs/differences.md): thousands are one upstream query', () =>
  scene(
    '',
    async (query) => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      return goodAnswer(query);
    },
    async ({ up, world }) => {
      const handles = Array.from({ length: 5000 }, () => world.relay('same.example'));
      const other = world.ask('same.example', { flags: FLAG_RD | FLAG_CD });
      const third = world.ask('Same.example');
      const all = await Promise.all(handles.map((handle) => world.exchanges.ended(handle)));
      assert.ok(all.every((ended) => rcodeOf(ended) === 0));
      await Promise.all([other, third]);
      // Other flags or another spelling are another question
      assert.equal(up.seen.length, 3);
    },
    // However long it takes to ask
    { clock: new ManualClock() },
  ));

test('a question whose datagram is lost is sent again for those who ask later, each 100 ms at most', () => {
  const clock = new ManualClock();
  let seen = 0;
  return scene(
    '',
    (query) => (++seen === 1 ? undefined : goodAnswer(query)),
    async ({ up, world }) => {
      const waiting = [world.ask('same.example')];
      await until(() => up.seen.length === 1);
      clock.advance(60);
      waiting.push(world.ask('same.example'));
      clock.advance(60);
      assert.equal(rcodeOf(await world.ask('same.example')), 0);
      assert.equal(up.seen.length, 2);
      // The first two wait for what may still come, as in CoreDNS, and share the next attempt
      clock.advance(2040);
      assert.deepEqual((await Promise.all(waiting)).map(rcodeOf), [0, 0]);
      assert.equal(up.seen.length, 3);
    },
    { clock },
  );
});

test('questions for HINFO are each sent, whatever is in flight: plugin loop counts them', async () => {
  // The replies wait for the fourth query: had one joined another, there would be none
  let seen = 0;
  const { promise: fourth, resolve } = Promise.withResolvers<void>();
  await scene(
    'max_connect_attempts 1',
    async (query) => {
      if (++seen === 4) resolve();
      await fourth;
      return goodAnswer(query);
    },
    async ({ up, world }) => {
      const plain = { type: TYPE_HINFO };
      const extended = { type: TYPE_HINFO, payloadBytes: 1232 };
      const asked = [plain, plain, extended, extended].map((fields) => world.ask('same.example', fields));
      assert.deepEqual((await Promise.all(asked)).map(rcodeOf), [0, 0, 0, 0]);
      assert.equal(up.seen.length, 4);
    },
  );
});

test("a dead port: connection refused, in CoreDNS's words", async () => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  const world = new World(`forward . 127.0.0.1:${port}`);
  try {
    const udp = textOf(await world.ask('a.example'));
    assert.match(udp, new RegExp(`^read udp 127\\.0\\.0\\.1:\\d+->127\\.0\\.0\\.1:${port}: read: connection refused$`));
    const tcp = textOf(await world.ask('a.example', { isStream: true }));
    assert.equal(tcp, `dial tcp 127.0.0.1:${port}: connect: connection refused`);
    await until(() => world.counters.get('healthcheck_failures') > 0);
  } finally {
    await world.plugin.stop();
  }
});

test('a port that is none fails every attempt', async (context) => {
  const world = new World('forward . 127.0.0.1:99999 127.0.0.1:x {\npolicy sequential\nmax_connect_attempts 1\n}');
  context.after(() => world.plugin.stop());
  assert.equal(textOf(await world.ask('a.example')), 'dial udp: address 99999: invalid port');
  const named = new World('forward . 127.0.0.1:x');
  context.after(() => named.plugin.stop());
  assert.equal(textOf(await named.ask('a.example')), 'dial udp: lookup udp/x: unknown port');
});

test('no upstream at all: no healthy proxies', async (context) => {
  const world = new World('forward . /dev/null');
  context.after(() => world.plugin.stop());
  assert.equal(textOf(await world.ask('a.example')), 'no healthy proxies');
});

test('sequential: the second upstream answers for a silent first one', async () => {
  const silent = await ScriptedUpstream.start(() => undefined);
  await scene(
    `forward . ${silent.text} UP {\npolicy sequential\nread_timeout 50ms\n}`,
    goodAnswer,
    async ({ up, world }) => {
      assert.equal(rcodeOf(await world.ask('a.example')), 0);
      assert.equal(silent.seen.length, 1);
      assert.equal(up.seen.length, 1);
      assert.equal(world.counters.get('request_duration', silent.text), 0);
    },
  );
  await silent.stop();
});

test('round_robin spreads, one upstream later each time', async () => {
  const other = await ScriptedUpstream.start(goodAnswer);
  await scene(`forward . UP ${other.text} {\npolicy round_robin\n}`, goodAnswer, async ({ up, world }) => {
    for (let i = 0; i < 6; i++) await world.ask(`n${i}.example`);
    assert.deepEqual([up.seen.length, other.seen.length], [3, 3]);
  });
  await other.stop();
});

test('max_concurrent: the queries beyond it are refused, and places come back', () =>
  scene(
    'max_concurrent 2\nread_timeout 60ms\nmax_connect_attempts 1',
    () => undefined,
    async ({ world }) => {
      const handles = ['a', 'b', 'c', 'a'].map((name) => world.relay(`${name}.example`));
      const ended = await Promise.all(handles.map((handle) => world.exchanges.ended(handle)));
      assert.deepEqual(ended.map(rcodeOf), [-2, -2, -5, -5]);
      assert.equal(textOf(ended[2]!), 'concurrent queries exceeded maximum 2');
      assert.equal(world.counters.get('max_concurrent_rejects'), 2);
      assert.deepEqual([...world.words.subarray(0, 2)], [0, 0]);
      // The other shard has one query under way
      Atomics.store(world.words, 1, 2);
      assert.equal(rcodeOf(await world.ask('d.example')), -5);
    },
  ));

test('failover: a listed rcode goes to the next upstream, the last reply counts', async () => {
  const refusing = await ScriptedUpstream.start((query) => goodAnswer(query, { rcode: 5, addresses: [] }));
  const body = `forward . ${refusing.text} UP {\npolicy sequential\nfailover REFUSED SERVFAIL\n}`;
  await scene(body, goodAnswer, async ({ up, world }) => {
    assert.equal(rcodeOf(await world.ask('a.example')), 0);
    up.script = (query) => goodAnswer(query, { rcode: 2, addresses: [] });
    assert.equal(rcodeOf(await world.ask('b.example')), 2);
    assert.equal(refusing.seen.length, 2);
  });
  await refusing.stop();
});

test('next hands over to the following stanza; the last one ignores it', async () => {
  const empty = await ScriptedUpstream.start((query) =>
    goodAnswer(query, query.name.startsWith('nx') ? { rcode: 3, addresses: [] } : { addresses: [] }),
  );
  const body = `forward . ${empty.text} {\nnext NXDOMAIN\nnext_on_nodata\n}\nforward example UP {\nnext NOERROR\n}`;
  await scene(body, goodAnswer, async ({ up, world }) => {
    const same = [world.relay('nx.example'), world.relay('nx.example')];
    for (const handle of same) assert.equal(rcodeOf(await world.exchanges.ended(handle)), 0);
    assert.equal(rcodeOf(await world.ask('nodata.example')), 0);
    assert.equal(up.seen.length, 2);
    assert.equal(textOf(await world.ask('nx.test')), 'plugin/forward: no next plugin found');
  });
  await empty.stop();
});

test('stanzas: the first that covers the name takes it, excepted names go on', async () => {
  const general = await ScriptedUpstream.start(goodAnswer);
  const body = `forward Example.org UP {\nexcept no.example.org\n}\nforward . ${general.text}`;
  await scene(body, goodAnswer, async ({ up, world }) => {
    for (const name of ['www.EXAMPLE.org', 'example.org', 'a.no.example.org', 'notexample.org', 'com', '.']) {
      await world.ask(name);
    }
    assert.deepEqual(up.names(), ['www.example.org.', 'example.org.']);
    assert.deepEqual(general.names(), ['a.no.example.org.', 'notexample.org.', 'com.', '.']);
  });
  await general.stop();
});

test('no exchange is left after a storm with timeouts and lies', () =>
  scene(
    'read_timeout 700ms',
    (query) => {
      const kind = Number(query.name.split('.')[0]!.slice(1)) % 4;
      if (kind === 0) return goodAnswer(query);
      if (kind === 1) return undefined;
      return kind === 2 ? new Uint8Array([...query.octets.subarray(0, 2), 1, 2, 3]) : goodAnswer(query, { id: 7 });
    },
    async ({ world }) => {
      const handles = Array.from({ length: 3000 }, (_, i) => world.relay(`n${i % 1500}.example`));
      const ended = await Promise.all(handles.map((handle) => world.exchanges.ended(handle)));
      // A lie's id may be that of another query that waits on the same socket
      const answered = ended.filter((each) => rcodeOf(each) === 0).length;
      assert.ok(Math.abs(answered - 750) <= 10, `${answered} answered`);
      assert.ok(ended.every((each) => rcodeOf(each) === 0 || rcodeOf(each) === -2));
    },
  ));

test('stop() waits for what is under way', async () => {
  const up = await ScriptedUpstream.start(async (query) => {
    await new Promise((resolve) => setTimeout(resolve, 80));
    return goodAnswer(query);
  });
  const world = new World(`forward . ${up.text}`);
  const ended = world.ask('a.example');
  await world.plugin.stop();
  assert.equal(world.exchanges.openCount, 0);
  assert.equal(rcodeOf(await ended), 0);
  await up.stop();
});
