import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CLASS_CH, CLASS_IN, FLAG_AA, TYPE_A, TYPE_AAAA, TYPE_SRV, TYPE_TXT } from '../../../engine-as/shared/codes.ts';
import { composeName, spelledText } from '../../../host/dns/name.ts';
import type { BlockProgram, Query, ServerBlock, ShardServices } from '../../../host/plugin/contract.ts';
import { whoami } from '../../../host/plugins/whoami/whoami.ts';
import { readerOf } from '../../corefile/reader-of.ts';
import { rdataText } from '../../dns/rdata-forms.ts';
import { queryFor } from '../queries.ts';

test('parse', () => {
  assert.deepEqual(whoami.parse(readerOf('whoami', ' whoami')), {});
  assert.deepEqual(whoami.parse(readerOf('whoami', ' whoami\n whoami y')), {}, 'only the first one is looked at');
  const wrong: readonly (readonly [string, number, string, string])[] = [
    [' whoami x', 2, 'x', "Wrong argument count or unexpected line ending after 'x'"],
    [' whoami {\n x\n }', 2, '{', "Unexpected token '{', expecting argument"],
    [' whoami {\n }', 2, '{', "Unexpected token '{', expecting argument"],
  ];
  for (const [body, line, word, text] of wrong) {
    const message = `plugin/whoami: Corefile:${line} - Error during parsing: ${text}`;
    assert.throws(() => whoami.parse(readerOf('whoami', body)), { name: 'CorefileError', line, word, message });
  }
});

test('the fast face is one whoami step', () => {
  let count = 0;
  whoami.compile!({}, { whoami: () => count++ } as unknown as BlockProgram, undefined);
  assert.equal(count, 1);
});

/** The answer, its additional section as `OWNER TTL CLASS TYPE RDATA`. */
async function answerFor(query: Query) {
  const plugin = whoami.create!({}, {} as ServerBlock, {} as ShardServices, undefined);
  const outcome = await plugin.answer!(query, () => assert.fail('whoami ends the chain'));
  assert.ok(outcome.kind === 'answer');
  const additional = outcome.additional.map(
    ({ wire, name, ttl, class: rclass, type, rdata }) =>
      `${wire === undefined ? name : spelledText(wire)} ${ttl} ${rclass} ${type} ${rdataText(type, rdata)}`,
  );
  return { ...outcome, additional };
}

test('IPv4 over UDP, in the spelling of the question', async () => {
  assert.deepEqual(await answerFor(queryFor('WWW.Example.org.')), {
    kind: 'answer',
    rcode: 0,
    flags: FLAG_AA,
    answer: [],
    authority: [],
    additional: [
      `WWW.Example.org. 0 ${CLASS_IN} ${TYPE_A} 127.0.0.1`,
      `_udp.WWW.Example.org. 0 ${CLASS_IN} ${TYPE_SRV} 0 0 40212 .`,
    ],
    from: 'whoami',
  });
});

test('IPv6 over TCP, any type and class', async () => {
  const remote = { address: 'fe80::1%lo', port: 65535, family: 6 as const };
  const query = queryFor('a.', { remote, proto: 'tcp', class: CLASS_CH, type: TYPE_TXT });
  assert.deepEqual((await answerFor(query)).additional, [
    `a. 0 ${CLASS_CH} ${TYPE_AAAA} fe80::1`,
    `_tcp.a. 0 ${CLASS_CH} ${TYPE_SRV} 0 0 65535 .`,
  ]);
});

test('the root', async () => {
  assert.deepEqual((await answerFor(queryFor('.'))).additional, [
    `. 0 ${CLASS_IN} ${TYPE_A} 127.0.0.1`,
    `_udp. 0 ${CLASS_IN} ${TYPE_SRV} 0 0 40212 .`,
  ]);
});

test('a name with no room for another label has no SRV', async () => {
  const fitting = `${`${'a'.repeat(61)}.`.repeat(4)}`;
  assert.equal(composeName(fitting).length + 5, 254);
  assert.equal((await answerFor(queryFor(fitting))).additional.length, 2);
  assert.equal((await answerFor(queryFor(`x${fitting}`))).additional.length, 2);
  assert.equal((await answerFor(queryFor(`xx${fitting}`))).additional.length, 1);
});
