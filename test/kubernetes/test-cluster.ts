// A cluster whose changes come from a test instead of an API server.

import assert from 'node:assert/strict';
import { packAddress } from '../../host/kubernetes/addresses.ts';
import type { ClusterObserver, WatchOptions } from '../../host/kubernetes/cluster.ts';
import { ClusterModel } from '../../host/kubernetes/model.ts';
import { metadataOfJson } from '../../host/kubernetes/objects/metadata.ts';
import {
  endpointSlices,
  NAMESPACES,
  type Named,
  PODS,
  type Resource,
  SERVICES,
} from '../../host/kubernetes/objects/resources.ts';
import { ClusterRecords } from '../../host/kubernetes/records.ts';
import { NamespaceSink, type ObjectSink, PodSink, ServiceSink, SliceSink } from '../../host/kubernetes/sinks.ts';
import type { RecordStore } from '../../host/plugin/contract.ts';
import { FakeStore } from './fake-store.ts';
import { type ModelObjects, type ModelOptions, PLAIN, type PodMode } from './model.ts';
import type { ApiPod, ApiService, ApiSlice } from './objects.ts';

const ZONES = ['cluster.local.', 'in-addr.arpa.', 'ip6.arpa.'];

/** What a plain directive watches. */
export const PLAIN_WATCH: WatchOptions = {
  labels: undefined,
  namespaceLabels: undefined,
  hasEndpoints: true,
  usesPodNames: false,
  knowsClients: false,
};

/** Hears of everything and does nothing. */
export const NO_OBSERVER: ClusterObserver = {
  requested: () => {},
  listed: () => {},
  programmed: () => {},
  checked: () => {},
  applied: () => {},
  watching: () => () => {},
};

/** One change of the cluster. */
export type Step =
  | { readonly kind: 'namespace'; readonly name: string; readonly isThere: boolean }
  | { readonly kind: 'service'; readonly object: ApiService; readonly isThere: boolean }
  | { readonly kind: 'slice'; readonly object: ApiSlice; readonly isThere: boolean }
  | { readonly kind: 'pod'; readonly object: ApiPod; readonly isThere: boolean }
  | { readonly kind: 'flush' };

/** A watched cluster without the watching. */
export class TestCluster {
  /** What the constructor was not given. */
  readonly store = new FakeStore();
  readonly model = new ClusterModel();
  readonly records: ClusterRecords;
  readonly namespaces = new NamespaceSink(this.model);
  readonly services = new ServiceSink(this.model);
  readonly slices = new SliceSink(this.model);
  readonly pods = new PodSink(this.model);
  seconds = 1000;

  readonly options: ModelOptions;

  /** @param store where the records go; by default `this.store`. */
  constructor(
    pods: PodMode = 'verified',
    localAddresses: readonly string[] = [],
    options: Partial<ModelOptions & { readonly manyEndpoints: number }> = {},
    store?: RecordStore,
  ) {
    this.options = { ...PLAIN, ...options, pods };
    const records = { ...this.options, zones: ZONES, primaryZone: 'cluster.local.' };
    const wall = () => this.seconds * 1000;
    const local = localAddresses.map(packAddress);
    this.records = new ClusterRecords(this.model, store ?? this.store, { ...records, localAddresses: local, wall });
  }

  apply(change: Step): void {
    if (change.kind === 'flush') this.flush();
    else if (change.kind === 'namespace') {
      feed(this.namespaces, NAMESPACES, { metadata: { name: change.name } }, change.isThere);
    } else if (change.kind === 'service') feed(this.services, SERVICES, change.object, change.isThere);
    else if (change.kind === 'slice') feed(this.slices, slicesOf(this.options), change.object, change.isThere);
    else feed(this.pods, PODS, change.object, change.isThere);
  }

  flush(): void {
    this.records.flush();
    assert.deepEqual(this.store.danglers(), []);
  }
}

function slicesOf({ usesPodNames, isZonal }: ModelOptions) {
  return endpointSlices({ usesPodNames, keepsZones: isZonal, isImported: false });
}

export function feed<T extends Named>(
  sink: ObjectSink<T>,
  resource: Resource<T>,
  object: unknown,
  isThere: boolean,
): void {
  const reduced = resource.ofJson(object, metadataOfJson(object, resource.keepsLabels));
  if (isThere) sink.put(reduced);
  else sink.remove(reduced);
}

/** The objects that are left after the steps. */
export function finalObjects(steps: readonly Step[]): ModelObjects {
  const namespaces = new Set<string>();
  const services = new Map<string, ApiService>();
  const slices = new Map<string, ApiSlice>();
  const pods = new Map<string, ApiPod>();
  const set = <T extends ApiService | ApiSlice | ApiPod>(map: Map<string, T>, object: T, isThere: boolean) => {
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    if (isThere) map.set(key, object);
    else map.delete(key);
  };
  for (const change of steps) {
    if (change.kind === 'namespace') {
      if (change.isThere) namespaces.add(change.name);
      else namespaces.delete(change.name);
    } else if (change.kind === 'service') set(services, change.object, change.isThere);
    else if (change.kind === 'slice') set(slices, change.object, change.isThere);
    else if (change.kind === 'pod') set(pods, change.object, change.isThere);
  }
  return {
    namespaces: [...namespaces],
    services: [...services.values()],
    slices: [...slices.values()],
    pods: [...pods.values()],
  };
}

export function fill(cluster: TestCluster, objects: ModelObjects): void {
  for (const name of objects.namespaces) cluster.apply({ kind: 'namespace', name, isThere: true });
  for (const object of objects.services) cluster.apply({ kind: 'service', object, isThere: true });
  for (const object of objects.slices) cluster.apply({ kind: 'slice', object, isThere: true });
  for (const object of objects.pods) cluster.apply({ kind: 'pod', object, isThere: true });
  cluster.flush();
}
