// Queries that left the fast face, saved in shared memory until their answer is known. The table is bounded; a query
// that finds it full gets SERVFAIL at once.
//
//   EXCHANGES ─► entry 0 │ entry 1 │ ... │ large blocks of LARGE_ENTRIES entries each │ spare entry
//                which of them are free: exchange-entries.ts

import { FLAG_AD, RCODE_NOERROR, RCODE_SERVFAIL } from '../../engine-as/shared/codes.ts';
import * as layout from '../../engine-as/shared/layout.ts';
import { turnMs } from '../clock.ts';
import { parseMessage } from '../dns/message.ts';
import { nameText } from '../dns/name.ts';
import type { Engine } from '../engine/load.ts';
import { copyWords } from '../net/copy-words.ts';
import { decodeSocketAddress } from '../net/socket-address.ts';
import type { ExchangeHandle, Exchanges, Metadata, Query, Rewritten } from '../plugin/contract.ts';
import { NO_LABELS } from '../plugin/metadata.ts';
import type { ShardArea } from './area.ts';
import { ExchangeEntries } from './exchange-entries.ts';
import type { Generation, ReplyPath } from './generation.ts';
import { LargeMessages } from './large-messages.ts';
import { isWrittenAbove, type LeavingQuery, linkIndex, writeAsked } from './leaving.ts';

const REPLY_BYTES_MAX = 65535;
/** finish(): the reply is no message, and nothing has happened. */
const REPLY_UNPARSABLE = 0xffffffff;
/** Entries that hold one message of any size. */
const LARGE_ENTRIES = Math.ceil(65536 / layout.EXCHANGE_STRIDE);
const LARGE_BLOCKS_MAX = 16;

export interface ExchangeTableParts {
  readonly area: ShardArea;
  readonly engine: Pick<Engine, 'finish' | 'fail' | 'drop' | 'failPanicked' | 'rewriteSaved' | 'withhold'>;
  /** Entries beside the spare one. */
  readonly capacity: number;
  /** Tells the plugins above of a failure. */
  onFailure(handle: ExchangeHandle, rcode: number, text: string): void;
  /** Log records may be waiting; the last of them is of a query with these labels. */
  onRecords(generation: Generation, path: ReplyPath, metadata: Metadata | undefined): void;
  /** Nobody needs this part of shared memory any more. */
  onForgotten(at: number, bytes: number): void;
}

export class ExchangeTable implements Exchanges {
  /** Queries that found the table full. */
  refusedCount = 0;
  openCount = 0;
  readonly #area: ShardArea;
  readonly #parts: ExchangeTableParts;
  readonly #entries: ExchangeEntries;
  readonly #spare: number;
  readonly #large: LargeMessages;
  readonly #paths: (ReplyPath | undefined)[] = [];
  readonly #generations: (Generation | undefined)[] = [];
  readonly #metadata: (Metadata | undefined)[] = [];
  readonly isOpen = (handle: ExchangeHandle): boolean => this.#paths[handle] !== undefined;

  constructor(parts: ExchangeTableParts) {
    this.#parts = parts;
    this.#area = parts.area;
    const largeBlocks = Math.min(LARGE_BLOCKS_MAX, Math.floor(parts.capacity / (4 * LARGE_ENTRIES)));
    const capacity = parts.capacity - largeBlocks * LARGE_ENTRIES;
    this.#entries = new ExchangeEntries(capacity);
    this.#large = new LargeMessages(this.at(capacity + 1), largeBlocks, LARGE_ENTRIES * layout.EXCHANGE_STRIDE);
    this.#spare = parts.capacity + 1;
  }

  get octets(): Uint8Array {
    return this.#area.octets;
  }

  /** Address of the entry. */
  at(handle: ExchangeHandle): number {
    return this.#area.at + layout.EXCHANGES + (handle - 1) * layout.EXCHANGE_STRIDE;
  }

  /** Saves a query; 0 = the table is full and the query has been answered with SERVFAIL. */
  open(leaving: LeavingQuery): ExchangeHandle {
    const handle = this.tryOpen(leaving);
    if (handle !== 0) return handle;
    this.refusedCount++;
    this.#refuse(leaving);
    return 0;
  }

  /** The same, but a full table is nothing to anybody: 0. */
  tryOpen(leaving: LeavingQuery): ExchangeHandle {
    const handle = this.#claim(leaving);
    if (handle === 0) return 0;
    this.#fill(handle, leaving);
    if (!this.#takesQuestion(handle)) {
      this.#giveBack(handle);
      return 0;
    }
    const { generation } = leaving.path.listening;
    this.#paths[handle] = leaving.path;
    this.#generations[handle] = generation;
    generation.openCount++;
    this.openCount++;
    return handle;
  }

