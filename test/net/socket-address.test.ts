import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressText } from '../../host/dns/address.ts';
import { decodeSocketAddress, encodeSocketAddress, hostPort, sockaddrBytes } from '../../host/net/socket-address.ts';

test('an address survives the way into a sockaddr and back', () => {
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    // Mapped addresses come back as IPv4
    fc.uint8Array({ minLength: 16, maxLength: 16 }).filter((each) => each[0] !== 0),
  );
  fc.assert(
    fc.property(octets, fc.integer({ min: 0, max: 65535 }), fc.nat(40), fc.boolean(), (address, port, at, asIpv6) => {
      const room = new Uint8Array(80).fill(0xee);
      const text = addressText(address);
      const bytes = encodeSocketAddress(room, at, text, port, asIpv6);
      const family = address.length === 4 ? 4 : 6;
      assert.equal(bytes, family === 4 && !asIpv6 ? 16 : 28);
      assert.equal(sockaddrBytes(room, at), bytes);
      assert.deepEqual(decodeSocketAddress(room, at), { address: text, port, family });
      assert.ok(
        room.subarray(0, at).every((octet) => octet === 0xee),
        'nothing is written before',
      );
      assert.ok(
        room.subarray(at + bytes).every((octet) => octet === 0xee),
        'nothing is written behind',
      );
    }),
  );
});

test('a zone is written as the index of its interface', (context) => {
  const room = new Uint8Array(28);
  encodeSocketAddress(room, 0, 'fe80::1%7', 53);
  assert.equal(new DataView(room.buffer).getUint32(24, true), 7);
  const local = Object.entries(networkInterfaces())
    .flatMap(([name, entries]) => (entries ?? []).map((entry) => ({ name, entry })))
    .find(({ entry }) => entry.family === 'IPv6' && entry.scopeid !== 0);
  if (local === undefined) {
    context.diagnostic('no interface with a link-local address: names of zones are not tried');
    return;
  }
  encodeSocketAddress(room, 0, `fe80::1%${local.name}`, 53);
  assert.deepEqual(decodeSocketAddress(room, 0), { address: `fe80::1%${local.name}`, port: 53, family: 6 });
});

test('what is no address is refused', () => {
  const room = new Uint8Array(28);
  assert.throws(() => encodeSocketAddress(room, 0, 'localhost', 53), /not an IP address: "localhost"/);
  assert.throws(
    () => encodeSocketAddress(room, 0, 'fe80::1%nosuch0', 53),
    /no interface with IPv6 is called "nosuch0"/,
  );
});

test('a damaged sockaddr reads as the unspecified address', () => {
  assert.deepEqual(decodeSocketAddress(new Uint8Array(28).fill(0xff), 0), { address: '0.0.0.0', port: 0, family: 4 });
});

test('listen addresses are printed as Go prints them', () => {
  assert.equal(hostPort('', 53), ':53');
  assert.equal(hostPort('127.0.0.1', 53), '127.0.0.1:53');
  assert.equal(hostPort('::1', 53), '[::1]:53');
});
