// Every form of a rewrite line, and every refusal.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseRewrite } from '../../../host/plugins/rewrite/parse.ts';
import type { Rule } from '../../../host/plugins/rewrite/rules.ts';
import { readerOf, refusal } from '../support/reader.ts';

const rulesOf = (...lines: string[]): readonly Rule[] => parseRewrite(readerOf('rewrite', lines.join('\n'))).rules;
const ruleOf = (line: string): Rule => rulesOf(line)[0]!;

describe('name', () => {
  test('two names: exact, which always turns answers back', () => {
    const exact = {
      field: 'name',
      match: { how: 'exact', from: 'a.example.' },
      to: 'b.example.',
      isAuto: true,
      answers: [],
      isLast: true,
    };
    for (const line of [
      'name A.example b.Example.',
      'stop name a.example b.example',
      'NAME exact a.example b.example',
    ]) {
      assert.deepEqual(ruleOf(`rewrite ${line}`), exact);
    }
    assert.deepEqual(ruleOf('rewrite Continue name EXACT a.example b.example'), { ...exact, isLast: false });
  });

  for (const how of ['prefix', 'suffix', 'substring']) {
    test(`${how}: both sides in lower case, with a closing dot`, () => {
      const rule = ruleOf(`rewrite name ${how} Foo BAR`);
      assert.deepEqual(rule, {
        field: 'name',
        match: { how, from: 'foo.' },
        to: 'bar.',
        isAuto: false,
        answers: [],
        isLast: true,
      });
    });
  }

  test('an escaped dot does not close a name', () => {
    assert.equal((ruleOf('rewrite name suffix a\\. b\\\\.') as { to: string }).to, 'b\\\\.');
    assert.deepEqual((ruleOf('rewrite name suffix a\\. b') as { match: unknown }).match, {
      how: 'suffix',
      from: 'a\\..',
    });
  });

  test('regex: several groups of one name, as in Go', () => {
    const rule = ruleOf('rewrite name regex (?P<a>.)(?P<a>.) {2}{1}');
    assert.equal((rule as { to: string }).to, '{2}{1}.');
  });

  test('regex: FROM as it is, TO in lower case', () => {
    const rule = ruleOf('rewrite name regex (.*)\\.A\\.example {1}.B.example');
    assert.deepEqual(rule, {
      field: 'name',
      match: { how: 'regex', from: '(.*)\\.A\\.example' },
      to: '{1}.b.example.',
      isAuto: false,
      answers: [],
      isLast: true,
    });
  });

  test('answer auto, answer name, answer value, and several of them', () => {
    const answers = (words: string) => {
      const rule = ruleOf(`rewrite name suffix .a .b ${words}`);
      assert.equal(rule.field, 'name');
      return { isAuto: rule.isAuto, answers: rule.answers };
    };
    assert.deepEqual(answers('answer auto'), { isAuto: true, answers: [] });
    assert.deepEqual(answers('answer name (.*) {1}.X'), {
      isAuto: false,
      answers: [{ of: 'name', from: '(.*)', to: '{1}.x.' }],
    });
    assert.deepEqual(answers('answer auto value a b answer value c d'), {
      isAuto: true,
      answers: [
        { of: 'value', from: 'a', to: 'b.' },
        { of: 'value', from: 'c', to: 'd.' },
      ],
    });
    assert.equal(answers('answer name a b name c d').answers.length, 2);
  });

  test('a block holds the words of one rule', () => {
    const block = 'rewrite stop {\nname suffix .a .b\nanswer auto\nanswer value (.*) {1}.c\n}';
    assert.deepEqual(ruleOf(block), ruleOf('rewrite stop name suffix .a .b answer auto answer value (.*) {1}.c'));
    assert.deepEqual(ruleOf('rewrite {\nttl a 5\n}'), ruleOf('rewrite ttl a 5'));
  });
});

test('type and class by name', () => {
  assert.deepEqual(ruleOf('rewrite type any hinfo'), { field: 'type', from: 255, to: 13, isLast: true });
  assert.deepEqual(ruleOf('rewrite continue type EUI48 NSAP-PTR'), { field: 'type', from: 108, to: 23, isLast: false });
  assert.deepEqual(ruleOf('rewrite class ch IN'), { field: 'class', from: 3, to: 1, isLast: true });
});

