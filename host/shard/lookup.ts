// The engine's look-ups for a slow face that must agree with it: the one step of the calling plugin, nothing above it.

import { FLAG_TC, RCODE_REFUSED, RCODE_SERVFAIL, TYPE_TXT } from '../../engine-as/shared/codes.ts';
import * as layout from '../../engine-as/shared/layout.ts';
import { composeMessage } from '../dns/message.ts';
import type { Engine } from '../engine/load.ts';
import type { SlotWriter } from '../metrics/slots.ts';
import { errorAnswer } from '../plugin/chain.ts';
import type { Answer, CacheEntryRef, CacheFound, EngineLookup, Outcome, Query } from '../plugin/contract.ts';
import type { ShardArea } from './area.ts';
import type { ExchangeTable } from './exchanges.ts';
import type { LeavingQuery } from './leaving.ts';
import { entryRef, type Refresher } from './refresher.ts';
import { addressingOf, toAnswer } from './services.ts';
import { composeAnswer } from './slow-path.ts';

// What runRecords() returns (engine-as/answer/records.ts)
const FALL = 0;
const FAILURE = 3;
const REFUSE = 4;
const BROKEN = 7;
const SILENT = 8;
/** A question and its reply must fit in the room of one message of a stream. */
const ROOM_BYTES = layout.LARGE_OUT - layout.LARGE_IN;

// What runCacheGet() returns (engine-as/main.ts)
const HIT_VERIFY = 2;

export interface LookupParts {
  readonly area: ShardArea;
  readonly engine: Pick<
    Engine,
    'runRecords' | 'runCacheGet' | 'runCachePut' | 'runArrange' | 'ownerFind' | 'withhold' | 'replyWithheld'
  >;
  readonly exchanges: ExchangeTable;
  readonly refresher: Refresher;
  readonly slots: SlotWriter;
}

/** A step of the program that a query came in under. */
interface Place {
  readonly zone: number;
  readonly step: number;
  readonly sockaddrAt: number;
}

export class StepLookup implements EngineLookup {
  readonly #parts: LookupParts;
  readonly #plugin: string;
  readonly #link: number;

  /** @param link index of the calling plugin in its block's chain. */
  constructor(parts: LookupParts, plugin: string, link: number) {
    this.#parts = parts;
    this.#plugin = plugin;
    this.#link = link;
  }

  records(query: Query): Answer | 'miss' | 'chase' | 'servfail' {
    for (const place of this.#places(query, layout.STEP_RECORDS)) {
      const found = this.#records(query, place);
      if (found !== 'miss') return found;
    }
    return 'miss';
  }

  #records(query: Query, place: Place): Answer | 'miss' | 'chase' | 'servfail' {
    const result = this.#runAt(query, place);
    if (result === FALL) return 'miss';
    if (result === REFUSE) return errorAnswer(RCODE_REFUSED, this.#plugin, '');
    return result <= FAILURE || result === SILENT ? this.#answer() : 'chase';
  }

