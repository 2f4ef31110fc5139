// A query that leaves the fast face goes on to other parsers, so it leaves well-formed: CoreDNS parses and packs queries
// anew, and what its backends see has true counts, a whole question, plain names and nothing behind the last RR.

import { HEADER_BYTES, TYPE_OPT } from '../shared/codes';
import { IMAGE_SCRATCH } from '../shared/layout';
import { expandName, plainNameBytes, skipName } from './name';
import { load16, store16 } from './octets';
import { packedOptionsBytes, packOptions } from './options';
import { expandRdata, rdataIsSound, rdataPlain } from './rdata';
import { area, isOdd, messageAt, messageBytes, qclass, qnameAt, qnameBytes, qtype, questionEnd } from './query';

/**
 * Octets of IMAGE_SCRATCH in use: no answer is under construction while a query leaves. The scratch of the names would
 * not do, since a query's octets would become entries of its table.
 */
const ROOM: u32 = 16384;

/**
 * Packs the current query anew in its place, which has `room` octets. Returns its length; 0 if it does not fit, then
 * nothing has changed. A query that is already as it should be is left alone.
 */
export function repackQuery(room: u32): u32 {
  if (!isOdd) return messageBytes;
  const start = area + IMAGE_SCRATCH;
  const bytes = packQuery(start, room < ROOM ? room : ROOM);
  memory.copy(messageAt, start, bytes); // Bounds: bytes <= room
  return bytes;
}

/** Packs the current query anew at `start`, which has `room` octets and is not the message's own place. */
export function packQuery(start: u32, room: u32): u32 {
  const limit = start + room;
  memory.copy(start, messageAt, HEADER_BYTES); // Bounds: the scratch is larger than a header
  let out = start + HEADER_BYTES;
  if (out + qnameBytes + 4 > limit) return 0;
  memory.copy(out, qnameAt, qnameBytes);
  store16(out + qnameBytes, qtype);
  store16(out + qnameBytes + 2, qclass);
  out += qnameBytes + 4;
  const end = messageAt + messageBytes;
  let from = questionEnd;
  for (let section: u32 = 0; section < 3; section++) {
    const promised = load16(messageAt + 6 + section * 2); // Bounds: inside the header
    let count: u32 = 0;
    for (; count < promised && from < end; count++) {
      const fixed = skipName(messageAt, from, end);
      if (!fixed || fixed + 10 > end) return 0;
      const behind = fixed + 10 + load16(fixed + 8);
      const isOpt = load16(fixed) == TYPE_OPT;
      if (behind > end) return 0;
      const isSound = !isOpt && rdataIsSound(messageAt, load16(fixed), fixed + 10, behind);
      const rest = 10 + (isOpt ? packedOptionsBytes(fixed + 10, behind) : isSound ? rdataPlain : behind - fixed - 10);
      const nameBytes = plainNameBytes(messageAt, from, end);
      if (out + nameBytes + rest > limit) return 0;
      expandName(messageAt, from, end, out);
      out += nameBytes;
      memory.copy(out, fixed, 8); // Bounds: checked above
      store16(out + 8, rest - 10);
      if (isOpt) packOptions(fixed + 10, behind, out + 10);
      else if (isSound) expandRdata(messageAt, load16(fixed), fixed + 10, behind, out + 10);
      else memory.copy(out + 10, fixed + 10, rest - 10); // packed anew already
      out += rest;
      from = behind;
    }
    store16(start + 6 + section * 2, count);
  }
  return out - start;
}
