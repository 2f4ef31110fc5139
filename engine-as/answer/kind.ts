// What kind of answer an image is (CoreDNS's response.Typify, and plugin cache's corrections of it), and whether the
// cache may store it.

import {
  CLASS_ANY,
  EDNS_DO,
  FLAG_TC,
  HEADER_BYTES,
  OPCODE_MASK,
  OPCODE_NOTIFY,
  OPCODE_SHIFT,
  OPCODE_UPDATE,
  RCODE_NOERROR,
  RCODE_NOTIMP,
  RCODE_NXDOMAIN,
  RCODE_SERVFAIL,
  TYPE_ANY,
  TYPE_AXFR,
  TYPE_CNAME,
  TYPE_IXFR,
  TYPE_NS,
  TYPE_RRSIG,
  TYPE_SOA,
  TYPE_TSIG,
} from '../shared/codes';
import { SHARD_UNIX_SECONDS } from '../shared/layout';
import { load16, load32, lower8 } from '../wire/octets';
import { area, qclass, qtype, queryFlags } from '../wire/query';
import {
  IMAGE_CACHE_KIND,
  IMAGE_COUNTS,
  IMAGE_FLAGS,
  IMAGE_KIND,
  IMAGE_QUESTION,
  IMAGE_RCODE,
  IMAGE_RECORDS,
  IMAGE_TABLE,
  IMAGE_TRAITS,
  RECORD_FIXED,
  RECORD_START,
  RECORD_STRIDE,
  RECORD_TYPE,
  TRAIT_ANSWERS,
  TRAIT_CACHEABLE,
  TRAIT_TSIG,
  replyOptTtl,
} from './image';

export const KIND_NO_ERROR: u32 = 0;
export const KIND_NAME_ERROR: u32 = 1;
export const KIND_SERVER_ERROR: u32 = 2; // SERVFAIL and NOTIMP
export const KIND_NO_DATA: u32 = 3;
export const KIND_DELEGATION: u32 = 4;
export const KIND_META: u32 = 5; // NOTIFY, zone transfers
export const KIND_UPDATE: u32 = 6;
export const KIND_OTHER_ERROR: u32 = 7;
export const KIND_NONE: u32 = 8; // there was no reply

/** The kind of a message that is no image, by what it answers: NOTIFY and zone transfers come first (CoreDNS's Typify). */
export function kindOfAnswer(kind: u32): u32 {
  const isNotify = (queryFlags & OPCODE_MASK) >> OPCODE_SHIFT == OPCODE_NOTIFY;
  return isNotify || qtype == TYPE_AXFR || qtype == TYPE_IXFR ? KIND_META : kind;
}

/** Longest CNAME chain that counts as an answer; CoreDNS has no limit but the message's size. */
const CHAIN_MAX: u32 = 32;
const CNAMES_MAX: u32 = 64;
/** No type: a query may well ask for type 0. */
const EVERY_TYPE: u32 = 0x10000;

let hasSoa: bool = false;
let nameServers: u32 = 0;
let message: u32 = 0;
let table: u32 = 0;
let answers: u32 = 0;

/** Fills the image's kinds and traits; the OPT of its message is still known. */
export function classify(image: u32): void {
  message = image + load<u32>(image + IMAGE_QUESTION) - HEADER_BYTES; // Bounds: the image was just built
  table = image + IMAGE_TABLE;
  answers = load<u16>(image + IMAGE_COUNTS);
  const records: u32 = load<u16>(image + IMAGE_RECORDS);
  countAuthority(answers, answers + <u32>load<u16>(image + IMAGE_COUNTS + 2));
  const flags: u32 = load<u16>(image + IMAGE_FLAGS);
  const kind = kindOf(flags, load<u16>(image + IMAGE_RCODE), records);
  let cacheKind = kind;
  let isCacheable = !(flags & FLAG_TC) && kind < KIND_META;
  let traits: u32 = load<u16>(image + IMAGE_TRAITS);
  if (kind == KIND_NO_ERROR && answers) {
    if (answersQuestion()) traits |= TRAIT_ANSWERS;
    else if (hasSoa) cacheKind = KIND_NO_DATA;
    else isCacheable = false;
  }
  if (kind == KIND_NAME_ERROR && !hasSoa) isCacheable = false;
  if (isCacheable) traits |= TRAIT_CACHEABLE;
  if (records && typeOf(records - 1) == TYPE_TSIG) traits |= TRAIT_TSIG;
  store<u8>(image + IMAGE_KIND, <u8>kind);
  store<u8>(image + IMAGE_CACHE_KIND, <u8>cacheKind);
  store<u16>(image + IMAGE_TRAITS, <u16>traits);
}

function kindOf(flags: u32, rcode: u32, records: u32): u32 {
  const opcode = (flags & OPCODE_MASK) >> OPCODE_SHIFT;
  if (opcode == OPCODE_UPDATE) return KIND_UPDATE;
  if (opcode == OPCODE_NOTIFY || qtype == TYPE_AXFR || qtype == TYPE_IXFR) return KIND_META;
  if (replyOptTtl & EDNS_DO && hasExpiredSignature(records)) return KIND_OTHER_ERROR;
  if (answers && rcode == RCODE_NOERROR) return KIND_NO_ERROR;
  if (answers && rcode == RCODE_NXDOMAIN) return KIND_OTHER_ERROR;
  if (hasSoa && rcode == RCODE_NOERROR) return KIND_NO_DATA;
  if (rcode == RCODE_NXDOMAIN) return KIND_NAME_ERROR;
  if (rcode == RCODE_SERVFAIL || rcode == RCODE_NOTIMP) return KIND_SERVER_ERROR;
  if (rcode != RCODE_NOERROR) return KIND_OTHER_ERROR;
  return nameServers ? KIND_DELEGATION : KIND_NO_ERROR;
}

