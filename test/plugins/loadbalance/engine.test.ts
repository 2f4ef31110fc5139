// weighted and prefer in the engine, over answers of hosts files and over what the cache holds.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OUTCOME_ANSWER, TYPE_A, TYPE_AAAA, TYPE_TXT } from '../../../engine-as/shared/codes.ts';
import { parseMessage } from '../../../host/dns/message.ts';
import { composeName } from '../../../host/dns/name.ts';
import type { AddressOrder, RecordStore } from '../../../host/plugin/contract.ts';
import { parseHostsText } from '../../../host/plugins/hosts/hosts-file.ts';
import { mergedOwners } from '../../../host/plugins/hosts/owners.ts';
import { PublishedHosts } from '../../../host/plugins/hosts/published.ts';
import { parseWeights } from '../../../host/plugins/loadbalance/weight-file.ts';
import { rdataText } from '../../dns/rdata-forms.ts';
import { composeQuery } from '../../e2e/support/query.ts';
import { cacheStep, EngineWorld } from '../../engine/world.ts';

const world = new EngineWorld();
const hosts = new PublishedHosts(world.createRecords());
const lines = ['10.1.0.1', '10.2.0.1', '192.0.2.1', '10.1.0.2'].map((address) => `${address} a.org other.org`);
lines.push('2001:db8::1 a.org', '2001:db8:1::1 a.org', '10.3.0.1 one.org');
for (let i = 0; i < 100; i++) lines.push(`10.4.0.${i} many.org`);
const table = parseHostsText(lines.join('\n'), { zones: ['.'], hasReverse: true });
await hosts.replace(mergedOwners([table]));

function load(order: AddressOrder, isCached: boolean): void {
  const cache = isCached ? world.createCache() : 0;
  world.load(['.'], (steps) => {
    steps.rotate(order);
    if (isCached) steps.cache(cacheStep(cache));
    const more = { fallthrough: [], fallthroughUnsupported: false };
    steps.hosts({ address: hosts.address, zones: ['.'], ttl: 20, ...more });
  });
}

function ask(name: string, type = TYPE_A, tcp = true): string[] {
  const { outcome, reply } = world.ask(composeQuery({ name, type, flags: 0x0100 }), { tcp });
  assert.equal(outcome, OUTCOME_ANSWER);
  return parseMessage(reply!).answer.map((record) => rdataText(record.type, record.rdata));
}

function weights(text: string): RecordStore {
  const store = world.createRecords();
  for (const [name, list] of parseWeights(text, 'w')) store.put(composeName(name), [{ type: 'TXT', rdata: list }]);
  return store;
}

const ADDRESSES = ['10.1.0.1', '10.2.0.1', '192.0.2.1', '10.1.0.2'];
const ROUNDS = 4000;

