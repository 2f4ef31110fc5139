// The second half of a query that left the fast face: its saved octets are parsed again, the steps above are passed
// again, and the answer found elsewhere goes their way. Also the engine's look-ups for slow faces.

import { cacheLookup, hitTtl } from './cache/lookup';
import { cacheStore, wasStored } from './cache/insert';
import { beginVerify, endRefresh, hitServed, mustVerify, takeRefreshed } from './cache/refresh';
import { TTL_AS_IS, cachedFlags, emitImage, relayedFlags } from './answer/emit';
import { emitFresh, finishDropped, finishError, finishPluginError, refuseUnrouted } from './answer/finish';
import { answerHosts } from './answer/hosts';
import {
  IMAGE_MISMATCH,
  IMAGE_OK,
  IMAGE_WITHHELD,
  imageFromMessage,
  respellHit,
  respellReply,
} from './answer/image';
import { FAILURE, POSITIVE, REFUSE, SILENT, answerRecords, replyBytes } from './answer/records';
import { withhold } from './answer/withheld';
import { firstBelow, leaveRefresh } from './leave';
import { cacheStep, enterZone, order, passStep, stepAt } from './program/chain';
import { isRestored } from './program/rewrite';
import { HEADER_BYTES, MESSAGE_BYTES_MAX, PROTO_TCP, RCODE_FORMERR, RCODE_SERVFAIL } from './shared/codes';
import {
  ASKED_BY_ENGINE,
  ASKED_CLASS,
  ASKED_FLAGS,
  ASKED_NAME,
  ASKED_NAME_BYTES,
  ASKED_PLAIN,
  ASKED_RESTORED,
  ASKED_TYPE,
  HANDOFFS,
  IMAGE_SCRATCH,
  LISTENER_DROPPED_SCOPE,
  REFRESH_REMOVES,
  REFRESH_STALE,
  SHARD_HANDOFF_COUNT,
  STEP_BUFSIZE,
  STEP_CACHE,
  STEP_HOSTS,
  STEP_OP,
  STEP_ROTATE,
} from './shared/layout';
import { sameOctets, skipName } from './wire/name';
import { load16, lower8 } from './wire/octets';
import { packQuery } from './wire/repack';
import {
  PARSED,
  area,
  askedClass,
  askedNameAt,
  askedNameBytes,
  askedPlainBytes,
  askedType,
  hasEdns,
  isRewritten,
  lowerAt,
  parseSaved,
  qnameAt,
  qnameBytes,
  seenClass,
  seenNameAt,
  seenType,
  takeAsked,
  takeQuestion,
} from './wire/query';

/** Length of the reply that the last look-up wrote. */
export let lookupBytes: u32 = 0;
/** Its mark, see withhold(): whether CoreDNS could pack it. */
export let lookupWithheld: u32 = 0;

/**
 * Brings the registers back to where a saved query left: parsed, routed, the steps above `index` passed. `asked` is the
 * exchange's block with the question as it was asked, if plugin rewrite has changed it.
 */
function resume(at: u32, bytes: u32, transport: u32, sockaddr: u32, zone: u32, index: u32, asked: u32): bool {
  if (parseSaved(at, bytes, transport, sockaddr) != PARSED) return false;
  const isAsked = load<u32>(asked + ASKED_NAME_BYTES) != 0; // Bounds: part of an exchange
  if (isAsked) takeAsked(asked);
  enterZone(zone);
  for (let i: u32 = 0; i < index; i++) {
    // The saved message has the lowered size; an OPT that plugin rewrite has made below bufsize keeps its own
    if (load<u32>(stepAt(i) + STEP_OP) != STEP_BUFSIZE) passStep(stepAt(i)); // Bounds: compiled by the host
  }
  if (isAsked && !(load<u32>(asked + ASKED_FLAGS) & ASKED_RESTORED)) takeQuestion(seenNameAt, seenType, seenClass);
  return true;
}

const UNPARSABLE: u32 = 0xffffffff;

/**
 * Ends a query that left the fast face at step `index` with the reply message at `reply`. Returns the length of what
 * stands at `to` (at least 64 KiB), or UNPARSABLE: the reply is no message, and nothing has happened.
 */
export function finishMessage(
  at: u32, bytes: u32, transport: u32, sockaddr: u32, zone: u32, index: u32, asked: u32,
  reply: u32, replyLength: u32, to: u32, max: u32, elapsedMs: f64,
): u32 {
  if (!resume(at, bytes, transport, sockaddr, zone, index, asked)) return 0;
  const result = imageFromMessage(reply, replyLength, order, cacheStep == 0);
  if (result != IMAGE_OK) withhold(0);
  if (result == IMAGE_OK) {
    const length = emitFresh(to, max, elapsedMs);
    if (length && !isRestored()) echoQuestion(reply, replyLength, to);
    return length;
  }
  if (result == IMAGE_MISMATCH && questionParses(reply, reply + replyLength)) {
    // CoreDNS plugin forward: a reply to another question becomes FORMERR.
    return finishPluginError(to, RCODE_FORMERR, elapsedMs);
  }
  return UNPARSABLE;
}

