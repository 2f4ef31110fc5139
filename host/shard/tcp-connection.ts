// One TCP connection: frames in, replies out, strictly in order.
//
//   reading ──query left the fast face──► waiting ──reply──► reading
//      │  ▲
//      │  ├── the client has read ── stalled: too many replies lie unread
//      │  └── its turn comes ── yielding: it has had enough for now, see stream-turns.ts
//      └── deadline, end, error ──► closed

import { HEADER_BYTES, OUTCOME_ANSWER, OUTCOME_RELAY, OUTCOME_SLOW, PROTO_TCP } from '../../engine-as/shared/codes.ts';
import * as layout from '../../engine-as/shared/layout.ts';
import type { Engine } from '../engine/load.ts';
import { keptCopy } from '../net/kept-copy.ts';
import type { Stream, StreamOwner } from '../net/stream.ts';
import type { Endpoint, ExchangeHandle } from '../plugin/contract.ts';
import type { ShardArea } from './area.ts';
import { FramePieces, LENGTH_BYTES } from './frame-pieces.ts';
import type { Listening, ReplyPath } from './generation.ts';
import type { Handoff } from './handoff.ts';
import { drainLogRecords } from './log-lines.ts';
import type { Holder } from './stream-budget.ts';
import { clearDeadline, type Deadlined, type DeadlineList } from './stream-deadlines.ts';
import type { Turning } from './stream-turns.ts';
import type { TcpStreams } from './tcp.ts';

const MESSAGE_BYTES_MAX = 65535;
/** The room behind LARGE_IN's message, where the client's sockaddr stands while a query is served. */
const SOCKADDR_AT = layout.LARGE_IN + 65536;
const STAGING_BYTES = 64 << 10;
/** What a write that waits costs beside its octets. */
const WRITE_BYTES = 512;
/** Messages served at a time, while others may want something too. */
const TURN_MESSAGES = 128;
/** Who sends no more than this at a time need not stand in line. */
const LITTLE_BYTES = 4096;
/** Log records are read before the list is full. */
const LOG_RECORDS_WAITING_MAX = layout.LOG_MAX >> 1;

export interface TcpParts {
  readonly shard: number;
  readonly area: ShardArea;
  readonly engine: Pick<Engine, 'serveOne' | 'settle' | 'quiesce'>;
  readonly handoff: Handoff;
  readonly streams: TcpStreams;
}

export class TcpConnection implements ReplyPath, StreamOwner, Deadlined, Turning, Holder {
  readonly proto = PROTO_TCP;
  readonly listening: Listening;
  previous: Deadlined | undefined;
  next: Deadlined | undefined;
  list: DeadlineList | undefined;
  deadlineMs = 0;
  chargedBytes = 0;
  movedMs: number;
  readonly #parts: TcpParts;
  readonly #stream: Stream;
  #localAddress: string | undefined;
  readonly #partial = new FramePieces();
  /** What follows the query that is being waited for. */
  #rest: Buffer | undefined;
  #state: 'reading' | 'waiting' | 'stalled' | 'yielding' | 'closed' = 'reading';
  #turnLeft = 0;
  /** Within #consume(), which reads on by itself when a reply is there at once. */
  #isConsuming: boolean;
  /** Nothing more is to be served. */
  #isEnding: boolean;
  /** The client sends no more; what it has sent is served. */
  #hasEnded: boolean;

  constructor(parts: TcpParts, listening: Listening, stream: Stream) {
    this.#parts = parts;
    this.listening = listening;
    this.#stream = stream;
    this.#isConsuming = false;
    this.#isEnding = false;
    this.#hasEnded = false;
    this.movedMs = performance.now();
    parts.streams.fresh.set(this, this.movedMs);
  }

  onData(chunk: Buffer): void {
    this.#take(chunk);
    this.#settle();
  }

