import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { composeMessage, type ResourceRecord } from '../../host/dns/message.ts';
import { typeName } from '../../host/dns/types.ts';
import { parseRecord, UnwritableRecord, ZoneFileError } from '../../host/dns/zone-file.ts';
import { rdataText } from './rdata-forms.ts';

/** What github.com/miekg/dns v1.1.72 makes of each text: NewRR() and Msg.Pack(), recorded once. */
interface Recorded {
  readonly text: string;
  /** The record's octets, or why there is none. */
  readonly wire?: string;
  readonly error?: string;
  readonly unwritable?: true;
  readonly none?: true;
}

const recorded = JSON.parse(readFileSync(new URL('zone-records.json', import.meta.url), 'utf8')) as Recorded[];

function messageOf(record: ResourceRecord): Uint8Array {
  return composeMessage({ id: 0, flags: 0x8000, questions: [], answer: [record], authority: [], additional: [] });
}

function parsed(text: string): Omit<Recorded, 'text'> {
  try {
    const record = parseRecord(Buffer.from(text, 'utf8').toString('latin1'));
    if (record === undefined) return { none: true };
    return { wire: Buffer.from(messageOf(record).subarray(12)).toString('hex') };
  } catch (error) {
    if (error instanceof ZoneFileError) return { error: error.message };
    if (error instanceof UnwritableRecord) return { unwritable: true };
    throw error;
  }
}

test(`${recorded.length} texts read as CoreDNS reads them`, () => {
  assert.ok(recorded.length > 150);
  for (const { text, ...expected } of recorded) assert.deepEqual(parsed(text), expected, text);
});

test('a record without an owner is none that a message can carry', () => {
  assert.deepEqual(parsed(' 60 IN A 192.0.2.1'), { unwritable: true });
});

test('files are not read', () => {
  assert.match(parsed('$INCLUDE /etc/hostname\n').error!, /\$INCLUDE directive not allowed/);
  assert.match(parsed('$GENERATE 1-2 a$ A 192.0.2.$\n').error!, /\$GENERATE directive not allowed/);
});

test('the text form of records reads back, and another library sees the same octets', () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
  const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => `${labels.join('.')}.`);
  const number = fc.nat(0xffff);
  const address = fc.ipV4();
  const record = fc.oneof(
    address.map((data) => ({ type: 'A', data })),
    fc.ipV6().map((data) => ({ type: 'AAAA', data })),
    name.map((data) => ({ type: 'CNAME', data: data.slice(0, -1) })),
    fc.record({ preference: number, exchange: name }).map(({ preference, exchange }) => ({
      type: 'MX',
      data: { preference, exchange: exchange.slice(0, -1) },
    })),
    fc.record({ priority: number, weight: number, port: number, target: name }).map((data) => ({
      type: 'SRV',
      data: { ...data, target: data.target.slice(0, -1) },
    })),
    fc.array(fc.string({ maxLength: 200 }), { minLength: 1, maxLength: 4 }).map((data) => ({ type: 'TXT', data })),
  );
  fc.assert(
    fc.property(name, fc.nat(0x7fffffff), record, (owner, ttl, body) => {
      const octets = dnsPacket.encode({
        type: 'response',
        answers: [{ name: owner.slice(0, -1), ttl, class: 'IN', ...body } as never],
      });
      // The owner stands uncompressed at octet 12
      const fixed = 12 + owner.length + 1;
      const rdata = Uint8Array.from(octets.subarray(fixed + 10));
      const type = octets.readUInt16BE(fixed);
      const read = parseRecord(`${owner} ${ttl} IN ${typeName(type)} ${rdataText(type, rdata)}`)!;
      assert.deepEqual(
        { name: read.name, ttl: read.ttl, type: read.type, rdata: Buffer.from(read.rdata).toString('hex') },
        { name: owner, ttl, type, rdata: Buffer.from(rdata).toString('hex') },
      );
    }),
    { numRuns: 300 },
  );
});

test('any type in the generic form', () => {
  fc.assert(
    fc.property(fc.nat(0xffff), fc.uint8Array({ maxLength: 40 }), (type, rdata) => {
      fc.pre(![1, 28].includes(type));
      const hex = Buffer.from(rdata).toString('hex');
      const read = parseRecord(`x. 5 TYPE${type} \\# ${rdata.length} ${hex}`)!;
      assert.deepEqual([read.type, Buffer.from(read.rdata).toString('hex')], [type, hex]);
    }),
  );
});

test('whatever the text, it is a record, none, or an error with a place', () => {
  const piece = fc.constantFrom(
    ...recorded.flatMap(({ text }) => text.split(' ')),
    ...['(', ')', '"', ';', '\\', '\n', ' ', '\t', '\\999', '$TTL'],
  );
  const text = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(' '));
  fc.assert(
    fc.property(fc.oneof(text, fc.string()), (input) => {
      const { error } = parsed(input);
      if (error !== undefined) assert.match(error, /^dns: [\s\S]*: ".*" at line: \d+:\d+$/);
    }),
    { numRuns: 3000 },
  );
});
