// The shard's exchanges as a relay sees them, without the engine: how each ended is kept for the test.

import { CLASS_IN, FLAG_RD, TYPE_A } from '../../../engine-as/shared/codes.ts';
import {
  EXCHANGE_MESSAGE,
  EXCHANGE_MESSAGE_MAX,
  EXCHANGE_STRIDE,
  EXCHANGES,
} from '../../../engine-as/shared/layout.ts';
import type { Edns } from '../../../host/dns/edns.ts';
import { composeMessage, type Message, parseMessage, type ResourceRecord } from '../../../host/dns/message.ts';
import { composeName, nameText } from '../../../host/dns/name.ts';
import type { Exchanges, Metadata, Query } from '../../../host/plugin/contract.ts';
import { NO_LABELS } from '../../../host/plugin/metadata.ts';

export type Ended =
  | { readonly kind: 'reply'; readonly octets: Uint8Array; readonly message: Message }
  | { readonly kind: 'failure'; readonly rcode: number; readonly text: string };

export interface OpenFields {
  readonly id?: number;
  readonly flags?: number;
  readonly type?: number;
  readonly isStream?: boolean;
  readonly wantsAd?: boolean;
  readonly payloadBytes?: number;
  readonly additional?: readonly ResourceRecord[];
}

interface Entry {
  readonly bytes: number;
  readonly hash: number;
  readonly isStream: boolean;
  readonly wantsAd: boolean;
  readonly resolve: (ended: Ended) => void;
  readonly ended: Promise<Ended>;
}

export class FakeExchanges implements Exchanges {
  readonly octets: Uint8Array;
  /** Replies that finish() refuses as unparsable. */
  refuses: (octets: Uint8Array) => boolean = () => false;
  readonly #open = new Map<number, Entry>();
  readonly #ended = new Map<number, Promise<Ended>>();
  readonly #max: number;
  #nextId = 1;

  constructor(octets: Uint8Array, max: number) {
    this.octets = octets;
    this.#max = max;
  }

  get openCount(): number {
    return this.#open.size;
  }

  open(name: string, fields: OpenFields = {}): number {
    const { id = this.#nextId++ & 0xffff, flags = FLAG_RD, type = TYPE_A, payloadBytes, additional = [] } = fields;
    const wire = composeName(name);
    const edns: Edns | undefined =
      payloadBytes === undefined ? undefined : { payloadBytes, extendedRcode: 0, version: 0, flags: 0, options: [] };
    const message = composeMessage({
      id,
      flags,
      questions: [{ name: nameText(wire), type, class: CLASS_IN, wire }],
      answer: [],
      authority: [],
      additional,
      edns,
    });
    let handle = 1;
    while (this.#open.has(handle)) handle++;
    if (handle > this.#max || message.length > EXCHANGE_MESSAGE_MAX) throw new Error('no room for the exchange');
    this.octets.set(message, this.offset(handle));
    let hash = 17;
    for (let i = 2; i < message.length; i++) hash = (Math.imul(hash, 31) + message[i]!) >>> 0;
    const { promise: ended, resolve } = Promise.withResolvers<Ended>();
    const { isStream = false, wantsAd = false } = fields;
    this.#open.set(handle, { bytes: message.length, hash, isStream, wantsAd, resolve, ended });
    this.#ended.set(handle, ended);
    return handle;
  }

  /** How the exchange ended, or will end. */
  ended(handle: number): Promise<Ended> {
    return this.#ended.get(handle)!;
  }

  offset(handle: number): number {
    return EXCHANGES + (handle - 1) * EXCHANGE_STRIDE + EXCHANGE_MESSAGE;
  }

  bytes(handle: number): number {
    return this.#entry(handle).bytes;
  }

  hash(handle: number): number {
    return this.#entry(handle).hash;
  }

  isStream(handle: number): boolean {
    return this.#entry(handle).isStream;
  }

  startedAtMs(): number {
    return performance.now();
  }

  metadata(): Metadata {
    return NO_LABELS;
  }

  wantsAd(handle: number): boolean {
    return this.#entry(handle).wantsAd;
  }

  query(): Query {
    throw new Error('not used by a relay');
  }

  finish(handle: number, offset: number, bytes: number): boolean {
    // A copy: slice() of a Buffer would go on reading the shared slot
    const octets = new Uint8Array(this.octets.subarray(offset, offset + bytes));
    if (this.refuses(octets)) return false;
    this.#end(handle, { kind: 'reply', octets, message: parseMessage(octets) });
    return true;
  }

  fail(handle: number, rcode: number, text: string): void {
    this.#end(handle, { kind: 'failure', rcode, text });
  }

  drop(): void {
    throw new Error('a relay drops nothing');
  }

  #end(handle: number, ended: Ended): void {
    const entry = this.#entry(handle);
    this.#open.delete(handle);
    // What the memory holds from now on belongs to somebody else
    this.octets.fill(0xee, this.offset(handle), this.offset(handle) + EXCHANGE_MESSAGE_MAX);
    entry.resolve(ended);
  }

  #entry(handle: number): Entry {
    const entry = this.#open.get(handle);
    if (entry === undefined) throw new Error(`exchange ${handle} is not open`);
    return entry;
  }
}
