// Names in wire form: bounded walks, lower-cased copies, hashes, comparison. A label's length octet is below 64, so
// lower-casing a whole name by words never changes a length octet.

import { LABELS_MAX, LABEL_BYTES_MAX, NAME_BYTES_MAX } from '../shared/codes';
import { lower64, lower8 } from './octets';

/** Label count of the name that flatName() walked last, without the root label. */
export let walkedLabels: u32 = 0;

/** Octets that flatName() may write at `offsets`. */
export const OFFSETS_BYTES: u32 = 128;

/**
 * Length of the uncompressed name at `at`, its root label included, or 0: cut at `end`, a pointer, a reserved label
 * type, or longer than 255 octets (RFC 1035 §3.1). At most LABELS_MAX + 1 rounds. Where each label begins, the root
 * label included, is left at `offsets`, an octet each.
 */
export function flatName(at: u32, end: u32, offsets: u32): u32 {
  let p = at;
  let labels: u32 = 0;
  while (labels <= <u32>LABELS_MAX) {
    if (p >= end) return 0;
    store<u8>(offsets + labels, <u8>(p - at)); // Bounds: labels < OFFSETS_BYTES; no offset of a name is above 254
    const bytes: u32 = load<u8>(p); // Bounds: p < end
    if (bytes == 0) {
      const total = p + 1 - at;
      if (total > <u32>NAME_BYTES_MAX) return 0;
      walkedLabels = labels;
      return total;
    }
    if (bytes > <u32>LABEL_BYTES_MAX) return 0;
    p += bytes + 1;
    labels++;
  }
  return 0;
}

/**
 * Offset behind the possibly compressed name at `at` of a message from `start` to `end`, or 0 if it is not a name.
 * Pointers may lead anywhere in the message, as in CoreDNS's library; hops and octets are bounded, so it ends.
 */
export function skipName(start: u32, at: u32, end: u32): u32 {
  let p = at;
  let after: u32 = 0;
  let budget: i32 = NAME_BYTES_MAX;
  let hops: u32 = 0;
  while (true) {
    if (p >= end) return 0;
    const octet: u32 = load<u8>(p); // Bounds: p < end
    p++;
    if (octet == 0) return after ? after : p;
    if (octet < 64) {
      if (p + octet > end) return 0;
      budget -= octet + 1;
      if (budget <= 0) return 0;
      p += octet;
    } else if (octet >= 192) {
      if (p >= end) return 0;
      if (!after) after = p + 1;
      if (++hops > 126) return 0;
      p = start + (((octet & 63) << 8) | <u32>load<u8>(p)); // Bounds: p < end
    } else return 0;
  }
}

/** Uncompressed length of the name at `at`, which skipName() accepted. */
export function plainNameBytes(start: u32, at: u32, end: u32): u32 {
  let p = at;
  let bytes: u32 = 0;
  for (let rounds: u32 = 0; rounds < 400; rounds++) {
    if (p + 1 > end) return bytes;
    const octet: u32 = load<u8>(p); // Bounds: p < end
    if (octet == 0) return bytes + 1;
    if (octet < 64) {
      bytes += octet + 1;
      p += octet + 1;
    } else {
      if (p + 2 > end) return bytes;
      p = start + (((octet & 63) << 8) | <u32>load<u8>(p + 1)); // Bounds: p + 1 < end
    }
  }
  return bytes;
}

/** Writes the name at `at`, which skipName() accepted, to `out` without compression: plainNameBytes() octets. */
export function expandName(start: u32, at: u32, end: u32, out: u32): void {
  let p = at;
  let to = out;
  for (let rounds: u32 = 0; rounds < 400; rounds++) {
    if (p + 1 > end) return;
    const octet: u32 = load<u8>(p); // Bounds: p < end
    if (octet >= 192) {
      if (p + 2 > end) return;
      p = start + (((octet & 63) << 8) | <u32>load<u8>(p + 1)); // Bounds: p + 1 < end
      continue;
    }
    memory.copy(to, p, octet + 1); // Bounds: as plainNameBytes() measured
    if (octet == 0) return;
    to += octet + 1;
    p += octet + 1;
  }
}

