// One RR from an untrusted message into an image: names are decompressed, checked and compressed again against what
// stands in the image already.

import { HEADER_BYTES } from '../shared/codes';
import { COMPRESS_SCRATCH } from '../shared/layout';
import { NAME_BUFFERS, emitName } from '../wire/compress';
import { load16, store16 } from '../wire/octets';
import { area, qnameBytes } from '../wire/query';
import { compressRdata, rdataPad, rdataPlain } from '../wire/rdata';
import { nameBytes, readName } from '../wire/reply';

/** Octets of the RR uncompressed, without rdataPad. */
export let recordPlain: u32 = 0;
/** Address of the copy's TYPE field. */
export let recordFixed: u32 = 0;

export const RR_FIXED_BYTES: u32 = 10;
const POINTER_TO_QUESTION: u32 = 0xc000 | HEADER_BYTES;
/** Octets that a copy may need beyond its original: an owner and two names, all in full. */
export const COPY_ROOM: u32 = 1024;

/** The message that is copied spells its question as the image does. */
export let isAlike: bool = false;
/** Address behind the message that is copied. */
export let copiedEnd: u32 = 0;

export function beginCopies(isSpeltAlike: bool, end: u32): void {
  isAlike = isSpeltAlike;
  copiedEnd = end;
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
    if (!readName(start, at, copiedEnd, name)) return 0;
    recordPlain = nameBytes + RR_FIXED_BYTES;
    to = emitName(name, out, true, remember);
  }
  recordFixed = to;
  store<u64>(to, load<u64>(fixed)); // type, class, TTL
  const rdata = fixed + RR_FIXED_BYTES;
  const rdataBytes = load16(fixed + 8);
  const from = to + RR_FIXED_BYTES;
  const type = load16(fixed);
  const end = compressRdata(start, type, rdata, rdata + rdataBytes, from, remember);
  if (!end || end - from > 0xffff) return 0;
  recordPlain += rdataPlain;
  store16(to + 8, end - from);
  return end;
}
