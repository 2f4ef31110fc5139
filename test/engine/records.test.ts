// Records against a slow, plain model: random clusters, random questions, equal meaning.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  OUTCOME_ANSWER,
  OUTCOME_RELAY,
  OUTCOME_SLOW,
  RCODE_NOERROR,
  RCODE_NXDOMAIN,
  TYPE_A,
  TYPE_AAAA,
  TYPE_CNAME,
  TYPE_PTR,
  TYPE_SOA,
  TYPE_SRV,
  TYPE_TXT,
} from '../../engine-as/shared/codes.ts';
import { OWNER_SETS, SET_STRIDE, SETS_DIRECTORY } from '../../engine-as/shared/layout.ts';
import { type Message, parseMessage, rcodeOf } from '../../host/dns/message.ts';
import { composeName } from '../../host/dns/name.ts';
import type { RecordSet, RecordStore } from '../../host/plugin/contract.ts';
import { rdataText } from '../dns/rdata-forms.ts';
import { ipv4, keyOf, reverseKey } from './demo-records.ts';
import { EngineWorld, recordsStep } from './world.ts';

const ZONE = 'cluster.local.';
const TYPES = [TYPE_A, TYPE_AAAA, TYPE_SRV, TYPE_PTR, TYPE_TXT, TYPE_SOA, TYPE_CNAME, 15, 255];
const RUNS = 150;

interface Service {
  readonly name: string;
  readonly namespace: string;
  readonly addresses: readonly string[];
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  /** ExternalName: another service's index, or undefined. */
  readonly alias: number | undefined;
}

const label = fc.constantFrom('a', 'web', 'db-0', 'x1', 'very-long-label-of-a-service-name', 'pod', 'svc');
const address = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 254 }))
  .map(([a, b]) => `10.9.${a}.${b}`);
const service: fc.Arbitrary<Service> = fc.record({
  name: label,
  namespace: fc.constantFrom('demo', 'kube-system'),
  addresses: fc.uniqueArray(address, { minLength: 1, maxLength: 5 }),
  ports: fc.uniqueArray(fc.record({ name: fc.constantFrom('http', 'dns'), port: fc.integer({ min: 1, max: 65535 }) }), {
    maxLength: 2,
    selector: (port) => port.name,
  }),
  alias: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined, freq: 4 }),
});
const cluster = fc.uniqueArray(service, { maxLength: 6, selector: (each) => `${each.name}.${each.namespace}` });

/** Answer section of the model: owner -> type -> presentation texts; an owner without types exists. */
type Model = Map<string, Map<number, string[]>>;

function serviceOwner(each: Service): string {
  return `${each.name}.${each.namespace}.svc`;
}

function modelOf(services: readonly Service[]): Model {
  const model: Model = new Map(['', 'svc', 'pod', 'demo.svc', 'demo.pod'].map((owner) => [owner, new Map()]));
  for (const each of services) {
    const owner = serviceOwner(each);
    if (each.alias !== undefined) {
      const target = services[each.alias] === undefined ? 'nowhere.demo.svc' : serviceOwner(services[each.alias]!);
      model.set(owner, new Map([[TYPE_CNAME, [`${target}.${ZONE}`]]]));
      continue;
    }
    const types = new Map([[TYPE_A, [...each.addresses]]]);
    model.set(owner, types);
    if (each.ports.length > 0)
      types.set(
        TYPE_SRV,
        each.ports.map(({ port }) => `0 50 ${port} ${owner}.${ZONE}`),
      );
    for (const { name, port } of each.ports) {
      const srv = [`0 100 ${port} ${owner}.${ZONE}`];
      model.set(
        `${name}.tcp.${owner}`,
        new Map([
          [TYPE_A, [...each.addresses]],
          [TYPE_SRV, srv],
        ]),
      );
    }
  }
  return model;
}

