// Both faces of the rules against each other: the slow face is the model (the case files hold it against CoreDNS), on
// random rules, names and replies.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FLAG_QR, FLAG_RD, OUTCOME_RELAY, OUTCOME_SLOW, RCODE_MASK } from '../../../engine-as/shared/codes.ts';
import { composeMessage, type Message, parseMessage, type ResourceRecord, rcodeOf } from '../../../host/dns/message.ts';
import { composeName, nameText } from '../../../host/dns/name.ts';
import type { Answer, Query, ShardServices } from '../../../host/plugin/contract.ts';
import { fastRules, requiredLiteral } from '../../../host/plugins/rewrite/fast-rules.ts';
import { compilePattern, groupsOf } from '../../../host/plugins/rewrite/pattern.ts';
import { createRewriter } from '../../../host/plugins/rewrite/rewriter.ts';
import type { NameMatch, Rule } from '../../../host/plugins/rewrite/rules.ts';
import { composeAnswer } from '../../../host/shard/slow-path.ts';
import { saveLast } from '../../engine/exchange.ts';
import { cacheStep, EngineWorld } from '../../engine/world.ts';
import { queryFor } from '../queries.ts';

const SERVICES = { isEchoed: () => false } as unknown as ShardServices;

// A small alphabet, so that rules match often; `\.` and `@` are octets inside labels that need an escape.
const label = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 3 });
const names = fc.array(fc.oneof({ weight: 9, arbitrary: label }, fc.constantFrom('a\\.b', 'x\\@', 'B', 'aB')), {
  maxLength: 5,
});
const name = names.map((labels) => `${labels.join('.')}.`);
const text = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => `${labels.join('.')}.`);
const how = fc.constantFrom<NameMatch['how']>('exact', 'prefix', 'suffix', 'substring');
// A FROM that begins with a dot, turned back, leaves an empty label
const from = fc.oneof(
  { weight: 5, arbitrary: text },
  text.map((name) => `.${name}`),
);
const match = fc.record({ how, from });
const type = fc.constantFrom(1, 5, 15, 28);
const qclass = fc.constantFrom(1, 3);
const isLast = fc.boolean();
const rule: fc.Arbitrary<Rule> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      field: fc.constant('name' as const),
      match,
      to: fc.oneof({ weight: 8, arbitrary: text }, fc.constantFrom('.', `${'l'.repeat(60)}.${'m'.repeat(60)}.`)),
      isAuto: fc.boolean(),
      answers: fc.constant([]),
      isLast,
    }),
  },
  fc.record({ field: fc.constant('type' as const), from: type, to: type, isLast }),
  fc.record({ field: fc.constant('class' as const), from: qclass, to: qclass, isLast }),
  fc.record({
    field: fc.constant('ttl' as const),
    match,
    minSeconds: fc.nat(40),
    maxSeconds: fc.integer({ min: 40, max: 90 }),
    isLast,
  }),
  fc.record({
    field: fc.constant('rcode' as const),
    match,
    from: fc.constantFrom(0, 2, 3),
    to: fc.constantFrom(0, 2, 3),
    isLast,
  }),
);

function wireOf(spelled: string): Uint8Array {
  return composeName(spelled === '.' ? '.' : spelled);
}

function recordOf(owner: string, target: string, rtype: number, ttl: number): ResourceRecord {
  const wire = wireOf(owner);
  const rdata = rtype === 1 ? [192, 0, 2, 1] : rtype === 15 ? [0, 1, ...wireOf(target)] : [...wireOf(target)];
  return { name: nameText(wire), wire, type: rtype, class: 1, ttl, rdata: Uint8Array.from(rdata) };
}

/** Owners are the question itself, names near it, and others. */
function replyOf(
  query: Message,
  owners: readonly string[],
  rtype: number,
  ttls: readonly number[],
  rcode: number,
): Message {
  const question = query.questions[0]!;
  const records = owners.map((owner, i) =>
    recordOf(owner, owners[(i + 1) % owners.length]!, i % 2 ? rtype : 1, ttls[i]!),
  );
  const asked = { name: question.name, wire: question.wire, type: 5, class: 1, ttl: 33, rdata: wireOf(owners[0]!) };
  const below = {
    ...recordOf(`b.${question.name === '.' ? '' : question.name}`.slice(0, 200).replace(/[^.]*$/, ''), 'a.', 1, 44),
  };
  return {
    id: query.id,
    flags: FLAG_QR | (query.flags & FLAG_RD) | rcode,
    questions: [question],
    answer: [asked, ...records.slice(0, 2)],
    authority: records.slice(2),
    additional: [below],
  };
}

interface Seen {
  readonly asked: Message['questions'][number] | undefined;
  /** Undefined: it is withheld. */
  readonly reply: unknown;
}

/** What the slow face makes of it; undefined if it answers by itself. */
async function slowly(rules: readonly Rule[], query: Query, reply: (message: Message) => Message): Promise<Seen> {
  let asked: Query | undefined;
  const outcome = (await createRewriter({ rules }, SERVICES).answer!(query, async (seen) => {
    asked = seen;
    const { answer, authority, additional, flags, ...rest } = reply(seen.message);
    return {
      kind: 'answer',
      rcode: rcodeOf({ flags, ...rest }),
      flags: flags & ~RCODE_MASK,
      answer,
      authority,
      additional,
      from: 'test',
    } satisfies Answer;
  })) as Answer;
  return {
    asked: asked?.message.questions[0],
    reply: outcome.withheld === undefined ? meaning(parseMessage(composeAnswer(query, outcome))) : undefined,
  };
}

