import assert from 'node:assert/strict';
import { test } from 'node:test';
import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { ANY_COUNT, FRESH_LABEL, FRESH_OFFSET, parseQuestions } from '../../../bench/load/questions.ts';

test('a line holds name, type, rcode and count of answers; comments and empty lines hold none', () => {
  const text =
    '; a comment\n\na.example. A\nb.example AAAA NXDOMAIN\n  c.example.  SRV  NOERROR  5 \nd. PTR SERVFAIL *\n';
  const questions = parseQuestions(text, 'file');
  assert.deepEqual(
    questions.map(({ qname, qtype, rcode, answers, isFresh }) => [qname, qtype, rcode, answers, isFresh]),
    [
      ['a.example.', 1, 0, ANY_COUNT, false],
      ['b.example', 28, 3, ANY_COUNT, false],
      ['c.example.', 33, 0, 5, false],
      ['d.', 12, 2, ANY_COUNT, false],
    ],
  );
});

test('the message is what dns-packet reads back', () => {
  const label = fc.stringMatching(/^[a-z0-9_-]{1,63}$/);
  fc.assert(
    fc.property(
      fc.array(label, { minLength: 1, maxLength: 3 }),
      fc.constantFrom('A', 'AAAA', 'SRV', 'PTR'),
      (labels, type) => {
        const [question] = parseQuestions(`${labels.join('.')}. ${type}`, 'file');
        const read = dnsPacket.decode(Buffer.from(question!.message));
        assert.equal(read.flags, 0x100);
        assert.equal(read.questions?.length, 1);
        assert.equal(read.questions?.[0]?.name, labels.join('.'));
        assert.equal(read.questions?.[0]?.type, type);
      },
    ),
  );
});

test('the root is one empty label', () => {
  assert.deepEqual([...parseQuestions('. NS', 'file')[0]!.message.subarray(12)], [0, 0, 2, 0, 1]);
});

test('ten # make a fresh label, whose digits start at FRESH_OFFSET', () => {
  const [question] = parseQuestions(`${FRESH_LABEL}.example. A`, 'file');
  assert.equal(question!.isFresh, true);
  assert.equal(Buffer.from(question!.message).toString('latin1', FRESH_OFFSET, FRESH_OFFSET + 10), FRESH_LABEL);
  assert.equal(parseQuestions('#########.example. A', 'file')[0]!.isFresh, false);
});

for (const [text, message] of [
  ['a. A\nb. BOGUS', /file:2: unknown type "BOGUS"/],
  ['a.', /file:1: unknown type ""/],
  ['a. A NOPE', /file:1: unknown rcode "NOPE"/],
  ['a. A NOERROR x', /file:1: expected a count of answers, got "x"/],
  ['a. A NOERROR -1', /file:1: expected a count of answers/],
  ['a. A NOERROR 1 more', /file:1: unexpected "more"/],
  ['a..b. A', /file:1: bad label ""/],
  [`${'x'.repeat(64)}. A`, /file:1: bad label/],
  [`${'long-label-of-twenty.'.repeat(13)} A`, /file:1: name is longer than 255 octets/],
  ['; nothing\n', /file: holds no question/],
] as const) {
  test(`refused: ${JSON.stringify(text.slice(0, 40))}`, () => {
    assert.throws(() => parseQuestions(text, 'file'), message);
  });
}