describe('ttl', () => {
  const ranges: Readonly<Record<string, readonly [number, number]>> = {
    '30': [30, 30],
    '30-300': [30, 300],
    '30-': [30, 2147483647],
    '-300': [0, 300],
    '4294967295': [4294967295, 4294967295],
  };
  for (const [text, [minSeconds, maxSeconds]] of Object.entries(ranges)) {
    test(`range ${text}`, () => {
      const match = { how: 'exact', from: 'example.org.' };
      const rule = { field: 'ttl', match, minSeconds, maxSeconds, isLast: true };
      assert.deepEqual(ruleOf(`rewrite ttl Example.org ${text}`), rule);
      assert.deepEqual(ruleOf(`rewrite ttl exact example.org. ${text}`), rule);
    });
  }

  for (const how of ['exact', 'prefix', 'suffix', 'substring']) {
    test(how, () => {
      assert.deepEqual((ruleOf(`rewrite ttl ${how} X 5`) as { match: unknown }).match, { how, from: 'x.' });
    });
  }

  test('regex', () => {
    assert.deepEqual((ruleOf('rewrite ttl regex ^X 5') as { match: unknown }).match, { how: 'regex', from: '^X' });
  });
});

describe('rcode', () => {
  test('names and numbers', () => {
    const rule = { field: 'rcode', match: { how: 'exact', from: 'a.' }, from: 2, to: 0, isLast: true };
    assert.deepEqual(ruleOf('rewrite rcode a SERVFAIL noerror'), rule);
    assert.deepEqual(ruleOf('rewrite rcode exact a 2 0'), rule);
    const numbers = (from: string, to: string) => {
      const parsed = ruleOf(`rewrite rcode a ${from} ${to}`);
      return parsed.field === 'rcode' && [parsed.from, parsed.to];
    };
    assert.deepEqual(numbers('BADSIG', 'BADCOOKIE'), [16, 23]);
    assert.deepEqual(numbers('NOTIMPL', '23'), [4, 23]);
  });

  for (const how of ['prefix', 'suffix', 'substring', 'regex']) {
    test(how, () => {
      const { match } = ruleOf(`rewrite rcode ${how} a 2 0`) as { match: unknown };
      assert.deepEqual(match, { how, from: how === 'regex' ? 'a' : 'a.' });
    });
  }
});

describe('cname', () => {
  test('only exact names are closed', () => {
    const rule = { field: 'cname', match: { how: 'exact', from: 'a.' }, to: 'b.', isLast: true };
    assert.deepEqual(ruleOf('rewrite cname A B'), rule);
    assert.deepEqual(ruleOf('rewrite cname exact a. b.'), rule);
    for (const how of ['prefix', 'suffix', 'substring', 'regex']) {
      assert.deepEqual(ruleOf(`rewrite cname ${how} A B`), { ...rule, match: { how, from: 'a' }, to: 'b' });
    }
  });
});