/** Copies `bytes` octets lower-cased. May write up to 7 octets behind the copy: both areas have that room. */
export function copyLower(to: u32, from: u32, bytes: u32): void {
  // Bounds: callers keep 8 octets of room behind both areas
  for (let i: u32 = 0; i < bytes; i += 8) store<u64>(to + i, lower64(load<u64>(from + i)));
}

/** copyLower() and the hashOctets() of the copy in one go. */
export function copyLowerHashed(to: u32, from: u32, bytes: u32, seed: u32): u32 {
  let hash = beginHash(bytes, seed);
  let i: u32 = 0;
  // Bounds: as in copyLower()
  for (; i + 8 <= bytes; i += 8) {
    const word = lower64(load<u64>(from + i));
    store<u64>(to + i, word);
    hash = stirHash(hash, word);
  }
  if (i < bytes) {
    const word = lower64(load<u64>(from + i));
    store<u64>(to + i, word);
    hash = stirHash(hash, word & ((<u64>1 << ((bytes - i) * 8)) - 1));
  }
  return endHash(hash);
}

@inline
function beginHash(bytes: u32, seed: u32): u64 {
  return (<u64>seed << 32) ^ (<u64>bytes * 0x9e3779b97f4a7c15);
}

@inline
function stirHash(hash: u64, word: u64): u64 {
  const stirred = (hash ^ word) * 0x9fb21c651e98df25;
  return stirred ^ (stirred >> 32);
}

@inline
function endHash(hash: u64): u32 {
  let last = hash * 0xd6e8feb86659fd93;
  last ^= last >> 29;
  const folded = <u32>(last ^ (last >> 32));
  return folded ? folded : 1;
}

/** Hash of `bytes` lower-case octets, never 0; `seed` differs by process, so that no one can aim at one chain. */
export function hashOctets(at: u32, bytes: u32, seed: u32): u32 {
  let hash = beginHash(bytes, seed);
  let i: u32 = 0;
  // Bounds: reads octets below at + bytes only; the last word is assembled by mask from the same 8-octet room
  for (; i + 8 <= bytes; i += 8) hash = stirHash(hash, load<u64>(at + i));
  if (i < bytes) hash = stirHash(hash, load<u64>(at + i) & ((<u64>1 << ((bytes - i) * 8)) - 1));
  return endHash(hash);
}

/** The hashOctets() that these octets have in lower case. */
export function hashLower(at: u32, bytes: u32, seed: u32): u32 {
  let hash = beginHash(bytes, seed);
  let i: u32 = 0;
  // Bounds: as in hashOctets()
  for (; i + 8 <= bytes; i += 8) hash = stirHash(hash, lower64(load<u64>(at + i)));
  if (i < bytes) hash = stirHash(hash, lower64(load<u64>(at + i)) & ((<u64>1 << ((bytes - i) * 8)) - 1));
  return endHash(hash);
}

/** True if `bytes` octets at a and b are equal. */
export function sameOctets(a: u32, b: u32, bytes: u32): bool {
  let i: u32 = 0;
  // Bounds: i + 8 <= bytes, i < bytes
  for (; i + 8 <= bytes; i += 8) if (load<u64>(a + i) != load<u64>(b + i)) return false;
  for (; i < bytes; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;
  return true;
}

/** True if `bytes` octets at a, lower-cased, equal those at b, which are lower-case already. */
export function sameLower(a: u32, b: u32, bytes: u32): bool {
  let i: u32 = 0;
  // Bounds: i + 8 <= bytes, i < bytes
  for (; i + 8 <= bytes; i += 8) if (lower64(load<u64>(a + i)) != load<u64>(b + i)) return false;
  for (; i < bytes; i++) if (lower8(load<u8>(a + i)) != load<u8>(b + i)) return false;
  return true;
}
