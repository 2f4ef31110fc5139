// Reads a demo cluster: YAML documents of Namespaces, Services, Pods, EndpointSlices and ServiceImports, as kubectl
// takes them. What
// a real cluster would add is added: namespaces, cluster IPs, the protocol of ports, and the slices of services that
// select pods.

import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { isRecord, type KubernetesObject, record, records } from '../api/values.ts';
import { deriveSlices } from './slices.ts';

/** Objects by plural name of their resource. */
export interface Manifest {
  readonly namespaces: readonly KubernetesObject[];
  readonly services: readonly KubernetesObject[];
  readonly endpointslices: readonly KubernetesObject[];
  readonly pods: readonly KubernetesObject[];
  readonly serviceimports: readonly KubernetesObject[];
}

/** A file that is no cluster; `line` counts from 1. */
export class ManifestError extends Error {
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

export const MANIFEST_BYTES_MAX = 16 * 1024 * 1024;

const RESOURCES: Readonly<Record<string, keyof Manifest>> = {
  Namespace: 'namespaces',
  Service: 'services',
  EndpointSlice: 'endpointslices',
  Pod: 'pods',
  ServiceImport: 'serviceimports',
};

/** @throws ManifestError */
export function parseManifest(text: string): Manifest {
  const lines = new LineCounter();
  const found: Record<keyof Manifest, Map<string, KubernetesObject>> = {
    namespaces: new Map(),
    services: new Map(),
    endpointslices: new Map(),
    pods: new Map(),
    serviceimports: new Map(),
  };
  for (const document of parseAllDocuments(text, { lineCounter: lines })) {
    const error = document.errors[0];
    if (error !== undefined) throw new ManifestError(error.message.split('\n')[0]!, error.linePos?.[0].line ?? 1);
    const line = lineOf(document, lines);
    const value: unknown = toValue(document, line);
    if (value !== null && value !== undefined) addObject(found, value, line);
  }
  return complete(found);
}

function toValue(document: Document.Parsed, line: number): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // Too many aliases, or one that leads nowhere.
    throw new ManifestError((error as Error).message, line);
  }
}

function addObject(found: Record<keyof Manifest, Map<string, KubernetesObject>>, value: unknown, line: number): void {
  const kind = record(value)['kind'];
  const resource = typeof kind === 'string' && Object.hasOwn(RESOURCES, kind) ? RESOURCES[kind] : undefined;
  if (resource === undefined) {
    throw new ManifestError(
      `expected a Namespace, Service, Pod, EndpointSlice or ServiceImport, got kind ${JSON.stringify(kind)}`,
      line,
    );
  }
  const metadata = (value as Record<string, unknown>)['metadata'];
  const name = isRecord(metadata) ? metadata['name'] : undefined;
  if (typeof name !== 'string' || name === '') throw new ManifestError(`${kind} without metadata.name`, line);
  const namespace = (metadata as Record<string, unknown>)['namespace'] ?? 'default';
  if (typeof namespace !== 'string') throw new ManifestError(`${kind} ${name}: metadata.namespace is no text`, line);
  const isScoped = resource !== 'namespaces';
  const object = { ...(value as object), metadata: { ...(metadata as object), name, ...(isScoped && { namespace }) } };
  const key = isScoped ? `${namespace}/${name}` : name;
  if (found[resource].has(key)) throw new ManifestError(`${kind} ${key} stands in the file twice`, line);
  found[resource].set(key, object);
}

function complete(found: Record<keyof Manifest, Map<string, KubernetesObject>>): Manifest {
  const services = [...found.services.values()];
  const pods = [...found.pods.values()];
  const completed = completeServices(services);
  const given = [...found.endpointslices.values()].map((slice) => ({ ...slice, ports: portsOf(slice['ports']) }));
  const slices = [...given, ...deriveSlices(completed, pods)];
  const serviceimports = [...found.serviceimports.values()];
  for (const object of [...services, ...pods, ...slices, ...serviceimports]) {
    const name = object.metadata.namespace!;
    if (!found.namespaces.has(name)) {
      found.namespaces.set(name, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
  }
  const namespaces = [...found.namespaces.values()];
  return { namespaces, services: completed, endpointslices: slices, pods, serviceimports };
}

/** Services without a cluster IP get one in 10.96.0.0/12, the same for the same file. */
function completeServices(services: readonly KubernetesObject[]): KubernetesObject[] {
  const taken = new Set(services.flatMap((service) => clusterIps(service)));
  let next = 256;
  const freeAddress = () => {
    // Bounds: no file holds as many services as the range has addresses.
    for (;;) {
      const address = `10.${96 + ((next >> 16) & 15)}.${(next >> 8) & 255}.${next & 255}`;
      next++;
      if (!taken.has(address)) return address;
    }
  };
  return services.map((service) => {
    const spec = { type: 'ClusterIP', ...record(service['spec']), ports: portsOf(record(service['spec'])['ports']) };
    if (spec.type === 'ExternalName') return { ...service, spec };
    const given = clusterIps(service);
    const ips = given.length > 0 ? given : [freeAddress()];
    return { ...service, spec: { ...spec, clusterIP: ips[0], clusterIPs: ips } };
  });
}

function portsOf(ports: unknown): Record<string, unknown>[] {
  return records(ports).map((port) => ({ protocol: 'TCP', ...port }));
}

function clusterIps(service: KubernetesObject): string[] {
  const spec = record(service['spec']);
  const listed = Array.isArray(spec['clusterIPs']) ? spec['clusterIPs'] : [spec['clusterIP']];
  return listed.filter((ip): ip is string => typeof ip === 'string' && ip !== '');
}

/** Line on which the document's content begins. */
function lineOf(document: Document.Parsed, lines: LineCounter): number {
  const offset = document.contents?.range?.[0] ?? document.range[0];
  return lines.linePos(offset).line;
}
