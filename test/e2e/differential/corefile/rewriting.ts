// Generator of the rewrite directive: every field with every matcher, answer rules, options, the block form.

import type { DirectiveGenerator } from './directives.ts';
import type { Words } from './words.ts';

const MATCHERS = ['', 'exact', 'prefix', 'suffix', 'substring', 'regex'] as const;
type Matcher = (typeof MATCHERS)[number];

/** FROM and TO of name rules; the upstream knows the behaviours of example.org. */
const NAME_PAIRS: Readonly<Record<Matcher, readonly string[]>> = {
  '': ['alpha.example.org www.example.org', 'beta.test alias.example.org', 'www.example.org nx.example.org'],
  exact: [
    'alpha.example.org www.example.org',
    'gamma.test plain-1.space-1.svc.cluster.local',
    'Alpha.Example.org. WWW.example.org.',
    'mx.test mail.example.org',
    '. www.example.org',
    'self.test self.test',
  ],
  prefix: ['old- www-', 'alpha. www.', 'foo bar', 'alias.example.org. www.example.org.', 'a.b. multi.'],
  suffix: [
    '.corp.test .example.org',
    '.moved.test .svc.cluster.local',
    'example.net example.org',
    '.test .',
    'corp.test. example.org.',
    '.example.org .sub.example.org',
  ],
  substring: ['corp example', 'schmoogle example', '.. .', '.corp. .', 'example.org example.org', 'www. multi.'],
  regex: [
    '(.*)\\.re\\.test {1}.example.org',
    '^(\\w+)-(\\w+)\\.swap\\.test$ {2}-{1}.example.org',
    'www-(.*)\\.example\\.org nx-{1}.example.org',
    '(.*) {1}',
    '^([a-z]+)-(.*)\\.kube\\.test\\.$ {1}.{2}.svc.cluster.local',
    '"(?i)^CAPS\\.(.*)$" www-{1}',
    '^(.)(.*)\\.letters\\.test\\.?$ {0}{1}{2}.example.org',
    '(alias|svc|mail)-(.*)\\.answers\\.test\\. {1}-{2}.example.org.',
    '^fixed$ www.example.org',
    '(?:^|\\.)old\\. new.',
  ],
};
const ODD_PAIRS = [
  ...['one.test', '', 'a.test b.test c.test', '( x', '(.*)\\.x {3}', 'a..b c', '(.*) {-1}', '(a)(b) {2}{3}'],
  ...['a**  b', '(?=a) b', '[z-a] b', `${'a'.repeat(10001)} b`, 'x'.repeat(64).concat(' b'), '(.*) {1', '\\ x'],
];
const ANSWERS = [
  ...['answer auto', 'answer auto', 'answer name (.*)\\.example\\.org {1}.changed.test'],
  ...['answer value (.*)\\.example\\.org {1}.changed.test', 'answer name (.*)\\.cluster\\.local {1}.example.org'],
  'answer name ^(www|alias)(.*)$ {1}{2} answer value ^(.*)\\.org\\.$ {1}.net',
  'answer auto answer value (.*)\\.example\\.org {1}.auto.test',
  'answer value (.*) {1} answer value alias2 two',
  ...['answer name (.*) same.test', 'answer name .*\\.org\\. x.test name (.*) {1}', 'answer auto auto'],
];
const ODD_ANSWERS = [
  ...['answer', 'auto', 'answer name ( x', 'answer auto answer name a b', 'answer name (.*) {2}', 'answer nosuch a b'],
  ...['answer name a', 'answer value', 'name a b', 'answer auto x', 'answer answer auto', 'Answer auto'],
];

function nameRule(w: Words): string {
  const matcher = w.value(MATCHERS, ['glob', 'Regex x']) as Matcher;
  const pair = w.value(NAME_PAIRS[matcher] ?? NAME_PAIRS['exact'], ODD_PAIRS);
  const isPlain = matcher === '' || w.chance(matcher === 'exact' ? 0.8 : 0.4);
  return `name ${w.chance(0.05) ? matcher.toUpperCase() : matcher} ${pair} ${isPlain ? '' : w.value(ANSWERS, ODD_ANSWERS)}`;
}

const VARIABLES = ['{qname}', '{qtype}', '{client_ip}', '{client_port}', '{protocol}', '{server_ip}', '{server_port}'];
const LABELS = ['{forward/upstream}', '{kubernetes/service}', '{nosuch/label}', '{log/type}'];

/** Variables with a client's port are another for each server: such an option is asked for and never comes back. */
function localData(w: Words): string {
  const data = ['0xabcdef', 'some-text', '0x', 'abcd', '""', '"two words"', '0xABCD', '{', '{}x', 'é'];
  const variables = VARIABLES.filter((name) => !name.endsWith('_port}'));
  return w.value(
    [...data, ...variables, ...variables, ...LABELS],
    ['{nosuch}', '0xabc', '0xzz', '', '{}', 'a b', '{/label}', '{a/}', '{QNAME}'],
  );
}

