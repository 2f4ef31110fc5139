import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import * as layout from '../../engine-as/shared/layout.ts';
import { CacheClient } from './cache-client.ts';
import { compileEngine, DENIAL, SUCCESS } from './image-engine.ts';
import { a, cname, type Reply, replyOf, txt } from './image-messages.ts';
import { parseReply } from './image-reader.ts';

const module = compileEngine();
let client = new CacheClient(module, 9984);
beforeEach(() => {
  client = new CacheClient(module, 9984);
});

test('a shard whose milliseconds belong to another clock ages entries by whole seconds', () => {
  const step = client.engine.step({ cache: client.cache });
  const good = replyOf('x.example.org.', [a('x.example.org.', 10, 1, 2, 3, 4)]);
  client.serve(step, 'x.example.org.', () => good);
  client.engine.setNow(1_003_999);
  assert.equal(client.serve(step, 'x.example.org.', () => good).ttl, 7);
  client.engine.view.setFloat64(client.engine.area + layout.SHARD_NOW_MS, 55, true);
  client.engine.view.setUint32(client.engine.area + layout.SHARD_NOW_SECONDS, 1004, true);
  assert.equal(client.serve(step, 'x.example.org.', () => good).ttl, 6);
  client.engine.setNow(999_000);
  assert.equal(client.serve(step, 'x.example.org.', () => good).ttl, 10, 'a clock a little behind the one that stored');
});

test('bounded in entries: a full set gives up one entry for each new one', () => {
  for (const capacity of [1, 7, 1024, 9984, 20000]) {
    client = new CacheClient(module, capacity, 1024);
    const at = client.engine.step({ cache: client.cache });
    const before = client.engine.counter(layout.CACHE_EVICTIONS_SUCCESS);
    const count = Math.max(2000, capacity * 3);
    for (let i = 0; i < count; i++) {
      const name = `n${i}.example.org.`;
      assert.equal(
        client.serve(at, name, () => replyOf(name, [a(name, 300, 10, i >> 16, i >> 8, i & 255)])).hit,
        false,
      );
    }
    const entries = client.entries(SUCCESS);
    assert.ok(entries <= capacity, `${entries} of ${capacity}`);
    assert.ok(entries > capacity * 0.9, `${entries} of ${capacity}`);
    assert.equal(client.engine.counter(layout.CACHE_EVICTIONS_SUCCESS) - before, count - entries);
    assert.equal(client.entries(DENIAL), 0);
    let hits = 0;
    for (let i = 0; i < count; i++) {
      client.engine.ask(`n${i}.example.org.`);
      if (!client.engine.exports.cacheLookup(at)) continue;
      hits++;
      const [rr] = parseReply(client.engine.emit() ?? new Uint8Array()).sections[0] ?? [];
      assert.deepEqual(rr?.rdata, [[10, i >> 16, (i >> 8) & 255, i & 255]]);
    }
    assert.equal(hits, entries);
  }
});

test('expired entries are the first to go', () => {
  client = new CacheClient(module, 4, 4);
  const at = client.engine.step({ cache: client.cache, success: [1, 3600] });
  const put = (name: string, ttl: number): boolean =>
    client.serve(at, name, () => replyOf(name, [a(name, ttl, 1, 2, 3, 4)])).hit;
  for (const name of ['a.', 'b.', 'c.']) put(name, 1000);
  put('old.', 1);
  client.engine.setNow(1_002_000);
  put('new.', 1000);
  for (const name of ['a.', 'b.', 'c.', 'new.']) assert.equal(put(name, 1), true, name);
});

test('bounded in octets: large answers push others out, and all blocks come back', () => {
  client = new CacheClient(module, 1024, 1024);
  const at = client.engine.step({ cache: client.cache });
  const large = (name: string): Reply => ({
    ...replyOf(name, [txt(name, 300, ...Array.from({ length: 200 }, () => 'x'.repeat(250)))]),
    type: 16,
  });
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 100; i++) {
      const name = `large${round}-${i}.`;
      assert.equal(client.serve(at, name, () => large(name), { type: 16 }).hit, false);
      // The newest answer is always there: 1 MiB holds some twenty of 50 KB.
      assert.equal(client.serve(at, name, () => large(name), { type: 16 }).hit, true);
    }
    const entries = client.entries(SUCCESS);
    assert.ok(entries >= 15 && entries <= 21, `${entries} entries of 50 KB in 1 MiB`);
  }
  for (let i = 0; i < 20000; i++) {
    const name = `small${i}.`;
    client.serve(at, name, () => replyOf(name, [a(name, 300, 1, 2, 3, 4)]));
  }
  assert.ok(client.entries(SUCCESS) > 900);
});

