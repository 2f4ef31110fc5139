import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Labels, NO_LABELS } from '../../../host/plugin/metadata.ts';
import { metadata } from '../../../host/plugins/metadata/metadata.ts';
import { parseMetadata } from '../../../host/plugins/metadata/parse.ts';
import { freePort } from '../../e2e/support/ports.ts';
import { ask, serve } from '../../server/process.ts';
import { queryFor } from '../queries.ts';
import { readerOf, refusal } from '../support/reader.ts';
import { testBlock } from '../support/services.ts';

const parse = (inside: string) => parseMetadata(readerOf('metadata', inside));

test('parse: zones', () => {
  assert.deepEqual(parse('metadata').zones, ['.']);
  assert.deepEqual(parse('metadata A.example b.example.').zones, ['a.example.', 'b.example.']);
  assert.deepEqual(parse('metadata 10.0.0.0/8').zones, ['10.in-addr.arpa.']);
  assert.deepEqual(parse('metadata a..b').zones, [], 'what is no zone is skipped');
});

test('parse: a block and a second occurrence are refused', () => {
  const text = 'Wrong argument count or unexpected line ending after';
  assert.equal(
    refusal(() => parse('metadata a.example {\nfoo\n}')),
    `plugin/metadata: Corefile:3 - Error during parsing: ${text} 'foo'`,
  );
  assert.equal(
    refusal(() => parse('metadata\nmetadata')),
    `plugin/metadata: Corefile:3 - Error during parsing: ${text} 'metadata'`,
  );
});

test('labels are collected for names in the zones', () => {
  const plugin = metadata.create!({ zones: ['a.example.'] }, testBlock(['metadata']), undefined as never, undefined);
  const collects = (name: string) => plugin.collectsFor!(queryFor(name));
  assert.deepEqual([collects('a.example.'), collects('x.A.example.'), collects('example.')], [true, true, false]);
});

test('values are worked out when asked for, and the last one counts', () => {
  const labels = new Labels();
  let asked = 0;
  labels.set('a/b', () => String(++asked));
  assert.equal(asked, 0);
  assert.deepEqual([labels.get('a/b'), labels.get('a/c')], ['1', undefined]);
  labels.set('a/b', () => 'new');
  assert.equal(labels.get('a/b'), 'new');
  NO_LABELS.set('a/b', () => 'lost');
  assert.equal(NO_LABELS.get('a/b'), undefined);
});

test('log prints labels where the block keeps them', async (t) => {
  const [kept, lost] = [await freePort(), await freePort()];
  const format = '"{name} {/log/type} {/log/class} {/no/such}"';
  const started = await serve(
    t,
    `.:${kept} {
    metadata
    log . ${format}
    prometheus 127.0.0.1:${await freePort()}
    cache
    whoami
}
.:${lost} {
    log . ${format}
    whoami
}
`,
  );
  await ask(kept, 'a.example.');
  await ask(lost, 'b.example.');
  await ask(kept, 'c.example.', { proto: 'tcp', type: 'AXFR' });
  await started.says(/a\.example\. NOERROR success -\n/);
  await started.says(/b\.example\. - - -\n/);
  await started.says(/c\.example\. META error -\n/);
});
