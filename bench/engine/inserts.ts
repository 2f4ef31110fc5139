/** Replies of an upstream, taken as a shard takes them: the query was saved, the reply goes through the cache to the client. */
import { MESSAGE_BYTES_MAX, PROTO_UDP } from '../../engine-as/shared/codes.ts';
import * as layout from '../../engine-as/shared/layout.ts';
import type { Engine } from '../../host/engine/load.ts';
import type { Packed } from './batches.ts';

/** An A record of the question's name: 192.0.2.1, TTL 300. */
const ANSWER = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1];

export class Inserts {
  readonly #engine: Engine;
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  readonly #area: number;
  readonly #bytes = new Uint32Array(layout.BATCH);
  /** Zone entry and step at which the queries left. */
  #zone = 0;
  #step = 0;

  constructor(engine: Engine, memory: WebAssembly.Memory, area: number) {
    this.#engine = engine;
    this.#octets = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
    this.#area = area;
  }

  /** The batch that was just served has left: remembers where to. */
  learn(): void {
    if (this.#view.getUint32(this.#area + layout.SHARD_HANDOFF_COUNT, true) === 0) {
      throw new Error('the questions to be forwarded were answered by the engine');
    }
    this.#zone = this.#view.getUint32(this.#area + layout.HANDOFFS + layout.HANDOFF_ZONE, true);
    this.#step = this.#view.getUint32(this.#area + layout.HANDOFFS + layout.HANDOFF_STEP, true);
  }

  /** Saves the next BATCH queries from `first` on and lays their replies out; returns where the following batch begins. */
  fill({ words, starts, bytes }: Packed, first: number): number {
    const octets = this.#octets;
    const view = this.#view;
    let index = first;
    for (let i = 0; i < layout.BATCH; i++) {
      const exchange = this.#exchange(i);
      view.setUint32(exchange + layout.EXCHANGE_PROTO, PROTO_UDP, true);
      view.setUint32(exchange + layout.EXCHANGE_ZONE, this.#zone, true);
      view.setUint32(exchange + layout.EXCHANGE_STEP, this.#step, true);
      view.setUint32(exchange + layout.EXCHANGE_ASKED + layout.ASKED_NAME_BYTES, 0, true);
      view.setUint16(exchange + layout.EXCHANGE_SOCKADDR, 2, true); // AF_INET
      const length = bytes[index]!;
      const message = new Uint8Array(words.buffer, words.byteOffset + starts[index]! * 4, length);
      const reply = this.#reply(i);
      octets.set(message, exchange + layout.EXCHANGE_MESSAGE);
      octets.set(message, reply);
      octets.set(ANSWER, reply + length);
      octets[reply + 2] = 0x81; // QR, RD
      octets[reply + 3] = 0x80; // RA
      octets[reply + 7] = 1; // ANCOUNT
      this.#bytes[i] = length;
      index = index + 1 === bytes.length ? 0 : index + 1;
    }
    return index;
  }

  /** Takes the replies that fill() has laid out. */
  run(): void {
    for (let i = 0; i < layout.BATCH; i++) {
      const exchange = this.#exchange(i);
      const bytes = this.#bytes[i]!;
      const replyBytes = bytes + ANSWER.length;
      const out = this.#area + layout.LARGE_OUT;
      const message = exchange + layout.EXCHANGE_MESSAGE;
      const sent = this.#engine.finish(
        this.#area,
        exchange,
        message,
        bytes,
        this.#reply(i),
        replyBytes,
        out,
        MESSAGE_BYTES_MAX,
        1,
      );
      if (sent !== replyBytes) throw new Error(`a reply of ${replyBytes} octets became one of ${sent >>> 0}`);
    }
  }

  #exchange(i: number): number {
    return this.#area + layout.EXCHANGES + (i + 1) * layout.EXCHANGE_STRIDE;
  }

  #reply(i: number): number {
    return this.#area + layout.UPSTREAM_SLOTS + i * layout.UPSTREAM_STRIDE;
  }
}
