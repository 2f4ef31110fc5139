import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parseDebug } from '../../../host/plugins/debug/parse.ts';
import { freePort } from '../../e2e/support/ports.ts';
import { ask, type Started, serve, start } from '../../server/process.ts';
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

/** Asks the built program for a plugin that throws. */
async function throwing(t: TestContext, words: string): Promise<{ started: Started; port: number; answer: string }> {
  const [port, dead] = [await freePort(), await freePort()];
  const corefile = `.:${port} {\n    ${words}\n    forward . 127.0.0.1:${dead}\n}\n`;
  const options = { corefile, env: { WASMDNS_TEST_HOOKS: '1' } };
  const started = await start(t, ['-conf', 'Corefile'], options).serves();
  return { started, port, answer: await ask(port, 'throw.wasmdns.', { withinMs: 2000 }) };
}

test('a plugin that throws ends the process with exit code 2', async (t) => {
  const { started, answer } = await throwing(t, 'debug');
  assert.equal((await started.ends()).code, 2);
  assert.equal(answer, 'silence');
  assert.match(started.err, /^panic: plugin\/test: throw\.wasmdns\. was asked for\n\n {4}at /);
});

test('without debug the server goes on; with stacktrace the line is followed by the stack', async (t) => {
  for (const [words, next] of [
    ['errors', /\[ERROR\] plugin\/errors/],
    ['errors {\nstacktrace\n}', / {4}at .*/],
  ] as const) {
    const { started, port, answer } = await throwing(t, words);
    assert.equal(answer, 'SERVFAIL');
    const line = `\\[ERROR\\] Recovered from panic in server: "dns://:${port}" plugin/test: throw\\.wasmdns\\. was asked for`;
    await started.says(new RegExp(`^${line}\\n${next.source}`, 'm'));
    assert.equal(await ask(port, 'a.example.'), 'SERVFAIL');
  }
});
