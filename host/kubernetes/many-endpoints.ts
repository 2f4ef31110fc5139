// Publishes the endpoints of a service that has many of them. One endpoint's change writes that endpoint, and the
// owners that lead to all of them from what is remembered: the handles of their owners, 4 octets an endpoint.
//
// It holds where no two endpoints of a service share a name or an address. What it cannot do is done by comparing all
// owners of the service (service-records.ts), which is always right; both write the same.

import type { OwnerHandle, RecordSet, RecordStore, ServiceRun } from '../plugin/contract.ts';
import { findAddress } from './addresses.ts';
import { addressAt, type Owner, type SliceAddresses, weightOf } from './collector.ts';
import { endpointLabel } from './endpoint-names.ts';
import type { ClusterModel, ServiceEntry, SliceEntry } from './model.ts';
import { ownerKey } from './names.ts';
import { PORT_NONE, type Port } from './objects/ports.ts';
import type { Service } from './objects/service.ts';
import { endpointPattern, type NameShape, ServiceEntries } from './owners.ts';
import { addressSets } from './record-sets.ts';
import { compareSlices, endpointCount, NEW } from './slice-difference.ts';

/** What is published of a service with many endpoints. */
export interface PublishedEndpoints {
  /** Handles of the owners of each slice's endpoints. */
  readonly handles: ReadonlyMap<SliceEntry, Uint32Array>;
  /** Keys of the owners that lead to them: of a headless service its own and those of its ports. */
  readonly leading: readonly string[];
}

/** Fewer are cheap to compare, and not worth the memory. */
export const MANY_ENDPOINTS = 64;

const NOTHING: PublishedEndpoints = { handles: new Map(), leading: [] };
const NO_ENDPOINTS: SliceAddresses = { family: 0, addresses: '', hostnames: '' };

interface Shown {
  readonly service: Service;
  readonly slices: readonly SliceEntry[];
  /** Key of the service. */
  readonly base: string;
}

/** What is to be written. */
interface Plan {
  readonly handles: Map<SliceEntry, Uint32Array>;
  readonly writes: { readonly slice: SliceEntry; readonly at: number; readonly key: string }[];
  /** Keys of endpoints that are gone. */
  readonly gone: Set<string>;
}

export class ManyEndpoints {
  readonly #model: ClusterModel;
  readonly #store: Pick<RecordStore, 'put' | 'find'>;
  readonly #shape: NameShape;
  readonly #putOwner: (owner: Owner) => OwnerHandle;

  constructor(
    model: ClusterModel,
    store: Pick<RecordStore, 'put' | 'find'>,
    shape: NameShape,
    putOwner: (owner: Owner) => OwnerHandle,
  ) {
    this.#model = model;
    this.#store = store;
    this.#shape = shape;
    this.#putOwner = putOwner;
  }

