// Every export of engine.wasm, nothing else. Addresses are byte offsets in the shared memory; `area` is the calling
// thread's own area, `listener` and `zone` are entries of the program the thread has loaded.

export { arenaAllocate, arenaFree, arenaReclaim, arenaRetire, quiesce } from './records/arena';
export { endpointsPut, reversePut } from './records/endpoints';
export { ownerPut, ownerRemove, storeCreate, storeRelease } from './records/table';
export { cacheCreate, cacheEntries, cacheIsOffered, cacheRelease } from './cache/table';

import { lookAhead, takeAhead } from './ahead';
import { settle as settleDurations } from './metrics/counters';
import { tableFind } from './records/table';
import {
  arrangeReply,
  dropMessage,
  failMessage,
  failUnrouted,
  finishMessage,
  lookupBytes,
  lookupWithheld,
  lookupCache,
  lookupRecords,
  refreshCache,
  rewriteMessage,
  storeInCache,
} from './resume';
export { withhold } from './answer/withheld';
import { answerBytes, leavesRefresh, serveMessage } from './serve';
import { OUTCOME_ANSWER, OUTCOME_DROP, OUTCOME_REFRESH, PROTO_UDP } from './shared/codes';
import {
  BATCH,
  EXCHANGE_ASKED,
  EXCHANGE_HASH,
  EXCHANGE_PROTO,
  EXCHANGE_SOCKADDR,
  EXCHANGE_STEP,
  EXCHANGE_ZONE,
  HANDOFFS,
  HANDOFF_INDEX,
  HANDOFF_OUTCOME,
  HANDOFF_STRIDE,
  MMSGHDR_LEN,
  MMSGHDR_STRIDE,
  RECEIVE_HEADERS,
  RECEIVE_NAMES,
  RECEIVE_SLOTS,
  RECEIVE_STRIDE,
  SEND_BYTES_MAX,
  SEND_SLOTS,
  SHARD_HANDOFF_COUNT,
  SHARD_REPLY_BYTES,
  SHARD_SEND_COUNT,
  SOCKADDR_STRIDE,
} from './shared/layout';
import { armReceive, layHeaders, queueSend } from './wire/headers';
import { hashOctets } from './wire/name';
import { setArea } from './wire/query';

/** Lays out the batch's message headers, iovecs and slots of an area, with the memory's native address. */
export function prepareShard(area: u32): void {
  layHeaders(area);
}

/**
 * Serves receive slots 0..count-1: fills SHARD_SEND_COUNT send headers and SHARD_HANDOFF_COUNT handoff records, and
 * arms the receive headers for the next recvmmsg().
 */
export function serve(area: u32, listener: u32, count: u32): void {
  setArea(area);
  const messages: u32 = count < <u32>BATCH ? count : <u32>BATCH;
  let sends: u32 = 0;
  let handoffs: u32 = 0;
  // Replies stand close together: with a page for each they would share the same few lines of the first-level cache.
  let to = area + SEND_SLOTS;
  lookAhead(listener, messages);
  for (let i: u32 = 0; i < messages; i++) {
    takeAhead(i);
    const at = area + RECEIVE_SLOTS + i * RECEIVE_STRIDE; // Bounds: i < BATCH
    const bytes = load<u32>(area + RECEIVE_HEADERS + i * MMSGHDR_STRIDE + MMSGHDR_LEN);
    const sockaddr = area + RECEIVE_NAMES + i * SOCKADDR_STRIDE;
    const handoff = area + HANDOFFS + handoffs * HANDOFF_STRIDE;
    const outcome = serveMessage(at, bytes, PROTO_UDP, sockaddr, listener, handoff, to, SEND_BYTES_MAX);
    if (outcome == OUTCOME_ANSWER) {
      queueSend(area, sends++, i, to, answerBytes);
      to += (answerBytes + 63) & ~63; // Bounds: at most BATCH times SEND_BYTES_MAX
    }
    if (outcome == OUTCOME_ANSWER ? leavesRefresh : outcome != OUTCOME_DROP) {
      store<u32>(handoff + HANDOFF_INDEX, i);
      store<u32>(handoff + HANDOFF_OUTCOME, outcome == OUTCOME_ANSWER ? OUTCOME_REFRESH : outcome);
      handoffs++;
    }
  }
  armReceive(area, messages);
  store<u32>(area + SHARD_SEND_COUNT, sends);
  store<u32>(area + SHARD_HANDOFF_COUNT, handoffs);
}

