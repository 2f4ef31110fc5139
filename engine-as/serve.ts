// One message in, one outcome: the only control flow of the data plane.
//
//   parse ─► accept? ─► route ─► steps of the block, downwards ─► compose ─► count, log ─► OUTCOME_ANSWER
//     │         │          │            │
//   DROP     error reply  REFUSED       └► OUTCOME_RELAY or OUTCOME_SLOW: the shard saves the query, gets an answer
//                                          from elsewhere and comes back through finishMessage()

import { offerTo } from './cache/insert';
import { cacheFind, countLookup, hitTtl } from './cache/lookup';
import { hitServed, mustVerify } from './cache/refresh';
import { cachedFlags } from './answer/emit';
import { writeAccessReply, writeBadVersion, writeReject } from './answer/error';
import { emitAndRecord, emitFresh, finishDropped, finishError, isWithheld, recordAnswer, refuseUnrouted } from './answer/finish';
import { answersPlainly, findHosts, writeHosts } from './answer/hosts';
import { IMAGE_OK, imageFromMessage } from './answer/image';
import { KIND_NAME_ERROR, KIND_NO_DATA, KIND_NO_ERROR, KIND_SERVER_ERROR, kindOfAnswer } from './answer/kind';
import {
  BROKEN,
  CHASE,
  DENIAL,
  FAILURE,
  FALL,
  REFUSE,
  SILENT,
  TOO_LARGE,
  answerRecords,
  replyBytes,
  replyRcode,
} from './answer/records';
import { writeWhoami } from './answer/whoami';
import { plainBytes, writtenFlags } from './answer/writer';
import { fillHandoff, firstBelow, leaveRefresh } from './leave';
import { decideAccess, forgetAllowed, uncountAllowed } from './program/acl';
import { cacheStep, enterZone, forgetCache, passStep, order, stepAt } from './program/chain';
import { applyRules, isRestored } from './program/rewrite';
import { fitsSlowRule } from './program/slow-rules';
import { relays, watches } from './program/steps';
import { longestZone, routeQuestion } from './program/zones';
import {
  CLASS_IN,
  EDE_BLOCKED,
  EDE_FILTERED,
  MESSAGE_BYTES_MAX,
  OUTCOME_ANSWER,
  OUTCOME_DROP,
  OUTCOME_LARGE,
  OUTCOME_RELAY,
  OUTCOME_SLOW,
  RCODE_BADVERS,
  RCODE_FORMERR,
  RCODE_NOERROR,
  RCODE_NOTIMP,
  RCODE_NXDOMAIN,
  RCODE_REFUSED,
  RCODE_SERVFAIL,
  REASON_CHASE,
  REASON_END,
  REASON_FORCED,
  REASON_RELAY,
  REASON_STEP,
} from './shared/codes';
import {
  ACL_ALLOW,
  ACL_BLOCK,
  ACL_DROP,
  BLOCK_FLAGS,
  BLOCK_FORCE_SLOW,
  BLOCK_STEP_COUNT,
  CACHE_REFRESHES,
  CACHE_STEP_DISABLE_DENIAL,
  CACHE_STEP_DISABLE_SUCCESS,
  CACHE_STEP_FLAGS,
  HANDOFF_REASON,
  IMAGE_SCRATCH,
  LARGE_OUT,
  LISTENER_ANY_CLASS,
  LISTENER_DROPPED_SCOPE,
  LISTENER_FLAGS,
  LISTENER_FORCE_SLOW,
  SHARD_SLOW_REASONS,
  STEP_ACL,
  STEP_BUFSIZE,
  STEP_CACHE,
  STEP_COUNT,
  STEP_END,
  STEP_HOSTS,
  STEP_LOG,
  STEP_OP,
  STEP_PASS,
  STEP_RECORDS,
  STEP_RELAY,
  STEP_REWRITE,
  STEP_SLOW,
  STEP_SLOW_FOR,
  STEP_WATCH,
  STEP_WHOAMI,
  ZONE_BLOCK,
} from './shared/layout';
import {
  HEADER_ONLY,
  IGNORE,
  area,
  isRewritten,
  parseQuery,
  qclass,
} from './wire/query';

