// The parts of rdata that repeat to its end: what CoreDNS's DNS library takes of them, and how it packs them anew. Each
// function returns the address behind the copy, 0 if the octets are refused; a copy is never longer than its original.

import { load16, store16 } from './octets';

/** Octets that the library measures beyond those of the copy, of the list that was copied last. */
export let listPad: u32 = 0;
/** The library takes the list that was copied last, but cannot pack it. */
export let listIsStuck: bool = false;
/** The list that was copied or checked last does not keep all its octets, though it may keep its size. */
export let listIsChanged: bool = false;

/** Windows of types (RFC 4034 §4.1.2): in rising order, not empty. Zeros behind the last type of a window are left out. */
export function copyBitmap(at: u32, end: u32, out: u32, writes: bool): u32 {
  let p = at;
  let to = out;
  let last: i32 = -1;
  // Each round consumes three octets or more.
  while (p < end) {
    if (p + 2 > end) return 0;
    const window: i32 = load<u8>(p); // Bounds: p + 2 <= end
    let bytes: u32 = load<u8>(p + 1);
    const next = p + 2 + bytes;
    if (window <= last || bytes == 0 || bytes > 32 || next > end) return 0;
    while (bytes && load<u8>(p + 1 + bytes) == 0) bytes--; // Bounds: inside the window
    if (bytes) {
      if (writes) {
        store<u8>(to, <u8>window); // Bounds: room by contract
        store<u8>(to + 1, <u8>bytes);
        memory.copy(to + 2, p + 2, bytes);
      }
      to += 2 + bytes;
    }
    last = window;
    p = next;
  }
  listPad = to == out ? 2 : 0;
  listIsChanged = to - out != end - at;
  listIsStuck = false;
  return to;
}

const PARAM_MANDATORY: u32 = 0;
const PARAM_ALPN: u32 = 1;
const PARAM_NO_DEFAULT_ALPN: u32 = 2;
const PARAM_PORT: u32 = 3;
const PARAM_IPV4HINT: u32 = 4;
const PARAM_IPV6HINT: u32 = 6;
const PARAM_OHTTP: u32 = 8;
const PARAM_INVALID: u32 = 65535;

/** Longer lists stay as they are: work has bounds. */
const SORTED_BYTES_MAX: u32 = 512;

/** SvcParams (RFC 9460 §2.2) with rising keys and values of their kind. The mandatory keys are sorted. */
export function copyParams(at: u32, end: u32, out: u32, writes: bool): u32 {
  listIsStuck = false;
  if (!paramsAreSound(at, end)) return 0;
  listPad = 0;
  listIsChanged = false;
  if (writes) memory.copy(out, at, end - at); // Bounds: room by contract
  if (at < end && load16(at) == PARAM_MANDATORY) {
    // Bounds: the parameters are sound
    const keys = at + 4;
    const bytes = load16(at + 2);
    for (let i: u32 = 2; i < bytes; i += 2) if (load16(keys + i) < load16(keys + i - 2)) listIsChanged = true;
    if (writes && listIsChanged && bytes <= SORTED_BYTES_MAX) sortKeys(out + 4, bytes);
  }
  return out + (end - at);
}

/** Insertion sort. */
function sortKeys(at: u32, bytes: u32): void {
  for (let i: u32 = 2; i < bytes; i += 2) {
    // Bounds: i < bytes
    const key = load16(at + i);
    let place = i;
    for (; place && load16(at + place - 2) > key; place -= 2) store16(at + place, load16(at + place - 2));
    store16(at + place, key);
  }
}

function paramsAreSound(at: u32, end: u32): bool {
  let p = at;
  let last: i32 = -1;
  // Each round consumes four octets or more.
  while (p < end) {
    if (p + 4 > end) return false;
    const key: u32 = load16(p); // Bounds: p + 4 <= end
    const bytes = load16(p + 2);
    p += 4;
    if (p + bytes > end || key == PARAM_INVALID || <i32>key <= last) return false;
    if (!paramIsSound(key, p, bytes)) return false;
    last = key;
    p += bytes;
  }
  return true;
}

function paramIsSound(key: u32, at: u32, bytes: u32): bool {
  if (key == PARAM_MANDATORY) return bytes % 2 == 0;
  if (key == PARAM_ALPN) return protocolsFit(at, at + bytes);
  if (key == PARAM_NO_DEFAULT_ALPN || key == PARAM_OHTTP) return bytes == 0;
  if (key == PARAM_PORT) return bytes == 2;
  if (key == PARAM_IPV4HINT) return bytes != 0 && bytes % 4 == 0;
  return key == PARAM_IPV6HINT ? hintsAreSound(at, bytes) : true;
}

/** Names of protocols; an empty one cannot be packed. */
function protocolsFit(at: u32, end: u32): bool {
  if (!labelsFit(at, end)) return false;
  for (let p = at; p < end; p += <u32>load<u8>(p) + 1) if (load<u8>(p) == 0) listIsStuck = true; // Bounds: p < end
  return true;
}

