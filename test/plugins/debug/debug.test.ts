import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDebug } from '../../../host/plugins/debug/parse.ts';
import { freePort } from '../../e2e/support/ports.ts';
import { ask, serve } from '../../server/process.ts';
import { readerOf, refusal } from '../support/reader.ts';

const parse = (inside: string) => parseDebug(readerOf('debug', inside));

test('parse: the word alone', () => {
  assert.deepEqual(parse('debug\ndebug'), {});
  assert.equal(
    refusal(() => parse('debug\ndebug on')),
    "plugin/debug: Corefile:3 - Error during parsing: Wrong argument count or unexpected line ending after 'on'",
  );
  assert.equal(
    refusal(() => parse('debug {\n}')),
    "plugin/debug: Corefile:2 - Error during parsing: Unexpected token '{', expecting argument",
  );
});

test('debug lines of the whole process come and go with it', async (t) => {
  const [port, dead] = [await freePort(), await freePort()];
  const corefile = (word: string) => `.:${port} {
    errors {
        consolidate 50ms refused debug show_first
    }
    forward . 127.0.0.1:${dead}
}
other.example:${port} {
    ${word}
    whoami
}
`;
  const started = await serve(t, corefile('debug'));
  assert.equal(await ask(port, 'a.example.'), 'SERVFAIL');
  await started.says(/\[DEBUG\] plugin\/errors: 2 a\.example\. A: .*refused\n/);
  await started.reload(corefile(''));
  const from = started.out.length;
  assert.equal(await ask(port, 'b.example.'), 'SERVFAIL');
  assert.equal(await ask(port, 'b.example.'), 'SERVFAIL');
  await started.reload(corefile('debug'));
  assert.equal(await ask(port, 'c.example.'), 'SERVFAIL');
  await started.says(/\[DEBUG\] plugin\/errors: 2 c\.example\./, from);
  assert.ok(!started.out.includes('b.example.'), started.out);
});