/** Length of the reply of the last OUTCOME_ANSWER. */
export let answerBytes: u32 = 0;
/** Beside OUTCOME_ANSWER: the handoff record tells of a cached entry that is to be asked for again. */
export let leavesRefresh: bool = false;
/** The answers of this batch have no durations yet: settle() adds them. */
const IN_BATCH: f64 = -1;

let out: u32 = 0;
let outMax: u32 = 0;

function answered(bytes: u32): u32 {
  answerBytes = bytes;
  if (bytes) return OUTCOME_ANSWER;
  return isWithheld ? OUTCOME_DROP : OUTCOME_LARGE;
}

/**
 * Serves the message of `bytes` octets at `at`. On OUTCOME_ANSWER the reply stands at `to` (answerBytes octets, at most
 * `max`); OUTCOME_LARGE asks for another call with a larger buffer; RELAY and SLOW fill the handoff record.
 */
export function serveMessage(
  at: u32, bytes: u32, transport: u32, sockaddr: u32, listener: u32, handoff: u32, to: u32, max: u32,
): u32 {
  out = to;
  outMax = max;
  leavesRefresh = false;
  const parsed = parseQuery(at, bytes, transport, sockaddr);
  if (parsed == IGNORE) return OUTCOME_DROP;
  if (parsed == RCODE_NOTIMP || parsed == RCODE_FORMERR) return answered(writeReject(out, parsed));
  const dropped = load<u32>(listener + LISTENER_DROPPED_SCOPE); // Bounds: compiled by the host
  if (parsed == HEADER_ONLY) return answered(refuseUnrouted(out, RCODE_SERVFAIL, dropped));
  const flags = load<u32>(listener + LISTENER_FLAGS);
  if (qclass != CLASS_IN && !(flags & LISTENER_ANY_CLASS)) return answered(refuseUnrouted(out, RCODE_REFUSED, dropped));
  if (parsed == RCODE_BADVERS) return answered(writeBadVersion(out, RCODE_BADVERS));
  const zone = routeQuestion(listener);
  if (!zone || !load<u32>(load<u32>(zone + ZONE_BLOCK) + BLOCK_STEP_COUNT)) {
    return answered(refuseUnrouted(out, RCODE_REFUSED, dropped));
  }
  enterZone(zone);
  forgetAllowed();
  const blockFlags = load<u32>(load<u32>(zone + ZONE_BLOCK) + BLOCK_FLAGS); // Bounds: compiled by the host
  const isForced = (flags & LISTENER_FORCE_SLOW) != 0 || (blockFlags & BLOCK_FORCE_SLOW) != 0;
  const outcome = runSteps(zone, handoff, isForced);
  if (outcome == OUTCOME_LARGE) uncountAllowed();
  return outcome;
}

/** The question's way down the chain. Ends at STEP_END at the latest, which every block has. */
function runSteps(zone: u32, handoff: u32, isForced: bool): u32 {
  const count = load<u32>(load<u32>(zone + ZONE_BLOCK) + BLOCK_STEP_COUNT); // Bounds: compiled by the host
  for (let index: u32 = 0; index < count; index++) {
    const step = stepAt(index);
    const op = load<u32>(step + STEP_OP);
    if (op == STEP_PASS || op == STEP_COUNT || op == STEP_LOG || op == STEP_BUFSIZE) {
      passStep(step);
      continue;
    }
    if (isForced) return handOver(OUTCOME_SLOW, REASON_FORCED, zone, index, handoff);
    if (op == STEP_REWRITE) {
      if (!applyRules(step)) return handOver(OUTCOME_SLOW, REASON_STEP, zone, index, handoff);
      continue;
    }
    if (op == STEP_CACHE) {
      passStep(step);
      const outcome: u32 = cacheStep ? runCacheStep(step, zone, index, handoff) : NEXT;
      if (outcome != NEXT) return outcome;
      continue;
    }
    if (passStep(step)) continue;
    const outcome = runStep(step, op, zone, index, handoff);
    if (outcome != NEXT) return outcome;
  }
  return OUTCOME_DROP;
}

const NEXT: u32 = 0x100;