  /** Publishes what has changed. Returns the keys that are gone; undefined, having written nothing, if it cannot. */
  update(entry: ServiceEntry, service: Service | undefined, slices: readonly SliceEntry[]): string[] | undefined {
    const shown = this.#shown(service, slices);
    const published = publishedOf(entry);
    if (shown === undefined || published === undefined) return undefined;
    const isHeadlessNew = shown.service.kind === 'headless' && entry.publishedService === undefined;
    if (shown.service !== entry.publishedService && !isHeadlessNew) return undefined;
    const plan = this.#plan(published, entry.publishedSlices, shown, false);
    if (plan === undefined) return undefined;
    this.#writeEndpoints(plan);
    const leading = leadingOwners(shown, this.#shape);
    for (const owner of leading) this.#store.put(owner.key, owner.sets(plan.handles), owner.flags);
    const keys = leading.map(({ key }) => key);
    entry.publishedEndpoints = { handles: plan.handles, leading: keys };
    return [...plan.gone, ...published.leading.filter((key) => !keys.includes(key))];
  }

  /** After all owners of the service have been written: remembers what update() needs, if it could do the next change. */
  adopt(entry: ServiceEntry, service: Service | undefined, slices: readonly SliceEntry[]): void {
    const shown = this.#shown(service, slices);
    const plan = shown && this.#plan(NOTHING, [], shown, true);
    entry.publishedEndpoints = undefined;
    if (shown === undefined || plan === undefined) return;
    for (const { slice, at, key } of plan.writes) plan.handles.get(slice)![at] = this.#store.find(key);
    const leading = leadingOwners(shown, this.#shape).map(({ key }) => key);
    entry.publishedEndpoints = { handles: plan.handles, leading };
  }

  /** Undefined if it is no service of whose endpoints this can take care, or not worth it. */
  #shown(service: Service | undefined, slices: readonly SliceEntry[]): Shown | undefined {
    const { isMulticluster, isZonal, ignoresEmptyServices, keyBytesMax, manyEndpoints } = this.#shape;
    if (service === undefined || isMulticluster || service.kind === 'external-name') return undefined;
    if (service.kind === 'headless' ? isZonal : ignoresEmptyServices) return undefined;
    if (countOf(slices) < manyEndpoints) return undefined;
    const base = ownerKey(service.name, service.namespace, 'svc');
    return base === undefined || base.length > keyBytesMax ? undefined : { service, slices, base };
  }

  /** @param isWritten the owners of the endpoints that are new are there already. */
  #plan(
    published: PublishedEndpoints,
    before: readonly SliceEntry[],
    shown: Shown,
    isWritten: boolean,
  ): Plan | undefined {
    const plan: Plan = { handles: new Map(), writes: [], gone: new Set() };
    const old = new Map(before.map((slice) => [slice.name, slice]));
    const changes = shown.slices
      .filter((slice) => old.get(slice.name) !== slice || !published.handles.has(slice))
      .map((slice) => ({ slice, was: old.get(slice.name) }));
    for (const slice of shown.slices) {
      // In the order of the slices, which is that of the records.
      plan.handles.set(slice, published.handles.get(slice) ?? new Uint32Array(endpointCount(slice)));
      old.delete(slice.name);
    }
    const compared = changes.map((each) => ({ ...each, ...compareSlices(each.was ?? NO_ENDPOINTS, each.slice) }));
    for (const slice of old.values()) this.#leave(plan, slice, compareSlices(slice, NO_ENDPOINTS).removed, shown);
    for (const { was, removed } of compared) if (was !== undefined) this.#leave(plan, was, removed, shown);
    const seen = new Set<string>();
    const staying = new Set(shown.slices);
    for (const { slice, was, origins } of compared) {
      const handles = plan.handles.get(slice)!;
      const oldHandles = was && published.handles.get(was);
      const isRewritten = was?.ports.key !== slice.ports.key;
      const keyAt = this.#keysOf(slice, shown);
      for (let at = 0; at < origins.length; at++) {
        const isNew = origins[at] === NEW;
        if (!isNew) handles[at] = oldHandles![origins[at]!]!;
        if (!isNew && !isRewritten) continue;
        const key = keyAt(at);
        if (key === undefined) return undefined;
        if (isNew) {
          if (seen.size === seen.add(key).size || !this.#isAlone(addressAt(slice, at), staying)) return undefined;
          if (!plan.gone.delete(key) && (this.#store.find(key) !== 0) !== isWritten) return undefined;
        }
        plan.writes.push({ slice, at, key });
      }
    }
    return plan;
  }

  #leave(plan: Plan, slice: SliceEntry, removed: readonly number[], shown: Shown): void {
    const keyAt = this.#keysOf(slice, shown);
    for (const at of removed) {
      const key = keyAt(at);
      if (key !== undefined) plan.gone.add(key);
    }
  }

  /** Keys of a slice's endpoints by position; undefined where a label or the name is too long. */
  #keysOf(slice: SliceEntry, { base }: Shown): (at: number) => string | undefined {
    const hostnames = slice.hostnames === '' ? [] : slice.hostnames.split('\n');
    return (at) => {
      const key = ownerKey(endpointLabel(hostnames[at] ?? '', () => addressAt(slice, at)));
      return key === undefined || key.length + base.length > this.#shape.keyBytesMax ? undefined : key + base;
    };
  }

  /** The address stands but once in these slices. */
  #isAlone(address: string, slices: ReadonlySet<unknown>): boolean {
    let count = 0;
    for (const holder of this.#model.addresses.candidates(address)) {
      if (holder.kind !== 'slice' || !slices.has(holder)) continue;
      const { addresses, family } = holder;
      // The hash of another address may be the same.
      if (family !== address.length) continue;
      for (let at = findAddress(addresses, address); at >= 0; at = findAddress(addresses, address, at + family))
        count++;
    }
    return count === 1;
  }

