// What a watch and a list say, decoded from protobuf and from JSON.
//
//   protobuf watch   frames {u32 big-endian length, WatchEvent {1: type, 2: RawExtension {1: envelope}}}
//   protobuf list    one envelope around the list message {1: ListMeta {2: resourceVersion, 3: continue}, 2: items}
//   envelope         "k8s\0", Unknown {1: TypeMeta, 2: message}       (k8s.io/apimachinery/pkg/runtime/generated.proto)
//   JSON watch       one object a line {"type": ..., "object": ...}
//   JSON list        {"metadata": {...}, "items": [...]}

import { field, integer, list, text } from './objects/json.ts';
import { emptyMetadata, type Metadata, metadataOfJson, readMetadata } from './objects/metadata.ts';
import type { Named, Resource } from './objects/resources.ts';
import { ProtobufReader, ProtocolError } from './protobuf.ts';

export type WatchEvent<T> =
  /** `writtenAt`: when the object was written last (Unix milliseconds, whole seconds), 0 if it does not say. */
  | { readonly type: 'put' | 'remove'; readonly object: T; readonly version: string; readonly writtenAt: number }
  | { readonly type: 'bookmark'; readonly version: string; readonly endsInitialEvents: boolean }
  | { readonly type: 'error'; readonly status: Status };

/** A Status object: why the API refused. */
export interface Status {
  readonly code: number;
  readonly message: string;
}

export interface Page<T> {
  readonly objects: readonly T[];
  /** Of each object. */
  readonly versions: readonly string[];
  readonly version: string;
  /** Objects behind this page; undefined if the server does not say. */
  readonly remaining: number | undefined;
  /** Token of the next page, '' on the last. */
  readonly next: string;
}

/** @throws ProtocolError if the octets are no WatchEvent. */
export function parseProtobufEvent<T extends Named>(
  octets: Buffer,
  at: number,
  end: number,
  resource: Resource<T>,
): WatchEvent<T> | undefined {
  const reader = new ProtobufReader(octets, at, end);
  let type = '';
  let event: WatchEvent<T> | undefined;
  while (reader.next()) {
    if (reader.is(1)) type = reader.text();
    else if (reader.is(2)) {
      const outer = reader.enter();
      while (reader.next()) {
        if (reader.is(1)) event = readEventObject(reader, type, resource);
        else reader.skip();
      }
      reader.leave(outer);
    } else reader.skip();
  }
  return event;
}

/** @throws ProtocolError if the text is no JSON object. */
export function parseJsonEvent<T extends Named>(line: string, resource: Resource<T>): WatchEvent<T> | undefined {
  const event = parseJson(line);
  const object = field(event, 'object');
  const type = text(event, 'type');
  if (type === 'ERROR') return { type: 'error', status: statusOfJson(object) };
  const metadata = metadataOfJson(object, resource.keepsLabels);
  return eventOf(type, metadata, () => resource.ofJson(object, metadata));
}

/** @throws ProtocolError if the octets are no list. */
export function parsePage<T extends Named>(octets: Buffer, isProtobuf: boolean, resource: Resource<T>): Page<T> {
  return isProtobuf ? parseProtobufPage(octets, resource) : parseJsonPage(octets, resource);
}

/** The Status in the body of a refused request; the text itself if it is none. */
export function parseStatus(octets: Buffer, isProtobuf: boolean, code: number): Status {
  try {
    if (!isProtobuf) {
      const status = statusOfJson(parseJson(octets.toString('utf8')));
      return { code, message: status.message };
    }
    const reader = new ProtobufReader(octets);
    const outer = enterEnvelope(reader);
    const status = readStatus(reader);
    reader.leave(outer);
    return { code, message: status.message };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { code, message: octets.toString('utf8').trim().slice(0, 256) };
  }
}

function readEventObject<T extends Named>(
  reader: ProtobufReader,
  type: string,
  resource: Resource<T>,
): WatchEvent<T> | undefined {
  const rawEnd = reader.enter();
  const outer = enterEnvelope(reader);
  let event: WatchEvent<T> | undefined;
  if (type === 'ERROR') event = { type: 'error', status: readStatus(reader) };
  else {
    const metadata = emptyMetadata(resource.keepsLabels);
    const object = resource.read(reader, metadata, () => readMetadata(reader, metadata));
    event = eventOf(type, metadata, () => object);
  }
  reader.leave(outer);
  reader.leave(rawEnd);
  return event;
}

