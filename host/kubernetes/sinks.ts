// Where the reflectors put objects: each sink turns "this object is now so" into a change of the model. A list is
// framed by begin() and end(): what it did not show is gone. Nothing is kept twice for that; every entry remembers the
// round of the list that saw it last.

import { cutAddresses } from './addresses.ts';
import { addressAt } from './collector.ts';
import {
  type ClusterModel,
  type NamespaceEntry,
  type PodTable,
  podTable,
  type ServiceEntry,
  type SliceEntry,
  sliceEntry,
} from './model.ts';
import { type EndpointSlice, POD_NAME } from './objects/endpoint-slice.ts';
import type { Namespace } from './objects/namespace.ts';
import type { Pod } from './objects/pod.ts';
import type { Service } from './objects/service.ts';
import { compareSlices } from './slice-difference.ts';

export interface ObjectSink<T> {
  /** A whole list follows; it may break off, and another begin() then starts again. */
  begin(): void;
  put(object: T): void;
  remove(object: T): void;
  /** The list was whole. */
  end(): void;
}

export class NamespaceSink implements ObjectSink<Namespace> {
  readonly #model: ClusterModel;
  #round = 0;

  constructor(model: ClusterModel) {
    this.#model = model;
  }

  begin(): void {
    this.#round++;
  }

  put(object: Namespace): void {
    const entry = this.#model.namespace(object.name);
    entry.round = this.#round;
    this.#setKnown(entry, true);
  }

  remove(object: Namespace): void {
    const entry = this.#model.namespaces.get(object.name);
    if (entry !== undefined) this.#setKnown(entry, false);
  }

  end(): void {
    for (const entry of this.#model.namespaces.values()) {
      if (entry.round !== this.#round) this.#setKnown(entry, false);
    }
  }

  #setKnown(entry: NamespaceEntry, isKnown: boolean): void {
    if (entry.isKnown === isKnown) return;
    entry.isKnown = isKnown;
    this.#model.changedNamespaces.add(entry);
  }
}

/** Hands everything to two sinks. */
export class TwoSinks<T> implements ObjectSink<T> {
  readonly #first: ObjectSink<T>;
  readonly #second: ObjectSink<T>;

  constructor(first: ObjectSink<T>, second: ObjectSink<T>) {
    this.#first = first;
    this.#second = second;
  }

  begin(): void {
    this.#first.begin();
    this.#second.begin();
  }

  put(object: T): void {
    this.#first.put(object);
    this.#second.put(object);
  }

  remove(object: T): void {
    this.#first.remove(object);
    this.#second.remove(object);
  }

  end(): void {
    this.#first.end();
    this.#second.end();
  }
}

export class ServiceSink implements ObjectSink<Service> {
  readonly #model: ClusterModel;
  readonly #moves: (before: Service, after: Service) => boolean;
  #round = 0;

  /** @param moves whether a change of a service moves the serial. */
  constructor(model: ClusterModel, moves: (before: Service, after: Service) => boolean = movesSerial) {
    this.#model = model;
    this.#moves = moves;
  }

  begin(): void {
    this.#round++;
  }

  put(object: Service): void {
    const entry = this.#model.service(this.#model.namespace(object.namespace), object.name);
    entry.round = this.#round;
    if (entry.service === undefined || !isSameService(entry.service, object)) this.#set(entry, object);
  }

  remove(object: Service): void {
    const entry = this.#model.namespaces.get(object.namespace)?.services.get(object.name);
    if (entry?.service !== undefined) this.#set(entry, undefined);
  }

  end(): void {
    for (const namespace of this.#model.namespaces.values()) {
      for (const entry of namespace.services.values()) {
        if (entry.service !== undefined && entry.round !== this.#round) this.#set(entry, undefined);
      }
    }
  }

  #set(entry: ServiceEntry, service: Service | undefined): void {
    const model = this.#model;
    const before = entry.service ?? NO_ADDRESSES;
    const after = service ?? NO_ADDRESSES;
    for (const [key, family] of FAMILIES) {
      if (before[key] === after[key]) continue;
      model.addresses.removeAll(before[key], family, entry.number);
      model.addresses.addAll(after[key], family, entry.number);
      for (const address of [...cutAddresses(before[key], family), ...cutAddresses(after[key], family)]) {
        model.changedAddresses.add(address);
      }
    }
    if (entry.service === undefined || service === undefined) model.noteExistence();
    else if (this.#moves(entry.service, service)) model.noteChange();
    entry.service = service;
    model.changedServices.add(entry);
  }
}

export class SliceSink implements ObjectSink<EndpointSlice> {
  readonly #model: ClusterModel;
  #round = 0;