  #writeEndpoints({ handles, writes }: Plan): void {
    let last: SliceEntry | undefined;
    let pattern: Owner | undefined;
    for (const { slice, at, key } of writes) {
      if (slice !== last) pattern = endpointPattern(slice, false);
      last = slice;
      const address = addressAt(slice, at);
      const [v4, v6] = address.length === 4 ? [address, ''] : ['', address];
      // Bounds: a slice has at least one port, so there is a pattern.
      handles.get(slice)![at] = this.#putOwner({ ...pattern!, key, v4, v6 });
    }
  }
}

/** What update() can start from. */
function publishedOf({ publishedEndpoints, publishedSlices }: ServiceEntry): PublishedEndpoints | undefined {
  const isBlank = publishedSlices.every((slice) => slice.addresses === '');
  return publishedEndpoints ?? (isBlank ? NOTHING : undefined);
}

function countOf(slices: readonly SliceEntry[]): number {
  return slices.reduce((sum, slice) => sum + endpointCount(slice), 0);
}

/** A ClusterIP service's own names lead to no endpoint. */
function leadingOwners({ service, slices, base }: Shown, { keyBytesMax }: NameShape): LeadingOwner[] {
  if (service.kind !== 'headless') return [];
  const entries = new ServiceEntries<SlicePort, LeadingOwner>(base, false, (key) => new LeadingOwner(key));
  for (const slice of slices) {
    for (const port of slice.addresses === '' ? [] : slice.ports.list) entries.add({ slice, port });
  }
  return entries.owners().filter((owner) => owner.exists && owner.key.length <= keyBytesMax);
}

/** A port of every endpoint of a slice. */
interface SlicePort {
  readonly slice: SliceEntry;
  readonly port: Port;
}

/** An owner with the addresses of all endpoints of some slices, and SRV records that lead to them. */
class LeadingOwner {
  readonly key: string;
  flags = 0;
  entries = 0;
  readonly #runs: { readonly slice: SliceEntry; readonly ports: number[] }[] = [];

  constructor(key: string) {
    this.key = key;
  }

  get exists(): boolean {
    return this.entries > 0 || this.flags !== 0;
  }

  take({ slice, port: { port } }: SlicePort): void {
    this.entries += endpointCount(slice);
    if (this.#runs.at(-1)?.slice !== slice) this.#runs.push({ slice, ports: [] });
    const { ports } = this.#runs.at(-1)!;
    if (port !== PORT_NONE && !ports.includes(port)) ports.push(port);
  }

  sets(handles: ReadonlyMap<SliceEntry, Uint32Array>): RecordSet[] {
    const ofFamily = (family: number) => {
      const slices = this.#runs.filter(({ slice }) => slice.family === family);
      return slices.map(({ slice }) => slice.addresses).join('');
    };
    const sets = addressSets(ofFamily(4), ofFamily(16));
    const runs: ServiceRun[] = this.#runs
      .filter(({ ports }) => ports.length > 0)
      .map(({ slice, ports }) => ({ ports, targets: handles.get(slice)! }));
    if (runs.length > 0) sets.push({ type: 'SRV', runs, weight: weightOf(this.entries) });
    return sets;
  }
}
