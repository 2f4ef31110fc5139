// Publishes the cluster model into a record store. A flush looks only at what has changed since the last one.
//
// Order within a flush: endpoints before the SRV records that name them, everything before what it replaces is
// removed. So a reader never meets a record whose target is gone.

import { NAME_BYTES_MAX } from '../../engine-as/shared/codes.ts';
import {
  OWNER_NO_NODATA,
  OWNER_SILENT,
  OWNER_ZONE_CASE,
  type RecordSet,
  type RecordStore,
} from '../plugin/contract.ts';
import { cutAddresses, findAddress, podLabel } from './addresses.ts';
import { endpointBatch } from './endpoint-batches.ts';
import { MANY_ENDPOINTS } from './many-endpoints.ts';
import type { ClusterModel, NamespaceEntry, ServiceEntry, SliceEntry } from './model.ts';
import { NS_DNS, nameServers } from './name-servers.ts';
import { clientKey, glueKey, ownerKey, reverseKey, wireOf } from './names.ts';
import type { NameShape } from './owners.ts';
import { absoluteName, addressSets } from './record-sets.ts';
import { reverseTargets } from './reverse-names.ts';
import { ServiceRecords } from './service-records.ts';

export interface RecordsOptions {
  /** Zones of the directive, lower-case and fully qualified. */
  readonly zones: readonly string[];
  /** The zone that PTR records lead into: the first that is not a reverse zone. */
  readonly primaryZone: string;
  readonly pods: 'disabled' | 'insecure' | 'verified';
  /** Names of the namespaces that are answered for; empty = all. */
  readonly namespaces: readonly string[];
  readonly isZonal: boolean;
  readonly ignoresEmptyServices: boolean;
  /** From how many endpoints on the changes of a service are followed one by one. */
  readonly manyEndpoints?: number;
  /** Packed addresses of this process, for the NS records. */
  readonly localAddresses: readonly string[];
  /** Unix time in milliseconds. */
  readonly wall: () => number;
}

/** Schema version of Kubernetes DNS-Based Service Discovery that the names follow. */
const SCHEMA_VERSION = '1.1.0';
const SCHEMA_TTL_SECONDS = 28800;
const APEX = '';

/** Longest key that makes a name with every one of the zones. */
export function keyBytesMax(zones: readonly string[]): number {
  return NAME_BYTES_MAX - 1 - Math.max(...zones.map((zone) => wireOf(zone).length));
}

export function shapeOf(options: RecordsOptions, isMulticluster: boolean): NameShape {
  const { zones, ignoresEmptyServices } = options;
  const isZonal = options.isZonal && !isMulticluster;
  const manyEndpoints = options.manyEndpoints ?? MANY_ENDPOINTS;
  return { keyBytesMax: keyBytesMax(zones), isMulticluster, isZonal, ignoresEmptyServices, manyEndpoints };
}

export class ClusterRecords {
  readonly #model: ClusterModel;
  readonly #store: RecordStore;
  readonly #options: RecordsOptions;
  readonly #services: ServiceRecords;
  /** Wire form of the primary zone without its root label. */
  readonly #primaryWire: string;
  readonly #keyBytesMax: number;
  readonly #local: ReadonlySet<string>;
  #nameServerServices: ReadonlySet<ServiceEntry> = new Set();
  #glue: readonly string[] = [];

  constructor(model: ClusterModel, store: RecordStore, options: RecordsOptions) {
    this.#model = model;
    this.#store = store;
    this.#options = options;
    this.#services = new ServiceRecords(model, store, shapeOf(options, false), options.namespaces);
    this.#primaryWire = wireOf(options.primaryZone);
    this.#keyBytesMax = keyBytesMax(options.zones);
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
    for (const service of services) this.#services.publishService(service);
    for (const slice of model.newSlices) {
      this.#publishNewSlice(slice);
      areNameServersStale ||= [...this.#local].some(
        (each) => each.length === slice.family && findAddress(slice.addresses, each) >= 0,
      );
    }
    for (const address of model.changedAddresses) {
      this.#publishReverse(address);
      areNameServersStale ||= this.#local.has(address);
    }
    if (areNameServersStale) this.#publishNameServers();
    this.#publishClients();
    this.#services.removeGone();
    if (model.isSerialStale) this.#store.setSerial(Math.floor(this.#options.wall() / 1000));
    model.settle();
  }

