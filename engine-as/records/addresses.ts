// Addresses spelt in names: pod labels (`10-9-8-7`, `2001-db8--1`) and reverse names, parsed as strictly as Go's
// net.ParseIP does, because CoreDNS decides with it what exists.

import { lower8 } from '../wire/octets';
import { lowerAt, qnameBytes, qnameLabels } from '../wire/query';

/** Hexadecimal value of a lower-case digit, 16 if it is none. */
function hexValue(octet: u32): u32 {
  if (octet - 48 < 10) return octet - 48;
  if (octet - 97 < 6) return octet - 87;
  return 16;
}

/** Decimal number 0..255 without leading zero in `bytes` octets, 256 if it is none. */
function decimalOctet(at: u32, bytes: u32): u32 {
  if (bytes == 0 || bytes > 3) return 256;
  let value: u32 = 0;
  for (let i: u32 = 0; i < bytes; i++) {
    const digit: u32 = <u32>load<u8>(at + i) - 48; // Bounds: i < bytes
    if (digit > 9 || (i == 1 && value == 0)) return 256;
    value = value * 10 + digit;
  }
  return value < 256 ? value : 256;
}

/** Parses a dashed address label into `out` (16 octets of room): 4, 16, or 0 if it is none. */
export function dashedAddress(at: u32, bytes: u32, out: u32): u32 {
  let dashes: u32 = 0;
  let isDoubled = false;
  for (let i: u32 = 0; i < bytes; i++) {
    if (load<u8>(at + i) != 45) continue; // Bounds: i < bytes
    dashes++;
    if (i + 1 < bytes && load<u8>(at + i + 1) == 45) isDoubled = true;
  }
  if (dashes == 3 && !isDoubled) return dashedIpv4(at, bytes, out);
  return unmapped(dashedIpv6(at, bytes, out), out);
}

function dashedIpv4(at: u32, bytes: u32, out: u32): u32 {
  let from: u32 = 0;
  let octets: u32 = 0;
  for (let i: u32 = 0; i <= bytes; i++) {
    if (i < bytes && load<u8>(at + i) != 45) continue; // Bounds: i < bytes
    const value = decimalOctet(at + from, i - from);
    if (value > 255 || octets == 4) return 0;
    store<u8>(out + octets, <u8>value); // Bounds: octets < 4
    octets++;
    from = i + 1;
  }
  return octets == 4 ? 4 : 0;
}

/** RFC 4291 §2.2 with `-` for `:`; one doubled dash stands for the run of zero groups. */
function dashedIpv6(at: u32, bytes: u32, out: u32): u32 {
  let p: u32 = 0;
  let groups: u32 = 0;
  let gap: i32 = -1;
  if (bytes < 2) return 0;
  if (load<u8>(at) == 45) {
    if (load<u8>(at + 1) != 45) return 0; // Bounds: bytes >= 2
    gap = 0;
    p = 2;
  }
  v128.store(out, i64x2.splat(0)); // Bounds: out has 16 octets
  while (p < bytes) {
    let value: u32 = 0;
    let digits: u32 = 0;
    while (p < bytes && digits < 5) {
      const digit = hexValue(lower8(load<u8>(at + p))); // Bounds: p < bytes
      if (digit > 15) break;
      value = (value << 4) | digit;
      digits++;
      p++;
    }
    if (digits == 0 || digits > 4 || groups == 8) return 0;
    store<u16>(out + groups * 2, bswap<u16>(<u16>value)); // Bounds: groups < 8
    groups++;
    if (p == bytes) break;
    if (load<u8>(at + p) != 45) return 0; // Bounds: p < bytes
    p++;
    if (p == bytes) return 0;
    if (load<u8>(at + p) == 45) {
      if (gap >= 0) return 0;
      gap = <i32>groups;
      p++;
    }
  }
  if (gap < 0) return groups == 8 ? 16 : 0;
  if (groups == 8) return 0;
  const tail = (groups - <u32>gap) * 2;
  // Bounds: gap * 2 + tail <= 14
  memory.copy(out + 16 - tail, out + <u32>gap * 2, tail);
  memory.fill(out + <u32>gap * 2, 0, 16 - tail - <u32>gap * 2);
  return 16;
}

/** An IPv4-mapped IPv6 address is an IPv4 address. */
function unmapped(bytes: u32, out: u32): u32 {
  if (bytes != 16 || load<u64>(out) != 0 || load<u32>(out + 8) != 0xffff0000) return bytes;
  store<u32>(out, load<u32>(out + 12));
  return 4;
}

/** `\7in-addr\4arpa\0` read as three little-endian words of the last 14 octets: 8, 4, 2. */
function endsInAddrArpa(end: u32): bool {
  // Bounds: the caller checks that the name has 14 octets
  return load<u64>(end - 14) == 0x726464612d6e6907 && load<u32>(end - 6) == 0x70726104 && load<u16>(end - 2) == 0x0061;
}

/** `\3ip6\4arpa\0`: the last 10 octets. */
function endsIp6Arpa(end: u32): bool {
  // Bounds: the caller checks that the name has 10 octets
  return load<u32>(end - 10) == 0x36706903 && load<u32>(end - 6) == 0x70726104 && load<u16>(end - 2) == 0x0061;
}

/** True if the question lies below in-addr.arpa or ip6.arpa. */
export function isReverseName(): bool {
  const end = lowerAt + qnameBytes;
  return (qnameBytes > 14 && endsInAddrArpa(end)) || (qnameBytes > 10 && endsIp6Arpa(end));
}

/** Labels left of the 32 nibbles that CoreDNS does not look at: it takes the nibbles in whole groups of four. */
const LABELS_IGNORED_MAX: u32 = 3;

/** Address of a whole reverse name in the question, written to `out`: 4, 16, or 0 (RFC 1035 §3.5, RFC 3596 §2.5). */
export function reverseAddress(out: u32): u32 {
  const end = lowerAt + qnameBytes;
  if (qnameLabels == 6 && qnameBytes > 14 && endsInAddrArpa(end)) return reverseIpv4(out);
  if (qnameLabels - 34 > LABELS_IGNORED_MAX || qnameBytes < 74 || !endsIp6Arpa(end)) return 0;
  let nibbles = lowerAt;
  for (let i = qnameLabels; i > 34; i--) nibbles += <u32>load<u8>(nibbles) + 1; // Bounds: the name has 34 labels and more
  return end - nibbles == 74 ? unmapped(reverseIpv6(nibbles, out), out) : 0;
}

function reverseIpv4(out: u32): u32 {
  let p = lowerAt;
  for (let i: u32 = 0; i < 4; i++) {
    const bytes: u32 = load<u8>(p); // Bounds: the name has six labels
    const value = decimalOctet(p + 1, bytes);
    if (value > 255) return 0;
    store<u8>(out + 3 - i, <u8>value);
    p += bytes + 1;
  }
  return 4;
}

function reverseIpv6(nibbles: u32, out: u32): u32 {
  v128.store(out, i64x2.splat(0)); // Bounds: out has 16 octets
  for (let i: u32 = 0; i < 32; i++) {
    const p = nibbles + i * 2; // Bounds: 64 octets of one-octet labels stand before ip6.arpa
    if (load<u8>(p) != 1) return 0;
    const digit = hexValue(load<u8>(p + 1));
    if (digit > 15) return 0;
    const to = out + 15 - (i >> 1);
    store<u8>(to, <u8>(<u32>load<u8>(to) | (i & 1 ? digit << 4 : digit)));
  }
  return 16;
}
