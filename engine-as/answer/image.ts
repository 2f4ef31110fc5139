// The answer image: a reply whose RRs can be put behind any client's question without being parsed again. It is what
// the cache stores and what emitImage() writes from. Names point at the question at offset 12, so the client's own
// spelling comes back.
//
//   0        IMAGE_TABLE              question               tail                     options
//   ├ header ┼ RR table, 8 octets each ┼ qname,               ┼ answer, authority and  ┼ rdata of the ┤
//   │        │ start, TYPE offset,     │ qtype, qclass        │ additional RRs, no OPT │ OPT, if kept │
//   │        │ type, section, pad      │                      │                        │              │
//
// start and TYPE offset count from the beginning of the message (12 octets before the question), as pointers do. The
// qname is in lower case in what the cache keeps, and spelt as the reply to send shows it once respellReply() or
// respellHit() has been there.
//
// With an order (plugin loadbalance, see order.ts) each section holds CNAMEs, other types, A and AAAA, MX, in an order
// of their own. The addresses and the MX RRs form groups that emitImage() arranges; so that any order is a valid
// message, no name is allowed to point at one that stands first inside a group of two or more. Only where all addresses
// of a group have one owner do the owners stay in their places, the first spelt out and the others pointing at it.

import { HEADER_BYTES, MESSAGE_BYTES_MAX, RCODE_MASK } from '../shared/codes';
import { TYPE_A, TYPE_AAAA, TYPE_AXFR, TYPE_CNAME, TYPE_IXFR, TYPE_MX, TYPE_OPT } from '../shared/codes';
import { COMPRESS_SCRATCH, IMAGE_BYTES_MAX, IMAGE_SCRATCH, LARGE_OUT } from '../shared/layout';
import { NAME_BUFFERS, NAME_BUFFER_STRIDE, beginNames } from '../wire/compress';
import { sameOctets, skipName } from '../wire/name';
import { copyOctets, load16, load32, store16 } from '../wire/octets';
import { optionsAreSound } from '../wire/options';
import { area, lowerAt, qclass, qnameAt, qnameBytes, qtype } from '../wire/query';
import { behindQuestion, nameBytes, readName } from '../wire/reply';
import { COPY_ROOM, beginCopies, copyRecord, isAlike, copiedEnd, recordFixed, recordPlain } from './copy';
import { rdataIsStuck, rdataPad } from '../wire/rdata';
import { classify } from './kind';
import { isStandIn } from './opt';
import { PLACES, PLACE_ADDRESS, PLACE_ALIAS, PLACE_EXCHANGE, PLACE_OTHER, isOrdered, orderOf, placeAt } from './order';
import { withheld, withhold } from './withheld';

export const IMAGE_OK: u32 = 0;
/** Not a response to the query being served. */
export const IMAGE_MISMATCH: u32 = 1;
/** Does not parse, or does not fit. */
export const IMAGE_BAD: u32 = 2;

