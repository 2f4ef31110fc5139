import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseQuestions } from '../../../bench/load/questions.ts';
import { Tally } from '../../../bench/load/tally.ts';

const questions = parseQuestions('a.example. A NOERROR 1\nb.example. A NXDOMAIN 0\nc.example. A', 'file');

/** The right answer to a question, with `value` at `offset` instead. */
function reply(index: number, offset = -1, value = 0): Uint8Array {
  const octets = Uint8Array.from(questions[index]!.message);
  octets[2] = 0x85;
  octets[3] = index === 1 ? 3 : 0;
  octets[7] = index === 1 ? 0 : 1;
  if (offset >= 0) octets[offset] = value;
  return octets;
}

function judge(index: number, octets: Uint8Array): boolean {
  const tally = new Tally(questions, false);
  const isRight = tally.count(octets, 0, octets.length, index);
  assert.equal(tally.received, 1);
  assert.equal(tally.right, isRight ? 1 : 0);
  assert.equal(tally.wrong, isRight ? 0 : 1);
  assert.equal(tally.firstWrong === '', isRight);
  return isRight;
}

test('the expected answer is right, for each question its own', () => {
  for (const index of [0, 1, 2]) assert.equal(judge(index, reply(index)), true);
});

for (const [what, index, offset, value] of [
  ['another rcode', 0, 3, 2],
  ['NOERROR instead of NXDOMAIN', 1, 3, 0],
  ['no answer where one is due', 0, 7, 0],
  ['an answer where none is due', 1, 7, 1],
  ['256 answers too many', 0, 6, 1],
  ['a query instead of a response', 0, 2, 1],
  ['a truncated response', 0, 2, 0x87],
] as const) {
  test(`wrong: ${what}`, () => {
    assert.equal(judge(index, reply(index, offset, value)), false);
  });
}

test('any count of answers will do where the file says so', () => {
  assert.equal(judge(2, reply(2, 7, 9)), true);
});

test('a reply shorter than a header is wrong', () => {
  assert.equal(judge(0, reply(0).subarray(0, 11)), false);
});

test('another question in the reply is found by the samples', () => {
  const tally = new Tally(questions, false);
  const foreign = reply(0, 13, 0x7a);
  for (let count = 0; count < 64; count++) tally.count(foreign, 0, foreign.length, 0);
  assert.equal(tally.wrong, 4);
  assert.match(tally.firstWrong, /^a\.example\. type 1: flags 8500, 1 answers/);
});

test('the echo is expected to add nothing, whatever the file says', () => {
  const tally = new Tally(questions, true);
  const echoed = Uint8Array.from(questions[1]!.message);
  echoed[2]! |= 0x80;
  assert.equal(tally.count(echoed, 0, echoed.length, 1), true);
});

test('rcodes and strays are counted, reset forgets all', () => {
  const tally = new Tally(questions, false);
  tally.count(reply(0), 0, reply(0).length, 0);
  tally.count(reply(1), 0, reply(1).length, 1);
  tally.countStray();
  assert.deepEqual([tally.received, tally.right, tally.stray, tally.rcodes[0], tally.rcodes[3]], [3, 2, 1, 1, 1]);
  tally.reset();
  assert.deepEqual([tally.received, tally.right, tally.stray, tally.rcodes[0], tally.rcodes[3]], [0, 0, 0, 0, 0]);
});
