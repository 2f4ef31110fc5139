import assert from 'node:assert/strict';
import { test } from 'node:test';
import oracle from 'dns-packet';
import { CaseError, parseCaseFile } from './case-file.ts';
import { checkReply } from './check.ts';

const HEAD = '# title\n\n- corefile: forward\n- define NAME = www.example.org\n\n';
const BODY = '## case\n\nwhy\n```\n> $NAME A rd\n< NOERROR qr rd 1/1/0/0\nanswer = 30 A 192.0.2.1\n```\n';

test('a case is read', () => {
  const file = parseCaseFile('x.md', HEAD + BODY);
  assert.equal(file.corefile, 'forward');
  assert.equal(file.cases.length, 1);
  const [step] = file.cases[0]!.steps;
  assert.ok(step?.kind === 'ask');
  assert.deepEqual(step.names, ['www.example.org.']);
  assert.equal(file.cases[0]!.place, 'x.md:6');
});

const mistakes: readonly (readonly [string, string])[] = [
  ['no title', `- corefile: forward\n${BODY}`],
  ['no Corefile', `# title\n${BODY}`],
  ['no case', HEAD],
  ['an unknown key', HEAD.replace('- define', '- defines') + BODY],
  ['no reason', HEAD + BODY.replace('why', '')],
  ['no steps', HEAD + BODY.replace(/>[\s\S]*1\n/, '')],
  ['a block that is not closed', HEAD + BODY.replace(/```\n$/, '')],
  ['an unknown type', HEAD + BODY.replace('A rd', 'B rd')],
  ['an unknown word', HEAD + BODY.replace('A rd', 'A rdd')],
  ['an option without EDNS', HEAD + BODY.replace('A rd', 'A do')],
  ['an unknown rcode', HEAD + BODY.replace('NOERROR', 'FINE')],
  ['no counts', HEAD + BODY.replace('1/1/0/0', '')],
  ['an unknown flag', HEAD + BODY.replace('qr rd', 'qr xx')],
  ['an unknown line', HEAD + BODY.replace('answer', 'answers')],
  ['an answer without a question', HEAD + BODY.replace(/> .*\n/, '')],
  ['a question without an answer', HEAD + BODY.replace(/<[\s\S]*1\n/, '')],
  ['two answers to one question', HEAD + BODY.replace('answer', '< silence\nanswer')],
  ['odd octets', HEAD + BODY.replace('> $NAME A rd', '> hex 123')],
  ['brackets that do not match', HEAD + BODY.replace('> $NAME A rd', '> stream [ 1234')],
];
for (const [what, text] of mistakes) {
  test(`a file with ${what} is refused with its line`, () => {
    assert.throws(
      () => parseCaseFile('x.md', text),
      (error) => error instanceof CaseError && /^x\.md:[0-9]+: /.test(error.message),
    );
  });
}

const reply: oracle.Packet = {
  type: 'response',
  id: 0x1234,
  flags: oracle.RECURSION_DESIRED,
  questions: [{ type: 'A', name: 'www.example.org' }],
  answers: [{ type: 'A', name: 'www.example.org', ttl: 30, data: '192.0.2.1' }],
};

function findings(change: Partial<oracle.Packet>, lateSeconds = 0): string[] {
  const step = parseCaseFile('x.md', HEAD + BODY).cases[0]!.steps[0]!;
  assert.ok(step.kind === 'ask');
  const about = {
    sent: Uint8Array.from([0x12, 0x34, ...step.octets.subarray(2)]),
    lateSeconds,
    words: {},
    isExact: true,
  };
  return checkReply(oracle.encode({ ...reply, ...change }), step.expected[0]!, about);
}

test('the expected reply is right', () => {
  assert.deepEqual(findings({}), []);
});

test('other replies are wrong', () => {
  const answer = (change: object) => [{ ...reply.answers![0]!, ...change } as oracle.Answer];
  const others: Partial<oracle.Packet>[] = [
    { id: 1 },
    { flags: 0 },
    { flags: oracle.RECURSION_DESIRED | 3 },
    { questions: [{ type: 'A', name: 'WWW.example.org' }] },
    { answers: [] },
    { answers: answer({ data: '192.0.2.2' }) },
    { answers: answer({ name: 'wWw.example.org' }) },
    { answers: answer({ ttl: 29 }) },
    { answers: answer({ class: 'CH' }) },
    { additionals: answer({}) },
  ];
  for (const other of others) assert.notDeepEqual(findings(other), [], JSON.stringify(other));
});

test('a TTL may be lower by the seconds that the case is late', () => {
  const answers = [{ ...reply.answers![0]!, ttl: 28 } as oracle.Answer];
  assert.deepEqual(findings({ answers }, 2), []);
  assert.notDeepEqual(findings({ answers }, 1), []);
});
