// Hosts files through the engine: against a plain model, and what the model does not know.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  FLAG_AA,
  OUTCOME_ANSWER,
  OUTCOME_SLOW,
  TYPE_A,
  TYPE_AAAA,
  TYPE_PTR,
  TYPE_TXT,
} from '../../../engine-as/shared/codes.ts';
import { addressText } from '../../../host/dns/address.ts';
import { type Message, parseMessage, rcodeOf } from '../../../host/dns/message.ts';
import { composeName, spelledText } from '../../../host/dns/name.ts';
import { reversedAddress, reverseName } from '../../../host/dns/reverse.ts';
import type { RecordStore } from '../../../host/plugin/contract.ts';
import { parseHostsText } from '../../../host/plugins/hosts/hosts-file.ts';
import { mergedOwners } from '../../../host/plugins/hosts/owners.ts';
import { PublishedHosts } from '../../../host/plugins/hosts/published.ts';
import { rdataText } from '../../dns/rdata-forms.ts';
import { composeQuery } from '../../e2e/support/query.ts';
import { EngineWorld } from '../../engine/world.ts';
import { HostsModel, type ModelRules } from './model.ts';

const RULES: ModelRules = { zones: ['.'], hasReverse: true, fallthrough: [], fallthroughUnsupported: false };
const TYPES = { A: TYPE_A, AAAA: TYPE_AAAA, PTR: TYPE_PTR, TXT: TYPE_TXT };

/** One world for all: each table is a store of its own. */
const world = new EngineWorld();

class Hosts {
  readonly #published = new PublishedHosts(world.createRecords());
  readonly #rules: ModelRules;

  constructor(rules: ModelRules) {
    this.#rules = rules;
  }

