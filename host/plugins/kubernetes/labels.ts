// Labels of plugin kubernetes (CoreDNS plugin metadata): what a name means, and who asks.

import { longestZone } from '../../dns/name.ts';
import { packAddress } from '../../kubernetes/addresses.ts';
import { clientKey, keyOctets } from '../../kubernetes/names.ts';
import type { Metadata, Query } from '../../plugin/contract.ts';
import type { KubernetesConfig } from './parse.ts';

/** What the labels of a name mean. */
interface Request {
  port: string;
  protocol: string;
  endpoint: string;
  cluster: string;
  /** Topology zone. */
  zone: string;
  service: string;
  namespace: string;
  /** `svc`, `pod`, or '' for the names above. */
  kind: string;
}

const PARSE_ERROR = 'invalid query name';

/** Texts of the pod with this address: its namespace, its name, then keys and values of its labels. */
export type ClientTexts = (address: string) => readonly string[] | undefined;

export function clientOctets(address: string): Uint8Array {
  return keyOctets(clientKey(packAddress(address.replace(/%.*$/, ''))));
}

export function collectLabels(query: Query, metadata: Metadata, config: KubernetesConfig, clientOf: ClientTexts): void {
  collectClient(metadata, clientOf(query.remote.address));
  const zone = longestZone(config.zones, query.name);
  if (zone === undefined) return;
  // CoreDNS does not know the zone yet when it asks whether it is one of a cluster set: only the root zone is found.
  const isMulticluster = config.multiclusterZones.includes('.');
  const request = parseRequest(relativeLabels(query.name, zone), isMulticluster, config.isZonal);
  if (request === undefined) {
    metadata.set('kubernetes/parse-error', () => PARSE_ERROR);
    return;
  }
  metadata.set('kubernetes/port-name', () => request.port);
  metadata.set('kubernetes/protocol', () => request.protocol);
  metadata.set('kubernetes/endpoint', () => request.endpoint);
  if (isMulticluster) metadata.set('kubernetes/cluster', () => request.cluster);
  if (config.isZonal) metadata.set('kubernetes/zone', () => request.zone);
  metadata.set('kubernetes/service', () => request.service);
  metadata.set('kubernetes/namespace', () => request.namespace);
  metadata.set('kubernetes/kind', () => request.kind);
}

function collectClient(metadata: Metadata, texts: readonly string[] | undefined): void {
  if (texts === undefined) return;
  const [namespace = '', name = '', ...labels] = texts;
  metadata.set('kubernetes/client-namespace', () => namespace);
  metadata.set('kubernetes/client-pod-name', () => name);
  for (let i = 0; i + 1 < labels.length; i += 2) {
    metadata.set(`kubernetes/client-label/${labels[i]}`, () => labels[i + 1]!);
  }
}

/** Labels before the zone; escaped dots stay in theirs. */
function relativeLabels(name: string, zone: string): string[] {
  const relative = name.slice(0, zone === '.' ? -1 : -zone.length - 1);
  return relative === '' ? [] : relative.split(/(?<=(?:^|[^\\])(?:\\\\)*)\./);
}

/** Undefined for a name that no question should have. */
function parseRequest(labels: readonly string[], isMulticluster: boolean, isZonal: boolean): Request | undefined {
  const request = { port: '', protocol: '', endpoint: '', cluster: '', zone: '', service: '', namespace: '', kind: '' };
  const text = labels.join('.');
  if (text === '' || text === 'svc' || text === 'pod') return request;
  const [kind, namespace = '', service = '', ...left] = labels.toReversed();
  if (kind !== 'svc' && kind !== 'pod') return undefined;
  const named = { ...request, kind, namespace, service };
  return left.length === 0 ? named : withLeft(named, left, isMulticluster, isZonal);
}

/** @param left labels left of the service, nearest first. */
function withLeft(
  request: Request,
  left: readonly string[],
  isMulticluster: boolean,
  isZonal: boolean,
): Request | undefined {
  const [first, second = '', ...more] = left;
  if (left.length === 1) return { ...request, endpoint: first! };
  if (left.length === 2) {
    const isPort = !isMulticluster || first!.startsWith('_') || second.startsWith('_');
    if (!isPort) return { ...request, cluster: first!, endpoint: second };
    return { ...request, protocol: first!.replace(/^_/, ''), port: second.replace(/^_/, '') };
  }
  const isName = isZonal && !isMulticluster && first === '_zone' && request.kind === 'svc';
  if (!isName || (second !== 'pin' && second !== 'prefer')) return undefined;
  return { ...request, zone: more.toReversed().join('.') };
}