/** @param isText octets are given as strings, the store's other form. */
function fill(store: RecordStore, services: readonly Service[], isText: boolean): void {
  const form = (octets: Uint8Array) => (isText ? textOf(octets) : octets);
  for (const owner of ['', 'svc', 'pod', 'demo.svc', 'demo.pod']) store.put(form(keyOf(owner)), []);
  for (const each of services) {
    const key = form(keyOf(serviceOwner(each)));
    if (each.alias !== undefined) {
      const target = services[each.alias] === undefined ? 'nowhere.demo.svc' : serviceOwner(services[each.alias]!);
      const wire = composeName(`${target}.${ZONE}`);
      store.put(key, [{ type: 'CNAME', names: [{ wire: form(wire), relative: false }] }]);
      continue;
    }
    const octets = each.addresses.map(ipv4);
    const addresses = isText ? octets.map(textOf).join('') : octets;
    const sets: RecordSet[] = [{ type: 'A', addresses }];
    const records = each.ports.map(({ port }) => ({ priority: 0, weight: 50, port, target: 0 }));
    if (records.length > 0) sets.push({ type: 'SRV', records });
    const target = store.put(key, sets);
    for (const { name, port } of each.ports) {
      const named = [{ priority: 0, weight: 100, port, target }];
      store.put(form(keyOf(`${name}.tcp.${serviceOwner(each)}`)), [
        { type: 'A', addresses },
        { type: 'SRV', records: named },
      ]);
    }
  }
}

function textOf(octets: Uint8Array): string {
  return Buffer.from(octets).toString('latin1');
}

/** What the model expects: rcode and the answer section as a sorted list of `type text`. */
function expected(model: Model, owner: string, type: number): { rcode: number; answer: string[] } {
  const strip = owner.split('.').length === 5 ? owner.replace(/^_?([^.]+)\._?([^.]+)\./, '$1.$2.') : owner;
  const pod = /^(?:[^.]+\.){0,2}(\d+)-(\d+)-(\d+)-(\d+)\.demo\.pod$/.exec(owner);
  if (type === TYPE_SOA) return { rcode: RCODE_NOERROR, answer: owner === '' ? ['SOA'] : [] };
  if (pod?.slice(1).every((octet) => Number(octet) < 256)) {
    const answer = type === TYPE_A ? [`A ${pod.slice(1, 5).join('.')}`] : [];
    return { rcode: RCODE_NOERROR, answer: type === TYPE_SRV ? ['SRV'] : answer };
  }
  const types = model.get(strip);
  if (types === undefined) return { rcode: RCODE_NXDOMAIN, answer: [] };
  if (types.size === 0 && type === TYPE_TXT) return { rcode: RCODE_NXDOMAIN, answer: [] };
  return { rcode: RCODE_NOERROR, answer: answerOf(model, strip, types, type) };
}

function answerOf(model: Model, owner: string, types: Map<number, string[]>, type: number): string[] {
  const direct = types.get(type);
  if (direct !== undefined) return direct.map((text) => `${type} ${text}`).sort();
  if (type !== TYPE_A && type !== TYPE_AAAA) return [];
  const chain: string[] = [];
  const seen = new Set<string>();
  for (let at = owner; !seen.has(at); ) {
    seen.add(at);
    const alias = model.get(at)?.get(TYPE_CNAME)?.[0];
    const found = model.get(at)?.get(type);
    if (found !== undefined) return [...chain, ...found.map((text) => `${type} ${text}`)].sort();
    if (alias === undefined) return [];
    chain.push(`${TYPE_CNAME} ${alias}`);
    at = alias.slice(0, -ZONE.length - 1);
  }
  return [];
}

function questionOf(name: string, type: number): Uint8Array {
  return Uint8Array.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...composeName(name), type >> 8, type & 255, 0, 1]);
}

function answerTexts(message: Message): string[] {
  return message.answer.map((rr) => `${rr.type} ${rdataText(rr.type, rr.rdata)}`).sort();
}

const owner = fc.oneof(
  fc.constantFrom(
    '',
    'svc',
    'pod',
    'demo.svc',
    'demo.pod',
    'nons.svc',
    'x',
    '10-1-2-3.demo.pod',
    'x.10-1-2-3.demo.pod',
    '10-1-2-300.demo.pod',
  ),
  fc
    .tuple(label, fc.constantFrom('demo', 'kube-system', 'nons'))
    .map(([name, namespace]) => `${name}.${namespace}.svc`),
  fc
    .tuple(fc.constantFrom('_http', 'http', '_dns', '_nosuch'), fc.constantFrom('_tcp', 'tcp', '_udp'), label)
    .map(([port, proto, name]) => `${port}.${proto}.${name}.demo.svc`),
);
const spelling = fc.array(fc.boolean(), { minLength: 8, maxLength: 8 });