function meaning({ flags, questions, answer, authority, additional }: Message): unknown {
  const plain = ({ name: owner, wire, ...rest }: ResourceRecord) => ({
    owner: Buffer.from(wire ?? wireOf(owner)).toString('latin1'),
    ...rest,
  });
  return { flags, questions, sections: [answer, authority, additional].map((section) => section.map(plain)) };
}

describe('the fast face does what the slow face does', () => {
  const cacheWorld = new EngineWorld();
  for (const hasCache of [false, true]) {
    test(hasCache ? 'behind a cache' : 'without a cache', async () => {
      const world = new EngineWorld();
      let fast = 0;
      let all = 0;
      const scene = fc.record({
        rules: fc.array(rule, { minLength: 1, maxLength: 5 }),
        asked: name,
        type,
        class: qclass,
        owners: fc.array(name, { minLength: 4, maxLength: 4 }),
        rtype: fc.constantFrom(5, 15, 2),
        ttls: fc.array(fc.integer({ min: 6, max: 29 }), { minLength: 4, maxLength: 4 }),
        rcode: fc.constantFrom(0, 2, 3),
      });
      await fc.assert(
        fc.asyncProperty(
          scene,
          async ({ rules, asked, type: qtype, class: askedClass, owners, rtype, ttls, rcode }) => {
            all++;
            const query = queryFor(asked, { type: qtype, class: askedClass });
            loadChain(world, rules, hasCache);
            const { outcome } = world.ask(composeMessage(query.message), { tcp: true });
            const left = saveLast(world);
            if (outcome === OUTCOME_SLOW) {
              assert.equal(left.step, 0);
              return;
            }
            assert.equal(outcome, OUTCOME_RELAY);
            fast++;
            const reply = (message: Message) => replyOf(message, owners, rtype, ttls, rcode);
            const slow = await slowly(rules, query, (message) =>
              hasCache ? fromCache(message, reply(message)) : reply(message),
            );
            const saved = parseMessage(left.message);
            assert.deepEqual(saved.questions[0], slow.asked);
            const end = left.finish(composeMessage(reply(saved)));
            assert.deepEqual(end!.length > 0 ? meaning(parseMessage(end!)) : undefined, slow.reply);
          },
        ),
        { numRuns: 1500 },
      );
      assert.ok(fast > all / 2, `only ${fast} of ${all} took the fast face`);
    });
  }

  test('with a name that is turned back to none: nothing is sent', async () => {
    const suffix = { how: 'suffix' as const, from: '.a.' };
    const rules: Rule[] = [{ field: 'name', match: suffix, to: 'b.c.', isAuto: true, answers: [], isLast: true }];
    const world = new EngineWorld();
    loadChain(world, rules, false);
    for (const [owner, isSent] of [
      ['xb.c.', true],
      ['b.c.', false],
    ] as const) {
      const query = queryFor('x.a.');
      world.ask(composeMessage(query.message), { tcp: true });
      const left = saveLast(world);
      const reply = (message: Message) => replyOf(message, ['a.', 'a.', owner, 'a.'], 5, [1, 2, 3, 4], 0);
      const slow = await slowly(rules, query, reply);
      assert.equal(slow.reply !== undefined, isSent);
      assert.equal(left.finish(composeMessage(reply(parseMessage(left.message))))!.length > 0, isSent);
    }
  });

  /** What plugin cache passes on, which is the engine's own business: asked without any rules. */
  function fromCache(query: Message, reply: Message): Message {
    const world = cacheWorld;
    loadChain(world, [], true);
    world.ask(composeMessage(query), { tcp: true });
    return parseMessage(saveLast(world).finish(composeMessage(reply))!);
  }

  function loadChain(world: EngineWorld, rules: readonly Rule[], hasCache: boolean): void {
    world.load(['.'], (steps) => {
      steps.anyClass();
      if (rules.length > 0) steps.rewrite(fastRules(rules));
      if (hasCache) steps.cache(cacheStep(world.createCache(64, 64), { disableSuccess: [], disableDenial: [] }));
      steps.relay({ zone: '.', except: [] });
    });
  }
});

describe('the literal of an expression', () => {
  const cases: Readonly<Record<string, string>> = {
    '(.*)\\.service\\.example\\.org': '.service.example.org',
    '^(.*)-(us-west-1)\\.example\\.org\\.$': '.example.org.',
    'ab+c': 'ab',
    'ab*cd': 'cd',
    'ab?c': 'a',
    'ab{2}cde': 'cde',
    'ab{2': 'a',
    '[a-z]+x[]y]z': 'x',
    '[[:alpha:]]x': 'x',
    '(abc)?d': 'd',
    'a\\dbc': 'bc',
    'abc|d': '',
    '(?i)abc': '',
    '\\Qabc\\E': '',
    '\\x41bc': '',
    'a.b\\.c': 'b.c',
    '': '',
  };
  for (const [source, literal] of Object.entries(cases)) {
    test(`/${source}/`, () => assert.equal(requiredLiteral(source), literal));
  }

  test('is in every text that matches', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      'c',
      '\\.',
      '.',
      '[ab]',
      '(ab)',
      '(a|b)',
      'a*',
      'b+',
      'c?',
      'a{2}',
      '(b)?',
      '^',
      '$',
      '\\w',
    );
    const source = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(''));
    const subject = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '.'), maxLength: 8 });
    fc.assert(
      fc.property(source, subject, (expression, subjectText) => {
        if (groupsOf(compilePattern(expression), subjectText) === undefined) return;
        assert.ok(subjectText.includes(requiredLiteral(expression)));
      }),
      { numRuns: 3000 },
    );
  });
});
