// A million mutated datagrams through serve(), in batches as the shard calls it: no trap, an end, nothing written
// outside the slots, every reply a message.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import dnsPacket from 'dns-packet';
import * as layout from '../../engine-as/shared/layout.ts';
import { parseMessage } from '../../host/dns/message.ts';
import { composeName } from '../../host/dns/name.ts';
import type { FastRule, RecordStore } from '../../host/plugin/contract.ts';
import { fillDemo } from './demo-records.ts';
import { cacheStep, EngineWorld, recordsStep } from './world.ts';

/** One reply in this many is parsed in full; all are checked for length, id and QR. */
const PARSE_EVERY = 16;

test('1,000,000 mutated datagrams', () => {
  const world = new EngineWorld();
  const store = fillDemo(world);
  const cache = world.createCache(1024, 1024);
  world.load(['.', 'empty.org.'], (steps) => {
    steps.count('errors');
    steps.log([{ scope: '.', classes: ['success', 'denial', 'error'] }]);
    steps.rotate({ policy: 'round_robin' });
    steps.cache(cacheStep(cache));
    steps.records(recordsStep(store, ['cluster.local.', 'in-addr.arpa.'], { fallthrough: ['in-addr.arpa.'] }));
    steps.whoami();
  });
  fuzz(world, 1_000_000);
});

for (const policy of ['weighted', 'prefer'] as const) {
  test(`60,000 mutated datagrams for a hosts file behind a cache and loadbalance ${policy}`, () => {
    const world = new EngineWorld();
    const cache = world.createCache(1024, 1024);
    const weights = world.createRecords();
    const weight = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 2, 200);
    weights.put(composeName('web.demo.svc.cluster.local.'), [{ type: 'TXT', rdata: [weight] }]);
    const subnets = [{ octets: Uint8Array.of(10, 0, 0, 2), prefixBits: 31 }];
    const hosts = { ...HOSTS_STEP, address: fillHosts(world).address };
    world.load(['.', 'empty.org.'], (steps) => {
      steps.rotate(policy === 'weighted' ? { policy, address: weights.address } : { policy, subnets });
      steps.cache(cacheStep(cache, { disableSuccess: ['svc.cluster.local.'], disableDenial: ['svc.cluster.local.'] }));
      steps.hosts(hosts);
      steps.whoami();
    });
    fuzz(world, 60_000);
  });
}

test('200,000 mutated datagrams through rules', () => {
  const world = new EngineWorld();
  const store = fillDemo(world);
  const cache = world.createCache(1024, 1024);
  world.load(['.', 'empty.org.'], (steps) => {
    steps.log([{ scope: '.', classes: ['success', 'denial', 'error'] }]);
    steps.rotate({ policy: 'round_robin' });
    steps.rewrite(RULES);
    steps.cache(cacheStep(cache, { disableSuccess: ['demo.svc.cluster.local.'] }));
    steps.records(recordsStep(store, ['cluster.local.', 'in-addr.arpa.'], { fallthrough: ['in-addr.arpa.'] }));
    steps.whoami();
  });
  fuzz(world, 200_000);
});

/** Names that become longer and shorter, labels cut and joined, rules that leave much for the reply. */
const RULES: readonly FastRule[] = [
  { kind: 'type', from: 255, to: 1, isLast: false },
  { kind: 'class', from: 3, to: 1, isLast: false },
  { kind: 'slow', test: { how: 'substring', from: 'dns-version' }, isLast: true },
  { kind: 'ttl', test: { how: 'substring', from: 'demo.' }, minSeconds: 7, maxSeconds: 9, isLast: false },
  { kind: 'rcode', test: { how: 'suffix', from: 'local.' }, from: 3, to: 0, isLast: false },
  { kind: 'name', test: { how: 'prefix', from: 'db.' }, to: 'web.', isAuto: true, isLast: false },
  {
    kind: 'name',
    test: { how: 'substring', from: 'o.' },
    to: `o.${'long-label.'.repeat(12)}`,
    isAuto: true,
    isLast: false,
  },
  { kind: 'name', test: { how: 'substring', from: 'long-label.' }, to: '', isAuto: true, isLast: false },
  { kind: 'name', test: { how: 'exact', from: '80.0.96.10.in-addr.arpa.' }, to: '.', isAuto: true, isLast: true },
  { kind: 'name', test: { how: 'suffix', from: 'ample.org.' }, to: 'ternal.', isAuto: true, isLast: true },
  { kind: 'name', test: { how: 'suffix', from: 'l.' }, to: 'l.', isAuto: true, isLast: false },
];

