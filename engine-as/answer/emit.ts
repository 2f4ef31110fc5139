// Writes the final reply of an image: the client's question, the RRs with their TTLs, shuffled where asked, cut to the
// client's limit (CoreDNS core, A5), and the OPT.

import {
  EDNS_DO,
  FLAG_AA,
  FLAG_AD,
  FLAG_RA,
  FLAG_TC,
  HEADER_BYTES,
  MESSAGE_BYTES_MAX,
  RCODE_MASK,
  RCODE_SERVFAIL,
} from '../shared/codes';
import { IMAGE_SCRATCH } from '../shared/layout';
import { copyOctets, store16, store32 } from '../wire/octets';
import { rdataIsSound, rdataPad } from '../wire/rdata';
import { area, ednsBytes, hasEdns, isDo, qnameBytes, queryFlags, replyLimit } from '../wire/query';
import { RR_FIXED_BYTES } from './copy';
import { replyFlags, writeHeader, writeQuestion } from './error';
import {
  GROUP_COUNT,
  GROUP_STRIDE,
  GROUP_UNIFORM,
  IMAGE_COUNTS,
  IMAGE_FLAGS,
  IMAGE_GROUPS,
  IMAGE_OPTIONS,
  IMAGE_OPT_SIZE,
  IMAGE_OPT_TTL,
  IMAGE_PADS,
  IMAGE_PLAIN,
  IMAGE_RCODE,
  IMAGE_RECORDS,
  IMAGE_ROOM,
  IMAGE_TABLE,
  IMAGE_TAIL,
  IMAGE_TAIL_BYTES,
  IMAGE_TRAITS,
  IMAGE_WITHHELD,
  PAD_MAX,
  RECORD_FIXED,
  RECORD_KEEPS_OWNER,
  RECORD_PAD,
  RECORD_SECTION,
  RECORD_STRIDE,
  RECORD_TYPE,
  TRAIT_GROUPS,
  TRAIT_OPT,
  TRAIT_ORDER_SHIFT,
  TRAIT_TSIG,
} from './image';
import { OPT_FIXED_BYTES, appendOpt, appendOptFixed, optBytes } from './opt';
import { arrange, orderOf } from './order';
import { random } from './rotate';

/** Size of the reply as CoreDNS counts and logs it: uncompressed, before truncation, with an upstream's OPT if kept. */
export let emittedPlainBytes: u32 = 0;
/** Header word of the last reply. */
export let emittedFlags: u32 = 0;
/** Rcode of the last reply, with its extended bits. */
export let emittedRcode: u32 = 0;

/** For emitImage(): every RR keeps its TTL. */
export const TTL_AS_IS: i32 = -1;
const NO_LIMIT: u32 = 0xffffffff;

let image: u32 = 0;
let tail: u32 = 0; // address that message offset 0 would have
let tailEnd: u32 = 0; // message offset behind the last RR
let counts0: u32 = 0;
let counts1: u32 = 0;
let counts2: u32 = 0;

/** Header word of a reply that plugin cache passes on (`viaCache`) or that passes no cache. */
export function relayedFlags(imageAt: u32, viaCache: bool): u32 {
  const flags: u32 = load<u16>(imageAt + IMAGE_FLAGS); // Bounds: callers hold an image
  return viaCache && !wantsAd() ? flags & ~FLAG_AD : flags;
}

/** Header word of a reply from the cache: AA always, RA, AD and rcode as stored, RD and CD of the query. */
export function cachedFlags(imageAt: u32): u32 {
  const flags: u32 = load<u16>(imageAt + IMAGE_FLAGS); // Bounds: callers hold an image
  return replyFlags() | FLAG_AA | (flags & (FLAG_RA | RCODE_MASK | (wantsAd() ? FLAG_AD : 0)));
}

/** RFC 6840 §5.7: AD is for who set DO or AD. */
@inline
function wantsAd(): bool {
  return isDo || (queryFlags & FLAG_AD) != 0;
}

/**
 * Writes the reply of the image at `imageAt` to `out` and returns its length; 0 if it needs more than `outMax` octets.
 * @param ttl one TTL for all RRs, or TTL_AS_IS.
 * @param headerWord flags and rcode; TC is added when RRs had to be left out.
 * @param order arranges addresses and MX RRs of an image that was built for this order: 0, 1 or a rotate step.
 */
