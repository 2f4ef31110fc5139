import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hosts } from '../../../host/plugins/hosts/hosts.ts';
import { readerOf } from '../../corefile/reader-of.ts';

const directory = mkdtempSync(join(tmpdir(), 'hosts-'));
const FILE = join(directory, 'hosts');
writeFileSync(FILE, '127.0.0.1 localhost\n');
const parse = (body: string) => hosts.parse(readerOf('hosts', body));
const inBlock = (...lines: readonly string[]) =>
  [` hosts ${FILE} {`, ...lines.map((line) => `  ${line}`), ' }'].join('\n');

const DEFAULTS = {
  file: FILE,
  warnings: [],
  zones: ['.', 'example.org.'],
  inline: [],
  ttlSeconds: 3600,
  hasReverse: true,
  reloadMs: 5000,
  fallthrough: [],
  fallthroughUnsupported: false,
};

test('parse: nothing but the word, FILE, ZONES', () => {
  assert.deepEqual(parse(' hosts'), { ...DEFAULTS, file: '/etc/hosts' });
  assert.deepEqual(parse(` hosts ${FILE}`), DEFAULTS);
  const zones = ['a.org.', '10.in-addr.arpa.'];
  assert.deepEqual(parse(` hosts ${FILE} A.org 10.0.0.0/8 a..b`), { ...DEFAULTS, zones });
});

test('parse: every option', () => {
  const cases: readonly (readonly [string[], object])[] = [
    [['ttl 60'], { ttlSeconds: 60 }],
    [['ttl 65535 and more'], { ttlSeconds: 65535 }],
    [['no_reverse'], { hasReverse: false }],
    [['reload 1m'], { reloadMs: 60_000 }],
    [['reload 0'], { reloadMs: 0 }],
    [['fallthrough'], { fallthrough: ['.'] }],
    [['fallthrough B.org c.org'], { fallthrough: ['b.org.', 'c.org.'] }],
    [['fallthrough', 'fallthrough_unsupported'], { fallthrough: ['.'], fallthroughUnsupported: true }],
    [['fallthrough_unsupported', 'fallthrough a'], { fallthrough: ['a.'], fallthroughUnsupported: true }],
    [
      ['10.0.0.1 a.org   b.org', '::1 c.org', 'ttl 7'],
      { inline: ['10.0.0.1 a.org b.org', '::1 c.org'], ttlSeconds: 7 },
    ],
    [['word', '10.0.0.1'], { inline: ['word', '10.0.0.1'] }],
    [['no_reverse 10.0.0.1 a.org'], { hasReverse: false, inline: ['10.0.0.1 a.org'] }],
    [['no_reverse ttl 9'], { hasReverse: false, ttlSeconds: 9 }],
    [['fallthrough a..b', '10.0.0.1 a.org'], { fallthrough: [], inline: ['10.0.0.1 a.org'] }],
  ];
  for (const [lines, expected] of cases) {
    assert.deepEqual(parse(inBlock(...lines)), { ...DEFAULTS, ...expected }, lines.join('; '));
  }
});

test('parse: a file that is not there, and a directory, are warnings', () => {
  const missing = join(directory, 'missing');
  assert.deepEqual(parse(` hosts ${missing}`).warnings, [`File does not exist: ${missing}`]);
  assert.deepEqual(parse(` hosts ${directory}`).warnings, [`Hosts file "${directory}" is a directory`]);
});

test('parse: errors name file, line and word', () => {
  const wrong: readonly (readonly [string, number, string, string])[] = [
    [inBlock('ttl'), 3, 'ttl', 'ttl needs a time in second'],
    [inBlock('ttl x'), 3, 'x', 'ttl needs a number of second'],
    [inBlock('ttl 1.5'), 3, '1.5', 'ttl needs a number of second'],
    [inBlock('ttl 99999999999999999999'), 3, '99999999999999999999', 'ttl needs a number of second'],
    [inBlock('ttl 0'), 3, '0', 'ttl provided is invalid'],
    [inBlock('ttl -1'), 3, '-1', 'ttl provided is invalid'],
    [inBlock('ttl 65536'), 3, '65536', 'ttl provided is invalid'],
    [inBlock('reload'), 3, 'reload', 'reload needs a duration (zero seconds to disable)'],
    [inBlock('reload 1s 2s'), 3, '2s', 'reload needs a duration (zero seconds to disable)'],
    [inBlock('reload 5'), 3, '5', "invalid duration for reload '5'"],
    [inBlock('reload -5s'), 3, '-5s', "invalid negative duration for reload '-5s'"],
    [inBlock('fallthrough_unsupported'), 3, 'fallthrough_unsupported', 'fallthrough_unsupported requires fallthrough'],
    [
      inBlock('fallthrough', 'fallthrough_unsupported a'),
      4,
      'a',
      "Wrong argument count or unexpected line ending after 'a'",
    ],
    [inBlock('fallthrough', '10.0.0.1 a.org'), 4, '10.0.0.1', "unknown property '10.0.0.1'"],
    [` hosts ${FILE}/x`, 2, `${FILE}/x`, `unable to access hosts file '${FILE}/x': stat ${FILE}/x: not a directory`],
    [inBlock('fallthrough', 'no_revers'), 4, 'no_revers', `unknown property 'no_revers', did you mean "no_reverse"?`],
    [inBlock('fallthrough', '{', '}'), 4, '{', "unknown property '{'"],
    // The brace is a line of the hosts file to CoreDNS, and the first closing brace ends the block
    [inBlock('10.0.0.1 a.org {', '}'), 5, '}', 'this plugin can only be used once per Server Block'],
    [' hosts\n hosts', 3, 'hosts', 'this plugin can only be used once per Server Block'],
  ];
  for (const [body, line, word, text] of wrong) {
    assert.throws(() => parse(body), { name: 'CorefileError', file: 'Corefile', line, word }, body);
    assert.throws(
      () => parse(body),
      ({ message }: Error) => message.startsWith(`plugin/hosts: Corefile:${line} - Error during parsing: ${text}`),
      `${body}: ${text}`,
    );
  }
});
