import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLAG_AA, FLAG_AD, FLAG_RA, FLAG_RD, FLAG_TC } from '../../../engine-as/shared/codes.ts';
import type { BlockProgram, Outcome, RelayStep } from '../../../host/plugin/contract.ts';
import { Labels } from '../../../host/plugin/metadata.ts';
import { forward } from '../../../host/plugins/forward/forward.ts';
import { readerOf } from '../../corefile/reader-of.ts';
import { answerOf, chainEnd, queryFor } from '../queries.ts';
import { scene, withUpstream } from './scene.ts';
import { goodAnswer, manyAddresses, truncated } from './scripted-upstream.ts';

const outer = answerOf({ from: 'outer' });

function answered(outcome: Outcome) {
  assert.equal(outcome.kind, 'answer');
  if (outcome.kind !== 'answer') throw new Error('unreachable');
  return outcome;
}

test('the slow face relays the message and returns the reply as an answer', () =>
  scene(
    '',
    (query) => goodAnswer(query, { flags: FLAG_AA }),
    async ({ up, world }) => {
      const { next, asked } = chainEnd(outer);
      const outcome = answered(await world.plugin.answer(queryFor('WWW.example', { handle: 0 }), next));
      assert.deepEqual([outcome.rcode, outcome.flags, outcome.from], [0, FLAG_AA | FLAG_RD | FLAG_RA, 'forward']);
      assert.equal(outcome.answer.length, 1);
      assert.equal(Buffer.from(up.seen[0]!.message.questions[0]!.wire).toString(), '\x03WWW\x07example\0');
      assert.equal(asked.length, 0);
    },
  ));

test('the slow face: AD for the cache, TCP for a TCP client', () =>
  scene('', goodAnswer, async ({ up, world }) => {
    const { next } = chainEnd(outer);
    const handle = world.exchanges.open('a.example', { wantsAd: true });
    await world.plugin.answer(queryFor('a.example', { handle, proto: 'tcp' }), next);
    world.exchanges.fail(handle, 0, '');
    assert.deepEqual([up.seen[0]!.proto, up.seen[0]!.message.flags], ['tcp', FLAG_RD | FLAG_AD]);
  }));

test('the slow face: names that are not forwarded go to the next plugin', () =>
  scene('forward example UP {\nexcept no.example\n}', goodAnswer, async ({ up, world }) => {
    const { next, asked } = chainEnd(outer);
    for (const name of ['other.test', 'a.no.example', 'no.example', 'xexample']) {
      assert.equal(await world.plugin.answer(queryFor(name, { handle: 0 }), next), outer);
    }
    assert.deepEqual([asked.length, up.seen.length], [4, 0]);
  }));

test('the slow face: FORMERR for another question, SERVFAIL with the error text, REFUSED over the limit', async () => {
  await scene(
    '',
    (query) => goodAnswer(query, { type: 28 }),
    async ({ world }) => {
      const outcome = answered(await world.plugin.answer(queryFor('a.example', { handle: 0 }), chainEnd(outer).next));
      assert.deepEqual([outcome.rcode, outcome.error, outcome.answer.length], [1, undefined, 0]);
    },
  );
  await scene(
    'max_concurrent 1\nread_timeout 40ms',
    () => undefined,
    async ({ world }) => {
      const { next } = chainEnd(outer);
      const first = world.plugin.answer(queryFor('a.example', { handle: 0 }), next);
      const second = answered(await world.plugin.answer(queryFor('b.example', { handle: 0 }), next));
      assert.deepEqual([second.rcode, second.error], [5, 'concurrent queries exceeded maximum 1']);
      const outcome = answered(await first);
      assert.equal(outcome.rcode, 2);
      assert.match(outcome.error!, /^read udp .*: i\/o timeout$/);
    },
  );
});

test('the slow face: garbage in the records fails the attempt', () =>
  scene(
    '',
    (query) => {
      const octets = goodAnswer(query);
      // The owner of the address record becomes a pointer to itself
      const owner = octets.length - 14 - 11;
      return Uint8Array.from([...octets.subarray(0, owner), 0xc0, owner, ...octets.subarray(-14)]);
    },
    async ({ up, world }) => {
      const outcome = answered(await world.plugin.answer(queryFor('a.example', { handle: 0 }), chainEnd(outer).next));
      assert.deepEqual([outcome.rcode, outcome.error, up.seen.length], [2, 'dns: too many compression pointers', 2]);
    },
  ));

