import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { FLAG_TC } from '../../../engine-as/shared/codes.ts';
import { rcodeOf, scene, textOf } from './scene.ts';
import { goodAnswer, manyAddresses, type Seen, truncated } from './scripted-upstream.ts';
import { until } from './world.ts';

test('other ids are skipped until the right one comes', () =>
  scene(
    '',
    (query) => [goodAnswer(query, { id: query.message.id ^ 1 }), goodAnswer(query)],
    async ({ world }) => {
      assert.equal(rcodeOf(await world.ask('a.example')), 0);
    },
  ));

test('a reply from nowhere is not taken', () =>
  scene(
    'read_timeout 80ms\nmax_connect_attempts 1',
    async (query) => {
      const stranger = createSocket('udp4');
      stranger.send(goodAnswer(query), query.port, '127.0.0.1');
      await new Promise((resolve) => setTimeout(resolve, 10));
      stranger.close();
      return undefined;
    },
    async ({ world }) => {
      assert.match(textOf(await world.ask('a.example')), /i\/o timeout$/);
    },
  ));

test('only other ids: the attempts time out, and the error reads as CoreDNS writes it', () =>
  scene(
    'read_timeout 60ms',
    (query) => goodAnswer(query, { id: query.message.id ^ 1 }),
    async ({ up, world }) => {
      const text = textOf(await world.ask('a.example'));
      assert.match(text, new RegExp(`^read udp 127\\.0\\.0\\.1:\\d+->${up.text}: i/o timeout$`));
      assert.equal(up.seen.length, 2);
      await until(() => up.probes > 0);
    },
  ));

test('a silent upstream: two attempts, then SERVFAIL', () =>
  scene(
    'read_timeout 50ms',
    () => undefined,
    async ({ up, world }) => {
      const ended = await world.ask('a.example');
      assert.equal(rcodeOf(ended), -2);
      assert.equal(up.seen.length, 2);
    },
  ));

test('max_connect_attempts 1 and 3', async () => {
  for (const attempts of [1, 3]) {
    await scene(
      `read_timeout 30ms\nmax_connect_attempts ${attempts}`,
      () => undefined,
      async ({ up, world }) => {
        assert.equal(rcodeOf(await world.ask('a.example')), -2);
        assert.equal(up.seen.length, attempts);
      },
    );
  }
});

test('garbage with the right id fails the attempt at once', () =>
  scene(
    '',
    (query) => {
      const reply = new Uint8Array(20).fill(0x3f);
      reply.set(query.octets.subarray(0, 2));
      reply.set([0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0], 2);
      return reply;
    },
    async ({ up, world }) => {
      assert.equal(textOf(await world.ask('a.example')), 'bad question name: dns: buffer size too small');
      assert.equal(up.seen.length, 2);
    },
  ));

/** The reply to a query for `a.example`, its record changed: owner at 27, fixed part behind it, data last. */
const damages: readonly [string, (octets: Uint8Array) => Uint8Array, string | undefined][] = [
  ['a label that is none', (octets) => octets.fill(0x80, 27, 28), 'dns: bad rdata'],
  ['a loop of pointers', (octets) => withOwner(octets, [0xc0, 27]), 'dns: too many compression pointers'],
  ['an address too long', (octets) => withAddress(octets, [1, 2, 3, 4, 5]), 'dns: bad rdlength'],
  ['an address too short', (octets) => withAddress(octets, [1, 2, 3]), undefined],
  ['an end within the address', (octets) => octets.subarray(0, -2), undefined],
  ['an end within the TTL', (octets) => octets.subarray(0, -8), undefined],
  ['an end within the owner', (octets) => octets.subarray(0, 30), undefined],
];
const streamTexts = [
  'dns: bad rdata',
  'dns: too many compression pointers',
  'dns: bad rdlength',
  'A: dns: overflow unpacking a',
  'dns: overflowing header size',
  'dns: overflow unpacking uint32',
  'dns: buffer size too small',
];

function withOwner(octets: Uint8Array, owner: readonly number[]): Uint8Array {
  return Uint8Array.from([...octets.subarray(0, 27), ...owner, ...octets.subarray(-14)]);
}

function withAddress(octets: Uint8Array, address: readonly number[]): Uint8Array {
  return Uint8Array.from([...octets.subarray(0, -6), 0, address.length, ...address]);
}

for (const [i, [what, damage, text]] of damages.entries()) {
  test(`${what}: over UDP ${text ?? 'empty with TC'}, over TCP ${streamTexts[i]}`, () =>
    scene(
      '',
      (query) => damage(goodAnswer(query)),
      async ({ up, world }) => {
        world.exchanges.refuses = (octets) => octets.length > 27;
        const ended = await world.ask('a.example');
        if (text !== undefined) assert.equal(textOf(ended), text);
        else assert.ok(ended.kind === 'reply' && (ended.message.flags & FLAG_TC) !== 0 && ended.octets.length === 27);
        assert.equal(up.seen.length, text === undefined ? 1 : 2);
        assert.equal(world.counters.get('request_duration'), text === undefined ? 1 : 0);
        assert.equal(textOf(await world.ask('a.example', { isStream: true })), streamTexts[i]);
      },
    ));
}

