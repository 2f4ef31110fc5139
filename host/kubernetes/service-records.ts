// Publishes the services of a model into a record store: what has changed since the last time, and of that only the
// owners that differ. Its cost follows the services that changed, not the cluster.

import type { OwnerHandle, RecordSet, RecordStore } from '../plugin/contract.ts';
import { isSameOwner, type Owner, type ServiceRecords as SrvRecords } from './collector.ts';
import { serviceBatches } from './endpoint-batches.ts';
import { ManyEndpoints } from './many-endpoints.ts';
import type { ClusterModel, NamespaceEntry, ServiceEntry, SliceEntry } from './model.ts';
import { ownerKey, wireOf } from './names.ts';
import type { Service } from './objects/service.ts';
import { endpointPattern, type NameShape, type OwnerPart, serviceOwners } from './owners.ts';
import { absoluteName, addressSets } from './record-sets.ts';

export class ServiceRecords {
  readonly #model: ClusterModel;
  readonly #store: RecordStore;
  readonly #shape: NameShape;
  /** Namespaces that are answered for; empty = all. */
  readonly #exposed: ReadonlySet<string>;
  /** Keys of owners that nothing will name once this flush is over. */
  readonly gone: string[] = [];
  readonly #many: ManyEndpoints;
  /** The last records that lead to their owner itself, as the store takes them: the endpoints of a slice share them. */
  #ownRecords: SrvRecords | undefined;
  #ownSet: RecordSet | undefined;

  constructor(model: ClusterModel, store: RecordStore, shape: NameShape, namespaces: readonly string[]) {
    this.#model = model;
    this.#store = store;
    this.#shape = shape;
    this.#exposed = new Set(namespaces);
    this.#many = new ManyEndpoints(model, store, shape, (owner) => this.#putOwner(owner));
  }

  isExposed(namespace: NamespaceEntry): boolean {
    return namespace.isKnown && (this.#exposed.size === 0 || this.#exposed.has(namespace.name));
  }

  /** Puts the namespace's own name below each branch, or takes it away; true if it has appeared or gone. */
  publishNamespace(namespace: NamespaceEntry, branches: readonly string[]): boolean {
    const isShown = this.isExposed(namespace);
    if (isShown === namespace.isPublished) return false;
    namespace.isPublished = isShown;
    for (const branch of branches) {
      const key = ownerKey(namespace.name, branch);
      if (key === undefined || key.length > this.#shape.keyBytesMax) continue;
      if (isShown) this.put(key, []);
      else this.gone.push(key);
    }
    for (const service of namespace.services.values()) this.#model.changedServices.add(service);
    return true;
  }

  /** Endpoints before the SRV records that name them, so that no reader meets a record whose target is gone. */
  publishService(entry: ServiceEntry): void {
    const isShown = entry.namespace.isPublished;
    const service = isShown ? entry.service : undefined;
    const slices = isShown ? entry.slices : [];
    const gone = this.#many.update(entry, service, slices);
    if (gone !== undefined) this.gone.push(...gone);
    else {
      const part = this.#partOf(entry, service, slices);
      this.#publishAll(entry, service, slices, part);
      if (part !== 'own') this.#many.adopt(entry, service, slices);
    }
    entry.publishedService = service;
    entry.publishedSlices = slices;
  }

  /** What may differ: another port of a service with an address does not touch its endpoints. */
  #partOf(entry: ServiceEntry, service: Service | undefined, slices: ServiceEntry['slices']): OwnerPart {
    if (!this.#isApart(service)) return 'all';
    if (service === entry.publishedService) return 'endpoints';
    return slices === entry.publishedSlices && this.#isApart(entry.publishedService) ? 'own' : 'all';
  }

  #publishAll(
    entry: ServiceEntry,
    service: Service | undefined,
    slices: ServiceEntry['slices'],
    differing: OwnerPart,
  ): void {
    let part = differing;
    if (service !== undefined && entry.publishedSlices.length === 0 && this.#putEndpoints(service, slices)) {
      if (part === 'endpoints') return;
      part = 'own';
    }
    const before = new Map(this.#owners(entry.publishedService, entry.publishedSlices, part).map((o) => [o.key, o]));
    for (const owner of this.#owners(service, slices, part)) {
      const old = before.get(owner.key);
      before.delete(owner.key);
      if (old === undefined || !isSameOwner(old, owner)) this.#putOwner(owner);
    }
    this.gone.push(...before.keys());
  }

  /** Puts the owners of all endpoints of a service that has none yet, many at once. False if that cannot be done. */
  #putEndpoints(service: Service, slices: readonly SliceEntry[]): boolean {
    if (slices.length === 0 || service.kind === 'external-name' || this.#shape.isMulticluster) return false;
    const base = ownerKey(service.name, service.namespace, 'svc');
    if (base === undefined) return false;
    const batches = serviceBatches(this.#model, slices, base.length, this.#shape.keyBytesMax);
    if (batches === undefined) return false;
    const filled = slices.filter(({ addresses }) => addresses !== '');
    for (const [i, slice] of filled.entries()) {
      const pattern = endpointPattern(slice, false);
      if (pattern !== undefined) this.#store.putEndpoints(batches[i]!, base, this.#sets(pattern), pattern.flags);
    }
    return true;
  }

  /** The end of a flush: takes away what nothing names any more. */
  removeGone(): void {
    for (const key of this.gone.splice(0)) this.#store.remove(key);
  }

  put(key: string, sets: readonly RecordSet[], flags = 0): number {
    return this.#store.put(key, sets, flags);
  }

  /** Marks an owner as gone, if it is there. */
  drop(key: string): void {
    if (this.#store.find(key) !== 0) this.gone.push(key);
  }

  /** Whatever happens to its endpoints, what is answered for the service itself stays. */
  #isApart(service: Service | undefined): boolean {
    return service?.kind === 'cluster-ip' && !this.#shape.ignoresEmptyServices;
  }

  #owners(service: Service | undefined, slices: ServiceEntry['slices'], part: OwnerPart): Owner[] {
    return service === undefined ? [] : serviceOwners(service, slices, this.#shape, part);
  }

  #putOwner(owner: Owner): OwnerHandle {
    return this.put(owner.key, this.#sets(owner), owner.flags);
  }

  #sets(owner: Owner): RecordSet[] {
    const sets = addressSets(owner.v4, owner.v6);
    if (owner.srv !== undefined) sets.push(this.#serviceSet(owner.srv));
    // Absolute: whether the target lies in the zone is the question's matter, a directive may have several.
    if (owner.alias !== '') sets.push({ type: 'CNAME', names: [absoluteName(wireOf(owner.alias))] });
    return sets;
  }

  #serviceSet(srv: SrvRecords): RecordSet {
    if (srv === this.#ownRecords) return this.#ownSet!;
    const { weight, ports, targets } = srv;
    const records = ports.map((port, i) => {
      const target = targets[i]!;
      return { priority: 0, weight, port, target: target === '' ? 0 : this.#store.find(target) };
    });
    const set: RecordSet = { type: 'SRV', records };
    if (targets.every((target) => target === '')) {
      this.#ownRecords = srv;
      this.#ownSet = set;
    }
    return set;
  }
}
