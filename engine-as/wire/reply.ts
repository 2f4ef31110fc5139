// Reply messages from outside: an upstream's octets are untrusted. Names are walked with backward pointers only and a
// bounded number of hops; nothing is read behind the message's end except up to 7 octets of the word that holds it.

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
 * Returns the address behind the name, or 0: cut, a pointer that does not lead backwards or leads into the header,
 * too many hops, a reserved label type, more than 255 octets (RFC 1035 §3.1, §4.1.4).
 */
export function readName(start: u32, at: u32, end: u32, to: u32): u32 {
  let p = at;
  let floor = at;
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
      if (offset < <u32>HEADER_BYTES || p >= floor) return 0;
      floor = p;
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

// The rdata of types that carry names, packed: octets before the names (8 bits), number of names (4 bits), flags.
const NAMES_SHIFT: u32 = 8;
const POINTERS: u32 = 0x1000; // RFC 3597 §4: only these types of RFC 1035 may be sent compressed
const REST: u32 = 0x2000; // any octets may follow
const NUMBERS: u32 = 0x4000; // exactly 20 octets follow (SOA)
const STRINGS: u32 = 0x8000; // three character-strings stand between the fixed part and the name (NAPTR)
const ONE_NAME: u32 = 1 << NAMES_SHIFT;
const TWO_NAMES: u32 = 2 << NAMES_SHIFT;

/** How the rdata of a type is built; 0 = opaque octets. */
export function rdataShape(type: u32): u32 {
  switch (type) {
    case 2: // NS
    case 3: // MD
    case 4: // MF
    case 5: // CNAME
    case 7: // MB
    case 8: // MG
    case 9: // MR
    case 12: return ONE_NAME | POINTERS; // PTR
    case 6: return TWO_NAMES | POINTERS | NUMBERS; // SOA
    case 14: return TWO_NAMES | POINTERS; // MINFO
    case 15: return 2 | ONE_NAME | POINTERS; // MX
    case 17: // RP
    case 58: return TWO_NAMES; // TALINK
    case 18: // AFSDB
    case 21: // RT
    case 36: // KX
    case 107: return 2 | ONE_NAME; // LP
    case 23: // NSAP-PTR
    case 39: return ONE_NAME; // DNAME
    case 24: // SIG
    case 46: return 18 | ONE_NAME | REST; // RRSIG
    case 26: return 2 | TWO_NAMES; // PX
    case 30: // NXT
    case 47: // NSEC
    case 249: // TKEY
    case 250: return ONE_NAME | REST; // TSIG
    case 33: return 6 | ONE_NAME; // SRV
    case 35: return 4 | ONE_NAME | STRINGS; // NAPTR
    case 64: // SVCB
    case 65: return 2 | ONE_NAME | REST; // HTTPS
    default: return 0;
  }
}

@inline
export function shapeNames(shape: u32): u32 {
  return (shape >> NAMES_SHIFT) & 15;
}

@inline
export function shapePoints(shape: u32): bool {
  return (shape & POINTERS) != 0;
}

/** Address of the first name of rdata from `at` to `end`, or 0 if the part before it is cut. */
export function firstName(shape: u32, at: u32, end: u32): u32 {
  let p = at + (shape & 0xff);
  if (p >= end) return 0;
  if (shape & STRINGS) {
    for (let i: u32 = 0; i < 3; i++) {
      p += <u32>load<u8>(p) + 1; // Bounds: p < end
      if (p >= end) return 0;
    }
  }
  return p;
}

/** True if `bytes` octets may follow the names of this shape. */
export function restIsSound(shape: u32, bytes: u32): bool {
  if (shape & REST) return true;
  return shape & NUMBERS ? bytes == 20 : bytes == 0;
}
