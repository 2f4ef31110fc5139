// What an upstream's reply looks like from outside: is it whole, which rcode, may it go to the client as it is.
// Nothing is allocated; the engine reads the records themselves when it takes the reply over.

import { FLAG_TC, HEADER_BYTES, TYPE_OPT, UDP_PAYLOAD_MIN } from '../../../engine-as/shared/codes.ts';

/** All counted records lie within the message. */
export const REPLY_WHOLE = 0;
/** The records run over the end: CoreDNS answers the client with an empty message and TC. */
export const REPLY_CUT = 1;
/** No message: the attempt has failed. */
export const REPLY_BROKEN = 2;

const CUT = -1;
const BROKEN = -2;
const RECORD_FIXED_BYTES = 10;

/** The findings about the reply that was scanned last. */
export class ReplyScan {
  /** All twelve bits (RFC 6891 §6.1.3). */
  rcode = 0;
  isTruncated: boolean = false;
  answerCount = 0;
  /** Offset behind the question section. */
  questionEnd = 0;
  /** Why it is REPLY_BROKEN, in the words of CoreDNS's DNS library. */
  problem = '';

  /** @param bytes at least HEADER_BYTES, all of them readable from `at` on. */
  scan(octets: Uint8Array, at: number, bytes: number): number {
    const end = at + bytes;
    this.rcode = octets[at + 3]! & 0x0f;
    this.isTruncated = (octets[at + 2]! & (FLAG_TC >> 8)) !== 0;
    this.answerCount = u16(octets, at + 6);
    this.questionEnd = at + HEADER_BYTES;
    // A bare header is complete whatever it counts (some servers answer REFUSED that way)
    if (bytes === HEADER_BYTES) return REPLY_WHOLE;
    const records = this.answerCount + u16(octets, at + 8);
    const additional = u16(octets, at + 10);
    let cursor = at + HEADER_BYTES;
    // Bounds: every step moves the cursor or ends; a message that ends where a record would begin is complete.
    for (let i = u16(octets, at + 4); i > 0 && cursor < end; i--) {
      cursor = skipName(octets, cursor, end);
      if (cursor < 0) {
        this.problem = `bad question name: dns: ${cursor === CUT ? 'buffer size too small' : 'bad rdata'}`;
        return REPLY_BROKEN;
      }
      cursor = Math.min(cursor + 4, end);
    }
    this.questionEnd = cursor;
    for (let i = 0; i < records + additional && cursor < end; i++) {
      const fixed = skipName(octets, cursor, end);
      if (fixed === BROKEN) {
        this.problem = 'dns: bad rdata';
        return REPLY_BROKEN;
      }
      if (fixed === CUT || fixed + RECORD_FIXED_BYTES > end) return REPLY_CUT;
      cursor = fixed + RECORD_FIXED_BYTES + u16(octets, fixed + 8);
      if (cursor > end) return REPLY_CUT;
      if (i >= records && u16(octets, fixed) === TYPE_OPT) this.rcode |= octets[fixed + 4]! << 4;
    }
    return REPLY_WHOLE;
  }
}

/**
 * Whether every owner name leads to its end. CoreDNS takes a name that does not for a failed attempt, other damage of a
 * UDP reply for a cut. The scan must have found the reply whole.
 */
export function ownersEnd(octets: Uint8Array, at: number, bytes: number): boolean {
  const end = at + bytes;
  const counts = u16(octets, at + 6) + u16(octets, at + 8) + u16(octets, at + 10);
  let cursor = at + HEADER_BYTES;
  for (let i = u16(octets, at + 4); i > 0 && cursor < end; i--)
    cursor = Math.min(skipName(octets, cursor, end) + 4, end);
  for (let i = 0; i < counts && cursor < end; i++) {
    if (!nameEnds(octets, at, cursor, end)) return false;
    const fixed = skipName(octets, cursor, end);
    cursor = fixed + RECORD_FIXED_BYTES + u16(octets, fixed + 8);
  }
  return true;
}

const POINTERS_MAX = 126;

/** False: a loop of pointers. A pointer beyond the end is a cut. */
function nameEnds(octets: Uint8Array, start: number, from: number, end: number): boolean {
  let cursor = from;
  let pointers = 0;
  while (cursor + 1 < end) {
    const octet = octets[cursor]!;
    if (octet === 0) return true;
    if (octet < 0xc0) cursor += octet + 1;
    else if (++pointers > POINTERS_MAX) return false;
    else cursor = start + (u16(octets, cursor) & 0x3fff);
  }
  return true;
}

/** Makes the reply empty with TC set, in place; returns its new length. The scan must be of this reply. */
export function emptyWithTc(octets: Uint8Array, at: number, scan: ReplyScan): number {
  octets[at + 2]! |= FLAG_TC >> 8;
  scan.isTruncated = true;
  scan.answerCount = 0;
  octets.fill(0, at + 6, at + HEADER_BYTES);
  return scan.questionEnd - at;
}

/** Whether both messages ask the same one question and the second is a reply (RFC 5452 §9.1), case aside. */
export function repeatsQuestion(query: Uint8Array, queryAt: number, octets: Uint8Array, at: number, bytes: number) {
  if ((octets[at + 2]! & 0x80) === 0 || u16(octets, at + 4) !== 1) return false;
  let i = HEADER_BYTES;
  // Bounds: the query was checked when it came in; the reply is read below its length only.
  for (;;) {
    const label = query[queryAt + i]!;
    if (i + label + 5 > bytes || octets[at + i] !== label) return false;
    if (label === 0) break;
    for (let k = i + 1; k <= i + label; k++) {
      if (folded(query[queryAt + k]!) !== folded(octets[at + k]!)) return false;
    }
    i += label + 1;
  }
  for (let k = i + 1; k <= i + 4; k++) if (query[queryAt + k] !== octets[at + k]) return false;
  return true;
}

/** What the client takes over UDP: the payload size of its OPT, at least 512 (RFC 6891 §6.2.3). */
export function payloadBytes(query: Uint8Array, at: number, bytes: number): number {
  const end = at + bytes;
  let cursor = at + HEADER_BYTES;
  for (let i = u16(query, at + 4); i > 0 && cursor < end; i--) {
    cursor = skipName(query, cursor, end);
    if (cursor < 0) return UDP_PAYLOAD_MIN;
    cursor += 4;
  }
  let size = 0;
  for (let i = u16(query, at + 6) + u16(query, at + 8) + u16(query, at + 10); i > 0 && cursor < end; i--) {
    const fixed = skipName(query, cursor, end);
    if (fixed < 0 || fixed + RECORD_FIXED_BYTES > end) break;
    if (u16(query, fixed) === TYPE_OPT) size = u16(query, fixed + 2);
    cursor = fixed + RECORD_FIXED_BYTES + u16(query, fixed + 8);
  }
  return Math.max(size, UDP_PAYLOAD_MIN);
}

/** Offset behind the name, CUT or BROKEN. Where a compression pointer leads is the engine's to check. */
function skipName(octets: Uint8Array, at: number, end: number): number {
  let cursor = at;
  while (cursor < end) {
    const label = octets[cursor]!;
    if (label === 0) return cursor + 1;
    if (label >= 0xc0) return cursor + 2 <= end ? cursor + 2 : CUT;
    if (label > 0x3f) return BROKEN;
    cursor += label + 1;
  }
  return CUT;
}

function u16(octets: Uint8Array, at: number): number {
  return (octets[at]! << 8) | octets[at + 1]!;
}

function folded(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet;
}
