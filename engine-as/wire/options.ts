// EDNS options of a query (RFC 6891 §6.1.2): which octets CoreDNS's DNS library accepts, and how it packs them anew.

import {
  OPTION_ECS,
  OPTION_EDE,
  OPTION_EXPIRE,
  OPTION_KEEPALIVE,
  OPTION_LLQ,
  OPTION_REPORTING,
  OPTION_UPDATE_LEASE,
  OPTION_ZONEVERSION,
} from '../shared/codes';
import { load16, load32, store16 } from './octets';

const LLQ_BYTES: u32 = 18;

/** True if the options fill exactly the octets from `at` to `end` and the known ones are well-formed. */
export function optionsAreSound(at: u32, end: u32): bool {
  let p = at;
  // Each round consumes four octets or more.
  while (p < end) {
    if (p + 4 > end) return false;
    const code = load16(p); // Bounds: p + 4 <= end
    const bytes = load16(p + 2);
    p += 4;
    if (p + bytes > end) return false;
    if (!optionIsSound(code, p, bytes)) return false;
    p += bytes;
  }
  return true;
}

/** True if the options fill exactly the octets from `at` to `end`, whatever is in them. */
export function optionsAreWhole(at: u32, end: u32): bool {
  let p = at;
  while (p + 4 <= end) p += 4 + <u32>load16(p + 2); // Bounds: p + 4 <= end
  return p == end;
}

/** True if the library reads such octets as the value of option `code`. */
export function optionIsSound(code: u32, at: u32, bytes: u32): bool {
  if (code == OPTION_ECS) return subnetIsSound(at, bytes);
  if (code == OPTION_KEEPALIVE) return bytes == 0 || bytes == 2;
  if (code == OPTION_EXPIRE) return bytes == 0 || bytes >= 4;
  if (code == OPTION_EDE) return bytes >= 2;
  if (code == OPTION_LLQ) return bytes >= LLQ_BYTES;
  if (code == OPTION_UPDATE_LEASE) return bytes == 4 || bytes == 8;
  if (code == OPTION_ZONEVERSION) return bytes >= 2;
  if (code == OPTION_REPORTING) return agentBytes(at, bytes) != 0;
  return true;
}

/** Octets of the agent domain (RFC 9567 §5.1) at the start of the option's data; 0 if there is no whole name. */
function agentBytes(at: u32, bytes: u32): u32 {
  let p: u32 = 0;
  // Each round consumes an octet or more.
  while (p < bytes && p < 255) {
    const label: u32 = load<u8>(at + p); // Bounds: p < bytes
    if (label > 63) return 0;
    p += label + 1;
    if (label == 0) return p;
  }
  return 0;
}

/** Octets of an option's data when it is packed anew. The option is sound. */
export function packedOptionBytes(code: u32, at: u32, bytes: u32): u32 {
  if (code == OPTION_EXPIRE) return bytes > 4 ? 4 : bytes;
  if (code == OPTION_KEEPALIVE) return bytes == 2 && load16(at) == 0 ? 0 : bytes;
  if (code == OPTION_ECS) return load16(at) == 0 ? 4 : 4 + ((load<u8>(at + 2) + 7) >> 3); // Bounds: 4 octets or more
  if (code == OPTION_LLQ) return LLQ_BYTES;
  if (code == OPTION_UPDATE_LEASE) return bytes == 8 && load32(at + 4) == 0 ? 4 : bytes;
  if (code == OPTION_REPORTING) return agentBytes(at, bytes);
  return bytes;
}

/** The same for all options between `at` and `end`, which are sound, their heads included. */
export function packedOptionsBytes(at: u32, end: u32): u32 {
  let p = at;
  let packed: u32 = 0;
  while (p + 4 <= end) {
    const bytes = load16(p + 2); // Bounds: p + 4 <= end
    packed += 4 + packedOptionBytes(load16(p), p + 4, bytes);
    p += 4 + bytes;
  }
  return packed;
}

/** True if the options between `at` and `end`, which are sound, are as they would be packed anew. */
export function optionsArePlain(at: u32, end: u32): bool {
  let p = at;
  while (p + 4 <= end) {
    const code = load16(p); // Bounds: p + 4 <= end
    const bytes = load16(p + 2);
    if (packedOptionBytes(code, p + 4, bytes) != bytes) return false;
    if (code == OPTION_ECS && bytes > 4 && load<u8>(p + 3 + bytes) & ~subnetMask(p + 4)) return false;
    p += 4 + bytes;
  }
  return true;
}

/** Packs the options between `at` and `end` anew at `out`, which has packedOptionsBytes() octets. */
export function packOptions(at: u32, end: u32, out: u32): void {
  let p = at;
  let to = out;
  while (p + 4 <= end) {
    const code = load16(p); // Bounds: p + 4 <= end
    const bytes = load16(p + 2);
    const packed = packedOptionBytes(code, p + 4, bytes);
    const kept = bytes < packed ? bytes : packed;
    store16(to, code); // Bounds: the caller made room for all of them
    store16(to + 2, packed);
    memory.copy(to + 4, p + 4, kept);
    memory.fill(to + 4 + kept, 0, packed - kept);
    if (code == OPTION_ECS && packed > 4) {
      store<u8>(to + 3 + packed, load<u8>(to + 3 + packed) & subnetMask(p + 4));
    }
    p += 4 + bytes;
    to += 4 + packed;
  }
}

/** Bits of the last address octet that the source prefix covers. */
function subnetMask(at: u32): u8 {
  const bits: u32 = load<u8>(at + 2) & 7; // Bounds: four octets at least, the options are sound
  return bits ? <u8>(0xff00 >> bits) : 0xff;
}

/** RFC 7871 §6: family, source and scope prefix lengths, address. */
function subnetIsSound(at: u32, bytes: u32): bool {
  if (bytes < 4) return false;
  const family = load16(at); // Bounds: bytes >= 4
  const source: u32 = load<u8>(at + 2);
  const scope: u32 = load<u8>(at + 3);
  if (family == 0) return source == 0;
  if (family == 1) return source <= 32 && scope <= 32;
  if (family == 2) return source <= 128 && scope <= 128;
  return false;
}
