// The reply to a rewritten question goes back through plugin rewrite: the question as it was asked, names turned back,
// TTLs clamped, the rcode replaced. Where names differ the image is taken apart and built anew for the question.

import {
  FLAG_TC,
  HEADER_BYTES,
  MESSAGE_BYTES_MAX,
  RCODE_MASK,
  TYPE_CNAME,
  TYPE_DNAME,
  TYPE_MX,
  TYPE_NAPTR,
  TYPE_NS,
  TYPE_PTR,
  TYPE_SOA,
  TYPE_SRV,
} from '../shared/codes';
import { COMPRESS_SCRATCH, IMAGE_SCRATCH, REWRITE_MESSAGE, REWRITE_SCRATCH } from '../shared/layout';
import { order } from '../program/chain';
import {
  brokenBytes,
  brokenNames,
  clampsTtl,
  forgetBrokenNames,
  hasNewName,
  isRestored,
  rewrittenName,
  rewrittenRcode,
  rewrittenTtl,
} from '../program/rewrite';
import { NAME_BUFFERS } from '../wire/compress';
import { load16, load32, store16, store32 } from '../wire/octets';
import { area, askAgain } from '../wire/query';
import { expandRdata } from '../wire/rdata';
import { nameBytes, readName } from '../wire/reply';
import { COPY_ROOM, RR_FIXED_BYTES } from './copy';
import { TTL_AS_IS, emitImage } from './emit';
import { writeQuestion } from './error';
import {
  IMAGE_OK,
  IMAGE_OPTIONS,
  IMAGE_OPT_SIZE,
  IMAGE_OPT_TTL,
  IMAGE_QUESTION,
  IMAGE_RCODE,
  IMAGE_RECORDS,
  IMAGE_TABLE,
  IMAGE_TAIL,
  IMAGE_TAIL_BYTES,
  IMAGE_TRAITS,
  RECORD_FIXED,
  RECORD_SECTION,
  RECORD_START,
  RECORD_STRIDE,
  RECORD_TYPE,
  TRAIT_OPT,
  imageFromMessage,
  respellReply,
} from './image';
import { classify } from './kind';
import { OPT_FIXED_BYTES, appendOptFixed } from './opt';
import { WITHHELD_MAX, withheld, withhold } from './withheld';

/** The image could not be built again. */
export let isBroken: bool = false;

/**
 * Writes the reply of the image in IMAGE_SCRATCH to `out` as emitImage() does, through the rules if the question was
 * rewritten. 0: it needs more than `outMax` octets, or isBroken.
 */
export function emitAnswer(out: u32, outMax: u32, ttl: i32, headerWord: u32): u32 {
  const image = area + IMAGE_SCRATCH;
  isBroken = false;
  if (!isRestored()) return emitImage(image, out, outMax, ttl, headerWord, order);
  const isKept: u32 = load<u16>(image + IMAGE_TRAITS) & TRAIT_OPT ? 1 : 0; // Bounds: an image stands there
  const rcode = rewrittenRcode(load<u16>(image + IMAGE_RCODE), <u32>load<u16>(image + IMAGE_RECORDS) + isKept);
  const word = (headerWord & ~RCODE_MASK) | (rcode & RCODE_MASK);
  if (isKept && clampsTtl()) store<u32>(image + IMAGE_OPT_TTL, rewrittenTtl(load<u32>(image + IMAGE_OPT_TTL)));
  if (!hasNewName) {
    askAgain();
    store<u16>(image + IMAGE_RCODE, <u16>rcode);
    classify(image);
    return emitImage(image, out, outMax, clampTtls(image, ttl), word, order);
  }
  const message = area + REWRITE_SCRATCH + REWRITE_MESSAGE;
  forgetBrokenNames();
  const bytes = takeApart(image, message, ttl, word, isKept != 0);
  if (brokenNames) {
    const opt: u32 = isKept ? OPT_FIXED_BYTES + load<u32>(image + IMAGE_OPTIONS) : 0;
    withhold(min<u32>(max<u32>(withheld, 1) + brokenBytes + opt, WITHHELD_MAX));
  }
  if (imageFromMessage(message, bytes, order, isKept != 0) != IMAGE_OK) {
    isBroken = true;
    return 0;
  }
  respellReply();
  store<u16>(image + IMAGE_RCODE, <u16>rcode);
  return emitImage(image, out, outMax, TTL_AS_IS, load16(message + 2), order);
}

/** Clamps the TTLs of an image whose names stay; returns the one TTL for all RRs, or TTL_AS_IS. */
function clampTtls(image: u32, ttl: i32): i32 {
  if (ttl >= 0) return <i32>rewrittenTtl(<u32>ttl);
  if (!clampsTtl()) return ttl;
  const start = image + load<u32>(image + IMAGE_QUESTION) - HEADER_BYTES; // Bounds: the image's header
  const records: u32 = load<u16>(image + IMAGE_RECORDS);
  for (let i: u32 = 0; i < records; i++) {
    // Bounds: offsets of the table lie inside the image
    const at = start + <u32>load<u16>(image + IMAGE_TABLE + i * RECORD_STRIDE + RECORD_FIXED) + 4;
    store32(at, rewrittenTtl(load32(at)));
  }
  return TTL_AS_IS;
}

