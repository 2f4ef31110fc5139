// Generators of the directives that answer from an upstream or a cache, and of the one that orders answers.

import type { DirectiveGenerator } from './directives.ts';
import { type Words, ZONES } from './words.ts';

const UPSTREAM = '127.0.0.1:@UPSTREAM@';

const targets = (w: Words): string =>
  w.value(
    [
      UPSTREAM,
      UPSTREAM,
      `dns://${UPSTREAM}`,
      `${UPSTREAM} 127.0.0.1:@UPSTREAMB@`,
      `${UPSTREAM} ${UPSTREAM}`,
      '@FILES@/resolv.conf',
      'localhost:@UPSTREAM@',
      `127.0.0.1:@CLOSED@ ${UPSTREAM}`,
      '@FILES@/odd-resolv.conf',
      // home is this machine, for those who ask the upstream.
      ...Array.from({ length: 2 }, () => 'home.example.org:@UPSTREAM@'),
      `home.example.org:@UPSTREAM@ ${UPSTREAM}`,
      'LOCALHOST:@UPSTREAM@',
    ],
    [
      '',
      '1.2.3.4.5',
      '@FILES@/nosuch.conf',
      '127.0.0.1:x',
      '127.0.0.1:99999',
      'foo://127.0.0.1',
      'grpc://127.0.0.1',
      'nosuch.invalid',
      '@FILES@/empty.conf',
      '[::1]:@UPSTREAM@',
      '::1',
      Array.from({ length: 16 }, (_, n) => `127.0.0.${n + 1}:@UPSTREAM@`).join(' '),
      ':53',
      'a..b:53',
      'nx.example.org',
      `nx.example.org:@UPSTREAM@ ${UPSTREAM}`,
      'servfail.example.org',
      '@FILES@',
      'localhost:x',
      'dns://home.example.org:@UPSTREAM@',
      'quic://127.0.0.1',
      'unix:///tmp/x',
    ],
  );

/** Servers that know the names of TO; an option for every forward, used where TO is a name. */
const resolver = (w: Words): string =>
  `resolver ${w.value([UPSTREAM, UPSTREAM, `127.0.0.1:@CLOSED@ ${UPSTREAM}`, `${UPSTREAM} 127.0.0.1:@UPSTREAMB@`], ['127.0.0.1:@CLOSED@', '', 'x', 'localhost:53', '127.0.0.1:x', '::1', '[::1]:53', '127.0.0.1:', '1.2.3'])}`;

export const forward: DirectiveGenerator = (w) => {
  const from = w.value(['.', '.', '.', 'example.org', 'sub.example.org', '10.0.0.0/8'], ['', 'a..b', '10.0.0.0/33']);
  const rcodes = () => w.some(['SERVFAIL', 'REFUSED', 'NXDOMAIN', 'NOTIMP', 'servfail'], 1, 2).join(' ');
  const options = [
    `except ${w.value([...ZONES, 'nx.example.org example.net'], ['', 'a..b'])}`,
    w.pick(['force_tcp', 'prefer_udp', 'prefer_udp\nforce_tcp']),
    w.slip() ? 'force_tcp x' : '',
    `expire ${w.duration()}`,
    `max_idle_conns ${w.count([0, 1, 10])}`,
    `max_fails ${w.count([0, 1, 2, 5])}`,
    `max_concurrent ${w.count([0, 100, 1000])}`,
    `policy ${w.value(['random', 'round_robin', 'sequential'], ['best', '', 'Random'])}`,
    `health_check ${w.duration(['0.5s', '1s', '500ms'])}${w.value(['', ' no_rec', ' domain example.org', ' no_rec domain example.org'], [' x', ' domain', ' domain a..b'])}`,
    `read_timeout ${w.duration(['2s', '1s', '3s'])}`,
    `failover ${w.value([rcodes()], ['NOERROR', 'x', ''])}`,
    w.chance(0.3) ? `next ${w.value([rcodes()], ['NOERROR', 'x', ''])}` : '',
    w.chance(0.2) ? 'next_on_nodata' : '',
    'failfast_all_unhealthy_upstreams',
    `max_connect_attempts ${w.count([0, 1, 3])}`,
    w.chance(0.3) ? `max_age ${w.duration(['10m', '1h', '0s'])}` : '',
    w.chance(0.3)
      ? `source_address ${w.value(['127.0.0.1', '127.0.0.9', '0.0.0.0', '192.0.2.250', '::1'], ['x', '', '127.0.0.1:53', '127.0.0.1 x', '::1%lo'])}`
      : '',
    w.slip() ? w.pick(['tls_servername', 'doh_method PUT', 'doh_method', 'tls a b c d', 'spray', 'resolver']) : '',
  ];
  const to = targets(w);
  const isNamed = /[a-z]\.example\.org/.test(to);
  const asks = isNamed || w.chance(0.05) ? [resolver(w)] : [];
  const lines = w.block(`forward ${from} ${to}`.trimEnd(), w.some(options, 0, 5), 0.85, asks);
  if (!w.chance(0.15)) return lines;
  return [...w.block(`forward example.org ${UPSTREAM}`, w.some(options, 0, 2)), ...lines];
};