export const IMAGE_BYTES: u32 = 0; // u32: the whole image
export const IMAGE_PLAIN: u32 = 4; // u32: what CoreDNS measures without compression and without OPT
export const IMAGE_FLAGS: u32 = 8; // u16: header word as received
export const IMAGE_RCODE: u32 = 10; // u16: with the extended bits of the OPT
export const IMAGE_KIND: u32 = 12; // u8: KIND_, see kind.ts
export const IMAGE_CACHE_KIND: u32 = 13; // u8: KIND_ as the cache takes it
export const IMAGE_TRAITS: u32 = 14; // u16: TRAIT_ bits
export const IMAGE_TTL_MIN: u32 = 16; // u32: lowest TTL of all sections, 0xffffffff without RRs
export const IMAGE_RECORDS: u32 = 20; // u16
export const IMAGE_COUNTS: u32 = 22; // u16 x 3: answer, authority, additional
export const IMAGE_PADS: u32 = 28; // u32: sum of the RRs' pads
export const IMAGE_QUESTION: u32 = 32; // u32: offset of the question
export const IMAGE_TAIL: u32 = 36; // u32: offset of the tail
export const IMAGE_TAIL_BYTES: u32 = 40; // u32
export const IMAGE_OPTIONS: u32 = 44; // u32: octets of the kept OPT's options
export const IMAGE_OPT_SIZE: u32 = 48; // u16: UDP payload size of the kept OPT
export const IMAGE_WITHHELD: u32 = 50; // u16: 0, or see withhold()
export const IMAGE_OPT_TTL: u32 = 52; // u32: its TTL field
export const IMAGE_GROUPS: u32 = 56; // {u16 first RR, u16 RRs | GROUP_UNIFORM} x 6: addresses and MX of each section
export const IMAGE_TABLE: u32 = 80; // RECORD_STRIDE each
export const RECORD_STRIDE: u32 = 8;
export const RECORD_START: u32 = 0; // u16
export const RECORD_FIXED: u32 = 2; // u16: offset of the TYPE field
export const RECORD_TYPE: u32 = 4; // u16
export const RECORD_SECTION: u32 = 6; // u8, with RECORD_KEEPS_OWNER
/** The owner stays where it is when the RR changes places with others of its group. */
export const RECORD_KEEPS_OWNER: u32 = 0x80;
export const RECORD_PAD: u32 = 7; // u8: see rdataPad
/** This and more: the rdata has to be measured. */
export const PAD_MAX: u32 = 255;
/** The group's RRs are all of one size, and so are their owners. */
export const GROUP_UNIFORM: u32 = 0x8000;
export const GROUP_COUNT: u32 = 6;
export const GROUP_STRIDE: u32 = 4;

export const TRAIT_CACHEABLE: u32 = 1; // the cache may store it
export const TRAIT_OPT: u32 = 2; // an OPT is kept
export const TRAIT_GROUPS: u32 = 4; // there is something to shuffle
export const TRAIT_TSIG: u32 = 8; // signed: never truncated (CoreDNS core, A5)
export const TRAIT_ANSWERS: u32 = 16; // NOERROR, and the question is answered
export const TRAIT_STUCK: u32 = 32; // CoreDNS cannot pack it, so nothing is sent
export const TRAIT_ORDER_SHIFT: u32 = 6; // two bits: the ORDER_ that it was built for

/** The image's part of IMAGE_SCRATCH; behind it the list of the received RRs, or the order of RRs being emitted. */
export const IMAGE_ROOM: u32 = IMAGE_BYTES_MAX - 49152;
export const RECORDS_MAX: u32 = 6144; // 65535 / 11 is less
const POINTER_TO_QUESTION: u32 = 0xc000 | HEADER_BYTES;
const SOURCE_KIND: u32 = 7; // u8 in a source entry: place in the canonical order

/** The OPT of the reply that imageFromMessage() parsed last: address of its rdata, 0 = none. */
let replyOpt: u32 = 0;
export let replyOptTtl: u32 = 0;
let replyOptBytes: u32 = 0;
let replyOptSize: u32 = 0;

/** CoreDNS cannot pack the reply. */
let isStuck: bool = false;

let source: u32 = 0;
let sourceCount: u32 = 0;
let ttlMin: u32 = 0;
let image: u32 = 0;
let written: u32 = 0;
let plain: u32 = 0;
let pads: u32 = 0;

// What imageFromMessage() was given last.
let replyAt: u32 = 0;
let replyBytes: u32 = 0;
let replyOrder: u32 = 0;
let keepsOpt: bool = false;

/**
 * Builds the image of the reply message at `at` in IMAGE_SCRATCH, to stand behind the question in lower case: as the
 * cache keeps it. The reply must answer the query being served.
 * @param order the order that the block asks for: 0, 1 or a rotate step.
 * @param keepOpt keeps the reply's OPT (blocks without cache); otherwise it only lends its rcode and DO.
 */
