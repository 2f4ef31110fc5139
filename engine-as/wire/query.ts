// The query being served: header, question and EDNS, parsed once into these registers (globals are per instance, so
// per thread). The checks and their order are CoreDNS's (core, A4: server_accept and the DNS library's unpack).
//
//   0        2        4        6        8        10       12
//   ┌────────┬────────┬────────┬────────┬────────┬────────┬─────────── ─ ─ ──────┬───────┬───────┬──── ─ ─
//   │ id     │ flags  │ QDCOUNT│ ANCOUNT│ NSCOUNT│ ARCOUNT│ qname                │ qtype │ qclass│ RRs, OPT
//   └────────┴────────┴────────┴────────┴────────┴────────┴─────────── ─ ─ ──────┴───────┴───────┴──── ─ ─

import {
  FLAG_AD,
  FLAG_CD,
  FLAG_QR,
  FLAG_RA,
  FLAG_RD,
  FLAG_TC,
  HEADER_BYTES,
  MESSAGE_BYTES_MAX,
  NAME_BYTES_MAX,
  OPCODE_MASK,
  OPCODE_NOTIFY,
  OPCODE_SHIFT,
  PROTO_TCP,
  RCODE_BADVERS,
  RCODE_FORMERR,
  RCODE_NOTIMP,
  TYPE_OPT,
  UDP_PAYLOAD_MIN,
} from '../shared/codes';
import {
  ASKED_BY_ENGINE,
  ASKED_CLASS,
  ASKED_FLAGS,
  ASKED_LOGGED_SHIFT,
  ASKED_NAME,
  ASKED_NAME_BYTES,
  ASKED_PLAIN,
  ASKED_TYPE,
  CONTROL_HASH_SEED,
  NAME_SCRATCH,
} from '../shared/layout';
import { optionsArePlain, optionsAreSound, optionsAreWhole, packedOptionsBytes } from './options';
import { copyLowerHashed, expandName, flatName, plainNameBytes, skipName, walkedLabels } from './name';
import { load16, load32, store16 } from './octets';
import { rdataIsOdd, rdataIsSound, rdataPad, rdataPlain } from './rdata';

/** Shard area of this instance; set once by serve() and friends. */
export let area: u32 = 0;
export let proto: u32 = 0;
export let sockaddrAt: u32 = 0;
export let messageAt: u32 = 0;
export let messageBytes: u32 = 0;
/** Header word at octet 2. */
export let queryFlags: u32 = 0;
export let hasQuestion: bool = false;
export let qnameAt: u32 = 0;
/** With the root label. */
export let qnameBytes: u32 = 0;
/** Without the root label. */
export let qnameLabels: u32 = 0;
/** Where each label of the qname begins, the root label included: an octet each. */
export let labelsAt: u32 = 0;
/** Lower-case copy of the qname in NAME_SCRATCH. */
export let lowerAt: u32 = 0;
export let nameHash: u32 = 0;
export let qtype: u32 = 0;
export let qclass: u32 = 0;
export let hasEdns: bool = false;
/** UDP payload size as the client sent it, not raised to 512. */
export let ednsBytes: u32 = 0;
/** Upper flag octet of the OPT as CoreDNS echoes it: DO and the seven bits below. */
export let ednsFlags: u32 = 0;
/** Length of its owner, which should be the root. */
export let ednsOwnerBytes: u32 = 1;
export let isDo: bool = false;
export let optionsAt: u32 = 0;
export let optionsBytes: u32 = 0;
/** Largest reply: 65535 on a stream, else the client's payload size, at least 512. */
export let replyLimit: u32 = 0;
/** The query is not as a well-behaved client would have packed it, see repack.ts. */
export let isOdd: bool = false;
/** Octet behind the question as received. */
export let questionEnd: u32 = 0;
/** Size of the query re-packed without compression, as CoreDNS counts and logs it. */
export let queryPlainBytes: u32 = 0;
/** How much of it is rdataPad. */
export let queryPad: u32 = 0;