  constructor(model: ClusterModel) {
    this.#model = model;
  }

  begin(): void {
    this.#round++;
  }

  /** A slice that belongs to no service has no name in the DNS, and counts all the same. */
  put(object: EndpointSlice): void {
    const namespace = this.#model.namespace(object.namespace);
    const before = namespace.slices.get(object.name);
    const service = this.#model.service(namespace, object.service);
    const { triggerTime, triggerService } = object;
    if (triggerTime !== '')
      this.#model.triggers.push({ namespace: namespace.name, service: triggerService, triggerTime });
    if (before !== undefined && isSameSlice(before, object)) {
      before.round = this.#round;
      return;
    }
    const number = before?.number ?? this.#model.addresses.join(service);
    const after = sliceEntry(object, service, number, this.#round);
    this.#model.addresses.replace(number, after);
    namespace.slices.set(object.name, after);
    this.#change(before, after);
  }

  remove(object: EndpointSlice): void {
    const namespace = this.#model.namespaces.get(object.namespace);
    const before = namespace?.slices.get(object.name);
    if (before !== undefined) this.#remove(before);
  }

  end(): void {
    for (const namespace of this.#model.namespaces.values()) {
      for (const slice of namespace.slices.values()) if (slice.round !== this.#round) this.#remove(slice);
    }
  }

  #remove(before: SliceEntry): void {
    before.service.namespace.slices.delete(before.name);
    this.#change(before, undefined);
    this.#model.addresses.leave(before.number);
  }

  #change(before: SliceEntry | undefined, after: SliceEntry | undefined): void {
    const { addresses, changedAddresses, newSlices } = this.#model;
    if (before === undefined || after === undefined || newSlices.has(before)) this.#replace(before, after);
    else {
      const { removed, added } = compareSlices(before, after);
      const gone = removed.map((at) => addressAt(before, at));
      const come = added.map((at) => addressAt(after, at));
      for (const address of gone) addresses.remove(address, before.number);
      for (const address of come) addresses.add(address, after.number);
      // What the PTR records of an address depend on: its names, and the service.
      const isMoved = before.service !== after.service;
      const touched = isMoved ? [...addressesOf(before), ...addressesOf(after)] : [...gone, ...come];
      for (const address of touched) changedAddresses.add(address);
    }
    this.#model.replaceSlice(before, after);
    if (before === undefined || after === undefined) this.#model.noteExistence();
    else if (!isSameContent(before, after)) this.#model.noteChange();
  }

  /** All addresses at once: of a slice that nobody has seen yet, or will see again. */
  #replace(before: SliceEntry | undefined, after: SliceEntry | undefined): void {
    const { addresses, changedAddresses, newSlices } = this.#model;
    if (before !== undefined) {
      addresses.removeAll(before.addresses, before.family, before.number);
      for (const address of addressesOf(before)) changedAddresses.add(address);
      newSlices.delete(before);
    }
    if (after === undefined) return;
    addresses.addAll(after.addresses, after.family, after.number);
    newSlices.add(after);
  }
}

/** A pod that is ending keeps what is known of it until it is gone. */
export class PodSink implements ObjectSink<Pod> {
  readonly #model: ClusterModel;

  constructor(model: ClusterModel) {
    this.#model = model;
  }

  begin(): void {
    for (const { pods } of this.#model.namespaces.values()) {
      if (pods === undefined) continue;
      // What an unfinished list has shown counts as unseen again.
      if (pods.unseen.size > 0) {
        for (const [name, address] of pods.addresses) pods.unseen.set(name, address);
        pods.addresses = pods.unseen;
      }
      pods.unseen = pods.addresses;
      pods.addresses = new Map();
    }
  }

