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

/** Options of the directive that change which names there are. */
export interface ModelOptions {
  readonly pods: PodMode;
  /** Namespaces that are answered for; [] = all. */
  readonly namespaces: readonly string[];
  readonly usesPodNames: boolean;
  readonly ignoresEmptyServices: boolean;
  readonly isZonal: boolean;
}

export const PLAIN: ModelOptions = {
  pods: 'disabled',
  namespaces: [],
  usesPodNames: false,
  ignoresEmptyServices: false,
  isZonal: false,
};

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
  options: ModelOptions,
  name: string,
  type: 'A' | 'AAAA' | 'SRV' | 'CNAME',
): ModelAnswer {
  if (name === '' || name === 'svc' || name === 'pod') return [];
  const labels = name.split('.');
  const branch = labels.pop();
  if (branch !== 'svc' && branch !== 'pod') return 'nxdomain';
  const namespace = labels.pop()!;
  if (!isExposed(objects, options, namespace)) return 'nxdomain';
  if (branch === 'pod') return podAnswer(objects, options.pods, namespace, labels, type);
  const service = labels.pop();
  if (service === undefined) return [];
  return serviceAnswer(objects, options, { namespace, name: service, left: labels }, type);
}

function isExposed(objects: ModelObjects, { namespaces }: ModelOptions, name: string): boolean {
  return objects.namespaces.includes(name) && (namespaces.length === 0 || namespaces.includes(name));
}

/** Names that PTR records of an address lead to, in the zone; [] is NXDOMAIN, undefined no reply at all. */
export function reverse(
  objects: ModelObjects,
  options: ModelOptions,
  address: string,
  zone: string,
): readonly string[] | undefined {
  const isShown = ({ metadata }: ApiService | ApiSlice) =>
    options.namespaces.length === 0 || isExposed(objects, options, metadata.namespace!);
  const services = objects.services
    .filter((service) => clusterIps(service).includes(address) && isShown(service))
    .map((service) => `${service.metadata.name}.${service.metadata.namespace}.svc.${zone}`)
    .sort((a, b) => (a < b ? -1 : 1));
  // One of several: which one is nobody's business.
  if (services.length > 0) return services;
  const shown = objects.slices.filter((slice) => isShown(slice));
  const isIn = (slice: ApiSlice) => ready(slice).some((endpoint) => endpoint.addresses.includes(address));
  if (shown.some((slice) => serviceOf(slice) === '' && isIn(slice))) return undefined;
  const names = shown.flatMap((slice) =>
    ready(slice)
      .filter((endpoint) => endpoint.addresses.includes(address))
      .map((endpoint) => endpointName(endpoint, address, options))
      .map((name) => `${name}.${serviceOf(slice)}.${slice.metadata.namespace}.svc.${zone}`),
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
  const count = objects.pods.filter(
    ({ metadata, status }) =>
      metadata.namespace === namespace && status.podIP === address && metadata.deletionTimestamp === undefined,
  ).length;
  if (count === 0) return 'nxdomain';
  if (type === 'SRV') return [`SRV 0 ${Math.max(1, Math.floor(100 / count))} 0 ${pod}.${namespace}.pod`];
  return type === (isV4 ? 'A' : 'AAAA') ? [`${type} ${address}`] : [];
}

interface Asked {
  readonly namespace: string;
  readonly name: string;
  /** Labels left of the service's name. */
  readonly left: readonly string[];
}

function serviceAnswer(objects: ModelObjects, options: ModelOptions, asked: Asked, type: string): ModelAnswer {
  const { namespace, name, left } = asked;
  const service = objects.services.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  if (service === undefined) return 'nxdomain';
  const base = `${name}.${namespace}.svc`;
  if (service.spec.type === 'ExternalName') {
    const target = service.spec.externalName!;
    // A port and a protocol that are both left out are none.
    if (left.join() !== '' && left.join() !== '_,_') return 'nxdomain';
    return type === 'CNAME' ? [`CNAME ${target}`] : [];
  }
  const isHeadless = clusterIps(service)[0] === 'None';
  const all = endpointEntries(objects, service, base, options);
  if (!isHeadless && options.ignoresEmptyServices && all.length === 0) return 'nxdomain';
  if (left.length > 2) return options.isZonal && isHeadless ? zonalAnswer(all, left, type) : 'nxdomain';
  const endpoint = left.length === 1 ? left[0]! : undefined;
  const [port, protocol] = left.length === 2 ? left.map((label) => label.replace(/^_/, '')) : ['', ''];
  const entries =
    isHeadless || endpoint !== undefined
      ? all.filter((entry) => matches(entry, port!, protocol!) && (endpoint ?? entry.label) === entry.label)
      : ports(service.spec.ports)
          .filter((entry) => matches(entry, port!, protocol!))
          .flatMap((entry) => clusterIps(service).map((address) => ({ address, port: entry.port, target: base })));
  if (entries.length === 0) return 'nxdomain';
  return shownAs(entries, type);
}

/** The name exists whatever the zone is called. */
function zonalAnswer(all: readonly EndpointEntry[], left: readonly string[], type: string): ModelAnswer {
  const [directive, anchor] = left.slice(-2);
  if (anchor !== '_zone' || (directive !== 'pin' && directive !== 'prefer')) return 'nxdomain';
  const zone = left.slice(0, -2).join('.');
  const inZone = all.filter((entry) => entry.zone === zone);
  return shownAs(directive === 'prefer' && inZone.length === 0 ? all : inZone, type);
}

function shownAs(entries: readonly Entry[], type: string): string[] {
  return type === 'SRV' ? serviceRecords(entries) : addresses(entries, type);
}

interface EndpointEntry extends Entry {
  readonly label: string;
  readonly zone: string | undefined;
  readonly name: string;
  readonly protocol: string;
}

function endpointEntries(
  objects: ModelObjects,
  service: ApiService,
  base: string,
  options: ModelOptions,
): EndpointEntry[] {
  const entries: EndpointEntry[] = [];
  for (const slice of objects.slices) {
    if (serviceOf(slice) !== service.metadata.name || slice.metadata.namespace !== service.metadata.namespace) continue;
    // One zone for each address of a slice: the last that an endpoint tells.
    const zones = new Map<string, string>();
    for (const { addresses: own, zone } of ready(slice)) {
      for (const address of own) if (zone !== undefined) zones.set(address, zone.toLowerCase());
    }
    for (const found of ready(slice)) {
      for (const address of found.addresses) {
        const label = endpointName(found, address, options);
        for (const entry of ports(slice.ports)) {
          entries.push({ ...entry, address, label, target: `${label}.${base}`, zone: zones.get(address) });
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

/** An empty label, or none, matches everything. */
function matches(entry: { name: string; protocol: string }, port: string, protocol: string): boolean {
  const isPort = port === '' || entry.name.toLowerCase() === port;
  return isPort && (protocol === '' || entry.protocol.toLowerCase() === protocol);
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

function endpointName(endpoint: ApiEndpoint, address: string, { usesPodNames }: ModelOptions): string {
  if (endpoint.hostname) return endpoint.hostname;
  const pod = endpoint.targetRef?.name ?? '';
  if (usesPodNames && pod !== '' && pod.length < 64) return pod;
  const dashed = address.replaceAll('.', '-').replaceAll(':', '-');
  return dashed.endsWith('-') ? `${dashed}0` : dashed;
}
