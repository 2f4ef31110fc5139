import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import * as layout from '../../engine-as/shared/layout.ts';
import { CacheClient } from './cache-client.ts';
import { compileEngine, DENIAL, IMAGE_OK, optRecord, SUCCESS } from './image-engine.ts';
import { a, cname, composeReply, ns, type Reply, type Rr, replyOf, soa, txt } from './image-messages.ts';
import { parseReply } from './image-reader.ts';

const module = compileEngine();
let client = new CacheClient(module, 9984);
beforeEach(() => {
  client = new CacheClient(module, 9984);
});

const SOA = soa('example.org.', 600);

interface Case {
  readonly title: string;
  readonly reply: Reply;
  /** TTL the client sees on a miss. */
  readonly ttl: number;
  readonly stored: 'success' | 'denial' | 'never';
  readonly type?: number;
}

/** CoreDNS plugin cache: what is stored where, never, and which TTL is shown. */
const CASES: readonly Case[] = [
  {
    title: 'answer, lowest TTL of all sections',
    reply: replyOf(
      'x.example.org.',
      [a('x.example.org.', 25, 1, 2, 3, 4)],
      [ns('example.org.', 600, 'ns1.example.org.')],
      [a('ns1.example.org.', 12, 9, 9, 9, 9)],
    ),
    ttl: 12,
    stored: 'success',
  },
  {
    title: 'TTL 0 is raised',
    reply: replyOf('x.example.org.', [a('x.example.org.', 0, 1, 2, 3, 4)]),
    ttl: 5,
    stored: 'success',
  },
  {
    title: 'TTL above the maximum',
    reply: replyOf('x.example.org.', [a('x.example.org.', 999999, 1, 2, 3, 4)]),
    ttl: 3600,
    stored: 'success',
  },
  { title: 'NXDOMAIN with SOA', reply: replyOf('x.example.org.', [], [SOA], [], 0x8183), ttl: 600, stored: 'denial' },
  { title: 'NXDOMAIN without SOA', reply: replyOf('x.example.org.', [], [], [], 0x8183), ttl: 5, stored: 'never' },
  {
    title: 'NXDOMAIN with answers',
    reply: replyOf('x.example.org.', [cname('x.example.org.', 300, 'gone.example.org.')], [SOA], [], 0x8183),
    ttl: 5,
    stored: 'never',
  },
  { title: 'NODATA', reply: replyOf('x.example.org.', [], [SOA]), ttl: 600, stored: 'denial' },
  { title: 'empty NOERROR', reply: replyOf('x.example.org.', []), ttl: 5, stored: 'success' },
  {
    title: 'additional only',
    reply: replyOf('x.example.org.', [], [], [a('x.example.org.', 0, 1, 2, 3, 4)]),
    ttl: 5,
    stored: 'success',
  },
  {
    title: 'delegation: 5 s',
    reply: replyOf('x.example.org.', [], [ns('x.example.org.', 600, 'ns.x.example.org.')]),
    ttl: 5,
    stored: 'success',
  },
  { title: 'SERVFAIL', reply: replyOf('x.example.org.', [], [], [], 0x8182), ttl: 7, stored: 'denial' },
  { title: 'NOTIMP', reply: replyOf('x.example.org.', [], [], [], 0x8184), ttl: 7, stored: 'denial' },
  {
    title: 'REFUSED',
    reply: replyOf('x.example.org.', [a('x.example.org.', 30, 1, 2, 3, 4)], [], [], 0x8185),
    ttl: 5,
    stored: 'never',
  },
  {
    title: 'truncated',
    reply: replyOf('x.example.org.', [a('x.example.org.', 30, 1, 2, 3, 4)], [], [], 0x8380),
    ttl: 30,
    stored: 'never',
  },
  {
    title: 'CNAME chain to the type',
    reply: replyOf('x.example.org.', [
      cname('x.example.org.', 100, 'y.example.org.'),
      cname('Y.example.org.', 20, 'z.example.org.'),
      a('z.example.org.', 300, 1, 2, 3, 4),
    ]),
    ttl: 20,
    stored: 'success',
  },
  {
    title: 'CNAME chain in any order',
    reply: replyOf('x.example.org.', [
      a('z.example.org.', 300, 1, 2, 3, 4),
      cname('y.example.org.', 20, 'Z.EXAMPLE.org.'),
      cname('x.example.org.', 100, 'y.example.org.'),
    ]),
    ttl: 20,
    stored: 'success',
  },
  {
    title: 'CNAME that leads nowhere, no SOA',
    reply: replyOf('x.example.org.', [cname('x.example.org.', 30, 'elsewhere.net.')]),
    ttl: 30,
    stored: 'never',
  },
  {
    title: 'CNAME that leads nowhere, with SOA',
    reply: replyOf('x.example.org.', [cname('x.example.org.', 30, 'elsewhere.net.')], [SOA]),
    ttl: 30,
    stored: 'denial',
  },
  {
    title: 'CNAME loop',
    reply: replyOf('x.example.org.', [
      cname('x.example.org.', 30, 'y.example.org.'),
      cname('y.example.org.', 30, 'x.example.org.'),
    ]),
    ttl: 30,
    stored: 'never',
  },
  {
    title: 'two CNAMEs of one owner',
    reply: replyOf('x.example.org.', [
      cname('x.example.org.', 30, 'y.example.org.'),
      cname('x.example.org.', 30, 'z.example.org.'),
      a('z.example.org.', 30, 1, 2, 3, 4),
    ]),
    ttl: 30,
    stored: 'never',
  },
  {
    title: 'the same CNAME twice',
    reply: replyOf('x.example.org.', [
      cname('x.example.org.', 30, 'y.example.org.'),
      cname('x.example.org.', 30, 'Y.example.org.'),
      a('y.example.org.', 30, 1, 2, 3, 4),
    ]),
    ttl: 30,
    stored: 'success',
  },
  {
    title: 'answer of another owner',
    reply: replyOf('x.example.org.', [a('other.example.org.', 30, 1, 2, 3, 4)]),
    ttl: 30,
    stored: 'never',
  },
  {
    title: 'answer of another class',
    reply: replyOf('x.example.org.', [{ ...a('x.example.org.', 30, 1, 2, 3, 4), class: 3 }]),
    ttl: 30,
    stored: 'never',
  },
  {
    title: 'ANY at the qname',
    reply: { ...replyOf('x.example.org.', [txt('x.example.org.', 30, 'a')]), type: 255 },
    type: 255,
    ttl: 30,
    stored: 'success',
  },
  {
    title: 'CNAME asked for',
    reply: { ...replyOf('x.example.org.', [cname('x.example.org.', 30, 'y.example.org.')]), type: 5 },
    type: 5,
    ttl: 30,
    stored: 'success',
  },
  {
    title: 'AXFR',
    reply: { ...replyOf('x.example.org.', [soa('x.example.org.', 600)]), type: 252 },
    type: 252,
    ttl: 5,
    stored: 'never',
  },
  { title: 'IXFR', reply: { ...replyOf('x.example.org.', [], [SOA]), type: 251 }, type: 251, ttl: 5, stored: 'never' },
  {
    title: 'NOTIFY',
    reply: replyOf('x.example.org.', [a('x.example.org.', 30, 1, 2, 3, 4)], [], [], 0xa180),
    ttl: 5,
    stored: 'never',
  },
];

