import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressOctets, addressText, parseAddressBlock } from '../../host/dns/address.ts';

test('an address has one text form and comes back from it', () => {
  const texts: readonly (readonly [string, string])[] = [
    ['192.0.2.1', '192.0.2.1'],
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ];
  for (const [text, canonical] of texts) assert.equal(addressText(addressOctets(text)!), canonical);
});

test('texts that are no address', () => {
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.1.1.1',
    'fe80::1%eth0',
    ':::',
    '[::1]',
    'a.b',
    '1:2',
  ]) {
    assert.equal(addressOctets(text), undefined, text);
  }
});

test('addressText refuses other lengths', () => {
  assert.throws(() => addressText(new Uint8Array(5)), RangeError);
});

test('property: octets -> text -> octets', () => {
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 }).map((list) => Uint8Array.from(list)),
  );
  fc.assert(
    fc.property(octets, (address) => {
      const text = addressText(address);
      assert.ok(address.length === 4 ? isIPv4(text) : isIPv6(text), text);
      assert.deepEqual(addressOctets(text), address);
    }),
  );
});

test('address blocks lose the bits behind the prefix', () => {
  assert.deepEqual(parseAddressBlock('10.9.255.255/18'), { octets: Uint8Array.of(10, 9, 192, 0), prefixBits: 18 });
  assert.deepEqual(parseAddressBlock('10.1.2.3/0'), { octets: new Uint8Array(4), prefixBits: 0 });
  assert.equal(parseAddressBlock('2001:db8::/128')?.prefixBits, 128);
  for (const text of [
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '::/129',
    '10.0.0.0/8/8',
    'x/8',
    '1.2.3.4/8x',
  ]) {
    assert.equal(parseAddressBlock(text), undefined, text);
  }
});