for (const isCached of [false, true]) {
  const how = isCached ? 'from the cache' : 'from records';

  test(`weighted, ${how}: the first address by its weight, the others stay where they are`, () => {
    const store = weights('a.org\n192.0.2.1 5\n::ffff:10.2.0.1 3\n2001:db8:1::1 9\n');
    load({ policy: 'weighted', address: store.address }, isCached);
    const firsts = new Map<string, number>();
    for (let i = 0; i < ROUNDS; i++) {
      const got = ask('a.org.');
      const at = ADDRESSES.indexOf(got[0]!);
      const expected = [...ADDRESSES];
      [expected[0], expected[at]] = [expected[at]!, expected[0]!];
      assert.deepEqual(got, expected);
      firsts.set(got[0]!, (firsts.get(got[0]!) ?? 0) + 1);
    }
    // 1 3 5 1 of 10; five standard deviations of the widest are 158
    const share = ADDRESSES.map((address) => firsts.get(address) ?? 0);
    [1, 3, 5, 1].forEach((weight, i) => {
      assert.ok(Math.abs(share[i]! - (weight * ROUNDS) / 10) < 160, String(share));
    });
    let ipv6 = 0;
    for (let i = 0; i < 1000; i++) if (ask('a.org.', TYPE_AAAA)[0] === '2001:db8:1::1') ipv6++;
    assert.ok(ipv6 > 850 && ipv6 < 950, String(ipv6));
    store.release();
  });

  test(`weighted, ${how}: without weights every address is as likely as another; names compare letter by letter`, () => {
    const store = weights('OTHER.org\n192.0.2.1 255\n');
    load({ policy: 'weighted', address: store.address }, isCached);
    const firsts = new Map<string, number>();
    for (let i = 0; i < ROUNDS; i++) {
      const [first = ''] = ask('other.org.');
      firsts.set(first, (firsts.get(first) ?? 0) + 1);
    }
    for (const address of ADDRESSES) assert.ok(Math.abs(firsts.get(address)! - ROUNDS / 4) < 160, address);
    assert.deepEqual(ask('one.org.'), ['10.3.0.1']);
    assert.deepEqual(ask('one.org.', TYPE_TXT), []);
    store.release();
  });

  test(`prefer, ${how}: by the first subnet, shuffled inside of each`, () => {
    const subnets = [
      { octets: Uint8Array.of(10, 1, 0, 0), prefixBits: 16 },
      { octets: Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), prefixBits: 47 },
      { octets: Uint8Array.of(10, 0, 0, 0), prefixBits: 8 },
    ];
    load({ policy: 'prefer', subnets }, isCached);
    const orders = new Set<string>();
    for (let i = 0; i < 100; i++) orders.add(ask(i % 2 === 0 ? 'a.org.' : 'A.org.').join());
    assert.deepEqual([...orders].sort(), [
      '10.1.0.1,10.1.0.2,10.2.0.1,192.0.2.1',
      '10.1.0.2,10.1.0.1,10.2.0.1,192.0.2.1',
    ]);
    for (let i = 0; i < 20; i++) assert.equal(ask('a.org.', TYPE_AAAA).length, 2);
  });

  test(`prefer, ${how}: a prefix of no bits, of all, and one inside an octet`, () => {
    const first = (octets: readonly number[], prefixBits: number) => {
      load({ policy: 'prefer', subnets: [{ octets: Uint8Array.from(octets), prefixBits }] }, isCached);
      return new Set(Array.from({ length: 60 }, () => ask('a.org.')[0]));
    };
    assert.equal(first([0, 0, 0, 0], 0).size, 4);
    assert.deepEqual([...first([10, 1, 0, 2], 32)], ['10.1.0.2']);
    assert.deepEqual([...first([192, 0, 0, 0], 3)], ['192.0.2.1']);
    assert.deepEqual([...first([10, 1, 0, 2], 31)], ['10.1.0.2']);
  });

  test(`${how}: a truncated reply holds the chosen or preferred addresses`, () => {
    const store = weights('many.org\n10.4.0.99 255\n');
    load({ policy: 'weighted', address: store.address }, isCached);
    const times = Array.from({ length: 200 }, () => ask('many.org.', TYPE_A, false)[0]);
    assert.ok(times.filter((address) => address === '10.4.0.99').length > 100);
    load({ policy: 'prefer', subnets: [{ octets: Uint8Array.of(10, 4, 0, 96), prefixBits: 30 }] }, isCached);
    const head = ask('many.org.', TYPE_A, false);
    assert.ok(head.length < 40);
    assert.deepEqual(head.slice(0, 4).sort(), ['10.4.0.96', '10.4.0.97', '10.4.0.98', '10.4.0.99']);
    store.release();
  });
}

for (const policy of ['round_robin', 'weighted', 'prefer'] as const) {
  for (const isCached of [false, true]) {
    test(`${policy}${isCached ? ' over the cache' : ''}: one owner that is not the question's spelling is written once, wherever it stands`, () => {
      const store = weights('many.org\n10.4.0.99 255\n');
      const subnets = [{ octets: Uint8Array.of(10, 4, 0, 96), prefixBits: 30 }];
      if (policy === 'weighted') load({ policy, address: store.address }, isCached);
      else load(policy === 'prefer' ? { policy, subnets } : { policy }, isCached);
      for (let i = 0; i < 50; i++) {
        const { reply } = world.ask(composeQuery({ name: 'MANY.org.', type: TYPE_A, flags: 0x0100 }), { tcp: true });
        const message = parseMessage(reply!);
        assert.deepEqual(new Set(message.answer.map((record) => record.name)), new Set(['many.org.']));
        const addresses = message.answer.map((record) => record.rdata[3]!);
        assert.equal(new Set(addresses).size, 100);
        // header, question, owners that are pointers but for the first, which points at `org` behind `many`
        assert.equal(reply!.length, 12 + 14 + 100 * 16 + 5);
        const { reply: short } = world.ask(composeQuery({ name: 'MANY.org.', type: TYPE_A, flags: 0x0100 }));
        assert.equal(parseMessage(short!).answer.length, Math.floor((512 - 26 - 5) / 16));
        if (policy === 'prefer') assert.ok(addresses.slice(0, 4).every((octet) => octet >= 96));
      }
      store.release();
    });
  }
}