test('random clusters and questions: the engine and the plain model agree', () => {
  const property = fc.property(
    cluster,
    fc.array(fc.tuple(owner, fc.constantFrom(...TYPES), spelling), { minLength: 20, maxLength: 20 }),
    fc.boolean(),
    (services, questions, isText) => {
      const world = new EngineWorld();
      const store = world.createRecords();
      fill(store, services, isText);
      store.setSynced(true);
      world.load(['.'], (steps) => steps.records(recordsStep(store, [ZONE])));
      const model = modelOf(services);
      for (const [relative, type, cases] of questions) {
        const name = [...`${relative === '' ? '' : `${relative}.`}${ZONE}`]
          .map((c, i) => (cases[i % 8] ? c.toUpperCase() : c))
          .join('');
        const { outcome, reply } = world.ask(questionOf(name, type), { tcp: true });
        assert.equal(outcome, OUTCOME_ANSWER, `${name} ${type}`);
        const message = parseMessage(reply!);
        const want = expected(model, relative, type);
        assert.equal(rcodeOf(message), want.rcode, `${name} ${type}`);
        if (want.answer.length === 1 && !want.answer[0]!.includes(' ')) assert.equal(message.answer.length, 1);
        else
          assert.deepEqual(
            answerTexts(message).map((each) => each.toLowerCase()),
            want.answer.map((each) => each.replace(/^A /, '1 ')),
            `${name} ${type}`,
          );
        assert.equal(message.authority.length, message.answer.length === 0 ? 1 : 0);
      }
    },
  );
  fc.assert(property, { numRuns: RUNS });
});

test('updates and removals leave nothing behind, and memory is used again', () => {
  const world = new EngineWorld();
  const store = world.createRecords();
  store.setSynced(true);
  world.load(['.'], (steps) => steps.records(recordsStep(store, [ZONE])));
  const used: number[] = [];
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 500; i++)
      store.put(keyOf(`s${i}.demo.svc`), [{ type: 'A', addresses: [ipv4(`10.0.${round}.${i % 250}`)] }]);
    for (let i = 0; i < 500; i += 2) store.remove(keyOf(`s${i}.demo.svc`));
    for (let i = 0; i < 4; i++) {
      world.engine.quiesce(0);
      world.engine.arenaReclaim();
    }
    used.push(store.usage().bytes);
    const kept = parseMessage(world.ask(questionOf(`s1.demo.svc.${ZONE}`, TYPE_A)).reply!);
    assert.deepEqual(answerTexts(kept), [`1 10.0.${round}.1`]);
    const gone = parseMessage(world.ask(questionOf(`s2.demo.svc.${ZONE}`, TYPE_A)).reply!);
    assert.equal(rcodeOf(gone), RCODE_NXDOMAIN);
  }
  assert.equal(store.usage().owners, 250);
  assert.equal(used.at(-1), used[10], 'bytes in use do not grow with the number of changes');
});

test('a reader that has not passed the epoch keeps what it reads', () => {
  const world = new EngineWorld();
  const store = world.createRecords();
  world.engine.quiesce(0);
  store.put(keyOf('a.demo.svc'), [{ type: 'A', addresses: [ipv4('10.0.0.1')] }]);
  store.put(keyOf('a.demo.svc'), [{ type: 'A', addresses: [ipv4('10.0.0.2')] }]);
  const before = store.usage().bytes;
  world.engine.arenaReclaim();
  world.engine.arenaReclaim();
  assert.equal(store.usage().bytes, before, 'nothing is freed while shard 0 stands still');
  world.engine.quiesce(0);
  world.engine.arenaReclaim();
  assert.ok(store.usage().bytes < before);
});

test('reverse names, fallthrough and an unsynced store', () => {
  const world = new EngineWorld();
  const store = world.createRecords();
  const target = { wire: composeName('web.demo.svc.cluster.local.'), relative: false };
  store.put(reverseKey(ipv4('10.96.0.80')), [{ type: 'PTR', names: [target] }]);
  const reverse = recordsStep(store, [ZONE, 'in-addr.arpa.'], { fallthrough: ['in-addr.arpa.'] });
  world.load(['.'], (steps) => {
    steps.records(reverse);
    steps.anyClass();
    steps.relay({ zone: '.', except: [] });
  });
  const found = parseMessage(world.ask(questionOf('80.0.96.10.in-addr.arpa.', TYPE_PTR)).reply!);
  assert.deepEqual(answerTexts(found), [`${TYPE_PTR} web.demo.svc.cluster.local.`]);
  assert.equal(world.ask(questionOf('81.0.96.10.in-addr.arpa.', TYPE_PTR)).outcome, OUTCOME_RELAY);
  const unsynced = parseMessage(world.ask(questionOf(`nosuch.demo.svc.${ZONE}`, TYPE_A)).reply!);
  assert.equal(rcodeOf(unsynced), 2);
  assert.equal(unsynced.authority[0]!.type, TYPE_SOA);
  store.setSynced(true);
  assert.equal(rcodeOf(parseMessage(world.ask(questionOf(`nosuch.demo.svc.${ZONE}`, TYPE_A)).reply!)), RCODE_NXDOMAIN);
});

