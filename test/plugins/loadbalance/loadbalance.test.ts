import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  TYPE_A,
  TYPE_AAAA,
  TYPE_AXFR,
  TYPE_CNAME,
  TYPE_IXFR,
  TYPE_MX,
  TYPE_SRV,
} from '../../../engine-as/shared/codes.ts';
import type { ResourceRecord } from '../../../host/dns/message.ts';
import type { Answer, BlockProgram } from '../../../host/plugin/contract.ts';
import { createPlugin, loadbalance } from '../../../host/plugins/loadbalance/loadbalance.ts';
import { readerOf } from '../../corefile/reader-of.ts';
import { answerOf, chainEnd, queryFor, recordOf } from '../queries.ts';

const parse = (body: string) => loadbalance.parse(readerOf('loadbalance', body));

test('parse', () => {
  for (const body of [' loadbalance', ' loadbalance round_robin', ' loadbalance {\n }', ' loadbalance\n loadbalance']) {
    assert.deepEqual(parse(body), { policy: 'round_robin' }, body);
  }
  const wrong: readonly (readonly [string, number, string, string])[] = [
    [' loadbalance best', 2, 'best', 'unknown policy: best'],
    [' loadbalance round_robin x', 2, 'x', "unknown property for round_robin: 'x'"],
    [' loadbalance weighted w.txt', 2, 'weighted', "'weighted' is not supported yet"],
    [' loadbalance {\n prefer 10.0.0.0/8\n }', 3, 'prefer', "'prefer' is not supported yet"],
    [' loadbalance {\n reload 5s\n }', 3, 'reload', "unknown property 'reload'"],
    [' loadbalance\n loadbalance best', 3, 'best', 'unknown policy: best'],
  ];
  for (const [body, line, word, text] of wrong) {
    const message = `plugin/loadbalance: Corefile:${line} - Error during parsing: ${text}`;
    assert.throws(() => parse(body), { name: 'CorefileError', file: 'Corefile', line, word, message });
  }
});

test('the fast face is one rotate step', () => {
  let count = 0;
  loadbalance.compile!({ policy: 'round_robin' }, { rotate: () => count++ } as unknown as BlockProgram, undefined);
  assert.equal(count, 1);
});

async function balanced(answer: Answer, random: () => number = Math.random, type = TYPE_A): Promise<Answer> {
  const outcome = await createPlugin(random).answer!(queryFor('www.', { type }), chainEnd(answer).next);
  assert.ok(outcome.kind === 'answer');
  return outcome;
}
const octets = (records: readonly ResourceRecord[]) => records.map((record) => record.rdata[0]);

test('aliases first, other types in order, then addresses, then mail exchangers, in each section', async () => {
  const list = [
    recordOf(TYPE_MX, 'a.', 1),
    recordOf(TYPE_A, 'a.', 2),
    recordOf(TYPE_SRV, 'a.', 3),
    recordOf(TYPE_CNAME, 'a.', 4),
    recordOf(TYPE_SRV, 'b.', 5),
  ];
  const answer = await balanced(answerOf({ answer: list, authority: list, additional: list, flags: 9, from: 'x' }));
  for (const section of [answer.answer, answer.authority, answer.additional])
    assert.deepEqual(octets(section), [4, 3, 5, 2, 1]);
  assert.deepEqual([answer.flags, answer.from], [9, 'x']);
  assert.deepEqual(octets(list), [1, 2, 3, 4, 5], 'the given lists stay as they are');
});

test('property: the shuffle moves only addresses among themselves and mail exchangers among themselves', async () => {
  const types = fc.array(fc.constantFrom(TYPE_A, TYPE_AAAA, TYPE_MX, TYPE_CNAME, TYPE_SRV), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(types, async (list) => {
      const records = list.map((type, i) => recordOf(type, 'a.', i));
      const { answer } = await balanced(answerOf({ answer: records }));
      const rank = (type: number) =>
        [TYPE_CNAME, TYPE_SRV, TYPE_A, TYPE_MX].indexOf(type === TYPE_AAAA ? TYPE_A : type);
      const ranks = answer.map((record) => rank(record.type));
      assert.deepEqual(
        ranks,
        ranks.toSorted((a, b) => a - b),
      );
      assert.deepEqual(
        answer.map((record) => record.rdata[0]!).toSorted((a, b) => a - b),
        records.map((_, i) => i),
      );
      for (const fixed of [TYPE_CNAME, TYPE_SRV]) {
        const order = octets(answer.filter((record) => record.type === fixed));
        assert.deepEqual(
          order,
          order.toSorted((a, b) => a! - b!),
        );
      }
    }),
  );
});

test('every order of the addresses comes up, each for its share of the random numbers', async () => {
  const seen = new Map<string, number>();
  // Three addresses take two numbers: a grid over both of them meets each of the six orders equally often.
  for (let first = 0; first < 12; first++) {
    for (let second = 0; second < 12; second++) {
      const numbers = [first / 12, second / 12];
      const list = [1, 2, 3].map((octet) => recordOf(octet === 3 ? TYPE_AAAA : TYPE_A, 'a.', octet));
      const { answer } = await balanced(
        answerOf({ answer: list }),
        () => numbers.shift() ?? assert.fail('too many numbers'),
      );
      const order = octets(answer).join('');
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
  }
  assert.deepEqual(
    [...seen].sort(([a], [b]) => (a < b ? -1 : 1)),
    ['123', '132', '213', '231', '312', '321'].map((order) => [order, 24]),
  );
});

test('errors and zone transfers keep their order, drops stay drops', async () => {
  const list = [recordOf(TYPE_A, 'a.', 1), recordOf(TYPE_CNAME, 'a.', 2)];
  assert.deepEqual(octets((await balanced(answerOf({ rcode: 3, answer: list }))).answer), [1, 2]);
  for (const type of [TYPE_AXFR, TYPE_IXFR]) {
    assert.deepEqual(octets((await balanced(answerOf({ answer: list }), Math.random, type)).answer), [1, 2]);
  }
  const drop = { kind: 'drop' as const };
  assert.equal(await createPlugin(Math.random).answer!(queryFor('a.'), chainEnd(drop).next), drop);
});
