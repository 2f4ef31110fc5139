// Publishes the service imports of a cluster set: the names below `svc` in its zones. All else that these zones answer
// (pods, the apex, PTR) is the cluster's own.

import type { RecordStore } from '../plugin/contract.ts';
import type { ClusterModel } from './model.ts';
import { ownerKey } from './names.ts';
import { type RecordsOptions, shapeOf } from './records.ts';
import { ServiceRecords } from './service-records.ts';

export class MulticlusterRecords {
  readonly #model: ClusterModel;
  readonly #store: RecordStore;
  readonly #services: ServiceRecords;
  readonly #wall: () => number;

  constructor(model: ClusterModel, store: RecordStore, options: RecordsOptions) {
    this.#model = model;
    this.#store = store;
    this.#services = new ServiceRecords(model, store, shapeOf(options, true), options.namespaces);
    this.#wall = options.wall;
    this.#services.put(ownerKey('svc')!, []);
  }

  /** Publishes what has changed. */
  flush(): void {
    const model = this.#model;
    const namespaces = [...model.changedNamespaces];
    for (const namespace of namespaces) this.#services.publishNamespace(namespace, ['svc']);
    const services = [...model.changedServices];
    for (const service of services) this.#services.publishService(service);
    this.#services.removeGone();
    if (model.isSerialStale) this.#store.setSerial(Math.floor(this.#wall() / 1000));
    model.settle();
  }
}