/** Plugin rewrite has changed the question; the registers below hold then. */
export let isRewritten: bool = false;
/** The question as the plugins below rewrite see it: its type and class are counted and logged. */
export let seenNameAt: u32 = 0;
export let seenType: u32 = 0;
export let seenClass: u32 = 0;
/** The name as it was asked, which is logged. */
export let askedNameAt: u32 = 0;
export let askedNameBytes: u32 = 0;
/** Size of the query as it was asked, which is counted. */
export let askedPlainBytes: u32 = 0;
/** Size of the query that is logged, without queryPad; 0 = its own. */
export let loggedBytes: u32 = 0;
export let askedType: u32 = 0;
export let askedClass: u32 = 0;

/** What is known beforehand of the name at lowerAt, see takeHash(). */
export let hashedStore: u32 = 0;
export let hashedBytes: u32 = 0;
export let hashedKey: u32 = 0;

const EXPANDED_AT: u32 = 14336; // in NAME_SCRATCH: a qname that arrived compressed
const LABELS_AT: u32 = 288; // in NAME_SCRATCH: OFFSETS_BYTES, see labelsAt

export const PARSED: u32 = 0x100;
export const IGNORE: u32 = 0x101;
/** A header that claims a question and nothing behind it: SERVFAIL, zone "dropped". */
export const HEADER_ONLY: u32 = 0x102;
/** Flags that an error reply of the accept stage keeps from the query. */
export const KEPT_FLAGS: u32 = FLAG_TC | FLAG_RD | FLAG_RA | FLAG_AD | FLAG_CD;

export function setArea(at: u32): void {
  area = at;
  hashedStore = 0;
}

/** The next message is parsed: of its name the hash of the first `bytes` octets is known for this store; 0 = of none. */
export function takeHash(store: u32, bytes: u32, hash: u32): void {
  hashedStore = store;
  hashedBytes = bytes;
  hashedKey = hash;
}

export function opcode(): u32 {
  return (queryFlags & OPCODE_MASK) >> OPCODE_SHIFT;
}

/**
 * The query was accepted once. Rdata that came cut may have been filled with zeros since, which makes no rdata of some
 * types; an option may have got octets of a rule.
 */
let wasAccepted: bool = false;

/** RRs in the additional section of a query: an OPT and a TSIG. */
const ADDITIONAL_MAX: u32 = 2;

/**
 * Parses `bytes` octets at `at`. Returns PARSED, IGNORE, HEADER_ONLY, or the rcode of an accept-stage error:
 * NOTIMP, FORMERR (with the question if hasQuestion), BADVERS.
 */
export function parseQuery(at: u32, bytes: u32, transport: u32, sockaddr: u32): u32 {
  wasAccepted = false;
  return parse(at, bytes, transport, sockaddr, ADDITIONAL_MAX);
}

/** A query that was accepted once; plugin rewrite may have added an OPT since, and options with any octets in them. */
export function parseSaved(at: u32, bytes: u32, transport: u32, sockaddr: u32): u32 {
  wasAccepted = true;
  return parse(at, bytes, transport, sockaddr, ADDITIONAL_MAX + 1);
}

function parse(at: u32, bytes: u32, transport: u32, sockaddr: u32, additionalMax: u32): u32 {
  proto = transport;
  sockaddrAt = sockaddr;
  messageAt = at;
  messageBytes = bytes;
  hasQuestion = false;
  hasEdns = false;
  isDo = false;
  ednsBytes = 0;
  ednsFlags = 0;
  optionsBytes = 0;
  qtype = 0;
  qclass = 0;
  qnameBytes = 0;
  isOdd = false;
  isRewritten = false;
  loggedBytes = 0;
  queryPad = 0;
  if (bytes < <u32>HEADER_BYTES) return IGNORE;
  queryFlags = load16(at + 2); // Bounds: the header is whole
  if (queryFlags & FLAG_QR) return IGNORE;
  const code = opcode();
  if (code != 0 && code != OPCODE_NOTIFY) return RCODE_NOTIMP;
  if (load16(at + 4) != 1 || load16(at + 6) > 1 || load16(at + 8) > 1) return RCODE_FORMERR;
  if (load16(at + 10) > additionalMax) return RCODE_FORMERR;
  const end = at + bytes;
  setLimit();
  if (bytes == HEADER_BYTES) return HEADER_ONLY;
  const behind = parseQuestion(at + HEADER_BYTES, end);
  if (!behind) return RCODE_FORMERR;
  questionEnd = behind;
  queryPlainBytes = HEADER_BYTES + qnameBytes + 4;
  // Nearly every query has no RR, or one OPT.
  if (load<u32>(at + 6) == 0 && load<u16>(at + 10) == 0) {
    // Bounds: inside the header
    if (behind != end) isOdd = true;
    return PARSED;
  }
  if (!parseRecords(behind, end)) return RCODE_FORMERR;
  setLimit();
  return ednsVersion ? RCODE_BADVERS : PARSED;
}

