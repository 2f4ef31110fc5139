// EndpointSlices of services that select pods, as the endpointslice controller would write them: one slice for each
// service and address family, as many endpoints as there are.

import { isIPv6 } from 'node:net';
import { type KubernetesObject, record, records } from '../api/values.ts';

export function deriveSlices(
  services: readonly KubernetesObject[],
  pods: readonly KubernetesObject[],
): KubernetesObject[] {
  return services.flatMap((service) => slicesOf(service, pods));
}

function slicesOf(service: KubernetesObject, pods: readonly KubernetesObject[]): KubernetesObject[] {
  const spec = record(service['spec']);
  const selector = Object.entries(record(spec['selector']));
  if (selector.length === 0 || spec['type'] === 'ExternalName') return [];
  const selected = pods.filter(
    (pod) =>
      pod.metadata.namespace === service.metadata.namespace &&
      selector.every(([label, value]) => record(pod.metadata['labels'])[label] === value),
  );
  return ['IPv4', 'IPv6'].flatMap((addressType) => {
    const endpoints = selected.flatMap((pod) => endpointOf(pod, service, addressType));
    return endpoints.length === 0 ? [] : [sliceOf(service, selected[0]!, addressType, endpoints)];
  });
}

function sliceOf(
  service: KubernetesObject,
  pod: KubernetesObject,
  addressType: string,
  endpoints: readonly unknown[],
): KubernetesObject {
  const { name, namespace } = service.metadata;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${addressType.toLowerCase()}`,
      ...(namespace !== undefined && { namespace }),
      labels: { 'kubernetes.io/service-name': name },
    },
    addressType,
    endpoints,
    ports: records(record(service['spec'])['ports']).map((port) => ({
      name: port['name'] ?? '',
      protocol: port['protocol'] ?? 'TCP',
      port: targetPort(port, pod),
    })),
  };
}

/** A pod without an address of the family has no endpoint; a hostname counts in the service that is its subdomain. */
function endpointOf(pod: KubernetesObject, service: KubernetesObject, addressType: string): unknown[] {
  const spec = record(pod['spec']);
  const status = record(pod['status']);
  const ips = [...records(status['podIPs']).map((entry) => entry['ip']), status['podIP']];
  const address = ips.find((ip) => typeof ip === 'string' && isIPv6(ip) === (addressType === 'IPv6'));
  if (typeof address !== 'string') return [];
  const ready = records(status['conditions']).find((condition) => condition['type'] === 'Ready');
  const hostname = spec['subdomain'] === service.metadata.name ? spec['hostname'] : undefined;
  return [
    {
      addresses: [address],
      conditions: { ready: ready === undefined || ready['status'] === 'True' },
      ...(typeof hostname === 'string' && { hostname }),
      targetRef: { kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name },
    },
  ];
}

/** `targetPort` is a number, or the name of a port of the pod's containers. */
function targetPort(port: Record<string, unknown>, pod: KubernetesObject): unknown {
  const target = port['targetPort'] ?? port['port'];
  if (typeof target !== 'string') return target;
  const containers = records(record(pod['spec'])['containers']);
  const named = containers
    .flatMap((container) => records(container['ports']))
    .find((entry) => entry['name'] === target);
  return named?.['containerPort'] ?? port['port'];
}
