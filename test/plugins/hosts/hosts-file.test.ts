import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spelledKey } from '../../../host/dns/name.ts';
import { OWNER_SILENT } from '../../../host/plugin/contract.ts';
import { parseHostsText } from '../../../host/plugins/hosts/hosts-file.ts';
import { addressSets, mergedOwners, nameFlags, nameSets } from '../../../host/plugins/hosts/owners.ts';

const ALL = { zones: ['.'], hasReverse: true };
const ip = (packed: string) => Array.from(packed, (character) => character.charCodeAt(0)).join('.');
const ipv4Of = (text: string, rules = ALL) =>
  Object.fromEntries([...parseHostsText(text, rules).ipv4].map(([name, packed]) => [name, ip(packed)]));

test('comments, white space, line ends, several names, duplicates', () => {
  const text = [
    '# 10.0.0.9 no',
    '10.0.0.1\ta.org \t B.Org.# c',
    '10.0.0.1 a.org\r',
    '  10.0.0.2\u000bx\u00a0y',
    '10.0.0.3',
    '',
    '\ufeff10.0.0.4 bom',
    '10.0.0.5 last',
  ].join('\n');
  assert.deepEqual(ipv4Of(text), {
    'a.org.': '10.0.0.1.10.0.0.1',
    'b.org.': '10.0.0.1',
    'x.': '10.0.0.2',
    'y.': '10.0.0.2',
    'last.': '10.0.0.5',
  });
});

test('addresses: zone identifiers are dropped, mapped ones are IPv4, others are no addresses', () => {
  const table = parseHostsText(
    'fe80::1%eth0 six\n::ffff:10.0.0.7 mapped\n10.0.0.1%lo four\n010.0.0.1 no\n10.0.0 no\n',
    ALL,
  );
  assert.deepEqual([...table.ipv6.keys()], ['six.']);
  assert.deepEqual(
    [...table.ipv4].map(([name, packed]) => [name, ip(packed)]),
    [
      ['mapped.', '10.0.0.7'],
      ['four.', '10.0.0.1'],
    ],
  );
});

test('zones, no_reverse and the number of entries', () => {
  const text = '10.0.0.1 a.org b.net *.a.org\n::1 a.org\n';
  const count = (rules: typeof ALL) => parseHostsText(text, rules).entries;
  assert.equal(count(ALL), 7);
  assert.equal(count({ zones: ['.'], hasReverse: false }), 4);
  assert.equal(count({ zones: ['org.'], hasReverse: true }), 5);
  assert.deepEqual(ipv4Of(text, { zones: ['net.'], hasReverse: true }), { 'b.net.': '10.0.0.1' });
  assert.equal(count({ zones: [], hasReverse: true }), 0);
});

test('a line of more than 65535 octets ends the file', () => {
  const name = 'x'.repeat(60);
  const long = (bytes: number) => `10.0.0.2 ${`${name} `.repeat(2000)}`.slice(0, bytes);
  const ofLine = (bytes: number) => Object.keys(ipv4Of(`10.0.0.1 a\n${long(bytes)}\n10.0.0.3 b\n`));
  assert.ok(ofLine(65535).includes('b.'));
  assert.deepEqual(ofLine(65536), ['a.']);
  assert.deepEqual(
    Object.keys(ipv4Of(`10.0.0.1 a\n# ${'ü'.repeat(32767)}\n10.0.0.3 b\n`)),
    ['a.'],
    'octets, not characters',
  );
});

test('names that no question is spelt like have no key; escapes count', () => {
  for (const name of ['a.org.', '.', 'a\\.b.org.', 'x_y-z.', '*.a.']) assert.ok(spelledKey(name), name);
  for (const name of ['we"ird.', 'esc\\046x.', 'ü.', 'a..b.', `${'a'.repeat(64)}.`, 'a\\b.']) {
    assert.equal(spelledKey(name), undefined, name);
  }
});

test('exact names take what they lack from wildcards, each family and each source by itself', () => {
  const file = parseHostsText('10.0.0.1 *.w\n::1 *.w\n10.0.0.2 x.w\n10.0.0.9 *\n10.0.0.8 single\n', ALL);
  const inline = parseHostsText('10.0.0.3 *.w\n::3 y.w\n', ALL);
  const { names } = mergedOwners([file, inline]);
  const shown = (name: string) =>
    addressSets(names.get(name)!).map((set) =>
      'addresses' in set
        ? `${set.type} ${Array.from<unknown, unknown>(set.addresses, (octets) => (octets as Uint8Array).at(-1))}`
        : '',
    );
  assert.deepEqual(shown('*.w.'), ['A 1,3', 'AAAA 1']);
  assert.deepEqual(shown('x.w.'), ['A 2,3', 'AAAA 1']);
  assert.deepEqual(shown('y.w.'), ['A 1,3', 'AAAA 1,3']);
  assert.deepEqual(shown('single.'), ['A 8'], 'a name of one label has no wildcard');
});

test('the reverse set of an address is all of its names, or none if one cannot be packed', () => {
  const [set] = nameSets('a.org. b.org.');
  assert.equal(set?.type === 'PTR' && set.names.length, 2);
  assert.deepEqual([nameFlags('a.org.'), nameFlags('a.org. b..org.')], [0, OWNER_SILENT]);
  for (const text of ['b..org.', `${'x'.repeat(64)}.`, `${'x'.repeat(129)}.`]) {
    const [standIn] = nameSets(text);
    assert.equal(standIn?.type === 'PTR' && standIn.names[0]?.wire.length, text.length + 1, text);
  }
});
