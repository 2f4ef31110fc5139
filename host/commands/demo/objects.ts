// The demo cluster's memory: objects with resource versions, and the last changes, for those who watch.

import {
  type Change,
  ForgottenError,
  keyOf,
  type Listed,
  type ObjectSource,
  type ResourceName,
} from '../api/source.ts';
import type { KubernetesObject } from '../api/values.ts';
import type { Manifest } from './manifest.ts';

/** Changes kept; a watch from before the oldest is refused with 410. */
const CHANGES_MAX = 1000;
const RESOURCE_NAMES: readonly ResourceName[] = ['namespaces', 'services', 'endpointslices', 'pods', 'serviceimports'];

interface Kept {
  readonly object: KubernetesObject;
  /** The object without its version, for comparison. */
  readonly text: string;
}

export class ObjectMemory implements ObjectSource {
  version = 1;
  readonly #changesMax: number;
  readonly #kept: Readonly<Record<ResourceName, Map<string, Kept>>>;
  readonly #listeners = new Set<() => void>();
  /** In the order of their versions, which have no gaps. */
  #changes: Change[] = [];

  constructor(changesMax = CHANGES_MAX) {
    this.#changesMax = changesMax;
    const kept = (): Map<string, Kept> => new Map();
    this.#kept = { namespaces: kept(), services: kept(), endpointslices: kept(), pods: kept(), serviceimports: kept() };
  }

  get oldestVersion(): number {
    return this.version - this.#changes.length;
  }

  /** Makes the memory equal to the manifest; returns how many objects were added, changed and removed. */
  replace(manifest: Manifest): readonly [added: number, changed: number, removed: number] {
    const counts: [number, number, number] = [0, 0, 0];
    for (const resource of RESOURCE_NAMES) {
      const kept = this.#kept[resource];
      const gone = new Set(kept.keys());
      for (const object of manifest[resource]) {
        const key = keyOf(object);
        gone.delete(key);
        const before = kept.get(key);
        const text = JSON.stringify(object);
        if (before?.text === text) continue;
        counts[before === undefined ? 0 : 1]++;
        const type = before === undefined ? 'ADDED' : 'MODIFIED';
        kept.set(key, { object: this.#change(type, resource, object, before?.object), text });
      }
      for (const key of gone) {
        const { object } = kept.get(key)!;
        this.#change('DELETED', resource, object, object);
        kept.delete(key);
        counts[2]++;
      }
    }
    for (const listener of this.#listeners) listener();
    return counts;
  }

  list(resource: ResourceName, version: number, after: string): Listed[] {
    if (version < this.oldestVersion) throw new ForgottenError();
    const objects = new Map([...this.#kept[resource]].map(([key, { object }]) => [key, object]));
    for (let at = this.version; at > version; at--) {
      const change = this.changeAt(at);
      if (change.resource !== resource) continue;
      if (change.before === undefined) objects.delete(keyOf(change.object));
      else objects.set(keyOf(change.object), change.before);
    }
    const listed = [...objects].map(([key, object]) => ({ key, object }));
    return listed.filter(({ key }) => key > after).sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  countOf(resource: ResourceName): number {
    return this.#kept[resource].size;
  }

  changeAt(version: number): Change {
    return this.#changes[version - this.oldestVersion - 1]!;
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #change(
    type: Change['type'],
    resource: ResourceName,
    plain: KubernetesObject,
    before: KubernetesObject | undefined,
  ): KubernetesObject {
    const version = ++this.version;
    const object = { ...plain, metadata: { ...plain.metadata, resourceVersion: String(version) } };
    this.#changes.push({ type, resource, object, before, version });
    if (this.#changes.length > this.#changesMax) this.#changes = this.#changes.slice(1);
    return object;
  }
}