export function imageFromMessage(at: u32, bytes: u32, order: u32, keepOpt: bool): u32 {
  replyAt = at;
  replyBytes = bytes;
  replyOrder = order;
  keepsOpt = keepOpt;
  return imageAsSpelt(at, bytes, order, keepOpt, lowerAt);
}

/**
 * Before the image just built is sent: it stands behind the question as its reply spells it, which is no difference
 * but for clients that vary the case of their letters.
 */
export function respellReply(): void {
  const spelt = replyAt + HEADER_BYTES; // Bounds: the reply was parsed, and stands where it stood
  if (sameOctets(spelt, lowerAt, qnameBytes)) return;
  if (imageAsSpelt(replyAt, replyBytes, replyOrder, keepsOpt, spelt) == IMAGE_OK) return;
  // Names in another spelling take more room.
  imageAsSpelt(replyAt, replyBytes, replyOrder, keepsOpt, lowerAt);
}

/**
 * Builds the image in IMAGE_SCRATCH, one that the cache keeps, anew for a client that spells the question otherwise:
 * names keep the case in which they were stored. False: it has no room.
 */
export function respellHit(order: u32): bool {
  const from = area + IMAGE_SCRATCH;
  const to = area + LARGE_OUT;
  withhold(load<u16>(from + IMAGE_WITHHELD)); // Bounds: an image stands there
  const bytes: u32 = <u32>HEADER_BYTES + qnameBytes + 4 + load<u32>(from + IMAGE_TAIL_BYTES); // Bounds: an image stands there
  if (bytes > <u32>MESSAGE_BYTES_MAX) return false;
  store16(to + 2, load<u16>(from + IMAGE_FLAGS)); // Bounds: LARGE_OUT has room for any message
  store16(to + 4, 1);
  for (let i: u32 = 0; i < 3; i++) store16(to + 6 + i * 2, load<u16>(from + IMAGE_COUNTS + i * 2));
  memory.copy(to + HEADER_BYTES, from + load<u32>(from + IMAGE_QUESTION), bytes - HEADER_BYTES);
  const isBuilt = imageAsSpelt(to, bytes, order, false, qnameAt) == IMAGE_OK;
  withhold(0);
  return isBuilt;
}

/** @param nameAt the qname as the reply that is sent will show it: names in this spelling point at it. */
function imageAsSpelt(at: u32, bytes: u32, order: u32, keepOpt: bool, nameAt: u32): u32 {
  if (bytes < <u32>HEADER_BYTES || bytes > <u32>MESSAGE_BYTES_MAX) return IMAGE_BAD;
  const end = at + bytes;
  const behind = behindQuestion(at, end);
  if (!behind) return IMAGE_MISMATCH;
  image = area + IMAGE_SCRATCH;
  source = image + IMAGE_ROOM;
  if (!listRecords(at, behind, end)) return IMAGE_BAD;
  const flags = load16(at + 2); // Bounds: the header is whole
  const rcode = (flags & RCODE_MASK) | (replyOpt ? (replyOptTtl >> 24) << 4 : 0);
  for (let i: u32 = 0; i < IMAGE_TABLE; i += 16) v128.store(image + i, i64x2.splat(0)); // Bounds: a whole number of these
  store<u16>(image + IMAGE_FLAGS, <u16>flags); // Bounds: IMAGE_SCRATCH begins with the image's header
  store<u16>(image + IMAGE_RCODE, <u16>rcode);
  store<u32>(image + IMAGE_TTL_MIN, ttlMin);
  store<u16>(image + IMAGE_RECORDS, <u16>sourceCount);
  const question = IMAGE_TABLE + sourceCount * RECORD_STRIDE;
  const message = image + question - HEADER_BYTES;
  const tail = writeImageQuestion(image + question, nameAt);
  written = 0;
  plain = tail - message;
  pads = 0;
  isStuck = false;
  beginNames(message, nameAt);
  beginCopies(sameOctets(at + HEADER_BYTES, nameAt, qnameBytes), end);
  const kind = rcode == 0 && qtype != TYPE_AXFR && qtype != TYPE_IXFR ? orderOf(order) : 0;
  store<u16>(image + IMAGE_TRAITS, <u16>(kind << TRAIT_ORDER_SHIFT));
  let out = tail;
  let first: u32 = 0;
  for (let section: u32 = 0; section < 3; section++) {
    const count: u32 = load<u16>(image + IMAGE_COUNTS + section * 2);
    out = copySection(at, section, first, first + count, out, kind);
    if (!out) return IMAGE_BAD;
    first += count;
  }
  store<u16>(image + IMAGE_WITHHELD, <u16>withheld);
  store<u32>(image + IMAGE_PLAIN, plain + pads + (withheld ? withheld - 1 : 0));
  store<u32>(image + IMAGE_PADS, pads);
  store<u32>(image + IMAGE_QUESTION, question);
  store<u32>(image + IMAGE_TAIL, tail - image);
  store<u32>(image + IMAGE_TAIL_BYTES, out - tail);
  if (keepOpt && replyOpt && !isStandIn(replyOptTtl, replyOptSize, replyOptBytes)) out = keepReplyOpt(out);
  if (!out) return IMAGE_BAD;
  store<u32>(image + IMAGE_BYTES, out - image);
  classify(image);
  if (isStuck) store<u16>(image + IMAGE_TRAITS, (load<u16>(image + IMAGE_TRAITS) & ~(<u16>TRAIT_CACHEABLE)) | <u16>TRAIT_STUCK);
  return IMAGE_OK;
}

