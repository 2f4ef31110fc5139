// One generator for each directive: its lines, every option, legal and odd values.

import { cache, forward, loadbalance } from './resolving.ts';
import { hosts, rewrite, template } from './rewriting.ts';
import { TYPES, type Words, ZONES } from './words.ts';

export type DirectiveGenerator = (words: Words) => string[];

const errors: DirectiveGenerator = (w) => {
  const consolidate = () => {
    const level = w.chance(0.4) ? ` ${w.value(['warning', 'error', 'info', 'debug'], ['loud', 'WARNING'])}` : '';
    const first = w.chance(0.2) ? ' show_first' : '';
    const pattern = w.value(
      ['".*timeout$"', '.*', '"^read udp .* i/o timeout$"', 'refused'],
      ['"("', '"a{1001}"', '""'],
    );
    return `consolidate ${w.duration()} ${pattern}${level}${first}`;
  };
  return w.block(`errors${w.chance(0.2) ? ` ${w.value(['stdout'], ['stderr', 'out.log', 'stdout x'])}` : ''}`, [
    'stacktrace',
    consolidate(),
    w.chance(0.5) ? consolidate() : '',
  ]);
};

const log: DirectiveGenerator = (w) => {
  const names = w.chance(0.5) ? ` ${w.zones(1, 2)}` : '';
  const format = w.value([
    '',
    '"{common}"',
    '"{combined}"',
    '"{remote} {type} {name} {>id} {rcode}"',
    '"{remote}:{port} {local} {size} {rsize} {duration} {>rflags} {>do} {>bufsize} {>opcode} {proto} {class}"',
    '"{unknown} {>nosuch}"',
    '{common}',
  ]);
  const kinds = w.some(['success', 'denial', 'error', 'all'], 1, 2).join(' ');
  const line = `class ${w.value([kinds], ['nosuch', '', 'SUCCESS'])}`;
  return w.block(`log${names === '' && format !== '' ? ' .' : names}${format === '' ? '' : ` ${format}`}`, [line]);
};

const health: DirectiveGenerator = (w) => [
  ...w.block(
    `health ${w.value([':@HEALTH@', '127.0.0.1:@HEALTH@', 'localhost:@HEALTH@'], ['x', '1.2.3.4', ':@HEALTH@ x', ':x'])}`,
    [`lameduck ${w.duration()}`],
  ),
];

const ready: DirectiveGenerator = (w) =>
  w.block(`ready ${w.value([':@READY@', '127.0.0.1:@READY@'], ['x', '1.2.3.4', ':@READY@ x', ':x'])}`, [
    `monitor ${w.value(['until-ready', 'continuously'], ['never', '', 'until-ready x'])}`,
  ]);

const prometheus: DirectiveGenerator = (w) =>
  w.block(`prometheus ${w.value([':@METRICS@', '127.0.0.1:@METRICS@'], ['x', '1.2.3.4', ':@METRICS@ x', ':x'])}`, [
    `runtime_metrics${w.slip() ? ' x' : ''}`,
  ]);

const kubernetes: DirectiveGenerator = (w) => {
  const zones = w.value(
    [
      'cluster.local',
      'cluster.local in-addr.arpa ip6.arpa',
      'cluster.local 10.0.0.0/8 fd00::/8',
      'in-addr.arpa cluster.local',
      '',
    ],
    ['10.in-addr.arpa', '10.0.0.0/8', 'a..b cluster.local'],
  );
  const options = [
    `pods ${w.value(['disabled', 'insecure', 'verified'], ['x', '', 'Insecure'])}`,
    `ttl ${w.value([0, 1, 5, 30, 60, 3600], [-1, 3601, 'x', '', '5s'])}`,
    `namespaces ${w.some(['space-0', 'space-1', 'demo', 'default', 'nosuch'], w.slip() ? 0 : 1, 3).join(' ')}`,
    `labels ${w.value(['app=web', 'app in (web, db)', '!nolabel', 'app'], ['=', 'a==b==c', ''])}`,
    `fallthrough${w.chance(0.5) ? ` ${w.zones(1, 2)}` : ''}`,
    'endpoint_pod_names',
    w.chance(0.3) ? 'noendpoints' : '',
    `ignore ${w.value(['empty_service'], ['nosuch', ''])}`,
    `startup_timeout ${w.duration(['1s', '5s', '10s'])}`,
    w.chance(0.3) ? 'zonal' : '',
    `apiserver_qps ${w.value([5, 100.5, 0], [-1, 'x', ''])}`,
    `apiserver_burst ${w.count()}`,
    `apiserver_max_inflight ${w.count()}`,
    w.slip()
      ? w.pick(['namespace_labels name=x', 'tls a b', 'upstream', 'resyncperiod 5m', 'multicluster x.test', 'endpoint'])
      : '',
  ];
  const [first, ...rest] = w.block(`kubernetes${zones === '' ? '' : ` ${zones}`}`, options, 0);
  const head = first!.endsWith('{') ? first! : `${first!} {`;
  return [head, '    kubeconfig @KUBECONFIG@', ...(rest.length === 0 ? ['}'] : rest)];
};

// Not 0.0.0.0: beside a block without bind the kernel deals its queries out to both sockets, on either server.
const bind: DirectiveGenerator = (w) =>
  w.block(
    `bind ${w.value(['127.0.0.1', 'lo', '127.0.0.1 ::1', '::1', '127.0.0.1 127.0.0.2'], ['300.1.1.1', 'nosuch0', ''])}`,
    [w.chance(0.3) ? `except ${w.value(['::1', '127.0.0.9'], ['x', '300.1.1.1', ''])}` : ''],
  );

const metadata: DirectiveGenerator = (w) => [
  `metadata${w.chance(0.4) ? ` ${w.zones(1, 2)}` : ''}${w.slip() ? ' {\n    x\n}' : ''}`,
];

const simple = (head: string, legal: readonly string[], odd: readonly string[]): DirectiveGenerator => {
  return (w) => [`${head} ${w.value(legal, odd)}`.trimEnd()];
};

/** Every directive by its name. */
export const DIRECTIVES: Readonly<Record<string, DirectiveGenerator>> = {
  errors,
  log,
  health,
  ready,
  prometheus,
  kubernetes,
  bind,
  metadata,
  forward,
  cache,
  loadbalance,
  hosts,
  rewrite,
  template,
  bufsize: simple('bufsize', ['', '512', '1232', '4096', '900'], ['511', '4097', 'x', '1 2', '-1', '1232 {\n}']),
  multisocket: simple('multisocket', ['', '1', '2', '3'], ['0', '-1', '1025', 'x', '1 2']),
  root: simple('root', ['.', '/', '/tmp', './nosuch'], ['', '/ /']),
  debug: simple('debug', [''], ['x']),
  loop: simple('loop', [''], ['x', '{\n}']),
  reload: simple(
    'reload',
    ['', '2s', '30s', '10s 2s', '1m 0s', '1h 30m'],
    ['1s', '30', 'x', '10s x', '10s 100ms', '1s 1s 1s', '-5s', '10s -1s', '0s'],
  ),
  whoami: simple('whoami', [''], ['x', 'example.org']),
};

/** Types for questions and rules, and zones to try them on. */
export const KNOWN = { TYPES, ZONES };