export function emitImage(imageAt: u32, out: u32, outMax: u32, ttl: i32, headerWord: u32, order: u32): u32 {
  image = imageAt;
  const traits: u32 = load<u16>(image + IMAGE_TRAITS); // Bounds: callers hold an image
  const isKept = (traits & TRAIT_OPT) != 0;
  const opt = isKept ? OPT_FIXED_BYTES + load<u32>(image + IMAGE_OPTIONS) : optBytes();
  const head: u32 = HEADER_BYTES + qnameBytes + 4;
  tail = image + load<u32>(image + IMAGE_TAIL) - head;
  tailEnd = head + load<u32>(image + IMAGE_TAIL_BYTES);
  const limit: u32 = traits & TRAIT_TSIG ? MESSAGE_BYTES_MAX : replyLimit;
  emittedRcode = load<u16>(image + IMAGE_RCODE);
  const isWithheld = load<u16>(image + IMAGE_WITHHELD) != 0;
  // An OPT in a reply that is withheld only tells of the rcode
  emittedPlainBytes = load<u32>(image + IMAGE_PLAIN) + (isKept && !isWithheld ? opt : 0);
  if (head + opt > outMax) return 0;
  const isArranged = (traits & TRAIT_GROUPS) != 0 && orderOf(order) == ((traits >> TRAIT_ORDER_SHIFT) & 3);
  const arranging: u32 = isArranged ? order : 0;
  let flags = headerWord;
  let end: u32;
  if (tailEnd + load<u32>(image + IMAGE_PADS) + opt <= limit) {
    if (tailEnd + opt > outMax) return 0;
    if (arranging > 1 || (isArranged && !isUniform())) end = copyInOrder(out, head, NO_LIMIT, outMax - opt, ttl, arranging);
    else end = copyWhole(out, head, ttl, isArranged);
  } else {
    end = copyInOrder(out, head, limit > opt ? limit - opt : 0, outMax - opt, ttl, arranging);
    if (!end) return 0;
    if (counts0 + counts1 + counts2 < <u32>load<u16>(image + IMAGE_RECORDS)) flags |= FLAG_TC;
  }
  writeQuestion(out + HEADER_BYTES);
  const behind = isKept ? appendKeptOpt(end) : appendOpt(end, emittedRcode);
  if (emittedRcode > <u32>RCODE_MASK && behind == end && !isWithheld) {
    // An extended rcode cannot be told without OPT; its low bits alone would mean something else.
    emittedRcode = RCODE_SERVFAIL;
    flags = (flags & ~RCODE_MASK) | RCODE_SERVFAIL;
  }
  writeHeader(out, flags, counts0, counts1, counts2 + (behind == end ? 0 : 1));
  emittedFlags = flags;
  return behind - out;
}

/** True if every group's RRs are of one size, so that they can be swapped in place. */
function isUniform(): bool {
  for (let i: u32 = 0; i < GROUP_COUNT; i++) {
    const count: u32 = load<u16>(image + IMAGE_GROUPS + i * GROUP_STRIDE + 2); // Bounds: i < GROUP_COUNT
    if (count && !(count & GROUP_UNIFORM)) return false;
  }
  return true;
}

/** Copies the whole tail; returns the address behind it. */
function copyWhole(out: u32, head: u32, ttl: i32, isRotated: bool): u32 {
  counts0 = load<u16>(image + IMAGE_COUNTS); // Bounds: the image's header
  counts1 = load<u16>(image + IMAGE_COUNTS + 2);
  counts2 = load<u16>(image + IMAGE_COUNTS + 4);
  // Bounds: emitImage() checked that tailEnd octets fit
  copyOctets(out + head, tail + head, tailEnd - head);
  if (ttl != TTL_AS_IS) {
    const records: u32 = load<u16>(image + IMAGE_RECORDS);
    for (let i: u32 = 0; i < records; i++) {
      // Bounds: offsets of the table lie inside the tail
      store32(out + <u32>load<u16>(image + IMAGE_TABLE + i * RECORD_STRIDE + RECORD_FIXED) + 4, ttl);
    }
  }
  for (let i: u32 = 0; isRotated && i < GROUP_COUNT; i++) {
    shuffleInPlace(out, image + IMAGE_GROUPS + i * GROUP_STRIDE);
  }
  return out + tailEnd;
}

/** Fisher-Yates over the RRs of one uniform group. */
function shuffleInPlace(out: u32, group: u32): void {
  const count = <u32>load<u16>(group + 2) & ~GROUP_UNIFORM; // Bounds: one of the image's groups
  if (count < 2) return;
  const first: u32 = load<u16>(group);
  const start = startOf(first);
  const size = startOf(first + 1) - start;
  for (let i: u32 = 0; i + 1 < count; i++) {
    const other = i + random(count - i);
    // Bounds: the group's octets were copied to out
    if (other != i) swapOctets(out + start + i * size, out + start + other * size, size);
  }
}

