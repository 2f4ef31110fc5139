import assert from 'node:assert/strict';
import { test } from 'node:test';
import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { EDNS_DO, TYPE_A, TYPE_MX, TYPE_SOA, TYPE_SRV, TYPE_TXT } from '../../engine-as/shared/codes.ts';
import { isDo } from '../../host/dns/edns.ts';
import {
  composeMessage,
  type Message,
  MessageError,
  OwnerPlaces,
  opcodeOf,
  parseMessage,
  rcodeOf,
} from '../../host/dns/message.ts';
import { composeName } from '../../host/dns/name.ts';
import { parseMx, parseSoa, parseSrv, rdataText } from './rdata-forms.ts';

const octetsOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));

/** A name of one plain label, its root label included. */
const QUERY = '1234 0100 0001 0000 0000 0000 03 777777 00 0001 0001';

const wire = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 5 })
  .map((labels) => Uint8Array.from([...labels.flatMap((octets) => [octets.length, ...octets]), 0]));
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
/** Types and options whose octets are whatever they are. */
const opaqueType = fc.integer({ min: 262, max: 32767 });
const opaqueCode = fc.integer({ min: 20, max: 0xffff });
const record = fc.record({ wire, type: opaqueType, class: u16, ttl: u32, rdata: fc.uint8Array({ maxLength: 40 }) });

function messageOf(shape: {
  id: number;
  flags: number;
  question: { wire: Uint8Array; type: number; class: number };
  sections: readonly (readonly { wire: Uint8Array; type: number; class: number; ttl: number; rdata: Uint8Array }[])[];
  options: readonly { code: number; octets: Uint8Array }[] | undefined;
}): Message {
  const named = shape.sections.map((list) => list.map((each) => ({ ...each, name: 'unused.' })));
  return {
    id: shape.id,
    flags: shape.flags,
    questions: [{ ...shape.question, name: 'unused.' }],
    answer: named[0]!,
    authority: named[1]!,
    additional: named[2]!,
    edns: shape.options && { payloadBytes: 1232, extendedRcode: 1, version: 0, flags: EDNS_DO, options: shape.options },
  };
}

test('property: compose -> parse -> compose gives the same octets', () => {
  const shape = fc.record({
    id: u16,
    flags: u16,
    question: fc.record({ wire, type: u16, class: u16 }),
    sections: fc.array(fc.array(record, { maxLength: 4 }), { minLength: 3, maxLength: 3 }),
    options: fc.option(
      fc.array(fc.record({ code: opaqueCode, octets: fc.uint8Array({ maxLength: 20 }) }), { maxLength: 3 }),
      {
        nil: undefined,
      },
    ),
  });
  fc.assert(
    fc.property(shape, (drawn) => {
      const octets = composeMessage(messageOf(drawn));
      const parsed = parseMessage(octets);
      assert.deepEqual(parsed.questions[0]?.wire, drawn.question.wire);
      assert.equal(parsed.edns === undefined, drawn.options === undefined);
      assert.equal(isDo(parsed.edns), drawn.options !== undefined);
      assert.equal(rcodeOf(parsed), (drawn.flags & 15) + (drawn.options === undefined ? 0 : 16));
      assert.deepEqual(Buffer.from(composeMessage(parsed)), Buffer.from(octets));
    }),
  );
});

