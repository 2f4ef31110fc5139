// The demo cluster's memory: objects with resource versions, and the last changes, for those who watch.

import type { Manifest } from './manifest.ts';
import type { KubernetesObject } from './values.ts';

export type ResourceName = keyof Manifest;

export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: ResourceName;
  readonly object: KubernetesObject;
  readonly version: number;
}

/** Changes kept; a watch from before the oldest is refused with 410. */
const CHANGES_MAX = 1000;
const RESOURCE_NAMES: readonly ResourceName[] = ['namespaces', 'services', 'endpointslices', 'pods', 'serviceimports'];

interface Kept {
  readonly object: KubernetesObject;
  /** The object without its version, for comparison. */
  readonly text: string;
}

export class ObjectMemory {
  /** Version of the last change. Starts above 0, which has a meaning of its own in the API. */
  version = 1;
  readonly #changesMax: number;
  readonly #kept: Readonly<Record<ResourceName, Map<string, Kept>>>;
  readonly #listeners = new Set<(change: Change) => void>();
  #changes: Change[] = [];
  /** Version before the oldest change that is still kept. */
  #oldest = 1;

  constructor(changesMax = CHANGES_MAX) {
    this.#changesMax = changesMax;
    const kept = (): Map<string, Kept> => new Map();
    this.#kept = { namespaces: kept(), services: kept(), endpointslices: kept(), pods: kept(), serviceimports: kept() };
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
        const versioned = this.#change(before === undefined ? 'ADDED' : 'MODIFIED', resource, object);
        kept.set(key, { object: versioned, text });
      }
      for (const key of gone) {
        this.#change('DELETED', resource, kept.get(key)!.object);
        kept.delete(key);
        counts[2]++;
      }
    }
    return counts;
  }

  /** Objects in key order. */
  list(resource: ResourceName): readonly (readonly [key: string, object: KubernetesObject])[] {
    const entries = [...this.#kept[resource]].map(([key, kept]) => [key, kept.object] as const);
    return entries.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Changes after `version`; undefined if that is too long ago, or has not been yet. */
  since(version: number): readonly Change[] | undefined {
    if (version < this.#oldest || version > this.version) return undefined;
    return this.#changes.filter((change) => change.version > version);
  }

  /** Calls back for each change from now on, until the returned function is called. */
  listen(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #change(type: Change['type'], resource: ResourceName, plain: KubernetesObject): KubernetesObject {
    const version = ++this.version;
    const object = { ...plain, metadata: { ...plain.metadata, resourceVersion: String(version) } };
    const change = { type, resource, object, version };
    this.#changes.push(change);
    if (this.#changes.length > this.#changesMax) {
      this.#oldest = this.#changes[0]!.version;
      this.#changes = this.#changes.slice(1);
    }
    for (const listener of this.#listeners) listener(change);
    return object;
  }
}

function keyOf(object: KubernetesObject): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}
