// Every option of CoreDNS's directives that configure the server is named by a test of its plugin, and by its README.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');

/** Words of CoreDNS 1.14.7's parsers, directive by directive. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  root: ['root'],
  metadata: ['metadata'],
  multisocket: ['multisocket'],
  reload: ['reload', '0s'],
  bufsize: ['bufsize'],
  bind: ['bind', 'except'],
  debug: ['debug'],
  ready: ['ready', 'monitor', 'until-ready', 'continuously'],
  health: ['health', 'lameduck'],
  prometheus: ['prometheus', 'runtime_metrics', 'tls'],
  errors: ['errors', 'stdout', 'stacktrace', 'consolidate', 'show_first', 'warning', 'error', 'info', 'debug'],
  log: [
    ...['log', 'class', 'success', 'denial', 'error', 'all', '{common}', '{combined}'],
    ...['{type}', '{name}', '{class}', '{proto}', '{remote}', '{local}', '{size}', '{port}', '{duration}'],
    ...['{rcode}', '{rsize}', '{>rflags}', '{>id}', '{>opcode}', '{>do}', '{>bufsize}', '{/'],
  ],
  loop: ['loop'],
  whoami: ['whoami'],
};

for (const [name, options] of Object.entries(OPTIONS)) {
  test(name, () => {
    const folder = join(ROOT, 'test/plugins', name);
    const tests = readdirSync(folder)
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => readFileSync(join(folder, file), 'utf8'))
      .join('\n');
    const readme = readFileSync(join(ROOT, 'host/plugins', name, 'README.md'), 'utf8');
    const verdicts = readFileSync(join(ROOT, 'test/corefile/verdicts.txt'), 'utf8');
    assert.deepEqual(
      options.filter((option) => !tests.includes(option)),
      [],
      'options without a test',
    );
    const isWord = (option: string) => /^\w/.test(option) && option !== '0s';
    assert.deepEqual(
      options.filter((option) => isWord(option) && !readme.includes(option)),
      [],
      'options that the README does not tell',
    );
    assert.match(verdicts, new RegExp(`^\\s*${name}\\b`, 'm'), 'CoreDNS was asked about it');
  });
}
