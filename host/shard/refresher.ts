// Questions that the cache asks again for itself: an internal exchange, without client, from the step below the cache
// on, whose reply goes to the entry it was asked for.
//
//   handoff record ─► exchange ─► relay or slow chain ─► raw reply ─► engine.runCacheRefresh()

import { PROTO_TCP } from '../../engine-as/shared/codes.ts';
import * as layout from '../../engine-as/shared/layout.ts';
import type { Engine } from '../engine/load.ts';
import type { CacheEntryRef, Endpoint, ExchangeHandle } from '../plugin/contract.ts';
import type { ShardArea } from './area.ts';
import type { ExchangeTable } from './exchanges.ts';
import type { Listening, RawReply, ReplyPath } from './generation.ts';
import type { Handoff } from './handoff.ts';
import type { LeavingQuery } from './leaving.ts';

/** Refreshes under way in the process. A hit that finds more serves what it has and leaves the refresh to a later one. */
export const REFRESHES_MAX = 8192;

export interface RefresherParts {
  readonly area: ShardArea;
  readonly engine: Pick<Engine, 'runCacheRefresh'>;
  readonly exchanges: ExchangeTable;
  readonly handoff: Handoff;
  readonly shardCount: number;
  /** Gives a saved query to the block's slow chain. */
  runSlow(handle: ExchangeHandle): void;
}

/** The query that asks again, as the engine wants it back. */
interface Asking {
  readonly zone: number;
  /** A step below the cache. */
  readonly step: number;
  readonly message: Uint8Array;
  readonly entry: CacheEntryRef;
}

export class Refresher {
  openCount = 0;
  readonly #parts: RefresherParts;
  readonly #max: number;

  constructor(parts: RefresherParts) {
    this.#parts = parts;
    this.#max = Math.ceil(REFRESHES_MAX / parts.shardCount);
  }

  /**
   * Asks again for the entry of the handoff record, with nobody waiting: as a client of a stream would, so that no
   * reply is cut.
   */
  begin(leaving: LeavingQuery): void {
    this.#ask(leaving, true, undefined);
  }

  /** Asks as the client asked; resolves with the reply that the client is to see, undefined: the entry stays. */
  verify(leaving: LeavingQuery): Promise<Uint8Array | undefined> {
    return new Promise((resolve) => this.#ask(leaving, false, resolve));
  }

  #ask(leaving: LeavingQuery, isAlone: boolean, settle: ((reply: Uint8Array | undefined) => void) | undefined): void {
    const { area, exchanges } = this.#parts;
    const entry = entryRef(area, leaving.handoffAt);
    const asking = {
      zone: area.words[(leaving.handoffAt + layout.HANDOFF_ZONE) >>> 2]!,
      step: entry.below,
      message: new Uint8Array(0) as Uint8Array,
      // CoreDNS treats a verification with a time limit like a refresh that nobody waits for
      entry: isAlone ? entry : { ...entry, bits: entry.bits | layout.REFRESH_REMOVES },
    };
    const { generation } = leaving.path.listening;
    // The program must stay until the reply has been taken, which is later than the end of the exchange
    generation.openCount++;
    this.openCount++;
    const end = (raw: RawReply | undefined): void => {
      this.openCount--;
      try {
        const reply = this.finish(asking, raw?.kind === 'message' ? raw.octets : undefined);
        settle?.(reply);
      } finally {
        generation.openCount--;
        if (generation.openCount === 0) generation.onIdle?.();
      }
    };
    // Later, because the buffers may be in use
    const takeRaw = (raw: RawReply): void => queueMicrotask(() => end(raw));
    const path = new RefreshPath(leaving.path, isAlone, takeRaw);
    const handle = this.openCount > this.#max ? 0 : exchanges.tryOpen({ ...leaving, path });
    // What was saved has the question that the cache saw, which rules may have made
    asking.message =
      handle === 0
        ? area.copy(leaving.messageAt, leaving.bytes)
        : area.copy(exchanges.offset(handle), exchanges.bytes(handle));
    if (handle === 0) {
      end(undefined);
      return;
    }
    if (isAlone) exchanges.forgetClient(handle);
    if ((entry.bits & layout.REFRESH_RELAY) !== 0) this.#parts.handoff.relay(handle);
    else this.#parts.runSlow(handle);
  }

  /** Gives a reply (undefined: there is none) to the engine; what the client is to see, undefined: the entry stays. */
  finish({ zone, step, message, entry }: Asking, reply: Uint8Array | undefined): Uint8Array | undefined {
    const { area, engine } = this.#parts;
    const messageAt = area.at + layout.LARGE_IN;
    const replyAt = messageAt + ((message.length + 7) & ~7);
    const outAt = area.at + layout.LARGE_OUT;
    const fits = reply !== undefined && replyAt + reply.length <= outAt;
    area.octets.set(message, messageAt);
    if (fits) area.octets.set(reply, replyAt);
    area.stamp(performance.now());
    const isTaken = engine.runCacheRefresh(
      area.at,
      zone,
      step,
      messageAt,
      message.length,
      replyAt,
      fits ? reply.length : 0,
      outAt,
      entry.block,
      entry.seq,
      entry.lastMs,
      entry.bits,
    );
    return isTaken === 1 ? area.copy(outAt, area.word(layout.SHARD_REPLY_BYTES)) : undefined;
  }
}

/** Reads what a handoff record says about an entry. */
export function entryRef(area: ShardArea, handoffAt: number): CacheEntryRef {
  const word = (offset: number): number => area.words[(handoffAt + offset) >>> 2]!;
  return {
    block: word(layout.HANDOFF_ENTRY),
    seq: word(layout.HANDOFF_SEQ),
    lastMs: word(layout.HANDOFF_LAST_MS),
    bits: word(layout.HANDOFF_REFRESH),
    below: word(layout.HANDOFF_STEP),
    hash: word(layout.HANDOFF_HASH),
  };
}

/** Leads to the cache instead of a client. */
class RefreshPath implements ReplyPath {
  readonly listening: Listening;
  readonly proto: number;
  readonly localAddress: string;
  readonly takeRaw: (reply: RawReply) => void;
  readonly #origin: ReplyPath;

  constructor(origin: ReplyPath, isAlone: boolean, takeRaw: (reply: RawReply) => void) {
    this.#origin = origin;
    this.listening = origin.listening;
    this.localAddress = origin.localAddress;
    this.proto = isAlone ? PROTO_TCP : origin.proto;
    this.takeRaw = takeRaw;
  }

  /** Never called: exchanges with takeRaw() end there. */
  reply(): void {}

  local(exchangeAt: number): Endpoint {
    return this.#origin.local(exchangeAt);
  }
}
