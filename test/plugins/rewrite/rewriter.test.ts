// The slow face by itself: what the case files cannot show.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseMessage, rcodeOf } from '../../../host/dns/message.ts';
import { composeName, spelledText } from '../../../host/dns/name.ts';
import { composeAddress } from '../../../host/dns/rdata.ts';
import { errorAnswer } from '../../../host/plugin/chain.ts';
import type { Answer, Query, ShardServices } from '../../../host/plugin/contract.ts';
import { Labels } from '../../../host/plugin/metadata.ts';
import { isName } from '../../../host/plugins/rewrite/asked.ts';
import { parseRewrite } from '../../../host/plugins/rewrite/parse.ts';
import { compilePattern, fillGroups, groupsOf } from '../../../host/plugins/rewrite/pattern.ts';
import { createRewriter } from '../../../host/plugins/rewrite/rewriter.ts';
import { composeAnswer } from '../../../host/shard/slow-path.ts';
import { composeTarget } from '../../dns/rdata-forms.ts';
import { answerOf, chainEnd, queryFor, recordOf } from '../queries.ts';
import { readerOf } from '../support/reader.ts';

const partial: Pick<ShardServices, 'isEchoed'> = { isEchoed: (code) => code === 65000 };
const services = partial as ShardServices;

async function run(lines: string, query: Query, below: Answer = answerOf()) {
  const plugin = createRewriter(parseRewrite(readerOf('rewrite', lines)), services);
  const { next, asked } = chainEnd(below);
  const outcome = await plugin.answer!(query, next);
  return { asked: asked[0], outcome: outcome as Answer };
}

describe('a query', () => {
  test('that no rule matches goes on as the same object', async () => {
    const query = queryFor('Other.example.');
    const { asked, outcome } = await run('rewrite name a.example b.example', query);
    assert.equal(asked, query);
    assert.equal(outcome.rewritten, undefined);
  });

  test('keeps its labels, client and handle', async () => {
    const query = queryFor('a.example.', { handle: 77 });
    const { asked } = await run('rewrite name a.example b.example', query);
    assert.deepEqual({ name: asked!.name, handle: asked!.handle }, { name: 'b.example.', handle: 77 });
    assert.equal(asked!.metadata, query.metadata);
    assert.equal(spelledText(asked!.message.questions[0]!.wire), 'b.example.');
  });

  test('gives metadata labels and ports to local options', async () => {
    const metadata = new Labels();
    metadata.set('plugin/label', () => 'xyz');
    metadata.set('plugin/empty', () => '');
    const lines = ['plugin/label', 'plugin/empty', 'plugin/absent', 'server_port', 'client_port', 'server_ip'].map(
      (word, i) => `rewrite continue edns0 local set ${i + 1000} {${word}}`,
    );
    const { asked } = await run(lines.join('\n'), queryFor('a.example.', { metadata }));
    const options = asked!.message.edns!.options.map(({ code, octets }) => [code, Buffer.from(octets).toString('hex')]);
    assert.deepEqual(options, [
      [1000, '78797a'],
      [1003, '0035'],
      [1004, '9d14'],
      [1005, '7f000001'],
    ]);
  });

  test('of an IPv6 client has IPv6 octets, and none of a wildcard of the other family', async () => {
    const remote = { address: '2001:db8::5', port: 1, family: 6 as const };
    const local = { address: '::', port: 53, family: 6 as const };
    const lines = 'rewrite continue edns0 local set 1000 {client_ip}\nrewrite edns0 subnet set 24 36';
    const { asked } = await run(lines, queryFor('a.', { remote, local }));
    const hex = asked!.message.edns!.options.map(({ octets }) => Buffer.from(octets).toString('hex'));
    assert.deepEqual(hex, ['20010db8000000000000000000000005', '0002240020010db800']);
    const other = await run('rewrite edns0 local set 1000 {server_ip}', queryFor('a.', { local }));
    assert.equal(other.asked!.message.edns, undefined);
  });
});