const HOSTS_STEP = { zones: ['local.', 'org.'], ttl: 60, fallthrough: ['org.'], fallthroughUnsupported: true };

/** Some of the seeds' names, a wildcard, reverse names. */
function fillHosts(world: EngineWorld): RecordStore {
  const store = world.createRecords();
  const addresses = [1, 2, 3].map((octet) => Uint8Array.of(10, 0, 0, octet));
  for (const name of [
    'web.demo.svc.cluster.local.',
    '*.demo.svc.cluster.local.',
    'cluster.local.',
    'www.example.org.',
  ]) {
    store.put(composeName(name), [
      { type: 'A', addresses },
      { type: 'AAAA', addresses: [new Uint8Array(16), new Uint8Array(16).fill(1)] },
    ]);
  }
  const names = ['a.example.org.', 'b.example.org.'].map((name) => ({ wire: composeName(name), relative: false }));
  store.put(Uint8Array.of(layout.REVERSE_KEY, 10, 96, 0, 80), [{ type: 'PTR', names }]);
  return store;
}

function fuzz(world: EngineWorld, datagrams: number): void {
  const rounds = Math.ceil(datagrams / layout.BATCH);
  const seeds = seedMessages();
  const random = generator(20261123);
  const guard = new Guard(world);
  const { engine, area } = world;
  const listener = world.program!.listeners[0]!;
  let octets = world.octets;
  let served = 0;
  let replies = 0;
  for (let round = 0; round < rounds; round++) {
    if (octets.buffer !== world.memory.buffer) octets = world.octets;
    for (let i = 0; i < layout.BATCH; i++) placeDatagram(world, octets, i, mutate(seeds, random));
    engine.serve(area, listener, layout.BATCH);
    engine.settle(area, 1);
    world.view.setUint32(area + layout.SHARD_LOG_COUNT, 0, true);
    served += layout.BATCH;
    const sends = world.view.getUint32(area + layout.SHARD_SEND_COUNT, true);
    const handoffs = world.view.getUint32(area + layout.SHARD_HANDOFF_COUNT, true);
    assert.ok(sends + handoffs <= layout.BATCH);
    for (let k = 0; k < sends; k++) checkReply(world, octets, k, (replies + k) % PARSE_EVERY === 0);
    replies += sends;
    if (round % 512 === 0) guard.check();
  }
  guard.check();
  assert.ok(served >= datagrams);
  assert.ok(replies > datagrams / 4, `only ${replies} replies: the mutations are too wild to test anything`);
}

/** Octets between and around the slots that serve() must never touch. */
class Guard {
  readonly #world: EngineWorld;
  readonly #gaps: [number, number][];

