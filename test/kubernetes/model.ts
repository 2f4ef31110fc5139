// The slow, plain model: answers one question by walking through all objects, the way CoreDNS 1.14.7's plugin does it
// (its transcripts are the reference). It shares no code with the records it checks.

import type { ApiEndpoint, ApiPod, ApiService, ApiSlice } from './objects.ts';

export interface ModelObjects {
  readonly namespaces: readonly string[];
  readonly services: readonly ApiService[];
  readonly slices: readonly ApiSlice[];
  readonly pods: readonly ApiPod[];
}

export type PodMode = 'disabled' | 'insecure' | 'verified';

/** Records as text, sorted; [] is NODATA. */
export type ModelAnswer = readonly string[] | 'nxdomain';

interface Entry {
  readonly address: string;
  readonly port: number;
  /** Relative name. */
  readonly target: string;
}

export function answer(
  objects: ModelObjects,
  pods: PodMode,
  name: string,
  type: 'A' | 'AAAA' | 'SRV' | 'CNAME',
): ModelAnswer {
  if (name === '' || name === 'svc' || name === 'pod') return [];
  const labels = name.split('.');
  const branch = labels.pop();
  if (branch !== 'svc' && branch !== 'pod') return 'nxdomain';
  const namespace = labels.pop()!;
  if (!objects.namespaces.includes(namespace)) return 'nxdomain';
  if (branch === 'pod') return podAnswer(objects, pods, namespace, labels, type);
  const service = labels.pop();
  if (service === undefined) return [];
  return serviceAnswer(objects, namespace, service, labels, type);
}

/** Names that PTR records of an address lead to, in the zone; [] is NXDOMAIN. */
export function reverse(objects: ModelObjects, address: string, zone: string): readonly string[] {
  const services = objects.services
    .filter((service) => clusterIps(service).includes(address))
    .map((service) => `${service.metadata.name}.${service.metadata.namespace}.svc.${zone}`)
    .sort((a, b) => (a < b ? -1 : 1));
  // One of several: which one is nobody's business.
  if (services.length > 0) return services;
  const names = objects.slices.flatMap((slice) =>
    ready(slice)
      .filter((endpoint) => endpoint.addresses.includes(address))
      .map(
        (endpoint) => `${endpointName(endpoint, address)}.${serviceOf(slice)}.${slice.metadata.namespace}.svc.${zone}`,
      ),
  );
  return [...new Set(names)].sort((a, b) => (a < b ? -1 : 1));
}

function podAnswer(
  objects: ModelObjects,
  mode: PodMode,
  namespace: string,
  labels: string[],
  type: string,
): ModelAnswer {
  if (mode === 'disabled') return 'nxdomain';
  const pod = labels.pop();
  if (pod === undefined) return [];
  const isV4 = pod.split('-').length === 4 && !pod.includes('--');
  const address = isV4 ? pod.replaceAll('-', '.') : pod.replaceAll('-', ':');
  const isThere = objects.pods.some(
    ({ metadata, status }) =>
      metadata.namespace === namespace && status.podIP === address && metadata.deletionTimestamp === undefined,
  );
  if (!isThere) return 'nxdomain';
  return type === (isV4 ? 'A' : 'AAAA') ? [`${type} ${address}`] : [];
}

function serviceAnswer(
  objects: ModelObjects,
  namespace: string,
  name: string,
  left: readonly string[],
  type: string,
): ModelAnswer {
  const service = objects.services.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  if (service === undefined || left.length > 2) return 'nxdomain';
  const base = `${name}.${namespace}.svc`;
  if (service.spec.type === 'ExternalName') {
    const target = service.spec.externalName!;
    if (left.length > 0) return 'nxdomain';
    return type === 'CNAME' ? [`CNAME ${target}`] : [];
  }
  const endpoint = left.length === 1 ? left[0]! : undefined;
  const [port, protocol] = left.length === 2 ? left.map((label) => label.replace(/^_/, '')) : [undefined, undefined];
  const isHeadless = clusterIps(service)[0] === 'None';
  const entries =
    isHeadless || endpoint !== undefined
      ? endpointEntries(objects, service, base, endpoint, port, protocol)
      : ports(service.spec.ports)
          .filter((entry) => matches(entry, port, protocol))
          .flatMap((entry) => clusterIps(service).map((address) => ({ address, port: entry.port, target: base })));
  if (entries.length === 0) return 'nxdomain';
  return type === 'SRV' ? serviceRecords(entries) : addresses(entries, type);
}

function endpointEntries(
  objects: ModelObjects,
  service: ApiService,
  base: string,
  endpoint: string | undefined,
  port: string | undefined,
  protocol: string | undefined,
): Entry[] {
  const entries: Entry[] = [];
  for (const slice of objects.slices) {
    if (serviceOf(slice) !== service.metadata.name || slice.metadata.namespace !== service.metadata.namespace) continue;
    for (const found of ready(slice)) {
      for (const address of found.addresses) {
        const label = endpointName(found, address);
        if (endpoint !== undefined && endpoint !== label) continue;
        for (const entry of ports(slice.ports)) {
          if (matches(entry, port, protocol)) entries.push({ address, port: entry.port, target: `${label}.${base}` });
        }
      }
    }
  }
  return entries;
}

function addresses(entries: readonly Entry[], type: string): string[] {
  const wanted = entries.filter(({ address }) => address.includes(':') === (type === 'AAAA'));
  if (type !== 'A' && type !== 'AAAA') return [];
  return [...new Set(wanted.map(({ address }) => `${type} ${address}`))].sort((a, b) => (a < b ? -1 : 1));
}

function serviceRecords(entries: readonly Entry[]): string[] {
  const weight = Math.max(1, Math.floor(100 / entries.length));
  const records = entries
    .filter(({ port }) => port !== -1)
    .map(({ port, target }) => `SRV 0 ${weight} ${port} ${target}`);
  return [...new Set(records)].sort((a, b) => (a < b ? -1 : 1));
}

/** A name without port labels matches every port. */
function matches(entry: { name: string; protocol: string }, port?: string, protocol?: string): boolean {
  if (port === undefined || protocol === undefined) return true;
  return entry.name.toLowerCase() === port && entry.protocol.toLowerCase() === protocol;
}

function ports(list: ApiSlice['ports'] | undefined): { name: string; protocol: string; port: number }[] {
  if (list === undefined || list.length === 0) return [{ name: '', protocol: '', port: -1 }];
  return list.map(({ name = '', protocol = '', port = -1 }) => ({ name, protocol, port }));
}

function ready(slice: ApiSlice): ApiEndpoint[] {
  return slice.endpoints.filter(({ conditions }) => conditions.ready !== false);
}

function clusterIps({ spec }: ApiService): string[] {
  return spec.clusterIPs ?? [spec.clusterIP ?? ''];
}

function serviceOf(slice: ApiSlice): string {
  return slice.metadata.labels?.['kubernetes.io/service-name'] ?? '';
}

function endpointName(endpoint: ApiEndpoint, address: string): string {
  if (endpoint.hostname) return endpoint.hostname;
  const dashed = address.replaceAll('.', '-').replaceAll(':', '-');
  return dashed.endsWith('-') ? `${dashed}0` : dashed;
}
