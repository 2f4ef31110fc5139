// Generators of the directives that make answers up: hosts, rewrite, template.

import type { DirectiveGenerator } from './directives.ts';
import type { Words } from './words.ts';

export const hosts: DirectiveGenerator = (w) => {
  const file = w.value(
    [' @FILES@/hosts', '', ' @FILES@/nosuch-hosts', ' @FILES@/hosts example.org hosts.test'],
    [' @FILES@'],
  );
  const inline = w.some(
    [
      '192.0.2.80 inline.hosts.test alias.hosts.test',
      '192.0.2.81 inline.hosts.test',
      '2001:db8::80 inline.hosts.test six.hosts.test',
      '192.0.2.82 *.wild.hosts.test',
      'fe80::1%lo link.hosts.test',
      '192.0.2.83 UPPER.Hosts.Test',
      '999.1.1.1 bad.hosts.test',
      '192.0.2.84',
      '192.0.2.85 www.example.org',
    ],
    0,
    5,
  );
  const before = [
    `ttl ${w.value([1, 60, 3600, 65535], [0, -1, 65536, 'x', '', '60s'])}`,
    w.chance(0.3) ? 'no_reverse' : '',
    `reload ${w.duration(['5s', '0s', '1m'])}`,
    ...inline,
  ];
  const [head, ...rest] = w.block(`hosts${file}`, before, 0);
  const end = w.value(
    ['fallthrough', 'fallthrough', '', 'fallthrough example.org', 'fallthrough\n    fallthrough_unsupported'],
    ['fallthrough\n    192.0.2.9 late.hosts.test', 'fallthrough_unsupported', 'fallthrough a..b'],
  );
  if (end === '') return [head!, ...rest];
  const body = rest.slice(0, -1);
  return [head!.endsWith('{') ? head! : `${head!} {`, ...body, `    ${end}`, '}'];
};

const matcher = (w: Words) => w.value(['exact', 'prefix', 'suffix', 'substring', 'regex'], ['glob', 'Exact']);

const nameRule = (w: Words): string => {
  const answers = w.value(
    [
      '',
      '',
      ' answer auto',
      ' answer name (.*)\\.cluster\\.local {1}.example.org',
      ' answer value (.*)\\.local {1}.test',
    ],
    [
      ' answer',
      ' auto',
      ' answer name ( x',
      ' answer auto answer name a b',
      ' answer name (.*) {2}',
      ' answer nosuch a b',
    ],
  );
  const rules: Readonly<Record<string, readonly string[]>> = {
    '': ['alpha.example.org www.example.org', 'beta.test alias.example.org', 'www.example.org nx.example.org'],
    exact: [
      'alpha.example.org www.example.org',
      'gamma.test plain-1.space-1.svc.cluster.local',
      'Alpha.Example.org. WWW.example.org.',
    ],
    prefix: ['old- www-', 'alpha. www.', 'foo bar'],
    suffix: ['.corp.test .example.org', '.moved.test .svc.cluster.local', 'example.net example.org', '.test .'],
    substring: ['corp example', 'schmoogle example', '.. .'],
    regex: [
      '(.*)\\.re\\.test {1}.example.org',
      '^(\\w+)-(\\w+)\\.swap\\.test$ {2}-{1}.example.org',
      'www-(.*)\\.example\\.org nx-{1}.example.org',
      '(.*) {1}',
    ],
  };
  const kind = w.slip(0.04) ? matcher(w) : w.pick(Object.keys(rules));
  const pair = w.value(rules[kind] ?? ['a.test b.test'], [
    'one.test',
    '',
    'a.test b.test c.test',
    '( x',
    '(.*)\\.x {3}',
    'a..b c',
  ]);
  return `name ${kind} ${pair}${kind === 'exact' || kind === '' ? (w.slip(0.03) ? answers : '') : answers}`.replace(
    / {2,}/g,
    ' ',
  );
};

const ednsRule = (w: Words): string => {
  const action = w.value(['set', 'append', 'replace'], ['add', 'unset']);
  const data = w.value(
    [
      'local @@ 0xffee abcd',
      `local ${action} 0xffee 0xabcdef`,
      `local ${action} 65001 some-text`,
      `local ${action} 0xffed {client_ip}`,
      `local ${action} 65002 {qname}`,
      `local ${action} 65003 {protocol}`,
      'local unset 0xffee',
      `nsid ${action}`,
      'nsid unset',
      `subnet ${action} 24 56`,
      'subnet unset',
    ].slice(1),
    [
      'local set x y',
      'local set 0xffee',
      'local set 0xffee {nosuch}',
      'subnet set 33 56',
      'subnet set 24 129',
      'nsid set x',
      'subnet set 24',
      'local set 0xffee 0xzz',
      'local',
      'cookie set 1',
    ],
  );
  return `edns0 ${data}${w.chance(0.15) && !data.includes('unset') ? ' revert' : ''}`;
};

