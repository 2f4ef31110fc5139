// Publishes the cluster model into a record store. A flush looks only at what has changed since the last one, and
// writes only owners that differ: its cost follows the services that changed, not the cluster.
//
// Order within a flush: endpoints before the SRV records that name them, everything before what it replaces is
// removed. So a reader never meets a record whose target is gone.

import { NAME_BYTES_MAX } from '../../engine-as/shared/codes.ts';
import {
  OWNER_NO_NODATA,
  OWNER_ZONE_CASE,
  type RecordName,
  type RecordSet,
  type RecordStore,
} from '../plugin/contract.ts';
import { addressOctets, podLabel, splitAddresses } from './addresses.ts';
import type { ClusterModel, NamespaceEntry, ServiceEntry } from './model.ts';
import { NS_DNS, nameServers } from './name-servers.ts';
import { keyOctets, ownerKey, reverseKey, wireOf } from './names.ts';
import type { Service } from './objects/service.ts';
import { isSameOwner, type Owner, type ServiceRecords, serviceOwners } from './owners.ts';
import { reverseTargets } from './reverse-names.ts';

export interface RecordsOptions {
  /** Zones of the directive, lower-case and fully qualified. */
  readonly zones: readonly string[];
  /** The zone that PTR records lead into: the first that is not a reverse zone. */
  readonly primaryZone: string;
  readonly pods: 'disabled' | 'insecure' | 'verified';
  /** Packed addresses of this process, for the NS records. */
  readonly localAddresses: readonly string[];
  /** Unix time in milliseconds. */
  readonly wall: () => number;
}

/** Schema version of Kubernetes DNS-Based Service Discovery that the names follow. */
const SCHEMA_VERSION = '1.1.0';
const SCHEMA_TTL_SECONDS = 28800;
const APEX = '';

export class ClusterRecords {
  readonly #model: ClusterModel;
  readonly #store: RecordStore;
  readonly #options: RecordsOptions;
  /** Wire form of the primary zone without its root label. */
  readonly #primaryWire: string;
  readonly #keyBytesMax: number;
  readonly #local: ReadonlySet<string>;
  readonly #gone: string[] = [];
  #nameServerServices: ReadonlySet<ServiceEntry> = new Set();

  constructor(model: ClusterModel, store: RecordStore, options: RecordsOptions) {
    this.#model = model;
    this.#store = store;
    this.#options = options;
    this.#primaryWire = wireOf(options.primaryZone);
    this.#keyBytesMax = NAME_BYTES_MAX - 1 - Math.max(...options.zones.map((zone) => wireOf(zone).length));
    this.#local = new Set(options.localAddresses);
    this.#putFixed();
  }

  /** Publishes what has changed. */
  flush(): void {
    const model = this.#model;
    const namespaces = [...model.changedNamespaces];
    for (const namespace of namespaces) this.#publishNamespace(namespace);
    const services = [...model.changedServices];
    let areNameServersStale = services.some((service) => this.#nameServerServices.has(service));
    for (const service of services) this.#publishService(service);
    for (const address of model.changedAddresses) {
      this.#publishReverse(address);
      areNameServersStale ||= this.#local.has(address);
    }
    if (areNameServersStale) this.#publishNameServers();
    for (const key of this.#gone.splice(0)) this.#store.remove(keyOctets(key));
    if (model.isSerialStale) this.#store.setSerial(Math.floor(this.#options.wall() / 1000));
    model.isSerialStale = false;
    model.changedNamespaces.clear();
    model.changedServices.clear();
    model.changedAddresses.clear();
    for (const service of services) model.forget(service.namespace, service);
    for (const namespace of namespaces) model.forget(namespace);
  }

  /** The names that every cluster has. */
  #putFixed(): void {
    this.#put(ownerKey('svc')!, []);
    this.#put(ownerKey('pod')!, []);
    const version = Buffer.from(SCHEMA_VERSION, 'latin1');
    const rdata = new Uint8Array([version.length, ...version]);
    const text: RecordSet = { type: 'TXT', rdata: [rdata], ttl: SCHEMA_TTL_SECONDS };
    this.#put(ownerKey('dns-version')!, [text], OWNER_NO_NODATA);
    this.#publishNameServers();
  }

  #publishNamespace(namespace: NamespaceEntry): void {
    if (namespace.isKnown !== namespace.isPublished) {
      this.#publishNamespaceNames(namespace);
      namespace.isPublished = namespace.isKnown;
      for (const service of namespace.services.values()) this.#model.changedServices.add(service);
      for (const address of namespace.pods?.counts.keys() ?? []) namespace.pods?.changed.add(address);
    }
    if (namespace.pods !== undefined && namespace.pods.changed.size > 0) this.#publishPods(namespace);
  }

