import assert from 'node:assert/strict';
import { test } from 'node:test';
import oracle from 'dns-packet';
import { compareReplies } from './compare.ts';

const base: oracle.Packet = {
  type: 'response',
  id: 1,
  flags: oracle.AUTHORITATIVE_ANSWER,
  questions: [{ type: 'A', name: 'a.example.org' }],
  answers: [
    { type: 'A', name: 'a.example.org', ttl: 30, data: '192.0.2.1' },
    { type: 'A', name: 'a.example.org', ttl: 30, data: '192.0.2.2' },
  ],
  additionals: [
    {
      type: 'OPT',
      name: '.',
      udpPayloadSize: 1232,
      extendedRcode: 0,
      ednsVersion: 0,
      flags: 0,
      flag_do: false,
      options: [],
    },
  ],
};
const differences = (left: oracle.Packet, right: oracle.Packet, slack = 0) =>
  compareReplies(oracle.encode(left), oracle.encode(right), { ttlSlackSeconds: slack }).differences;
const answers = base.answers!;
const answer = (index: number, change: object) => ({ ...answers[index]!, ...change }) as oracle.Answer;

test('the order of records and the case of owners mean nothing', () => {
  assert.deepEqual(differences(base, { ...base, answers: [answers[1]!, answer(0, { name: 'A.Example.org' })] }), []);
});

test('every difference in meaning is seen', () => {
  const others: readonly (readonly [string, oracle.Packet])[] = [
    ['id', { ...base, id: 2 }],
    ['flags', { ...base, flags: 0 }],
    ['rcode', { ...base, flags: oracle.AUTHORITATIVE_ANSWER | 3 }],
    ['question', { ...base, questions: [{ type: 'A', name: 'A.example.org' }] }],
    ['question type', { ...base, questions: [{ type: 'AAAA', name: 'a.example.org' }] }],
    ['a missing record', { ...base, answers: [answers[0]!] }],
    ['a record twice', { ...base, answers: [...answers, answers[0]!] }],
    ['rdata', { ...base, answers: [answers[0]!, answer(1, { data: '192.0.2.3' })] }],
    ['TTL', { ...base, answers: [answers[0]!, answer(1, { ttl: 29 })] }],
    ['section', { ...base, answers: [answers[0]!], authorities: [answers[1]!] }],
    ['no OPT', { ...base, additionals: [] }],
    ['size in the OPT', { ...base, additionals: [{ ...base.additionals![0]!, udpPayloadSize: 512 } as oracle.Answer] }],
    ['DO', { ...base, additionals: [{ ...base.additionals![0]!, flags: oracle.DNSSEC_OK } as oracle.Answer] }],
  ];
  for (const [what, other] of others) {
    assert.notDeepEqual(differences(base, other), [], what);
    assert.notDeepEqual(differences(other, base), [], what);
  }
});

test('TTLs may differ by the slack', () => {
  const later = { ...base, answers: [answer(0, { ttl: 29 }), answer(1, { ttl: 29 })] };
  assert.deepEqual(differences(base, later, 1), []);
  assert.equal(differences(base, later, 0).length, 2);
});

test('truncated replies are compared by the size of their sections', () => {
  const cut = { ...base, flags: oracle.TRUNCATED_RESPONSE, answers: [answers[0]!] };
  assert.deepEqual(differences(cut, { ...cut, answers: [answers[1]!] }), []);
  assert.equal(differences(cut, { ...cut, answers }).length, 1);
});

test('no reply is a difference, and so is a malformed one', () => {
  const octets = oracle.encode(base);
  assert.equal(compareReplies(undefined, undefined, { ttlSlackSeconds: 0 }).differences.length, 0);
  assert.equal(compareReplies(octets, undefined, { ttlSlackSeconds: 0 }).differences.length, 1);
  assert.equal(compareReplies(octets, octets.subarray(0, -3), { ttlSlackSeconds: 0 }).differences.length, 1);
});
