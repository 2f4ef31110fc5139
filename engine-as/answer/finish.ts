// The way back up the chain: what the steps above the answering one asked for (program/chain.ts) is done to the reply.

import { EDNS_DO, RCODE_MASK, RCODE_NOERROR, RCODE_NOTIMP, RCODE_SERVFAIL } from '../shared/codes';
import { IMAGE_SCRATCH, LOG_CLASS_DENIAL, LOG_CLASS_ERROR, LOG_CLASS_SUCCESS, SLOT_NONE } from '../shared/layout';
import { cacheStore } from '../cache/insert';
import { countAnswer } from '../metrics/counters';
import { leaveLogRecord, ruleWants } from '../metrics/log';
import { blockOfZone, cacheStep, logRule, logRules, scope } from '../program/chain';
import { clampsTtl, isRestored, rewrittenRcode, rewrittenTtl } from '../program/rewrite';
import { store32 } from '../wire/octets';
import { area, askAgain, ednsFlags, hasEdns, isDo, loggedBytes, queryPad, queryPlainBytes } from '../wire/query';
import { TTL_AS_IS, emittedFlags, emittedPlainBytes, emittedRcode, relayedFlags } from './emit';
import { errorPlainBytes, replyFlags, writeError } from './error';
import { IMAGE_KIND, IMAGE_TRAITS, IMAGE_WITHHELD, TRAIT_OPT, TRAIT_STUCK, respellReply } from './image';
import {
  KIND_DELEGATION,
  KIND_NAME_ERROR,
  KIND_NO_DATA,
  KIND_NONE,
  KIND_NO_ERROR,
  KIND_OTHER_ERROR,
  KIND_SERVER_ERROR,
  kindOfAnswer,
} from './kind';
import { droppedBytes } from './opt';
import { emitAnswer, isBroken } from './rewritten';
import { withhold } from './withheld';

const BY_PLUGIN: u32 = 0;
const BY_SERVER: u32 = 1;

/** Counts and logs one answer that a plugin wrote, with the client's own OPT if it has any; `kind` is KIND_. */
export function recordAnswer(flags: u32, rcode: u32, plainBytes: u32, kind: u32, elapsedMs: f64): void {
  record(flags, rcode, plainBytes, kind, false, elapsedMs);
}

function record(flags: u32, rcode: u32, plainBytes: u32, kind: u32, keepsOpt: bool, elapsedMs: f64): void {
  countAnswer(scope, BY_PLUGIN, rcode, plainBytes, elapsedMs);
  if (logRule >= 0 && ruleWants(logRules, logRule, classOfKind(kind))) {
    // CoreDNS makes the reply's OPT of the query's, and so logs a query without the options that are not echoed.
    const queryBytes = loggedBytes ? loggedBytes + queryPad : queryPlainBytes - (keepsOpt ? 0 : droppedBytes());
    leaveLogRecord(blockOfZone(), logRule, queryBytes, flags, rcode, plainBytes, kind, elapsedMs);
  }
}

function kindOfImage(image: u32): u32 {
  // A cached one was asked with another opcode. Bounds: callers hold an image
  return kindOfAnswer(load<u8>(image + IMAGE_KIND));
}

/** LOG_CLASS_ bit of a kind (CoreDNS package response, Classify). */
function classOfKind(kind: u32): u32 {
  if (kind == KIND_NO_ERROR || kind == KIND_DELEGATION) return LOG_CLASS_SUCCESS;
  return kind == KIND_NAME_ERROR || kind == KIND_NO_DATA ? LOG_CLASS_DENIAL : LOG_CLASS_ERROR;
}

/**
 * Sends the image in IMAGE_SCRATCH, fresh from a backend, through the cache step that was passed, if any, and writes
 * the reply to `out`. Returns its length, 0 if it needs more than outMax octets.
 */
export function emitFresh(out: u32, outMax: u32, elapsedMs: f64): u32 {
  const image = area + IMAGE_SCRATCH;
  const ttl: i32 = cacheStep ? <i32>cacheStore(cacheStep) : TTL_AS_IS;
  respellReply();
  return emitAndRecord(out, outMax, ttl, relayedFlags(image, cacheStep != 0), elapsedMs);
}

/** CoreDNS would count and log the last reply, but could not send it. */
export let isWithheld: bool = false;

/**
 * Sends the image in IMAGE_SCRATCH on its way up. Returns the reply's length, 0 if it needs more than outMax octets or
 * isWithheld.
 */