test('prefer_udp: a record that is cut inside is asked again over TCP, and fails the attempt there', () =>
  scene(
    'prefer_udp',
    (query) => withAddress(goodAnswer(query), [1, 2, 3]),
    async ({ up, world }) => {
      world.exchanges.refuses = (octets) => octets.length > 27;
      assert.equal(textOf(await world.ask('a.example')), 'A: dns: overflow unpacking a');
      assert.deepEqual(
        up.seen.map(({ proto }) => proto),
        ['udp', 'tcp', 'udp', 'tcp'],
      );
    },
  ));

test('the first damaged record decides: a record behind it that is cut does not make the reply a cut one', () =>
  scene(
    '',
    (query) => {
      const octets = Uint8Array.from([...withAddress(goodAnswer(query), [1, 2, 3, 4, 5]), 0, 0, 1]);
      octets[7] = 2;
      return octets;
    },
    async ({ world }) => {
      assert.equal(textOf(await world.ask('a.example')), 'dns: bad rdlength');
    },
  ));

test('a signed reply fails the attempt: nobody has the key', () =>
  scene(
    '',
    (query) => {
      const tsig = [0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0];
      const octets = Uint8Array.from([...goodAnswer(query), ...tsig]);
      octets[11] = 1;
      return octets;
    },
    async ({ world }) => {
      assert.equal(textOf(await world.ask('a.example')), 'dns: no secrets defined');
    },
  ));

test("another question, type or spelling in the reply is the engine's to judge: octets come through", () =>
  scene(
    '',
    (query) => goodAnswer(query, { type: 28 }),
    async ({ world }) => {
      const ended = await world.ask('a.example');
      assert.equal(ended.kind === 'reply' && ended.message.questions[0]!.type, 28);
    },
  ));

test('TC is passed on with its records', () =>
  scene(
    '',
    (query) => goodAnswer(query, { flags: FLAG_TC }),
    async ({ up, world }) => {
      const ended = await world.ask('a.example');
      assert.ok(ended.kind === 'reply' && (ended.message.flags & FLAG_TC) !== 0 && ended.message.answer.length === 1);
      assert.deepEqual(
        up.seen.map(({ proto }) => proto),
        ['udp'],
      );
    },
  ));

test('prefer_udp: TC is asked again over TCP, whatever the client used', async () => {
  for (const isStream of [false, true]) {
    await scene(
      'prefer_udp',
      (query) => (query.proto === 'udp' ? truncated(query) : goodAnswer(query)),
      async ({ up, world }) => {
        const ended = await world.ask('a.example', { isStream });
        assert.ok(ended.kind === 'reply' && ended.message.answer.length === 1);
        assert.deepEqual(
          up.seen.map(({ proto }) => proto),
          ['udp', 'tcp'],
        );
        assert.equal(world.counters.get('request_duration'), 2);
      },
    );
  }
});

test('a UDP reply beyond the advertised size becomes empty with TC', () =>
  scene(
    '',
    (query) => goodAnswer(query, { addresses: manyAddresses(60) }),
    async ({ world }) => {
      const ended = await world.ask('a.example');
      assert.ok(ended.kind === 'reply');
      if (ended.kind !== 'reply') return;
      assert.equal(ended.message.flags & FLAG_TC, FLAG_TC);
      assert.equal(ended.message.answer.length, 0);
      assert.equal(ended.message.questions.length, 1);
      const large = await world.ask('a.example', { payloadBytes: 4096 });
      assert.ok(large.kind === 'reply' && large.message.answer.length === 60);
    },
  ));

for (const useNative of [true, false]) {
  test(`UDP replies of every size that the client takes come whole${useNative ? '' : ' (no koffi)'}`, () =>
    scene(
      '',
      (query) => goodAnswer(query, { addresses: manyAddresses(Number(query.name.split('.')[0])) }),
      async ({ world }) => {
        const counts = [100, 135, 140, 400, 1500, 2000, 5];
        const all = await Promise.all(counts.map((count) => world.ask(`${count}.example`, { payloadBytes: 65535 })));
        const answers = all.map((ended) => (ended.kind === 'reply' ? ended.message.answer : []));
        assert.deepEqual(
          answers.map(({ length }) => length),
          counts,
        );
        for (const answer of answers) {
          answer.forEach(({ rdata }, i) => {
            assert.deepEqual([...rdata], [198, 51, 100, i & 255]);
          });
        }
        const limited = await world.ask('400.example', { payloadBytes: 8192 });
        assert.ok(limited.kind === 'reply' && (limited.message.flags & FLAG_TC) !== 0);
      },
      { useNative },
    ));
}

test('a reply that is cut between its records becomes empty with TC', () =>
  scene(
    '',
    (query) => goodAnswer(query).subarray(0, -6),
    async ({ world }) => {
      const ended = await world.ask('a.example');
      assert.ok(ended.kind === 'reply' && (ended.message.flags & FLAG_TC) !== 0 && ended.message.answer.length === 0);
    },
  ));

test("a reply with the id of another query on the same socket is that query's, whatever it asks", () => {
  let other: Seen | undefined;
  return scene(
    'max_idle_conns 1',
    (query) => {
      if (query.name !== 'b.example.') {
        other = query;
        return undefined;
      }
      // The id is that of a.example, which is still under way
      return [goodAnswer(query, { id: other!.message.id }), goodAnswer(query)];
    },
    async ({ world }) => {
      const both = [world.ask('a.example'), world.ask('b.example')];
      for (const ended of await Promise.all(both)) {
        // The engine compares the question and answers FORMERR
        assert.equal(ended.kind === 'reply' && ended.message.questions[0]!.name, 'b.example.');
      }
    },
  );
});