/** Lowers the client's UDP payload size, in the message too: what sees the query later must find it so (plugin bufsize). */
export function clampPayload(size: u32): void {
  if (!hasEdns || ednsBytes <= size) return;
  ednsBytes = size;
  store16(optionsAt - 8, size); // Bounds: the class of the OPT, in front of its TTL and length
  setLimit();
}

let ednsVersion: u32 = 0;

function setLimit(): void {
  if (proto == PROTO_TCP) replyLimit = MESSAGE_BYTES_MAX;
  else replyLimit = ednsBytes > <u32>UDP_PAYLOAD_MIN ? ednsBytes : <u32>UDP_PAYLOAD_MIN;
}

/** Returns the octet behind the question, 0 if there is none. A question cut behind the name has type or class 0. */
function parseQuestion(at: u32, end: u32): u32 {
  labelsAt = area + NAME_SCRATCH + LABELS_AT;
  let bytes = flatName(at, end, labelsAt);
  let p = at + bytes;
  qnameAt = at;
  if (!bytes) {
    // A pointer, which only a mischievous client puts here: plain from now on.
    hashedStore = 0;
    p = skipName(messageAt, at, end);
    if (!p) return 0;
    qnameAt = area + NAME_SCRATCH + EXPANDED_AT;
    expandName(messageAt, at, end, qnameAt);
    bytes = flatName(qnameAt, qnameAt + <u32>NAME_BYTES_MAX, labelsAt);
    if (!bytes) return 0;
    isOdd = true;
  }
  qnameBytes = bytes;
  qnameLabels = walkedLabels;
  lowerAt = area + NAME_SCRATCH;
  nameHash = copyLowerHashed(lowerAt, qnameAt, bytes, load<u32>(CONTROL_HASH_SEED)); // Bounds: control word
  if (p + 4 <= end) {
    qtype = load16(p); // Bounds: p + 4 <= end
    qclass = load16(p + 2);
    hasQuestion = true;
    return p + 4;
  }
  isOdd = true;
  if (p == end) {
    hasQuestion = true;
    return p;
  }
  if (p + 2 > end) return 0;
  qtype = load16(p); // Bounds: p + 2 <= end
  p += 2;
  if (p != end) return 0;
  hasQuestion = true;
  return p;
}

/** Takes another question in the place of the parsed one; the name at `at` is whole and uncompressed. */
export function takeQuestion(at: u32, type: u32, qclassOfIt: u32): void {
  qtype = type;
  qclass = qclassOfIt;
  if (at == qnameAt) return;
  qnameAt = at;
  hashedStore = 0;
  labelsAt = area + NAME_SCRATCH + LABELS_AT;
  qnameBytes = flatName(at, at + <u32>NAME_BYTES_MAX, labelsAt);
  qnameLabels = walkedLabels;
  lowerAt = area + NAME_SCRATCH;
  nameHash = copyLowerHashed(lowerAt, at, qnameBytes, load<u32>(CONTROL_HASH_SEED)); // Bounds: control word
}

/** Goes on with the question that plugin rewrite has made of the one that was asked. */
export function rewriteQuestion(at: u32, type: u32, qclassOfIt: u32): void {
  const before = queryPlainBytes - qnameBytes;
  askedNameAt = qnameAt;
  askedNameBytes = qnameBytes;
  askedType = qtype;
  askedClass = qclass;
  takeQuestion(at, type, qclassOfIt);
  // A saved query has its sizes already
  if (!isRewritten) {
    askedPlainBytes = queryPlainBytes;
    queryPlainBytes = before + qnameBytes;
  }
  isRewritten = true;
  seenNameAt = qnameAt;
  seenType = qtype;
  seenClass = qclass;
}

/** Goes back to the question as it was asked. */
export function askAgain(): void {
  takeQuestion(askedNameAt, askedType, askedClass);
}