/** IPv6 addresses, none of which stands for an IPv4 address. */
function hintsAreSound(at: u32, bytes: u32): bool {
  if (bytes == 0 || bytes % 16) return false;
  for (let i: u32 = 0; i < bytes; i += 16) {
    // Bounds: i + 16 <= bytes
    if (load<u64>(at + i) == 0 && load<u32>(at + i + 8) == 0xffff0000) return false;
  }
  return true;
}

/** True if the octets are strings, each with its length in front, to the end. */
export function labelsFit(at: u32, end: u32): bool {
  let p = at;
  while (p < end) p += <u32>load<u8>(p) + 1; // Bounds: p < end
  return p == end;
}

/** Address prefixes (RFC 3123 §4). What lies behind the prefix's length goes, and so do zeros at the end. */
export function copyPrefixes(at: u32, end: u32, out: u32, writes: bool): u32 {
  let p = at;
  let to = out;
  let measured: u32 = 0;
  let isMasked = false;
  // Each round consumes four octets or more.
  while (p < end) {
    if (p + 4 > end) return 0;
    const family = load16(p); // Bounds: p + 4 <= end
    const prefix: u32 = load<u8>(p + 2);
    const bytes: u32 = <u32>load<u8>(p + 3) & 0x7f;
    const most: u32 = family == 1 ? 4 : family == 2 ? 16 : 0;
    if (!most || prefix > most * 8 || bytes > most || p + 4 + bytes > end) return 0;
    if (bytes && load<u8>(p + 3 + bytes) == 0) return 0;
    const kept = keptOctets(p + 4, bytes, prefix);
    const isCut = kept == (prefix + 7) >> 3; // by the prefix: bits behind it go
    if (isCut && kept && <u32>load<u8>(p + 3 + kept) & ~lastMask(prefix)) isMasked = true;
    if (writes) {
      const negated = <u32>load<u8>(p + 3) & 0x80;
      store16(to, family); // Bounds: room by contract
      store<u8>(to + 2, <u8>prefix);
      memory.copy(to + 4, p + 4, kept);
      if (isCut) store<u8>(to + 3 + kept, <u8>(<u32>load<u8>(to + 3 + kept) & lastMask(prefix)));
      store<u8>(to + 3, <u8>(negated | kept));
    }
    to += 4 + kept;
    measured += 4 + ((prefix + 7) >> 3);
    p += 4 + bytes;
  }
  listPad = measured - (to - out);
  listIsChanged = to - out != end - at || isMasked;
  listIsStuck = false;
  return to;
}

/** Octets of the address that are left of it. */
function keptOctets(at: u32, bytes: u32, prefix: u32): u32 {
  const covered = (prefix + 7) >> 3;
  let kept = bytes < covered ? bytes : covered;
  // Bounds: kept <= bytes
  if (kept == covered && kept && !(<u32>load<u8>(at + kept - 1) & lastMask(prefix))) kept--;
  while (kept && load<u8>(at + kept - 1) == 0) kept--;
  return kept;
}

/** Bits of the last octet that the prefix covers. */
@inline
function lastMask(prefix: u32): u32 {
  return prefix & 7 ? (0xff00 >> (prefix & 7)) & 0xff : 0xff;
}

const TEXT_BYTES_MAX: u32 = 1025;

/** Text in which a backslash escapes what follows: three digits stand for an octet, anything else for itself. */
export function copyText(at: u32, end: u32, out: u32, writes: bool): u32 {
  let p = at;
  let to = out;
  // Each round consumes an octet or more.
  while (p < end) {
    let octet: u32 = load<u8>(p++); // Bounds: p < end
    if (octet == 0x5c) {
      if (p == end) break;
      octet = load<u8>(p++); // Bounds: p < end
      if (p + 2 <= end && isDigit(octet) && isDigit(load<u8>(p)) && isDigit(load<u8>(p + 1))) {
        octet = (octet - 0x30) * 100 + (<u32>load<u8>(p) - 0x30) * 10 + (<u32>load<u8>(p + 1) - 0x30);
        p += 2;
      }
    }
    if (writes) store<u8>(to, <u8>octet); // Bounds: room by contract
    to++;
  }
  listPad = end - at - (to - out);
  listIsChanged = listPad != 0;
  listIsStuck = end - at > TEXT_BYTES_MAX;
  return to;
}

@inline
function isDigit(octet: u32): bool {
  return octet - 0x30 < 10;
}

/** How many characters more than octets a character-string is when it is written out. */
export function escapesOf(at: u32, bytes: u32): u32 {
  let more: u32 = 0;
  for (let i: u32 = 0; i < bytes; i++) {
    const octet: u32 = load<u8>(at + i); // Bounds: i < bytes
    if (octet == 0x22 || octet == 0x5c) more++;
    else if (octet - 0x20 > 0x5e) more += 3;
  }
  return more;
}