/** Lists the RRs behind the question in the source table and counts them; false: malformed. */
function listRecords(start: u32, at: u32, end: u32): bool {
  let p = at;
  let last: u32 = 0;
  replyOpt = 0;
  replyOptTtl = 0;
  sourceCount = 0;
  ttlMin = 0xffffffff;
  for (let section: u32 = 0; section < 3; section++) {
    const count = load16(start + 6 + section * 2); // Bounds: inside the header
    // Each round consumes 11 octets or more.
    for (let i: u32 = 0; i < count; i++) {
      if (p == end) break; // a count may promise more than there is: CoreDNS's library accepts that
      const fixed = p + 2 <= end && load<u16>(p) == 0x0cc0 ? p + 2 : skipName(start, p, end); // Bounds: p + 2 <= end
      if (!fixed || fixed + 10 > end) return false;
      const type = load16(fixed); // Bounds: fixed + 10 <= end
      const rdata = fixed + 10;
      const behind = rdata + load16(fixed + 8);
      if (behind > end) return false;
      if (type == TYPE_OPT) {
        if (!optionsAreSound(rdata, behind)) return false;
        if (section == 2) takeOpt(fixed);
      } else {
        const entry = source + sourceCount * RECORD_STRIDE; // Bounds: at most 65535 / 11 < RECORDS_MAX entries
        store<u16>(entry + RECORD_START, <u16>(p - start));
        store<u16>(entry + RECORD_FIXED, <u16>(fixed - start));
        store<u16>(entry + RECORD_TYPE, <u16>type);
        store<u8>(entry + RECORD_SECTION, <u8>section);
        store<u8>(entry + SOURCE_KIND, <u8>placeOf(type));
        const ttl = load32(fixed + 4);
        if (ttl < ttlMin) ttlMin = ttl;
        sourceCount++;
      }
      p = behind;
    }
    countSection(section, sourceCount - last);
    last = sourceCount;
  }
  return true;
}

let answers: u32 = 0;
let authorities: u32 = 0;
let additionals: u32 = 0;

function countSection(section: u32, count: u32): void {
  if (section == 0) answers = count;
  else if (section == 1) authorities = count;
  else additionals = count;
}