test('the slow face: the size that the client advertised counts', () =>
  scene(
    '',
    (query) => goodAnswer(query, { addresses: manyAddresses(60) }),
    async ({ world }) => {
      const outcome = answered(await world.plugin.answer(queryFor('a.example', { handle: 0 }), chainEnd(outer).next));
      assert.deepEqual([outcome.flags & FLAG_TC, outcome.answer.length], [FLAG_TC, 0]);
    },
  ));

test('the slow face: next hands over to the following stanza, then to the next plugin', () =>
  withUpstream(
    (query) => goodAnswer(query, { rcode: 3, addresses: [] }),
    async (empty) => {
      const body = `forward . ${empty.text} {\nnext NXDOMAIN\n}\nforward example UP`;
      await scene(body, goodAnswer, async ({ up, world }) => {
        const { next } = chainEnd(outer);
        const outcome = answered(await world.plugin.answer(queryFor('a.example', { handle: 0 }), next));
        assert.deepEqual([outcome.rcode, up.seen.length], [0, 1]);
        assert.equal(await world.plugin.answer(queryFor('a.test', { handle: 0 }), next), outer);
      });
    },
  ));

test('the slow face: prefer_udp', () =>
  scene(
    'prefer_udp',
    (query) => (query.proto === 'udp' ? truncated(query) : goodAnswer(query)),
    async ({ up, world }) => {
      const outcome = answered(await world.plugin.answer(queryFor('a.example', { handle: 0 }), chainEnd(outer).next));
      assert.deepEqual([outcome.answer.length, up.seen.length], [1, 2]);
    },
  ));

test('compile: one relay step a stanza; the slow face where the engine cannot know the way', () => {
  const compiled = (body: string, plugins: readonly string[]) => {
    const steps: (RelayStep | 'slow')[] = [];
    const program = {
      block: { plugins },
      anyClass: () => {},
      relay: (step: RelayStep) => steps.push(step),
      slow: () => steps.push('slow'),
    } as unknown as BlockProgram;
    forward.compile!(forward.parse(readerOf('forward', body)), program, undefined);
    return steps;
  };
  const two = 'forward a.test ::1 {\nexcept b.a.test\n}\nforward . ::2';
  const steps = [
    { zone: 'a.test.', except: ['b.a.test.'] },
    { zone: '.', except: [] },
  ];
  assert.deepEqual(compiled(two, ['forward', 'whoami']), steps);
  assert.deepEqual(compiled('forward a.test ::1 {\nexcept test\n}', ['forward']), ['slow']);
  const handing = 'forward . ::1 {\nnext NXDOMAIN\n}\nforward a.test ::2';
  assert.equal(compiled(handing, ['cache', 'forward']).length, 2);
  assert.deepEqual(compiled(handing, ['forward', 'whoami']), ['slow']);
  assert.equal(compiled('forward . ::1 {\nnext NXDOMAIN\n}\nforward . ::2', ['forward', 'whoami']).length, 2);
});

test("the slow face: the upstream's spelling of the question comes along", () =>
  scene(
    '',
    (query) =>
      goodAnswer({
        message: {
          ...query.message,
          questions: [{ ...query.message.questions[0]!, wire: Buffer.from('\x01a\x07example\0') }],
        },
      }),
    async ({ world }) => {
      const outcome = answered(await world.plugin.answer(queryFor('A.EXAMPLE', { handle: 0 }), chainEnd(outer).next));
      assert.equal(Buffer.from(outcome.question!.wire).toString(), '\x01a\x07example\0');
    },
  ));

test('label forward/upstream names the upstream that was asked last', () =>
  withUpstream(
    ({ octets }) => Uint8Array.from([...octets.subarray(0, 12), 0x80, 0, 0, 0]),
    async (broken) => {
      const body = `forward . ${broken.text} UP {\npolicy sequential\n}`;
      await scene(body, goodAnswer, async ({ up, world }) => {
        const metadata = new Labels();
        const query = { ...queryFor('a.example', { handle: 0 }), metadata };
        assert.equal(answered(await world.plugin.answer(query, chainEnd(outer).next)).rcode, 0);
        assert.equal(broken.seen.length, 1);
        assert.equal(metadata.get('forward/upstream'), up.text);
      });
    },
  ));