  put(object: Pod): void {
    const namespace = this.#model.namespace(object.namespace);
    const pods = namespace.pods ?? podTable();
    namespace.pods = pods;
    const before = pods.addresses.get(object.name) ?? pods.unseen.get(object.name);
    pods.unseen.delete(object.name);
    if (object.isTerminating) {
      if (before !== undefined) pods.addresses.set(object.name, before);
      return;
    }
    pods.addresses.set(object.name, object.address);
    this.#model.clients?.put(object);
    if (before === object.address) return;
    if (before !== undefined) this.#count(namespace, pods, before, -1);
    this.#count(namespace, pods, object.address, 1);
    this.#model.noteExistence();
  }

  remove(object: Pod): void {
    // Counts even if it was ending when it was first seen.
    this.#model.noteExistence();
    const namespace = this.#model.namespaces.get(object.namespace);
    if (namespace !== undefined) this.#remove(namespace, object.name);
  }

  end(): void {
    for (const namespace of this.#model.namespaces.values()) {
      for (const name of [...(namespace.pods?.unseen.keys() ?? [])]) this.#remove(namespace, name);
    }
  }

  #remove(namespace: NamespaceEntry, name: string): void {
    const { pods } = namespace;
    const before = pods?.addresses.get(name) ?? pods?.unseen.get(name);
    if (pods === undefined || before === undefined) return;
    pods.addresses.delete(name);
    pods.unseen.delete(name);
    this.#model.clients?.remove(namespace.name, name);
    this.#count(namespace, pods, before, -1);
    this.#model.noteExistence();
    this.#model.changedNamespaces.add(namespace);
  }

  #count(namespace: NamespaceEntry, pods: PodTable, address: string, change: number): void {
    if (address === '') return;
    const count = (pods.counts.get(address) ?? 0) + change;
    if (count > 0) pods.counts.set(address, count);
    else pods.counts.delete(address);
    pods.changed.add(address);
    this.#model.changedNamespaces.add(namespace);
  }
}

const FAMILIES = [
  ['v4', 4],
  ['v6', 16],
] as const;

const NO_ADDRESSES = { v4: '', v6: '' };

function addressesOf({ addresses, family }: SliceEntry): string[] {
  return cutAddresses(addresses, family);
}

function isSameService(a: Service, b: Service): boolean {
  return (
    a.kind === b.kind &&
    a.v4 === b.v4 &&
    a.v6 === b.v6 &&
    a.ports.key === b.ports.key &&
    a.externalName === b.externalName
  );
}

/** What CoreDNS counts: neither the cluster's addresses nor the type, as a secondary would wish. */
function movesSerial(a: Service, b: Service): boolean {
  return a.ports.key !== b.ports.key || a.externalName !== b.externalName;
}

/** The same for a service import. */
export function movesSetSerial(a: Service, b: Service): boolean {
  return a.ports.key !== b.ports.key || a.kind !== b.kind;
}

function isSameSlice(a: SliceEntry, b: EndpointSlice): boolean {
  return (
    a.service.name === b.service &&
    a.family === b.family &&
    a.addresses === b.addresses &&
    a.hostnames === b.hostnames &&
    a.zones === b.zones &&
    a.cluster === b.cluster &&
    a.ports.key === b.ports.key
  );
}

/** Neither the service that a slice belongs to nor the names of its pods count for the serial. */
function isSameContent(a: SliceEntry, b: SliceEntry): boolean {
  const isSameNames = a.hostnames === b.hostnames || withoutPods(a.hostnames) === withoutPods(b.hostnames);
  return (
    isSameNames &&
    a.addresses === b.addresses &&
    a.zones === b.zones &&
    a.cluster === b.cluster &&
    a.ports.key === b.ports.key
  );
}

const POD_NAMES = new RegExp(`${POD_NAME}[^\\n]*`, 'g');

function withoutPods(hostnames: string): string {
  const names = hostnames.replaceAll(POD_NAMES, '');
  return /[^\n]/.test(names) ? names : '';
}