test('hits show AA, the client’s own bits and question', () => {
  const at = client.engine.step({ cache: client.cache });
  const name = 'www.example.org.';
  const first = client.serve(at, name, () => replyOf(name, [a(name, 30, 1, 2, 3, 4)], [], [], 0x81a0));
  assert.equal(parseReply(first.octets).flags, 0x8180);
  client.engine.setNow(1_002_100);
  const hit = client.serve(at, 'WWW.example.ORG.', () => replyOf(name, []), { flags: 0x0020 });
  const parsed = parseReply(hit.octets);
  assert.equal(parsed.flags, 0x84a0);
  assert.equal(parsed.question, 'WWW.example.ORG.');
  assert.deepEqual(parsed.sections[0], [a(name, 28, 1, 2, 3, 4)], 'its owner as it was stored');
});

test('an entry under a colliding hash is no hit: name, type, class, DO and CD are compared', () => {
  const at = client.engine.step({ cache: client.cache });
  const name = 'www.example.org.';
  client.serve(at, name, () => replyOf(name, [a(name, 30, 1, 2, 3, 4)]));
  const bitsOf = (isDo: boolean, cd: boolean): number => (isDo ? 0x100 : 0) | (cd ? 0x200 : 0);
  const slotsOf = (type: number, cls: number, isDo: boolean, cd: boolean): [number, number] => {
    const key = client.engine.exports.keyOf(client.engine.exports.nameHash.value, type * 65536 + cls, bitsOf(isDo, cd));
    return [client.engine.exports.setOf(client.cache, key), Number(BigInt.asUintN(64, key) >> 32n)];
  };
  client.engine.ask(name);
  const [set] = slotsOf(1, 1, false, false);
  const block = client.engine.view.getUint32(set, true);
  assert.ok(block);
  const others: [string, number, number, boolean, boolean][] = [
    ['www.example.net.', 1, 1, false, false],
    ['xww.example.org.', 1, 1, false, false],
    [name, 28, 1, false, false],
    [name, 1, 3, false, false],
    [name, 1, 1, true, false],
    [name, 1, 1, false, true],
  ];
  for (const [other, type, cls, isDo, cd] of others) {
    client.engine.ask(other, { type, class: cls, flags: cd ? 0x0110 : 0x0100, ...(isDo ? { edns: 1232, isDo } : {}) });
    const [forged, tag] = slotsOf(type, cls, isDo, cd);
    // The block also claims the other name's hash, so that only the octets of the name tell them apart.
    const blockAt = client.engine.view.getUint32(client.cache + 16, true) + block * 256;
    const hash = client.engine.view.getUint32(blockAt + 28, true);
    if (other !== name) client.engine.view.setUint32(blockAt + 28, client.engine.exports.nameHash.value, true);
    const last = forged + 38 * 8;
    client.engine.view.setUint32(last, block, true);
    client.engine.view.setUint32(last + 4, tag, true);
    assert.equal(client.engine.exports.cacheLookup(at), 0, `${other} ${type} ${cls} ${isDo} ${cd}`);
    client.engine.view.setBigUint64(last, 0n, true);
    client.engine.view.setUint32(blockAt + 28, hash, true);
  }
  client.engine.ask(name);
  assert.ok(client.engine.exports.cacheLookup(at));
});

test('bounded work: alias chains of more than 32, and replies with more than 64 aliases, are not stored', () => {
  const at = client.engine.step({ cache: client.cache });
  const isStored = (name: string, aliases: number, strays = 0): boolean => {
    const label = (i: number): string => (i === 0 ? name : `l${i}.${name}`);
    const chain = Array.from({ length: aliases }, (_, i) => cname(label(i), 300, label(i + 1)));
    const others = Array.from({ length: strays }, (_, i) => cname(`s${i}.${name}`, 300, 'x.'));
    const reply = replyOf(name, [...chain, a(label(aliases), 300, 1, 2, 3, 4), ...others]);
    client.serve(at, name, () => reply);
    return client.serve(at, name, () => reply).hit;
  };
  assert.deepEqual([isStored('a.', 31), isStored('b.', 34)], [true, false]);
  assert.deepEqual([isStored('c.', 1, 60), isStored('d.', 1, 64)], [true, false]);
});
