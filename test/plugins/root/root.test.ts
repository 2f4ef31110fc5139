import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DirectiveReader } from '../../../host/corefile/reader.ts';
import { createLog } from '../../../host/log.ts';
import { parseRoot } from '../../../host/plugins/root/parse.ts';
import { root } from '../../../host/plugins/root/root.ts';
import { freePort } from '../../e2e/support/ports.ts';
import { ask, newFolder, serve } from '../../server/process.ts';
import { readerOf, refusal } from '../support/reader.ts';

const parse = (inside: string) => parseRoot(readerOf('root', inside)).path;

test('parse: the last path counts', () => {
  assert.equal(parse('root /etc/coredns'), '/etc/coredns');
  assert.equal(parse('root a\nroot b'), 'b');
  assert.equal(parse('root a b c'), 'c', 'CoreDNS takes the words in pairs');
});

test('parse: refusals', () => {
  const text = 'Error during parsing: Wrong argument count or unexpected line ending after';
  assert.equal(
    refusal(() => parse('root')),
    `plugin/root: Corefile:2 - ${text} 'root'`,
  );
  assert.equal(
    refusal(() => parse('root a b')),
    `plugin/root: Corefile:2 - ${text} 'b'`,
  );
  assert.match(
    refusal(() => parse('root a {\nb\n}')),
    /^plugin\/root: Corefile:2 /,
  );
});

test('a folder that is not there is a warning, one that cannot be looked at an error', () => {
  const folder = newFolder();
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line.trimEnd()), 'plugin/root');
  assert.deepEqual(root.settings!({ path: folder }, log), { root: folder });
  assert.deepEqual(lines, []);
  const missing = join(folder, 'nosuch');
  assert.deepEqual(root.settings!({ path: missing }, log), { root: missing });
  assert.deepEqual(lines, [`[WARNING] plugin/root: Root path does not exist: ${missing}`]);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const below = join(file, 'below');
  assert.throws(() => root.settings!({ path: below }, log), {
    name: 'UserError',
    message: `unable to access root path '${below}': stat ${below}: not a directory`,
  });
});

test('relative paths of the block begin there', () => {
  const path = (where: string, text: string) => {
    const block = { zones: ['.'], root: where };
    const token = { text, raw: text, file: 'Corefile', line: 1, isImported: false };
    return new DirectiveReader('hosts', block, [token]).path(token);
  };
  assert.equal(path('/etc/coredns', 'a/hosts'), '/etc/coredns/a/hosts');
  assert.equal(path('/etc/coredns', '/etc/hosts'), '/etc/hosts');
  assert.equal(path('', 'hosts'), 'hosts');
  assert.equal(path('conf', '../hosts'), 'hosts');
});

test('hosts looks for its file there', async (t) => {
  const port = await freePort();
  const folder = newFolder();
  writeFileSync(join(folder, 'my.hosts'), '192.0.2.7 a.test\n');
  await serve(t, `.:${port} {\n    hosts my.hosts\n    root ${folder}\n}\n`);
  assert.equal(await ask(port, 'a.test.'), 'NOERROR 192.0.2.7');
});
