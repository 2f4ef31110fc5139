// The fields of every type of RR that CoreDNS's DNS library knows, and how it reads them. A type that is not here is
// opaque (RFC 3597 §5).

import { TYPE_CNAME, TYPE_MX, TYPE_NS, TYPE_PTR, TYPE_SOA } from '../shared/codes';

// Fields 1 to 8 are plain numbers of as many octets.
export const FIELD_NUMBER_MAX: u32 = 8;
/** IPv4 address. */
export const FIELD_A: u32 = 9;
/** IPv6 address. */
export const FIELD_AAAA: u32 = 10;
export const FIELD_NAME: u32 = 11;
/** One character-string. */
export const FIELD_STRING: u32 = 12;
/** Character-strings to the end. */
export const FIELD_STRINGS: u32 = 13;
/** Whatever is left. */
export const FIELD_REST: u32 = 14;
/** Whatever is left, measured as base64. */
export const FIELD_BASE64: u32 = 15;
/** Whatever is left, packed anew as text with escapes. */
export const FIELD_TEXT: u32 = 16;
/** Windows of types (RFC 4034 §4.1.2) to the end. */
export const FIELD_BITMAP: u32 = 17;
/** SvcParams (RFC 9460 §2.2) to the end. */
export const FIELD_PARAMS: u32 = 18;
/** Address prefixes (RFC 3123 §4) to the end. */
export const FIELD_PREFIXES: u32 = 19;
/** Address or name, by the second octet of the rdata (RFC 4025 §2.5, RFC 8777 §4.2). */
export const FIELD_GATEWAY: u32 = 20;
/** As many octets as the number in front says. */
export const FIELD_SIZED: u32 = 21;
/** As many octets as the number in front says, measured as base32. */
export const FIELD_HASH: u32 = 22;
/** As many octets as the first octet of the rdata says (RFC 8005 §5). */
export const FIELD_HIT: u32 = 23;
/** As many octets as the last number says, measured as base64. */
export const FIELD_KEY: u32 = 24;
/** Names to the end. */
export const FIELD_NAMES: u32 = 25;
/** Fields are listed from the lowest bits on. */
export const FIELD_BITS: u32 = 5;
export const FIELD_MASK: u32 = 31;

/** What fieldsOf() says of a type without fields: its rdata is empty. */
export const NO_FIELDS: u64 = 0;

/** The fields of the type's rdata. */
export function fieldsOf(type: u32): u64 {
  if (type < 16) return oldFields(type);
  if (type < 48) return laterFields(type);
  if (type < 128) return newFields(type);
  switch (type) {
    case 128: // NXNAME
    case 255: return NO_FIELDS; // ANY
    case 249: return list(FIELD_NAME, 4, 4, 2, 2, 2, FIELD_SIZED, 2, FIELD_SIZED); // TKEY
    case 250: return list(FIELD_NAME, 6, 2, 2, FIELD_SIZED, 2, 2, 2, FIELD_SIZED); // TSIG
    case 256: return list(2, 2, FIELD_TEXT); // URI
    case 257: return list(1, FIELD_STRING, FIELD_TEXT); // CAA
    case 258: // AVC
    case 261: return list(FIELD_STRINGS); // RESINFO
    case 260: return list(1, 1, FIELD_GATEWAY); // AMTRELAY
    case 32768: // TA
    case 32769: return list(2, 1, 1, FIELD_REST); // DLV
    default: return list(FIELD_REST);
  }
}

/** NS, CNAME, SOA, PTR, MX: names in their rdata are compressed. So might they be in other types of RFC 1035 (RFC 3597 §4). */
export function pointsAtNames(type: u32): bool {
  return type == TYPE_NS || type == TYPE_CNAME || type == TYPE_SOA || type == TYPE_PTR || type == TYPE_MX;
}

function oldFields(type: u32): u64 {
  switch (type) {
    case 1: return list(FIELD_A); // A
    case 2: // NS
    case 3: // MD
    case 4: // MF
    case 5: // CNAME
    case 7: // MB
    case 8: // MG
    case 9: // MR
    case 12: return list(FIELD_NAME); // PTR
    case 6: return list(FIELD_NAME, FIELD_NAME, 4, 4, 4, 4, 4); // SOA
    case 13: return list(FIELD_STRING, FIELD_STRING); // HINFO
    case 14: return list(FIELD_NAME, FIELD_NAME); // MINFO
    case 15: return list(2, FIELD_NAME); // MX
    default: return list(FIELD_REST);
  }
}