test('property: records that dns-packet wrote are read alike', () => {
  const name = fc
    .array(fc.stringMatching(/^[a-z0-9]{1,12}$/), { minLength: 1, maxLength: 4 })
    .map((labels) => labels.join('.'));
  const answers = fc.array(
    fc.oneof(
      fc.record({ type: fc.constant('A' as const), name, ttl: u32, data: fc.ipV4() }),
      fc.record({ type: fc.constantFrom('CNAME' as const, 'NS' as const, 'PTR' as const), name, ttl: u32, data: name }),
      fc.record({
        type: fc.constant('SRV' as const),
        name,
        ttl: u32,
        data: fc.record({ priority: u16, weight: u16, port: u16, target: name }),
      }),
      fc.record({
        type: fc.constant('MX' as const),
        name,
        ttl: u32,
        data: fc.record({ preference: u16, exchange: name }),
      }),
    ),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(answers, u16, (list, id) => {
      const theirs = dnsPacket.encode({ type: 'response', id, answers: list });
      const parsed = parseMessage(theirs);
      assert.equal(parsed.id, id);
      assert.equal(parsed.answer.length, list.length);
      parsed.answer.forEach((ours, i) => {
        const their = list[i]!;
        assert.equal(ours.name, `${their.name}.`);
        assert.equal(ours.ttl, their.ttl);
        assert.equal(rdataText(ours.type, ours.rdata), dataText(their.data));
      });
      const again = dnsPacket.decode(Buffer.from(composeMessage(parsed)));
      assert.deepEqual(again.answers, dnsPacket.decode(theirs).answers);
    }),
  );
});

type TheirData =
  | string
  | { preference?: number; exchange: string }
  | { priority?: number; weight?: number; port: number; target: string };

function dataText(data: TheirData): string {
  if (typeof data === 'string') return /^\d+\.\d+\.\d+\.\d+$/.test(data) ? data : `${data}.`;
  if ('exchange' in data) return `${data.preference} ${data.exchange}.`;
  return `${data.priority} ${data.weight} ${data.port} ${data.target}.`;
}

test('the question keeps its spelling beside the lower-case name', () => {
  const parsed = parseMessage(octetsOf('1234 2900 0001 0000 0000 0000 03 575777 02 C3C9 00 0001 0001'));
  assert.equal(parsed.questions[0]?.name, 'www.\\195\\201.');
  assert.deepEqual(parsed.questions[0].wire, octetsOf('03 575777 02 C3C9 00'));
  assert.equal(opcodeOf(parsed), 5);
});

test('an owner keeps its spelling only where it differs', () => {
  const record = '00 0001 0001 0000001e 0004 01020304';
  const parsed = parseMessage(octetsOf(`0000 8000 0000 0002 0000 0000 01 41 ${record} 01 61 ${record}`));
  assert.deepEqual(parsed.answer[0]?.wire, octetsOf('01 41 00'));
  assert.equal(parsed.answer[0].name, 'a.');
  assert.equal(parsed.answer[1]?.name, 'a.');
  assert.equal(parsed.answer[1].wire, undefined);
});

test('compressed names are expanded, in rdata as well', () => {
  const parsed = parseMessage(
    octetsOf(`0000 8000 0001 0003 0000 0000  03 777777 02 6465 00 0006 0001
      c00c 0006 0001 00000001 001a 01 61 c010 c00c 00000001 00000002 00000003 00000004 00000005
      c00c 000f 0001 00000001 0004 000a c010
      c00c 0021 0001 00000001 0008 0001 0002 0003 c00c`),
  );
  const [soa, mx, srv] = parsed.answer;
  assert.deepEqual(parseSoa(soa!.rdata), {
    mname: 'a.de.',
    rname: 'www.de.',
    serial: 1,
    refresh: 2,
    retry: 3,
    expire: 4,
    minimum: 5,
  });
  assert.deepEqual(parseMx(mx!.rdata), { preference: 10, exchange: 'de.' });
  assert.deepEqual(parseSrv(srv!.rdata), { priority: 1, weight: 2, port: 3, target: 'www.de.' });
  assert.deepEqual(
    parsed.answer.map((each) => [each.name, each.type]),
    [
      ['www.de.', TYPE_SOA],
      ['www.de.', TYPE_MX],
      ['www.de.', TYPE_SRV],
    ],
  );
});

test('the last of two OPTs counts; the other stays in the additional section, and owners are kept', () => {
  const octets = octetsOf(
    `${QUERY.replace(/0000 0000 03/, '0000 0002 03')} 00 0029 0200 00000000 0000 0158 00 0029 04d0 01008000 0006 0003 0002 abcd`,
  );
  const parsed = parseMessage(octets);
  assert.deepEqual(
    parsed.additional.map(({ name, type, class: size }) => [name, type, size]),
    [['.', 41, 512]],
  );
  assert.deepEqual(composeMessage(parsed), octets);
  assert.deepEqual(parsed.edns, {
    owner: octetsOf('0158 00'),
    payloadBytes: 1232,
    extendedRcode: 1,
    version: 0,
    flags: EDNS_DO,
    options: [{ code: 3, octets: octetsOf('abcd') }],
  });
});

