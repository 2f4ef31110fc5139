import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressText, parseAddressBlock } from '../../host/dns/address.ts';
import { isInZone } from '../../host/dns/name.ts';
import { isReverse, reversedAddress, reverseName, reverseZones, reverseZonesOfText } from '../../host/dns/reverse.ts';

test('reverse names', () => {
  assert.equal(reverseName('10.0.0.1'), '1.0.0.10.in-addr.arpa.');
  assert.equal(reverseName('2001:db8::1'), `1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa.`);
  assert.equal(reverseName('x'), undefined);
});

test('property: address -> reverse name -> address', () => {
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }).filter((list) => list[10] !== 0xff),
  );
  fc.assert(
    fc.property(octets, (address) => {
      const name = reverseName(addressText(address))!;
      assert.ok(isReverse(name));
      assert.deepEqual(reversedAddress(name), address);
    }),
  );
});

test('names that stand for no whole address', () => {
  const names = [
    'in-addr.arpa.',
    '0.0.10.in-addr.arpa.',
    '5.1.0.0.10.in-addr.arpa.',
    '256.0.0.10.in-addr.arpa.',
    '01.0.0.10.in-addr.arpa.',
    'x.0.0.10.in-addr.arpa.',
    '1.0.0.10.in-addr.arpa.example.',
    '1.ip6.arpa.',
    `g.${'0.'.repeat(31)}ip6.arpa.`,
  ];
  for (const name of names) assert.equal(reversedAddress(name), undefined, name);
});

test('zones of address blocks', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['10.0.0.0/8', ['10.in-addr.arpa.']],
    ['10.0.0.0/15', ['0.10.in-addr.arpa.', '1.10.in-addr.arpa.']],
    ['192.168.1.1/23', ['0.168.192.in-addr.arpa.', '1.168.192.in-addr.arpa.']],
    ['10.1.2.3/32', ['3.2.1.10.in-addr.arpa.']],
    ['0.0.0.0/0', ['in-addr.arpa.']],
    ['2001:db8::/32', ['8.b.d.0.1.0.0.2.ip6.arpa.']],
    ['2001:db8::/31', ['8.b.d.0.1.0.0.2.ip6.arpa.', '9.b.d.0.1.0.0.2.ip6.arpa.']],
    [
      '2001:db8:8000::/33',
      ['8', '9', 'a', 'b', 'c', 'd', 'e', 'f'].map((nibble) => `${nibble}.8.b.d.0.1.0.0.2.ip6.arpa.`),
    ],
    ['2001:db8::/28', ['b.d.0.1.0.0.2.ip6.arpa.']],
  ];
  for (const [text, zones] of cases) assert.deepEqual(reverseZonesOfText(text), zones, text);
  assert.equal(reverseZonesOfText('10.9.0.0/18')?.length, 64);
  assert.equal(reverseZonesOfText('10.9.0.0/18')?.at(-1), '63.9.10.in-addr.arpa.');
  assert.equal(reverseZonesOfText('2001:db8::/29')?.length, 8);
  assert.equal(reverseZonesOfText('0.0.0.0/1')?.length, 128);
  assert.equal(reverseZonesOfText('example.org'), undefined);
});

test('property: exactly the addresses of a block have their reverse name in one of its zones', () => {
  const blocks = fc.tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.integer({ min: 0, max: 32 }));
  fc.assert(
    fc.property(blocks, fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.boolean(), ([base, bits], other, isNear) => {
      const block = parseAddressBlock(`${base.join('.')}/${bits}`)!;
      const probe = isNear ? Uint8Array.from(base, (octet, i) => (i === 3 ? other[3]! : octet)) : other;
      const inBlock = parseAddressBlock(`${probe.join('.')}/${bits}`)!;
      const isInside = Buffer.compare(inBlock.octets, block.octets) === 0;
      const name = reverseName(probe.join('.'))!;
      assert.equal(reverseZones(block).filter((zone) => isInZone(name, zone)).length, isInside ? 1 : 0);
    }),
  );
});