  onEnd(): void {
    this.#hasEnded = true;
    if (this.#state === 'reading') this.#end();
  }

  onSent(): void {
    if (this.#state === 'closed' || (this.chargedBytes === 0 && this.#state !== 'stalled')) return;
    this.movedMs = performance.now();
    this.charge();
    if (this.#state === 'stalled' && this.#stream.unsentBytes === 0) this.#goOn();
  }

  onClose(): void {
    this.#close();
  }

  get unsentBytes(): number {
    return this.#stream.unsentBytes;
  }

  /** Ends the connection behind the reply that is being waited for, or now. Nothing more is read. */
  endSoon(): void {
    this.#isEnding = true;
    if (this.#state === 'waiting' || this.#state === 'closed' || this.#isConsuming) return;
    this.#end();
  }

  destroy(): void {
    this.#stream.destroy();
    this.#close();
  }

  reply(_handle: ExchangeHandle, _exchangeAt: number, messageAt: number, bytes: number): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'reading';
    if (bytes !== 0) this.#stage(messageAt, bytes);
    this.#flush();
    if (this.#isConsuming) return;
    this.charge();
    if (this.#isEnding) this.#end();
    // Later, because a reply may come while another query's outcome is being handled in the same buffers
    else setImmediate(() => this.#goOn());
  }

  get localAddress(): string {
    this.#localAddress ??= this.#stream.local()?.address;
    return this.#localAddress ?? this.listening.address;
  }

  local(): Endpoint {
    const address = this.localAddress;
    return { address, port: this.#stream.local()?.port ?? this.listening.port, family: address.includes(':') ? 6 : 4 };
  }

  takeTurn(): void {
    if (this.#state === 'yielding') this.#goOn();
  }

  /** Tells the budget what is kept for this client now. */
  charge(): void {
    const unread = this.#unreadBytes();
    const unserved = this.#stream.unreadBytes + (this.#rest?.buffer.byteLength ?? 0) + this.#partial.keptBytes;
    const bytes = this.#state === 'closed' ? 0 : unread + unserved;
    this.#parts.streams.budget.chargedBytes += bytes - this.chargedBytes;
    this.chargedBytes = bytes;
  }

  /** A socket that is not read may still hand over a chunk, and says nothing. */
  chargeUnseen(): void {
    if (this.#state !== 'reading') this.charge();
  }

  #take(chunk: Buffer): void {
    if (this.#state !== 'reading' || this.#isEnding || this.#rest !== undefined) this.#hold(chunk, false);
    else if (chunk.length > LITTLE_BYTES && this.#parts.streams.turns.isCrowded) {
      this.#yield();
      this.#hold(chunk, false);
    } else this.#consume(chunk, false);
  }

  #yield(): void {
    this.#state = 'yielding';
    this.#parts.streams.turns.join(this);
  }

  /** @param isKept see #hold() */
  #consume(chunk: Buffer, isKept: boolean): void {
    const { area, engine, shard } = this.#parts;
    const startedMs = performance.now();
    area.stamp(startedMs);
    this.#isConsuming = true;
    this.#turnLeft = TURN_MESSAGES;
    const used = this.#frames(chunk, startedMs);
    this.#isConsuming = false;
    this.#flush();
    const elapsedMs = performance.now() - startedMs;
    engine.settle(area.at, elapsedMs);
    drainLogRecords(area, this.listening.generation, this, elapsedMs);
    engine.quiesce(shard);
    if (this.#isStopped()) this.#hold(chunk.subarray(used), isKept);
    else if (this.#isEnding || this.#hasEnded) this.#end();
    else if (used < chunk.length) this.#partial.keep(chunk, used);
    else if (this.#isLetGo()) this.#end();
  }

  /** Serves the whole frames of a chunk; returns the octets used. */
  #frames(chunk: Buffer, startedMs: number): number {
    let at = 0;
    if (!this.#partial.isEmpty) {
      at = this.#partial.complete(chunk);
      const frame = this.#partial.take();
      if (frame === undefined) return at;
      this.#serve(frame, LENGTH_BYTES, frame.readUInt16BE(0), startedMs);
    }
    while (!this.#isStopped() && chunk.length - at >= LENGTH_BYTES) {
      const bytes = chunk.readUInt16BE(at);
      if (chunk.length - at - LENGTH_BYTES < bytes) break;
      this.#serve(chunk, at + LENGTH_BYTES, bytes, startedMs);
      at += LENGTH_BYTES + bytes;
      if (--this.#turnLeft === 0 && this.#state === 'reading') this.#yield();
    }
    return at;
  }

  #serve(source: Buffer, at: number, bytes: number, startedMs: number): void {
    const { area, engine, streams } = this.#parts;
    streams.idle.set(this, startedMs);
    this.movedMs = startedMs;
    // CoreDNS ignores frames too short for a header and keeps the connection
    if (bytes < HEADER_BYTES) return;
    area.countQueries(1);
    const messageAt = area.at + layout.LARGE_IN;
    const sockaddrAt = area.at + SOCKADDR_AT;
    const outAt = area.at + layout.LARGE_OUT;
    source.copy(area.octets, messageAt, at, at + bytes);
    area.octets.set(this.#stream.peer, sockaddrAt);
    const { program } = this.listening;
    const outcome = engine.serveOne(
      area.at,
      program,
      messageAt,
      bytes,
      sockaddrAt,
      PROTO_TCP,
      outAt,
      MESSAGE_BYTES_MAX,
    );
    if (outcome === OUTCOME_ANSWER) {
      this.#stage(outAt, area.word(layout.SHARD_REPLY_BYTES));
      if (area.word(layout.SHARD_LOG_COUNT) >= LOG_RECORDS_WAITING_MAX) {
        drainLogRecords(area, this.listening.generation, this, performance.now() - startedMs);
      }
      if (area.word(layout.SHARD_HANDOFF_COUNT) !== 0) this.#handOff(bytes, startedMs);
    } else if (outcome === OUTCOME_RELAY || outcome === OUTCOME_SLOW) {
      this.#state = 'waiting';
      clearDeadline(this);
      this.#handOff(bytes, startedMs);
      // Answered at once; or closed, because the client has gone from the replies before
      if (this.#state !== 'waiting' && this.#state !== 'closed') streams.idle.set(this, startedMs);
    }
  }

  /** Passes on what handoff record 0 says of the message in LARGE_IN. */
  #handOff(bytes: number, startedMs: number): void {
    const { area, handoff } = this.#parts;
    // What runs from here may answer other connections through the same buffers
    this.#flush();
    handoff.take({
      path: this,
      messageAt: area.at + layout.LARGE_IN,
      bytes,
      sockaddrAt: area.at + SOCKADDR_AT,
      sockaddrBytes: this.#stream.peer.length,
      controlAt: 0,
      controlBytes: 0,
      startedMs,
      handoffAt: area.at + layout.HANDOFFS,
    });
  }

  /** Reads on after a reply or a stall: first what was held back, then the socket. */
  #goOn(): void {
    this.#proceed();
    this.#settle();
  }

  #proceed(): void {
    if (this.#state === 'closed' || this.#state === 'waiting') return;
    if (this.#isEnding) {
      this.#end();
      return;
    }
    this.#parts.streams.idle.set(this, performance.now());
    this.#state = this.#isUnread() ? 'stalled' : 'reading';
    if (this.#state === 'stalled') return;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) this.#consume(rest, true);
    else if (this.#hasEnded || this.#isLetGo()) this.#end();
    if (!this.#isStopped() && !this.#isEnding) this.#stream.resume();
  }

  #settle(): void {
    this.charge();
    this.#parts.streams.keepBudget();
  }

  #isUnread(): boolean {
    return this.#unreadBytes() > this.#parts.streams.limits.unreadBytesMax;
  }

  /** What replies keep that the client does not read. */
  #unreadBytes(): number {
    const bytes = this.#stream.unsentBytes;
    return bytes === 0 ? 0 : bytes + this.#stream.unsentWrites * WRITE_BYTES;
  }

  /**
   * Stops reading; what has been read is kept. Bounded: a paused socket reads no further chunk.
   * @param isKept the octets are this connection's already
   */
  #hold(octets: Buffer, isKept: boolean): void {
    if (this.#state === 'closed') return;
    this.#stream.pause();
    if (octets.length === 0 || this.#isEnding) return;
    const isOurs = isKept || this.#rest !== undefined;
    const all = this.#rest === undefined ? octets : Buffer.concat([this.#rest, octets]);
    // A little of a large chunk would keep all of it
    this.#rest = isOurs && all.length * 2 >= all.buffer.byteLength ? all : keptCopy(all);
  }

  #stage(messageAt: number, bytes: number): void {
    if (staged + LENGTH_BYTES + bytes > STAGING.length) this.#flush();
    STAGING.writeUInt16BE(bytes, staged);
    this.#parts.area.octets.copy(STAGING, staged + LENGTH_BYTES, messageAt, messageAt + bytes);
    staged += LENGTH_BYTES + bytes;
  }

  #flush(): void {
    if (staged === 0) return;
    const octets = STAGING.subarray(0, staged);
    staged = 0;
    if (this.#state === 'closed') return;
    this.#stream.write(octets);
    if (this.#state !== 'reading' || !this.#isUnread()) return;
    this.#state = 'stalled';
    this.#stream.pause();
    this.#parts.streams.idle.set(this, performance.now());
  }

  #end(): void {
    this.#isEnding = true;
    this.#rest = undefined;
    this.#partial.clear();
    this.#stream.end();
    if (this.#state === 'closed') return;
    this.#stream.resume();
    // A client that reads nothing and closes nothing is cut off
    this.#parts.streams.idle.set(this, performance.now());
    this.charge();
  }

  /** All that has come is answered, and the client is to ask another server. */
  #isLetGo(): boolean {
    return this.#parts.streams.isLettingGo && this.#partial.isEmpty;
  }

  #isStopped(): boolean {
    return this.#state !== 'reading';
  }

  #close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearDeadline(this);
    this.#rest = undefined;
    this.#partial.clear();
    this.charge();
    this.#parts.streams.forget(this);
  }
}

/** Replies on their way into one write. Used by one connection at a time, empty in between; one for the thread. */
const STAGING = Buffer.allocUnsafeSlow(STAGING_BYTES + LENGTH_BYTES + MESSAGE_BYTES_MAX);
let staged = 0;
