// The few words of an object's metadata that matter, from protobuf and from JSON
// (k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto, message ObjectMeta).

import type { ProtobufReader } from '../protobuf.ts';
import { field, list, text } from './json.ts';

export interface Metadata {
  name: string;
  namespace: string;
  resourceVersion: string;
  /** deletionTimestamp is set: the object is on its way out. */
  isTerminating: boolean;
  /** Label kubernetes.io/service-name. */
  serviceName: string;
  /** Labels of the multicluster API: the service import that a slice belongs to, and the cluster it comes from. */
  importName: string;
  sourceCluster: string;
  /** All labels, of resources that keep them. */
  readonly labels: Map<string, string> | undefined;
  /** Annotation endpoints.kubernetes.io/last-change-trigger-time. */
  triggerTime: string;
  /** When it was written last (Unix time): the newest of creation, deletion and what its writers left; 0 if unknown. */
  writtenSeconds: number;
  /** Annotation k8s.io/initial-events-end is "true": the bookmark that ends the first load. */
  endsInitialEvents: boolean;
}

const SERVICE_NAME = 'kubernetes.io/service-name';
export const IMPORT_NAME = 'multicluster.kubernetes.io/service-name';
const SOURCE_CLUSTER = 'multicluster.kubernetes.io/source-cluster';
const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

export function emptyMetadata(keepsLabels = false): Metadata {
  return {
    name: '',
    namespace: '',
    resourceVersion: '',
    isTerminating: false,
    serviceName: '',
    importName: '',
    sourceCluster: '',
    labels: keepsLabels ? new Map() : undefined,
    triggerTime: '',
    writtenSeconds: 0,
    endsInitialEvents: false,
  };
}

/** Reads the field that `reader` stands on as ObjectMeta. */
export function readMetadata(reader: ProtobufReader, metadata: Metadata): void {
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.is(1)) metadata.name = reader.text();
    else if (reader.is(3)) metadata.namespace = reader.text();
    else if (reader.is(6)) metadata.resourceVersion = reader.text();
    else if (reader.is(8)) noteTime(reader, metadata);
    else if (reader.is(9)) {
      noteTime(reader, metadata);
      metadata.isTerminating = true;
    } else if (reader.is(17)) readWriter(reader, metadata);
    else if (reader.is(11) || reader.is(12)) readMapEntry(reader, metadata);
    else reader.skip();
  }
  reader.leave(outer);
}

/** Time {1: seconds}. */
function noteTime(reader: ProtobufReader, metadata: Metadata): void {
  const outer = reader.enter();
  while (reader.next()) {
    // Unsigned, so that it lasts until 2106
    if (reader.is(1)) metadata.writtenSeconds = Math.max(metadata.writtenSeconds, reader.int32() >>> 0);
    else reader.skip();
  }
  reader.leave(outer);
}

/** ManagedFieldsEntry {4: time}. */
function readWriter(reader: ProtobufReader, metadata: Metadata): void {
  const outer = reader.enter();
  while (reader.next()) {
    if (reader.is(4)) noteTime(reader, metadata);
    else reader.skip();
  }
  reader.leave(outer);
}

/** One entry of labels or annotations. Their wanted keys differ, so one function serves both. */
function readMapEntry(reader: ProtobufReader, metadata: Metadata): void {
  const isLabel = reader.is(11);
  const keepsEntry = isLabel && metadata.labels !== undefined;
  const outer = reader.enter();
  let key = '';
  while (reader.next()) {
    if (reader.is(1) && (keepsEntry || isWantedLength(reader))) key = reader.text();
    else if (reader.is(2) && key !== '') setEntry(metadata, isLabel, key, reader.text());
    else reader.skip();
  }
  reader.leave(outer);
}

/** Saves the string of a key that cannot be a wanted one: most labels and annotations are none of ours. */
function isWantedLength(reader: ProtobufReader): boolean {
  const bytes = reader.octets[reader.at];
  return bytes !== undefined && WANTED_LENGTHS.has(bytes);
}

const WANTED_LENGTHS: ReadonlySet<number> = new Set(
  [SERVICE_NAME, IMPORT_NAME, SOURCE_CLUSTER, TRIGGER_TIME, INITIAL_EVENTS_END].map((key) => key.length),
);

function setEntry(metadata: Metadata, isLabel: boolean, key: string, value: string): void {
  if (isLabel) setLabel(metadata, key, value);
  else if (key === TRIGGER_TIME) metadata.triggerTime = value;
  else if (key === INITIAL_EVENTS_END) metadata.endsInitialEvents = value === 'true';
}

function setLabel(metadata: Metadata, key: string, value: string): void {
  metadata.labels?.set(key, value);
  if (key === SERVICE_NAME) metadata.serviceName = value;
  else if (key === IMPORT_NAME) metadata.importName = value;
  else if (key === SOURCE_CLUSTER) metadata.sourceCluster = value;
}

export function metadataOfJson(object: unknown, keepsLabels = false): Metadata {
  const source = field(object, 'metadata');
  const labels = field(source, 'labels');
  const annotations = field(source, 'annotations');
  return {
    name: text(source, 'name'),
    namespace: text(source, 'namespace'),
    resourceVersion: text(source, 'resourceVersion'),
    isTerminating: text(source, 'deletionTimestamp') !== '',
    serviceName: text(labels, SERVICE_NAME),
    importName: text(labels, IMPORT_NAME),
    sourceCluster: text(labels, SOURCE_CLUSTER),
    labels: keepsLabels ? labelsOf(labels) : undefined,
    triggerTime: text(annotations, TRIGGER_TIME),
    writtenSeconds: writtenSecondsOf(source),
    endsInitialEvents: text(annotations, INITIAL_EVENTS_END) === 'true',
  };
}

function writtenSecondsOf(source: unknown): number {
  const times = [text(source, 'creationTimestamp'), text(source, 'deletionTimestamp')];
  for (const writer of list(source, 'managedFields')) times.push(text(writer, 'time'));
  return Math.max(0, ...times.map((time) => Math.floor(Date.parse(time) / 1000)).filter((seconds) => seconds > 0));
}

function labelsOf(labels: unknown): Map<string, string> {
  const names = typeof labels === 'object' && labels !== null ? Object.keys(labels) : [];
  return new Map(names.map((name) => [name, text(labels, name)]));
}