  /** The names that every cluster has. */
  #putFixed(): void {
    this.#services.put(ownerKey('svc')!, []);
    this.#services.put(ownerKey('pod')!, []);
    const version = Buffer.from(SCHEMA_VERSION, 'latin1');
    const rdata = new Uint8Array([version.length, ...version]);
    const text: RecordSet = { type: 'TXT', rdata: [rdata], ttl: SCHEMA_TTL_SECONDS };
    this.#services.put(ownerKey('dns-version')!, [text], OWNER_NO_NODATA);
    this.#publishNameServers();
  }

  #publishNamespace(namespace: NamespaceEntry): void {
    const branches = this.#options.pods === 'disabled' ? ['svc'] : ['svc', 'pod'];
    if (this.#services.publishNamespace(namespace, branches)) {
      for (const address of namespace.pods?.counts.keys() ?? []) namespace.pods?.changed.add(address);
      if (this.#options.namespaces.length > 0) this.#touchAddresses(namespace);
    }
    if (namespace.pods !== undefined && namespace.pods.changed.size > 0) this.#publishPods(namespace);
  }

  /** PTR records of the namespace depend on whether it is shown: only where some are not. */
  #touchAddresses(namespace: NamespaceEntry): void {
    const touch = (packed: string, family: number) => {
      for (let at = 0; at < packed.length; at += family) {
        this.#model.changedAddresses.add(packed.slice(at, at + family));
      }
    };
    for (const { service } of namespace.services.values()) {
      touch(service?.v4 ?? '', 4);
      touch(service?.v6 ?? '', 16);
    }
    for (const slice of namespace.slices.values()) touch(slice.addresses, slice.family);
  }

  #publishPods(namespace: NamespaceEntry): void {
    const pods = namespace.pods!;
    for (const address of pods.changed) {
      const key = ownerKey(podLabel(address), namespace.name, 'pod');
      if (key === undefined || key.length > this.#keyBytesMax) continue;
      const isShown = namespace.isPublished && pods.counts.has(address);
      if (isShown) this.#services.put(key, podSets(address, pods.counts.get(address)!));
      else this.#services.drop(key);
    }
    pods.changed.clear();
  }

  /** PTR records of all addresses of a slice at once. Where that cannot be done, they count as changed one by one. */
  #publishNewSlice(slice: SliceEntry): void {
    const { addresses, family, service } = slice;
    const base = service.name === '' ? undefined : ownerKey(service.name, service.namespace.name, 'svc');
    const name = `${base}${this.#primaryWire}\0`;
    const isPlain = base !== undefined && this.#primaryWire.length > 0 && this.#isReverseShown(service.namespace);
    const batch = isPlain ? endpointBatch(this.#model, slice, name.length, NAME_BYTES_MAX) : undefined;
    if (batch !== undefined) this.#store.putReverse(batch, name);
    else for (const address of cutAddresses(addresses, family)) this.#model.changedAddresses.add(address);
  }

  #isReverseShown(namespace: NamespaceEntry): boolean {
    return this.#options.namespaces.length === 0 || this.#services.isExposed(namespace);
  }

  #publishReverse(address: string): void {
    const key = reverseKey(address);
    const targets = reverseTargets(this.#model, address, (namespace) => this.#isReverseShown(namespace));
    const names = targets
      ?.filter((target) => target.length + this.#primaryWire.length < NAME_BYTES_MAX)
      .map((target) => absoluteName(target + this.#primaryWire));
    // Below the root zone CoreDNS makes a name that ends in two dots: it cannot pack the reply, and sends none.
    const isSilent = this.#primaryWire.length === 0 || names === undefined;
    if (names?.length === 0) this.#services.drop(key);
    else this.#services.put(key, names === undefined ? [] : [{ type: 'PTR', names }], isSilent ? OWNER_SILENT : 0);
  }

  /** NS records show their addresses from owners of their own: CoreDNS tells one as often as it finds it. */
  #publishNameServers(): void {
    const { names, services } = nameServers(this.#model, this.#options.localAddresses);
    this.#nameServerServices = services;
    const shown = [...names].filter(([key]) => key.length <= this.#keyBytesMax);
    const records = shown.map(([key, addresses]) => {
      const target = this.#services.put(glueKey(key), familySets(addresses));
      return { wire: key, relative: true, target };
    });
    this.#services.put(NS_DNS, familySets([...new Set([...names.values()].flat())]), OWNER_ZONE_CASE);
    this.#services.put(APEX, records.length > 0 ? [{ type: 'NS', names: records }] : [], OWNER_ZONE_CASE);
    const glue = shown.map(([key]) => glueKey(key));
    for (const key of this.#glue) if (!glue.includes(key)) this.#services.gone.push(key);
    this.#glue = glue;
  }

  /** TXT of a client: its namespace, its name, and its labels, each a key and a value. */
  #publishClients(): void {
    const { clients } = this.#model;
    for (const address of clients?.changed ?? []) {
      const client = clients!.at(address);
      const key = clientKey(address);
      if (client === undefined) {
        this.#services.drop(key);
        continue;
      }
      const texts = [client.namespace, client.name, ...[...client.labels].flat()];
      const rdata = texts.map((text) => new Uint8Array(Buffer.from(text)));
      this.#services.put(key, [{ type: 'TXT', rdata }]);
    }
    clients?.changed.clear();
  }
}

/** SRV of a pod that is alone is made by the engine; several at one address share the weight of it. */
function podSets(address: string, count: number): RecordSet[] {
  const sets = familySets([address]);
  const weight = Math.max(1, Math.floor(100 / count));
  if (count > 1) sets.push({ type: 'SRV', records: [{ priority: 0, weight, port: 0, target: 0 }] });
  return sets;
}

function familySets(addresses: readonly string[]): RecordSet[] {
  const v4 = addresses.filter((address) => address.length === 4).join('');
  const v6 = addresses.filter((address) => address.length === 16).join('');
  return addressSets(v4, v6);
}