  constructor(world: EngineWorld) {
    this.#world = world;
    const { area } = world;
    const slotGaps = Array.from({ length: layout.BATCH }, (_, i): [number, number] => {
      const end = area + layout.RECEIVE_SLOTS + i * layout.RECEIVE_STRIDE + layout.RECEIVE_BYTES;
      return [end + 8, layout.RECEIVE_STRIDE - layout.RECEIVE_BYTES - 8];
    });
    const large: [number, number] = [area + layout.LARGE_IN, 65536];
    const upstream: [number, number] = [area + layout.UPSTREAM_SLOTS, layout.BATCH * layout.UPSTREAM_STRIDE];
    const unused: [number, number] = [area + layout.SLOTS + 4096 * 8, 8192];
    const rules = area + layout.REWRITE_SCRATCH;
    const texts: [number, number] = [rules + layout.REWRITE_TEXTS + layout.REWRITE_TEXTS_BYTES, 2048];
    const exchanges: [number, number] = [area + layout.EXCHANGES, 8192];
    this.#gaps = [...slotGaps, large, upstream, unused, texts, exchanges];
    for (const [at, bytes] of this.#gaps) world.octets.fill(0xa5, at, at + bytes);
  }

  check(): void {
    const { octets } = this.#world;
    for (const [at, bytes] of this.#gaps) {
      for (let i = at; i < at + bytes; i++)
        if (octets[i] !== 0xa5) assert.fail(`octet ${i} outside the slots was written`);
    }
  }
}

function placeDatagram(world: EngineWorld, octets: Uint8Array, index: number, message: Uint8Array): void {
  const { area, view } = { area: world.area, view: world.view };
  const bytes = Math.min(message.length, layout.RECEIVE_BYTES);
  octets.set(message.subarray(0, bytes), area + layout.RECEIVE_SLOTS + index * layout.RECEIVE_STRIDE);
  view.setUint32(area + layout.RECEIVE_HEADERS + index * layout.MMSGHDR_STRIDE + layout.MMSGHDR_LEN, bytes, true);
  octets.set([2, 0, 0x12, 0x67, 127, 0, 0, 1], area + layout.RECEIVE_NAMES + index * layout.SOCKADDR_STRIDE);
}

function checkReply(world: EngineWorld, octets: Uint8Array, index: number, isParsed: boolean): void {
  const vector = world.area + layout.SEND_IOVECS + index * layout.IOVEC_STRIDE;
  const at = Number(world.view.getBigUint64(vector, true));
  const bytes = Number(world.view.getBigUint64(vector + 8, true));
  assert.ok(bytes >= 12 && bytes <= layout.SEND_BYTES_MAX, `a reply of ${bytes} octets`);
  const first = world.area + layout.SEND_SLOTS;
  assert.ok(at >= first && at + bytes <= first + layout.BATCH * layout.SEND_BYTES_MAX, 'outside of the send slots');
  if (index > 0) {
    const before = vector - layout.IOVEC_STRIDE;
    const end = Number(world.view.getBigUint64(before, true)) + Number(world.view.getBigUint64(before + 8, true));
    assert.ok(at >= end, 'overlaps the reply before it');
  }
  const header = world.area + layout.SEND_HEADERS + index * layout.MMSGHDR_STRIDE;
  const name = Number(world.view.getBigUint64(header + layout.MMSGHDR_NAME, true));
  const slot = (name - world.area - layout.RECEIVE_NAMES) / layout.SOCKADDR_STRIDE;
  assert.ok(Number.isInteger(slot) && slot >= 0 && slot < layout.BATCH);
  const question = world.area + layout.RECEIVE_SLOTS + slot * layout.RECEIVE_STRIDE;
  assert.equal(octets[at], octets[question]);
  assert.equal(octets[at + 1], octets[question + 1]);
  assert.ok(octets[at + 2]! & 0x80, 'QR');
  if (isParsed) parseMessage(octets.slice(at, at + bytes));
}

function seedMessages(): Uint8Array[] {
  const names = [
    'web.demo.svc.cluster.local',
    'db.demo.svc.cluster.local',
    '_http._tcp.web.demo.svc.cluster.local',
    'cluster.local',
    '10-9-8-7.demo.pod.cluster.local',
    '2001-db8--1.demo.pod.cluster.local',
    'ext-in.demo.svc.cluster.local',
    '80.0.96.10.in-addr.arpa',
    'www.example.org',
    'x.empty.org',
    'dns-version.cluster.local',
    '',
  ];
  const types = ['A', 'AAAA', 'SRV', 'PTR', 'TXT', 'SOA', 'NS', 'MX', 'ANY', 'DS'] as const;
  const messages: Uint8Array[] = [];
  for (const name of names) {
    for (const type of types) {
      const query = { type: 'query', id: 0x1234, flags: 0x100, questions: [{ name, type, class: 'IN' }] } as const;
      messages.push(dnsPacket.encode(query as unknown as dnsPacket.Packet));
      const opt = {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 1232,
        flags: 0x8000,
        options: [
          { code: 'COOKIE', data: Buffer.alloc(8, 7) },
          { code: 'PADDING', length: 20 },
        ],
      };
      messages.push(dnsPacket.encode({ ...query, additionals: [opt] } as unknown as dnsPacket.Packet));
    }
  }
  return messages;
}

type Random = () => number;

/** mulberry32: numbers below 2^32 from a seed. */
function generator(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

function mutate(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  let message = Uint8Array.from(seeds[random() % seeds.length]!);
  const changes = random() % 5;
  for (let i = 0; i < changes; i++) {
    const at = random() % message.length;
    const kind = random() % 8;
    if (kind === 0) message = message.slice(0, Math.max(1, at));
    else if (kind === 1)
      message = Uint8Array.from([...message.subarray(0, at), random() & 255, ...message.subarray(at)]);
    else if (kind === 2) message = Uint8Array.from([...message, ...message.subarray(at)]);
    else if (kind === 3) message[at] = [0, 0xc0, 0x3f, 0x40, 0xff, 0x0c, 1, 41][random() & 7]!;
    else if (kind === 4) message[at] = message[at]! ^ 0x20;
    else message[at] = random() & 255;
  }
  if (message.length > 3 && random() % 3) message[2] = message[2]! & 0x7f;
  return message;
}