function laterFields(type: u32): u64 {
  switch (type) {
    case 16: return list(FIELD_STRINGS); // TXT
    case 17: return list(FIELD_NAME, FIELD_NAME); // RP
    case 18: // AFSDB
    case 21: // RT
    case 36: return list(2, FIELD_NAME); // KX
    case 19: return list(FIELD_STRING); // X25
    case 20: return list(FIELD_STRING, FIELD_STRING); // ISDN
    case 23: // NSAP-PTR
    case 39: return list(FIELD_NAME); // DNAME
    case 24: // SIG
    case 46: return list(2, 1, 1, 4, 4, 4, 2, FIELD_NAME, FIELD_BASE64); // RRSIG
    case 25: return list(2, 1, 1, FIELD_BASE64); // KEY
    case 26: return list(2, FIELD_NAME, FIELD_NAME); // PX
    case 27: return list(FIELD_STRING, FIELD_STRING, FIELD_STRING); // GPOS
    case 28: return list(FIELD_AAAA); // AAAA
    case 29: return list(1, 1, 1, 1, 4, 4, 4); // LOC
    case 30: // NXT
    case 47: return list(FIELD_NAME, FIELD_BITMAP); // NSEC
    case 33: return list(2, 2, 2, FIELD_NAME); // SRV
    case 35: return list(2, 2, FIELD_STRING, FIELD_STRING, FIELD_STRING, FIELD_NAME); // NAPTR
    case 37: return list(2, 2, 1, FIELD_BASE64); // CERT
    case 42: return list(FIELD_PREFIXES); // APL
    case 43: return list(2, 1, 1, FIELD_REST); // DS
    case 44: return list(1, 1, FIELD_REST); // SSHFP
    case 45: return list(1, 1, 1, FIELD_GATEWAY, FIELD_BASE64); // IPSECKEY
    default: return list(FIELD_REST);
  }
}

function newFields(type: u32): u64 {
  switch (type) {
    case 48: // DNSKEY
    case 57: // RKEY
    case 60: return list(2, 1, 1, FIELD_BASE64); // CDNSKEY
    case 49: // DHCID
    case 61: return list(FIELD_BASE64); // OPENPGPKEY
    case 50: return list(1, 1, 2, 1, FIELD_SIZED, 1, FIELD_HASH, FIELD_BITMAP); // NSEC3
    case 51: return list(1, 1, 2, 1, FIELD_SIZED); // NSEC3PARAM
    case 52: // TLSA
    case 53: return list(1, 1, 1, FIELD_REST); // SMIMEA
    case 55: return list(1, 1, 2, FIELD_HIT, FIELD_KEY, FIELD_NAMES); // HIP
    case 56: // NINFO
    case 99: return list(FIELD_STRINGS); // SPF
    case 58: return list(FIELD_NAME, FIELD_NAME); // TALINK
    case 59: return list(2, 1, 1, FIELD_REST); // CDS
    case 62: return list(4, 2, FIELD_BITMAP); // CSYNC
    case 63: return list(4, 1, 1, FIELD_REST); // ZONEMD
    case 64: // SVCB
    case 65: return list(2, FIELD_NAME, FIELD_PARAMS); // HTTPS
    case 100: return list(FIELD_STRING); // UINFO
    case 101: // UID
    case 102: return list(4); // GID
    case 104: // NID
    case 106: return list(2, 8); // L64
    case 105: return list(2, FIELD_A); // L32
    case 107: return list(2, FIELD_NAME); // LP
    case 108: return list(6); // EUI48
    case 109: return list(8); // EUI64
    default: return list(FIELD_REST);
  }
}

@inline
function list(
  a: u64, b: u64 = 0, c: u64 = 0, d: u64 = 0, e: u64 = 0, f: u64 = 0, g: u64 = 0, h: u64 = 0, i: u64 = 0,
): u64 {
  return a | (b << 5) | (c << 10) | (d << 15) | (e << 20) | (f << 25) | (g << 30) | (h << 35) | (i << 40);
}
