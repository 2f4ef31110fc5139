// Random histories of a small cluster, and the names that could mean something in it.

import fc from 'fast-check';
import type { ModelOptions } from './model.ts';
import type { ApiPort, ApiService } from './objects.ts';
import type { Step } from './test-cluster.ts';

const NAMESPACE_NAMES = ['a', 'b'];
const SERVICE_NAMES = ['web', 'db', 'ext'];
export const V4 = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.9.9.9'];
export const V6 = ['2001:db8::1', '2001:db8:1::'];
const HOSTNAMES = ['h-0', 'h-1'];
const POD_NAMES = ['p-0', 'h-0'];
const ZONES = ['eu-1', 'eu.West'];

export const options: fc.Arbitrary<ModelOptions & { readonly manyEndpoints: number }> = fc.record({
  manyEndpoints: fc.constantFrom(1, 3, 64),
  pods: fc.constantFrom('disabled', 'verified'),
  namespaces: fc.constantFrom<readonly string[]>([], ['a'], ['b', 'c']),
  usesPodNames: fc.boolean(),
  ignoresEmptyServices: fc.boolean(),
  isZonal: fc.boolean(),
});

const port: fc.Arbitrary<ApiPort> = fc.record({
  name: fc.constantFrom('http', 'dns', ''),
  protocol: fc.constantFrom('TCP', 'UDP'),
  port: fc.constantFrom(53, 80),
});
const spec: fc.Arbitrary<ApiService['spec']> = fc.oneof<fc.Arbitrary<ApiService['spec']>[]>(
  fc.record({
    type: fc.constant('ClusterIP'),
    clusterIPs: fc.constantFrom<string[]>(['10.9.9.9'], ['10.0.0.3', '2001:db8::1'], ['2001:db8:1::']),
    ports: fc.array(port, { maxLength: 2 }),
  }),
  fc.record({
    type: fc.constant('ClusterIP'),
    clusterIP: fc.constant('None'),
    ports: fc.array(port, { maxLength: 1 }),
  }),
  fc.record({
    type: fc.constant('ExternalName'),
    externalName: fc.constantFrom('www.example.org', 'web.a.svc.cluster.local'),
  }),
);
const inNamespace = fc.constantFrom(...NAMESPACE_NAMES);

export const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('namespace' as const), name: inNamespace, isThere: mostly() }),
  fc.tuple(inNamespace, fc.constantFrom(...SERVICE_NAMES), spec, mostly()).map(([namespace, name, made, isThere]) => ({
    kind: 'service' as const,
    object: { metadata: { name, namespace }, spec: made },
    isThere,
  })),
  slice(),
  fc
    .tuple(inNamespace, fc.constantFrom('p', 'q'), fc.constantFrom(...V4, ...V6), mostly())
    .map(([namespace, name, podIP, isThere]) => ({
      kind: 'pod' as const,
      object: { metadata: { name, namespace }, status: { phase: 'Running', podIP } },
      isThere,
    })),
  fc.constant({ kind: 'flush' as const }),
);

function mostly(): fc.Arbitrary<boolean> {
  return fc.integer({ min: 0, max: 3 }).map((number) => number > 0);
}

function slice(): fc.Arbitrary<Step> {
  const endpoint = fc.record({
    v4: fc.constantFrom(...V4),
    v6: fc.constantFrom(...V6),
    ready: mostly(),
    hostname: fc.option(fc.constantFrom(...HOSTNAMES), { nil: undefined }),
    pod: fc.option(fc.constantFrom(...POD_NAMES), { nil: undefined }),
    zone: fc.option(fc.constantFrom(...ZONES), { nil: undefined }),
  });
  return fc
    .record({
      namespace: inNamespace,
      name: fc.constantFrom('s1', 's2', 's3'),
      service: fc.constantFrom(...SERVICE_NAMES, ''),
      isV4: mostly(),
      endpoints: fc.array(endpoint, { maxLength: 4 }),
      ports: fc.array(port, { maxLength: 2 }),
      isThere: mostly(),
    })
    .map(({ namespace, name, service, isV4, endpoints, ports, isThere }) => ({
      kind: 'slice' as const,
      isThere,
      object: {
        metadata: { name, namespace, labels: { 'kubernetes.io/service-name': service } },
        addressType: isV4 ? 'IPv4' : 'IPv6',
        ports,
        endpoints: endpoints.map(({ v4, v6, ready, hostname, pod, zone }) => ({
          addresses: [isV4 ? v4 : v6],
          conditions: { ready },
          ...(hostname !== undefined && { hostname }),
          ...(pod !== undefined && { targetRef: { kind: 'Pod', name: pod } }),
          ...(zone !== undefined && { zone }),
        })),
      },
    }));
}

/** Every name that could mean something in this small world. */
export function possibleNames(): string[] {
  const dashed = [...V4, ...V6].map((address) => address.replaceAll(/[.:]/g, '-'));
  const endpoints = [...HOSTNAMES, ...POD_NAMES, ...dashed, ...dashed.map((name) => `${name}0`), 'nosuch'];
  const left = ['', ...endpoints.map((name) => `${name}.`)];
  for (const name of ['http', 'dns', 'nosuch', '_']) {
    for (const proto of ['tcp', 'udp', '_']) left.push(`${name}.${proto}.`);
  }
  for (const word of ['pin', 'prefer', 'x'])
    for (const zone of [...ZONES, 'no.such']) left.push(`${zone.toLowerCase()}.${word}._zone.`);
  const names = ['', 'svc', 'pod', 'nosuch'];
  for (const namespace of [...NAMESPACE_NAMES, 'c']) {
    names.push(`${namespace}.svc`, `${namespace}.pod`, ...dashed.map((name) => `${name}.${namespace}.pod`));
    for (const service of SERVICE_NAMES) for (const part of left) names.push(`${part}${service}.${namespace}.svc`);
  }
  return names;
}