  async load(file: string, inline = ''): Promise<this> {
    const tables = [file, inline].map((text) => parseHostsText(text, this.#rules));
    await this.#published.replace(mergedOwners(tables));
    return this;
  }

  /** What follows falls through: the slow face, for there is no other step. */
  ask(name: string, type: number, more: { rotate?: boolean; tcp?: boolean } = {}): Message | 'fall' {
    const { zones, fallthrough, fallthroughUnsupported } = this.#rules;
    world.load(['.'], (steps) => {
      if (more.rotate) steps.rotate({ policy: 'round_robin' });
      steps.hosts({ address: this.#published.address, zones, ttl: 77, fallthrough, fallthroughUnsupported });
    });
    const { outcome, reply } = world.ask(composeQuery({ name, type, flags: 0x0100 }), { tcp: more.tcp ?? true });
    if (outcome === OUTCOME_SLOW) return 'fall';
    assert.equal(outcome, OUTCOME_ANSWER);
    return parseMessage(reply!);
  }

  release(): void {
    this.#published.release();
  }
}

const texts = (message: Message) => message.answer.map((record) => rdataText(record.type, record.rdata));

const label = fc.constantFrom('a', 'b', 'web', '*');
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '192.0.2.9', '2001:db8::1', 'fe80::2%eth0', 'nonsense');
const line = fc.tuple(address, fc.array(name, { maxLength: 3 }), fc.constantFrom('', ' # more', '\r', '  '));
const text = fc
  .array(line, { maxLength: 8 })
  .map((lines) => lines.map(([first, names, end]) => `${first} ${names.join('\t')}${end}`).join('\n'));
const rules: fc.Arbitrary<ModelRules> = fc.record({
  zones: fc.constantFrom(['.'], ['web.'], ['a.web.', 'b.'], []),
  hasReverse: fc.boolean(),
  fallthrough: fc.constantFrom([], ['.'], ['a.', 'web.']),
  fallthroughUnsupported: fc.boolean(),
});
const question = fc.oneof(
  fc.tuple(name, fc.constantFrom('A', 'AAAA', 'TXT', 'PTR')),
  fc.tuple(
    fc.constantFrom('10.0.0.1', '10.0.0.3', '2001:db8::1', 'fe80::2').map((text) => reverseName(text)!),
    fc.constantFrom('PTR', 'A'),
  ),
) as fc.Arbitrary<[string, keyof typeof TYPES]>;

test('property: any file, any inline lines, any change of them: what the plain model says', async () => {
  await fc.assert(
    fc.asyncProperty(
      rules,
      fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 3 }),
      fc.array(question, { minLength: 1, maxLength: 12 }),
      async (ofDirective, loads, questions) => {
        const hosts = new Hosts(ofDirective);
        for (const [file, inline] of loads) {
          await hosts.load(file, inline);
          const model = new HostsModel(file, inline, ofDirective);
          for (const [asked, type] of questions) {
            const qualified = `${asked.replace(/\.$/, '')}.`;
            const octets = type === 'PTR' ? reversedAddress(qualified) : undefined;
            const expected = model.answer(qualified, type, octets && addressText(octets));
            const reply = hosts.ask(qualified, TYPES[type]);
            const got = reply === 'fall' ? 'fall' : rcodeOf(reply) === 2 ? 'servfail' : texts(reply);
            assert.deepEqual(got, expected, `${qualified} ${type}`);
          }
        }
        hosts.release();
      },
    ),
    { numRuns: 150 },
  );
});

test('AA, the TTL of the directive, owners in lower case whatever the spelling of the question', async () => {
  const hosts = await new Hosts(RULES).load('10.0.0.1 A.Example b.example\n10.0.0.2 a.example\n');
  for (const [asked, type, count] of [
    ['A.EXAMPLE.', TYPE_A, 2],
    ['a.example.', TYPE_A, 2],
    ['1.0.0.10.IN-ADDR.arpa.', TYPE_PTR, 2],
  ] as const) {
    const reply = hosts.ask(asked, type);
    assert.ok(reply !== 'fall');
    assert.equal(reply.flags & FLAG_AA, FLAG_AA);
    assert.equal(spelledText(reply.questions[0]!.wire), asked);
    assert.equal(reply.answer.length, count);
    for (const record of reply.answer) {
      assert.equal(spelledText(record.wire ?? composeName(record.name)), asked.toLowerCase());
      assert.equal(record.ttl, 77);
    }
  }
  hosts.release();
});

test('rotation moves the addresses and leaves the set', async () => {
  const hosts = await new Hosts(RULES).load('10.0.0.1 a\n10.0.0.2 a\n10.0.0.3 a\n');
  const orders = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const reply = hosts.ask(i % 2 === 0 ? 'a.' : 'A.', TYPE_A, { rotate: true });
    assert.ok(reply !== 'fall');
    orders.add(texts(reply).join());
    assert.deepEqual(texts(reply).sort(), ['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  }
  assert.equal(orders.size, 6);
  hosts.release();
});

test('labels left of a whole IPv6 reverse name do not count, up to three of them', async () => {
  const hosts = await new Hosts(RULES).load('2001:db8::5 six\n');
  const whole = reverseName('2001:db8::5')!;
  for (const prefix of ['', 'www.', 'x.y.', 'a.b.c.']) {
    const reply = hosts.ask(prefix + whole, TYPE_PTR);
    assert.ok(reply !== 'fall', prefix);
    assert.deepEqual(texts(reply), ['six.']);
  }
  for (const prefix of ['a.b.c.d.']) assert.equal(hosts.ask(prefix + whole, TYPE_PTR), 'fall');
  assert.equal(hosts.ask(whole.slice(2), TYPE_PTR), 'fall');
  hosts.release();
});

test('more addresses than a UDP reply holds: truncated, whole over TCP', async () => {
  const lines = Array.from({ length: 300 }, (_, i) => `10.1.${i >> 8}.${i & 255} many`);
  const hosts = await new Hosts(RULES).load(lines.join('\n'));
  const short = hosts.ask('many.', TYPE_A, { tcp: false });
  const long = hosts.ask('many.', TYPE_A);
  assert.ok(short !== 'fall' && long !== 'fall');
  assert.equal(short.flags & 0x0200, 0x0200);
  assert.equal(short.answer.length, Math.floor((512 - 12 - 10) / 16));
  assert.equal(long.answer.length, 300);
  hosts.release();
});

test('a name that no message can hold: its address has no reply at all, the slow face drops the query', async () => {
  const hosts = await new Hosts(RULES).load('10.0.0.9 a..b good\n10.0.0.8 fine\n');
  assert.equal(hosts.ask(reverseName('10.0.0.9')!, TYPE_PTR), 'fall');
  assert.notEqual(hosts.ask(reverseName('10.0.0.8')!, TYPE_PTR), 'fall');
  assert.notEqual(hosts.ask('good.', TYPE_A), 'fall');
  hosts.release();
});

test('200,000 lines: bounded memory, and a changed line writes what changed', async () => {
  const large = new EngineWorld();
  const store = large.createRecords();
  let writes = 0;
  const counted: Partial<RecordStore> = {
    address: store.address,
    put: (key, sets) => {
      writes++;
      return store.put(key, sets);
    },
    remove: (key) => {
      writes++;
      store.remove(key);
    },
    release: () => store.release(),
  };
  const published = new PublishedHosts(counted as RecordStore);
  const lines = Array.from(
    { length: 200_000 },
    (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255} host-${i}.example.org`,
  );
  const load = () => published.replace(mergedOwners([parseHostsText(lines.join('\n'), RULES)]));
  const before = store.usage().bytes;
  await load();
  assert.equal(writes, 400_000);
  assert.equal(store.usage().owners, 400_000);
  assert.ok(store.usage().bytes - before < 200_000 * 320, String(store.usage().bytes - before));
  writes = 0;
  lines[7] = '10.99.0.1 host-7.example.org';
  await load();
  // the name, its new address, and its old address gone
  assert.equal(writes, 3);
  published.release();
});