/** The last OPT counts. */
function takeOpt(fixed: u32): void {
  replyOpt = fixed + 10;
  replyOptSize = load16(fixed + 2); // Bounds: listRecords() checked the fixed part
  replyOptTtl = load32(fixed + 4);
  replyOptBytes = load16(fixed + 8);
}

@inline
function placeOf(type: u32): u32 {
  if (type == TYPE_A || type == TYPE_AAAA) return PLACE_ADDRESS;
  if (type == TYPE_CNAME) return PLACE_ALIAS;
  return type == TYPE_MX ? PLACE_EXCHANGE : PLACE_OTHER;
}

/** Writes the question and the section counts; returns the address of the tail. */
function writeImageQuestion(at: u32, nameAt: u32): u32 {
  // Bounds: header, table and question fit IMAGE_ROOM: 80 + 6144 * 8 + 259
  store<u16>(image + IMAGE_COUNTS, <u16>answers);
  store<u16>(image + IMAGE_COUNTS + 2, <u16>authorities);
  store<u16>(image + IMAGE_COUNTS + 4, <u16>additionals);
  copyOctets(at, nameAt, qnameBytes);
  store16(at + qnameBytes, qtype);
  store16(at + qnameBytes + 2, qclass);
  return at + qnameBytes + 4;
}

/** Copies source entries from `first` to `behind` in the places of this ORDER_; returns the new end, 0 = bad. */
function copySection(start: u32, section: u32, first: u32, behind: u32, out: u32, kind: u32): u32 {
  let to = out;
  if (!isOrdered(kind, section, kind ? countPlace(first, behind, PLACE_ADDRESS) : 0)) {
    for (let i = first; i < behind && to; i++) to = copyEntry(start, i, to, true);
    return to;
  }
  for (let turn: u32 = 0; turn < PLACES; turn++) {
    const place = placeAt(kind, section, turn);
    const count = countPlace(first, behind, place);
    const isGroup = place >= PLACE_ADDRESS && count > 1;
    const isOfOne = isGroup && place == PLACE_ADDRESS && haveOneOwner(start, first, behind);
    const from = written;
    for (let i = first; i < behind && count; i++) {
      // Bounds: i < sourceCount
      if (<u32>load<u8>(source + i * RECORD_STRIDE + SOURCE_KIND) != place) continue;
      to = copyEntry(start, i, to, !isGroup || isOfOne);
      if (!to) return 0;
      if (isOfOne) markOwner(written - 1);
    }
    if (isGroup) addGroup(section * 2 + place - PLACE_ADDRESS, from, count, to);
  }
  return to;
}

function markOwner(index: u32): void {
  const at = image + IMAGE_TABLE + index * RECORD_STRIDE + RECORD_SECTION; // Bounds: an RR that was written
  store<u8>(at, <u8>(<u32>load<u8>(at) | RECORD_KEEPS_OWNER));
}

/** True if all addresses among the source entries have the same owner, and that is not the question's name. */
function haveOneOwner(start: u32, first: u32, behind: u32): bool {
  const names = area + COMPRESS_SCRATCH + NAME_BUFFERS;
  let bytes: u32 = 0;
  let known: u32 = 0; // first two octets of an owner that was compared
  for (let i = first; i < behind; i++) {
    const entry = source + i * RECORD_STRIDE; // Bounds: i < sourceCount; owners lie inside the message
    if (<u32>load<u8>(entry + SOURCE_KIND) != PLACE_ADDRESS) continue;
    const at = start + <u32>load<u16>(entry + RECORD_START);
    const head = load16(at);
    if (head == POINTER_TO_QUESTION && isAlike) return false;
    if (bytes && head == known && head >= 0xc000) continue;
    const name = bytes ? names + NAME_BUFFER_STRIDE : names;
    if (!readName(start, at, copiedEnd, name)) return false;
    if (!bytes) bytes = nameBytes;
    else if (nameBytes != bytes || !sameOctets(names, name, bytes)) return false;
    known = head;
  }
  return true;
}

