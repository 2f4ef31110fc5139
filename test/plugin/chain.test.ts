import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorAnswer, foldChain, type Link, PluginError, reportAbove } from '../../host/plugin/chain.ts';
import type { Answer, Next, Outcome, Plugin, Query } from '../../host/plugin/contract.ts';

const query = { name: 'www.example.', type: 1 } as Query;
const noBridge = async (): Promise<Outcome> => assert.fail('nothing is relayed here');

function link(name: string, plugin?: Partial<Plugin>, seesQueries = true): Link {
  return { name, plugin: plugin && { name, ...plugin }, seesQueries };
}

function answering(from: string): Answer {
  return { kind: 'answer', rcode: 0, flags: 0, answer: [], authority: [], additional: [], from };
}

test('a query goes down the chain and the outcome comes up', async () => {
  const passed: string[] = [];
  const passing = (name: string) =>
    link(name, {
      answer: async (asked, next) => {
        passed.push(`${name} down`);
        const outcome = await next(asked);
        passed.push(`${name} up`);
        return outcome;
      },
    });
  const links = [
    passing('a'),
    link('config', undefined, false),
    link('silent', {}),
    passing('b'),
    link('end', { answer: async () => answering('end') }),
  ];
  assert.deepEqual(await foldChain(links, 0, noBridge)(query), answering('end'));
  assert.deepEqual(passed, ['a down', 'b down', 'b up', 'a up']);
  passed.length = 0;
  await foldChain(links, 3, noBridge)(query);
  assert.deepEqual(passed, ['b down', 'b up']);
});

test('the end of the chain is SERVFAIL in the name of the last plugin that sees queries', async () => {
  const next = (_query: Query, below: Next) => below(_query);
  const links = [link('errors', {}), link('cache', { answer: next }), link('reload', undefined, false)];
  const expected = errorAnswer(2, '', 'plugin/cache: no next plugin found');
  assert.deepEqual(await foldChain(links, 0, noBridge)(query), expected);
  assert.deepEqual(await foldChain(links, 3, noBridge)(query), expected);
});

test('a plugin that throws rejects with its name, the innermost one', async () => {
  const passing: Partial<Plugin> = { answer: (asked, next) => next(asked) };
  const throwing: Partial<Plugin> = {
    answer: () => {
      throw new Error('no such thing');
    },
  };
  const links = [link('outer', passing), link('inner', throwing)];
  await assert.rejects(foldChain(links, 0, noBridge)(query), (error) => {
    assert.ok(error instanceof PluginError);
    assert.equal(error.plugin, 'inner');
    assert.equal(error.message, 'plugin/inner: no such thing');
    return true;
  });
});

test('calling next() twice is an error, also when the first call is still under way', async () => {
  for (const answer of [
    async (asked: Query, next: Next) => {
      await next(asked);
      return next(asked);
    },
    async (asked: Query, next: Next) => (await Promise.all([next(asked), next(asked)]))[0],
  ]) {
    const links = [link('twice', { answer }), link('end', { answer: async () => answering('end') })];
    await assert.rejects(foldChain(links, 0, noBridge)(query), /plugin\/twice: .*next\(\) called twice for one query/);
    // One query's call is not another's
    await assert.rejects(foldChain(links, 0, noBridge)(query), /called twice/);
  }
});

test('plugins above hear of a failure, nearest first; those below do not', async () => {
  const heard: string[] = [];
  const hearing = (name: string) =>
    link(name, { onError: (_query, rcode, text) => void heard.push(`${name} ${rcode} ${text}`) });
  const links = [
    hearing('a'),
    hearing('b'),
    link('broken', { answer: async () => errorAnswer(2, 'broken', 'no route') }),
    hearing('c'),
  ];
  await foldChain(links, 0, noBridge)(query);
  assert.deepEqual(heard, ['b 2 no route', 'a 2 no route']);
  heard.length = 0;
  reportAbove(links, 2, query, 5, 'refused');
  assert.deepEqual(heard, ['b 5 refused', 'a 5 refused']);
  heard.length = 0;
  reportAbove(links, Number.MAX_SAFE_INTEGER, query, 2, 'x');
  assert.deepEqual(heard, ['c 2 x', 'b 2 x', 'a 2 x']);
});

test('a plugin that mends a failure keeps it from those above; an empty text is no failure', async () => {
  const heard: string[] = [];
  const links = [
    link('hears', { onError: (_query, _rcode, text) => void heard.push(text) }),
    link('mends', {
      answer: async (asked, next) => {
        await next(asked);
        return answering('mends');
      },
    }),
    link('broken', { answer: async () => errorAnswer(2, 'broken', 'no route') }),
  ];
  assert.deepEqual(await foldChain(links, 0, noBridge)(query), answering('mends'));
  const quiet = [links[0]!, link('quiet', { answer: async () => errorAnswer(5, 'quiet', '') })];
  await foldChain(quiet, 0, noBridge)(query);
  assert.deepEqual(heard, []);
});

test('a plugin that can only relay is asked through the bridge', async () => {
  const relaying = link('forward', { relay: () => {} });
  const seen: string[] = [];
  const bridge = async (plugin: Plugin, asked: Query): Promise<Outcome> => {
    seen.push(`${plugin.name} ${asked.name}`);
    return answering('forward');
  };
  assert.deepEqual(await foldChain([relaying], 0, bridge)(query), answering('forward'));
  assert.deepEqual(seen, ['forward www.example.']);
});