test('an alias that leaves the zone goes to the slow face, and so does the forced program', () => {
  const world = new EngineWorld();
  const store = world.createRecords();
  store.put(keyOf('ext.demo.svc'), [
    { type: 'CNAME', names: [{ wire: composeName('www.example.org.'), relative: false }] },
  ]);
  world.load(['.'], (steps) => steps.records(recordsStep(store, [ZONE])));
  assert.equal(world.ask(questionOf(`ext.demo.svc.${ZONE}`, TYPE_A)).outcome, OUTCOME_SLOW);
  assert.equal(world.ask(questionOf(`ext.demo.svc.${ZONE}`, TYPE_CNAME)).outcome, OUTCOME_ANSWER);
  world.load(['.'], (steps) => steps.records(recordsStep(store, [ZONE])), true);
  assert.equal(world.ask(questionOf(`ext.demo.svc.${ZONE}`, TYPE_CNAME)).outcome, OUTCOME_SLOW);
});

test('5 addresses come in every order, and a truncated choice is a random one', () => {
  const world = new EngineWorld();
  const store = world.createRecords();
  store.put(keyOf('few.demo.svc'), [{ type: 'A', addresses: [1, 2, 3].map((i) => ipv4(`10.0.0.${i}`)) }]);
  store.put(keyOf('many.demo.svc'), [
    { type: 'A', addresses: Array.from({ length: 200 }, (_, i) => ipv4(`10.0.1.${i}`)) },
  ]);
  world.load(['.'], (steps) => {
    steps.rotate({ policy: 'round_robin' });
    steps.records(recordsStep(store, [ZONE]));
  });
  const orders = new Set<string>();
  const first = new Set<string>();
  for (let i = 0; i < 400; i++) {
    const few = parseMessage(world.ask(questionOf(`few.demo.svc.${ZONE}`, TYPE_A)).reply!);
    orders.add(few.answer.map((rr) => rr.rdata[3]).join());
    const many = parseMessage(world.ask(questionOf(`many.demo.svc.${ZONE}`, TYPE_A)).reply!);
    assert.ok(many.flags & 0x0200, 'TC');
    assert.equal(many.answer.length, 29);
    assert.equal(new Set(many.answer.map((rr) => rr.rdata[3])).size, 29);
    first.add(String(many.answer[0]!.rdata[3]));
  }
  assert.equal(orders.size, 6);
  assert.ok(first.size > 120);
});

test('runs of SRV records are what the same records one by one are, up to the most that a set holds', () => {
  const world = new EngineWorld();
  const store = world.createRecords();
  const targets = Array.from({ length: 30_000 }, (_, i) =>
    store.put(keyOf(`e${i}.db.demo.svc`), [{ type: 'A', addresses: [ipv4(`10.1.${i >> 8}.${i & 255}`)] }]),
  );
  const runsOf = (...counts: readonly number[]) => {
    let from = 0;
    return counts.map((count, i) => {
      const run = {
        ports: i % 2 === 0 ? [80, 443, 8080] : [53],
        targets: Uint32Array.from(targets.slice(from, from + count)),
      };
      from += count;
      return run;
    });
  };
  // 65,535 are three times 21,845.
  for (const counts of [[1], [3, 2], [0, 5], [21_844, 10], [21_844, 3, 10], [21_846], [30_000]]) {
    const runs = runsOf(...counts);
    const records = runs.flatMap((run) =>
      [...run.targets].flatMap((target) => run.ports.map((port) => ({ priority: 0, weight: 7, port, target }))),
    );
    const blobOf = (set: RecordSet) => {
      const owner = store.put(keyOf('db.demo.svc'), [{ type: 'A', addresses: [ipv4('10.0.0.1')] }, set]);
      const memory = Buffer.from(world.memory.buffer);
      const shown = Math.min(records.length, 65_535);
      const bytes =
        12 +
        SETS_DIRECTORY +
        2 * SET_STRIDE +
        4 * new Set(records.slice(0, 65_535).map((r) => r.target)).size +
        8 * shown;
      const blob = memory.readUInt32LE(owner + OWNER_SETS);
      return Buffer.from(memory.subarray(blob, blob + bytes)).toString('latin1');
    };
    const byRuns = blobOf({ type: 'SRV', runs, weight: 7 });
    assert.ok(byRuns === blobOf({ type: 'SRV', records }), counts.join());
  }
});