/**
 * Serves one message: OUTCOME_; the reply's length stands in SHARD_REPLY_BYTES, a handoff in record 0. Beside an
 * answer SHARD_HANDOFF_COUNT 1 tells of a refresh there.
 */
export function serveOne(
  area: u32, listener: u32, messageAt: u32, bytes: u32, sockaddrAt: u32, proto: u32, outAt: u32, outMax: u32,
): u32 {
  setArea(area);
  const outcome = serveMessage(messageAt, bytes, proto, sockaddrAt, listener, area + HANDOFFS, outAt, outMax);
  store<u32>(area + SHARD_REPLY_BYTES, outcome == OUTCOME_ANSWER ? answerBytes : 0);
  store<u32>(area + SHARD_HANDOFF_COUNT, leavesRefresh ? 1 : 0);
  return outcome;
}

/** See finishMessage(); 0 = nothing to send, 0xffffffff = the reply does not parse and nothing has happened. */
export function finish(
  area: u32, exchange: u32, messageAt: u32, bytes: u32, replyAt: u32, replyBytes: u32, outAt: u32, outMax: u32, elapsedMs: f64,
): u32 {
  setArea(area);
  // Bounds: an exchange of the area
  return finishMessage(
    messageAt, bytes, load<u32>(exchange + EXCHANGE_PROTO), exchange + EXCHANGE_SOCKADDR, load<u32>(exchange + EXCHANGE_ZONE),
    load<u32>(exchange + EXCHANGE_STEP), exchange + EXCHANGE_ASKED, replyAt, replyBytes, outAt, outMax, elapsedMs,
  );
}

/** Ends an exchange with a server-made error reply; returns its length. */
export function fail(
  area: u32, exchange: u32, messageAt: u32, bytes: u32, rcode: u32, outAt: u32, elapsedMs: f64,
): u32 {
  setArea(area);
  // Bounds: an exchange of the area
  return failMessage(
    messageAt, bytes, load<u32>(exchange + EXCHANGE_PROTO), exchange + EXCHANGE_SOCKADDR, load<u32>(exchange + EXCHANGE_ZONE),
    load<u32>(exchange + EXCHANGE_STEP), exchange + EXCHANGE_ASKED, rcode, outAt, elapsedMs,
  );
}

/** Ends an exchange without a reply, which is counted and logged. */
export function drop(area: u32, exchange: u32, messageAt: u32, bytes: u32, elapsedMs: f64): void {
  setArea(area);
  // Bounds: an exchange of the area
  dropMessage(
    messageAt, bytes, load<u32>(exchange + EXCHANGE_PROTO), exchange + EXCHANGE_SOCKADDR, load<u32>(exchange + EXCHANGE_ZONE),
    load<u32>(exchange + EXCHANGE_STEP), exchange + EXCHANGE_ASKED, elapsedMs,
  );
}

/** Ends an exchange as CoreDNS does where a plugin has panicked; returns the reply's length. */
export function failPanicked(area: u32, exchange: u32, messageAt: u32, bytes: u32, listener: u32, outAt: u32): u32 {
  setArea(area);
  // Bounds: an exchange of the area
  return failUnrouted(messageAt, bytes, load<u32>(exchange + EXCHANGE_PROTO), exchange + EXCHANGE_SOCKADDR, listener, outAt);
}

/**
 * A query that left with HANDOFF_REWRITTEN and has just been saved: writes it with its new question to outAt, the question
 * as it was asked and the new hash to the exchange. Returns the message's length, 0 if it does not fit.
 */
