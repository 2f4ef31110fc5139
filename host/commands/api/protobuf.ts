// Kubernetes objects as protobuf (k8s.io/api/*/generated.proto), as far as these tables go: fields that they do not name are
// left out. Octets are written from the last to the first, so that the length of a message is known when it is due.
//
//   envelope     "k8s\0", Unknown {1: TypeMeta {1: apiVersion, 2: kind}, 2: message}
//   watch event  u32 big-endian length, WatchEvent {1: type, 2: RawExtension {1: envelope}}

import type { ResourceKind } from './source.ts';
import { isRecord } from './values.ts';

/** How a field is written: its number, and what it holds. A list is the field several times. */
type Field = readonly [number: number, form: 'text' | 'number' | 'flag' | 'time' | 'map' | 'port' | 'json' | Message];
interface Message {
  readonly [name: string]: Field;
}

const TIME: Message = { seconds: [1, 'number'] };
const MAP_ENTRY: Message = { key: [1, 'text'], value: [2, 'text'] };
const PORT: Message = { type: [1, 'number'], number: [2, 'number'], name: [3, 'text'] };
const RAW: Message = { raw: [1, 'text'] };

const METADATA: Message = {
  name: [1, 'text'],
  generateName: [2, 'text'],
  namespace: [3, 'text'],
  uid: [5, 'text'],
  resourceVersion: [6, 'text'],
  generation: [7, 'number'],
  creationTimestamp: [8, 'time'],
  deletionTimestamp: [9, 'time'],
  labels: [11, 'map'],
  annotations: [12, 'map'],
  ownerReferences: [
    13,
    {
      kind: [1, 'text'],
      name: [3, 'text'],
      uid: [4, 'text'],
      apiVersion: [5, 'text'],
      controller: [6, 'flag'],
      blockOwnerDeletion: [7, 'flag'],
    },
  ],
  managedFields: [
    17,
    {
      manager: [1, 'text'],
      operation: [2, 'text'],
      apiVersion: [3, 'text'],
      time: [4, 'time'],
      fieldsType: [6, 'text'],
      fieldsV1: [7, 'json'],
    },
  ],
};

const NAMESPACE: Message = {
  metadata: [1, METADATA],
  spec: [2, { finalizers: [1, 'text'] }],
  status: [3, { phase: [1, 'text'] }],
};

const SERVICE: Message = {
  metadata: [1, METADATA],
  spec: [
    2,
    {
      ports: [
        1,
        {
          name: [1, 'text'],
          protocol: [2, 'text'],
          port: [3, 'number'],
          targetPort: [4, 'port'],
          nodePort: [5, 'number'],
        },
      ],
      selector: [2, 'map'],
      clusterIP: [3, 'text'],
      type: [4, 'text'],
      externalIPs: [5, 'text'],
      sessionAffinity: [7, 'text'],
      externalName: [10, 'text'],
      publishNotReadyAddresses: [13, 'flag'],
      ipFamilyPolicy: [17, 'text'],
      clusterIPs: [18, 'text'],
      ipFamilies: [19, 'text'],
      internalTrafficPolicy: [22, 'text'],
    },
  ],
};

const SLICE: Message = {
  metadata: [1, METADATA],
  endpoints: [
    2,
    {
      addresses: [1, 'text'],
      conditions: [2, { ready: [1, 'flag'], serving: [2, 'flag'], terminating: [3, 'flag'] }],
      hostname: [3, 'text'],
      targetRef: [4, { kind: [1, 'text'], namespace: [2, 'text'], name: [3, 'text'], uid: [4, 'text'] }],
      nodeName: [6, 'text'],
      zone: [7, 'text'],
    },
  ],
  ports: [3, { name: [1, 'text'], protocol: [2, 'text'], port: [3, 'number'] }],
  addressType: [4, 'text'],
};

const POD: Message = {
  metadata: [1, METADATA],
  spec: [
    2,
    {
      containers: [2, { name: [1, 'text'], image: [2, 'text'] }],
      nodeName: [10, 'text'],
      hostname: [16, 'text'],
      subdomain: [17, 'text'],
    },
  ],
  status: [
    3,
    {
      phase: [1, 'text'],
      conditions: [2, { type: [1, 'text'], status: [2, 'text'] }],
      podIP: [6, 'text'],
      podIPs: [12, { ip: [1, 'text'] }],
    },
  ],
};

const STATUS: Message = {
  status: [2, 'text'],
  message: [3, 'text'],
  reason: [4, 'text'],
  code: [6, 'number'],
};

/** A ServiceImport is a custom resource, which has no protobuf. */
const MESSAGES: Readonly<Record<string, Message>> = {
  Namespace: NAMESPACE,
  Service: SERVICE,
  EndpointSlice: SLICE,
  Pod: POD,
  Status: STATUS,
  PartialObjectMetadata: { metadata: [1, METADATA] },
};

const LIST_METADATA: Message = {
  resourceVersion: [2, 'text'],
  continue: [3, 'text'],
  remainingItemCount: [4, 'number'],
};
const TYPE: Message = { apiVersion: [1, 'text'], kind: [2, 'text'] };
const LENGTH_BYTES = 4;
const VARINT_BYTES_MAX = 8;
const LENGTH_DELIMITED = 2;

export function hasProtobuf(kind: string): boolean {
  return MESSAGES[kind] !== undefined;
}

