// What one service and its slices are in the DNS: a pure function from objects to owners (CoreDNS plugin kubernetes;
// Kubernetes DNS-Based Service Discovery 1.1.0). Names read from the right: `svc`, namespace, service, and left of it
// one label for an endpoint, two for a port and its protocol (in a cluster set also for an endpoint and its cluster), or
// `TOPOLOGY-ZONE.pin|prefer._zone`.

import { NAME_BYTES_MAX } from '../../engine-as/shared/codes.ts';
import { OWNER_ALL_SCTP, OWNER_ALL_TCP, OWNER_ALL_UDP } from '../plugin/contract.ts';
import { cutAddresses, packAddress } from './addresses.ts';
import { addressAt, Collector, type Entry, type Owner, type SliceRecords } from './collector.ts';
import { EndpointNames } from './endpoint-names.ts';
import { ownerKey, portKey } from './names.ts';
import type { Port } from './objects/ports.ts';
import type { Service } from './objects/service.ts';
import { collectZones } from './zonal-names.ts';

/** Which names a directive's services have. */
export interface NameShape {
  /** Longer keys are left out: with the zone they would exceed 255 octets. */
  readonly keyBytesMax: number;
  /** Services of a cluster set. */
  readonly isMulticluster: boolean;
  readonly isZonal: boolean;
  readonly ignoresEmptyServices: boolean;
  /** Services with so many endpoints are kept by many-endpoints.ts. */
  readonly manyEndpoints: number;
}

/** Which owners of a service: those of its endpoints, its own name and its ports, or all. */
export type OwnerPart = 'all' | 'endpoints' | 'own';

/**
 * Owners of a service, targets before the owners whose SRV records name them. Empty if it is unknown: a headless service
 * without a ready endpoint.
 */
export function serviceOwners(
  service: Service,
  slices: readonly SliceRecords[],
  shape: NameShape,
  part: OwnerPart = 'all',
): Owner[] {
  const base = ownerKey(service.name, service.namespace, 'svc');
  if (base === undefined || base.length > shape.keyBytesMax) return [];
  if (service.kind === 'external-name') return aliasOwners(service, base);
  if (service.kind === 'cluster-ip' && shape.ignoresEmptyServices && slices.every(isEmpty)) return [];
  const names = new EndpointNames(base, shape.keyBytesMax);
  const endpoints = part === 'own' ? [] : endpointOwners(slices, names, shape.isMulticluster);
  if (part === 'endpoints') return endpoints;
  const entries = new ServiceEntries<Entry, Collector>(base, shape.isMulticluster, (key) => new Collector(key));
  for (const slice of service.kind === 'headless' ? slices : []) {
    collectHeadless(slice, names, shape.isMulticluster, entries);
  }
  if (service.kind === 'cluster-ip') collectClusterIps(service, base, entries);
  const zones = shape.isZonal && service.kind === 'headless' ? collectZones(slices, names, base) : [];
  const others = [...entries.owners(), ...zones]
    .filter((owner) => owner.exists && owner.key.length <= shape.keyBytesMax)
    .map((owner) => owner.owner());
  return endpoints.concat(others);
}

function isEmpty(slice: SliceRecords): boolean {
  return slice.addresses === '';
}

/** An external name that is an address is no name: the service is unknown. */
function aliasOwners(service: Service, base: string): Owner[] {
  const target = service.externalName;
  const isName = ownerKey(...target.replace(/\.$/, '').split('.')) !== undefined && packAddress(target) === '';
  if (!isName || target.length >= NAME_BYTES_MAX) return [];
  return [{ key: base, v4: '', v6: '', srv: undefined, alias: target, flags: 0 }];
}

const PROTOCOL_FLAGS: Readonly<Record<string, number>> = {
  tcp: OWNER_ALL_TCP,
  udp: OWNER_ALL_UDP,
  sctp: OWNER_ALL_SCTP,
};

/** What gathers the entries of one owner. */
interface Gatherer<T> {
  flags: number;
  entries: number;
  take(entry: T): void;
}

/**
 * The entries of a service's own name and of its ports. A question may leave out the port or the protocol by an empty
 * `_`. Where that means the name itself, or one port, the engine finds it; what it does not find has an owner here:
 * several protocols, or several ports of one name.
 */
export class ServiceEntries<T extends { readonly port: Port }, G extends Gatherer<T>> {
  readonly #base: string;
  readonly #prefix: string;
  readonly #make: (key: string) => G;
  readonly #bare: G;
  readonly #ports = new Map<string, G>();
  readonly #added: T[] = [];
  #protocols = '';
  #isMixed = false;

  constructor(base: string, isMulticluster: boolean, make: (key: string) => G) {
    this.#base = base;
    // Of a cluster set: without it a port and its protocol would look like an endpoint and its cluster.
    this.#prefix = isMulticluster ? '\0' : '';
    this.#make = make;
    this.#bare = make(base);
  }