  /** Gives memory back that a storm has left. Called every heartbeat. */
  sweep(nowMs: number): void {
    const forgotten = this.#entries.shrink(nowMs, this.openCount, this.isOpen);
    if (forgotten === undefined) return;
    const at = this.at(forgotten.first);
    this.#parts.onForgotten(at, this.at(forgotten.end) - at);
  }

  /** The query comes from no client any more: its address becomes 0.0.0.0, port 0. */
  forgetClient(handle: ExchangeHandle): void {
    const { octets } = this.#area;
    const at = this.at(handle) + layout.EXCHANGE_SOCKADDR;
    octets.fill(0, at, at + layout.SOCKADDR_STRIDE);
    octets[at] = 2; // AF_INET
  }

  generation(handle: ExchangeHandle): Generation {
    return this.#generations[handle] ?? this.#notOpen(handle);
  }

  path(handle: ExchangeHandle): ReplyPath {
    return this.#paths[handle] ?? this.#notOpen(handle);
  }

  /** Handles of all exchanges that began under a generation. */
  handlesOf(generation: Generation): ExchangeHandle[] {
    return this.#generations.flatMap((each, handle) => (each === generation ? [handle] : []));
  }

  offset(handle: ExchangeHandle): number {
    return this.#large.addressOf(handle) ?? this.at(handle) + layout.EXCHANGE_MESSAGE;
  }

  bytes(handle: ExchangeHandle): number {
    return this.#word(handle, layout.EXCHANGE_BYTES);
  }

  hash(handle: ExchangeHandle): number {
    return this.#word(handle, layout.EXCHANGE_HASH);
  }

  isStream(handle: ExchangeHandle): boolean {
    return this.#word(handle, layout.EXCHANGE_PROTO) !== 0;
  }

  startedAtMs(handle: ExchangeHandle): number {
    return this.#area.floats[(this.at(handle) + layout.EXCHANGE_STARTED_MS) >>> 3]!;
  }