export function emitAndRecord(out: u32, outMax: u32, ttl: i32, headerWord: u32, elapsedMs: f64): u32 {
  const image = area + IMAGE_SCRATCH;
  const mark: u32 = load<u16>(image + IMAGE_WITHHELD); // Bounds: an image stands there
  isWithheld = false;
  if (mark) withhold(mark); // the image may be built again for another question
  const bytes = emitAnswer(out, outMax, ttl, headerWord);
  withhold(0);
  const traits: u32 = load<u16>(image + IMAGE_TRAITS);
  const keepsOpt = (traits & TRAIT_OPT) != 0;
  if (bytes) record(emittedFlags, emittedRcode, emittedPlainBytes, kindOfImage(image), keepsOpt, elapsedMs);
  else if (isBroken) return finishError(out, RCODE_SERVFAIL, elapsedMs);
  // Rules may have made what cannot be packed
  const isMarked = mark != 0 || load<u16>(image + IMAGE_WITHHELD) != 0;
  isWithheld = bytes != 0 && (isMarked || (traits & TRAIT_STUCK) != 0);
  return isWithheld ? 0 : bytes;
}

function kindOfError(rcode: u32): u32 {
  return kindOfAnswer(rcode == RCODE_SERVFAIL || rcode == RCODE_NOTIMP ? KIND_SERVER_ERROR : KIND_OTHER_ERROR);
}

/** An error reply that a plugin wrote. */
export function finishPluginError(out: u32, rcode: u32, elapsedMs: f64): u32 {
  let code = rcode;
  if (isRestored()) {
    code = rewrittenRcode(rcode, 0);
    askAgain();
  }
  const bytes = writeError(out, code);
  recordAnswer(replyFlags() | (code & RCODE_MASK), code, errorPlainBytes, kindOfError(code), elapsedMs);
  return bytes;
}

/**
 * An error reply that no plugin wrote: the server does, and CoreDNS then counts a reply of no size. Plugin rewrite writes
 * one itself, with the OPT, if it has something to do for replies.
 */
export function finishError(out: u32, rcode: u32, elapsedMs: f64): u32 {
  if (isRestored()) {
    const code = rewrittenRcode(rcode, 0);
    askAgain();
    const length = writeError(out, code);
    if (hasEdns && clampsTtl()) clampOpt(out + errorPlainBytes, code);
    recordAnswer(replyFlags() | (code & RCODE_MASK), code, length, code ? kindOfError(code) : kindOfAnswer(KIND_NO_DATA), elapsedMs);
    return length;
  }
  const bytes = writeError(out, rcode);
  countAnswer(scope, BY_SERVER, rcode, 0, elapsedMs);
  if (logRule >= 0 && ruleWants(logRules, logRule, LOG_CLASS_ERROR)) {
    const flags = replyFlags() | (rcode & RCODE_MASK);
    leaveLogRecord(blockOfZone(), logRule, queryPlainBytes, flags, rcode, errorPlainBytes, kindOfError(rcode), elapsedMs);
  }
  return bytes;
}

/** A query that a plugin leaves without a reply: CoreDNS counts one of no size, and logs that there was none. */
export function finishDropped(elapsedMs: f64): void {
  countAnswer(scope, BY_SERVER, RCODE_NOERROR, 0, elapsedMs);
  if (logRule < 0 || !ruleWants(logRules, logRule, LOG_CLASS_ERROR)) return;
  leaveLogRecord(blockOfZone(), logRule, queryPlainBytes, 0, RCODE_NOERROR, 0, KIND_NONE, elapsedMs);
}

/** TTL rules see the OPT of a reply that plugin rewrite writes; of what they make of it the upper flag octet stays. */
function clampOpt(opt: u32, rcode: u32): void {
  const flags = (rewrittenTtl(ednsFlags) & 0xff00) | (isDo ? EDNS_DO : 0);
  store32(opt + 5, ((rcode >> 4) << 24) | flags); // Bounds: the OPT stands there
}

/** An error reply to a query that no block took: zone label "dropped". */
export function refuseUnrouted(out: u32, rcode: u32, droppedScope: u32): u32 {
  const bytes = writeError(out, rcode);
  if (droppedScope != SLOT_NONE) countAnswer(droppedScope, BY_SERVER, rcode, bytes, 0);
  return bytes;
}
