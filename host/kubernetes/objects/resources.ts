// The resources that wasmdns watches, one entry each.

import type { ProtobufReader } from '../protobuf.ts';
import { type EndpointSlice, endpointSliceOfJson, readEndpointSlice } from './endpoint-slice.ts';
import type { Metadata } from './metadata.ts';
import { type Namespace, namespaceOfJson, readNamespace } from './namespace.ts';
import { type Pod, podOfJson, readPod } from './pod.ts';
import { readService, type Service, serviceOfJson } from './service.ts';

/** Every reduced object has these two. */
export interface Named {
  readonly namespace: string;
  readonly name: string;
}

export interface Resource<T extends Named> {
  /** Path of the cluster-wide list. */
  readonly path: string;
  /** Query that every request carries, '' for none. */
  readonly selector: string;
  /** As log lines name it. */
  readonly goType: string;
  /** Reads the message that `reader` is narrowed to; field 1 is always ObjectMeta, read by `readMetadata`. */
  read(reader: ProtobufReader, metadata: Metadata, readMetadata: () => void): T;
  ofJson(object: unknown, metadata: Metadata): T;
}

export const SERVICES: Resource<Service> = {
  path: '/api/v1/services',
  selector: '',
  goType: '*v1.Service',
  read: readService,
  ofJson: serviceOfJson,
};

export const ENDPOINT_SLICES: Resource<EndpointSlice> = {
  path: '/apis/discovery.k8s.io/v1/endpointslices',
  selector: '',
  goType: '*v1.EndpointSlice',
  read: readEndpointSlice,
  ofJson: endpointSliceOfJson,
};

export const NAMESPACES: Resource<Namespace> = {
  path: '/api/v1/namespaces',
  selector: '',
  goType: '*v1.Namespace',
  read: readNamespace,
  ofJson: namespaceOfJson,
};

/** Without the pods that have ended: their addresses may be somebody else's by now. */
export const PODS: Resource<Pod> = {
  path: '/api/v1/pods',
  selector: 'fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed%2Cstatus.phase%21%3DUnknown',
  goType: '*v1.Pod',
  read: readPod,
  ofJson: podOfJson,
};
