// What one service and its slices are in the DNS: a pure function from objects to owners (CoreDNS plugin kubernetes;
// Kubernetes DNS-Based Service Discovery 1.1.0). Names read from the right: `svc`, namespace, service, and left of it
// one label for an endpoint or two for a port and its protocol.

import { NAME_BYTES_MAX } from '../../engine-as/shared/codes.ts';
import { dashedLabel, packAddress } from './addresses.ts';
import { ownerKey } from './names.ts';
import type { EndpointSlice } from './objects/endpoint-slice.ts';
import { PORT_NONE, type Port } from './objects/ports.ts';
import type { Service } from './objects/service.ts';

/** All RRsets of one owner. */
export interface Owner {
  readonly key: string;
  /** Packed addresses, each once. */
  readonly v4: string;
  readonly v6: string;
  readonly srv: ServiceRecords | undefined;
  /** Target of the CNAME, as the object spells it; '' for none. */
  readonly alias: string;
}

/** The records of an SRV RRset; all have one weight. */
export interface ServiceRecords {
  readonly weight: number;
  readonly ports: readonly number[];
  /** Key of each record's target, '' for the owner itself. */
  readonly targets: readonly string[];
}

type SliceAddresses = Pick<EndpointSlice, 'family' | 'addresses' | 'hostnames'>;
type SliceRecords = SliceAddresses & Pick<EndpointSlice, 'ports'>;

/**
 * Owners of a service, targets before the owners whose SRV records name them. Empty if it is unknown: a headless
 * service without a ready endpoint.
 * @param keyBytesMax longer keys are left out: with the zone they would exceed 255 octets.
 */
export function serviceOwners(service: Service, slices: readonly SliceRecords[], keyBytesMax: number): Owner[] {
  const base = ownerKey(service.name, service.namespace, 'svc');
  if (base === undefined || base.length > keyBytesMax) return [];
  if (service.kind === 'external-name') return aliasOwners(service, base);
  const names = new EndpointNames(base, keyBytesMax);
  const bare = new Collector(base);
  const ports = new Map<string, Collector>();
  for (const slice of service.kind === 'headless' ? slices : []) collectHeadless(slice, names, bare, ports);
  if (service.kind === 'cluster-ip') collectClusterIps(service, base, bare, ports);
  const endpoints = collectEndpoints(slices, names);
  const all = [...endpoints.values(), bare, ...ports.values()];
  return all.filter((owner) => owner.entries > 0 && owner.key.length <= keyBytesMax).map((owner) => owner.owner());
}

/** Label of each endpoint: its hostname, or its address with dashes. */
export function endpointLabels(slice: SliceAddresses): string[] {
  const hostnames = slice.hostnames === '' ? [] : slice.hostnames.split('\n');
  const labels: string[] = [];
  for (let i = 0; i * slice.family < slice.addresses.length; i++) {
    labels.push(hostnames[i] || dashedLabel(addressAt(slice, i)));
  }
  return labels;
}

export function addressAt(slice: SliceAddresses, i: number): string {
  return slice.addresses.slice(i * slice.family, (i + 1) * slice.family);
}

export function isSameOwner(a: Owner, b: Owner): boolean {
  return a.v4 === b.v4 && a.v6 === b.v6 && a.alias === b.alias && isSameRecords(a.srv, b.srv);
}

function isSameRecords(a: ServiceRecords | undefined, b: ServiceRecords | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.weight === b.weight && isSameList(a.ports, b.ports) && isSameList(a.targets, b.targets);
}

function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

/** An external name that is an address is no name: the service is unknown. */
function aliasOwners(service: Service, base: string): Owner[] {
  const target = service.externalName;
  const isName = ownerKey(...target.replace(/\.$/, '').split('.')) !== undefined && packAddress(target) === '';
  if (!isName || target.length >= NAME_BYTES_MAX) return [];
  return [{ key: base, v4: '', v6: '', srv: undefined, alias: target }];
}

function collectClusterIps(service: Service, base: string, bare: Collector, ports: Map<string, Collector>): void {
  const v4 = cut(service.v4, 4);
  const v6 = cut(service.v6, 16);
  for (const port of service.ports.list) {
    const named = portOwner(port, base, ports);
    for (const address of [...v4, ...v6]) {
      bare.add(address, port.port, '');
      named?.add(address, port.port, base);
    }
    // A service whose addresses are not given out yet exists all the same.
    if (v4.length + v6.length === 0) bare.entries++;
  }
}

