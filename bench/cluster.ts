/**
 * A real etcd and kube-apiserver on loopback, filled with the inventory: what CoreDNS and wasmdns watch. Once filled,
 * both keep to the load's core at lowest priority, and are stopped (SIGSTOP) while something is measured.
 */
import type { KubernetesObject } from '../test/e2e/support/api-client.ts';
import { ControlPlane } from '../test/e2e/support/control-plane.ts';
import { ENDPOINTS_PER_SERVICE, endpointAddress, NAMESPACES, type Service, service } from './inventory.ts';
import { confine, processTree } from './processes.ts';

export interface Cluster {
  readonly kubeconfig: string;
  /** No CPU time for etcd and the API server until thaw(); a few seconds at most, watches must not time out. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** Takes about half a minute for 10,000 services, most of it the API server's own time. */
export async function startCluster(services: number, core: number): Promise<Cluster> {
  const before = new Set(processTree(process.pid));
  const plane = await ControlPlane.start();
  const pids = processTree(process.pid).filter((pid) => !before.has(pid));
  const signal = (name: NodeJS.Signals): void => {
    for (const pid of pids) process.kill(pid, name);
  };
  await plane.api.createAll(inventory(services));
  for (const pid of pids) confine(pid, core);
  return {
    kubeconfig: plane.writeKubeconfig(),
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    stop: () => plane.stop(),
  };
}

/** The objects of the inventory, namespaces first. */
export function inventory(services: number): KubernetesObject[] {
  const objects: KubernetesObject[] = [];
  for (let number = 0; number < NAMESPACES; number++) {
    objects.push({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: `ns-${number}` } });
  }
  for (let number = 0; number < services; number++) {
    const one = service(number);
    objects.push(serviceObject(one));
    if (one.kind !== 'externalName') objects.push(sliceObject(one));
  }
  return objects;
}

const PORTS = [
  { name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 },
  { name: 'metrics', port: 9100, protocol: 'TCP' },
];

function serviceObject(one: Service): KubernetesObject {
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

function sliceObject(one: Service): KubernetesObject {
  const endpoints = Array.from({ length: ENDPOINTS_PER_SERVICE }, (_, endpoint) => ({
    addresses: [endpointAddress(one.number, endpoint)],
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