/** A step that may end the question's way; NEXT = it does not. */
function runStep(step: u32, op: u32, zone: u32, index: u32, handoff: u32): u32 {
  if (op == STEP_RECORDS) return runRecordsStep(step, zone, index, handoff);
  if (op == STEP_HOSTS) return runHostsStep(step, zone, index, handoff);
  if (op == STEP_RELAY) return relays(step) ? handOver(OUTCOME_RELAY, REASON_RELAY, zone, index, handoff) : NEXT;
  if (op == STEP_WATCH) return watches(step) ? handOver(OUTCOME_SLOW, REASON_STEP, zone, index, handoff) : NEXT;
  if (op == STEP_WHOAMI) return answerWhoami();
  if (op == STEP_ACL) return runAclStep(step);
  if (op == STEP_SLOW_FOR) return fitsSlowRule(step) ? handOver(OUTCOME_SLOW, REASON_STEP, zone, index, handoff) : NEXT;
  if (op == STEP_SLOW) return handOver(OUTCOME_SLOW, REASON_STEP, zone, index, handoff);
  if (op == STEP_END) return handOver(OUTCOME_SLOW, REASON_END, zone, index, handoff);
  return NEXT;
}

/** Looks the question up, unless nothing can be stored for its name: then it only counts. */
function runCacheStep(step: u32, zone: u32, index: u32, handoff: u32): u32 {
  isStorable = mayBeStored();
  if (!isStorable || !cacheFind(step)) {
    countLookup(step, false);
    return NEXT;
  }
  const flags = load<u32>(step + CACHE_STEP_FLAGS); // Bounds: compiled by the host
  if (flags & CACHE_REFRESHES && mustVerify(step)) {
    // The slow face looks the question up again, counts it, and asks below with AD.
    forgetCache();
    return handOver(OUTCOME_SLOW, REASON_STEP, zone, index, handoff);
  }
  const below: u32 = flags & CACHE_REFRESHES ? firstBelow(index) : 0;
  const bytes = emitAndRecord(out, outMax, <i32>hitTtl, cachedFlags(area + IMAGE_SCRATCH), IN_BATCH);
  if (!bytes && !isWithheld) return OUTCOME_LARGE;
  countLookup(step, true);
  if (isWithheld) return OUTCOME_DROP;
  if (flags & CACHE_REFRESHES && hitServed(step)) leavesRefresh = leaveRefresh(step, zone, below, handoff);
  return answered(bytes);
}

function runRecordsStep(step: u32, zone: u32, index: u32, handoff: u32): u32 {
  if (order > 1 || isRestored() || isStored()) return runStoredRecords(step, zone, index, handoff);
  const result = answerRecords(step, out, outMax, order == 1, false);
  if (result == FALL) return NEXT;
  if (result == REFUSE) return answered(finishError(out, RCODE_REFUSED, IN_BATCH));
  if (result == CHASE || result == SILENT) return handOver(OUTCOME_SLOW, REASON_CHASE, zone, index, handoff);
  if (result == TOO_LARGE) return OUTCOME_LARGE;
  if (cacheStep) offerTo(cacheStep);
  recordAnswer(writtenFlags, replyRcode, plainBytes, kindOfRecords(result), IN_BATCH);
  return answered(replyBytes);
}

function kindOfRecords(result: u32): u32 {
  if (result == FAILURE) return kindOfAnswer(KIND_SERVER_ERROR);
  if (result != DENIAL) return kindOfAnswer(KIND_NO_ERROR);
  return kindOfAnswer(replyRcode == RCODE_NXDOMAIN ? KIND_NAME_ERROR : KIND_NO_DATA);
}

/** mayBeStored() of the question as it was asked, which the cache step has found out. */
let isStorable: bool = false;

/** False if the cache stores neither success nor denial for this name: the usual case for the cluster's own zone. */
function mayBeStored(): bool {
  // Bounds: compiled by the host
  return (
    !longestZone(load<u32>(cacheStep + CACHE_STEP_DISABLE_SUCCESS)) ||
    !longestZone(load<u32>(cacheStep + CACHE_STEP_DISABLE_DENIAL))
  );
}