/** Writes the image as a message that answers the question as it was asked, without compression; returns its length. */
function takeApart(image: u32, to: u32, ttl: i32, headerWord: u32, isKept: bool): u32 {
  const start = image + load<u32>(image + IMAGE_QUESTION) - HEADER_BYTES; // Bounds: the image's header
  const end = image + load<u32>(image + IMAGE_TAIL) + load<u32>(image + IMAGE_TAIL_BYTES);
  const records: u32 = load<u16>(image + IMAGE_RECORDS);
  const options: u32 = isKept ? load<u32>(image + IMAGE_OPTIONS) : 0;
  const limit = to + <u32>MESSAGE_BYTES_MAX;
  askAgain();
  let out = writeQuestion(to + HEADER_BYTES);
  let word = headerWord;
  memory.fill(to + 6, 0, 6); // Bounds: the header
  for (let i: u32 = 0; i < records; i++) {
    const entry = image + IMAGE_TABLE + i * RECORD_STRIDE; // Bounds: i < records
    const fixed = start + <u32>load<u16>(entry + RECORD_FIXED);
    if (out + COPY_ROOM + load16(fixed + 8) + options > limit) {
      // Names that became longer have made it too long: as for any reply, what does not fit is left out.
      word |= FLAG_TC;
      break;
    }
    out = turnRecord(start, start + <u32>load<u16>(entry + RECORD_START), fixed, end, out, ttl, load<u16>(entry + RECORD_TYPE));
    const count = to + 6 + <u32>load<u8>(entry + RECORD_SECTION) * 2;
    store16(count, load16(count) + 1);
  }
  if (isKept) out = copyOpt(image, end, out, to);
  store<u16>(to, 0);
  store16(to + 2, word);
  store16(to + 4, 1);
  return out - to;
}

/** The kept OPT behind everything else. */
function copyOpt(image: u32, end: u32, out: u32, to: u32): u32 {
  const options = load<u32>(image + IMAGE_OPTIONS); // Bounds: the image's header; the options stand behind the tail
  const behind = appendOptFixed(out, load<u16>(image + IMAGE_OPT_SIZE), 0, load<u32>(image + IMAGE_OPT_TTL));
  store16(behind - 2, options);
  memory.copy(behind, end, options);
  store16(to + 10, load16(to + 10) + 1);
  return behind + options;
}

/** Copies one RR with its names turned back; returns the address behind it. */
function turnRecord(start: u32, at: u32, fixed: u32, end: u32, out: u32, ttl: i32, type: u32): u32 {
  const name = area + COMPRESS_SCRATCH + NAME_BUFFERS;
  readName(start, at, end, name); // Bounds: the image's own names are well-formed
  let to = out + rewrittenName(name, nameBytes, out);
  const rdata = fixed + RR_FIXED_BYTES;
  const rdataEnd = rdata + load16(fixed + 8);
  store<u32>(to, load<u32>(fixed)); // type, class
  store32(to + 4, rewrittenTtl(ttl >= 0 ? <u32>ttl : load32(fixed + 4)));
  const from = to + RR_FIXED_BYTES;
  to = turnRdata(start, type, rdata, rdataEnd, from);
  store16(from - 2, to - from);
  return to;
}

function turnRdata(start: u32, type: u32, at: u32, end: u32, out: u32): u32 {
  // Bounds: takeApart() checked the room
  const behind = hasValue(type) ? turnValue(start, type, at, end, out) : expandRdata(start, type, at, end, out);
  if (behind) return behind;
  // Was cut, and filled with zeros: no rdata of its type
  memory.copy(out, at, end - at);
  return out + (end - at);
}

/** Rdata with its first name turned back; 0: there is none. */
function turnValue(start: u32, type: u32, at: u32, end: u32, out: u32): u32 {
  const from = valueOf(type, at, end);
  if (from >= end) return 0;
  const name = area + COMPRESS_SCRATCH + NAME_BUFFERS;
  let p = readName(start, from, end, name);
  if (!p) return 0;
  memory.copy(out, at, from - at);
  let to = out + (from - at);
  to += rewrittenName(name, nameBytes, to);
  if (type == TYPE_SOA) {
    p = readName(start, p, end, name);
    if (!p) return 0;
    memory.copy(to, name, nameBytes);
    to += nameBytes;
  }
  memory.copy(to, p, end - p);
  return to + (end - p);
}

/** Address of the name in the rdata, which may be cut before it. */
function valueOf(type: u32, at: u32, end: u32): u32 {
  if (type == TYPE_SRV) return at + 6;
  if (type == TYPE_MX) return at + 2;
  if (type != TYPE_NAPTR) return at;
  let p = at + 4;
  for (let i: u32 = 0; i < 3 && p < end; i++) p += <u32>load<u8>(p) + 1; // Bounds: p < end
  return p;
}

/** Types whose name rules know: SRV MX CNAME NS DNAME NAPTR SOA PTR. */
function hasValue(type: u32): bool {
  switch (type) {
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_SOA:
    case TYPE_PTR:
    case TYPE_MX:
    case TYPE_SRV:
    case TYPE_NAPTR:
    case TYPE_DNAME: return true;
    default: return false;
  }
}
