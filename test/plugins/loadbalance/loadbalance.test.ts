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
import type { Answer } from '../../../host/plugin/contract.ts';
import { createPlugin } from '../../../host/plugins/loadbalance/loadbalance.ts';
import type { LoadBalanceConfig } from '../../../host/plugins/loadbalance/parse.ts';
import { answerOf, chainEnd, queryFor, recordOf } from '../queries.ts';

const PLAIN: LoadBalanceConfig = { policy: 'round_robin', weights: undefined, prefer: [] };
const NO_LOOKUP = { arrange: () => assert.fail('only weighted asks the engine') };

async function balanced(answer: Answer, random: () => number = Math.random, type = TYPE_A): Promise<Answer> {
  const outcome = await createPlugin(PLAIN, NO_LOOKUP, random).answer!(
    queryFor('www.', { type }),
    chainEnd(answer).next,
  );
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
  assert.equal(await createPlugin(PLAIN, NO_LOOKUP, Math.random).answer!(queryFor('a.'), chainEnd(drop).next), drop);
});

test('weighted asks the engine, for NOERROR only', async () => {
  const config: LoadBalanceConfig = { policy: 'weighted', weights: { file: 'w', reloadMs: 0 }, prefer: [] };
  const arranged = answerOf({ from: 'arranged' });
  const plugin = createPlugin(config, { arrange: () => arranged }, Math.random);
  assert.equal(await plugin.answer!(queryFor('a.'), chainEnd(answerOf()).next), arranged);
  const failed = answerOf({ rcode: 3 });
  assert.equal(await plugin.answer!(queryFor('a.'), chainEnd(failed).next), failed);
});

test('prefer: aliases, addresses by the first subnet that holds them, mail exchangers, other types', async () => {
  const subnets = [
    { octets: Uint8Array.of(10, 1, 0, 0), prefixBits: 16 },
    { octets: Uint8Array.of(10, 0, 0, 0), prefixBits: 8 },
  ];
  const plugin = createPlugin({ ...PLAIN, prefer: subnets }, NO_LOOKUP, Math.random);
  const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];
  const list = [
    recordOf(TYPE_SRV, 'a.', 1),
    recordOf(TYPE_MX, 'a.', 2),
    recordOf(TYPE_A, 'a.', 192, 0, 2, 1),
    recordOf(TYPE_AAAA, 'a.', ...mapped, 10, 9, 0, 4),
    recordOf(TYPE_A, 'a.', 10, 1, 0, 3),
    recordOf(TYPE_CNAME, 'a.', 5),
  ];
  const outcome = await plugin.answer!(queryFor('a.'), chainEnd(answerOf({ answer: list, authority: list })).next);
  assert.ok(outcome.kind === 'answer');
  const last = (records: readonly ResourceRecord[]) => records.map((record) => record.rdata.at(-1));
  assert.deepEqual(last(outcome.answer), [5, 3, 4, 1, 2, 1]);
  assert.deepEqual(last(outcome.authority).slice(0, 2), [5, 1], 'the authority section is only shuffled');
  assert.equal(last(outcome.authority).at(-1), 2);
});