/** The same below the cache step. */
function isStored(): bool {
  return cacheStep != 0 && (isRewritten ? mayBeStored() : isStorable);
}

/** Records whose answer the cache above keeps, or another order changes: composed whole, then sent like any other reply. */
function runStoredRecords(step: u32, zone: u32, index: u32, handoff: u32): u32 {
  const whole = area + LARGE_OUT;
  const result = answerRecords(step, whole, MESSAGE_BYTES_MAX, false, true);
  if (result == FALL) return NEXT;
  if (result == REFUSE) return answered(finishError(out, RCODE_REFUSED, IN_BATCH));
  if (result == CHASE || result == SILENT) return handOver(OUTCOME_SLOW, REASON_CHASE, zone, index, handoff);
  if (imageFromMessage(whole, replyBytes, order, false) != IMAGE_OK) return answered(finishError(out, RCODE_SERVFAIL, IN_BATCH));
  return answered(emitFresh(out, outMax, IN_BATCH));
}

/** Names of a hosts file: straight into the reply where that is what CoreDNS's packer makes of them. */
function runHostsStep(step: u32, zone: u32, index: u32, handoff: u32): u32 {
  const found = findHosts(step);
  if (found == FALL) return NEXT;
  if (found == BROKEN) return answered(finishError(out, RCODE_SERVFAIL, IN_BATCH));
  if (found == SILENT) return handOver(OUTCOME_SLOW, REASON_STEP, zone, index, handoff);
  if (order <= 1 && !isRestored() && answersPlainly() && !isStored()) {
    if (writeHosts(step, out, outMax, order == 1, false) == TOO_LARGE) return OUTCOME_LARGE;
    if (cacheStep) offerTo(cacheStep);
    recordAnswer(writtenFlags, replyRcode, plainBytes, kindOfAnswer(KIND_NO_ERROR), IN_BATCH);
    return answered(replyBytes);
  }
  const whole = area + LARGE_OUT;
  writeHosts(step, whole, MESSAGE_BYTES_MAX, false, true);
  if (imageFromMessage(whole, replyBytes, order, false) != IMAGE_OK) return answered(finishError(out, RCODE_SERVFAIL, IN_BATCH));
  return answered(emitFresh(out, outMax, IN_BATCH));
}

function answerWhoami(): u32 {
  if (cacheStep || order || isRestored()) {
    const whole = area + LARGE_OUT;
    const bytes = writeWhoami(whole, MESSAGE_BYTES_MAX);
    if (imageFromMessage(whole, bytes, order, false) == IMAGE_OK) return answered(emitFresh(out, outMax, IN_BATCH));
  }
  const bytes = writeWhoami(out, outMax);
  recordAnswer(writtenFlags, 0, plainBytes, kindOfAnswer(KIND_NO_ERROR), IN_BATCH);
  return answered(bytes);
}

/** Refuses the question, or answers it with nothing, or not at all; NEXT = it is allowed. */
function runAclStep(step: u32): u32 {
  const action = decideAccess(step);
  if (action == ACL_ALLOW) return NEXT;
  if (action == ACL_DROP) {
    finishDropped(IN_BATCH);
    return OUTCOME_DROP;
  }
  const isBlocked = action == ACL_BLOCK;
  const whole = area + LARGE_OUT;
  const bytes = writeAccessReply(whole, isBlocked ? RCODE_REFUSED : RCODE_NOERROR, isBlocked ? EDE_BLOCKED : EDE_FILTERED);
  if (imageFromMessage(whole, bytes, order, cacheStep == 0) == IMAGE_OK) return answered(emitFresh(out, outMax, IN_BATCH));
  return answered(finishError(out, RCODE_SERVFAIL, IN_BATCH));
}

function handOver(outcome: u32, reason: u32, zone: u32, index: u32, handoff: u32): u32 {
  if (!fillHandoff(handoff, outcome, zone, index)) return answered(writeReject(out, RCODE_FORMERR));
  store<u32>(handoff + HANDOFF_REASON, reason); // Bounds: a handoff record of the shard's area
  const counter = area + SHARD_SLOW_REASONS + reason * 4;
  store<u32>(counter, load<u32>(counter) + 1);
  return outcome;
}
