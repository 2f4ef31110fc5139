// What an embedded API shows: objects with resource versions, and the changes that led to them.

import type { KubernetesObject } from './values.ts';

export type ResourceName = 'namespaces' | 'services' | 'endpointslices' | 'pods' | 'serviceimports';

export interface ResourceKind {
  readonly apiVersion: string;
  readonly kind: string;
}

export const KINDS: Readonly<Record<ResourceName, ResourceKind>> = {
  namespaces: { apiVersion: 'v1', kind: 'Namespace' },
  services: { apiVersion: 'v1', kind: 'Service' },
  pods: { apiVersion: 'v1', kind: 'Pod' },
  endpointslices: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
  serviceimports: { apiVersion: 'multicluster.x-k8s.io/v1alpha1', kind: 'ServiceImport' },
};

/** Each change has a version of its own, one above the last. */
export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: ResourceName;
  readonly version: number;
  /** As it is now, or was at last; its resource version is the change's. */
  readonly object: KubernetesObject;
  /** As it was; undefined if it was not there. */
  readonly before: KubernetesObject | undefined;
}

export interface Listed {
  readonly key: string;
  readonly object: KubernetesObject;
}

export interface ObjectSource {
  /** Of the last change. Above 0, which has a meaning of its own in the API. */
  readonly version: number;
  /** The first version that is still known: what happened since then can be told. */
  readonly oldestVersion: number;
  /**
   * Objects as they were at a version that is known, in key order, those behind `after`. May be read slowly: it throws
   * ForgottenError once the version is known no more.
   */
  list(resource: ResourceName, version: number, after: string): Iterable<Listed>;
  /** How many objects there are now. */
  countOf(resource: ResourceName): number;
  /** The change that led to a version above the oldest. */
  changeAt(version: number): Change;
  /** Calls back when there are changes, until the returned function is called. */
  listen(listener: () => void): () => void;
}

export class ForgottenError extends Error {}

/** As etcd sorts them. */
export function keyOf({ metadata }: KubernetesObject): string {
  const { namespace, name } = metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}
