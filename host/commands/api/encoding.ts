// How objects go over the wire: JSON, or protobuf for those who would rather have it, as every Kubernetes client does.

import { composeEvent, composeList, hasProtobuf } from './protobuf.ts';
import { type Change, KINDS, type ResourceKind, type ResourceName } from './source.ts';
import type { KubernetesObject } from './values.ts';

export interface Encoding {
  readonly contentType: string;
  event(type: string, kind: ResourceKind, object: object): string | Uint8Array;
  page(kind: ResourceKind, metadata: object, items: readonly object[]): string | Uint8Array;
  /** The event of a change, for a client that wants them all. */
  change(change: Change): string | Uint8Array;
}

export interface Form {
  readonly encoding: Encoding;
  /** Of each object nothing but its metadata. */
  readonly isPartial: boolean;
}

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const JSON_TYPES = ['application/json', 'application/*', '*/*'];

/** The first form in an Accept header that can be given; undefined if there is none. */
export function formOf(accept: string, resource: ResourceName): Form | undefined {
  for (const clause of accept.split(',')) {
    const [type, ...words] = clause.split(';').map((word) => word.trim());
    const isPartial = words.includes('as=PartialObjectMetadataList');
    if (words.some((word) => word.startsWith('as=')) && !isPartial) continue;
    if (type === PROTOBUF && hasProtobuf(KINDS[resource].kind)) return { encoding: protobuf, isPartial };
    if (JSON_TYPES.includes(type!)) return { encoding: json, isPartial };
  }
  return undefined;
}

export const PARTIAL: ResourceKind = { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata' };

/** What a client gets that wants to know only who is there. */
export function partialOf({ metadata }: KubernetesObject): object {
  return { ...PARTIAL, metadata };
}

/** Most watches get the same octets of a change, and at about the same time: the last ones are kept. */
const LAST_CHANGES = 256;

class LastChanges {
  readonly #encoding: Pick<Encoding, 'event'>;
  readonly #kept = new Map<Change, string | Uint8Array>();

  constructor(encoding: Pick<Encoding, 'event'>) {
    this.#encoding = encoding;
  }

  of(change: Change): string | Uint8Array {
    const kept = this.#kept.get(change);
    if (kept !== undefined) return kept;
    const event = this.#encoding.event(change.type, KINDS[change.resource], change.object);
    this.#kept.set(change, event);
    if (this.#kept.size > LAST_CHANGES) this.#kept.delete(this.#kept.keys().next().value!);
    return event;
  }
}

const json: Encoding = {
  contentType: 'application/json',
  event: (type, kind, object) => `${JSON.stringify({ type, object: { ...kind, ...object } })}\n`,
  page: ({ apiVersion, kind }, metadata, items) => JSON.stringify({ kind: `${kind}List`, apiVersion, metadata, items }),
  change: (change) => jsonChanges.of(change),
};
const jsonChanges = new LastChanges(json);

const protobuf: Encoding = {
  contentType: PROTOBUF,
  event: composeEvent,
  page: composeList,
  change: (change) => protobufChanges.of(change),
};
const protobufChanges = new LastChanges(protobuf);
