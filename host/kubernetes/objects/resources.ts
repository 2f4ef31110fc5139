// The resources that wasmdns watches, one entry each.

import { type ProtobufReader, ProtocolError } from '../protobuf.ts';
import { type EndpointSlice, endpointSliceOfJson, readEndpointSlice, type SliceShape } from './endpoint-slice.ts';
import type { Metadata } from './metadata.ts';
import { type Namespace, namespaceOfJson, readNamespace } from './namespace.ts';
import { type Pod, podOfJson, readPod } from './pod.ts';
import { readService, type Service, serviceOfJson } from './service.ts';
import { serviceImportOfJson } from './service-import.ts';

/** Every reduced object has these two. */
export interface Named {
  readonly namespace: string;
  readonly name: string;
}

export interface Resource<T extends Named> {
  /** Path of the cluster-wide list. */
  readonly path: string;
  /** Selectors that every request carries, '' for none. */
  readonly fieldSelector: string;
  readonly labelSelector: string;
  /** All labels are wanted. */
  readonly keepsLabels: boolean;
  /** As log lines name it. */
  readonly goType: string;
  /** Reads the message that `reader` is narrowed to; field 1 is always ObjectMeta, read by `readMetadata`. */
  read(reader: ProtobufReader, metadata: Metadata, readMetadata: () => void): T;
  ofJson(object: unknown, metadata: Metadata): T;
}

const UNSELECTED = { fieldSelector: '', labelSelector: '', keepsLabels: false };

export const SERVICES: Resource<Service> = {
  ...UNSELECTED,
  path: '/api/v1/services',
  goType: '*v1.Service',
  read: readService,
  ofJson: serviceOfJson,
};

export const NAMESPACES: Resource<Namespace> = {
  ...UNSELECTED,
  path: '/api/v1/namespaces',
  goType: '*v1.Namespace',
  read: readNamespace,
  ofJson: namespaceOfJson,
};

export function endpointSlices(shape: SliceShape): Resource<EndpointSlice> {
  return {
    ...UNSELECTED,
    path: '/apis/discovery.k8s.io/v1/endpointslices',
    goType: '*v1.EndpointSlice',
    read: (reader, metadata, readMetadata) => readEndpointSlice(reader, metadata, readMetadata, shape),
    ofJson: (object, metadata) => endpointSliceOfJson(object, metadata, shape),
  };
}

/** Without the pods that have ended: their addresses may be somebody else's by now. */
export const PODS: Resource<Pod> = {
  ...UNSELECTED,
  path: '/api/v1/pods',
  fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown',
  goType: '*v1.Pod',
  read: readPod,
  ofJson: podOfJson,
};

/** A custom resource: there is no protobuf of it. */
export const SERVICE_IMPORTS: Resource<Service> = {
  ...UNSELECTED,
  path: '/apis/multicluster.x-k8s.io/v1alpha1/serviceimports',
  goType: '*v1alpha1.ServiceImport',
  read: () => {
    throw new ProtocolError('protobuf of a custom resource');
  },
  ofJson: serviceImportOfJson,
};