export const cache: DirectiveGenerator = (w) => {
  const seconds = () => w.value([1, 5, 30, 60, 3600], [0, -1, '30s', 'x', '1.5']);
  const size = () => w.value([10, 1000, 9984, 20000], [0, -1, 'x', '1k']);
  const times = () =>
    w.value(['', ` ${seconds()}`, ` ${seconds()} ${w.value([0, 1, 5, 3600], [-1, 'x', '5s'])}`], [' 1 2 3', ' 5 10']);
  const zones = w.chance(0.3) ? ` ${w.zones(1, 2)}` : '';
  const immediate = `immediate${w.value(['', ' 10s', ' 0s', ' 30s 5s', ' 0s 0s', ' 10s 5m'], [' x', ' 1500ms', ' 10s 6m', ' -1s', ' 10s -1s', ' 10s 5s 1s'])}`;
  const verify = `verify${w.value(['', ' 100ms', ' 0s 10s', ' 1s 10s 5s', ' 1500ms', ' 0s 0s 0s'], [' x', ' -1s', ' 1s 1500ms', ' 1s 1s 6m', ' 1s 1s 1s 1s'])}`;
  const stale = w.value(
    ['', ' 1h', ' 0s', ` 1h ${immediate}`, ` 10m ${immediate}`, ` 10m ${verify}`, ` 1s ${verify}`],
    [' 1h never', ' -1h', ' x', ' 3600', ' 1h Immediate'],
  );
  const options = [
    `success ${size()}${times()}`,
    `denial ${size()}${times()}`,
    `prefetch ${w.value(['0', '1', '5 1m', '5 1m 10%', '10 30s 90%'], ['-1', 'x', '5 1m 9%', '5 1m 91%', '5 1m 10', '5 x', '', '5 1m 10% 1'])}`,
    `serve_stale${stale}`,
    w.chance(0.3) ? `serve_stale${stale}\nserve_stale_policy ${w.value(['prefer_positive'], ['x', ''])}` : '',
    `servfail ${w.value(['0', '0s', '5s', '5m', '1m30s'], ['6m', '-1s', 'x', '', '5'])}`,
    `disable ${w.value(['success', 'denial'], ['other', '', 'Success'])}${w.chance(0.5) ? ` ${w.zones(1, 2)}` : ''}`,
    w.chance(0.3) ? `disable ${w.pick(['success', 'denial'])} ${w.zones(1, 2)}\ndisable denial ${w.zones(1, 1)}` : '',
    'keepttl',
    w.slip() ? w.pick(['success', 'denial', 'keepttl x', 'serve_stale_policy prefer_positive', 'servfail 1s 2s']) : '',
  ];
  return w.block(`cache${w.chance(0.6) ? ` ${seconds()}` : ''}${zones}`, w.some(options, 0, 4));
};

export const loadbalance: DirectiveGenerator = (w) => {
  const kind = w.value(
    [
      ...[
        '',
        '',
        ' round_robin',
        ' weighted @FILES@/weights',
        ' weighted @FILES@/odd-weights',
        ' prefer',
        ' prefer bare',
      ],
      ...[' weighted @FILES@/empty-weights', ' weighted weights', ' weighted @FILES@/nosuch'],
    ],
    [
      ...[' weighted @FILES@/bad-weights-zero', ' weighted @FILES@/bad-weights-first', ' weighted @FILES@/custom'],
      ...[
        ' weighted @FILES@/bad-weights-three',
        ' weighted @FILES@/bad-weights-comment',
        ' weighted @FILES@/bad-weights-address',
        ' Round_robin',
      ],
      ...[' weighted @FILES@/bad-weights-word', ' weighted @FILES@/bad-weights-name'],

      ' random',
      ' weighted',
      ' round_robin x',
      ' weighted @FILES@/bad-weights',
      ' weighted a b',
    ],
  );
  if (kind.startsWith(' weighted'))
    return w.block(`loadbalance${kind}`, [
      `reload ${w.duration(['30s', '0s', '5s'])}`,
      w.slip() ? w.pick(['prefer 10.0.0.0/8', 'reload', 'reload 1s 2s', 'nosuch']) : '',
    ]);
  if (!kind.startsWith(' prefer')) return [`loadbalance${kind}`];
  const prefer = () =>
    `prefer ${w.value(['10.0.0.0/8', '192.0.2.0/30 198.51.100.0/24', '2001:db8::/32', '10.0.0.0/8 fd00::/8 192.0.2.1/32', '0.0.0.0/0', '192.0.2.5/30'], ['x', '10.0.0.0/33', '', '10.0.0.1', '10.0.0.0/8 x'])}`;
  const more = w.chance(0.3) ? prefer() : '';
  return w.block(`loadbalance${kind === ' prefer' ? ' round_robin' : ''}`, [
    prefer(),
    more,
    w.slip() ? 'reload 1s' : '',
  ]);
};
