// Generators of the directives that make answers up: hosts, template.

import type { DirectiveGenerator } from './directives.ts';
import type { Words } from './words.ts';

const INLINE = [
  '192.0.2.80 inline.hosts.test alias.hosts.test',
  '192.0.2.81 inline.hosts.test',
  '2001:db8::80 inline.hosts.test six.hosts.test',
  '192.0.2.82 *.wild.hosts.test',
  'fe80::1%lo link.hosts.test',
  '192.0.2.83 UPPER.Hosts.Test',
  '999.1.1.1 bad.hosts.test',
  '192.0.2.84',
  '192.0.2.85 www.example.org',
  '192.0.2.86 "quoted.hosts.test"',
  '"192.0.2.87" many.hosts.test trailing.hosts.test. a..b.hosts.test',
  '::ffff:192.0.2.88 mapped.hosts.test',
  '192.0.2.80 * *.hosts.test',
  '10.96.0.1 plain-1.space-1.svc.cluster.local',
];

export const hosts: DirectiveGenerator = (w) => {
  const file = w.value(
    [
      ...[' @FILES@/hosts', '', ' @FILES@/nosuch-hosts', ' @FILES@/hosts example.org hosts.test', ' @FILES@/odd-hosts'],
      ...[
        ' @FILES@/odd-hosts hosts.test',
        ' @FILES@/empty-hosts',
        ' hosts',
        ' @FILES@/custom',
        ' @FILES@/hosts 192.0.2.0/24',
      ],
    ],
    [' @FILES@/hosts/x', ' ""'],
  );
  const before = [
    `ttl ${w.value([1, 60, 3600, 65535, '+30', '60 61'], [0, -1, 65536, 'x', '', '60s'])}`,
    w.chance(0.3) ? 'no_reverse' : '',
    `reload ${w.duration(['5s', '0s', '1m'])}`,
    ...w.some(INLINE, 0, 6),
  ];
  const [head, ...rest] = w.block(`hosts${file}`, before, 0);
  const end = w.value(
    [
      ...['fallthrough', 'fallthrough', '', 'fallthrough example.org', 'fallthrough\n    fallthrough_unsupported'],
      ...['fallthrough_unsupported\n    fallthrough hosts.test', 'fallthrough\n    ttl 7'],
    ],
    [
      'fallthrough\n    192.0.2.9 late.hosts.test',
      'fallthrough_unsupported',
      'fallthrough a..b',
      'fallthrough_unsupported x',
    ],
  );
  if (end === '') return [head!, ...rest];
  const body = rest.slice(0, -1);
  return [head!.endsWith('{') ? head! : `${head!} {`, ...body, `    ${end}`, '}'];
};

