import assert from 'node:assert/strict';
import { test } from 'node:test';
import oracle from 'dns-packet';
import { formatMessage, parseMessage } from './message.ts';
import { addressOctets, formatAddress, formatLabels, parseLabels, reverseName } from './name.ts';
import { composeQuery } from './query.ts';

test('reads what dns-packet writes', () => {
  const octets = oracle.encode({
    type: 'response',
    id: 4711,
    flags: oracle.AUTHORITATIVE_ANSWER | oracle.RECURSION_DESIRED,
    questions: [{ type: 'SRV', name: 'a.example.org' }],
    answers: [
      {
        type: 'SRV',
        name: 'a.example.org',
        ttl: 30,
        data: { priority: 1, weight: 2, port: 3, target: 'b.example.org' },
      },
      { type: 'TXT', name: 'a.example.org', ttl: 30, data: ['one', 'two "x"'] },
      { type: 'MX', name: 'a.example.org', ttl: 30, data: { preference: 10, exchange: 'mx.example.org' } },
    ],
    authorities: [
      {
        type: 'SOA',
        name: 'example.org',
        ttl: 60,
        data: {
          mname: 'ns.example.org',
          rname: 'x.example.org',
          serial: 1,
          refresh: 2,
          retry: 3,
          expire: 4,
          minimum: 5,
        },
      },
    ],
    additionals: [
      { type: 'AAAA', name: 'b.example.org', ttl: 30, data: '2001:db8::1' },
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 1232,
        extendedRcode: 1,
        ednsVersion: 0,
        flags: oracle.DNSSEC_OK,
        flag_do: true,
        options: [{ code: 12, length: 2 }],
      },
    ],
  });
  assert.equal(
    formatMessage(parseMessage(octets)).replace(/ [0-9]+ octets.*/, ''),
    [
      'BADVERS qr aa rd opcode=0 id=4711 1/3/1/2',
      '  question a.example.org. IN SRV',
      '  answer a.example.org. 30 SRV 1 2 3 b.example.org.',
      '  answer a.example.org. 30 TXT "one" "two \\"x\\""',
      '  answer a.example.org. 30 MX 10 mx.example.org.',
      '  authority example.org. 60 SOA ns.example.org. x.example.org. 1 2 3 4 5',
      '  additional b.example.org. 30 AAAA 2001:db8::1',
      '  opt 1232 do PADDING=0000',
    ].join('\n'),
  );
});

test('dns-packet reads what composeQuery writes', () => {
  const options = [{ code: 10, octets: Buffer.from('3132333435363738', 'hex') }];
  const octets = composeQuery({
    id: 7,
    name: 'A.b.',
    type: 28,
    class: 3,
    flags: 0x0110,
    edns: { size: 600, isDo: true, options },
  });
  const read = oracle.decode(Buffer.from(octets));
  assert.deepEqual(read.questions, [{ name: 'A.b', type: 'AAAA', class: 'CH' }]);
  assert.equal(read.additionals?.[0]?.type, 'OPT');
  assert.equal(read.id, 7);
});

const malformed: readonly (readonly [string, string])[] = [
  ['no header', '1234'],
  ['a question that is cut', '123481800001000000000000 0377'],
  ['a pointer loop', '123481800001000000000000 c00c 0001 0001'],
  ['a pointer forward', '123481800001000000000000 c020 0001 0001'],
  ['a label type', '123481800001000000000000 41 00 0001 0001'],
  ['rdata outside the message', '123481800000000100000000 00 0001 0001 00000001 0004 0102'],
  ['rdata longer than its fields', '123481800000000100000000 00 0001 0001 00000001 0005 0102030405'],
  ['a character-string outside its rdata', '123481800000000100000000 00 0010 0001 00000001 0002 0561'],
  ['an option outside its OPT', '123481800000000000000001 00 0029 0200 00000000 0004 000a 0002'],
];
for (const [what, hex] of malformed) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseMessage(Buffer.from(hex.replaceAll(' ', ''), 'hex')));
  });
}

test('sees octets behind the message and records behind the OPT', () => {
  const opt = '00 0029 0200 00000000 0000';
  const record = '00 0001 0001 00000001 0004 01020304';
  const hex = `123481800000000000000002 ${opt} ${record} ff`.replaceAll(' ', '');
  const message = parseMessage(Buffer.from(hex, 'hex'));
  assert.equal(message.trailingBytes, 1);
  assert.equal(message.opts[0]?.isLast, false);
  assert.equal(message.additional.length, 1);
});

test('names and addresses in both directions', () => {
  for (const name of ['.', 'a.', 'a\\.b\\\\.c\\000\\255\\032.example.', 'xn--a.']) {
    assert.equal(formatLabels(parseLabels(name)), name);
  }
  for (const address of [
    '10.0.0.1',
    '::',
    '::1',
    '2001:db8::',
    '2001:db8:0:1::1',
    '1:2:3:4:5:6:7:8',
    'fd00:10:96::53',
  ]) {
    assert.equal(formatAddress(addressOctets(address)), address);
  }
  assert.equal(reverseName('10.96.0.80'), '80.0.96.10.in-addr.arpa.');
  assert.equal(
    reverseName('fd00:10:96::53'),
    '3.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa.',
  );
});
