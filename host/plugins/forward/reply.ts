// What an upstream's reply looks like from outside: is it whole, which rcode, may it go to the client as it is.
// Nothing is allocated; the engine reads the records themselves when it takes the reply over.

import { FLAG_TC, HEADER_BYTES, TYPE_OPT, UDP_PAYLOAD_MIN } from '../../../engine-as/shared/codes.ts';
import { MessageError, OctetReader } from '../../dns/octet-reader.ts';
import { expandRdata, nameProblem } from '../../dns/rdata-names.ts';

/** All counted records lie within the message. */
export const REPLY_WHOLE = 0;
/** The records run over the end: CoreDNS answers the client with an empty message and TC. */
export const REPLY_CUT = 1;
/** No message: the attempt has failed. */
export const REPLY_BROKEN = 2;

const CUT = -1;
const BROKEN = -2;
const RECORD_FIXED_BYTES = 10;
const TYPE_TSIG = 250;

/** The findings about the reply that was scanned last. */
export class ReplyScan {
  /** All twelve bits (RFC 6891 §6.1.3). */
  rcode = 0;
  isTruncated: boolean = false;
  answerCount = 0;
  /** Offset behind the question section. */
  questionEnd = 0;
  /** Why it is REPLY_BROKEN or REPLY_CUT, in the words of CoreDNS's DNS library. */
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
      const behind = skipName(octets, cursor, end);
      const isPlain = behind >= 0 && octets[behind - 1] === 0 && octets[behind - 2]! < 0xc0;
      const problem = isPlain ? undefined : nameProblem(octets.subarray(at, end), cursor - at);
      if (problem !== undefined) {
        this.problem = `bad question name: ${problem}`;
        return REPLY_BROKEN;
      }
      cursor = Math.min(behind + 4, end);
    }
    this.questionEnd = cursor;
    let lastType = 0;
    for (let i = 0; i < records + additional && cursor < end; i++) {
      const fixed = skipName(octets, cursor, end);
      if (fixed === BROKEN) return this.#fail(recordProblem(octets, at, bytes, i) ?? 'dns: bad rdata');
      if (fixed === CUT || fixed + RECORD_FIXED_BYTES > end) {
        const problem = fixed === CUT ? TOO_SHORT : fieldProblem(end - fixed);
        return this.#fail(recordProblem(octets, at, bytes, i) ?? problem);
      }
      cursor = fixed + RECORD_FIXED_BYTES + u16(octets, fixed + 8);
      if (cursor > end) return this.#fail(recordProblem(octets, at, bytes, i) ?? 'dns: overflowing header size');
      lastType = i < records ? 0 : u16(octets, fixed);
      if (lastType === TYPE_OPT) this.rcode |= octets[fixed + 4]! << 4;
    }
    if (lastType === TYPE_TSIG) {
      // CoreDNS's library checks the signature of whatever is signed, and knows no keys
      this.problem = 'dns: no secrets defined';
      return REPLY_BROKEN;
    }
    return REPLY_WHOLE;
  }

  #fail(problem: string): number {
    this.problem = problem;
    return isCutProblem(problem) ? REPLY_CUT : REPLY_BROKEN;
  }
}

/**
 * What is wrong with the first `most` records of a reply, in the words of CoreDNS's DNS library; undefined where nothing
 * is. The scan must have found them to lie within the message.
 */
export function recordProblem(octets: Uint8Array, at: number, bytes: number, most?: number): string | undefined {
  const message = octets.subarray(at, at + bytes);
  const counts = most ?? u16(message, 6) + u16(message, 8) + u16(message, 10);
  const reader = new OctetReader(message, HEADER_BYTES);
  for (let i = u16(message, 4); i > 0 && reader.at < bytes; i--)
    reader.at = Math.min(skipName(message, reader.at, bytes) + 4, bytes);
  for (let i = 0; i < counts && reader.at < bytes; i++) {
    const problem = nameProblem(message, reader.at);
    if (problem !== undefined) return problem;
    const fixed = skipName(message, reader.at, bytes);
    reader.at = fixed + RECORD_FIXED_BYTES;
    try {
      expandRdata(reader, u16(message, fixed), u16(message, fixed + 8), 'reply');
    } catch (error) {
      if (error instanceof MessageError) return error.message;
      throw error;
    }
  }
  return undefined;
}

/** Over UDP CoreDNS takes such an error for a reply that was cut on its way: the client gets TC. */
export function isCutProblem(problem: string | undefined): boolean {
  return problem === undefined || problem === TOO_SHORT || problem.includes('overflow');
}

const TOO_SHORT = 'dns: buffer size too small';

/** Which field of a record is missing when so many octets follow its name: TYPE, CLASS, TTL (32 bits), RDLENGTH. */
function fieldProblem(octetsLeft: number): string {
  return `dns: overflow unpacking ${octetsLeft >= 4 && octetsLeft < 8 ? 'uint32' : 'uint16'}`;
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

/** Type of the first question; -1 if there is none that can be read. */
export function questionType(query: Uint8Array, at: number, bytes: number): number {
  const end = at + bytes;
  const behind = skipName(query, at + HEADER_BYTES, end);
  return behind < 0 || behind + 4 > end ? -1 : u16(query, behind);
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
  // An OPT counts in the additional section only, and the last one there
  const before = u16(query, at + 6) + u16(query, at + 8);
  for (let i = -before; i < u16(query, at + 10) && cursor < end; i++) {
    const fixed = skipName(query, cursor, end);
    if (fixed < 0 || fixed + RECORD_FIXED_BYTES > end) break;
    if (i >= 0 && u16(query, fixed) === TYPE_OPT) size = u16(query, fixed + 2);
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
