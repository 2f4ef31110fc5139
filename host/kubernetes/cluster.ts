// One cluster, watched: client, reflectors, model and records together.

import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { RecordStore } from '../plugin/contract.ts';
import { type Access, loadAccess, type PodEnvironment } from './access.ts';
import type { Timing } from './backoff.ts';
import { ApiClient, type RequestObserver } from './client.ts';
import { ClientTable } from './clients.ts';
import { type Requirement, selectorText, withLabel } from './label-selector.ts';
import { ClusterModel, type Trigger } from './model.ts';
import { MulticlusterRecords } from './multicluster-records.ts';
import { IMPORT_NAME } from './objects/metadata.ts';
import {
  endpointSlices,
  NAMESPACES,
  type Named,
  PODS,
  type Resource,
  SERVICE_IMPORTS,
  SERVICES,
} from './objects/resources.ts';
import { ClusterRecords, type RecordsOptions } from './records.ts';
import { ResourceWatch, type WatchObserver, type WatchState } from './resource-watch.ts';
import { movesSetSerial, NamespaceSink, type ObjectSink, PodSink, ServiceSink, SliceSink, TwoSinks } from './sinks.ts';

export interface ClusterOptions {
  readonly access: Access;
  readonly pod: PodEnvironment;
  readonly records: Omit<RecordsOptions, 'wall'>;
  readonly watch: WatchOptions;
  readonly log: Log;
  readonly clock: Clock;
  readonly timing: Timing;
  /** By default DEAD_MS. */
  readonly deadMs?: number;
  readonly observer: ClusterObserver;
}

/** What is watched, and what is kept of it. */
export interface WatchOptions {
  readonly labels: readonly Requirement[] | undefined;
  readonly namespaceLabels: readonly Requirement[] | undefined;
  readonly hasEndpoints: boolean;
  readonly usesPodNames: boolean;
  /** Who a client is will be asked for. */
  readonly knowsClients: boolean;
}

/** Changes that are published together until everything has been listed once. */
const FIRST_LOAD_BATCH = 256;

export interface ClusterObserver extends RequestObserver, WatchObserver {
  /** How long it took from a change of a service's endpoints until it could be asked for. */
  programmed(kind: 'cluster_ip' | 'headless_with_selector', seconds: number): void;
  /** The watches begin; the returned function is called when they have ended. */
  watching(watches: readonly WatchState[]): () => void;
}

/** Without a sign of life of the API for so long a watch counts as dead. */
export const DEAD_MS = 600_000;

export class Cluster {
  readonly #options: ClusterOptions;
  readonly #store: RecordStore;
  /** Names of the cluster set's services, where the directive has zones for them. */
  readonly #importedStore: RecordStore | undefined;
  readonly #model = new ClusterModel();
  readonly #imported = new ClusterModel(this.#model);
  readonly #records: ClusterRecords;
  readonly #importedRecords: MulticlusterRecords | undefined;
  readonly #synced = Promise.withResolvers<void>();
  #watches: readonly (WatchState & { start(): void; stop(): Promise<void> })[] = [];
  #forget: () => void = () => {};
  #client: ApiClient | undefined;
  #starting: Promise<void> | undefined;
  #isSynced: boolean = false;
  #isStopped: boolean = false;
  /** Lists that had arrived when the records were last published. */
  #listed = 0;

  /** The stores stay empty but for the names that every cluster has until start(); stop() gives them back. */
  constructor(store: RecordStore, importedStore: RecordStore | undefined, options: ClusterOptions) {
    this.#options = options;
    this.#store = store;
    this.#importedStore = importedStore;
    const records = { ...options.records, wall: () => options.clock.wall() };
    if (options.watch.knowsClients) this.#model.clients = new ClientTable();
    this.#records = new ClusterRecords(this.#model, store, records);
    if (importedStore !== undefined) {
      this.#importedRecords = new MulticlusterRecords(this.#imported, importedStore, records);
    }
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Some watch has been dead for long: what is answered may be far from what is. */
  get isDead(): boolean {
    const { clock, deadMs = DEAD_MS } = this.#options;
    return this.#isSynced && this.#watches.some(({ contactAt }) => clock.now() - contactAt > deadMs);
  }

  /** Resolves when all resources have been listed once. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  get recordsAddress(): number {
    return this.#store.address;
  }

  get importedAddress(): number | undefined {
    return this.#importedStore?.address;
  }

  /** Begins to watch; later calls change nothing. Rejects with a UserError if the configuration cannot be used. */
  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#watches.map((watch) => watch.stop()));
    this.#forget();
    this.#client?.close();
    this.#store.release();
    this.#importedStore?.release();
  }