/** The client gets its question as the upstream has spelt it (CoreDNS plugin forward). */
function echoQuestion(reply: u32, replyLength: u32, to: u32): void {
  const bytes: u32 = qnameBytes;
  if (<u32>HEADER_BYTES + bytes > replyLength || load16(to + 4) == 0) return;
  const from = reply + HEADER_BYTES;
  const question = to + HEADER_BYTES;
  for (let i: u32 = 0; i < bytes; i++) {
    // Bounds: i < bytes; `to` begins with the query's own question
    if (lower8(load<u8>(from + i)) != lower8(load<u8>(question + i))) return;
  }
  memory.copy(question, from, bytes);
}

/** False where CoreDNS's library finds no question to compare, but an error. It may end behind its name or its type. */
function questionParses(reply: u32, end: u32): bool {
  if (reply + HEADER_BYTES > end) return false;
  if (load16(reply + 4) == 0 || reply + HEADER_BYTES == end) return true; // Bounds: the header is whole
  const behind = skipName(reply, reply + HEADER_BYTES, end);
  return behind != 0 && (behind == end || behind + 2 == end || behind + 4 <= end);
}

/**
 * Puts the question that the steps above `index` make into a saved query that has just left the fast face: writes the
 * message to `to`, with `room` octets, and the question as it was asked to the block at `asked`. Returns the message's
 * length, 0 if it does not fit.
 */
export function rewriteMessage(
  at: u32, bytes: u32, transport: u32, sockaddr: u32, zone: u32, index: u32, asked: u32, to: u32, room: u32,
): u32 {
  if (!resume(at, bytes, transport, sockaddr, zone, index, asked) || !isRewritten) return 0;
  // Bounds: part of an exchange
  store<u32>(asked + ASKED_NAME_BYTES, askedNameBytes);
  store<u16>(asked + ASKED_TYPE, <u16>askedType);
  store<u16>(asked + ASKED_CLASS, <u16>askedClass);
  store<u32>(asked + ASKED_PLAIN, askedPlainBytes);
  store<u32>(asked + ASKED_FLAGS, isRestored() ? ASKED_BY_ENGINE | ASKED_RESTORED : ASKED_BY_ENGINE);
  memory.copy(asked + ASKED_NAME, askedNameAt, askedNameBytes);
  return packQuery(to, room);
}

/** Ends it with an error reply that the server makes. */
export function failMessage(
  at: u32, bytes: u32, transport: u32, sockaddr: u32, zone: u32, index: u32, asked: u32, rcode: u32, to: u32, elapsedMs: f64,
): u32 {
  if (!resume(at, bytes, transport, sockaddr, zone, index, asked)) return 0;
  return finishError(to, rcode, elapsedMs);
}

/** Ends it without a reply, as a plugin wants it. */
export function dropMessage(
  at: u32, bytes: u32, transport: u32, sockaddr: u32, zone: u32, index: u32, asked: u32, elapsedMs: f64,
): void {
  if (resume(at, bytes, transport, sockaddr, zone, index, asked)) finishDropped(elapsedMs);
}

/** Ends it where a plugin has panicked: as it is by now, in zone="dropped", and no plugin hears of it. */
export function failUnrouted(at: u32, bytes: u32, transport: u32, sockaddr: u32, listener: u32, to: u32): u32 {
  if (parseSaved(at, bytes, transport, sockaddr) != PARSED) return 0;
  return refuseUnrouted(to, RCODE_SERVFAIL, load<u32>(listener + LISTENER_DROPPED_SCOPE)); // Bounds: compiled by the host
}

// Look-ups parse the query as one of a stream, so that the client's limit does not cut what other plugins will see.

/** For slow faces: the one step alone, its reply at `to` without counting, logging or caching. */
export function lookupRecords(at: u32, bytes: u32, sockaddr: u32, zone: u32, index: u32, to: u32): u32 {
  lookupWithheld = 0;
  if (parseSaved(at, bytes, PROTO_TCP, sockaddr) != PARSED) return REFUSE;
  enterZone(zone);
  const step = stepAt(index);
  const isHosts = load<u32>(step + STEP_OP) == STEP_HOSTS; // Bounds: compiled by the host
  const result = isHosts
    ? answerHosts(step, to, MESSAGE_BYTES_MAX)
    : answerRecords(step, to, MESSAGE_BYTES_MAX, false, true);
  lookupBytes = (result >= POSITIVE && result <= FAILURE) || result == SILENT ? replyBytes : 0;
  if (result == SILENT) lookupWithheld = 1;
  // Every record of such a reply from a cluster has a name with an empty label, which takes an octet
  // Bounds: a reply's header
  if (result == SILENT && !isHosts) lookupWithheld += load16(to + 6) + load16(to + 10) - (hasEdns ? 1 : 0);
  return result;
}

/** What the cache's slow face finds. */
const HIT_NONE: u32 = 0;
const HIT: u32 = 1;
const HIT_VERIFY: u32 = 2;

