// Many endpoints put by one call are what they are when each is put by its own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as layout from '../../engine-as/shared/layout.ts';
import { formatAddress, packAddress } from '../../host/kubernetes/addresses.ts';
import { ENDPOINTS_MAX, type Endpoints, type RecordSet } from '../../host/plugin/contract.ts';
import { endpointsOf } from '../kubernetes/fake-store.ts';
import { EngineWorld } from './world.ts';

const BASE = '\x03web\x04demo\x03svc';
const NAME = `${BASE}\x07cluster\x05local\0`;

const octet = fc.oneof(fc.constantFrom(0, 9, 10, 99, 100, 255), fc.integer({ min: 0, max: 255 }));
const address = fc.tuple(octet, octet, octet, octet).map((octets) => String.fromCharCode(...octets));
const label = fc.string({ unit: fc.constantFrom('a', 'b', '0', '-', '_'), minLength: 1, maxLength: 63 });
const endpoints = fc.uniqueArray(fc.tuple(address, label), {
  maxLength: 40,
  comparator: (a, b) => a[0] === b[0] || a[1] === b[1],
});
const ports = fc.uniqueArray(fc.integer({ min: 1, max: 65535 }), { maxLength: 4 });

function srvOf(numbers: readonly number[]): RecordSet[] {
  const records = numbers.map((port) => ({ priority: 0, weight: 33, port, target: 0 }));
  return records.length === 0 ? [] : [{ type: 'SRV', records }];
}

/** Flags and octets of an owner's sets; what they lie in is longer. */
function ownerText({ view, octets }: EngineWorld, owner: number, blobBytes: number): string {
  assert.notEqual(owner, 0);
  const sets = view.getUint32(owner + layout.OWNER_SETS, true);
  const flags = view.getUint16(owner + layout.OWNER_FLAGS, true);
  return `${flags} ${Buffer.from(octets.subarray(sets, sets + blobBytes)).toString('hex')}`;
}

test('endpoints and their reverse owners, put at once or one by one', () => {
  fc.assert(
    fc.property(endpoints, fc.boolean(), ports, fc.nat(0xff), (list, hasLabels, numbers, flags) => {
      const given: Endpoints = {
        addresses: list.map(([each]) => each).join(''),
        labels: hasLabels ? list.map(([, text]) => String.fromCharCode(text.length) + text).join('') : '',
      };
      const [once, each] = [new EngineWorld(), new EngineWorld()];
      const [onceStore, eachStore] = [once.createRecords(), each.createRecords()];
      const sets = srvOf(numbers);
      onceStore.putEndpoints(given, BASE, sets, flags);
      onceStore.putReverse(given, NAME);
      assert.equal(onceStore.usage().owners, 2 * list.length);
      const endpointBytes = 4 + 16 * (1 + sets.length) + 4 + (numbers.length > 0 ? 4 + 8 * numbers.length : 0);
      for (const [text, packed] of endpointsOf(given)) {
        const whole: RecordSet[] = [{ type: 'A', addresses: packed }, ...sets];
        const name = text + NAME;
        const owner = eachStore.put(text + BASE, whole, flags);
        const found = ownerText(once, onceStore.find(text + BASE), endpointBytes);
        assert.equal(found, ownerText(each, owner, endpointBytes), formatAddress(packed));
        const reverse = eachStore.put(`\xff${packed}`, [{ type: 'PTR', names: [{ wire: name, relative: false }] }]);
        const reverseBytes = 4 + 16 + 8 + name.length;
        const foundReverse = ownerText(once, onceStore.find(`\xff${packed}`), reverseBytes);
        assert.equal(foundReverse, ownerText(each, reverse, reverseBytes), formatAddress(packed));
      }
    }),
    { numRuns: 60 },
  );
});

test('as many as are allowed, with the longest labels and names', () => {
  const store = new EngineWorld().createRecords();
  const count = ENDPOINTS_MAX;
  const addresses = Array.from({ length: count }, (_, i) => packAddress(`10.0.${i >> 8}.${i & 255}`)).join('');
  const labels = Array.from({ length: count }, (_, i) => `?${String(i).padStart(63, 'x')}`).join('');
  const base = BASE + `\x3f${'y'.repeat(63)}`.repeat(2);
  store.putEndpoints({ addresses, labels }, base, srvOf([80]), 0);
  store.putReverse({ addresses, labels }, `${base}\0`);
  assert.equal(store.usage().owners, 2 * count);
  assert.notEqual(store.find(`?${String(count - 1).padStart(63, 'x')}${base}`), 0);
  assert.notEqual(store.find(`\xff${packAddress('10.0.3.255')}`), 0);
  assert.throws(() => store.putEndpoints({ addresses: `${addresses}abcd`, labels: '' }, base, [], 0), RangeError);
  assert.throws(() => store.putReverse({ addresses: 'abc', labels: '' }, base), RangeError);
});
