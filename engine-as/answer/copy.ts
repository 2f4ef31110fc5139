// One RR from an untrusted message into an image: names are decompressed, checked and compressed again against what
// stands in the image already.

import { HEADER_BYTES } from '../shared/codes';
import { COMPRESS_SCRATCH } from '../shared/layout';
import { NAME_BUFFERS, emitName } from '../wire/compress';
import { load16, store16 } from '../wire/octets';
import { area, qnameBytes } from '../wire/query';
import { rdataIsSound } from '../wire/rdata';
import { firstName, nameBytes, rdataShape, readName, restIsSound, shapeNames, shapePoints } from '../wire/reply';

/** Octets of the RR uncompressed, without recordPad. */
export let recordPlain: u32 = 0;
/** Address of the copy's TYPE field. */
export let recordFixed: u32 = 0;
/** Octets that CoreDNS's library counts in addition when it measures this RR (it measures base64 and base32 text). */
export let recordPad: u32 = 0;

export const RR_FIXED_BYTES: u32 = 10;
const POINTER_TO_QUESTION: u32 = 0xc000 | HEADER_BYTES;
/** Octets that a copy may need beyond its original: an owner and two names, all in full. */
export const COPY_ROOM: u32 = 1024;

/** The message that is copied spells its question as the image does. */
export let isAlike: bool = false;

export function beginCopies(isSpeltAlike: bool): void {
  isAlike = isSpeltAlike;
}

/**
 * Copies the RR at `at` of the message from `start`, whose TYPE field stands at `fixed` and whose rdata lies inside
 * the message, to `out`; room: COPY_ROOM and the rdata. Returns the address behind the copy, 0 if a name or the rdata
 * is malformed.
 */
export function copyRecord(start: u32, at: u32, fixed: u32, out: u32, remember: bool): u32 {
  let to: u32;
  // Bounds: the RR lies inside the message
  if (isAlike && load16(at) == POINTER_TO_QUESTION) {
    store16(out, POINTER_TO_QUESTION);
    to = out + 2;
    recordPlain = qnameBytes + RR_FIXED_BYTES;
  } else {
    const name = area + COMPRESS_SCRATCH + NAME_BUFFERS;
    if (!readName(start, at, fixed, name)) return 0;
    recordPlain = nameBytes + RR_FIXED_BYTES;
    to = emitName(name, out, true, remember);
  }
  recordFixed = to;
  recordPad = 0;
  store<u64>(to, load<u64>(fixed)); // type, class, TTL
  const rdata = fixed + RR_FIXED_BYTES;
  const rdataBytes = load16(fixed + 8);
  const from = to + RR_FIXED_BYTES;
  const type = load16(fixed);
  const end = copyRdata(start, type, rdata, rdata + rdataBytes, from, remember);
  if (!end || end - from > 0xffff) return 0;
  store16(to + 8, end - from);
  return end;
}

/** Returns the address behind the copied rdata, 0 if it is malformed. */
function copyRdata(start: u32, type: u32, at: u32, end: u32, out: u32, remember: bool): u32 {
  const bytes = end - at;
  const shape = bytes ? rdataShape(type) : 0;
  if (!shape) {
    if (bytes && !rdataIsSound(start, type, at, end)) return 0;
    memory.copy(out, at, bytes); // Bounds: room by contract
    recordPlain += bytes;
    recordPad = textPad(type, bytes);
    return out + bytes;
  }
  let p = firstName(shape, at, end);
  if (!p) return 0;
  memory.copy(out, at, p - at); // Bounds: room by contract
  recordPlain += p - at;
  let to = out + (p - at);
  const name = area + COMPRESS_SCRATCH + NAME_BUFFERS;
  for (let i = shapeNames(shape); i > 0; i--) {
    p = readName(start, p, end, name);
    if (!p) return 0;
    recordPlain += nameBytes;
    to = emitName(name, to, shapePoints(shape), remember);
  }
  const rest = end - p;
  if (!restIsSound(shape, rest)) return 0;
  memory.copy(to, p, rest); // Bounds: room by contract
  recordPlain += rest;
  recordPad = textPad(type, rest);
  return to + rest;
}

/** `bytes`: octets behind the names. Base64 text is measured in whole groups of three octets, base32 by its digits. */
function textPad(type: u32, bytes: u32): u32 {
  switch (type) {
    case 24: // SIG
    case 46: // RRSIG
    case 49: // DHCID
    case 61: return (3 - (bytes % 3)) % 3; // OPENPGPKEY
    case 25: // KEY
    case 48: // DNSKEY
    case 60: return bytes < 4 ? 0 : (3 - ((bytes - 4) % 3)) % 3; // CDNSKEY
    case 37: return bytes < 5 ? 0 : (3 - ((bytes - 5) % 3)) % 3; // CERT
    case 50: return 12; // NSEC3: the hash of 20 octets is 32 digits
    default: return 0;
  }
}
