// The UDP loop of one address: as long as there is something to read, a batch in, a batch out. Nothing on this path
// allocates a closure, a promise or a BigInt.
//
//   readable ─► receive ─► serve ─► send ─► settle ─► log lines ─► handoffs ─► quiesce    up to ROUNDS times

import { OUTCOME_ANSWER, OUTCOME_LARGE, OUTCOME_RELAY, OUTCOME_SLOW, PROTO_UDP } from '../../engine-as/shared/codes.ts';
import * as layout from '../../engine-as/shared/layout.ts';
import { holdTurn } from '../clock.ts';
import type { Engine } from '../engine/load.ts';
import { sockaddrBytes } from '../net/socket-address.ts';
import { isWildcard, type QueuedReply, type UdpTransport } from '../net/transport.ts';
import type { Endpoint, ExchangeHandle } from '../plugin/contract.ts';
import type { ShardArea } from './area.ts';
import type { Listening, ReplyPath } from './generation.ts';
import type { Handoff } from './handoff.ts';
import type { LeavingQuery } from './leaving.ts';
import { drainLogRecords } from './log-lines.ts';

/** Batches read at one wake-up, so that one busy socket does not starve the others. */
const ROUNDS = 8;
const REPLY_BYTES_MAX = 65535;

export interface UdpParts {
  readonly shard: number;
  readonly area: ShardArea;
  readonly engine: Pick<Engine, 'serve' | 'serveOne' | 'settle' | 'quiesce'>;
  readonly handoff: Handoff;
  readonly flusher: ReplyFlusher;
}

export class UdpLoop implements ReplyPath {
  readonly proto = PROTO_UDP;
  readonly listening: Listening;
  readonly transport: UdpTransport;
  readonly #parts: UdpParts;
  readonly #leaving: LeavingQuery;
  readonly #reply: QueuedReply;