  add(entry: T, bareEntry = entry): void {
    const { port } = entry;
    this.#bare.take(bareEntry);
    this.#note(port);
    this.#added.push(entry);
    if (port.name !== '' && port.protocol !== '') this.#owner(portKey(port.name, port.protocol))?.take(entry);
  }

  /** The name exists without an address. */
  exist(port: Port): void {
    const named = port.name === '' || port.protocol === '' ? undefined : portKey(port.name, port.protocol);
    for (const owner of [this.#bare, this.#owner(named)]) if (owner !== undefined) owner.entries++;
  }

  owners(): G[] {
    if (this.#isMixed) this.#collectAny();
    else this.#bare.flags |= PROTOCOL_FLAGS[this.#protocols] ?? 0;
    return [this.#bare, ...this.#ports.values()];
  }

  #note({ protocol }: Port): void {
    if (this.#added.length === 0) this.#protocols = protocol;
    else if (this.#protocols !== protocol) this.#isMixed = true;
  }

  #collectAny(): void {
    const protocols = new Map<string, Set<string>>();
    for (const { port } of this.#added) {
      protocols.set(port.name, (protocols.get(port.name) ?? new Set()).add(port.protocol));
    }
    for (const entry of this.#added) {
      const { name, protocol } = entry.port;
      if (protocol !== '') this.#owner(portKey('', protocol))?.take(entry);
      if (name !== '' && (protocols.get(name)!.size > 1 || protocol === ''))
        this.#owner(portKey(name, ''))?.take(entry);
    }
  }

  /** Undefined for what is no label: no question can ask for it. */
  #owner(key: string | undefined): G | undefined {
    if (key === undefined) return undefined;
    const owner = this.#ports.get(key) ?? this.#make(this.#prefix + key + this.#base);
    this.#ports.set(key, owner);
    return owner;
  }
}

function collectClusterIps(service: Service, base: string, entries: ServiceEntries<Entry, Collector>): void {
  const addresses = [...cutAddresses(service.v4, 4), ...cutAddresses(service.v6, 16)];
  for (const port of service.ports.list) {
    for (const address of addresses) {
      const entry = { port, address, target: base, isNamed: true };
      entries.add(entry, { ...entry, target: '' });
    }
    // A service whose addresses are not given out yet exists all the same.
    if (addresses.length === 0) entries.exist(port);
  }
}

function collectHeadless(
  slice: SliceRecords,
  names: EndpointNames,
  isMulticluster: boolean,
  entries: ServiceEntries<Entry, Collector>,
): void {
  const isNamed = !isMulticluster || slice.cluster !== '';
  for (const [i, target] of names.keys(slice).entries()) {
    const address = addressAt(slice, i);
    for (const port of slice.ports.list) entries.add({ port, address, target, isNamed });
  }
}

function endpointOwners(slices: readonly SliceRecords[], names: EndpointNames, isMulticluster: boolean): Owner[] {
  const owners: Owner[] = [];
  const seen = new Set<string>();
  for (const slice of slices) {
    const pattern = endpointPattern(slice, isMulticluster);
    for (const [i, key] of names.keys(slice).entries()) {
      if (key === undefined) continue;
      if (seen.size === seen.add(key).size) return sharedEndpointOwners(slices, names, isMulticluster);
      if (pattern === undefined) continue;
      const address = addressAt(slice, i);
      const [v4, v6] = address.length === 4 ? [address, ''] : ['', address];
      owners.push({ key, v4, v6, srv: pattern.srv, alias: '', flags: pattern.flags });
    }
  }
  return owners;
}

/** What an endpoint of the slice has beside its key and its address, where nobody shares its name. */
export function endpointPattern(slice: SliceRecords, isMulticluster: boolean): Owner | undefined {
  const pattern = new Collector('');
  const isNamed = !isMulticluster || slice.cluster !== '';
  for (const port of slice.ports.list) pattern.add('', port.port, '', isNamed);
  return pattern.exists ? pattern.owner() : undefined;
}

/** The same where several endpoints have one name. */
function sharedEndpointOwners(slices: readonly SliceRecords[], names: EndpointNames, isMulticluster: boolean): Owner[] {
  const collectors = [...collectEndpoints(slices, names, isMulticluster).values()];
  return collectors.filter((owner) => owner.exists).map((owner) => owner.owner());
}

function collectEndpoints(
  slices: readonly SliceRecords[],
  names: EndpointNames,
  isMulticluster: boolean,
): Map<string, Collector> {
  const endpoints = new Map<string, Collector>();
  for (const slice of slices) {
    for (const [i, key] of names.keys(slice).entries()) {
      if (key === undefined) continue;
      const owner = endpoints.get(key) ?? new Collector(key);
      endpoints.set(key, owner);
      const isNamed = !isMulticluster || slice.cluster !== '';
      for (const port of slice.ports.list) owner.add(addressAt(slice, i), port.port, '', isNamed);
    }
  }
  return endpoints;
}
