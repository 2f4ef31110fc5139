// One cluster, watched: client, reflectors, model and records together.

import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { RecordStore } from '../plugin/contract.ts';
import { type Access, loadAccess, type PodEnvironment } from './access.ts';
import type { Timing } from './backoff.ts';
import { ApiClient, type RequestObserver } from './client.ts';
import { ClusterModel, type Trigger } from './model.ts';
import { ENDPOINT_SLICES, NAMESPACES, type Named, PODS, type Resource, SERVICES } from './objects/resources.ts';
import { ClusterRecords, type RecordsOptions } from './records.ts';
import { Reflector } from './reflector.ts';
import { NamespaceSink, type ObjectSink, PodSink, ServiceSink, SliceSink } from './sinks.ts';

export interface ClusterOptions {
  readonly access: Access;
  readonly pod: PodEnvironment;
  readonly records: Omit<RecordsOptions, 'wall'>;
  readonly log: Log;
  readonly clock: Clock;
  readonly timing: Timing;
  readonly observer: ClusterObserver;
}

export interface ClusterObserver extends RequestObserver {
  /** How long it took from a change of a service's endpoints until it could be asked for. */
  programmed(kind: 'cluster_ip' | 'headless_with_selector', seconds: number): void;
}

export class Cluster {
  readonly #options: ClusterOptions;
  readonly #store: RecordStore;
  readonly #model = new ClusterModel();
  readonly #records: ClusterRecords;
  readonly #synced = Promise.withResolvers<void>();
  #reflectors: readonly { start(): void; stop(): Promise<void>; readonly isSynced: boolean }[] = [];
  #client: ApiClient | undefined;
  #starting: Promise<void> | undefined;
  #isSynced: boolean = false;
  #isStopped: boolean = false;

  /** The store stays empty but for the names that every cluster has until start(); stop() gives it back. */
  constructor(store: RecordStore, options: ClusterOptions) {
    this.#options = options;
    this.#store = store;
    this.#records = new ClusterRecords(this.#model, store, { ...options.records, wall: () => options.clock.wall() });
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Resolves when all resources have been listed once. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  get recordsAddress(): number {
    return this.#store.address;
  }

  /** Begins to watch; later calls change nothing. Rejects with a UserError if the configuration cannot be used. */
  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
    this.#client?.close();
    this.#store.release();
  }

  async #start(): Promise<void> {
    const { access, pod, observer, timing, records } = this.#options;
    const config = await loadAccess(access, pod);
    if (this.#isStopped) return;
    this.#client = new ApiClient(config, observer, timing.headersMs);
    const model = this.#model;
    // Namespaces first: they are few, and a service is only answered when its namespace is known.
    this.#reflectors = [
      this.#reflector(NAMESPACES, new NamespaceSink(model)),
      this.#reflector(SERVICES, new ServiceSink(model)),
      this.#reflector(ENDPOINT_SLICES, new SliceSink(model)),
      ...(records.pods === 'verified' ? [this.#reflector(PODS, new PodSink(model))] : []),
    ];
    for (const reflector of this.#reflectors) reflector.start();
  }

  #reflector<T extends Named>(resource: Resource<T>, sink: ObjectSink<T>): Reflector<T> {
    const { log, timing } = this.#options;
    return new Reflector({ client: this.#client!, resource, sink, onBatch: () => this.#publish(), log, timing });
  }

  #publish(): void {
    if (this.#isStopped) return;
    this.#records.flush();
    for (const trigger of this.#model.triggers.splice(0)) this.#observe(trigger);
    if (!this.#isSynced && this.#reflectors.every((reflector) => reflector.isSynced)) {
      this.#isSynced = true;
      this.#store.setSynced(true);
      this.#synced.resolve();
    }
  }

  /** A slice whose service is not known (yet) is not timed, as in CoreDNS. */
  #observe({ service, triggerTime }: Trigger): void {
    const known = service.service;
    const startedAt = Date.parse(triggerTime);
    if (known === undefined || Number.isNaN(startedAt)) return;
    const kind = known.kind === 'headless' ? 'headless_with_selector' : 'cluster_ip';
    this.#options.observer.programmed(kind, (this.#options.clock.wall() - startedAt) / 1000);
  }
}