  constructor(parts: UdpParts, listening: Listening, transport: UdpTransport) {
    this.#parts = parts;
    this.listening = listening;
    this.transport = transport;
    this.#reply = { messageAt: 0, bytes: 0, sockaddrAt: 0, sockaddrBytes: 0, controlAt: 0, controlBytes: 0 };
    this.#leaving = {
      path: this,
      messageAt: 0,
      bytes: 0,
      sockaddrAt: 0,
      sockaddrBytes: 0,
      controlAt: 0,
      controlBytes: 0,
      startedMs: 0,
      handoffAt: 0,
    };
  }

  start(): void {
    this.transport.watch(() => this.#drain());
  }

  /** Serves what has arrived and reads no more; replies that are still to come can leave. */
  stopReading(): void {
    this.#drain();
    this.transport.unwatch();
  }

  close(): void {
    this.transport.close();
  }

  reply(_handle: ExchangeHandle, exchangeAt: number, messageAt: number, bytes: number): void {
    if (bytes === 0) return;
    const { words } = this.#parts.area;
    const reply = this.#reply;
    reply.messageAt = messageAt;
    reply.bytes = bytes;
    reply.sockaddrAt = exchangeAt + layout.EXCHANGE_SOCKADDR;
    reply.sockaddrBytes = words[(exchangeAt + layout.EXCHANGE_NAMELEN) >>> 2]!;
    reply.controlAt = exchangeAt + layout.EXCHANGE_CONTROL;
    reply.controlBytes = words[(exchangeAt + layout.EXCHANGE_CONTROLLEN) >>> 2]!;
    this.transport.queue(reply);
    this.#parts.flusher.flushLater(this.transport);
  }

  get localAddress(): string {
    return isWildcard(this.listening.address) ? '::' : this.listening.address;
  }

  /** The listener's own, `::` for all addresses, whichever was asked: so it is in CoreDNS. */
  local(): Endpoint {
    const { port } = this.listening;
    const { address } = this.transport;
    if (address === '') return { address: '::', port, family: 6 };
    return { address, port, family: address.includes(':') ? 6 : 4 };
  }

  #drain(): void {
    const { engine, shard } = this.#parts;
    for (let round = 0; round < ROUNDS; round++) {
      const count = this.transport.receive();
      if (count === 0) break;
      this.#serve(count);
      engine.quiesce(shard);
      if (count < layout.BATCH) break;
    }
  }

  #serve(count: number): void {
    const { area, engine } = this.#parts;
    const startedMs = holdTurn();
    area.stamp(startedMs);
    area.countQueries(count);
    engine.serve(area.at, this.listening.program, count);
    const replies = area.word(layout.SHARD_SEND_COUNT);
    if (replies !== 0) this.transport.send(replies);
    const elapsedMs = performance.now() - startedMs;
    engine.settle(area.at, elapsedMs);
    if (area.word(layout.SHARD_LOG_COUNT) !== 0) drainLogRecords(area, this.listening.generation, this, elapsedMs);
    const handoffs = area.word(layout.SHARD_HANDOFF_COUNT);
    for (let i = 0; i < handoffs; i++) this.#handOff(area.at + layout.HANDOFFS + i * layout.HANDOFF_STRIDE, startedMs);
  }

  #handOff(handoffAt: number, startedMs: number): void {
    const { area, handoff } = this.#parts;
    const { words } = area;
    const index = words[(handoffAt + layout.HANDOFF_INDEX) >>> 2]!;
    const leaving = this.#leaving;
    leaving.messageAt = area.at + layout.RECEIVE_SLOTS + index * layout.RECEIVE_STRIDE;
    leaving.bytes = area.word(layout.RECEIVE_HEADERS + index * layout.MMSGHDR_STRIDE + layout.MMSGHDR_LEN);
    leaving.sockaddrAt = area.at + layout.RECEIVE_NAMES + index * layout.SOCKADDR_STRIDE;
    leaving.sockaddrBytes = sockaddrBytes(area.octets, leaving.sockaddrAt);
    leaving.controlAt = area.at + layout.RECEIVE_CONTROLS + index * layout.CONTROL_MESSAGE_STRIDE;
    leaving.controlBytes = this.transport.controlBytes;
    leaving.startedMs = startedMs;
    leaving.handoffAt = handoffAt;
    const outcome = words[(handoffAt + layout.HANDOFF_OUTCOME) >>> 2]!;
    if (outcome !== OUTCOME_LARGE || this.#serveLarge(leaving)) handoff.take(leaving);
  }

  /** A reply that did not fit into a send slot. True: the second look led out of the fast face (record 0). */
  #serveLarge(leaving: LeavingQuery): boolean {
    const { area, engine, flusher } = this.#parts;
    const outAt = area.at + layout.LARGE_OUT;
    const outcome = engine.serveOne(
      area.at,
      this.listening.program,
      leaving.messageAt,
      leaving.bytes,
      leaving.sockaddrAt,
      PROTO_UDP,
      outAt,
      REPLY_BYTES_MAX,
    );
    leaving.handoffAt = area.at + layout.HANDOFFS;
    if (outcome === OUTCOME_RELAY || outcome === OUTCOME_SLOW) return true;
    if (outcome === OUTCOME_ANSWER) {
      const reply = this.#reply;
      reply.messageAt = outAt;
      reply.bytes = area.word(layout.SHARD_REPLY_BYTES);
      reply.sockaddrAt = leaving.sockaddrAt;
      reply.sockaddrBytes = leaving.sockaddrBytes;
      reply.controlAt = leaving.controlAt;
      reply.controlBytes = leaving.controlBytes;
      this.transport.queue(reply);
      flusher.flushLater(this.transport);
    }
    const elapsedMs = performance.now() - leaving.startedMs;
    engine.settle(area.at, elapsedMs);
    drainLogRecords(area, this.listening.generation, this, elapsedMs);
    return outcome === OUTCOME_ANSWER && area.word(layout.SHARD_HANDOFF_COUNT) !== 0;
  }
}

/** Sends what was queued outside batches once a turn of the event loop. */
export class ReplyFlusher {
  readonly #waiting: UdpTransport[] = [];
  readonly #flush = (): void => {
    for (const transport of this.#waiting) transport.flush();
    this.#waiting.length = 0;
  };

  flushLater(transport: UdpTransport): void {
    if (this.#waiting.includes(transport)) return;
    if (this.#waiting.push(transport) === 1) process.nextTick(this.#flush);
  }
}