function ednsRule(w: Words): string {
  const action = w.value(['set', 'append', 'replace'], ['add', '', 'Set']);
  const codes = () =>
    w.value(
      ['0xffee', '0xffed', '65001', '65002', '10', '3', '8', '0', '0177', '0b11'],
      ['x', '65536', '-1', '', '1.5'],
    );
  const revert = w.value(['', '', '', ' revert'], [' Revert', ' revert revert', ' x']);
  const rule = w.value(
    [
      ...[`local ${action} ${codes()} ${localData(w)}${revert}`, `local ${action} ${codes()} ${localData(w)}${revert}`],
      ...[`nsid ${action}${revert}`, 'nsid unset', `local unset ${codes()}`, 'subnet unset'],
      `subnet ${action} ${w.value([0, 1, 8, 23, 24, 32], [33, -1, 'x'])} ${w.value([0, 1, 56, 128], [129, -1, ''])}${revert}`,
    ],
    [
      ...['local set x y', 'local set 0xffee', 'subnet set 24', 'nsid set x', 'local', 'cookie set 1', 'nsid', ''],
      ...[
        'subnet set 24 56 7',
        'subnet unset 24 56',
        'local unset',
        'nsid unset revert',
        'local unset 1 2',
        'ecs set 1 2',
      ],
    ],
  );
  return `edns0 ${rule}`;
}

/** Matcher and pattern of the rules on replies: ttl, cname, rcode. */
function matched(w: Words): string {
  const patterns: Readonly<Record<Matcher, readonly string[]>> = {
    '': ['www.example.org', 'example.org.', 'alpha.example.org', 'cluster.local'],
    exact: ['www.example.org', 'Alpha.example.org.', 'alias2.example.org', 'plain-1.space-1.svc.cluster.local'],
    prefix: ['www', 'nx-', 'servfail', 'plain-', 'alias', '_http', 'multi'],
    suffix: ['example.org', '.example.org.', 'cluster.local', '.', 'in-addr.arpa', '.test'],
    substring: ['example', 'svc', '-', 'www', 'a.'],
    regex: ['.*', '^www-(.*)\\.example\\.org\\.$', '"(nx|nodata|servfail)-.*"', 'cluster[.]local', '^[^.]+\\.example'],
  };
  const matcher = w.value(MATCHERS, ['glob', 'answer']) as Matcher;
  return `${matcher} ${w.value(patterns[matcher] ?? ['x.test'], matcher === 'regex' ? ['(', 'a**', '(?!a)'] : ['', 'a..b'])}`;
}

function cnameRule(w: Words): string {
  const patterns: Readonly<Record<Matcher, readonly string[]>> = {
    '': ['alias2.example.org. www.example.org.', 'elsewhere.example.net multi.example.org'],
    exact: [
      'alias2.example.org www.example.org',
      'gone.example.org. www.example.org',
      'Alias2.example.org. mail.example.org.',
    ],
    prefix: ['alias2. multi.', 'elsewhere.example.net. www.example.org.', 'gone. nx.'],
    suffix: ['.example.net .example.org', 'example.org. cluster.local.', '.org. .org.'],
    substring: ['alias2 www', 'example.net example.org', 'gone www'],
    regex: [
      '^alias2\\.(.*)$ www.{1}',
      '(.*)\\.net\\. {1}.org.',
      '(gone|elsewhere)\\..* www-{1}.example.org',
      '.* nx.example.org',
    ],
  };
  const matcher = w.value(MATCHERS, ['glob']) as Matcher;
  return `cname ${matcher} ${w.value(patterns[matcher] ?? ['a.test b.test'], ['x', '', 'a b c d', '( x', '(.*) {2}'])}`;
}

/** The words of one rule without its mode. */
function rule(w: Words): string {
  const kind = w.random.below(13);
  if (kind < 5) return nameRule(w);
  if (kind === 5)
    return `type ${w.value(['ANY HINFO', 'AAAA A', 'a txt', 'MX SRV', 'TXT ANY', 'HTTPS A', 'SOA NS'], ['A', 'X Y', 'A B C', 'TYPE1 A', 'A TYPE65280', ''])}`;
  if (kind === 6)
    return `class ${w.value(['CH IN', 'IN CH', 'ch in', 'HS IN', 'NONE IN', 'ANY IN', 'IN ANY'], ['IN', 'X Y', 'ANY', 'IN CH HS', 'CLASS1 IN'])}`;
  if (kind < 9) return ednsRule(w);
  if (kind === 9)
    return `ttl ${matched(w)} ${w.value(['30', '5-60', '30-', '-10', '0', '0-0', '4294967295', '60-60', '100-'], ['x', '60-5', '-', '', '1-2-3', '4294967296', '-1-5', '5s'])}`;
  if (kind === 10) return cnameRule(w);
  if (kind === 11)
    return `rcode ${matched(w)} ${w.value(['NXDOMAIN NOERROR', '3 0', 'SERVFAIL NXDOMAIN', 'servfail refused', 'NOERROR YXDOMAIN', '0 23', '5 NOTIMP', 'NXDOMAIN BADVERS'], ['X Y', '24 0', 'NXDOMAIN', '3 0 1', '-1 0', '0 24', ''])}`;
  return w.slip() ? w.pick(['', 'answer name a b', 'nosuch a b', 'names a b', 'edns local set 1 2']) : nameRule(w);
}

export const rewrite: DirectiveGenerator = (w) => {
  const mode = () =>
    w.value(['', '', '', 'stop', 'continue', 'continue', 'Continue'], ['go', 'stop stop', 'continue continue']);
  const squeeze = (text: string) => text.replace(/ {2,}/g, ' ').trim();
  const one = (): string[] => {
    const words = rule(w);
    if (!w.chance(0.15)) return [squeeze(`rewrite ${mode()} ${words}`)];
    // The words of the block are one rule; answer rules stand on lines of their own.
    const lines = squeeze(words)
      .replace(/ (?=answer (?:auto|name|value))/g, '\n    ')
      .split('\n');
    return [
      squeeze(`rewrite ${w.pick(['', 'stop', 'continue'])} {`),
      ...lines.map((line) => `    ${line.trim()}`),
      '}',
    ];
  };
  return Array.from({ length: 1 + w.random.below(4) }, one).flat();
};