  wantsAd(handle: ExchangeHandle): boolean {
    return (this.#word(handle, layout.EXCHANGE_FLAGS) & layout.HANDOFF_WANTS_AD) !== 0;
  }

  /** Address of the zone entry that routed the query. */
  zoneEntry(handle: ExchangeHandle): number {
    return this.#word(handle, layout.EXCHANGE_ZONE);
  }

  step(handle: ExchangeHandle): number {
    return this.#word(handle, layout.EXCHANGE_STEP);
  }

  /** ServerBlock.index of the query's block. */
  blockIndex(handle: ExchangeHandle): number {
    return this.#area.words[(this.#block(handle) + layout.BLOCK_INDEX) >>> 2]!;
  }

  /** Index of the link at whose step the query left the fast face; beyond the last link at the end of the chain. */
  linkIndex(handle: ExchangeHandle): number {
    return linkIndex(this.#area, this.#block(handle), this.step(handle));
  }

  metadata(handle: ExchangeHandle): Metadata {
    return this.#metadata[handle] ?? NO_LABELS;
  }

  /** Gives the query labels; before anybody asks for them. */
  keepMetadata(handle: ExchangeHandle, metadata: Metadata): void {
    if (metadata !== NO_LABELS) this.#metadata[handle] = metadata;
  }

  /** Parses the saved message; throws MessageError where the reader of objects is stricter than the engine. */
  query(handle: ExchangeHandle): Query {
    const { octets, words } = this.#area;
    const path = this.path(handle);
    const bytes = this.bytes(handle);
    const message = parseMessage(this.#area.copy(this.offset(handle), bytes));
    const question = message.questions[0];
    if (question === undefined) throw new Error('a query without a question left the fast face');
    const zoneEntry = this.zoneEntry(handle);
    const nameAt = words[(zoneEntry + layout.ZONE_NAME) >>> 2]!;
    const nameBytes = words[(zoneEntry + layout.ZONE_NAME_BYTES) >>> 2]!;
    return {
      // Beneath a cache every plugin sees AD=1, as every relay does
      message: this.wantsAd(handle) ? { ...message, flags: message.flags | FLAG_AD } : message,
      name: question.name,
      type: question.type,
      class: question.class,
      proto: path.proto === 0 ? 'udp' : 'tcp',
      remote: decodeSocketAddress(octets, this.at(handle) + layout.EXCHANGE_SOCKADDR),
      local: path.local(this.at(handle)),
      zone: nameText(this.#area.copy(nameAt, nameBytes)),
      server: path.listening.server,
      handle,
      bytes,
      metadata: this.metadata(handle),
    };
  }

  /**
   * Plugin rewrite has changed the query: puts `message` in the place of the saved one, and keeps the question as it was
   * asked. False: there is no room for it, and nothing has changed.
   */
  rewrite(handle: ExchangeHandle, message: Uint8Array, rewritten: Rewritten): boolean {
    const asked = parseMessage(this.#area.copy(this.offset(handle), this.bytes(handle))).questions[0];
    if (asked === undefined || !this.#hasRoom(handle, message.length)) return false;
    writeAsked(this.#area, this.at(handle), asked, this.bytes(handle), rewritten);
    this.#area.octets.set(message, this.offset(handle));
    this.#setWord(handle, layout.EXCHANGE_BYTES, message.length);
    return true;
  }

  /** @param withheld see Answer: who asks from within hears of no reply. */
  finish(handle: ExchangeHandle, offset: number, bytes: number, withheld?: number): boolean {
    const path = this.path(handle);
    if (path.takeRaw !== undefined) {
      const octets = this.#area.copy(offset, bytes);
      this.#release(handle);
      path.takeRaw(withheld === undefined ? { kind: 'message', octets } : { kind: 'drop' });
      return true;
    }
    const { engine } = this.#parts;
    const logCount = this.#area.word(layout.SHARD_LOG_COUNT);
    const outAt = this.#area.at + layout.LARGE_OUT;
    const nowMs = turnMs();
    this.#area.stamp(nowMs);
    if (withheld !== undefined) engine.withhold(withheld + 1);
    const replyBytes = engine.finish(
      this.#area.at,
      this.at(handle),
      this.offset(handle),
      this.bytes(handle),
      offset,
      bytes,
      outAt,
      REPLY_BYTES_MAX,
      nowMs - this.startedAtMs(handle),
    );
    if (replyBytes >>> 0 === REPLY_UNPARSABLE) return false;
    this.#reply(handle, path, outAt, replyBytes, logCount);
    this.#release(handle);
    return true;
  }

  /** @param isPanic see failPanicked() */
  fail(handle: ExchangeHandle, rcode: number, text: string, isPanic = false): void {
    const path = this.path(handle);
    if (path.takeRaw !== undefined) {
      this.#release(handle);
      path.takeRaw({ kind: 'failure', rcode, text });
      return;
    }
    const { at: areaAt } = this.#area;
    const outAt = areaAt + layout.LARGE_OUT;
    const elapsedMs = performance.now() - this.startedAtMs(handle);
    const logCount = this.#area.word(layout.SHARD_LOG_COUNT);
    const { engine } = this.#parts;
    const [at, from, length] = [this.at(handle), this.offset(handle), this.bytes(handle)];
    const bytes = isPanic
      ? engine.failPanicked(areaAt, at, from, length, path.listening.program, outAt)
      : engine.fail(areaAt, at, from, length, rcode, outAt, elapsedMs);
    this.#reply(handle, path, outAt, bytes, logCount);
    // Behind the query's own line, as in CoreDNS, where plugin errors stands above log
    if (text !== '') this.#parts.onFailure(handle, this.isWrittenAbove(handle) ? RCODE_NOERROR : rcode, text);
    this.#release(handle);
  }

  drop(handle: ExchangeHandle): void {
    const path = this.path(handle);
    if (path.takeRaw === undefined) {
      const elapsedMs = performance.now() - this.startedAtMs(handle);
      const logCount = this.#area.word(layout.SHARD_LOG_COUNT);
      this.#parts.engine.drop(this.#area.at, this.at(handle), this.offset(handle), this.bytes(handle), elapsedMs);
      this.#reply(handle, path, 0, 0, logCount);
    }
    this.#release(handle);
    path.takeRaw?.({ kind: 'drop' });
  }

  #reply(handle: ExchangeHandle, path: ReplyPath, messageAt: number, bytes: number, logCount: number): void {
    const generation = this.generation(handle);
    // A record that was left meanwhile is this query's
    const isLogged = this.#area.word(layout.SHARD_LOG_COUNT) > logCount;
    path.reply(handle, this.at(handle), messageAt, bytes);
    // The records name blocks of this generation: read them before it may go
    this.#parts.onRecords(generation, path, isLogged ? this.#metadata[handle] : undefined);
  }

  #claim(leaving: LeavingQuery): ExchangeHandle {
    const isLarge = leaving.bytes > layout.EXCHANGE_MESSAGE_MAX;
    if (isLarge && !this.#large.hasFree) return 0;
    const handle = this.#entries.claim();
    if (handle !== 0) this.#hasRoom(handle, leaving.bytes);
    return handle;
  }

  #hasRoom(handle: ExchangeHandle, bytes: number): boolean {
    return bytes <= layout.EXCHANGE_MESSAGE_MAX || this.#large.take(handle);
  }

  #release(handle: ExchangeHandle): void {
    const generation = this.generation(handle);
    this.#paths[handle] = undefined;
    this.#metadata[handle] = undefined;
    this.#generations[handle] = undefined;
    this.#giveBack(handle);
    this.openCount--;
    generation.openCount--;
    if (generation.openCount === 0) generation.onIdle?.();
  }

  /** See leaving.ts. */
  isWrittenAbove(handle: ExchangeHandle): boolean {
    return isWrittenAbove(this.#area, this.at(handle));
  }

  #giveBack(handle: ExchangeHandle): void {
    this.#large.giveBack(handle);
    this.#entries.giveBack(handle);
  }

  /** A query whose question the engine's rules have changed gets it now; false: there is no room for it. */
  #takesQuestion(handle: ExchangeHandle): boolean {
    if ((this.#word(handle, layout.EXCHANGE_FLAGS) & layout.HANDOFF_REWRITTEN) === 0) return true;
    const { area, engine } = this.#parts;
    const outAt = area.at + layout.LARGE_OUT;
    const at = this.at(handle);
    const bytes = engine.rewriteSaved(area.at, at, this.offset(handle), this.bytes(handle), outAt, REPLY_BYTES_MAX);
    if (bytes === 0 || !this.#hasRoom(handle, bytes)) return false;
    area.octets.copy(area.octets, this.offset(handle), outAt, outAt + bytes);
    this.#setWord(handle, layout.EXCHANGE_BYTES, bytes);
    return true;
  }

  /** Answers a query that cannot be saved, through the spare entry. */
  #refuse(leaving: LeavingQuery): void {
    const handle = this.#spare;
    this.#fill(handle, { ...leaving, bytes: 0 });
    const outAt = this.#area.at + layout.LARGE_OUT;
    const elapsedMs = performance.now() - leaving.startedMs;
    const { engine } = this.#parts;
    const at = this.at(handle);
    const bytes = engine.fail(this.#area.at, at, leaving.messageAt, leaving.bytes, RCODE_SERVFAIL, outAt, elapsedMs);
    leaving.path.reply(0, at, outAt, bytes);
    this.#parts.onRecords(leaving.path.listening.generation, leaving.path, undefined);
  }

  #fill(handle: ExchangeHandle, leaving: LeavingQuery): void {
    const { words, floats, octets } = this.#area;
    const at = this.at(handle);
    const entry = at >>> 2;
    const handoff = leaving.handoffAt >>> 2;
    words[entry + (layout.EXCHANGE_PROTO >>> 2)] = leaving.path.proto;
    words[entry + (layout.EXCHANGE_ZONE >>> 2)] = words[handoff + (layout.HANDOFF_ZONE >>> 2)]!;
    words[entry + (layout.EXCHANGE_STEP >>> 2)] = words[handoff + (layout.HANDOFF_STEP >>> 2)]!;
    words[entry + (layout.EXCHANGE_HASH >>> 2)] = words[handoff + (layout.HANDOFF_HASH >>> 2)]!;
    words[entry + (layout.EXCHANGE_FLAGS >>> 2)] = words[handoff + (layout.HANDOFF_FLAGS >>> 2)]!;
    words[entry + (layout.EXCHANGE_BYTES >>> 2)] = leaving.bytes;
    words[entry + (layout.EXCHANGE_LISTENER >>> 2)] = leaving.path.listening.port;
    words[entry + (layout.EXCHANGE_NAMELEN >>> 2)] = leaving.sockaddrBytes;
    words[entry + (layout.EXCHANGE_CONTROLLEN >>> 2)] = leaving.controlBytes;
    words[entry + ((layout.EXCHANGE_ASKED + layout.ASKED_NAME_BYTES) >>> 2)] = 0;
    floats[(at + layout.EXCHANGE_STARTED_MS) >>> 3] = leaving.startedMs;
    copyWords(words, at + layout.EXCHANGE_SOCKADDR, words, leaving.sockaddrAt, leaving.sockaddrBytes);
    copyWords(words, at + layout.EXCHANGE_CONTROL, words, leaving.controlAt, leaving.controlBytes);
    if ((leaving.messageAt & 3) === 0 && leaving.bytes <= layout.EXCHANGE_MESSAGE_MAX) {
      copyWords(words, at + layout.EXCHANGE_MESSAGE, words, leaving.messageAt, leaving.bytes);
    } else {
      octets.copy(octets, this.offset(handle), leaving.messageAt, leaving.messageAt + leaving.bytes);
    }
  }

  #block(handle: ExchangeHandle): number {
    return this.#area.words[(this.zoneEntry(handle) + layout.ZONE_BLOCK) >>> 2]!;
  }

  #word(handle: ExchangeHandle, offset: number): number {
    return this.#area.words[(this.at(handle) + offset) >>> 2]!;
  }

  #setWord(handle: ExchangeHandle, offset: number, value: number): void {
    this.#area.words[(this.at(handle) + offset) >>> 2] = value;
  }

  #notOpen(handle: ExchangeHandle): never {
    throw new Error(`exchange ${handle} is not open: it was ended twice, or never begun`);
  }
}
