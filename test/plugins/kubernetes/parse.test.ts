import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KubernetesConfig, parseKubernetes } from '../../../host/plugins/kubernetes/parse.ts';
import { readerOf, refusal } from '../support/reader.ts';

function parse(inside: string): KubernetesConfig {
  return parseKubernetes(readerOf('kubernetes', inside));
}

const DEFAULTS = {
  zones: ['cluster.local.'],
  primaryZone: 'cluster.local.',
  endpoint: undefined,
  hasSpareEndpoints: false,
  tls: undefined,
  kubeconfig: undefined,
  pods: 'disabled',
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
    ['kubernetes cluster.local {\n startup_timeout 0s\n}', { startupTimeoutMs: 0 }],
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
    [inside('startup_timeout x'), at(3, 'time: invalid duration "x"')],
    [inside('ttl 30\nnamespaces a'), at(4, "'namespaces' is not supported yet")],
  ];
  for (const [text, message] of table)
    assert.equal(
      refusal(() => parse(text)),
      message,
      text,
    );
});

test('options that are still to come are refused by name', () => {
  const words = [
    ...['namespaces a', 'labels a=b', 'namespace_labels a=b', 'endpoint_pod_names', 'noendpoints', 'zonal'],
    ...['ignore empty_service', 'multicluster clusterset.local', 'apiserver_qps 5', 'apiserver_burst 5'],
    'apiserver_max_inflight 5',
  ];
  for (const option of words) {
    const message = refusal(() => parse(`kubernetes cluster.local {\n${option}\n}`));
    assert.match(message, /^plugin\/kubernetes: Corefile:3 - .*'[a-z_]+' is not supported yet$/);
  }
});