// Bounds of the five functions below: callers pass indices below the image's number of RRs.

@inline
function typeOf(index: u32): u32 {
  return <u32>load<u16>(table + index * RECORD_STRIDE + RECORD_TYPE);
}

@inline
function ownerOf(index: u32): u32 {
  return message + <u32>load<u16>(table + index * RECORD_STRIDE + RECORD_START);
}

@inline
function fixedOf(index: u32): u32 {
  return message + <u32>load<u16>(table + index * RECORD_STRIDE + RECORD_FIXED);
}

function classMatches(index: u32): bool {
  return qclass == CLASS_ANY || load16(fixedOf(index) + 2) == qclass;
}

function countAuthority(first: u32, behind: u32): void {
  hasSoa = false;
  nameServers = 0;
  for (let i = first; i < behind; i++) {
    const type = typeOf(i);
    if (type == TYPE_SOA) hasSoa = true;
    else if (type == TYPE_NS) nameServers++;
  }
}

/** RFC 4034 §3.1.5: the validity period in serial number arithmetic. Without a clock every signature is valid. */
function hasExpiredSignature(records: u32): bool {
  const now = load<u32>(area + SHARD_UNIX_SECONDS); // Bounds: the shard's own word
  if (!now) return false;
  for (let i: u32 = 0; i < records; i++) {
    if (typeOf(i) != TYPE_RRSIG) continue;
    const rdata = fixedOf(i) + 10;
    if (load16(rdata - 2) < 18) continue;
    // Bounds: 18 octets of rdata
    if (<i32>(load32(rdata + 8) - now) < 0 || <i32>(now - load32(rdata + 12)) < 0) return true;
  }
  return false;
}

/**
 * RFC 1034 §3.6.2: the question is answered if the asked type exists at the end of the CNAME chain that begins at the
 * qname. An owner with two different targets, a loop and a chain longer than CHAIN_MAX do not count.
 */
function answersQuestion(): bool {
  const qname = message + HEADER_BYTES;
  if (qtype == TYPE_ANY) return hasType(EVERY_TYPE, qname);
  const cnames = countCnames();
  if (qtype == TYPE_CNAME) return uniqueTarget(qname) != 0 && isUnique;
  if (cnames == 0) return hasType(qtype, qname);
  if (cnames > CNAMES_MAX) return false;
  let name = qname;
  for (let i: u32 = 0; i <= CHAIN_MAX; i++) {
    const target = uniqueTarget(name);
    if (!isUnique) return false;
    if (!target) return hasType(qtype, name);
    if (i == cnames) return false; // more steps than aliases: a loop
    name = target;
  }
  return false;
}

function countCnames(): u32 {
  let count: u32 = 0;
  for (let i: u32 = 0; i < answers; i++) if (typeOf(i) == TYPE_CNAME) count++;
  return count;
}

/** True if the answer section has an RR of this type (or EVERY_TYPE) and the asked class at `name`. */
function hasType(type: u32, name: u32): bool {
  for (let i: u32 = 0; i < answers; i++) {
    if ((type == EVERY_TYPE || typeOf(i) == type) && classMatches(i) && sameName(ownerOf(i), name)) return true;
  }
  return false;
}

let isUnique: bool = false;

/** Address of the name that `owner` is an alias of, 0 = none. isUnique is false if there are two different ones. */
function uniqueTarget(owner: u32): u32 {
  let target: u32 = 0;
  isUnique = true;
  for (let i: u32 = 0; i < answers; i++) {
    if (typeOf(i) != TYPE_CNAME || !classMatches(i) || !sameName(ownerOf(i), owner)) continue;
    const rdata = fixedOf(i) + 10;
    if (load16(rdata - 2) == 0) continue;
    if (target && !sameName(target, rdata)) {
      isUnique = false;
      return 0;
    }
    target = rdata;
  }
  return target;
}

/** Compares two names of the image in any letter case. Our own compressor wrote them: pointers lead to labels. */
function sameName(first: u32, second: u32): bool {
  let a = first;
  let b = second;
  for (let i: u32 = 0; i < 128; i++) {
    a = follow(a);
    b = follow(b);
    if (a == b) return true;
    const bytes: u32 = load<u8>(a); // Bounds: names of the image are whole
    if (bytes != <u32>load<u8>(b)) return false;
    if (bytes == 0) return true;
    for (let k: u32 = 1; k <= bytes; k++) if (lower8(load<u8>(a + k)) != lower8(load<u8>(b + k))) return false;
    a += bytes + 1;
    b += bytes + 1;
  }
  return false;
}

@inline
function follow(at: u32): u32 {
  return <u32>load<u8>(at) >= 192 ? message + (load16(at) & 0x3fff) : at; // Bounds: names of the image are whole
}
