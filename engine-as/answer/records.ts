// Answers from records: positive, NODATA, NXDOMAIN, aliases inside the zone, PTR, SRV with its additional section.

import {
  FLAG_AA,
  OPCODE_NOTIFY,
  RCODE_NOERROR,
  RCODE_NXDOMAIN,
  RCODE_SERVFAIL,
  TYPE_A,
  TYPE_AAAA,
  TYPE_AXFR,
  TYPE_CNAME,
  TYPE_IXFR,
  TYPE_MX,
  TYPE_NS,
  TYPE_PTR,
  TYPE_SOA,
  TYPE_SRV,
  TYPE_TXT,
} from '../shared/codes';
import {
  CACHE_STEP_DENIAL_MAX,
  CACHE_STEP_DENIAL_MIN,
  CACHE_STEP_SERVFAIL,
  CACHE_STEP_SUCCESS_MAX,
  CACHE_STEP_SUCCESS_MIN,
  NAME_SCRATCH,
  OWNER_FLAGS,
  RECORDS_KUBERNETES,
  RECORDS_STEP_EXCEPT,
  RECORDS_STEP_FALLTHROUGH,
  RECORDS_STEP_FLAGS,
  RECORDS_STEP_SOA_TTL,
  RECORDS_STEP_STORE,
  RECORDS_STEP_TTL,
  RECORDS_STEP_ZONES,
  REVERSE_KEY,
  SET_DATA,
  SET_TTL,
  STORE_SYNCED,
  TTL_OF_STEP,
} from '../shared/layout';
import { reverseAddress } from '../records/addresses';
import { MADE_UP, OWNER_HAS_TEXT_NODATA, OWNER_NO_NODATA, OWNER_SILENT, OWNER_ZONE_CASE, findOwner, foundPod, podAddressAt, podAddressBytes, podNameAt, podNameBytes, zoneIsLower } from '../records/lookup';
import { findSet, foundBlob, isEmptyOwner } from '../records/set';
import { tableFind } from '../records/table';
import { cacheStep } from '../program/chain';
import { longestZone } from '../program/zones';
import { area, lowerAt, opcode, qnameBytes, qtype } from '../wire/query';
import { LEAVES_ZONE, NOTHING, aliasLeaves, chaseAlias } from './alias';
import { writeAddresses, writeNames, writePodService, writeServices, writeSoa, writeStrings } from './sets';
import { ANSWER, AUTHORITY, TO_QUESTION, addPlain, beginReply, endReply, needsLargeBuffer, rewind, writeAddress } from './writer';

/** Outcomes of answerRecords(). */
export const FALL: u32 = 0; // not ours, or fallthrough: the next plugin
export const POSITIVE: u32 = 1;
export const DENIAL: u32 = 2; // NODATA or NXDOMAIN
export const FAILURE: u32 = 3; // SERVFAIL with SOA: the store is not synced
export const REFUSE: u32 = 4; // zone transfers
export const CHASE: u32 = 5; // an alias leaves the zone: the slow face
export const TOO_LARGE: u32 = 6; // a reply buffer of 64 KiB is needed
export const BROKEN: u32 = 7; // SERVFAIL without a word: plugin hosts does not know the name
export const SILENT: u32 = 8; // written, but CoreDNS cannot pack it, and so does not send it

/** Length and rcode of the reply written last. */
export let replyBytes: u32 = 0;
export let replyRcode: u32 = 0;

/** The cache's TTL for what is neither answer nor denial to it, as replies to NOTIFY. */
const TTL_OF_OTHERS: u32 = 5;
const REVERSE_KEY_AT: u32 = 832; // in NAME_SCRATCH: 17 octets

/** TTL of a set as the client sees it: the cache above makes one TTL of all, within its bounds. */
function setTtl(set: u32, step: u32): u32 {
  const own = load<u32>(set + SET_TTL); // Bounds: a directory entry
  return positiveTtl(own == TTL_OF_STEP ? load<u32>(step + RECORDS_STEP_TTL) : own);
}

export function positiveTtl(ttl: u32): u32 {
  if (!cacheStep) return ttl;
  const lowest = opcode() == OPCODE_NOTIFY ? TTL_OF_OTHERS : ttl;
  return clamp(lowest, load<u32>(cacheStep + CACHE_STEP_SUCCESS_MIN), load<u32>(cacheStep + CACHE_STEP_SUCCESS_MAX));
}

