import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Query } from '../../../host/plugin/contract.ts';
import { bufsize } from '../../../host/plugins/bufsize/bufsize.ts';
import { parseBufsize } from '../../../host/plugins/bufsize/parse.ts';
import { UdpClient } from '../../e2e/support/dns-client.ts';
import { freePort } from '../../e2e/support/ports.ts';
import { composeQuery } from '../../e2e/support/query.ts';
import { serve } from '../../server/process.ts';
import { answerOf, chainEnd, queryFor } from '../queries.ts';
import { readerOf, refusal } from '../support/reader.ts';
import { testBlock } from '../support/services.ts';

const parse = (inside: string) => parseBufsize(readerOf('bufsize', inside)).payloadBytes;

test('parse: a size, or that of DNS flag day', () => {
  assert.equal(parse('bufsize'), 1232);
  assert.equal(parse('bufsize 512'), 512);
  assert.equal(parse('bufsize "4096"'), 4096);
  assert.equal(parse('bufsize 600\nbufsize nonsense'), 600, 'the first one counts');
});

test('parse: refusals', () => {
  for (const [inside, word] of [
    ['bufsize 511', '511'],
    ['bufsize 4097', '4097'],
    ['bufsize -1', '-1'],
    ['bufsize abc123', 'abc123'],
    ['bufsize "512 512"', '512 512'],
    ['bufsize 512 512', '512'],
  ] as const) {
    assert.equal(
      refusal(() => parse(inside)),
      `plugin/bufsize: Corefile:2 - Error during parsing: Wrong argument count or unexpected line ending after '${word}'`,
    );
  }
});

test('the slow face lowers what is larger and leaves the rest alone', async () => {
  const plugin = bufsize.create!({ payloadBytes: 1000 }, testBlock(['bufsize']), undefined as never, undefined);
  const seenOf = async (payloadBytes?: number) => {
    const { message, ...query } = queryFor('a.example.');
    const edns = { extendedRcode: 0, version: 0, flags: 0x8000, options: [] };
    const end = chainEnd(answerOf());
    const asked: Query = {
      ...query,
      message: payloadBytes === undefined ? message : { ...message, edns: { ...edns, payloadBytes } },
    };
    await plugin.answer!(asked, end.next);
    return end.asked[0]!.message.edns;
  };
  assert.equal((await seenOf(1001))?.payloadBytes, 1000);
  assert.equal((await seenOf(1001))?.flags, 0x8000);
  assert.equal((await seenOf(1000))?.payloadBytes, 1000);
  assert.equal((await seenOf(0))?.payloadBytes, 0);
  assert.equal(await seenOf(), undefined);
});

test('log, below it in the chain, prints the lowered size', async (t) => {
  const port = await freePort();
  const started = await serve(t, `.:${port} {\n    bufsize 1000\n    log . "{name} {>bufsize}"\n    whoami\n}\n`);
  const client = new UdpClient(port);
  t.after(() => client.close());
  await client.exchange(composeQuery({ name: 'a.example.', type: 1, id: 1, edns: { size: 4096 } }), 5000);
  await client.exchange(composeQuery({ name: 'b.example.', type: 1, id: 2, edns: { size: 900 } }), 5000);
  await started.says(/\[INFO\] a\.example\. 1000\n/);
  await started.says(/\[INFO\] b\.example\. 900\n/);
});
