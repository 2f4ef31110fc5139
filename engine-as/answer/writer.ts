// Writes a reply RR by RR into the send slot, in the order answer, authority, additional, and stops at the first RR
// that does not fit: it and all later ones are left out and TC is set (CoreDNS core, A5). Also counts what the whole
// reply would measure uncompressed, which is what CoreDNS counts and logs.

import { FLAG_TC, HEADER_BYTES, MESSAGE_BYTES_MAX, RCODE_MASK } from '../shared/codes';
import { copyOctets, store16, store32 } from '../wire/octets';
import { qnameBytes, replyLimit } from '../wire/query';
import { replyFlags, writeHeader, writeQuestion } from './error';
import { appendOpt, optBytes } from './opt';

export const ANSWER: u32 = 0;
export const AUTHORITY: u32 = 1;
export const ADDITIONAL: u32 = 2;
/** Pointer to the question's name. */
export const TO_QUESTION: u32 = 0xc000 | HEADER_BYTES;
const RR_FIXED_BYTES: u32 = 10;

let start: u32 = 0;
let limit: u32 = 0;
let counts0: u32 = 0;
let counts1: u32 = 0;
let counts2: u32 = 0;
let isFull: bool = false;
let isShort: bool = false;
/** Where the next octet goes. */
export let at: u32 = 0;
/** Uncompressed size without OPT. */
export let plainBytes: u32 = 0;

/**
 * Begins a reply of at most `outMax` octets in `out`. `isWhole`: the client's limit does not count, because the reply
 * goes into the cache first.
 */
export function beginReply(out: u32, outMax: u32, isWhole: bool): void {
  const wanted = isWhole ? <u32>MESSAGE_BYTES_MAX : replyLimit;
  start = out;
  isShort = wanted > outMax;
  limit = out + (isShort ? outMax : wanted) - optBytes();
  rewind();
}

/** Forgets every RR written so far. */
export function rewind(): void {
  at = writeQuestion(start + HEADER_BYTES);
  counts0 = 0;
  counts1 = 0;
  counts2 = 0;
  isFull = false;
  plainBytes = at - start;
}

/** True if RRs were left out only because the buffer is smaller than what the client takes. */
export function needsLargeBuffer(): bool {
  return isFull && isShort;
}

/** Position of the next octet in the message: what a compression pointer to it holds. */
export function position(): u32 {
  return at - start;
}

/** True if `bytes` more octets fit; otherwise nothing more is written. */
export function fits(bytes: u32): bool {
  if (isFull) return false;
  if (at + bytes <= limit) return true;
  isFull = true;
  return false;
}

/**
 * Writes owner pointer, type, class IN, TTL and rdata length of an RR whose `2 + 10 + rdataBytes` octets fits()
 * has granted; the caller writes the rdata at `at` and calls endRecord().
 */
export function beginRecord(pointer: u32, type: u32, ttl: u32, rdataBytes: u32): void {
  // Bounds: granted by fits()
  if (pointer == TO_QUESTION + qnameBytes - 1) {
    // The root label itself is shorter than a pointer to it.
    store<u8>(at, 0);
    at--;
  } else store16(at, pointer);
  store16(at + 2, type);
  store16(at + 4, 1);
  store32(at + 6, ttl);
  store16(at + 10, rdataBytes);
  at += 2 + RR_FIXED_BYTES;
}

/** Octets that writeZone() takes. */
export function zoneTail(zoneBytes: u32): u32 {
  return zoneBytes == 1 ? 1 : 2;
}

/** Ends a name that lies in the question's zone: a pointer to it, or the root label. Returns where the name ends. */
export function writeZone(to: u32, zonePointer: u32, zoneBytes: u32): u32 {
  // Bounds: granted by fits()
  if (zoneBytes == 1) store<u8>(to, 0);
  else store16(to, zonePointer);
  return to + zoneTail(zoneBytes);
}

export function endRecord(section: u32, rdataBytes: u32): void {
  at += rdataBytes;
  if (section == ANSWER) counts0++;
  else if (section == AUTHORITY) counts1++;
  else counts2++;
}

/** Adds one RR to the uncompressed size. */
export function addPlain(ownerBytes: u32, rdataBytes: u32): void {
  plainBytes += ownerBytes + RR_FIXED_BYTES + rdataBytes;
}

/** An address RR (A or AAAA) with `bytes` octets of rdata from `from`. */
export function writeAddress(section: u32, pointer: u32, type: u32, ttl: u32, from: u32, bytes: u32): bool {
  if (!fits(12 + bytes)) return false;
  beginRecord(pointer, type, ttl, bytes);
  copyOctets(at, from, bytes); // Bounds: granted by fits()
  endRecord(section, bytes);
  return true;
}

/** Ends the reply: header and OPT; returns its length. */
export function endReply(flags: u32, rcode: u32): u32 {
  const end = appendOpt(at, rcode);
  const word = replyFlags() | flags | (rcode & RCODE_MASK) | (isFull ? FLAG_TC : 0);
  writeHeader(start, word, counts0, counts1, counts2 + (end == at ? 0 : 1));
  writtenFlags = word;
  return end - start;
}

/** Header word of the last reply. */
export let writtenFlags: u32 = 0;