describe('a reply', () => {
  test('of a failed query is written, and reported with rcode 0', async () => {
    const { outcome } = await run(
      'rewrite name a.example b.example',
      queryFor('a.example.'),
      errorAnswer(2, 'x', 'why'),
    );
    assert.equal(outcome.error, undefined);
    assert.equal(outcome.rcode, 2);
    assert.deepEqual(outcome.rewritten!.reported, { rcode: 0, text: 'why' });
  });

  test('has the query logged as CoreDNS has it in the end', async () => {
    const base = 12 + 11 + 4; // a.example.
    const edns = { payloadBytes: 4096, extendedRcode: 0, version: 0, flags: 0, options: [] };
    const asked = { ...edns, options: [{ code: 65100, octets: new Uint8Array(6) }] };
    const plain = queryFor('a.example.');
    const query = { ...plain, message: { ...plain.message, edns: asked } };
    const logged = async (lines: string, below?: Answer) =>
      (await run(lines, query, below)).outcome.rewritten!.loggedBytes;
    const failure = errorAnswer(2, 'x', 'why');
    // The engine knows what is borrowed of an OPT that nobody reverts
    assert.equal(await logged('rewrite type A AAAA'), undefined);
    // What rewrite writes borrows the OPT, without what is not echoed: 65000 is
    assert.equal(await logged('rewrite type A AAAA', failure), base + 11);
    assert.equal(await logged('rewrite edns0 local set 65000 abcd revert', failure), base + 11 + 8);
    // A reply borrows a copy in which the options are reverted
    assert.equal(await logged('rewrite edns0 local set 65000 abcd revert'), base + 11 + 10 + 8);
    // Its owner is the root then
    const owned = { ...plain, message: { ...plain.message, edns: { ...asked, owner: composeName('x.') } } };
    const { rewritten } = (await run('rewrite type A AAAA', owned, failure)).outcome;
    assert.equal(rewritten!.loggedBytes, base + 11);
    // Options count as CoreDNS's library packs them: a timeout of 0 is none
    asked.options.push({ code: 11, octets: new Uint8Array(2) });
    assert.equal(await logged('rewrite edns0 local set 65000 abcd revert'), base + 11 + 10 + 4 + 8);
  });

  test('that has led a CNAME elsewhere has the query logged with the new target', async () => {
    const plugin = createRewriter(parseRewrite(readerOf('rewrite', 'rewrite cname b.example. longer.example.')), {
      ...services,
      resolve: async () => answerOf(),
    });
    const { next } = chainEnd(answerOf({ answer: [recordOf(5, 'a.example.', ...composeTarget('b.example.'))] }));
    const outcome = (await plugin.answer!(queryFor('a.example.'), next)) as Answer;
    assert.equal(outcome.rewritten!.loggedBytes, 12 + 'longer.example.'.length + 1 + 4);
  });

  test('keeps the class and TTL of records whose names are turned back', async () => {
    const below = answerOf({ answer: [recordOf(1, 'b.example.', 1, 2, 3, 4)] });
    const { outcome } = await run('rewrite name A.example b.example', queryFor('A.example.'), below);
    assert.deepEqual(outcome.answer, [{ ...below.answer[0]!, name: 'a.example.', wire: undefined }]);
    assert.equal(outcome.rewritten!.isRestored, true);
  });

  test('of every type that rules know has its name replaced', async () => {
    const target = composeTarget('x.b.example.');
    const soa = new Uint8Array([...target, ...target, ...new Uint8Array(20)]);
    const naptr = new Uint8Array([0, 1, 0, 2, 1, 0x75, 0, 2, 0x61, 0x62, ...target]);
    const records: readonly (readonly [number, Uint8Array, number])[] = [
      [33, new Uint8Array([0, 0, 0, 0, 0, 80, ...target]), 6],
      [15, new Uint8Array([0, 5, ...target]), 2],
      [5, target, 0],
      [2, target, 0],
      [39, target, 0],
      [35, naptr, 10],
      [6, soa, 0],
      [12, target, 0],
    ];
    const below = answerOf({ authority: records.map(([type, rdata]) => recordOf(type, 'o.example.', ...rdata)) });
    const lines = 'rewrite name suffix a.example b.example answer auto';
    const { outcome } = await run(lines, queryFor('q.a.example.'), below);
    records.forEach(([type, rdata, at], i) => {
      const rest = rdata.subarray(at + target.length);
      const wanted = new Uint8Array([...rdata.subarray(0, at), ...composeTarget('x.a.example.'), ...rest]);
      assert.deepEqual(outcome.authority[i]!.rdata, wanted, `type ${type}`);
    });
  });

  test('with rdata that is cut stays as it is', async () => {
    const below = answerOf({ answer: [recordOf(5, 'o.', 3, 0x61), recordOf(35, 'o.', 0, 1), recordOf(33, 'o.')] });
    const { outcome } = await run('rewrite name suffix a. b. answer auto', queryFor('a.'), below);
    assert.deepEqual(
      outcome.answer.map(({ rdata }) => rdata),
      below.answer.map(({ rdata }) => rdata),
    );
  });

  test('whose replaced name is none cannot be packed: it is withheld, and counted with the text', async () => {
    const below = answerOf({ answer: [{ ...recordOf(1, 'b.example.'), rdata: composeAddress('192.0.2.1') }] });
    const texts: readonly (readonly [to: string, bytes: number | undefined])[] = [
      [`${'x'.repeat(64)}.{1}`, 64 + 1 + 11],
      ['{1}', 11], // b.example.. where normal() puts a dot behind the group
      ['.{1}', 12],
      ['a\\046.', undefined],
      ['y.example.', undefined],
    ];
    for (const [to, bytes] of texts) {
      const lines = `rewrite name suffix a.example b.example answer name (.*) ${to}`;
      const { outcome } = await run(lines, queryFor('a.example.'), below);
      assert.equal(outcome.withheld, bytes, to);
    }
  });

  test('whose broken name a later rule mends is sent', async () => {
    const below = answerOf({ answer: [{ ...recordOf(1, 'b.example.'), rdata: composeAddress('192.0.2.1') }] });
    // The last rule comes first
    const lines = 'rewrite name suffix a.example b.example answer name ^(.*)\\.\\.$ c.example. name (.*) {1}';
    const { outcome } = await run(lines, queryFor('a.example.'), below);
    assert.equal(outcome.withheld, undefined);
    assert.equal(outcome.answer[0]!.name, 'c.example.');
  });

  test('whose names are broken in rdata is withheld; one that is too long stays as it was', async () => {
    const target = composeTarget('x.b.example.');
    const below = answerOf({ answer: [recordOf(5, 'o.example.', ...target)] });
    const broken = await run('rewrite name exact a. b. answer value (.*) {1}', queryFor('a.'), below);
    assert.equal(broken.outcome.withheld, 'x.b.example..'.length);
    const long = 'l'.repeat(60);
    const lines = `rewrite name exact a. b. answer value (.*)\\.$ {1}.${long}.${long}.${long}.${long}`;
    const tooLong = await run(lines, queryFor('a.'), below);
    assert.equal(tooLong.outcome.withheld, undefined);
    assert.deepEqual(tooLong.outcome.answer[0]!.rdata, target);
  });

  test('has a TTL rule clamp the flags of its OPT, which is a record too', async () => {
    const edns = { payloadBytes: 4096, extendedRcode: 0, version: 0, flags: 0x8000, options: [] };
    const { outcome } = await run('rewrite ttl a. -30', queryFor('a.'), answerOf({ edns }));
    assert.equal(outcome.edns!.flags, 30);
  });

  test('has its own rcode in the OPT, whatever a TTL rule makes of that', async () => {
    const edns = { payloadBytes: 4096, extendedRcode: 0, version: 0, flags: 0x8000, options: [] };
    const query = queryFor('a.');
    const { outcome } = await run('rewrite ttl a. 4294967295', query, answerOf({ edns }));
    assert.equal(rcodeOf(parseMessage(composeAnswer(query, outcome))), 0);
  });
});