describe('edns0', () => {
  const local = { field: 'edns0', option: 'local', isReverted: false, isLast: true };
  const octets = (text: string) => Uint8Array.from(Buffer.from(text));

  test('local with a text, hex, a variable', () => {
    const set = { ...local, action: 'set', code: 0xffee };
    assert.deepEqual(ruleOf('rewrite edns0 local set 0xffee abcd'), { ...set, data: octets('abcd') });
    assert.deepEqual(ruleOf('rewrite edns0 LOCAL Set 65518 0x61626364'), { ...set, data: octets('abcd') });
    assert.deepEqual(ruleOf('rewrite edns0 local append 0o177756 0x'), { ...set, action: 'append', data: octets('') });
    assert.deepEqual(ruleOf('rewrite edns0 local replace 0xff_ee {qname} revert'), {
      ...set,
      action: 'replace',
      data: '{qname}',
      isReverted: true,
    });
    assert.deepEqual(ruleOf('rewrite edns0 local unset 0xffee'), { ...set, action: 'unset', data: octets('') });
  });

  for (const variable of ['qname', 'qtype', 'client_ip', 'client_port', 'protocol', 'server_ip', 'server_port']) {
    test(`variable ${variable}`, () => {
      assert.equal((ruleOf(`rewrite edns0 local set 1 {${variable}}`) as { data: unknown }).data, `{${variable}}`);
    });
  }

  test('a metadata label is a variable', () => {
    assert.equal(
      (ruleOf('rewrite edns0 local set 1 {forward/upstream}') as { data: unknown }).data,
      '{forward/upstream}',
    );
  });

  test('nsid', () => {
    for (const action of ['set', 'append', 'replace', 'unset']) {
      const rule = { field: 'edns0', option: 'nsid', action, isReverted: false, isLast: true };
      assert.deepEqual(ruleOf(`rewrite edns0 nsid ${action}`), rule);
    }
    assert.equal((ruleOf('rewrite edns0 nsid set revert') as { isReverted: unknown }).isReverted, true);
  });

  test('subnet', () => {
    for (const action of ['set', 'append', 'replace']) {
      const rule = {
        field: 'edns0',
        option: 'subnet',
        action,
        ipv4Bits: 24,
        ipv6Bits: 56,
        isReverted: false,
        isLast: true,
      };
      assert.deepEqual(ruleOf(`rewrite edns0 subnet ${action} 24 56`), rule);
    }
    assert.equal((ruleOf('rewrite edns0 subnet set 24 56 revert') as { isReverted: unknown }).isReverted, true);
    assert.equal((ruleOf('rewrite edns0 subnet unset') as { action: unknown }).action, 'unset');
  });
});

