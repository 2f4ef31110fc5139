// Reply messages from outside: an upstream's octets are untrusted. Names are walked with a bounded number of hops;
// nothing is read behind the message's end except up to 7 octets of the word that holds it.

import { FLAG_QR, HEADER_BYTES, NAME_BYTES_MAX } from '../shared/codes';
import { sameLower } from './name';
import { load16 } from './octets';
import { lowerAt, qclass, qnameBytes, qtype } from './query';

/** CoreDNS's library follows as many; a legal name of 127 labels needs no more. */
const HOPS_MAX: u32 = 126;

/** Uncompressed length, root label included, of the name that readName() copied last. */
export let nameBytes: u32 = 0;

/**
 * Copies the name at `at` of the message from `start` to `end` uncompressed to `to`, which has 264 octets of room.
 * Returns the address behind the name, or 0: cut, too many hops, a reserved label type, more than 255 octets (RFC 1035
 * §3.1, §4.1.4). Pointers may lead anywhere before `end`, as in CoreDNS's library.
 */
export function readName(start: u32, at: u32, end: u32, to: u32): u32 {
  let p = at;
  let after: u32 = 0;
  let written: u32 = 0;
  let hops: u32 = 0;
  // Ends: a label uses up the 255 octets, a pointer one of the hops.
  while (p < end) {
    const octet: u32 = load<u8>(p); // Bounds: p < end
    if (octet == 0) {
      store<u8>(to + written, 0); // Bounds: written < 255
      nameBytes = written + 1;
      return after ? after : p + 1;
    }
    if (octet < 64) {
      if (p + octet + 1 > end || written + octet + 2 > <u32>NAME_BYTES_MAX) return 0;
      // Bounds: at most 7 octets behind the label; `to` has that room, the message's buffer lies inside the memory
      for (let i: u32 = 0; i <= octet; i += 8) store<u64>(to + written + i, load<u64>(p + i));
      written += octet + 1;
      p += octet + 1;
    } else if (octet >= 192) {
      if (p + 2 > end || ++hops > HOPS_MAX) return 0;
      const offset = ((octet & 63) << 8) | <u32>load<u8>(p + 1); // Bounds: p + 2 <= end
      if (!after) after = p + 2;
      p = start + offset;
    } else return 0;
  }
  return 0;
}

/**
 * Address behind the question of the reply from `at` to `end`, or 0 unless it is a response with exactly one question,
 * that of the query being served: the name in any letter case, type and class (CoreDNS's request.Match).
 */
export function behindQuestion(at: u32, end: u32): u32 {
  const behind = at + HEADER_BYTES + qnameBytes + 4;
  if (behind > end) return 0;
  // Bounds: header and a question of this size lie inside the message
  if (!(load16(at + 2) & FLAG_QR) || load16(at + 4) != 1) return 0;
  if (!sameLower(at + HEADER_BYTES, lowerAt, qnameBytes)) return 0;
  return load16(behind - 4) == qtype && load16(behind - 2) == qclass ? behind : 0;
}
