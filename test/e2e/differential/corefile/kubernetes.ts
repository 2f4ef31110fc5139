// Generator of the kubernetes directive: every way to the API server, every option in every combination.

import type { DirectiveGenerator } from './directives.ts';
import type { Words } from './words.ts';

/** The cluster set's own zone; `multicluster` must name a zone of the directive. */
const SET_ZONE = 'clusterset.local';
const HTTPS = 'endpoint https://127.0.0.1:@APITLS@';
const CERTIFICATES = 'tls @CERTS@/client.crt @CERTS@/client.key @CERTS@/ca.crt';

/** Lines that lead to the API server; the last ways lead to nobody, and the server starts without objects. */
const WAYS = [
  ...['kubeconfig @KUBECONFIG@', 'kubeconfig @KUBECONFIG@', 'kubeconfig @KUBECONFIG@', 'kubeconfig @KUBECONFIG@ x'],
  ...['kubeconfig @FILES@/contexts.conf', 'kubeconfig @FILES@/contexts.conf cert'],
  'kubeconfig @FILES@/contexts.conf plain',
  ...['endpoint http://127.0.0.1:@API@', 'endpoint 127.0.0.1:@API@'],
  'endpoint http://127.0.0.1:@API@ http://127.0.0.1:@CLOSED@',
  ...[`${HTTPS}\n${CERTIFICATES}`, `${CERTIFICATES}\n${HTTPS}`],
  // A kubeconfig has the last word.
  'endpoint http://127.0.0.1:@CLOSED@\nkubeconfig @KUBECONFIG@',
  `${CERTIFICATES}\nkubeconfig @FILES@/contexts.conf x`,
  'kubeconfig @FILES@/contexts.conf dead\nstartup_timeout 500ms',
];
const ODD_WAYS = [
  ...['endpoint', 'kubeconfig', '', 'tls a b', 'tls', `${CERTIFICATES} x`, 'kubeconfig a b c', 'upstream'],
  ...['kubeconfig @FILES@/nosuch.conf', 'kubeconfig @FILES@/contexts.conf nosuch', 'kubeconfig @FILES@/bad.conf'],
  ...[CERTIFICATES, `${HTTPS}\ntls @FILES@/nosuch.crt @CERTS@/client.key @CERTS@/ca.crt`, 'resyncperiod 5m'],
  ...[`${HTTPS}\ntls @CERTS@/client.crt @CERTS@/client.crt @CERTS@/ca.crt`, 'endpoint ::x', 'endpoint http://[::1'],
];
const SELECTORS = [
  ...['tier=gold', 'tier==silver', 'tier!=gold', 'tier in (gold, silver)', 'tier notin (gold)', '!tier', 'tier'],
  ...['"tier in (gold),!nosuch"', 'tier=gold,app', 'tier = gold', 'kubernetes.io/service-name', '"tier=gold, app"'],
];
const ODD_SELECTORS = [
  '=',
  'a==b==c',
  '',
  'tier in gold',
  'tier in (',
  'tier=>5',
  '-tier',
  'tier=-x',
  'a b',
  'tier in ()',
];
const NAMESPACE_SELECTORS = [
  'team=a',
  'team in (a, b)',
  'team!=a',
  '!team',
  'kubernetes.io/metadata.name=demo',
  'team',
];
const NAMESPACES = ['space-0', 'space-1', 'space-2', 'demo', 'default', 'nosuch', 'SPACE-3'];

export const kubernetes: DirectiveGenerator = (w) => {
  const isSet = w.chance(0.15);
  const zones = zonesOf(w, isSet);
  const [first, ...rest] = w.block(`kubernetes${zones === '' ? '' : ` ${zones}`}`, options(w, isSet), 0);
  const head = first!.endsWith('{') ? first! : `${first!} {`;
  const way = w.value(WAYS, ODD_WAYS).split('\n');
  const lines = way.filter((line) => line !== '').map((line) => `    ${line}`);
  return [head, ...lines, ...(rest.length === 0 ? ['}'] : rest)];
};

function zonesOf(w: Words, isSet: boolean): string {
  if (isSet) return `cluster.local ${SET_ZONE}${w.pick(['', ' in-addr.arpa ip6.arpa', ' 10.0.0.0/8'])}`;
  return w.value(
    [
      ...['cluster.local', 'cluster.local in-addr.arpa ip6.arpa', 'cluster.local 10.0.0.0/8 fd00::/8', ''],
      ...['in-addr.arpa cluster.local', '10.in-addr.arpa Cluster.LOCAL', 'local cluster.local', 'in-addr.arpa'],
    ],
    ['10.in-addr.arpa', '10.0.0.0/8', 'a..b cluster.local', 'a..b'],
  );
}

function options(w: Words, isSet: boolean): string[] {
  const all = [
    `pods ${w.value(['disabled', 'insecure', 'verified'], ['x', '', 'Insecure', 'insecure x'])}`,
    `ttl ${w.value([0, 1, 5, 30, 60, 3600, '+5'], [-1, 3601, 'x', '', '5s', '0x5'])}`,
    w.chance(0.5)
      ? `namespaces ${w.some(NAMESPACES, w.slip() ? 0 : 1, 4).join(' ')}`
      : `namespace_labels ${w.value(NAMESPACE_SELECTORS, ODD_SELECTORS)}`,
    w.chance(0.4) ? `namespaces ${w.pick(NAMESPACES)}` : '',
    w.chance(0.5) ? `labels ${w.value(SELECTORS, ODD_SELECTORS)}` : '',
    `fallthrough${w.chance(0.5) ? ` ${w.zones(1, 2)}` : ''}`,
    `endpoint_pod_names${w.slip(0.03) ? ' x' : ''}`,
    w.chance(0.3) ? 'noendpoints' : `zonal${w.slip() ? '\nnoendpoints' : ''}`,
    `ignore${w.value([' empty_service', ' empty_service', '', ' empty_service x'], [' nosuch', ' Empty_service'])}`,
    `startup_timeout ${w.duration(['1s', '5s', '10s', '1500ms'])}`,
    `apiserver_qps ${w.value([5, 100.5, 0, '1e2', '.5', '0x1p4', 'inf'], [-1, 'x', '', '1 2', '1e999'])}`,
    `apiserver_burst ${w.count([0, 1, 50])}`,
    `apiserver_max_inflight ${w.count([0, 1, 50])}`,
    w.slip() ? w.pick(['multicluster x.test', 'multicluster', 'transfer to *', 'cascade', 'namespaces']) : '',
  ];
  const set = [
    `multicluster ${w.value([SET_ZONE, `${SET_ZONE}.`, 'Clusterset.LOCAL'], ['x.test', `${SET_ZONE} y.test`])}`,
  ];
  return w.some(all, 0, 8).concat(isSet ? set : []);
}