const LONG = 'a'.repeat(10001);
const REFUSALS: readonly (readonly [line: string, text: string])[] = [
  ['', 'no rule type specified for rewrite'],
  ['{\n}', 'no rule type specified for rewrite'],
  ['name a b {\nttl a 5\n}', 'no rule type specified for rewrite'],
  ['continue', 'continue rule must begin with a rule type'],
  ['stop', 'stop rule must begin with a rule type'],
  ['nam a b', 'invalid rule type "nam"'],
  ['answer auto', 'response rewrites must begin with a name rule'],
  ['name a', 'too few arguments for a name rule'],
  [
    'name sufix a b',
    'name rule supports only exact, prefix, suffix, substring, and regex name matching, received: sufix',
  ],
  ['name suffix a b answer', 'invalid arguments for suffix rule'],
  ['name suffix a b c d', 'exceeded the number of arguments for a non-answer rule argument for suffix rule'],
  ['name suffix a b answer auto answer', 'type missing for answer rule for suffix rule'],
  ['name suffix a b answer names', 'invalid type "names" for answer rule for suffix rule'],
  ['name suffix a b answer name x', 'name answer rule for suffix rule: 2 arguments required'],
  ['name suffix a b answer value x', 'value answer rule for suffix rule: 2 arguments required'],
  ['name suffix a b answer name (x y', 'name answer rule for suffix rule: invalid regex matching pattern: (x'],
  ['name suffix a b answer auto name x y', 'auto name answer rule cannot be combined with explicit name anwer rules'],
  ['name regex (a b', 'invalid regex matching pattern: (a'],
  ['name exact a [b', 'invalid regex matching pattern: [b.'],
  [`name regex ${LONG} b`, 'regex pattern too long: 10001 > 10000'],
  [
    'name regex (a) {1}{2}',
    'the rewrite regex pattern ({1}{2}) uses more subexpressions than its corresponding matching regex pattern ((a))',
  ],
  [
    'name suffix a b answer value a {0}',
    'value answer rule for suffix rule: the rewrite regex pattern ({0}) uses more subexpressions than its corresponding matching regex pattern (a)',
  ],
  ['class IN', 'class rules must have exactly two arguments'],
  ['class IN CH HS', 'class rules must have exactly two arguments'],
  ['class IN XX', 'invalid class "XX"'],
  ['class class1 IN', 'invalid class "CLASS1"'],
  ['type A', 'type rules must have exactly two arguments'],
  ['type a type28', 'invalid type "TYPE28"'],
  ['type wks A', 'invalid type "WKS"'],
  ['ttl a', 'too few (1) arguments for a ttl rule'],
  ['ttl a x', "invalid TTL 'x' for a ttl rule"],
  ['ttl a -', "invalid TTL '-' for a ttl rule"],
  ['ttl a 5-4', "invalid TTL '5-4' for a ttl rule"],
  ['ttl a 4294967296', "invalid TTL '4294967296' for a ttl rule"],
  ['ttl a b c 5', "invalid TTL '' for a ttl rule"],
  ['ttl sufix a 5', 'ttl rule supports only exact, prefix, suffix, substring, and regex name matching'],
  ['ttl regex (a 5', 'invalid regex pattern in a ttl rule: (a'],
  [`ttl regex ${LONG} 5`, 'regex pattern too long in a ttl rule: 10001 > 10000'],
  ['rcode a 2', 'too few (2) arguments for a rcode rule'],
  ['rcode a 24 0', "invalid matching RCODE '24' for a rcode rule"],
  ['rcode a BADVERS 0', "invalid matching RCODE 'BADVERS' for a rcode rule"],
  ['rcode a 2 OK', "invalid replacement RCODE 'OK' for a rcode rule"],
  ['rcode a b c 2 0', "invalid matching RCODE '' for a rcode rule"],
  ['rcode sufix a 2 0', 'rcode rule supports only exact, prefix, suffix, substring, and regex name matching'],
  ['rcode regex (a 2 0', 'invalid regex pattern in a rcode rule: (a'],
  [`rcode regex ${LONG} 2 0`, 'regex pattern too long in a rcode rule: 10001 > 10000'],
  ['cname a', 'too few (1) arguments for a cname rule'],
  ['cname exact a b c', 'too few (4) arguments for a cname rule'],
  ['cname sufix a b', 'unknown cname rewrite type: sufix'],
  ['cname regex (a b', 'invalid cname rewrite regex pattern: '],
  [`cname regex ${LONG} b`, 'regex pattern too long in a cname rule: 10001 > 10000'],
  ['edns0 local', 'too few arguments for an EDNS0 rule'],
  ['edns0 local put 1 a', 'invalid action: "put"'],
  ['edns0 cookie set 1 a', 'invalid rule type "cookie"'],
  ['edns0 cookie unset', 'invalid rule type "cookie"'],
  ['edns0 local set 1', 'EDNS0 local rules require three or four args'],
  ['edns0 local set 1 a b', 'EDNS0 local rules require three or four args'],
  ['edns0 local set x a', 'strconv.ParseUint: parsing "x": invalid syntax'],
  ['edns0 local set 65536 a', 'strconv.ParseUint: parsing "65536": value out of range'],
  ['edns0 local set 1 0xabc', 'encoding/hex: odd length hex string'],
  ['edns0 local set 1 0xag', "encoding/hex: invalid byte: U+0067 'g'"],
  ['edns0 local set 1 {qnam}', 'unsupported variable name "{qnam}"'],
  ['edns0 local unset', 'local unset action requires exactly two arguments'],
  ['edns0 local unset 1 2', 'local unset action requires exactly two arguments'],
  ['edns0 nsid set 1', 'EDNS0 NSID rules can accept no more than one arg'],
  ['edns0 nsid unset 1', 'nsid unset action requires exactly one argument'],
  ['edns0 subnet set 24', 'EDNS0 subnet rules require three or four args'],
  ['edns0 subnet set 33 56', 'invalid IPv4 bit mask length 33'],
  ['edns0 subnet set 24 129', 'invalid IPv6 bit mask length 129'],
  ['edns0 subnet unset 24', 'subnet unset action requires exactly one argument'],
];

describe('refused', () => {
  for (const [line, text] of REFUSALS) {
    test(`${line.slice(0, 60)}: ${text}`, () => {
      const message = refusal(() => rulesOf(`rewrite ${line}`));
      assert.match(message, /^plugin\/rewrite: Corefile:\d+ - Error during parsing: /);
      assert.ok(message.includes(text), message);
    });
  }
});
