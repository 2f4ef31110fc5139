// Kubernetes objects as the suites make them.

import type { KubernetesObject } from './api-client.ts';

export interface Endpoint {
  readonly address: string;
  readonly hostname?: string;
  readonly ready?: boolean;
  /** Topology zone. */
  readonly zone?: string;
}

export interface Port {
  readonly name: string;
  readonly port: number;
  readonly protocol?: 'TCP' | 'UDP';
}

const PORTS: readonly Port[] = [
  { name: 'http', port: 80 },
  { name: 'metrics', port: 9100 },
];

export function namespace(name: string): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

/** @param spec replaces or adds fields: `{ clusterIP: 'None' }`, `{ type: 'ExternalName', externalName: ... }`. */
export function service(
  place: { readonly namespace: string; readonly name: string },
  spec: Readonly<Record<string, unknown>> = {},
  ports: readonly Port[] = PORTS,
): KubernetesObject {
  const isExternal = spec['type'] === 'ExternalName';
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...place, labels: { app: place.name } },
    spec: isExternal ? spec : { selector: { app: place.name }, ports: servicePorts(ports), ...spec },
  };
}

function servicePorts(ports: readonly Port[]): unknown[] {
  return ports.map((port) => ({ protocol: 'TCP', ...port }));
}

/** One slice of a service; its ports are the service's ports plus 8000. */
export function slice(
  place: { readonly namespace: string; readonly name: string; readonly service: string },
  endpoints: readonly Endpoint[],
  ports: readonly Port[] = PORTS,
): KubernetesObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: place.namespace,
      name: place.name,
      labels: { 'kubernetes.io/service-name': place.service },
    },
    addressType: endpoints[0]?.address.includes(':') ? 'IPv6' : 'IPv4',
    ports: ports.map((port) => ({ protocol: 'TCP', ...port, port: port.port + 8000 })),
    endpoints: sliceEndpoints(endpoints),
  };
}

export function sliceEndpoints(endpoints: readonly Endpoint[]): unknown[] {
  return endpoints.map((endpoint) => ({
    addresses: [endpoint.address],
    conditions: { ready: endpoint.ready ?? true },
    ...(endpoint.hostname === undefined ? {} : { hostname: endpoint.hostname }),
    ...(endpoint.zone === undefined ? {} : { zone: endpoint.zone }),
  }));
}

/** The cluster address that the API server gave to a created service; empty when it has none. */
export function clusterAddress(created: KubernetesObject): string {
  const { clusterIP = '' } = created['spec'] as { clusterIP?: string };
  return clusterIP === 'None' ? '' : clusterIP;
}