test('what CoreDNS takes without complaint', () => {
  assert.equal(parseMessage(octetsOf(`${QUERY} ffffffff`)).questions.length, 1, 'octets behind the records');
  assert.equal(parseMessage(octetsOf(QUERY).subarray(0, -2)).questions[0]?.class, 0, 'no class');
  assert.equal(parseMessage(octetsOf(QUERY).subarray(0, 12)).questions.length, 0, 'only a header');
  const counted = octetsOf(QUERY);
  counted[7] = 9;
  assert.equal(parseMessage(counted).answer.length, 0, 'more records counted than there are');
});

test('wrong messages', () => {
  const withQuestion = (name: string) => `0000 0000 0001 0000 0000 0000 ${name} 0001 0001`;
  const withRecord = (rest: string) => `0000 8000 0000 0001 0000 0000 ${rest}`;
  const wrong: readonly (readonly [string, RegExp, string])[] = [
    ['', /cut/, 'nothing'],
    ['00000000000000000000 00', /ARCOUNT: cut/, 'cut header'],
    [withQuestion('c00c'), /too many compression pointers/, 'pointer to itself'],
    [withQuestion('01 61 c00c'), /too many compression pointers|exceeds 255/, 'pointer to its own name'],
    [withQuestion('c0ff'), /cut/, 'pointer behind the end'],
    [withQuestion('40 61 00'), /label type 1/, 'extended label'],
    [withQuestion('80 61 00'), /label type 2/, 'reserved label'],
    [withQuestion(`${`3f${'61'.repeat(63)}`.repeat(4)}00`), /exceeds 255/, 'name of 257 octets'],
    ['0000 0000 0001 0000 0000 0000 05 6161', /cut/, 'cut label'],
    ['0000 0000 0001 0000 0000 0000 c0', /cut/, 'cut pointer'],
    [`${QUERY.slice(0, -2)}`, /class: cut/, 'cut class'],
    [withRecord('00 0001 0001 00000000 0005 01020304'), /rdata: cut/, 'rdata beyond the end'],
    [withRecord('00 0001 0001 0000'), /TTL: cut/, 'cut TTL'],
    [
      withRecord('00 0005 0001 00000000 0003 01 61 00 ff'.replace('0003', '0004')),
      /bad rdlength/,
      'octets behind a name',
    ],
    [
      withRecord('00 0005 0001 00000000 0002 01 61 00'),
      /CNAME.Target: dns: buffer size too small/,
      'name that leaves the rdata',
    ],
    [
      withRecord('00 0023 0001 00000000 0006 00000000 09 00'),
      /NAPTR.Flags: dns: overflow unpacking txt/,
      'cut character-string',
    ],
    [withRecord('00 0029 04d0 00000000 0003 000300'), /OPT.Option: dns: overflow unpacking opt/, 'cut EDNS option'],
    [
      withRecord('00 0029 04d0 00000000 0005 0003 0002 ff'),
      /OPT.Option: dns: overflow unpacking opt/,
      'EDNS option beyond the rdata',
    ],
  ];
  for (const [hex, message, title] of wrong) {
    const octets = octetsOf(hex.replace(/^(0000 8000 0000) 0001 0000 0000 (?=00 0029)/, '$1 0000 0000 0001 '));
    assert.throws(() => parseMessage(octets), { name: 'MessageError', message }, title);
  }
});