function countPlace(first: u32, behind: u32, place: u32): u32 {
  let count: u32 = 0;
  // Bounds: behind <= sourceCount
  for (let i = first; i < behind; i++) if (<u32>load<u8>(source + i * RECORD_STRIDE + SOURCE_KIND) == place) count++;
  return count;
}

/** Copies source entry `index` to `out` and enters it in the image's table. */
function copyEntry(start: u32, index: u32, out: u32, remember: bool): u32 {
  const from = source + index * RECORD_STRIDE; // Bounds: index < sourceCount
  const fixed = start + <u32>load<u16>(from + RECORD_FIXED);
  const message = image + IMAGE_TABLE + sourceCount * RECORD_STRIDE - HEADER_BYTES;
  if (out + COPY_ROOM + load16(fixed + 8) > image + IMAGE_ROOM) return 0;
  const end = copyRecord(start, start + <u32>load<u16>(from + RECORD_START), fixed, out, remember);
  if (!end || end - message > <u32>MESSAGE_BYTES_MAX) return 0;
  const entry = image + IMAGE_TABLE + written * RECORD_STRIDE; // Bounds: written < sourceCount
  store<u16>(entry + RECORD_START, <u16>(out - message));
  store<u16>(entry + RECORD_FIXED, <u16>(recordFixed - message));
  store<u16>(entry + RECORD_TYPE, load<u16>(from + RECORD_TYPE));
  store<u8>(entry + RECORD_SECTION, load<u8>(from + RECORD_SECTION));
  store<u8>(entry + RECORD_PAD, <u8>(rdataPad < PAD_MAX ? rdataPad : PAD_MAX));
  written++;
  plain += recordPlain;
  pads += rdataPad;
  if (rdataIsStuck) isStuck = true;
  return end;
}

/** Enters the group of `count` RRs from table entry `from` on, which end at `end`. */
function addGroup(group: u32, from: u32, count: u32, end: u32): void {
  const message = image + IMAGE_TABLE + sourceCount * RECORD_STRIDE - HEADER_BYTES;
  const table = image + IMAGE_TABLE;
  let size: u32 = 0;
  let ownerBytes: u32 = 0;
  let isUniform = true;
  for (let i = from; i < from + count; i++) {
    // Bounds: from + count <= sourceCount
    const start: u32 = load<u16>(table + i * RECORD_STRIDE);
    const next: u32 = i + 1 < from + count ? <u32>load<u16>(table + (i + 1) * RECORD_STRIDE) : end - message;
    const bytes = <u32>load<u16>(table + i * RECORD_STRIDE + RECORD_FIXED) - start;
    if (size && (next - start != size || bytes != ownerBytes)) isUniform = false;
    size = next - start;
    ownerBytes = bytes;
  }
  const entry = image + IMAGE_GROUPS + group * GROUP_STRIDE; // Bounds: group < GROUP_COUNT
  store<u16>(entry, <u16>from);
  store<u16>(entry + 2, <u16>(count | (isUniform ? GROUP_UNIFORM : 0)));
  store<u16>(image + IMAGE_TRAITS, load<u16>(image + IMAGE_TRAITS) | <u16>TRAIT_GROUPS);
}

/** Copies the options of the reply's OPT behind the tail; returns the new end, 0 if they do not fit. */
function keepReplyOpt(out: u32): u32 {
  if (out + replyOptBytes > image + IMAGE_ROOM) return 0;
  memory.copy(out, replyOpt, replyOptBytes);
  store<u32>(image + IMAGE_OPTIONS, replyOptBytes); // Bounds: the image's header
  store<u16>(image + IMAGE_OPT_SIZE, <u16>replyOptSize);
  store<u32>(image + IMAGE_OPT_TTL, replyOptTtl);
  store<u16>(image + IMAGE_TRAITS, load<u16>(image + IMAGE_TRAITS) | <u16>TRAIT_OPT);
  return out + replyOptBytes;
}