function swapOctets(a: u32, b: u32, bytes: u32): void {
  let i: u32 = 0;
  // Bounds: callers own both areas; i + 8 <= bytes, i < bytes
  for (; i + 8 <= bytes; i += 8) {
    const word = load<u64>(a + i);
    store<u64>(a + i, load<u64>(b + i));
    store<u64>(b + i, word);
  }
  for (; i < bytes; i++) {
    const octet = load<u8>(a + i);
    store<u8>(a + i, load<u8>(b + i));
    store<u8>(b + i, octet);
  }
}

/** Message offset of RR `index`, or of the tail's end. */
@inline
function startOf(index: u32): u32 {
  const records: u32 = load<u16>(image + IMAGE_RECORDS);
  if (index >= records) return tailEnd;
  return <u32>load<u16>(image + IMAGE_TABLE + index * RECORD_STRIDE); // Bounds: index < records
}

/**
 * Copies RR by RR, arranged, until the next one would pass `limit` octets as CoreDNS measures them: it and all later
 * ones are left out (miekg/dns Msg.Truncate). Returns the address behind the last one, 0 if `room` is too small.
 */
function copyInOrder(out: u32, head: u32, limit: u32, room: u32, ttl: i32, order: u32): u32 {
  const records: u32 = load<u16>(image + IMAGE_RECORDS); // Bounds: the image's header
  const list = area + IMAGE_SCRATCH + IMAGE_ROOM;
  for (let i: u32 = 0; i < records; i++) store<u16>(list + i * 2, <u16>i); // Bounds: records < RECORDS_MAX
  if (order) arrange(image, tail, list, order, GROUP_COUNT);
  counts0 = 0;
  counts1 = 0;
  counts2 = 0;
  let to = head;
  let measured = head;
  for (let i: u32 = 0; i < records; i++) {
    const index: u32 = load<u16>(list + i * 2); // Bounds: i < records
    const entry = image + IMAGE_TABLE + index * RECORD_STRIDE;
    const section = <u32>load<u8>(entry + RECORD_SECTION) & ~RECORD_KEEPS_OWNER;
    const keeper = <u32>load<u8>(entry + RECORD_SECTION) == section ? index : i;
    const owner = startOf(keeper);
    const ownerBytes = <u32>load<u16>(image + IMAGE_TABLE + keeper * RECORD_STRIDE + RECORD_FIXED) - owner;
    const body: u32 = load<u16>(entry + RECORD_FIXED);
    const size = ownerBytes + startOf(index + 1) - body;
    measured += size + padOf(entry, body, startOf(index + 1));
    if (measured > limit) break;
    if (to + size > room) return 0;
    copyOctets(out + to, tail + owner, ownerBytes); // Bounds: to + size <= room
    copyOctets(out + to + ownerBytes, tail + body, size - ownerBytes);
    if (ttl != TTL_AS_IS) store32(out + to + ownerBytes + 4, ttl);
    to += size;
    if (section == 0) counts0++;
    else if (section == 1) counts1++;
    else counts2++;
  }
  return out + to;
}

/** What CoreDNS's library counts in addition when it measures the RR of this table entry. */
function padOf(entry: u32, fixed: u32, end: u32): u32 {
  const pad: u32 = load<u8>(entry + RECORD_PAD); // Bounds: an entry of the table
  if (pad < PAD_MAX) return pad;
  rdataIsSound(tail, load<u16>(entry + RECORD_TYPE), tail + fixed + RR_FIXED_BYTES, tail + end);
  return rdataPad;
}

/**
 * The upstream's OPT: its options stay; for a client with EDNS version 0, the client's payload size, the upper flag
 * octet, and DO if either side set it. Without EDNS it passes as it is (CoreDNS core, A5).
 */
function appendKeptOpt(at: u32): u32 {
  const ttl = load<u32>(image + IMAGE_OPT_TTL); // Bounds: the image's header
  const size: u32 = hasEdns ? ednsBytes : <u32>load<u16>(image + IMAGE_OPT_SIZE);
  const flags: u32 = hasEdns ? (ttl & 0xff00) | (isDo ? EDNS_DO : 0) : ttl & 0xffffff;
  const options = load<u32>(image + IMAGE_OPTIONS);
  const to = appendOptFixed(at, size, emittedRcode, flags);
  // Bounds: emitImage() checked room for the OPT; the options stand behind the tail
  copyOctets(to, tail + tailEnd, options);
  store16(to - 2, options);
  return to + options;
}