export function composeEvent(type: string, kind: ResourceKind, object: object): Buffer {
  const writer = new Writer();
  writer.envelope(kind, () => writer.fields(MESSAGES[kind.kind]!, object));
  writer.wrap(1, 0);
  writer.wrap(2, 0);
  writer.text(1, type);
  writer.frame();
  return writer.octets();
}

export function composeList(kind: ResourceKind, metadata: object, items: readonly object[]): Buffer {
  const writer = new Writer();
  const message = MESSAGES[kind.kind]!;
  writer.envelope({ ...kind, kind: `${kind.kind}List` }, () => {
    for (let i = items.length - 1; i >= 0; i--) writer.message(2, message, items[i]!);
    writer.message(1, LIST_METADATA, metadata);
  });
  return writer.octets();
}

/** One for all: what it holds is copied out before anybody else can write. */
let room = Buffer.allocUnsafe(1 << 16);

class Writer {
  /** Of the octet that was written last. */
  #at = room.length;

  octets(): Buffer {
    return Buffer.from(room.subarray(this.#at));
  }

  envelope(kind: ResourceKind, message: () => void): void {
    message();
    this.wrap(2, 0);
    this.message(1, TYPE, kind);
    this.#reserve(LENGTH_BYTES);
    this.#at -= LENGTH_BYTES;
    room.write('k8s\0', this.#at, 'latin1');
  }

  /** Makes one field of what was written after the first `behind` octets. */
  wrap(number: number, behind: number): void {
    this.#varint(this.#written - behind);
    this.#varint((number << 3) | LENGTH_DELIMITED);
  }

  /** The length in front of an event. */
  frame(): void {
    const bytes = this.#written;
    this.#reserve(LENGTH_BYTES);
    this.#at -= LENGTH_BYTES;
    room.writeUInt32BE(bytes, this.#at);
  }

  /** All fields of a message, the last first, as numbers descend. */
  fields(message: Message, value: object): void {
    for (const [name, [number, form]] of descending(message)) {
      const field = (value as Record<string, unknown>)[name];
      if (Array.isArray(field)) {
        for (let i = field.length - 1; i >= 0; i--) this.#field(number, form, field[i]);
      } else if (field !== undefined) this.#field(number, form, field);
    }
  }

  message(number: number, message: Message, value: object): void {
    const behind = this.#written;
    this.fields(message, value);
    this.wrap(number, behind);
  }

  text(number: number, value: string): void {
    const bytes = Buffer.byteLength(value);
    this.#reserve(bytes);
    this.#at -= bytes;
    room.write(value, this.#at, 'utf8');
    this.wrap(number, this.#written - bytes);
  }

  /** A value of another type than the field's is left out: whoever reads JSON takes it for absent. */
  #field(number: number, form: Field[1], value: unknown): void {
    if (form === 'text') {
      if (typeof value === 'string') this.text(number, value);
    } else if (form === 'number' || form === 'flag') {
      if (typeof value === (form === 'flag' ? 'boolean' : 'number')) this.#number(number, Number(value));
    } else if (form === 'time') this.message(number, TIME, { seconds: Math.floor(Date.parse(String(value)) / 1000) });
    else if (form === 'port') this.message(number, PORT, portOf(value));
    else if (!isRecord(value)) return;
    else if (form === 'map') this.#map(number, value);
    else if (form === 'json') this.message(number, RAW, { raw: textOf(value) });
    else this.message(number, form, value);
  }

  #number(number: number, value: number): void {
    this.#varint(Number.isSafeInteger(value) && value > 0 ? value : 0);
    this.#varint(number << 3);
  }

  #map(number: number, value: object): void {
    for (const [key, text] of Object.entries(value).reverse()) this.message(number, MAP_ENTRY, { key, value: text });
  }

  /** Of a number that is not negative. */
  #varint(value: number): void {
    this.#reserve(VARINT_BYTES_MAX);
    let bytes = 1;
    for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes++;
    this.#at -= bytes;
    for (let i = 0, rest = value; i < bytes; i++, rest = Math.floor(rest / 128)) {
      room[this.#at + i] = (rest % 128) | (i < bytes - 1 ? 128 : 0);
    }
  }

  /** Octets so far. They stay at the end of the room when it grows. */
  get #written(): number {
    return room.length - this.#at;
  }

  #reserve(bytes: number): void {
    if (this.#at >= bytes) return;
    const larger = Buffer.allocUnsafeSlow(2 * room.length + bytes);
    const moved = larger.length - room.length;
    room.copy(larger, this.#at + moved, this.#at);
    room = larger;
    this.#at += moved;
  }
}

const sorted = new WeakMap<Message, readonly (readonly [string, Field])[]>();

/** Fields as they are written, highest number first. */
function descending(message: Message): readonly (readonly [string, Field])[] {
  const known = sorted.get(message);
  if (known !== undefined) return known;
  const fields = Object.entries(message).sort(([, [a]], [, [b]]) => b - a);
  sorted.set(message, fields);
  return fields;
}

/** IntOrString: a port by its number or by its name. */
function portOf(value: unknown): object {
  return typeof value === 'number' ? { type: 0, number: value } : { type: 1, name: String(value) };
}

/** The same few objects stand in every object. */
const texts = new WeakMap<object, string>();

function textOf(value: object): string {
  const known = texts.get(value);
  if (known !== undefined) return known;
  const text = JSON.stringify(value);
  texts.set(value, text);
  return text;
}