/** For the cache's slow face: HIT_, with a hit's reply at `to` and the handoff record 0 filled if it needs one. */
export function lookupCache(at: u32, bytes: u32, sockaddr: u32, zone: u32, index: u32, to: u32): u32 {
  if (!enterCache(at, bytes, sockaddr, zone, index + 1)) return HIT_NONE;
  const step = cacheStep;
  if (!cacheLookup(step)) return HIT_NONE;
  const image = area + IMAGE_SCRATCH;
  lookupWithheld = load<u16>(image + IMAGE_WITHHELD); // Bounds: an image stands there
  lookupBytes = emitImage(image, to, MESSAGE_BYTES_MAX, <i32>hitTtl, cachedFlags(image), 0);
  if (!lookupBytes) return HIT_NONE;
  const below = firstBelow(index);
  if (mustVerify(step) && beginVerify(step) && leaveRefresh(step, zone, below, area + HANDOFFS)) return HIT_VERIFY;
  if (hitServed(step) && leaveRefresh(step, zone, below, area + HANDOFFS)) store<u32>(area + SHARD_HANDOFF_COUNT, 1);
  return HIT;
}

/** For the cache's slow face: stores the reply if it may be stored and writes what the client is to see to `to`. */
export function storeInCache(
  at: u32, bytes: u32, sockaddr: u32, zone: u32, index: u32, reply: u32, replyLength: u32, to: u32,
): bool {
  if (!enterCache(at, bytes, sockaddr, zone, index + 1) || imageFromMessage(reply, replyLength, order, false) != IMAGE_OK) {
    withhold(0);
    return false;
  }
  const image = area + IMAGE_SCRATCH;
  const ttl = <i32>cacheStore(cacheStep);
  respellReply();
  withhold(0);
  lookupWithheld = load<u16>(image + IMAGE_WITHHELD);
  lookupBytes = emitImage(image, to, MESSAGE_BYTES_MAX, ttl, relayedFlags(image, true), 0);
  if (lookupBytes) echoQuestion(reply, replyLength, to);
  return lookupBytes != 0;
}

/** For loadbalance's slow face: the reply in the step's order at `to`. */
export function arrangeReply(
  at: u32, bytes: u32, sockaddr: u32, zone: u32, index: u32, reply: u32, replyLength: u32, to: u32,
): bool {
  if (parseSaved(at, bytes, PROTO_TCP, sockaddr) != PARSED) return false;
  enterZone(zone);
  passStep(stepAt(index));
  if (imageFromMessage(reply, replyLength, order, false) != IMAGE_OK) return false;
  respellReply();
  const image = area + IMAGE_SCRATCH;
  lookupWithheld = 0;
  lookupBytes = emitImage(image, to, MESSAGE_BYTES_MAX, TTL_AS_IS, relayedFlags(image, false), order);
  if (lookupBytes) echoQuestion(reply, replyLength, to);
  return lookupBytes != 0;
}

/**
 * The query as the cache sees it, as one of a stream, having passed the cache step that is the last of its kind before
 * `behind`; false: that is not for it.
 */
function enterCache(at: u32, bytes: u32, sockaddr: u32, zone: u32, behind: u32): bool {
  if (parseSaved(at, bytes, PROTO_TCP, sockaddr) != PARSED) return false;
  enterZone(zone);
  for (let i: u32 = 0; i < behind; i++) {
    const op = load<u32>(stepAt(i) + STEP_OP); // Bounds: compiled by the host
    if (op == STEP_ROTATE || op == STEP_CACHE) passStep(stepAt(i));
  }
  return cacheStep != 0;
}

/**
 * The reply to a query that asked again for the cached entry at `block`, `below` the cache step; without octets it has
 * failed. True: it was taken, and what a client is to see stands at `to`.
 */
export function refreshCache(
  at: u32, bytes: u32, sockaddr: u32, zone: u32, below: u32, reply: u32, replyLength: u32, to: u32,
  block: u32, seq: u32, lastMs: u32, bits: u32,
): bool {
  if (!enterCache(at, bytes, sockaddr, zone, below)) return false;
  const image = area + IMAGE_SCRATCH;
  let ttl: i32 = -1;
  if (replyLength && imageFromMessage(reply, replyLength, order, false) == IMAGE_OK) {
    ttl = takeRefreshed(cacheStep, image, block, seq, bits, lastMs);
  }
  const isFailed = ttl < 0 && (bits & REFRESH_STALE) != 0;
  endRefresh(cacheStep, block, seq, bits, isFailed);
  if (ttl < 0) return false;
  // With a time limit the client is served from the entry, without one by the reply.
  const isFromEntry = (bits & REFRESH_REMOVES) != 0 && wasStored;
  if (isFromEntry) {
    if (!sameOctets(qnameAt, lowerAt, qnameBytes) && !respellHit(order)) return false;
  } else respellReply();
  const flags = isFromEntry ? cachedFlags(image) : relayedFlags(image, true);
  lookupWithheld = isFromEntry ? load<u16>(image + IMAGE_WITHHELD) : 0; // Bounds: an image stands there
  lookupBytes = emitImage(image, to, MESSAGE_BYTES_MAX, ttl, flags, 0);
  if (lookupBytes && !isFromEntry) echoQuestion(reply, replyLength, to);
  return lookupBytes != 0;
}