for (const one of CASES) {
  test(`${one.title}: ${one.stored === 'never' ? 'not stored' : `stored as ${one.stored}`}, ${one.ttl} s`, () => {
    const step = client.engine.step({ cache: client.cache, servfail: 7 });
    const options = one.type === undefined ? {} : { type: one.type };
    const first = client.serve(step, 'x.example.org.', () => one.reply, options);
    assert.equal(first.hit, false);
    assert.equal(first.ttl, one.ttl);
    for (const rr of parseReply(first.octets).sections.flat()) assert.equal(rr.ttl, one.ttl);
    assert.deepEqual(
      [client.entries(SUCCESS), client.entries(DENIAL)],
      [one.stored === 'success' ? 1 : 0, one.stored === 'denial' ? 1 : 0],
    );
    const second = client.serve(step, 'X.Example.org.', () => one.reply, options);
    assert.equal(second.hit, one.stored !== 'never');
    if (second.hit) assert.equal(client.engine.exports.hitKind.value, one.stored === 'success' ? SUCCESS : DENIAL);
    assert.equal(client.engine.counter(layout.CACHE_REQUESTS), 2);
    assert.equal(client.engine.counter(layout.CACHE_MISSES), second.hit ? 1 : 2);
    assert.equal(client.engine.counter(layout.CACHE_HITS_SUCCESS), one.stored === 'success' ? 1 : 0);
    assert.equal(client.engine.counter(layout.CACHE_HITS_DENIAL), one.stored === 'denial' ? 1 : 0);
  });
}

