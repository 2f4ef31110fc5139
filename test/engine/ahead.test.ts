// Looking ahead (engine-as/ahead.ts) begins with large name tables. Whatever a batch holds, a large cluster answers as a
// small one does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as layout from '../../engine-as/shared/layout.ts';
import { composeName } from '../../host/dns/name.ts';
import type { FastRule } from '../../host/plugin/contract.ts';
import { fillDemo, ipv4, keyOf } from './demo-records.ts';
import { cacheStep, EngineWorld, recordsStep } from './world.ts';

/** The smallest table that is worth looking ahead in. */
const ENTRIES = 65536;
const FILLERS = 30_000;
const BATCHES = 600;

const NAMES = [
  ...['web', 'old', 'db', 'db-1.db', 'ext-in', 'ext', 'loop-a', 'missing', 'a.b.c.d.e.f.web'],
  ...['_http._tcp.web', 'http.tcp.web', '_._tcp.web', '_http._udp.web', '_http.web', '_h._t._x.web', '__http._tcp.web'],
]
  .map((name) => `${name}.demo.svc.cluster.local.`)
  .concat(['cluster.local.', 'svc.cluster.local.', '10-1-2-3.demo.pod.cluster.local.', 'notcluster.local.', 'local.'])
  .concat(['80.0.96.10.in-addr.arpa.', 'www.example.org.', '.', `${'long-label.'.repeat(18)}cluster.local.`])
  .concat(['web.old.', 'dns-version.cluster.local.', '_.cluster.local.', '_a.cluster.local.', '_a._b.cluster.local.']);
const TYPES = [1, 28, 33, 12, 16, 6, 255, 65];

/** The question changes after its name was looked at; `old` and `web` are of one length. */
const RULES: readonly FastRule[] = [
  { kind: 'name', test: { how: 'suffix', from: '.old.' }, to: '.demo.svc.cluster.local.', isAuto: true, isLast: true },
  {
    kind: 'name',
    test: { how: 'exact', from: 'old.demo.svc.cluster.local.' },
    to: 'web.demo.svc.cluster.local.',
    isAuto: false,
    isLast: true,
  },
];

function buildWorld(fillers: number): EngineWorld {
  const world = new EngineWorld();
  const store = fillDemo(world);
  for (let i = 0; i < fillers; i++)
    store.put(keyOf(`filler-${i}.demo.svc`), [{ type: 'A', addresses: [ipv4('10.0.0.1')] }]);
  const cache = world.createCache(64, 64);
  world.load(['.'], (steps) => {
    steps.cache(cacheStep(cache));
    steps.rewrite(RULES);
    steps.records(recordsStep(store, ['cluster.local.', 'in-addr.arpa.'], { fallthrough: ['in-addr.arpa.'] }));
    steps.relay({ zone: '.', except: [] });
  });
  return world;
}

/** Replies and handoffs of one batch, as text. */
function serve(world: EngineWorld, messages: readonly Uint8Array[]): string[] {
  const { area, engine, octets, view } = world;
  messages.forEach((message, i) => {
    octets.fill(
      0xee,
      area + layout.RECEIVE_SLOTS + i * layout.RECEIVE_STRIDE,
      area + layout.RECEIVE_SLOTS + (i + 1) * layout.RECEIVE_STRIDE,
    );
    octets.set(message, area + layout.RECEIVE_SLOTS + i * layout.RECEIVE_STRIDE);
    view.setUint32(
      area + layout.RECEIVE_HEADERS + i * layout.MMSGHDR_STRIDE + layout.MMSGHDR_LEN,
      message.length,
      true,
    );
    octets.set([2, 0, 0x12, 0x67, 127, 0, 0, 1], area + layout.RECEIVE_NAMES + i * layout.SOCKADDR_STRIDE);
  });
  engine.serve(area, world.program!.listeners[0]!, messages.length);
  const found: string[] = [];
  for (let k = 0; k < view.getUint32(area + layout.SHARD_SEND_COUNT, true); k++) {
    const vector = area + layout.SEND_IOVECS + k * layout.IOVEC_STRIDE;
    const at = Number(view.getBigUint64(vector, true));
    found.push(Buffer.from(octets.slice(at, at + Number(view.getBigUint64(vector + 8, true)))).toString('hex'));
  }
  for (let k = 0; k < view.getUint32(area + layout.SHARD_HANDOFF_COUNT, true); k++) {
    const handoff = area + layout.HANDOFFS + k * layout.HANDOFF_STRIDE;
    const word = (offset: number): number => view.getUint32(handoff + offset, true);
    found.push(`left ${word(layout.HANDOFF_INDEX)} ${word(layout.HANDOFF_OUTCOME)} ${word(layout.HANDOFF_STEP)}`);
  }
  return found;
}

function generator(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

function question(random: (bound: number) => number): Uint8Array {
  const name = composeName(NAMES[random(NAMES.length)]!);
  // Letters of any case; a label's length is no letter
  for (let i = 0; i < name.length; i++) if (name[i]! >= 97 && random(8) === 0) name[i] = name[i]! - 32;
  const type = TYPES[random(TYPES.length)]!;
  const octets = [random(256), random(256), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, type >> 8, type & 255, 0, 1];
  const message = Uint8Array.from(octets);
  const mischief = random(10);
  if (mischief === 0) return message.subarray(0, random(message.length));
  if (mischief === 1) message[random(message.length)] = random(256);
  // The name is a pointer to itself further on, or into the header
  if (mischief === 2) return Uint8Array.from([...octets.slice(0, 12), 0xc0, 18, 0, 1, 0, 1, ...name]);
  return message;
}

test(`the answers of ${FILLERS} owners more are the same, octet by octet`, () => {
  const [large, small] = [buildWorld(FILLERS), buildWorld(0)];
  const entries = (world: EngineWorld): number => {
    const table = world.view.getUint32(layout.CONTROL_TABLE, true);
    return world.view.getUint32(table + layout.TABLE_MASK, true) + 1;
  };
  assert.ok(entries(large) >= ENTRIES && entries(small) < ENTRIES, `${entries(large)} and ${entries(small)} entries`);
  const random = generator(20261124);
  const rcodes = new Set<string>();
  for (let batch = 0; batch < BATCHES; batch++) {
    const messages = Array.from({ length: 1 + random(layout.BATCH) }, () => question(random));
    const expected = serve(small, messages);
    assert.deepEqual(
      serve(large, messages),
      expected,
      messages.map((one) => Buffer.from(one).toString('hex')).join('\n'),
    );
    for (const one of expected) rcodes.add(one.startsWith('left') ? 'left' : one.slice(7, 8));
  }
  assert.ok(rcodes.has('0') && rcodes.has('3') && rcodes.has('left'), [...rcodes].join());
});