function collectHeadless(
  slice: SliceRecords,
  names: EndpointNames,
  bare: Collector,
  ports: Map<string, Collector>,
): void {
  const owners = slice.ports.list.map((port) => portOwner(port, bare.key, ports));
  for (const [i, target] of names.keys(slice).entries()) {
    const address = addressAt(slice, i);
    for (const [p, port] of slice.ports.list.entries()) {
      bare.add(address, port.port, target);
      owners[p]?.add(address, port.port, target);
    }
  }
}

function collectEndpoints(slices: readonly SliceRecords[], names: EndpointNames): Map<string, Collector> {
  const endpoints = new Map<string, Collector>();
  for (const slice of slices) {
    for (const [i, key] of names.keys(slice).entries()) {
      if (key === undefined) continue;
      const owner = endpoints.get(key) ?? new Collector(key);
      endpoints.set(key, owner);
      for (const port of slice.ports.list) owner.add(addressAt(slice, i), port.port, '');
    }
  }
  return endpoints;
}

/** The owner of a named port. A port without a name or protocol has none: no question can ask for it. */
function portOwner(port: Port, base: string, ports: Map<string, Collector>): Collector | undefined {
  const key = ownerKey(port.name, port.protocol);
  if (key === undefined) return undefined;
  const owner = ports.get(key) ?? new Collector(key + base);
  ports.set(key, owner);
  return owner;
}

function cut(packed: string, family: number): string[] {
  const addresses: string[] = [];
  for (let at = 0; at < packed.length; at += family) addresses.push(packed.slice(at, at + family));
  return addresses;
}

/** Keys of a slice's endpoints, made once for each slice; undefined where a label or the name is too long. */
class EndpointNames {
  readonly #made = new Map<SliceRecords, readonly (string | undefined)[]>();
  readonly #base: string;
  readonly #keyBytesMax: number;

  constructor(base: string, keyBytesMax: number) {
    this.#base = base;
    this.#keyBytesMax = keyBytesMax;
  }

  keys(slice: SliceRecords): readonly (string | undefined)[] {
    const known = this.#made.get(slice);
    if (known !== undefined) return known;
    const keys = endpointLabels(slice).map((label) => {
      const key = ownerKey(label);
      return key === undefined || key.length + this.#base.length > this.#keyBytesMax ? undefined : key + this.#base;
    });
    this.#made.set(slice, keys);
    return keys;
  }
}

/** Gathers what CoreDNS calls the services of an answer: one entry for each address and port. */
class Collector {
  readonly key: string;
  /** Counted before repetitions are dropped: the weight is shared among all of them. */
  entries = 0;
  readonly #addresses = new Distinct();
  readonly #records = new Distinct();
  readonly #ports: number[] = [];
  readonly #targets: string[] = [];

  constructor(key: string) {
    this.key = key;
  }

  /** `target` undefined: the endpoint has no name, so no SRV record can lead to it. */
  add(address: string, port: number, target: string | undefined): void {
    this.entries++;
    this.#addresses.add(address);
    if (port === PORT_NONE || target === undefined || !this.#records.add(`${port} ${target}`)) return;
    this.#ports.push(port);
    this.#targets.push(target);
  }

  owner(): Owner {
    const addresses = this.#addresses.values;
    const weight = Math.max(1, Math.floor((100 / (100 * this.entries)) * 100));
    const ports = this.#ports;
    return {
      key: this.key,
      v4: addresses.filter((address) => address.length === 4).join(''),
      v6: addresses.filter((address) => address.length === 16).join(''),
      srv: ports.length === 0 ? undefined : { weight, ports, targets: this.#targets },
      alias: '',
    };
  }
}

/** Below this many values a search is faster than a Set, and takes a tenth of its memory: most owners have one address. */
const SEARCH_MAX = 8;

class Distinct {
  readonly values: string[] = [];
  #set: Set<string> | undefined;

  /** False if the value is there already. */
  add(value: string): boolean {
    if (this.#set?.has(value) ?? this.values.includes(value)) return false;
    this.values.push(value);
    if (this.#set !== undefined) this.#set.add(value);
    else if (this.values.length > SEARCH_MAX) this.#set = new Set(this.values);
    return true;
  }
}