const MATCHES = [
  ...[
    '^ip-(?P<a>[0-9]+)-(?P<b>[0-9]+)[.]tmpl[.]test[.]$',
    '.*',
    '"(.*)[.]example[.]org[.]$"',
    '"^(?P<n>[a-z]+)\\\\.other\\\\.test\\\\.$"',
  ],
  ...[
    '^(?P<a>[0-9]+)[.]num[.]test[.]$ "^(?P<n>[a-z]+)[.]word[.]test[.]$"',
    '(?i)^CAPS',
    '^$',
    '^(a|b)*[.]',
    '[.]tmpl[.]',
  ],
];
/** Records made with each field and function that a template may use; `printf` and its like mean what they do in Go. */
const ANSWERS = [
  ...['{{ .Name }} 60 IN A 192.0.2.{{ len .Zone }}', '{{ .Name }} 60 {{ .Class }} {{ .Type }} 192.0.2.1'],
  ...[
    '{{ .Name }} 60 IN CNAME www.example.org.',
    '{{ .Name }} 60 IN CNAME nx-1.example.org.',
    '{{ .Name }} 60 IN CNAME {{ .Name }}',
  ],
  '{{ .Name }} 30 IN TXT \\"{{ .Zone }} {{ .Type }} {{ .Class }} {{ .Regex }}\\"',
  '{{ range $i, $e := .Match }}{{ if eq $i 0 }}{{ $e }} 5 IN A 192.0.2.9{{ end }}{{ end }}',
  ...['{{ index .Match 0 }} 5 IN A 192.0.2.8', '{{ index .Match 1 }}.made.test. 5 IN A 192.0.2.8'],
  '{{ .Name }} 5 IN A 10.0.0.{{ .Group.a }}',
  '{{ .Name }} 5 IN TXT {{ .Group.n }}{{ .Group.nosuch }}{{ index .Group \\"0\\" }}',
  '{{ .Question.Name }} 5 IN TXT {{ .Question.Qtype }} {{ .Question.Qclass }} {{ .Remote }}',
  '{{ .Name }} 5 IN TXT {{ .Message.Id }} {{ .Message.RecursionDesired }} {{ len .Message.Question }} {{ .Message.Opcode }}',
  '{{ .Name }} 5 IN TXT \\"{{ .Meta \\"forward/upstream\\" }}-{{ .Meta \\"nosuch/label\\" }}\\"',
  '{{ .Name }} 5 IN TXT {{ parseInt \\"ff\\" 16 32 }} {{ parseInt .Group.a 10 16 }}',
  '{{ .Name }} {{ parseInt \\"12\\" 10 8 }} IN A 192.0.2.7',
  '{{ .Name }} 5 IN TXT {{ printf \\"%05d|%-5s|%x|%q|%v|%t\\" 42 \\"ab\\" 255 .Type .Match true }}',
  '{{ .Name }} 5 IN TXT {{ printf \\"%s %d\\" 5 .Name }}',
  '{{ .Name }} 5 IN TXT {{ print 1 2 \\"a\\" \\"b\\" nil }} {{ println .Type }}',
  '{{ .Name }} 5 IN TXT {{ html \\"<a&b>\\" }} {{ js \\"a\\u0027b\\" }} {{ urlquery \\"a b/?\\" }}',
  '{{ .Name }} 5 IN TXT {{ slice .Name 0 2 }} {{ slice .Match 0 1 }} {{ len .Match }}',
  '{{ .Name }} 5 IN TXT {{ and .Name .Zone }} {{ or \\"\\" .Type }} {{ not .Name }} {{ eq .Type \\"A\\" \\"TXT\\" }}',
  '{{ .Name }} 5 IN TXT {{ ne 1 2 }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt \\"b\\" \\"a\\" }} {{ ge 1.5 1.5 }}',
  '{{ if and (eq .Type \\"A\\") (gt (len .Name) 3) }}{{ .Name }} 5 IN A 192.0.2.6{{ else if eq .Type \\"AAAA\\" }}{{ .Name }} 5 IN AAAA 2001:db8::6{{ else }}{{ .Name }} 5 IN TXT else{{ end }}',
  '{{ with .Group.a }}{{ $.Name }} 5 IN TXT with-{{ . }}{{ else }}{{ .Name }} 5 IN TXT without{{ end }}',
  '{{ $x := len .Name }}{{ $x = 7 }}{{ .Name }} 5 IN TXT {{ $x }} {{ $x | printf \\"%03d\\" }}',
  '{{- .Name -}} {{/* a comment */}} 5 IN TXT {{ \\"trim\\" -}}   ',
  '{{ define \\"T\\" }}{{ . }} 5 IN TXT defined{{ end }}{{ template \\"T\\" .Name }}',
  '{{ block \\"B\\" .Zone }}{{ $ }}{{ end }} 5 IN TXT block',
  '{{ .Name }} 5 IN TXT {{ range $k, $v := .Group }}{{ $k }}={{ $v }},{{ else }}none{{ end }}{{ range .Match }}{{ . }}{{ break }}{{ end }}',
  '{{ .Name }} 5 IN TXT {{ index .Match 9 }}',
  '{{ .Name }} 5 IN TXT {{ call .Name }}',
  ...[
    '{{ .Name }} IN A 192.0.2.5',
    '{{ .Name }} 1h IN A 192.0.2.5',
    '{{ .Name }} A 192.0.2.5',
    '{{ .Name }} 5 A 192.0.2.5',
  ],
  ...[
    '{{ .Name }} 5 IN MX 10 mail.{{ .Zone }}',
    '{{ .Name }} 5 IN SRV 0 1 80 www.{{ .Zone }}',
    '@ 5 IN A 192.0.2.1',
    'www 5 IN A 192.0.2.1',
  ],
  ...[
    '{{ .Name }} 5 IN PTR host.{{ .Zone }}',
    '{{ .Name }} 5 IN HTTPS 1 . alpn=h2',
    '{{ .Name }} 5 IN TYPE65280 \\\\# 2 abcd',
    'not a record',
  ],
  ...[
    '{{ .Name }} 5 IN A 192.0.2.1\n{{ .Name }} 5 IN A 192.0.2.2',
    '{{ .Name }} 5 IN CAA 0 issue \\"x\\"',
    '; comment',
    ' ',
    '{{ .Nosuch }}',
  ],
];
const ODD_ANSWERS = [
  ...[
    '"{{ if }}"',
    '',
    '"{{ .Name"',
    '"{{ nosuch 1 }}"',
    '"{{ end }}"',
    '"{{ range }}x{{ end }}"',
    '"{{ $x }}"',
    '"{{"',
  ],
  ...[
    '"{{ if true }}x"',
    '"{{ .Name | }}"',
    '"{{ \\"a }}"',
    '"{{ 08 }}"',
    '"{{ template \\"T\\" }}"',
    '"{{ break }}"',
    '"{{ var }}"',
  ],
];