describe('expressions', () => {
  test('cost linear time, whatever the name', () => {
    const evil = compilePattern('(a*)*b'.repeat(1600).slice(0, 9996));
    const started = performance.now();
    for (let i = 0; i < 3; i++) assert.equal(groupsOf(evil, 'a'.repeat(255)), undefined);
    // A backtracking matcher would need 2^255 steps
    assert.ok(performance.now() - started < 20_000);
  });

  test('fill groups one after the other, as Go does, and not without end', () => {
    assert.equal(fillGroups('{1}-{2}', ['', '{2}', 'x']), 'x-x');
    assert.equal(fillGroups('{1}.{3}', ['', 'a', 'b']), 'a.{3}');
    const doubling = Array.from({ length: 60 }, (_, i) => `{${i + 1}}{${i + 1}}`);
    assert.ok(fillGroups('{0}', doubling).length < 1_000_000);
  });
});

test('names as the DNS library of CoreDNS takes them', () => {
  const label = 'a'.repeat(63);
  for (const name of ['.', 'a.', 'a', 'a\\.b.', '\\097.', `${label}.`, `${`${label}.`.repeat(4)}`, 'a b.']) {
    assert.ok(isName(name), name);
  }
  for (const name of ['', '..', '.a.', 'a..b.', `a${label}.`, `${`${label}.`.repeat(5)}`, 'a\\']) {
    assert.ok(!isName(name), name);
  }
});