/** Event types that nobody has told us of are passed over: the next version of the API may have more. */
function eventOf<T extends Named>(type: string, metadata: Metadata, object: () => T): WatchEvent<T> | undefined {
  const version = metadata.resourceVersion;
  if (type === 'BOOKMARK') return { type: 'bookmark', version, endsInitialEvents: metadata.endsInitialEvents };
  if (metadata.name === '') return undefined;
  const writtenAt = metadata.writtenSeconds * 1000;
  if (type === 'ADDED' || type === 'MODIFIED') return { type: 'put', object: object(), version, writtenAt };
  // Without a time of its own a removal is no writing: the last one may be years ago.
  if (type === 'DELETED')
    return { type: 'remove', object: object(), version, writtenAt: metadata.isTerminating ? writtenAt : 0 };
  return undefined;
}

/** Checks the envelope and narrows the reader to the message in it. Returns the outer end. */
function enterEnvelope(reader: ProtobufReader): number {
  const { octets, at, end } = reader;
  if (end - at < 4 || octets.toString('latin1', at, at + 4) !== 'k8s\0') {
    throw new ProtocolError('protobuf: the envelope of an object is missing');
  }
  const outer = reader.end;
  reader.at += 4;
  while (reader.next()) {
    if (reader.is(2)) {
      reader.enter();
      return outer;
    }
    reader.skip();
  }
  // An empty message is not written at all.
  return outer;
}

function readStatus(reader: ProtobufReader): Status {
  let message = '';
  let code = 0;
  while (reader.next()) {
    if (reader.is(3)) message = reader.text();
    else if (reader.is(6)) code = reader.int32();
    else reader.skip();
  }
  return { code, message };
}

function parseProtobufPage<T extends Named>(octets: Buffer, resource: Resource<T>): Page<T> {
  const reader = new ProtobufReader(octets);
  const items = new Items<T>();
  let meta: ListMeta = { version: '', next: '', remaining: undefined };
  const outer = enterEnvelope(reader);
  while (reader.next()) {
    if (reader.is(2)) {
      const metadata = emptyMetadata(resource.keepsLabels);
      const end = reader.enter();
      const object = resource.read(reader, metadata, () => readMetadata(reader, metadata));
      reader.leave(end);
      items.add(object, metadata);
    } else if (reader.is(1)) meta = readListMeta(reader);
    else reader.skip();
  }
  reader.leave(outer);
  return items.page(meta);
}

function parseJsonPage<T extends Named>(octets: Buffer, resource: Resource<T>): Page<T> {
  const page = parseJson(octets.toString('utf8'));
  const items = new Items<T>();
  for (const item of list(page, 'items')) {
    const metadata = metadataOfJson(item, resource.keepsLabels);
    items.add(resource.ofJson(item, metadata), metadata);
  }
  const metadata = field(page, 'metadata');
  return items.page({
    version: text(metadata, 'resourceVersion'),
    next: text(metadata, 'continue'),
    remaining: integer(metadata, 'remainingItemCount'),
  });
}

interface ListMeta {
  readonly version: string;
  readonly next: string;
  readonly remaining: number | undefined;
}

function readListMeta(reader: ProtobufReader): ListMeta {
  let version = '';
  let next = '';
  let remaining: number | undefined;
  const end = reader.enter();
  while (reader.next()) {
    if (reader.is(2)) version = reader.text();
    else if (reader.is(3)) next = reader.text();
    else if (reader.is(4)) remaining = reader.int32();
    else reader.skip();
  }
  reader.leave(end);
  return { version, next, remaining };
}

/** Objects of a page; those without a name are none. */
class Items<T extends Named> {
  readonly #objects: T[] = [];
  readonly #versions: string[] = [];

  add(object: T, metadata: Metadata): void {
    if (object.name === '') return;
    this.#objects.push(object);
    this.#versions.push(metadata.resourceVersion);
  }

  page(meta: ListMeta): Page<T> {
    // A watch cannot go on from a list without a version.
    if (meta.version === '') throw new ProtocolError('list without a resource version');
    return { objects: this.#objects, versions: this.#versions, ...meta };
  }
}

function statusOfJson(object: unknown): Status {
  return { code: integer(object, 'code') ?? 0, message: text(object, 'message') };
}

function parseJson(source: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    throw new ProtocolError('malformed JSON');
  }
  if (typeof value !== 'object' || value === null) throw new ProtocolError('malformed JSON');
  return value;
}
