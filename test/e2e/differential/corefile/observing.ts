// Generators of the directives that log, count and tell about the server: errors, log, health, ready, prometheus.

import type { DirectiveGenerator } from './directives.ts';
import type { Words } from './words.ts';

const PLACEHOLDERS = [
  ...['{type}', '{name}', '{class}', '{proto}', '{remote}', '{local}', '{size}', '{port}', '{duration}', '{rcode}'],
  ...['{rsize}', '{>rflags}', '{>id}', '{>opcode}', '{>do}', '{>bufsize}', '{common}', '{combined}', '{/x/y}'],
  ...['{unknown}', '{>nosuch}', '{/kubernetes/service}', '{/forward/upstream}', '{', '}', '{}', '{>}', '{/}', '{/a b}'],
  ...['{/log/type}', '{/kubernetes/namespace}', '{Name}', '{ name }', '{{type}}', 'text', '%s', '-', '\\"quoted\\"'],
];

const consolidate = (w: Words): string => {
  const level = w.value(['', ' warning', ' error', ' info', ' debug'], [' loud', ' WARNING', ' info error', ' fatal']);
  const first = w.value(['', '', ' show_first'], [' show_first x', ' Show_first', ' show_first info']);
  const pattern = w.value(
    [
      ...['".*timeout$"', '.*', '"^read udp .* i/o timeout$"', 'refused', '"(?i)NO HEALTHY"', 'no.*found', '""'],
      ...['"^(?P<what>[a-z]+) udp"', '"\\\\bplugin\\\\b"', "'quoted'", '[[:alpha:]]+'],
    ],
    ['"("', '"a{1001}"', '', '"a**"', '"(?P<a"', '"(?=a)"', '"\\\\1"', `"${'a'.repeat(10001)}"`, '"[z-a]"'],
  );
  return `consolidate ${w.duration()} ${pattern}${level}${first}`;
};

export const errors: DirectiveGenerator = (w) => {
  const file = w.value(['', '', '', ' stdout'], [' stderr', ' out.log', ' stdout x', ' Stdout']);
  return w.block(`errors${file}`, [
    `stacktrace${w.slip(0.03) ? ' x' : ''}`,
    consolidate(w),
    w.chance(0.5) ? consolidate(w) : '',
    w.chance(0.2) ? consolidate(w) : '',
    w.slip() ? w.pick(['consolidate', 'consolidate 5m', 'stdout', 'Consolidate 5m x', 'log x']) : '',
  ]);
};

export const log: DirectiveGenerator = (w) => {
  const one = (): string[] => {
    const names = w.chance(0.5) ? ` ${w.zones(1, 2)}` : '';
    const format = w.value([
      ...['', '', '"{common}"', '"{combined}"', '{common}', '{combined}', 'plain', '"{common} {/log/class}"'],
      `"${w.some(PLACEHOLDERS, 1, 8).join(w.pick([' ', '', ', ']))}"`,
      `"${w.some(PLACEHOLDERS, 1, 3).join(' ')}"`,
    ]);
    const classes = () => w.some(['success', 'denial', 'error', 'all'], 1, 3).join(' ');
    const line = () => `class ${w.value([classes()], ['nosuch', '', 'SUCCESS', 'success nosuch'])}`;
    const more = w.chance(0.15) ? line() : '';
    const head = `log${names === '' && format !== '' ? ' .' : names}${format === '' ? '' : ` ${format}`}`;
    return w.block(head, [line(), more, w.slip(0.03) ? 'format x' : '']);
  };
  return w.chance(0.2) ? [...one(), ...one()] : one();
};

export const health: DirectiveGenerator = (w) =>
  w.block(
    `health ${w.value([':@HEALTH@', '127.0.0.1:@HEALTH@', 'localhost:@HEALTH@'], ['x', '1.2.3.4', ':@HEALTH@ x', ':x'])}`,
    [`lameduck ${w.duration()}`],
  );

export const ready: DirectiveGenerator = (w) =>
  w.block(`ready ${w.value([':@READY@', '127.0.0.1:@READY@'], ['x', '1.2.3.4', ':@READY@ x', ':x'])}`, [
    `monitor ${w.value(['until-ready', 'continuously'], ['never', '', 'until-ready x'])}`,
  ]);

export const prometheus: DirectiveGenerator = (w) => {
  const file = w.value(
    [
      ...['@FILES@/web.yml', '@FILES@/web-users.yml', '@FILES@/web-empty.yml', '@FILES@/web-headers.yml'],
      ...['@FILES@/nosuch.yml', '@FILES@/web-bad.yml', '@FILES@/web-nofile.yml', '"@FILES@/nosuch dir/x"'],
    ],
    ['', 'a b', '@FILES@/web.yml\ntls @FILES@/web.yml'],
  );
  return w.block(
    `prometheus ${w.value([':@METRICS@', '127.0.0.1:@METRICS@', 'localhost:@METRICS@'], ['x', '1.2.3.4', ':@METRICS@ x', ':x'])}`,
    [`runtime_metrics${w.slip() ? ' x' : ''}`, w.chance(0.25) ? `tls ${file}` : ''],
  );
};
