import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '../../../host/log.ts';
import type { Plain, Query, ShardServices } from '../../../host/plugin/contract.ts';
import { errors } from '../../../host/plugins/errors/errors.ts';
import { type ErrorsConfig, parseErrors } from '../../../host/plugins/errors/parse.ts';
import { readerOf, refusal } from '../support/reader.ts';
import { testBlock, testServices } from '../support/services.ts';

const parse = (inside: string) => parseErrors(readerOf('errors', inside));
const QUERY = { name: 'x.dead.test.', type: 1 } as Query;
const REFUSED = 'read udp 127.0.0.1:36966->127.0.0.1:5399: read: connection refused';

test('parse: options', () => {
  assert.deepEqual(parse('errors'), { patterns: [], showsStack: false });
  assert.deepEqual(parse('errors stdout {\nstacktrace\n}'), { patterns: [], showsStack: true });
  // Go lets several groups bear one name
  assert.equal(parse('errors {\nconsolidate 1s (?P<a>x)(?P<a>y)\n}').patterns[0]!.expression, '(?P<a>x)(?P<a>y)');
  assert.deepEqual(parse('errors {\nconsolidate 5m ".* i/o timeout$"\nconsolidate 30s "^F.+" warning show_first\n}'), {
    patterns: [
      { periodMs: 300_000, expression: '.* i/o timeout$', level: 'error', showsFirst: false },
      { periodMs: 30_000, expression: '^F.+', level: 'warning', showsFirst: true },
    ],
    showsStack: false,
  });
});

test('parse: refusals', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['errors out.log', 'invalid log file: out.log'],
    ['errors stdout x', "Wrong argument count or unexpected line ending after 'x'"],
    ['errors {\nconsolidate 5m\n}', "Wrong argument count or unexpected line ending after '5m'"],
    ['errors {\nconsolidate 5 x\n}', 'time: missing unit in duration "5"'],
    ['errors {\nconsolidate 5s (\n}', 'error parsing regexp: missing closing ): `(`'],
    ['errors {\nconsolidate 5s x{2000}\n}', 'error parsing regexp: invalid repeat count: `{2000}`'],
    [`errors {\nconsolidate 5s ${'x'.repeat(10001)}\n}`, 'regex pattern too long: 10001 > 10000'],
    ['errors {\nconsolidate 5s x loud\n}', 'unknown option in consolidate: loud'],
    ['errors {\nconsolidate 5s x info debug\n}', 'multiple log levels specified in consolidate'],
    ['errors {\nconsolidate 5s x show_first info\n}', 'log level must come before show_first in consolidate'],
    ['errors\nerrors', 'this plugin can only be used once per Server Block'],
  ];
  for (const [inside, text] of cases) {
    const message = refusal(() => parse(inside));
    assert(message.startsWith('plugin/errors: Corefile:') && message.endsWith(`: ${text}`), message);
  }
});

/** Both halves, connected as the server connects them; two shards. */
function halves(config: ErrorsConfig) {
  const { services, lines } = testServices();
  const block = testBlock(['errors']);
  const control = errors.control!(config, block, services);
  const shard = () => {
    const partial: Pick<ShardServices, 'log' | 'notifyControl'> = {
      log: createLog((line) => lines.push(line.trimEnd())),
      notifyControl: (message: Plain) => control.onNotice!(structuredClone(message), 0),
    };
    return errors.create!(config, block, partial as ShardServices, undefined);
  };
  return { control, lines, shards: [shard(), shard()] as const };
}

test('parse: other words, and words behind stacktrace, which CoreDNS reads like a line of their own', () => {
  const text = (word: string) => `Syntax error: Unexpected token '${word}', expecting 'Unknown field ${word}'`;
  assert.equal(
    refusal(() => parse('errors {\nnosuch\n}')),
    `plugin/errors: Corefile:3 - ${text('nosuch')}`,
  );
  assert.equal(
    refusal(() => parse('errors {\nstacktrace x\n}')),
    `plugin/errors: Corefile:3 - ${text('x')}`,
  );
  assert.equal(
    refusal(() => parse('errors {\nconsolidat 5m x\n}')),
    `plugin/errors: Corefile:3 - ${text('consolidat')}, did you mean "consolidate"?`,
  );
  assert.equal(parse('errors {\nstacktrace consolidate 5m x\n}').patterns.length, 1);
});

test('one line for each failed query', () => {
  const { lines, shards } = halves({ patterns: [], showsStack: false });
  shards[0].onError!(QUERY, 2, REFUSED);
  shards[1].onError!({ ...QUERY, name: '.', type: 65280 }, 5, 'plugin/whoami: no next plugin found');
  assert.deepEqual(lines, [
    `[ERROR] plugin/errors: 2 x.dead.test. A: ${REFUSED}`,
    '[ERROR] plugin/errors: 5 . TYPE65280: plugin/whoami: no next plugin found',
  ]);
});

test('consolidate: one summary for all shards, and the first matching expression takes the error', async () => {
  const { control, lines, shards } = halves(
    parse('errors {\nconsolidate 200ms ".*refused$" warning show_first\nconsolidate 1h connection\n}'),
  );
  for (const shard of [shards[0], shards[1], shards[0]]) shard.onError!(QUERY, 2, REFUSED);
  shards[1].onError!(QUERY, 2, 'connection reset');
  // What is consolidated reaches the main thread at the end of the turn
  assert.deepEqual(lines, []);
  await Promise.resolve();
  shards[1].onError!(QUERY, 2, 'other');
  assert.deepEqual(lines, [
    `[WARNING] plugin/errors: 2 x.dead.test. A: ${REFUSED}`,
    '[ERROR] plugin/errors: 2 x.dead.test. A: other',
  ]);
  const deadline = Date.now() + 20_000;
  while (lines.length < 3 && Date.now() < deadline) await sleep(20);
  assert.equal(lines[2], "[WARNING] plugin/errors: 3 errors like '.*refused$' occurred in last 200ms");
  await control.stop!();
  assert.deepEqual(lines.slice(3), ["[ERROR] plugin/errors: 1 errors like 'connection' occurred in last 1h0m0s"]);
});

test('consolidate with show_first prints no summary of a single error', async () => {
  const { control, lines, shards } = halves(parse('errors {\nconsolidate 1h refused show_first\n}'));
  shards[0].onError!(QUERY, 2, REFUSED);
  await Promise.resolve();
  await control.stop!();
  assert.deepEqual(lines, [`[ERROR] plugin/errors: 2 x.dead.test. A: ${REFUSED}`]);
});

test('an expression that would explode elsewhere is matched in linear time', () => {
  const { shards, lines } = halves(parse('errors {\nconsolidate 1h "^(a+)+$"\n}'));
  shards[0].onError!(QUERY, 2, `${'a'.repeat(5000)}b`);
  assert.equal(lines.length, 1);
});
