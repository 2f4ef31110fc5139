// Rdata as CoreDNS's DNS library takes it: the engine and the slow face's reader agree, for every type that it knows, on
// whole rdata and on all its cuts. That both are CoreDNS's is shown by test/e2e/rdata.e2e.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OctetReader } from '../../host/dns/octet-reader.ts';
import { expandRdata } from '../../host/dns/rdata-names.ts';
import { RDATA, STUCK } from '../dns/rdata-samples.ts';
import { compileEngine, createMemory, IMAGE_OK, TestEngine } from './image-engine.ts';
import { composeReply, replyOf } from './image-messages.ts';

const engine = new TestEngine(compileEngine(), createMemory(), 0);
const QUESTION = 'www.example.';

/** What both say of a record in a reply: undefined when it is taken, else why not. */
function verdict(type: number, rdata: readonly number[]): string | undefined {
  const reply = composeReply(
    replyOf(QUESTION, [{ name: QUESTION, type, class: 1, ttl: 30, rdata: [rdata] }]),
    'standard',
  );
  const isTaken = engine.take(reply) === IMAGE_OK;
  let problem: string | undefined;
  try {
    expandRdata(new OctetReader(reply, reply.length - rdata.length), type, rdata.length, 'answer');
  } catch (error) {
    problem = (error as Error).message;
  }
  assert.equal(isTaken, problem === undefined, `TYPE${type} ${Buffer.from(rdata).toString('hex')}: ${problem}`);
  return problem;
}

const octetsOf = (text: string) => [...Buffer.from(text.replaceAll(' ', ''), 'hex')];

test('both readers agree on rdata of every type, on its cuts, and on an octet more', () => {
  engine.ask(QUESTION);
  let refused = 0;
  for (const [type, text] of [...RDATA, ...STUCK]) {
    const whole = octetsOf(text);
    for (let bytes = 0; bytes <= whole.length; bytes++)
      if (verdict(type, whole.slice(0, bytes)) !== undefined) refused++;
    if (verdict(type, [...whole, 0]) !== undefined) refused++;
  }
  assert.ok(refused > 500, String(refused));
});

test('what is refused, in the words of the library', () => {
  engine.ask(QUESTION);
  const refusals: readonly (readonly [number, string, string])[] = [
    [1, '0102', 'A: dns: overflow unpacking a'],
    [28, '0102', 'AAAA: dns: overflow unpacking aaaa'],
    [1, '0102030405', 'dns: bad rdlength'],
    [15, '00', 'MX.Preference: dns: overflow unpacking uint16'],
    [15, '0001 05 6162', 'MX.Mx: dns: buffer size too small'],
    [33, '0001 0001 0001 80', 'SRV.Target: dns: bad rdata'],
    [16, '05 6162', 'TXT.Txt: dns: overflow unpacking txt'],
    [35, '0001 0001 05 61', 'NAPTR.Flags: dns: overflow unpacking txt'],
    [42, '0003 08 01 01', 'APL.Prefixes: dns: unrecognized APL address family'],
    [42, '0001 21 01 01', 'APL.Prefixes: dns: APL prefix too long'],
    [47, '00 0000', 'NSEC.TypeBitMap: dns: empty NSEC(3) block in type bitmap'],
    [47, '00 0001 40 0001 40', 'NSEC.TypeBitMap: dns: out of order NSEC(3) block in type bitmap'],
    [50, '01 00 0001 05 aa', 'dns: overflow unpacking hex'],
    [64, '0001 00 0001 0003 05 6832', 'SVCB.Value: bad svcbalpn: alpn array overflowing'],
    [65, '0001 00 0003 0001 01', 'HTTPS.Value: bad svcbport: port length is not exactly 2 octets'],
    [65, '0001 00 0007 0000 0003 0002 01bb', 'HTTPS.Value: dns: SVCB keys not in strictly increasing order'],
    [65, '0001 00 ffff 0000', 'HTTPS.Value: dns: bad SVCB key'],
    [108, '0102', 'EUI48.Address: dns: overflow unpacking uint64 as uint48'],
    [128, '00', 'dns: bad rdlength'],
    [255, '01', 'dns: bad rdlength'],
    [257, '00 05 6162', 'CAA.Tag: dns: overflow unpacking txt'],
  ];
  for (const [type, text, problem] of refusals) assert.equal(verdict(type, octetsOf(text)), problem);
});
