import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KubernetesConfig, parseKubernetes } from '../../../host/plugins/kubernetes/parse.ts';
import { parsed, refusal } from '../support/reader.ts';

function parse(inside: string): KubernetesConfig {
  return parsed(parseKubernetes, 'kubernetes', inside);
}

const A = { key: 'a', text: 'a' };
const B2 = { key: 'b', text: 'b=2' };

const DEFAULTS = {
  zones: ['cluster.local.'],
  primaryZone: 'cluster.local.',
  endpoint: undefined,
  hasSpareEndpoints: false,
  tls: undefined,
  kubeconfig: undefined,
  namespaces: [],
  labels: undefined,
  namespaceLabels: undefined,
  pods: 'disabled',
  usesPodNames: false,
  hasEndpoints: true,
  ignoresEmptyServices: false,
  isZonal: false,
  multiclusterZones: [],
  ttlSeconds: 5,
  fallthrough: undefined,
  startupTimeoutMs: 5000,
};

test('what a directive says', () => {
  const table: readonly (readonly [string, Partial<KubernetesConfig>])[] = [
    ['kubernetes cluster.local', {}],
    ['kubernetes CLUSTER.Local.', {}],
    ['kubernetes', { zones: ['.'], primaryZone: '.' }],
    ['kubernetes cluster.local in-addr.arpa ip6.arpa', { zones: ['cluster.local.', 'in-addr.arpa.', 'ip6.arpa.'] }],
    ['kubernetes 10.0.0.0/8 cluster.local', { zones: ['10.in-addr.arpa.', 'cluster.local.'] }],
    [
      'kubernetes in-addr.arpa cluster.local',
      { zones: ['in-addr.arpa.', 'cluster.local.'], primaryZone: 'in-addr.arpa.' },
    ],
    ['kubernetes cluster.local {\n pods insecure\n ttl 30\n}', { pods: 'insecure', ttlSeconds: 30 }],
    ['kubernetes cluster.local {\n pods verified\n ttl 0\n}', { pods: 'verified', ttlSeconds: 0 }],
    ['kubernetes cluster.local {\n ttl 5\n ttl 3600 ignored\n}', { ttlSeconds: 3600 }],
    ['kubernetes cluster.local {\n fallthrough\n}', { fallthrough: ['.'] }],
    [
      'kubernetes cluster.local {\n fallthrough in-addr.arpa IP6.arpa 10.0.0.0/8\n}',
      { fallthrough: ['in-addr.arpa.', 'ip6.arpa.', '10.in-addr.arpa.'] },
    ],
    ['kubernetes cluster.local {\n kubeconfig k8s.yaml\n}', { kubeconfig: { file: 'k8s.yaml', context: undefined } }],
    ['kubernetes cluster.local {\n kubeconfig k8s.yaml prod\n}', { kubeconfig: { file: 'k8s.yaml', context: 'prod' } }],
    ['kubernetes cluster.local {\n endpoint http://127.0.0.1:1\n}', { endpoint: 'http://127.0.0.1:1' }],
    ['kubernetes cluster.local {\n endpoint http://a http://b\n}', { endpoint: 'http://a', hasSpareEndpoints: true }],
    ['kubernetes cluster.local {\n tls cert key ca\n}', { tls: { cert: 'cert', key: 'key', ca: 'ca' } }],
    ['kubernetes cluster.local {\n startup_timeout 1m30s\n}', { startupTimeoutMs: 90_000 }],
    ['kubernetes cluster.local {\n namespaces a B\n namespaces c a\n}', { namespaces: ['a', 'B', 'c'] }],
    ['kubernetes cluster.local {\n labels env=x\n labels b = 2 , a\n}', { labels: [A, B2] }],
    ['kubernetes cluster.local {\n labels ""\n}', { labels: [] }],
    ['kubernetes cluster.local {\n namespace_labels a\n}', { namespaceLabels: [A] }],
    ['kubernetes cluster.local {\n endpoint_pod_names\n}', { usesPodNames: true }],
    ['kubernetes cluster.local {\n noendpoints\n}', { hasEndpoints: false }],
    ['kubernetes cluster.local {\n ignore empty_service whatever\n}', { ignoresEmptyServices: true }],
    ['kubernetes cluster.local {\n ignore\n}', {}],
    ['kubernetes cluster.local {\n zonal\n}', { isZonal: true }],
    ['kubernetes cluster.local {\n multicluster\n}', {}],
    [
      'kubernetes cluster.local set.local x.set.local {\n multicluster nosuch.local\n multicluster SET.local\n}',
      {
        zones: ['cluster.local.', 'set.local.', 'x.set.local.'],
        // What lies below a zone of the set belongs to it.
        multiclusterZones: ['set.local.', 'x.set.local.'],
      },
    ],
    // Checked, and without effect.
    ['kubernetes cluster.local {\n apiserver_qps 0.5\n apiserver_burst +5\n apiserver_max_inflight 0\n}', {}],
    ['kubernetes cluster.local {\n apiserver_qps NaN\n apiserver_qps 0x1p-2\n apiserver_qps Inf\n}', {}],
  ];
  for (const [inside, expected] of table) assert.deepEqual(parse(inside), { ...DEFAULTS, ...expected }, inside);
});