  async #start(): Promise<void> {
    const { access, pod, observer, timing } = this.#options;
    const config = await loadAccess(access, pod);
    if (this.#isStopped) return;
    this.#client = new ApiClient(config, observer, timing.headersMs);
    this.#watches = [...this.#clusterWatches(), ...this.#importWatches()];
    this.#forget = observer.watching(this.#watches);
    for (const watch of this.#watches) watch.start();
  }

  #clusterWatches() {
    const { watch, records } = this.#options;
    const model = this.#model;
    const shape = { usesPodNames: watch.usesPodNames, keepsZones: records.isZonal, isImported: false };
    const pods = { ...PODS, keepsLabels: watch.knowsClients };
    const namespaces = new NamespaceSink(model);
    const isAlone = this.#importedStore === undefined;
    // Namespaces first: they are few, and a service is only answered when its namespace is known.
    return [
      this.#watch(
        selected(NAMESPACES, watch.namespaceLabels),
        isAlone ? namespaces : new TwoSinks(namespaces, new NamespaceSink(this.#imported)),
      ),
      this.#watch(selected(SERVICES, watch.labels), new ServiceSink(model)),
      ...(watch.hasEndpoints ? [this.#watch(selected(endpointSlices(shape), watch.labels), new SliceSink(model))] : []),
      ...(records.pods === 'verified' ? [this.#watch(selected(pods, watch.labels), new PodSink(model))] : []),
    ];
  }

  /** Imports are selected by the labels of namespaces, as in CoreDNS. */
  #importWatches() {
    if (this.#importedStore === undefined) return [];
    const { watch } = this.#options;
    const slices = endpointSlices({ usesPodNames: watch.usesPodNames, keepsZones: false, isImported: true });
    const labels = withLabel(watch.labels ?? [], IMPORT_NAME);
    return [
      this.#watch(selected(SERVICE_IMPORTS, watch.namespaceLabels), new ServiceSink(this.#imported, movesSetSerial)),
      this.#watch(selected(slices, labels), new SliceSink(this.#imported)),
    ];
  }

  #watch<T extends Named>(resource: Resource<T>, sink: ObjectSink<T>): ResourceWatch<T> {
    const { log, timing, observer } = this.#options;
    const options = { client: this.#client!, resource, sink, onBatch: () => this.#publish(), log, timing };
    return new ResourceWatch(options, observer);
  }

  #publish(): void {
    if (this.#isStopped) return;
    const listed = this.#watches.filter((watch) => watch.isSynced).length;
    const pending = this.#model.pending + this.#imported.pending;
    // The first load comes in many small pieces, and what a list has not shown to its end is no state to tell of.
    if (!this.#isSynced && listed === this.#listed && pending < FIRST_LOAD_BATCH) return;
    this.#listed = listed;
    this.#importedRecords?.flush();
    this.#records.flush();
    for (const trigger of this.#model.triggers.splice(0)) this.#observe(trigger);
    for (const trigger of this.#imported.triggers.splice(0)) this.#observe(trigger);
    if (!this.#isSynced && this.#watches.every((watch) => watch.isSynced)) {
      this.#isSynced = true;
      this.#store.setSynced(true);
      this.#importedStore?.setSynced(true);
      this.#synced.resolve();
    }
  }

  /** A slice whose service is not known (yet) is not timed, as in CoreDNS. */
  #observe({ namespace, service, triggerTime }: Trigger): void {
    const known = this.#model.namespaces.get(namespace)?.services.get(service)?.service;
    const startedAt = Date.parse(triggerTime);
    if (known === undefined || Number.isNaN(startedAt)) return;
    const kind = known.kind === 'headless' ? 'headless_with_selector' : 'cluster_ip';
    this.#options.observer.programmed(kind, (this.#options.clock.wall() - startedAt) / 1000);
  }
}

function selected<T extends Named>(resource: Resource<T>, labels: readonly Requirement[] | undefined): Resource<T> {
  return labels === undefined ? resource : { ...resource, labelSelector: selectorText(labels) };
}
