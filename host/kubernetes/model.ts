// The cluster as far as the DNS needs it: what exists now, and what has changed since the records were last published.
//
//   namespace ─► services by name ─► Service, its slices in name order, and what is published of them
//             ├► slices by name
//             └► pods by name (pods verified)
//   addresses ─► slices and services that have them (for PTR)
//
// Sinks (sinks.ts) write it, records.ts publishes it. Slices are replaced, never changed, so that "what is published"
// is two references.

import { AddressIndex } from './address-index.ts';
import type { ClientTable } from './clients.ts';
import type { PublishedEndpoints } from './many-endpoints.ts';
import type { EndpointSlice } from './objects/endpoint-slice.ts';
import type { Ports } from './objects/ports.ts';
import type { Service } from './objects/service.ts';

export interface NamespaceEntry {
  readonly name: string;
  /** The Namespace object exists: without it nothing below is answered. */
  isKnown: boolean;
  isPublished: boolean;
  /** Round of the list that saw it last. */
  round: number;
  readonly services: Map<string, ServiceEntry>;
  readonly slices: Map<string, SliceEntry>;
  /** Only with pods verified. */
  pods: PodTable | undefined;
}

export interface PodTable {
  /** Packed address by pod name. */
  addresses: Map<string, string>;
  /** Pods of the list before this one that it has not shown yet. */
  unseen: Map<string, string>;
  /** How many pods have an address: pods on the host's network share theirs. */
  readonly counts: Map<string, number>;
  readonly changed: Set<string>;
}

export interface ServiceEntry {
  readonly kind: 'service';
  readonly namespace: NamespaceEntry;
  readonly name: string;
  /** Number in the address index. */
  readonly number: number;
  round: number;
  service: Service | undefined;
  /** In name order; replaced by each change. */
  slices: readonly SliceEntry[];
  publishedService: Service | undefined;
  publishedSlices: readonly SliceEntry[];
  /** Of a service with many endpoints. */
  publishedEndpoints: PublishedEndpoints | undefined;
}

export interface SliceEntry {
  readonly kind: 'slice';
  readonly name: string;
  readonly service: ServiceEntry;
  readonly number: number;
  readonly family: number;
  readonly addresses: string;
  readonly hostnames: string;
  readonly zones: string;
  readonly cluster: string;
  readonly ports: Ports;
  round: number;
}

/** A slice whose change is to be timed: from `triggerTime` (RFC 3339) until it is published. */
export interface Trigger {
  readonly namespace: string;
  readonly service: string;
  readonly triggerTime: string;
}

export class ClusterModel {
  readonly namespaces = new Map<string, NamespaceEntry>();
  readonly addresses = new AddressIndex<ServiceEntry | SliceEntry>();
  readonly changedNamespaces = new Set<NamespaceEntry>();
  readonly changedServices = new Set<ServiceEntry>();
  /** Packed addresses whose PTR may have changed. */
  readonly changedAddresses = new Set<string>();
  /** Slices that are new since the records were last published: each of their addresses counts as changed. */
  readonly newSlices = new Set<SliceEntry>();
  triggers: Trigger[] = [];
  /** Something that the DNS shows has changed: the SOA serial must move. */
  isSerialStale: boolean = false;
  /** Pods by address, if anybody asks who a client is. */
  clients: ClientTable | undefined;
  readonly #home: ClusterModel;

  /** @param home of a cluster set's model: that of the cluster, whose serial moves with what is added and removed. */
  constructor(home?: ClusterModel) {
    this.#home = home ?? this;
  }

  /** An object has been added or removed. CoreDNS counts that for the cluster's zones, whatever the object is. */
  noteExistence(): void {
    this.#home.isSerialStale = true;
  }

  /** An object has changed in a way that CoreDNS counts. */
  noteChange(): void {
    this.isSerialStale = true;
  }

  namespace(name: string): NamespaceEntry {
    const known = this.namespaces.get(name);
    if (known !== undefined) return known;
    const made: NamespaceEntry = {
      name,
      isKnown: false,
      isPublished: false,
      round: 0,
      services: new Map(),
      slices: new Map(),
      pods: undefined,
    };
    this.namespaces.set(name, made);
    return made;
  }

  service(namespace: NamespaceEntry, name: string): ServiceEntry {
    const known = namespace.services.get(name);
    if (known !== undefined) return known;
    const made = {
      kind: 'service' as const,
      namespace,
      name,
      number: 0,
      round: 0,
      service: undefined,
      slices: NO_SLICES,
      publishedService: undefined,
      publishedSlices: NO_SLICES,
      publishedEndpoints: undefined,
    };
    made.number = this.addresses.join(made);
    namespace.services.set(name, made);
    return made;
  }

  /** How much has changed since the records were last published. */
  get pending(): number {
    return this.changedNamespaces.size + this.changedServices.size + this.changedAddresses.size + this.newSlices.size;
  }

  /** Everything that has changed is published. */
  settle(): void {
    const namespaces = [...this.changedNamespaces];
    const services = [...this.changedServices];
    this.isSerialStale = false;
    this.changedNamespaces.clear();
    this.changedServices.clear();
    this.changedAddresses.clear();
    this.newSlices.clear();
    for (const service of services) this.#forget(service.namespace, service);
    for (const namespace of namespaces) this.#forget(namespace);
  }

  /** Drops what nothing refers to any more. */
  #forget(namespace: NamespaceEntry, service?: ServiceEntry): void {
    if (
      service !== undefined &&
      service.service === undefined &&
      service.slices.length === 0 &&
      service.publishedService === undefined &&
      namespace.services.get(service.name) === service
    ) {
      namespace.services.delete(service.name);
      this.addresses.leave(service.number);
    }
    if (
      !namespace.isKnown &&
      !namespace.isPublished &&
      namespace.services.size === 0 &&
      namespace.slices.size === 0 &&
      (namespace.pods === undefined || isEmpty(namespace.pods))
    ) {
      this.namespaces.delete(namespace.name);
    }
  }

  /** Puts `after` in the place of `before`, either of which may be missing, in its service's list of slices. */
  replaceSlice(before: SliceEntry | undefined, after: SliceEntry | undefined): void {
    if (before !== undefined && before.service !== after?.service) {
      before.service.slices = before.service.slices.filter((slice) => slice !== before);
      this.changedServices.add(before.service);
    }
    if (after === undefined) return;
    const { slices } = after.service;
    if (before?.service === after.service) {
      after.service.slices = slices.map((slice) => (slice === before ? after : slice));
    } else {
      const at = slices.findIndex((slice) => slice.name > after.name);
      after.service.slices = slices.toSpliced(at < 0 ? slices.length : at, 0, after);
    }
    this.changedServices.add(after.service);
  }
}

export function podTable(): PodTable {
  return { addresses: new Map(), unseen: new Map(), counts: new Map(), changed: new Set() };
}

function isEmpty(pods: PodTable): boolean {
  return pods.counts.size === 0 && pods.addresses.size === 0 && pods.unseen.size === 0;
}

/** The entry of a decoded slice. */
export function sliceEntry(slice: EndpointSlice, service: ServiceEntry, number: number, round: number): SliceEntry {
  const { name, family, addresses, hostnames, zones, cluster, ports } = slice;
  return { kind: 'slice', name, service, number, family, addresses, hostnames, zones, cluster, ports, round };
}

const NO_SLICES: readonly SliceEntry[] = [];