  #publishNamespaceNames(namespace: NamespaceEntry): void {
    for (const branch of this.#options.pods === 'disabled' ? ['svc'] : ['svc', 'pod']) {
      const key = ownerKey(namespace.name, branch);
      if (key === undefined || key.length > this.#keyBytesMax) continue;
      if (namespace.isKnown) this.#put(key, []);
      else this.#gone.push(key);
    }
  }

  #publishPods(namespace: NamespaceEntry): void {
    const pods = namespace.pods!;
    for (const address of pods.changed) {
      const key = ownerKey(podLabel(address), namespace.name, 'pod');
      if (key === undefined || key.length > this.#keyBytesMax) continue;
      const isShown = namespace.isKnown && pods.counts.has(address);
      if (isShown)
        this.#put(key, addressSets(address.length === 4 ? address : '', address.length === 16 ? address : ''));
      else if (this.#store.find(keyOctets(key)) !== 0) this.#gone.push(key);
    }
    pods.changed.clear();
  }

  #publishService(entry: ServiceEntry): void {
    const isShown = entry.namespace.isKnown;
    const service = isShown ? entry.service : undefined;
    const slices = isShown ? entry.slices : [];
    const before = new Map(this.#owners(entry.publishedService, entry.publishedSlices).map((o) => [o.key, o]));
    for (const owner of this.#owners(service, slices)) {
      const old = before.get(owner.key);
      before.delete(owner.key);
      if (old === undefined || !isSameOwner(old, owner)) this.#put(owner.key, this.#sets(owner));
    }
    this.#gone.push(...before.keys());
    entry.publishedService = service;
    entry.publishedSlices = slices;
  }

  #owners(service: Service | undefined, slices: ServiceEntry['slices']): Owner[] {
    return service === undefined ? [] : serviceOwners(service, slices, this.#keyBytesMax);
  }

  #sets(owner: Owner): RecordSet[] {
    const sets = addressSets(owner.v4, owner.v6);
    if (owner.srv !== undefined) sets.push(this.#serviceSet(owner.srv));
    // Absolute: whether the target lies in the zone is the question's matter, a directive may have several.
    if (owner.alias !== '') sets.push({ type: 'CNAME', names: [absoluteName(wireOf(owner.alias))] });
    return sets;
  }

  #serviceSet({ weight, ports, targets }: ServiceRecords): RecordSet {
    const records = ports.map((port, i) => {
      const target = targets[i]!;
      return { priority: 0, weight, port, target: target === '' ? 0 : this.#store.find(keyOctets(target)) };
    });
    return { type: 'SRV', records };
  }

  #publishReverse(address: string): void {
    const key = reverseKey(address);
    const names = reverseTargets(this.#model, address)
      .filter((target) => target.length + this.#primaryWire.length < NAME_BYTES_MAX)
      .map((target) => absoluteName(target + this.#primaryWire));
    if (names.length > 0) this.#put(key, [{ type: 'PTR', names }]);
    else if (this.#store.find(keyOctets(key)) !== 0) this.#gone.push(key);
  }

  #publishNameServers(): void {
    const { keys, addresses, services } = nameServers(this.#model, this.#options.localAddresses);
    this.#nameServerServices = services;
    const v4 = addresses.filter((address) => address.length === 4).join('');
    const v6 = addresses.filter((address) => address.length === 16).join('');
    this.#put(NS_DNS, addressSets(v4, v6), OWNER_ZONE_CASE);
    const names = keys
      .filter((key) => key.length <= this.#keyBytesMax)
      .map((key) => ({ wire: keyOctets(key), relative: true, target: this.#targetOf(key) }));
    this.#put(APEX, names.length > 0 ? [{ type: 'NS', names }] : [], OWNER_ZONE_CASE);
  }

  /** An owner that is about to be removed is no target any more. */
  #targetOf(key: string): number {
    return this.#gone.includes(key) ? 0 : this.#store.find(keyOctets(key));
  }

  #put(key: string, sets: readonly RecordSet[], flags = 0): void {
    this.#store.put(keyOctets(key), sets, flags);
  }
}

function absoluteName(wire: string): RecordName {
  return { wire: keyOctets(`${wire}\0`), relative: false };
}

function addressSets(v4: string, v6: string): RecordSet[] {
  const sets: RecordSet[] = [];
  if (v4.length === 4) sets.push({ type: 'A', addresses: [addressOctets(v4)] });
  else if (v4 !== '') sets.push({ type: 'A', addresses: splitAddresses(v4, 4) });
  if (v6 !== '') sets.push({ type: 'AAAA', addresses: splitAddresses(v6, 16) });
  return sets;
}
