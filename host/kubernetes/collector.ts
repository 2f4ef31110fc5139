// From the entries of a name to its RRsets.

import { OWNER_SILENT } from '../plugin/contract.ts';
import type { EndpointSlice } from './objects/endpoint-slice.ts';
import { PORT_NONE, type Port } from './objects/ports.ts';

/** All RRsets of one owner. */
export interface Owner {
  readonly key: string;
  /** Packed addresses, each once. */
  readonly v4: string;
  readonly v6: string;
  readonly srv: ServiceRecords | undefined;
  /** Target of the CNAME, as the object spells it; '' for none. */
  readonly alias: string;
  /** OWNER_ flags of the plugin contract. */
  readonly flags: number;
}

/** The records of an SRV RRset; all have one weight. */
export interface ServiceRecords {
  readonly weight: number;
  readonly ports: readonly number[];
  /** Key of each record's target, '' for the owner itself. */
  readonly targets: readonly string[];
}

export type SliceAddresses = Pick<EndpointSlice, 'family' | 'addresses' | 'hostnames'>;
export type SliceRecords = SliceAddresses & Pick<EndpointSlice, 'ports' | 'zones' | 'cluster'>;

export function addressAt(slice: SliceAddresses, i: number): string {
  return slice.addresses.slice(i * slice.family, (i + 1) * slice.family);
}

export function isSameOwner(a: Owner, b: Owner): boolean {
  return a.v4 === b.v4 && a.v6 === b.v6 && a.alias === b.alias && a.flags === b.flags && isSameRecords(a.srv, b.srv);
}

function isSameRecords(a: ServiceRecords | undefined, b: ServiceRecords | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.weight === b.weight && isSameList(a.ports, b.ports) && isSameList(a.targets, b.targets);
}

function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

/** One address and one port. */
export interface Entry {
  readonly port: Port;
  readonly address: string;
  /** Key of the name of the endpoint; undefined: it has none, so no SRV record can lead to it. */
  readonly target: string | undefined;
  /** False: the endpoint of a cluster set does not say which cluster it comes from; CoreDNS makes a name with an empty label of it. */
  readonly isNamed: boolean;
}

/** What every record of an SRV RRset made of so many entries has. */
export function weightOf(entries: number): number {
  return Math.max(1, Math.floor((100 / (100 * entries)) * 100));
}

/** Gathers what CoreDNS calls the services of an answer: one entry for each address and port. */
export class Collector {
  readonly key: string;
  /** Of the owner; an owner with one exists without any entry. */
  flags = 0;
  /** Counted before repetitions are dropped: the weight is shared among all of them. */
  entries = 0;
  readonly #addresses = new Distinct();
  readonly #records = new Distinct();
  readonly #ports: number[] = [];
  readonly #targets: string[] = [];

  constructor(key: string) {
    this.key = key;
  }

  take({ address, port, target, isNamed }: Entry): void {
    this.add(address, port.port, target, isNamed);
  }

  add(address: string, port: number, target: string | undefined, isNamed = true): void {
    this.entries++;
    this.#addresses.add(address);
    if (port === PORT_NONE || target === undefined) return;
    if (!isNamed) this.flags |= OWNER_SILENT;
    this.#addRecord(port, target);
  }

  #addRecord(port: number, target: string): void {
    if (!this.#records.add(`${port} ${target}`)) return;
    this.#ports.push(port);
    this.#targets.push(target);
  }

  /** There is something to answer, be it nothing but a flag. */
  get exists(): boolean {
    return this.entries > 0 || this.flags !== 0;
  }

  owner(): Owner {
    const addresses = this.#addresses.values;
    const weight = weightOf(this.entries);
    const ports = this.#ports;
    return {
      key: this.key,
      v4: addresses.filter((address) => address.length === 4).join(''),
      v6: addresses.filter((address) => address.length === 16).join(''),
      srv: ports.length === 0 ? undefined : { weight, ports, targets: this.#targets },
      alias: '',
      flags: this.flags,
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
