/** The inventory as Kubernetes objects, namespaces first. */
import type { KubernetesObject } from '../test/e2e/support/api-client.ts';
import { ENDPOINTS_PER_SERVICE, endpointAddress, NAMESPACES, type Service, service } from './inventory.ts';

export function inventory(services: number): KubernetesObject[] {
  const objects: KubernetesObject[] = [];
  for (let number = 0; number < NAMESPACES; number++) {
    objects.push(namespaceObject(`ns-${number}`));
  }
  for (let number = 0; number < services; number++) {
    const one = service(number);
    objects.push(serviceObject(one));
    if (one.kind !== 'externalName') objects.push(sliceObject(one));
  }
  return objects;
}

export function namespaceObject(name: string): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}

const PORTS = [
  { name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 },
  { name: 'metrics', port: 9100, protocol: 'TCP' },
];

export function serviceObject(one: Service): KubernetesObject {
  const kind = { apiVersion: 'v1', kind: 'Service' };
  const metadata = {
    name: one.name,
    namespace: one.namespace,
    labels: { app: one.name, team: `t${one.number % 7}` },
    annotations: { 'meta.example.com/owner': 'x'.repeat(120) },
  };
  if (one.kind === 'externalName') {
    const externalName = service(one.number - 1).owner.slice(0, -1);
    return { ...kind, metadata, spec: { type: 'ExternalName', externalName } };
  }
  const clusterIP = one.kind === 'headless' ? 'None' : one.clusterIp;
  return { ...kind, metadata, spec: { clusterIP, ports: PORTS, selector: { app: one.name } } };
}

/** @param perService endpoints of every service: their addresses follow one another. */
export function sliceObject(one: Service, perService = ENDPOINTS_PER_SERVICE): KubernetesObject {
  const endpoints = Array.from({ length: perService }, (_, endpoint) => ({
    addresses: [endpointAddress(one.number, endpoint, perService)],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: `node-${endpoint}`,
    zone: `z${endpoint % 3}`,
    ...(one.kind === 'headless' && { hostname: `${one.name}-${endpoint}` }),
    targetRef: { kind: 'Pod', namespace: one.namespace, name: `${one.name}-${endpoint}` },
  }));
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${one.name}-abcde`,
      namespace: one.namespace,
      labels: {
        'kubernetes.io/service-name': one.name,
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      },
    },
    addressType: 'IPv4',
    ports: [
      { name: 'http', port: 8080, protocol: 'TCP' },
      { name: 'metrics', port: 9100, protocol: 'TCP' },
    ],
    endpoints,
  };
}
