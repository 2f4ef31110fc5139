import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as layout from '../../engine-as/shared/layout.ts';
import { AddressIndex } from '../../host/kubernetes/address-index.ts';
import { dashedLabel, findAddress, formatAddress, packAddress, podLabel } from '../../host/kubernetes/addresses.ts';
import { ownerKey, REVERSE_KEY, wireOf } from '../../host/kubernetes/names.ts';

const hex = (packed: string) => Buffer.from(packed, 'latin1').toString('hex');

test('addresses in every spelling', () => {
  const table: readonly (readonly [string, string])[] = [
    ['10.0.0.1', '0a000001'],
    ['255.255.255.255', 'ffffffff'],
    ['0.0.0.0', '00000000'],
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['2001:DB8:0:0:0:0:0:1', '20010db8000000000000000000000001'],
    ['::', '00000000000000000000000000000000'],
    ['1::', '00010000000000000000000000000000'],
    ['::ffff:1.2.3.4', '00000000000000000000ffff01020304'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ];
  for (const [text, octets] of table) assert.equal(hex(packAddress(text)), octets, text);
});

test('what is no address is refused', () => {
  const texts = [
    ...[
      '',
      'None',
      '1.2.3',
      '1.2.3.4.5',
      '1.2.3.256',
      '01.2.3.4',
      '1..2.3',
      '1.2.3.4 ',
      '-1.2.3.4',
      '1.2.3.',
      '.1.2.3',
    ],
    ...[
      ':',
      ':::',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1::2::3',
      '12345::',
      'g::',
      '1:2:3:4:5:6:7::8',
      '::1.2.3',
      '1.2.3.4::',
    ],
    ...['fe80::1%eth0', '[::1]'],
  ];
  for (const text of texts) assert.equal(packAddress(text), '', text);
});

test('an address survives being packed and written', () => {
  fc.assert(fc.property(fc.ipV4(), (text) => assert.equal(formatAddress(packAddress(text)), text)));
  const octets = fc
    .uint8Array({ minLength: 16, maxLength: 16 })
    .map((random) => random.map((octet, i) => (i % 3 ? 0 : octet)));
  fc.assert(
    fc.property(octets, (random) => {
      const packed = Buffer.from(random).toString('latin1');
      const text = formatAddress(packed);
      assert.equal(packAddress(text), packed);
      assert.equal(new URL(`http://[${text}]`).hostname, `[${text}]`, 'the shortest form (RFC 5952)');
    }),
  );
});

test('labels made of addresses', () => {
  assert.equal(dashedLabel(packAddress('10.1.0.20')), '10-1-0-20');
  assert.equal(dashedLabel(packAddress('2001:db8:1::')), '2001-db8-1--0');
  assert.equal(dashedLabel(packAddress('2001:db8:1::51')), '2001-db8-1--51');
  assert.equal(podLabel(packAddress('2001:db8:1::')), '2001-db8-1--');
  assert.equal(podLabel(packAddress('10.1.0.20')), '10-1-0-20');
});

test('addresses in a row are found on their boundaries only', () => {
  const packed = packAddress('1.2.3.4') + packAddress('5.6.7.8');
  assert.equal(findAddress(packed, packAddress('5.6.7.8')), 4);
  assert.equal(findAddress(packed, packAddress('5.6.7.8'), 8), -1);
  assert.equal(findAddress(packed, packAddress('3.4.5.6')), -1);
});

test('keys are wire names without the root label', () => {
  assert.equal(ownerKey('WEB', 'demo', 'svc'), '\x03web\x04demo\x03svc');
  assert.equal(ownerKey(), '');
  for (const label of ['', 'a.b', 'x'.repeat(64), 'a b', 'ü', 'a\n']) assert.equal(ownerKey(label), undefined, label);
  assert.equal(wireOf('cluster.local.'), '\x07cluster\x05local');
  assert.equal(wireOf('.'), '');
  assert.equal(REVERSE_KEY, layout.REVERSE_KEY);
});

test('the index of addresses agrees with a plain list', () => {
  const address = fc.integer({ min: 0, max: 40 }).map((number) => `10.0.0.${number}`);
  const steps = fc.array(fc.tuple(address, fc.nat(9), fc.boolean()), { maxLength: 300 });
  fc.assert(
    fc.property(steps, (changes) => {
      const index = new AddressIndex<{ id: number }>();
      const holders = Array.from({ length: 10 }, (_, id) => ({ id }));
      const numbers = holders.map((holder) => index.join(holder));
      const plain: string[] = [];
      for (const [text, id, isAdded] of changes) {
        const entry = `${text} ${id}`;
        if (isAdded) {
          index.addAll(text, text.length, numbers[id]!);
          plain.push(entry);
        } else if (plain.includes(entry)) {
          index.removeAll(text, text.length, numbers[id]!);
          plain.splice(plain.indexOf(entry), 1);
        }
      }
      for (let number = 0; number <= 40; number++) {
        const text = `10.0.0.${number}`;
        const found = [...index.candidates(text)].map((holder) => `${text} ${holder.id}`);
        for (const entry of plain.filter((line) => line.startsWith(`${text} `)))
          assert.ok(found.includes(entry), entry);
        // Another address with the same hash would be allowed, and is as good as impossible among forty.
        for (const entry of found) assert.ok(plain.includes(entry), entry);
        const times = plain.filter((line) => line.startsWith(`${text} `)).length;
        assert.equal(index.areAlone(text, text.length), times === 1);
      }
    }),
  );
});

test('a number that was given back belongs to the next holder', () => {
  const index = new AddressIndex<{ name: string }>();
  const number = index.join({ name: 'first' });
  index.addAll('a', 1, number);
  index.removeAll('a', 1, number);
  index.leave(number);
  assert.equal(index.join({ name: 'second' }), number);
  assert.deepEqual([...index.candidates('a')], []);
  index.addAll('a', 1, number);
  assert.deepEqual([...index.candidates('a')], [{ name: 'second' }]);
});