/**
 * The parsed message holds a question that plugin rewrite has made; goes back to the one that was asked, which stands in
 * the block at `asked` (ASKED_ offsets).
 */
export function takeAsked(asked: u32): void {
  isRewritten = true;
  seenNameAt = qnameAt;
  seenType = qtype;
  seenClass = qclass;
  // Bounds: a block of an exchange, written whole
  askedNameAt = asked + ASKED_NAME;
  askedNameBytes = load<u32>(asked + ASKED_NAME_BYTES);
  const flags = load<u32>(asked + ASKED_FLAGS);
  askedPlainBytes = load<u32>(asked + ASKED_PLAIN) + (flags & ASKED_BY_ENGINE ? 0 : queryPad);
  loggedBytes = flags >> ASKED_LOGGED_SHIFT;
  askedType = load<u16>(asked + ASKED_TYPE);
  askedClass = load<u16>(asked + ASKED_CLASS);
  askAgain();
}

/** Walks the RRs behind the question; at most five, see parse(). False: does not parse. */
function parseRecords(at: u32, end: u32): bool {
  let p = at;
  ednsVersion = 0;
  const counts = messageAt + 6;
  for (let section: u32 = 0; section < 3; section++) {
    const count = load16(counts + section * 2); // Bounds: inside the header
    for (let i: u32 = 0; i < count; i++) {
      if (p == end) {
        // The count promised more than the message holds: accepted.
        isOdd = true;
        break;
      }
      p = parseRecord(p, end, section == 2);
      if (!p) return false;
    }
  }
  if (p != end) isOdd = true;
  return true;
}

function parseRecord(at: u32, end: u32, isAdditional: bool): u32 {
  const fixed = skipName(messageAt, at, end);
  if (!fixed || fixed + 10 > end) return 0;
  const type = load16(fixed); // Bounds: fixed + 10 <= end
  // A plain owner ends where its octets end; a compressed one ends earlier than it is long.
  if (fixed - at != plainNameBytes(messageAt, at, end)) isOdd = true;
  const rdata = fixed + 10;
  const rdataBytes = load16(fixed + 8);
  if (rdata + rdataBytes > end) return 0;
  if (type == TYPE_OPT) {
    if (rdataBytes) return takeOptions(at, fixed, rdataBytes, isAdditional);
    if (isAdditional) takeOpt(at, end, fixed, 0);
    queryPlainBytes += plainNameBytes(messageAt, at, end) + 10;
    return rdata;
  }
  if (rdataIsSound(messageAt, type, rdata, rdata + rdataBytes)) {
    if (rdataIsOdd) isOdd = true;
  } else if (!wasAccepted) return 0;
  queryPlainBytes += plainNameBytes(messageAt, at, end) + 10 + rdataPlain + rdataPad;
  queryPad += rdataPad;
  return rdata + rdataBytes;
}

/** An OPT with options. Returns the octet behind it, 0 if they do not parse. */
function takeOptions(at: u32, fixed: u32, rdataBytes: u32, isAdditional: bool): u32 {
  const end = fixed + 10 + rdataBytes; // Bounds: parseRecord checked it
  const isSound = optionsAreSound(fixed + 10, end);
  if (!isSound && !(wasAccepted && optionsAreWhole(fixed + 10, end))) return 0;
  if (isSound && !optionsArePlain(fixed + 10, end)) isOdd = true;
  if (isAdditional) takeOpt(at, end, fixed, rdataBytes);
  const packedBytes = isSound ? packedOptionsBytes(fixed + 10, end) : rdataBytes;
  queryPlainBytes += plainNameBytes(messageAt, at, end) + 10 + packedBytes;
  return end;
}

/** The last OPT counts, whatever its owner name. */
function takeOpt(at: u32, end: u32, fixed: u32, rdataBytes: u32): void {
  hasEdns = true;
  ednsOwnerBytes = fixed == at + 1 ? 1 : plainNameBytes(messageAt, at, end);
  ednsBytes = load16(fixed + 2); // Bounds: parseRecord checked the fixed part
  const ttl = load32(fixed + 4);
  ednsVersion = (ttl >> 16) & 0xff;
  ednsFlags = ttl & 0xff00;
  isDo = (ttl & 0x8000) != 0;
  optionsAt = fixed + 10;
  optionsBytes = rdataBytes;
}