  hosts(query: Query): Answer | 'miss' {
    const result = this.#run(query, layout.STEP_HOSTS);
    if (result === FALL) return 'miss';
    return result === BROKEN ? errorAnswer(RCODE_SERVFAIL, this.#plugin, '') : this.#answer();
  }

  texts(store: number, key: Uint8Array): readonly string[] | undefined {
    const { area, engine } = this.#parts;
    const keyAt = area.at + layout.LARGE_IN;
    area.octets.set(key, keyAt);
    const owner = engine.ownerFind(store, keyAt, key.length) >>> 0;
    return owner === 0 ? undefined : textsOf(area, owner);
  }

  cacheGet(query: Query): CacheFound {
    const place = this.#place(query, layout.STEP_CACHE);
    if (place === undefined) return { kind: 'miss' };
    const { area, engine, refresher } = this.#parts;
    const { zone, step, sockaddrAt } = place;
    area.stamp(performance.now());
    const bytes = this.#write(query);
    const found = engine.runCacheGet(area.at, zone, step, area.at + layout.LARGE_IN, bytes, sockaddrAt, this.#outAt());
    if (found === 0) return { kind: 'miss' };
    const answer = this.#answer();
    const isRefresh = area.word(layout.SHARD_HANDOFF_COUNT) !== 0;
    const entry = entryRef(area, area.at + layout.HANDOFFS);
    if (found === HIT_VERIFY) return { kind: 'verify', stale: answer, entry };
    if (isRefresh) refresher.begin(this.#leaving(query, place, entry));
    return { kind: 'hit', answer };
  }

  cachePut(query: Query, answer: Answer): Answer {
    const place = this.#place(query, layout.STEP_CACHE);
    if (place === undefined) return answer;
    const { area, engine } = this.#parts;
    const { zone, step, sockaddrAt } = place;
    area.stamp(performance.now());
    const bytes = this.#write(query);
    const reply = composeAnswer(query, answer);
    const replyAt = area.at + layout.LARGE_IN + ((bytes + 7) & ~7);
    if (((bytes + 7) & ~7) + reply.length > ROOM_BYTES) return answer;
    area.octets.set(reply, replyAt);
    const messageAt = area.at + layout.LARGE_IN;
    const outAt = this.#outAt();
    if (answer.withheld !== undefined) engine.withhold(answer.withheld + 1);
    const isSeen = engine.runCachePut(area.at, zone, step, messageAt, bytes, sockaddrAt, replyAt, reply.length, outAt);
    return isSeen === 1 ? { ...this.#answer(), from: answer.from } : answer;
  }

  arrange(query: Query, answer: Answer): Answer {
    const place = this.#place(query, layout.STEP_ROTATE);
    if (place === undefined) return answer;
    const { area, engine } = this.#parts;
    const bytes = this.#write(query);
    const reply = composeAnswer(query, answer);
    const messageAt = area.at + layout.LARGE_IN;
    const replyAt = messageAt + ((bytes + 7) & ~7);
    if (((bytes + 7) & ~7) + reply.length > ROOM_BYTES) return answer;
    area.octets.set(reply, replyAt);
    const { zone, step, sockaddrAt } = place;
    const outAt = this.#outAt();
    const isDone = engine.runArrange(area.at, zone, step, messageAt, bytes, sockaddrAt, replyAt, reply.length, outAt);
    if (isDone !== 1) return answer;
    const arranged = this.#answer();
    const flags = answer.flags | (arranged.flags & FLAG_TC);
    return {
      ...answer,
      flags,
      answer: arranged.answer,
      authority: arranged.authority,
      additional: arranged.additional,
    };
  }

  cacheVerify(query: Query, entry: CacheEntryRef, outcome: Outcome): Answer | undefined {
    const place = this.#place(query, layout.STEP_CACHE);
    if (place === undefined) return undefined;
    const { refresher } = this.#parts;
    const isAnswer = outcome.kind === 'answer' && outcome.error === undefined;
    const message = composeMessage(query.message);
    const asking = { zone: place.zone, step: place.step + 1, message, entry };
    const seen = refresher.finish(asking, isAnswer ? composeAnswer(query, outcome) : undefined);
    return seen === undefined ? undefined : toAnswer(seen, this.#plugin);
  }

  async cacheAsk(query: Query, entry: CacheEntryRef): Promise<Answer | undefined> {
    const place = this.#place(query, layout.STEP_CACHE);
    if (place === undefined) return undefined;
    const seen = await this.#parts.refresher.verify(this.#leaving(query, place, entry));
    return seen === undefined ? undefined : toAnswer(seen, this.#plugin);
  }

  cacheServedStale(query: Query): void {
    const place = this.#place(query, layout.STEP_CACHE);
    if (place === undefined) return;
    const { area, slots } = this.#parts;
    const word = (at: number): number => area.words[at >>> 2]!;
    const step = word(place.zone + layout.ZONE_BLOCK) + layout.BLOCK_STEPS + place.step * layout.STEP_STRIDE;
    const first = word(step + layout.CACHE_STEP_SLOTS);
    const server = word(place.zone + layout.ZONE_SERVER);
    if (first !== 0) slots.add(word(first + server * 4) + layout.CACHE_SERVED_STALE, 1);
  }

  /** Result of the plugin's step of this kind; FALL where it has none. */
  #run(query: Query, op: number): number {
    const place = this.#place(query, op);
    return place === undefined ? FALL : this.#runAt(query, place);
  }

  #runAt(query: Query, { zone, step, sockaddrAt }: Place): number {
    const { area, engine } = this.#parts;
    const bytes = this.#write(query);
    return engine.runRecords(area.at, zone, step, area.at + layout.LARGE_IN, bytes, sockaddrAt, this.#outAt());
  }

  /** The first step of the calling plugin in the program that the query came in under. */
  #place(query: Query, op: number): Place | undefined {
    return this.#places(query, op).next().value ?? undefined;
  }

  /** All of them: a plugin may have several of one kind. */
  *#places(query: Query, op: number): Generator<Place, undefined> {
    const { area, exchanges } = this.#parts;
    if (!exchanges.isOpen(query.handle)) return undefined;
    const zone = exchanges.zoneEntry(query.handle);
    const block = area.words[(zone + layout.ZONE_BLOCK) >>> 2]!;
    const count = area.words[(block + layout.BLOCK_STEP_COUNT) >>> 2]!;
    for (let step = 0; step < count; step++) {
      const at = block + layout.BLOCK_STEPS + step * layout.STEP_STRIDE;
      const isOwn = area.words[(at + layout.STEP_PLUGIN) >>> 2] === this.#link;
      if (!isOwn || area.words[(at + layout.STEP_OP) >>> 2] !== op) continue;
      yield { zone, step, sockaddrAt: exchanges.at(query.handle) + layout.EXCHANGE_SOCKADDR };
    }
    return undefined;
  }

  /** The query as the plugin sees it, which may differ from what the client sent. */
  #write(query: Query): number {
    const octets = composeMessage(query.message);
    this.#parts.area.octets.set(octets, this.#parts.area.at + layout.LARGE_IN);
    return octets.length;
  }

  /** The query as it leaves to be asked again, with the handoff record that belongs to it. */
  #leaving(query: Query, { zone }: Place, entry: CacheEntryRef): LeavingQuery {
    const { area, exchanges } = this.#parts;
    const bytes = this.#write(query);
    const handoffAt = area.at + layout.HANDOFFS;
    const set = (offset: number, value: number): void => {
      area.words[(handoffAt + offset) >>> 2] = value;
    };
    set(layout.HANDOFF_ZONE, zone);
    set(layout.HANDOFF_STEP, entry.below);
    set(layout.HANDOFF_HASH, entry.hash);
    set(layout.HANDOFF_FLAGS, layout.HANDOFF_WANTS_AD);
    set(layout.HANDOFF_ENTRY, entry.block);
    set(layout.HANDOFF_SEQ, entry.seq);
    set(layout.HANDOFF_LAST_MS, entry.lastMs);
    set(layout.HANDOFF_REFRESH, entry.bits);
    return {
      path: exchanges.path(query.handle),
      messageAt: area.at + layout.LARGE_IN,
      bytes,
      ...addressingOf(area, exchanges, query.handle),
      startedMs: performance.now(),
      handoffAt,
    };
  }

  #answer(): Answer {
    const { area, engine } = this.#parts;
    const answer = toAnswer(area.copy(this.#outAt(), area.word(layout.SHARD_REPLY_BYTES)), this.#plugin);
    const mark = engine.replyWithheld();
    return mark === 0 ? answer : { ...answer, withheld: mark - 1 };
  }

  #outAt(): number {
    return this.#parts.area.at + layout.LARGE_OUT;
  }
}

/** The TXT set of an owner. It is not freed while this shard is in the middle of something. */
function textsOf({ octets, words }: ShardArea, owner: number): string[] | undefined {
  const blob = Atomics.load(words, (owner + layout.OWNER_SETS) >>> 2);
  const view = new DataView(octets.buffer);
  const count = view.getUint32(blob + layout.SETS_COUNT, true);
  for (let i = 0; i < count; i++) {
    const entry = blob + layout.SETS_DIRECTORY + i * layout.SET_STRIDE;
    if (view.getUint16(entry + layout.SET_TYPE, true) !== TYPE_TXT) continue;
    const texts: string[] = [];
    let at = blob + view.getUint32(entry + layout.SET_DATA, true);
    for (let left = view.getUint16(entry + layout.SET_RECORDS, true); left > 0; left--) {
      const end = at + 2 + view.getUint16(at, true);
      texts.push(Buffer.from(octets.slice(at + 2, end)).toString('utf8'));
      at = end;
    }
    return texts;
  }
  return undefined;
}
