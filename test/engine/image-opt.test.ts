import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileEngine, createMemory, IMAGE_OK, optRecord, TestEngine, u16 } from './image-engine.ts';
import { a, composeReply, plainLength, type Rr, replyOf } from './image-messages.ts';
import { parseReply } from './image-reader.ts';

const engine = new TestEngine(compileEngine(), createMemory(), 0);

function emitted(): Uint8Array {
  const octets = engine.emit();
  assert.ok(octets);
  return octets;
}

test('OPT: dropped, or kept and made the client’s', () => {
  const options = Uint8Array.from([0, 15, 0, 2, 0, 3, 0, 3, 0, 1, 65]);
  const model = {
    ...replyOf('www.example.', [a('www.example.', 30, 1, 2, 3, 4)]),
    opt: optRecord(4096, 0x00008001, options),
  };
  const octets = composeReply(model, 'standard');
  engine.ask('www.example.', { edns: 1400 });
  assert.equal(engine.take(octets), IMAGE_OK);
  assert.deepEqual(parseReply(emitted()).opt, optRecord(1400, 0, new Uint8Array()));
  assert.equal(engine.take(octets, { keepOpt: true }), IMAGE_OK);
  assert.deepEqual(parseReply(emitted()).opt, optRecord(1400, 0x8000, options));
  assert.equal(engine.exports.emittedPlainBytes.value, plainLength(model) + 11 + options.length);
  engine.ask('www.example.');
  assert.equal(engine.take(octets), IMAGE_OK);
  assert.equal(parseReply(emitted()).opt, undefined);
  assert.equal(engine.take(octets, { keepOpt: true }), IMAGE_OK);
  assert.deepEqual(parseReply(emitted()).opt, optRecord(4096, 0x8001, options));
  const plain = composeReply({ ...model, opt: optRecord(1232, 0, new Uint8Array()) }, 'standard');
  engine.ask('www.example.', { edns: 1400, isDo: true });
  assert.equal(engine.take(plain, { keepOpt: true }), IMAGE_OK);
  assert.deepEqual(parseReply(emitted()).opt, optRecord(1400, 0x8000, new Uint8Array()));
});

test("two OPTs in an upstream's reply (docs/differences.md): the last one counts", () => {
  const model = {
    ...replyOf('www.example.', [a('www.example.', 30, 1, 2, 3, 4)]),
    opt: optRecord(4096, 0x8000, Uint8Array.from([0, 3, 0, 1, 65])),
  };
  const one = composeReply(model, 'standard');
  const two = Uint8Array.from([...one, 0, 0, 41, 5, 120, 0, 0, 0, 0, 0, 0]);
  two[11] = 2;
  engine.ask('www.example.');
  assert.equal(engine.take(two, { keepOpt: true }), IMAGE_OK);
  const octets = emitted();
  assert.equal(octets[11], 1);
  assert.deepEqual(parseReply(octets).opt, optRecord(1400, 0, new Uint8Array()));
});

test('extended rcodes need an OPT; without one the client is told SERVFAIL', () => {
  // BADCOOKIE = 23: 7 in the header, 1 in the OPT
  const model = { ...replyOf('www.example.', [], [], [], 0x8187), opt: optRecord(1232, 0x01000000, new Uint8Array()) };
  engine.ask('www.example.', { edns: 1232 });
  assert.equal(engine.take(composeReply(model, 'standard')), IMAGE_OK);
  const withOpt = parseReply(emitted());
  assert.equal(withOpt.flags & 15, 7);
  assert.deepEqual(withOpt.opt, optRecord(1232, 0x01000000, new Uint8Array()));
  assert.equal(engine.exports.emittedRcode.value, 23);
  engine.ask('www.example.');
  assert.equal(engine.take(composeReply(model, 'standard')), IMAGE_OK);
  assert.equal(parseReply(emitted()).flags & 15, 2);
  assert.equal(engine.exports.emittedRcode.value, 2);
});

test('a large kept OPT leaves no RR but stays', () => {
  const options = Uint8Array.from([...u16(65001), ...u16(600), ...new Array<number>(600).fill(7)]);
  const model = { ...replyOf('www.example.', [a('www.example.', 30, 1, 2, 3, 4)]), opt: optRecord(1232, 0, options) };
  engine.ask('www.example.');
  assert.equal(engine.take(composeReply(model, 'standard'), { keepOpt: true }), IMAGE_OK);
  const parsed = parseReply(emitted());
  assert.equal(parsed.flags & 0x0200, 0x0200);
  assert.deepEqual(parsed.sections.flat(), []);
  assert.deepEqual(parsed.opt, optRecord(1232, 0, options));
});

test('a signed reply is never truncated', () => {
  const answers = Array.from({ length: 60 }, (_, i) => a('big.example.', 30, 192, 0, 2, i));
  const tsig: Rr = {
    name: 'key.',
    type: 250,
    class: 255,
    ttl: 0,
    rdata: [
      { name: 'hmac-sha256.', pointer: false },
      [0, 0, 0, 0, 0, 1, 1, 44, 0, 32, ...new Array<number>(32).fill(1), 18, 52, 0, 0, 0, 0],
    ],
  };
  engine.ask('big.example.');
  assert.equal(engine.take(composeReply(replyOf('big.example.', answers, [], [tsig]), 'standard')), IMAGE_OK);
  const out = emitted();
  assert.equal(new DataView(out.buffer).getUint16(6), 60);
  assert.equal((out[2] ?? 0) & 2, 0);
});

test('header words of hits and misses', () => {
  const header = (flags: number, query: number, options: { isDo?: boolean } = {}): [number, number, number] => {
    engine.ask('www.example.', { flags: query, ...(options.isDo ? { edns: 1232, isDo: true } : {}) });
    const octets = composeReply(
      replyOf('www.example.', [a('www.example.', 30, 1, 2, 3, 4)], [], [], flags),
      'standard',
    );
    assert.equal(engine.take(octets), IMAGE_OK);
    const at = engine.imageAt;
    return [engine.exports.cachedFlags(at), engine.exports.relayedFlags(at, 1), engine.exports.relayedFlags(at, 0)];
  };
  assert.deepEqual(header(0x8180, 0x0100), [0x8580, 0x8180, 0x8180]);
  assert.deepEqual(header(0x81a0, 0x0100), [0x8580, 0x8180, 0x81a0]);
  assert.deepEqual(header(0x81a0, 0x0120), [0x85a0, 0x81a0, 0x81a0]);
  assert.deepEqual(header(0x81a0, 0x0100, { isDo: true }), [0x85a0, 0x81a0, 0x81a0]);
  assert.deepEqual(header(0x8500, 0x0000), [0x8400, 0x8500, 0x8500]);
  assert.deepEqual(header(0x83c3, 0x0110), [0x8593, 0x83c3, 0x83c3]);
  assert.deepEqual(header(0x8180, 0x2120), [0xa480, 0x8180, 0x8180], 'NOTIFY: neither RD nor CD is copied');
});
