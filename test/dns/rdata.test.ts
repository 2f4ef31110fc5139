import assert from 'node:assert/strict';
import { test } from 'node:test';
import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import {
  TYPE_A,
  TYPE_AAAA,
  TYPE_CNAME,
  TYPE_HINFO,
  TYPE_MX,
  TYPE_SOA,
  TYPE_SRV,
  TYPE_TXT,
} from '../../engine-as/shared/codes.ts';
import { MessageError } from '../../host/dns/message.ts';
import { composeAddress, composeSrv, parseTarget } from '../../host/dns/rdata.ts';
import {
  composeHinfo,
  composeMx,
  composeSoa,
  composeTarget,
  composeTxt,
  parseAddress,
  parseHinfo,
  parseMx,
  parseSoa,
  parseSrv,
  parseTxt,
  rdataText,
} from './rdata-forms.ts';

const name = fc.array(fc.stringMatching(/^[a-z0-9]{1,10}$/), { maxLength: 4 }).map((labels) => `${labels.join('.')}.`);
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });

/** The rdata that dns-packet writes for one record. */
function theirs(answer: dnsPacket.Answer): Uint8Array {
  const message = dnsPacket.encode({ type: 'response', answers: [{ ...answer, name: '.' } as dnsPacket.Answer] });
  return Uint8Array.from(message.subarray(12 + 11));
}

test('property: objects -> rdata as dns-packet writes it -> objects', () => {
  fc.assert(
    fc.property(fc.record({ priority: u16, weight: u16, port: u16, target: name }), (srv) => {
      assert.deepEqual(composeSrv(srv), theirs({ name: '.', type: 'SRV', data: srv }));
      assert.deepEqual(parseSrv(composeSrv(srv)), { ...srv });
    }),
  );
  fc.assert(
    fc.property(fc.record({ preference: u16, exchange: name }), (mx) => {
      assert.deepEqual(composeMx(mx), theirs({ name: '.', type: 'MX', data: mx }));
      assert.deepEqual(parseMx(composeMx(mx)), { ...mx });
    }),
  );
  const soas = fc.record({
    mname: name,
    rname: name,
    serial: u32,
    refresh: u32,
    retry: u32,
    expire: u32,
    minimum: u32,
  });
  fc.assert(
    fc.property(soas, (soa) => {
      assert.deepEqual(composeSoa(soa), theirs({ name: '.', type: 'SOA', data: soa }));
      assert.deepEqual(parseSoa(composeSoa(soa)), { ...soa });
    }),
  );
  fc.assert(
    fc.property(name, (target) => {
      assert.deepEqual(composeTarget(target), theirs({ name: '.', type: 'CNAME', data: target }));
      assert.equal(parseTarget(composeTarget(target)), target);
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
      const type = address.includes(':') ? 'AAAA' : 'A';
      const rdata = composeAddress(address);
      // dns-packet misreads unusual spellings, so it gets the canonical text and URL reads the drawn one.
      assert.deepEqual(rdata, theirs({ name: '.', type, data: parseAddress(rdata) }));
      const { hostname } = new URL(type === 'A' ? `http://${address}/` : `http://[${address}]/`);
      assert.deepEqual(rdata, composeAddress(hostname.replace(/^\[|\]$/g, '')));
    }),
  );
  fc.assert(
    fc.property(fc.record({ cpu: fc.string({ maxLength: 50 }), os: fc.string({ maxLength: 50 }) }), (hinfo) => {
      assert.deepEqual(composeHinfo(hinfo), theirs({ name: '.', type: 'HINFO', data: hinfo }));
      assert.deepEqual(parseHinfo(composeHinfo(hinfo)), { ...hinfo });
    }),
  );
});

test('TXT: long texts become several character-strings', () => {
  assert.deepEqual(
    parseTxt(composeTxt(['a'.repeat(300), '', 'é'])).map((octets) => Buffer.from(octets).toString()),
    ['a'.repeat(255), 'a'.repeat(45), '', 'é'],
  );
  assert.deepEqual(composeTxt([]), Uint8Array.of(0));
  assert.deepEqual(composeTxt(['a'.repeat(255)]).length, 256);
});

test('text form', () => {
  assert.equal(rdataText(TYPE_A, composeAddress('10.0.0.1')), '10.0.0.1');
  assert.equal(rdataText(TYPE_AAAA, composeAddress('2001:db8::1')), '2001:db8::1');
  assert.equal(rdataText(TYPE_CNAME, composeTarget('WWW.example.org')), 'WWW.example.org.');
  assert.equal(rdataText(TYPE_TXT, composeTxt(['a "b" \\', '\n'])), '"a \\"b\\" \\\\" "\\010"');
  assert.equal(rdataText(TYPE_MX, composeMx({ preference: 10, exchange: 'm.' })), '10 m.');
  assert.equal(rdataText(TYPE_SRV, composeSrv({ priority: 1, weight: 2, port: 3, target: '.' })), '1 2 3 .');
  const soa = { mname: 'a.', rname: 'b.', serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 5 };
  assert.equal(rdataText(TYPE_SOA, composeSoa(soa)), 'a. b. 1 2 3 4 5');
  assert.equal(rdataText(TYPE_HINFO, composeHinfo({ cpu: 'ANY', os: '' })), '"ANY" ""');
  assert.equal(rdataText(65280, Uint8Array.of(1, 0xab)), '\\# 2 01ab');
  assert.equal(rdataText(65280, new Uint8Array()), '\\# 0');
});

test('malformed rdata has the text form of unknown types', () => {
  assert.equal(rdataText(TYPE_A, Uint8Array.of(1, 2, 3)), '\\# 3 010203');
  assert.equal(rdataText(TYPE_SRV, Uint8Array.of(1, 2, 3)), '\\# 3 010203');
  assert.equal(rdataText(TYPE_TXT, Uint8Array.of(9, 2)), '\\# 2 0902');
  assert.equal(rdataText(TYPE_CNAME, Uint8Array.of(0, 2)), '\\# 2 0002');
});

test('wrong rdata and wrong objects', () => {
  assert.throws(() => parseSrv(Uint8Array.of(0, 1, 0, 1, 0, 1)), MessageError);
  assert.throws(() => parseSrv(Uint8Array.of(0, 1, 0, 1, 0, 1, 0, 7)), MessageError);
  assert.throws(() => parseAddress(new Uint8Array(3)), MessageError);
  assert.throws(() => composeAddress('1.2.3'), RangeError);
  assert.throws(() => composeHinfo({ cpu: 'x'.repeat(256), os: '' }), MessageError);
  assert.equal(parseAddress(composeAddress('::1')), '::1');
});