function denialTtl(ttl: u32, rcode: u32): u32 {
  if (!cacheStep) return ttl;
  if (opcode() == OPCODE_NOTIFY) return positiveTtl(ttl);
  if (rcode == RCODE_SERVFAIL) return load<u32>(cacheStep + CACHE_STEP_SERVFAIL);
  return clamp(ttl, load<u32>(cacheStep + CACHE_STEP_DENIAL_MIN), load<u32>(cacheStep + CACHE_STEP_DENIAL_MAX));
}

function clamp(ttl: u32, least: u32, most: u32): u32 {
  const capped = ttl < most ? ttl : most;
  return capped > least ? capped : least;
}

/**
 * Runs a records step for the current question; writes the reply to `out` unless the outcome says otherwise.
 * `isWhole`: beyond the client's limit, for the cache.
 */
export function answerRecords(step: u32, out: u32, outMax: u32, rotate: bool, isWhole: bool): u32 {
  const zone = longestZone(load<u32>(step + RECORDS_STEP_ZONES));
  if (!zone || longestZone(load<u32>(step + RECORDS_STEP_EXCEPT))) return FALL;
  const keyBytes = qnameBytes - load<u32>(zone + 4);
  if (qtype == TYPE_AXFR || qtype == TYPE_IXFR) return REFUSE;
  beginReply(out, outMax, isWhole);
  if (qtype == TYPE_SOA) return answerSoa(step, keyBytes);
  const owner = ownerOfQuestion(step, keyBytes);
  if (!owner) return nameError(step, keyBytes);
  if (owner == MADE_UP) return answerPod(step, keyBytes);
  return answerOwner(step, zone, owner, keyBytes, rotate);
}

/** Never NXDOMAIN, never fallthrough: the record at the apex, NODATA elsewhere. */
function answerSoa(step: u32, keyBytes: u32): u32 {
  if (keyBytes) return denial(step, keyBytes, RCODE_NOERROR);
  writeSoa(ANSWER, step, 0, positiveTtl(load<u32>(step + RECORDS_STEP_SOA_TTL)));
  return finishReply(POSITIVE, RCODE_NOERROR);
}

function ownerOfQuestion(step: u32, keyBytes: u32): u32 {
  const isKubernetes = (load<u32>(step + RECORDS_STEP_FLAGS) & RECORDS_KUBERNETES) != 0;
  if (qtype == TYPE_PTR && isKubernetes) {
    const key = area + NAME_SCRATCH + REVERSE_KEY_AT;
    const bytes = reverseAddress(key + 1);
    if (bytes) {
      store<u8>(key, REVERSE_KEY);
      return tableFind(load<u32>(step + RECORDS_STEP_STORE), key, bytes + 1);
    }
  }
  const owner = findOwner(step, lowerAt, keyBytes, true);
  if (owner > MADE_UP && isKubernetes && hidesType(owner, keyBytes)) return 0;
  return owner;
}

/** Types for which CoreDNS denies an owner that exists for others: its plugin looks TXT and ns.dns up differently. */
function hidesType(owner: u32, keyBytes: u32): bool {
  const flags: u32 = load<u16>(owner + OWNER_FLAGS); // Bounds: a live owner
  if (flags & OWNER_NO_NODATA) return !findSet(owner, qtype);
  if (qtype == TYPE_TXT) return (flags & OWNER_ZONE_CASE) != 0 || (isEmptyOwner(owner) && !(flags & OWNER_HAS_TEXT_NODATA));
  return qtype == TYPE_PTR && keyBytes != 0 && (flags & OWNER_ZONE_CASE) != 0;
}

