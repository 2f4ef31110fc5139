import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLog } from '../../../host/log.ts';
import type { BlockProgram, LogEntry, LogRule, ShardServices } from '../../../host/plugin/contract.ts';
import { NO_LABELS } from '../../../host/plugin/metadata.ts';
import { COMBINED_FORMAT, COMMON_FORMAT, compileFormat } from '../../../host/plugins/log/format.ts';
import { log } from '../../../host/plugins/log/log.ts';
import { parseLog } from '../../../host/plugins/log/parse.ts';
import { readerOf, refusal } from '../support/reader.ts';
import { testBlock } from '../support/services.ts';

const parse = (inside: string) => parseLog(readerOf('log', inside));
const ALL = ['success', 'denial', 'error'];

const ENTRY: LogEntry = {
  rule: 0,
  remote: { address: '127.0.0.1', port: 49139, family: 4 },
  local: '::',
  id: 4660,
  opcode: 0,
  type: 1,
  class: 1,
  name: 'www.example.org.',
  proto: 'udp',
  queryBytes: 33,
  isDo: false,
  payloadBytes: 512,
  rcode: 0,
  flags: 0x8180,
  replyBytes: 64,
  durationSeconds: 0.00114084,
  replyType: 'NOERROR',
  metadata: NO_LABELS,
};

test('parse: names, formats and classes', () => {
  assert.deepEqual(parse('log').rules, [{ scope: '.', format: COMMON_FORMAT, classes: ALL }]);
  assert.deepEqual(parse('log Example.ORG').rules, [{ scope: 'example.org.', format: COMMON_FORMAT, classes: ALL }]);
  assert.deepEqual(parse('log a.org b.org. "{name} {combined}"').rules, [
    { scope: 'a.org.', format: `{name} ${COMBINED_FORMAT}`, classes: ALL },
    { scope: 'b.org.', format: `{name} ${COMBINED_FORMAT}`, classes: ALL },
  ]);
  assert.deepEqual(parse('log . {common}\nlog a.org {\nclass denial error denial\n}').rules, [
    { scope: '.', format: COMMON_FORMAT, classes: ALL },
    { scope: 'a.org.', format: COMMON_FORMAT, classes: ['denial', 'error'] },
  ]);
  assert.deepEqual(parse('log {\nclass denial\nclass all\n}').rules[0]!.classes, ['denial', 'success', 'error']);
  assert.equal(parse('log {combined}').rules[0]!.scope, '{combined}.', 'a single argument is a name');
});

test('parse: refusals', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['log {\nclass\n}', "Wrong argument count or unexpected line ending after 'class'"],
    ['log {\nclass good\n}', 'invalid Class: good'],
    ['log {\nnosuch\n}', "unknown property 'nosuch'"],
  ];
  for (const [inside, text] of cases) {
    const message = refusal(() => parse(inside));
    assert(message.startsWith('plugin/log: Corefile:') && message.endsWith(`: ${text}`), message);
  }
  assert.deepEqual(
    parse('log a..b c.org').rules.map(({ scope }) => scope),
    ['c.org.'],
    'no query is below what is no name',
  );
});

/** Lines that CoreDNS 1.14.7 printed for these queries. */
const SEEN: readonly (readonly [Partial<LogEntry>, string])[] = [
  [{}, '127.0.0.1:49139 - 4660 "A IN www.example.org. udp 33 false 512" NOERROR qr,rd,ra 64 0.00114084s'],
  [
    {
      name: 'nodata.example.org.',
      type: 28,
      queryBytes: 47,
      isDo: true,
      payloadBytes: 1232,
      replyBytes: 115,
      durationSeconds: 0.001290332,
    },
    '127.0.0.1:49139 - 4660 "AAAA IN nodata.example.org. udp 47 true 1232" NOERROR qr,rd,ra 115 0.001290332s',
  ],
  [
    { proto: 'tcp', queryBytes: 56, payloadBytes: 65535, flags: 0x8580, durationSeconds: 0.000090814 },
    '127.0.0.1:49139 - 4660 "A IN www.example.org. tcp 56 false 65535" NOERROR qr,aa,rd,ra 64 0.000090814s',
  ],
  [
    { class: 3, type: 16, replyBytes: 112, durationSeconds: 0.000958997 },
    '127.0.0.1:49139 - 4660 "TXT CH www.example.org. udp 33 false 512" NOERROR qr,rd,ra 112 0.000958997s',
  ],
  [
    { name: 'x.dead.test.', queryBytes: 29, rcode: 2, flags: 0x8102, replyBytes: 29, durationSeconds: 0.000305973 },
    '127.0.0.1:49139 - 4660 "A IN x.dead.test. udp 29 false 512" SERVFAIL qr,rd 29 0.000305973s',
  ],
  [
    { type: 65280, replyBytes: 112, durationSeconds: 0.001054963 },
    '127.0.0.1:49139 - 4660 "TYPE65280 IN www.example.org. udp 33 false 512" NOERROR qr,rd,ra 112 0.001054963s',
  ],
  [
    {
      flags: 0x8380,
      name: 'big.example.org.',
      queryBytes: 44,
      payloadBytes: 1232,
      replyBytes: 2327,
      durationSeconds: 0.024562461,
    },
    '127.0.0.1:49139 - 4660 "A IN big.example.org. udp 44 false 1232" NOERROR qr,tc,rd,ra 2327 0.024562461s',
  ],
];