export const rewrite: DirectiveGenerator = (w) => {
  const match = () => `${w.pick(['', 'exact ', 'prefix ', 'suffix ', 'substring ', 'regex '])}`;
  const one = (): string => {
    const mode = w.value(['', '', '', 'stop ', 'continue '], ['go ', 'STOP ']);
    const kind = w.random.below(12);
    if (kind < 5) return `${mode}${nameRule(w)}`;
    if (kind === 5)
      return `${mode}type ${w.value(['ANY HINFO', 'AAAA A', 'a txt', 'MX SRV'], ['A', 'X Y', 'A B C', 'TYPE1 A'])}`;
    if (kind === 6) return `${mode}class ${w.value(['CH IN', 'IN CH', 'ch in', 'HS IN'], ['IN', 'X Y', 'ANY'])}`;
    if (kind < 9) return `${mode}${ednsRule(w)}`;
    if (kind === 9)
      return `${mode}ttl ${match()}${w.pick(['www', 'example.org', 'cluster.local', 'alpha.example.org'])} ${w.value(['30', '5-60', '30-', '-10', '0'], ['x', '60-5', '-', '', '1-2-3'])}`;
    if (kind === 10)
      return `${mode}cname ${match()}${w.value(['alias2.example.org. www.example.org.', 'example.net example.org'], ['x', ''])}`;
    return `${mode}rcode ${match()}${w.pick(['example.org', 'nx.example.org', 'cluster.local'])} ${w.value(['NXDOMAIN NOERROR', '3 0', 'SERVFAIL NXDOMAIN', 'servfail refused'], ['X Y', '24 0', 'NXDOMAIN', '3 0 1', '-1 0'])}`;
  };
  if (w.chance(0.1)) return ['rewrite stop {', `    ${nameRule(w)}`, '}'];
  return Array.from({ length: 1 + w.random.below(3) }, () => `rewrite ${one()}`);
};

export const template: DirectiveGenerator = (w) => {
  const type = w.value(['A', 'AAAA', 'ANY', 'PTR', 'TXT', 'MX', 'HTTPS'], ['X', '', 'a']);
  const head = `template ${w.value(['IN', 'ANY', 'CH'], ['X', 'in'])} ${type}${w.chance(0.6) ? ` ${w.zones(1, 2)}` : ''}`;
  const options = [
    `match ${w.value(['^ip-(?P<a>[0-9]+)-(?P<b>[0-9]+)[.]tmpl[.]test[.]$', '.*', '"(.*)[.]example[.]org[.]$"', '"^(?P<n>[a-z]+)\\\\.other\\\\.test\\\\.$"'], ['(', '', '"(?P<a"'])}`,
    `answer ${w.value(
      [
        '"{{ .Name }} 60 IN A 192.0.2.{{ len .Zone }}"',
        '"{{ .Name }} 60 {{ .Class }} {{ .Type }} 192.0.2.1"',
        '"{{ .Name }} 60 IN CNAME www.example.org."',
        '"{{ .Name }} 30 IN TXT \\"{{ .Zone }} {{ .Type }}\\""',
        '"{{ range $i, $e := .Match }}{{ if eq $i 0 }}{{ $e }} 5 IN A 192.0.2.9{{ end }}{{ end }}"',
        '"{{ index .Match 0 }} 5 IN A 192.0.2.8"',
      ],
      ['"{{ .Nosuch }}"', '"{{ if }}"', '"not a record"', '', '"{{ .Name"'],
    )}`,
    `additional ${w.value(['"ns.{{ .Zone }} 60 IN A 192.0.2.53"'], ['"{{"'])}`,
    `authority ${w.value(['"{{ .Zone }} 60 IN SOA ns.{{ .Zone }} admin.{{ .Zone }} 1 60 60 60 60"', '"{{ .Zone }} 60 IN NS ns.{{ .Zone }}"'], ['x'])}`,
    `rcode ${w.value(['NXDOMAIN', 'NOERROR', 'SERVFAIL', 'noerror'], ['X', '', '99'])}`,
    w.chance(0.3) ? `ederror ${w.value(['21', '15 "blocked by policy"'], ['x', '', '70000'])}` : '',
    w.chance(0.6) ? `fallthrough${w.chance(0.3) ? ' example.org' : ''}` : '',
    w.chance(0.2) ? 'upstream' : '',
  ];
  return w.block(head, options, 1);
};