test('property: no octets make parseMessage throw anything but MessageError, and it ends', () => {
  const noise = fc.uint8Array({ maxLength: 300 });
  const counts = fc.array(fc.constantFrom(0, 0, 1, 2, 255), { minLength: 8, maxLength: 8 });
  const pieces = fc.array(
    fc.constantFrom('00', 'c00c', 'c0', '03777777', '0001', '0029', '00000004', '0005', '3f', 'ff'),
  );
  const octets = fc.oneof(
    noise,
    fc.tuple(counts, noise).map(([list, rest]) => Uint8Array.from([0, 0, 0, 0, ...list, ...rest])),
    fc.tuple(counts, pieces).map(([list, rest]) => Uint8Array.from([0, 0, 0, 0, ...list, ...octetsOf(rest.join(''))])),
  );
  fc.assert(
    fc.property(octets, (candidate) => {
      try {
        composeMessage(parseMessage(candidate));
      } catch (error) {
        assert.ok(error instanceof MessageError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('a flood of pointers costs no more than the message', () => {
  // Each name is 127 labels long and reached through a pointer: 5000 records, 255 octets each.
  const head = octetsOf('0000 8000 0001 1388 0000 0000');
  const question = composeName('a.'.repeat(127));
  const record = octetsOf('c00c 0001 0001 00000000 0000');
  const message = Buffer.concat([head, question, octetsOf('0001 0001'), ...Array.from({ length: 5000 }, () => record)]);
  assert.equal(parseMessage(message).answer.length, 5000);
});

test('composeMessage refuses what does not fit', () => {
  const query = parseMessage(octetsOf(QUERY));
  const big = { name: 'a.', type: TYPE_TXT, class: 1, ttl: 0, rdata: new Uint8Array(40_000) };
  assert.throws(() => composeMessage({ ...query, answer: [big, big] }), { name: 'MessageError', message: /65535/ });
  assert.throws(() => composeMessage({ ...query, answer: [{ ...big, rdata: new Uint8Array(65_536) }] }), MessageError);
  assert.throws(
    () => composeMessage({ ...query, answer: [{ ...big, name: 'a..b', rdata: new Uint8Array() }] }),
    MessageError,
  );
  const options = [{ code: 1, octets: new Uint8Array(65_535) }];
  const edns = { payloadBytes: 0, extendedRcode: 0, version: 0, flags: 0, options };
  assert.throws(() => composeMessage({ ...query, edns }), MessageError);
});

test('dns-packet reads the OPT', () => {
  const query = parseMessage(octetsOf(QUERY));
  const options = [{ code: 65001, octets: octetsOf('0102') }];
  const edns = { payloadBytes: 4096, extendedRcode: 0, version: 0, flags: EDNS_DO, options };
  const answer = [{ name: 'www.', type: TYPE_A, class: 1, ttl: 5, rdata: Uint8Array.of(1, 2, 3, 4) }];
  const theirs = dnsPacket.decode(Buffer.from(composeMessage({ ...query, answer, edns })));
  const opt = theirs.additionals?.[0];
  assert.ok(opt?.type === 'OPT');
  assert.equal(opt.udpPayloadSize, 4096);
  assert.equal(opt.flag_do, true);
  assert.deepEqual(
    opt.options.map(({ code, data }) => [code, data]),
    [[65001, Buffer.of(1, 2)]],
  );
});

test('owners that stand in the message already become pointers, in their own spelling only', () => {
  const wire = composeName('www.Example.org.');
  const question = { name: 'www.example.org.', type: 1, class: 1, wire };
  const record = (name: string, spelt?: Uint8Array) => ({
    ...{ name, type: 1, class: 1, ttl: 1, rdata: Uint8Array.of(1, 2, 3, 4) },
    ...(spelt === undefined ? {} : { wire: spelt }),
  });
  const answer = [
    record('www.example.org.', wire),
    record('www.example.org.'),
    record('www.example.org.'),
    record('.'),
  ];
  const message = {
    id: 1,
    flags: 0x8000,
    questions: [question],
    answer,
    authority: [],
    additional: [record('.')],
    edns: undefined,
  };
  const octets = composeMessage(message, new OwnerPlaces());
  const head = 12 + wire.length + 4;
  assert.equal(octets.length, head + 16 + (wire.length + 14) + 16 + 15 + 15);
  assert.deepEqual(parseMessage(octets), message);
});