test('the common format prints the lines of CoreDNS', () => {
  const format = compileFormat(COMMON_FORMAT);
  for (const [words, line] of SEEN) assert.equal(format({ ...ENTRY, ...words }), line);
});

test('every placeholder, unknown ones and odd braces', () => {
  const all =
    '{type} {name} {class} {proto} {remote} {local} {size} {port} {duration} {rcode} {rsize} {>rflags} {>id} {>opcode} {>do} {>bufsize} {/forward/upstream} {nosuch}';
  assert.equal(
    compileFormat(all)({ ...ENTRY, durationSeconds: 0.000809609 }),
    'A www.example.org. IN udp 127.0.0.1 [::] 33 49139 0.000809609s NOERROR 64 qr,rd,ra 4660 0 false 512 - {nosuch}',
  );
  const classes = [1, 3, 254, 255].map((each) => compileFormat('{class}')({ ...ENTRY, class: each }));
  assert.deepEqual(classes, ['IN', 'CH', 'NONE', 'CLASS255']);
  assert.equal(compileFormat('{ {type} } {')(ENTRY), '{ A } {');
  assert.equal(compileFormat('A } {proto}{')(ENTRY), 'A } udp{');
  assert.equal(compileFormat('')(ENTRY), '');
  const ipv6 = { ...ENTRY, remote: { address: '2001:db8::1', port: 1, family: 6 as const } };
  assert.equal(compileFormat('{remote}:{port}')(ipv6), '[2001:db8::1]:1');
});

test('all flags, in the order of CoreDNS', () => {
  assert.equal(compileFormat('{>rflags}')({ ...ENTRY, flags: 0xffff }), 'qr,aa,tc,rd,ra,z,ad,cd');
  assert.equal(compileFormat('{>rflags}')({ ...ENTRY, flags: 0 }), '');
  assert.equal(compileFormat('{rcode} {>rflags} {rsize}')({ ...ENTRY, flags: undefined, replyBytes: 0 }), '- - 0');
});

test('rcodes and durations as Go prints them', () => {
  const rcode = compileFormat('{rcode}');
  assert.deepEqual(
    [3, 16, 23, 24, 12].map((number) => rcode({ ...ENTRY, rcode: number })),
    ['NXDOMAIN', 'BADSIG', 'BADCOOKIE', '24', '12'],
  );
  const duration = compileFormat('{duration}');
  const seconds = [0, 1, 10, 0.5, 1e-9, 2.5e-7, 0.024562461, -1];
  assert.deepEqual(
    seconds.map((durationSeconds) => duration({ ...ENTRY, durationSeconds })),
    ['0s', '1s', '10s', '0.5s', '0.000000001s', '0.00000025s', '0.024562461s', '0s'],
  );
});

test('any format gives a line, and text without braces stays as it is', () => {
  fc.assert(
    fc.property(fc.string(), (format) => {
      const line = compileFormat(format)(ENTRY);
      if (!/[{}]/.test(format)) assert.equal(line, format);
    }),
  );
});

test('the engine gets the rules, and each line the format of its rule', () => {
  const config = parse('log a.org {type}\nlog . {name} {\nclass error\n}\nlog b.org "{name} {>id}"\nlog');
  let rules: readonly LogRule[] = [];
  const program: Partial<BlockProgram> = {
    log: (given) => {
      rules = given;
    },
  };
  log.compile!(config, program as BlockProgram, undefined);
  assert.deepEqual(rules, [
    { scope: 'a.org.', classes: ALL },
    { scope: '.', classes: ['error'] },
    { scope: 'b.org.', classes: ALL },
    { scope: '.', classes: ALL },
  ]);
  const lines: string[] = [];
  const services: Pick<ShardServices, 'log'> = { log: createLog((line) => lines.push(line), 'plugin/x') };
  const plugin = log.create!(config, testBlock(['log']), services as ShardServices, undefined);
  for (const rule of [0, 1, 2, 9]) plugin.onLog!({ ...ENTRY, rule });
  assert.deepEqual(lines, ['[INFO] A\n', '[INFO] www.example.org.\n', '[INFO] www.example.org. 4660\n']);
});

test('{local}: brackets around IPv6', () => {
  const local = compileFormat('{local}');
  const seen = ['::', '127.0.0.1', 'fe80::1%eth0'].map((address) => local({ ...ENTRY, local: address }));
  assert.deepEqual(seen, ['[::]', '127.0.0.1', '[fe80::1%eth0]']);
});