test('what is refused, with place and words', () => {
  const at = (line: number, text: string) => `plugin/kubernetes: Corefile:${line} - Error during parsing: ${text}`;
  const inside = (property: string) => `kubernetes cluster.local {\n${property}\n}`;
  const argument = (word: string) => `Wrong argument count or unexpected line ending after '${word}'`;
  const table: readonly (readonly [string, string])[] = [
    ['kubernetes a\nkubernetes b', at(3, 'this plugin can only be used once per Server Block')],
    ['kubernetes 10.in-addr.arpa', at(2, 'non-reverse zone name must be used')],
    ['kubernetes 10.0.0.0/8 8.b.d.0.1.0.0.2.ip6.arpa', at(2, 'non-reverse zone name must be used')],
    [inside('nosuch'), at(3, "unknown property 'nosuch'")],
    [inside('upstream'), at(3, "unknown property 'upstream'")],
    [inside('resyncperiod 5m'), at(3, "unknown property 'resyncperiod'")],
    [inside('pods'), at(3, argument('pods'))],
    [inside('pods insecure verified'), at(3, argument('verified'))],
    [inside('pods x'), at(3, 'wrong value for pods: x,  must be one of: disabled, verified, insecure')],
    [inside('ttl'), at(3, argument('ttl'))],
    [inside('ttl x'), at(3, 'strconv.Atoi: parsing "x": invalid syntax')],
    [inside('ttl 4000'), at(3, 'ttl must be in range [0, 3600]: 4000')],
    [inside('ttl -1'), at(3, 'ttl must be in range [0, 3600]: -1')],
    [inside('tls a b'), at(3, argument('b'))],
    [inside('tls a b c d'), at(3, argument('d'))],
    [inside('kubeconfig'), at(3, argument('kubeconfig'))],
    [inside('kubeconfig a b c'), at(3, argument('c'))],
    [inside('endpoint'), at(3, argument('endpoint'))],
    [inside('startup_timeout'), at(3, argument('startup_timeout'))],
    [inside('startup_timeout x'), at(3, 'failed to parse startup_timeout: x, time: invalid duration "x"')],
    [inside('startup_timeout 0s'), at(3, 'startup_timeout must be positive')],
    [inside('startup_timeout -1s'), at(3, 'startup_timeout must be positive')],
    [inside('startup_timeout 0s\nttl x'), at(4, 'strconv.Atoi: parsing "x": invalid syntax')],
    [
      'kubernetes cluster.local {\nstartup_timeout 0\n}\nkubernetes',
      at(5, 'this plugin can only be used once per Server Block'),
    ],
    [inside('namespaces'), at(3, argument('namespaces'))],
    [inside('labels'), at(3, argument('labels'))],
    [inside('namespace_labels'), at(3, argument('namespace_labels'))],
    [
      inside('labels a!=b'),
      at(3, `unable to parse label selector value: 'a!=b': "!=" is not a valid label selector operator`),
    ],
    [
      inside('namespace_labels a = b c'),
      at(
        3,
        `unable to parse namespace_label selector value: 'a = b c': couldn't parse the selector string "a = b c": found 'c', expected: ',' or 'end of string'`,
      ),
    ],
    [inside('namespaces a\nnamespace_labels b\nttl 1'), at(4, 'namespaces and namespace_labels cannot both be set')],
    [inside('endpoint_pod_names x'), at(3, argument('x'))],
    [inside('noendpoints x'), at(3, argument('x'))],
    [inside('zonal x'), at(3, argument('x'))],
    [inside('zonal\nnoendpoints'), at(3, 'zonal requires the endpoint cache; remove noendpoints')],
    [inside('ignore x'), at(3, "unable to parse ignore value: 'x'")],
    [
      inside('multicluster set.local'),
      at(3, 'is not authoritative for the multicluster zone set.local. (authoritative zones: [cluster.local.])'),
    ],
    [inside('apiserver_qps'), at(3, argument('apiserver_qps'))],
    [inside('apiserver_qps 1 2'), at(3, argument('2'))],
    [inside('apiserver_qps x'), at(3, 'invalid apiserver_qps "x": strconv.ParseFloat: parsing "x": invalid syntax')],
    [
      inside('apiserver_qps 1e39'),
      at(3, 'invalid apiserver_qps "1e39": strconv.ParseFloat: parsing "1e39": value out of range'),
    ],
    [inside('apiserver_qps -0.1'), at(3, 'apiserver_qps must be >= 0')],
    [inside('apiserver_burst'), at(3, argument('apiserver_burst'))],
    [
      inside('apiserver_burst 1.5'),
      at(3, 'invalid apiserver_burst "1.5": strconv.Atoi: parsing "1.5": invalid syntax'),
    ],
    [inside('apiserver_burst -1'), at(3, 'apiserver_burst must be >= 0')],
    [
      inside('apiserver_max_inflight 99999999999999999999'),
      at(
        3,
        'invalid apiserver_max_inflight "99999999999999999999": strconv.Atoi: parsing "99999999999999999999": value out of range',
      ),
    ],
    [inside('apiserver_max_inflight -1'), at(3, 'apiserver_max_inflight must be >= 0')],
  ];
  for (const [text, message] of table)
    assert.equal(
      refusal(() => parse(text)),
      message,
      text,
    );
});