const record = (w: Words): string => w.value([`"${w.pick(ANSWERS)}"`, `"${w.pick(ANSWERS)}"`], ODD_ANSWERS);

// No REFUSED, FORMERR or NOTIMP: CoreDNS then replies twice (docs/differences.md).
const RCODES = ['NXDOMAIN', 'NOERROR', 'SERVFAIL', 'YXDOMAIN', 'NOTAUTH', 'NOTZONE', 'BADVERS', 'BADCOOKIE'];

export const template: DirectiveGenerator = (w) => {
  const one = (): string[] => {
    const type = w.value(['A', 'AAAA', 'ANY', 'ANY', 'PTR', 'TXT', 'MX', 'HTTPS', 'SRV'], ['X', '', 'a', 'TYPE65280']);
    const head = `template ${w.value(['IN', 'ANY', 'CH'], ['X', 'in'])} ${type}${w.chance(0.6) ? ` ${w.zones(1, 2)}` : ''}`;
    const several = (word: string) => (w.chance(0.25) ? `${word} ${record(w)} ${record(w)}` : `${word} ${record(w)}`);
    const options = [
      `match ${w.value(MATCHES, ['(', '', '"(?P<a"', '(?=a)', 'a**', '[z-a]'])}`,
      w.chance(0.2) ? `match ${w.pick(MATCHES)}` : '',
      several('answer'),
      several('answer'),
      w.chance(0.3) ? several('answer') : '',
      `additional ${w.value(['"ns.{{ .Zone }} 60 IN A 192.0.2.53"', `"${w.pick(ANSWERS)}"`], ['"{{"', ''])}`,
      `authority ${w.value(['"{{ .Zone }} 60 IN SOA ns.{{ .Zone }} admin.{{ .Zone }} 1 60 60 60 60"', '"{{ .Zone }} 60 IN NS ns.{{ .Zone }}"', `"${w.pick(ANSWERS)}"`], ['', '"{{ x }}"'])}`,
      w.chance(0.5) ? `rcode ${w.value(RCODES, ['X', '', '99', 'noerror', 'NXDOMAIN x'])}` : '',
      w.chance(0.3)
        ? `ederror ${w.value(['21', '15 "blocked by policy"', '0', '65535 x', '0 ""'], ['x', '', '70000', '-1', '1 2 3', '0x5'])}`
        : '',
      w.chance(0.6) ? `fallthrough${w.chance(0.3) ? ' example.org' : ''}` : '',
      w.chance(0.2) ? `upstream${w.pick(['', ' x y'])}` : '',
    ];
    return w.block(head, options, 1);
  };
  return w.chance(0.3) ? [...one(), ...one()] : one();
};