function answerOwner(step: u32, zone: u32, owner: u32, keyBytes: u32, rotate: bool): u32 {
  const isSilent = isWithheld(owner);
  let set = findSet(owner, qtype);
  if (!set) {
    if (isSilent) return finishReply(SILENT, RCODE_NOERROR);
    if (qtype == TYPE_SRV && foundPod) return answerVerifiedPod(step, owner, keyBytes);
    const isAddress = qtype == TYPE_A || qtype == TYPE_AAAA;
    set = isAddress || isFollowedInVain() ? findSet(owner, TYPE_CNAME) : 0;
    if (!set) return denial(step, keyBytes, RCODE_NOERROR);
    if (!isAddress) {
      return aliasLeaves(step, zone, foundBlob, set) ? CHASE : denial(step, keyBytes, RCODE_NOERROR);
    }
    const chased = chaseAlias(step, zone, foundBlob, set, setTtl(set, step), rotate);
    if (chased == LEAVES_ZONE) return CHASE;
    if (chased == NOTHING) rewind();
    return chased == NOTHING ? denial(step, keyBytes, RCODE_NOERROR) : finishReply(POSITIVE, RCODE_NOERROR);
  }
  // The apex NS is compared with the question's spelling, as CoreDNS does.
  if (qtype == TYPE_NS && !zoneIsLower(keyBytes)) return denial(step, keyBytes, RCODE_NOERROR);
  const ttl = setTtl(set, step);
  if (qtype == TYPE_A) writeAddresses(ANSWER, TO_QUESTION, qnameBytes, foundBlob, set, 4, ttl, rotate);
  else if (qtype == TYPE_AAAA) writeAddresses(ANSWER, TO_QUESTION, qnameBytes, foundBlob, set, 16, ttl, rotate);
  else if (qtype == TYPE_SRV) writeServices(owner, foundBlob, set, keyBytes, ttl, rotate);
  else if (qtype == TYPE_TXT) writeStrings(foundBlob, set, ttl);
  else writeNames(qtype, foundBlob, set, keyBytes, ttl);
  return finishReply(isSilent ? SILENT : POSITIVE, RCODE_NOERROR);
}

/** Names in the owner's SRV or PTR records would have an empty label in CoreDNS, which cannot pack them. */
function isWithheld(owner: u32): bool {
  const flags: u32 = load<u16>(owner + OWNER_FLAGS); // Bounds: a live owner
  return (flags & OWNER_SILENT) != 0 && (qtype == TYPE_SRV || qtype == TYPE_PTR);
}

/** Types that CoreDNS's plugin has no lookup of its own for: it looks an address up to tell NODATA from NXDOMAIN. */
function isFollowedInVain(): bool {
  return qtype != TYPE_TXT && qtype != TYPE_PTR && qtype != TYPE_MX && qtype != TYPE_SRV;
}

/** A pod of insecure mode: its own address, and for SRV what CoreDNS makes of an endpoint without a port. */
function answerPod(step: u32, keyBytes: u32): u32 {
  const type: u32 = podAddressBytes == 4 ? TYPE_A : TYPE_AAAA;
  const ttl = positiveTtl(load<u32>(step + RECORDS_STEP_TTL));
  if (qtype == type) {
    writeAddress(ANSWER, TO_QUESTION, type, ttl, podAddressAt, podAddressBytes);
    addPlain(qnameBytes, podAddressBytes);
  } else if (qtype == TYPE_SRV) {
    writePodService(podNameAt, podNameBytes, keyBytes, type, podAddressAt, podAddressBytes, ttl);
  } else return denial(step, keyBytes, RCODE_NOERROR);
  return finishReply(POSITIVE, RCODE_NOERROR);
}

/** SRV of a pod that is alone at its address, as of one that is made up: the store does not hold it. */
function answerVerifiedPod(step: u32, owner: u32, keyBytes: u32): u32 {
  const v4 = findSet(owner, TYPE_A);
  const set = v4 ? v4 : findSet(owner, TYPE_AAAA);
  if (!set) return denial(step, keyBytes, RCODE_NOERROR);
  const address = foundBlob + load<u32>(set + SET_DATA); // Bounds: a directory entry
  const ttl = positiveTtl(load<u32>(step + RECORDS_STEP_TTL));
  writePodService(podNameAt, podNameBytes, keyBytes, v4 ? TYPE_A : TYPE_AAAA, address, v4 ? 4 : 16, ttl);
  return finishReply(POSITIVE, RCODE_NOERROR);
}

function nameError(step: u32, keyBytes: u32): u32 {
  const list = load<u32>(step + RECORDS_STEP_FALLTHROUGH); // Bounds: compiled by the host
  if (list && longestZone(list)) return FALL;
  if (!atomic.load<u32>(load<u32>(step + RECORDS_STEP_STORE) + STORE_SYNCED)) {
    denial(step, keyBytes, RCODE_SERVFAIL);
    return FAILURE;
  }
  return denial(step, keyBytes, RCODE_NXDOMAIN);
}

/** NODATA or NXDOMAIN: the zone's SOA in the authority section. */
function denial(step: u32, keyBytes: u32, rcode: u32): u32 {
  writeSoa(AUTHORITY, step, keyBytes, denialTtl(load<u32>(step + RECORDS_STEP_SOA_TTL), rcode));
  return finishReply(DENIAL, rcode);
}

export function finishReply(result: u32, rcode: u32): u32 {
  if (needsLargeBuffer()) return TOO_LARGE;
  replyRcode = rcode;
  replyBytes = endReply(FLAG_AA, rcode);
  return result;
}