export function rewriteSaved(area: u32, exchange: u32, messageAt: u32, bytes: u32, outAt: u32, outMax: u32): u32 {
  setArea(area);
  // Bounds: an exchange of the area
  const length = rewriteMessage(
    messageAt, bytes, load<u32>(exchange + EXCHANGE_PROTO), exchange + EXCHANGE_SOCKADDR, load<u32>(exchange + EXCHANGE_ZONE),
    load<u32>(exchange + EXCHANGE_STEP), exchange + EXCHANGE_ASKED, outAt, outMax,
  );
  if (length) store<u32>(exchange + EXCHANGE_HASH, hashOctets(outAt + 2, length - 2, 0));
  return length;
}

/** Adds the durations of the answers made since the last call. */
export function settle(area: u32, elapsedMs: f64): void {
  setArea(area);
  settleDurations(elapsedMs);
}

/** Slow faces: a records step alone. Returns the result of answerRecords(); length in SHARD_REPLY_BYTES. */
export function runRecords(
  area: u32, zone: u32, step: u32, messageAt: u32, bytes: u32, sockaddrAt: u32, outAt: u32,
): u32 {
  setArea(area);
  const result = lookupRecords(messageAt, bytes, sockaddrAt, zone, step, outAt);
  store<u32>(area + SHARD_REPLY_BYTES, lookupBytes);
  return result;
}

/**
 * Slow faces: the cache's own look-up. HIT_: 0 = nothing; 1 = the reply stands at outAt, and SHARD_HANDOFF_COUNT 1
 * tells of a refresh in record 0; 2 = so does an expired entry's reply, and record 0 says which entry to verify.
 */
export function runCacheGet(
  area: u32, zone: u32, step: u32, messageAt: u32, bytes: u32, sockaddrAt: u32, outAt: u32,
): u32 {
  setArea(area);
  store<u32>(area + SHARD_HANDOFF_COUNT, 0);
  const found = lookupCache(messageAt, bytes, sockaddrAt, zone, step, outAt);
  store<u32>(area + SHARD_REPLY_BYTES, found ? lookupBytes : 0);
  return found;
}

/**
 * The reply to a refresh of the entry that a handoff record named (`bits` and the two words before it); no octets: it
 * failed. 1 = it was taken, and what a client is to see stands at outAt. `below`: a step under the cache step.
 */
export function runCacheRefresh(
  area: u32, zone: u32, below: u32, messageAt: u32, messageBytes: u32, replyAt: u32, replyBytes: u32, outAt: u32,
  block: u32, seq: u32, lastMs: u32, bits: u32,
): u32 {
  setArea(area);
  // Nobody has sent this query: an address stands nowhere, and nothing on its way looks at one.
  const isTaken = refreshCache(
    messageAt, messageBytes, area, zone, below, replyAt, replyBytes, outAt, block, seq, lastMs, bits,
  );
  store<u32>(area + SHARD_REPLY_BYTES, isTaken ? lookupBytes : 0);
  return isTaken ? 1 : 0;
}

/** Slow faces: stores a reply; 1 = what the client is to see stands at outAt. */
export function runCachePut(
  area: u32, zone: u32, step: u32, messageAt: u32, bytes: u32, sockaddrAt: u32, replyAt: u32, replyBytes: u32, outAt: u32,
): u32 {
  setArea(area);
  const isSeen = storeInCache(messageAt, bytes, sockaddrAt, zone, step, replyAt, replyBytes, outAt);
  store<u32>(area + SHARD_REPLY_BYTES, isSeen ? lookupBytes : 0);
  return isSeen ? 1 : 0;
}

/** Slow faces: 1 = the reply stands at outAt in the order of a rotate step. */
export function runArrange(
  area: u32, zone: u32, step: u32, messageAt: u32, bytes: u32, sockaddrAt: u32, replyAt: u32, replyBytes: u32, outAt: u32,
): u32 {
  setArea(area);
  const isArranged = arrangeReply(messageAt, bytes, sockaddrAt, zone, step, replyAt, replyBytes, outAt);
  store<u32>(area + SHARD_REPLY_BYTES, isArranged ? lookupBytes : 0);
  return isArranged ? 1 : 0;
}

/** Slow faces: the mark of the last look-up's reply; see withhold(). */
export function replyWithheld(): u32 {
  return lookupWithheld;
}

/** Owner handle of a key, 0 = none. */
export function ownerFind(store: u32, key: u32, keyBytes: u32): u32 {
  return tableFind(store, key, keyBytes);
}