test('SERVFAIL with servfail 0 is not stored and shows TTL 0', () => {
  const step = client.engine.step({ cache: client.cache, servfail: 0 });
  const bad = replyOf('x.example.org.', [], [SOA], [], 0x8182);
  assert.equal(client.serve(step, 'x.example.org.', () => bad).ttl, 0);
  assert.equal(client.serve(step, 'x.example.org.', () => bad).hit, false);
});

test('TTL 0 with minimum 0 is passed on and not stored', () => {
  const step = client.engine.step({ cache: client.cache, success: [0, 300] });
  const zero = replyOf('x.example.org.', [a('x.example.org.', 0, 1, 2, 3, 4)]);
  assert.equal(client.serve(step, 'x.example.org.', () => zero).ttl, 0);
  assert.equal(client.serve(step, 'x.example.org.', () => zero).hit, false);
});

test('a cached SERVFAIL does not hide a usable answer; NXDOMAIN does', () => {
  const name = 'x.example.org.';
  const step = client.engine.step({ cache: client.cache, servfail: 30 });
  const good = replyOf(name, [a(name, 300, 1, 2, 3, 4)]);
  for (const [bad, kind] of [
    [replyOf(name, [], [], [], 0x8182), SUCCESS],
    [replyOf(name, [], [SOA], [], 0x8183), DENIAL],
  ] as const) {
    client.engine.ask(name, { tcp: true });
    for (const one of [good, bad]) {
      assert.equal(client.engine.take(composeReply(one, 'standard')), IMAGE_OK);
      client.engine.exports.cacheStore(step);
    }
    assert.ok(client.engine.exports.cacheLookup(step));
    assert.equal(client.engine.exports.hitKind.value, kind);
    const rcode = (client.engine.view.getUint16(client.engine.imageAt + 10, true) & 15) as number;
    assert.equal(rcode, kind === SUCCESS ? 0 : 3);
  }
  client.engine.setNow(1_000_000 + 299_999);
  assert.ok(client.engine.exports.cacheLookup(step));
});

test('expired RRSIGs count if the reply has DO', () => {
  const name = 'x.example.org.';
  const now = 1_800_000_000;
  client.engine.view.setUint32(client.engine.area + layout.SHARD_UNIX_SECONDS, now, true);
  const step = client.engine.step({ cache: client.cache });
  const signature = (inception: number, expiration: number): Rr => {
    const words = [1, expiration, inception].flatMap((word) => [
      word >>> 24,
      (word >>> 16) & 255,
      (word >>> 8) & 255,
      word & 255,
    ]);
    return {
      name,
      type: 46,
      class: 1,
      ttl: 30,
      rdata: [[0, 1, 8, 2, ...words, 0, 1], { name: 'example.org.', pointer: false }, [1, 2, 3]],
    };
  };
  const signed = (inception: number, expiration: number, isDo: boolean): Reply => ({
    ...replyOf(name, [a(name, 30, 1, 2, 3, 4), signature(inception, expiration)]),
    opt: optRecord(1232, isDo ? 0x8000 : 0, new Uint8Array()),
  });
  const lives = (one: Reply): boolean => {
    client.engine.ask(name, { edns: 1232, isDo: true });
    assert.equal(client.engine.take(composeReply(one, 'standard')), IMAGE_OK);
    const before = client.entries(SUCCESS);
    client.engine.exports.cacheStore(step);
    return client.entries(SUCCESS) > before;
  };
  assert.equal(lives(signed(now - 100, now - 1, true)), false);
  assert.equal(lives(signed(now + 1, now + 100, true)), false);
  assert.equal(lives(signed(now - 100, now - 1, false)), true);
  client = new CacheClient(module, 1024, 1024, client.engine.memory);
  const fresh = client.engine.step({ cache: client.cache });
  assert.equal(fresh, step);
  assert.equal(lives(signed(now, now, true)), true);
});
