// Rdata of the RRs of untrusted messages, read as CoreDNS's DNS library reads it and packed anew as it packs: names are
// decompressed, and rdata may be cut between two fields, whose numbers are zeros then.

import { NAME_BUFFERS, emitName } from './compress';
import { COMPRESS_SCRATCH } from '../shared/layout';
import { expandName, plainNameBytes, skipName } from './name';
import { copyOctets, load16 } from './octets';
import { area } from './query';
import {
  FIELD_A,
  FIELD_AAAA,
  FIELD_BASE64,
  FIELD_BITMAP,
  FIELD_BITS,
  FIELD_GATEWAY,
  FIELD_HASH,
  FIELD_HIT,
  FIELD_KEY,
  FIELD_MASK,
  FIELD_NAME,
  FIELD_NAMES,
  FIELD_NUMBER_MAX,
  FIELD_PARAMS,
  FIELD_PREFIXES,
  FIELD_REST,
  FIELD_SIZED,
  FIELD_STRING,
  FIELD_STRINGS,
  FIELD_TEXT,
  fieldsOf,
  pointsAtNames,
} from './rdata-fields';
import { copyBitmap, copyParams, copyPrefixes, copyText, escapesOf, labelsFit, listIsChanged, listIsStuck, listPad } from './rdata-lists';
import { nameBytes, readName } from './reply';

/** Octets of the rdata walked last, packed anew without compression. */
export let rdataPlain: u32 = 0;
/** Octets that the library measures in addition: it measures the text of base64, base32 and of strings with escapes. */
export let rdataPad: u32 = 0;
/** The rdata walked last is not as it would be packed anew. */
export let rdataIsOdd: bool = false;
/** The library takes the rdata walked last, but cannot pack it. */
export let rdataIsStuck: bool = false;

/** How far rdata may outgrow its original: two names in full, numbers that were cut. */
const GROWTH_MAX: u32 = 600;

// What to do with the octets.
const CHECK: u32 = 0;
const EXPAND: u32 = 1;
const COMPRESS: u32 = 2;

// The walk's state.
let how: u32 = 0;
let message: u32 = 0;
let start: u32 = 0;
let stop: u32 = 0;
let p: u32 = 0;
let to: u32 = 0;
let limit: u32 = 0;
let lastNumber: u32 = 0;
let mayPoint: bool = false;
let remembers: bool = false;

/** True if the library takes the rdata from `at` to `end` of the message at `messageAt`. */
export function rdataIsSound(messageAt: u32, type: u32, at: u32, end: u32): bool {
  how = CHECK;
  return walk(messageAt, type, at, end, at) != 0;
}

/** Copies rdata without compression to `out`; room: the rdata and GROWTH_MAX. Returns the address behind it, 0 = refused. */
export function expandRdata(messageAt: u32, type: u32, at: u32, end: u32, out: u32): u32 {
  how = EXPAND;
  return walk(messageAt, type, at, end, out);
}

/** The same with the names of the message under construction (compress.ts). */
export function compressRdata(messageAt: u32, type: u32, at: u32, end: u32, out: u32, remember: bool): u32 {
  how = COMPRESS;
  remembers = remember;
  return walk(messageAt, type, at, end, out);
}

function walk(messageAt: u32, type: u32, at: u32, end: u32, out: u32): u32 {
  message = messageAt;
  start = at;
  stop = end;
  p = at;
  to = out;
  limit = out + (end - at) + GROWTH_MAX;
  lastNumber = 0;
  mayPoint = pointsAtNames(type);
  rdataPlain = 0;
  rdataPad = 0;
  rdataIsOdd = false;
  rdataIsStuck = false;
  let mayEnd = true;
  // Ends: nine fields at most.
  for (let fields = fieldsOf(type); fields; fields >>= FIELD_BITS) {
    if (p == end && mayEnd) {
      fillCut(fields);
      break;
    }
    const field = <u32>fields & FIELD_MASK;
    if (!(field <= FIELD_NUMBER_MAX ? takeNumber(field) : takeField(field))) return 0;
    mayEnd = field < FIELD_SIZED;
  }
  return p == end ? to : 0;
}

function takeField(field: u32): bool {
  switch (field) {
    case FIELD_NAME: return takeName();
    case FIELD_A: return take(4);
    case FIELD_AAAA: return take(16);
    case FIELD_STRING: return takeString();
    case FIELD_STRINGS: return takeStrings();
    case FIELD_REST: return take(stop - p);
    case FIELD_BASE64: return takeBase64(stop - p);
    case FIELD_KEY: return takeBase64(lastNumber);
    case FIELD_PARAMS: return takeCopied(copyParams(p, stop, to, how != CHECK));
    case FIELD_TEXT: return takeCopied(copyText(p, stop, to, how != CHECK));
    case FIELD_BITMAP: return takeCopied(copyBitmap(p, stop, to, how != CHECK));
    case FIELD_PREFIXES: return takeCopied(copyPrefixes(p, stop, to, how != CHECK));
    case FIELD_GATEWAY: return takeGateway();
    case FIELD_SIZED: return take(lastNumber);
    case FIELD_HASH: return takeHash();
    case FIELD_HIT: return take(load<u8>(start)); // Bounds: three numbers stand in front
    case FIELD_NAMES: return takeNames();
    default: return false;
  }
}

/** Copies the next `bytes` octets. */
function take(bytes: u32): bool {
  if (p + bytes > stop) return false;
  if (how != CHECK) copyOctets(to, p, bytes); // Bounds: room by contract
  p += bytes;
  to += bytes;
  rdataPlain += bytes;
  return true;
}

function takeNumber(bytes: u32): bool {
  if (p + bytes > stop) return false;
  lastNumber = bytes == 1 ? <u32>load<u8>(p) : load16(p + bytes - 2); // Bounds: p + bytes <= stop
  return take(bytes);
}

function takeName(): bool {
  let bytes: u32;
  const from = p;
  if (how == COMPRESS) {
    const name = area + COMPRESS_SCRATCH + NAME_BUFFERS;
    p = readName(message, from, stop, name);
    if (!p) return false;
    bytes = nameBytes;
    to = emitName(name, to, mayPoint, remembers);
  } else {
    p = skipName(message, from, stop);
    if (!p) return false;
    bytes = plainNameBytes(message, from, stop);
    if (how == EXPAND) expandName(message, from, stop, to);
    to += bytes;
  }
  if (bytes != p - from) rdataIsOdd = true;
  rdataPlain += bytes;
  return true;
}

function takeNames(): bool {
  // Each round consumes an octet or more.
  while (p < stop) if (!takeName() || to > limit - 255) return false;
  return true;
}

function takeString(): bool {
  const bytes: u32 = load<u8>(p); // Bounds: p < stop, as walk() and takeStrings() see
  if (p + 1 + bytes > stop) return false;
  rdataPad += escapesOf(p + 1, bytes);
  return take(bytes + 1);
}

function takeStrings(): bool {
  if (!labelsFit(p, stop)) return false;
  while (p < stop) takeString();
  return true;
}

/** Base64 text is measured in whole groups of three octets. */
function takeBase64(bytes: u32): bool {
  rdataPad += (3 - (bytes % 3)) % 3;
  return take(bytes);
}

/** Base32 text is measured by its digits, and CoreDNS's library counts two octets more. */
function takeHash(): bool {
  rdataPad += (lastNumber * 8 + 4) / 5 - lastNumber + 2;
  return take(lastNumber);
}

/** The gateway's name is measured as text. */
function takeGateway(): bool {
  const kind: u32 = load<u8>(start + 1); // Bounds: two numbers stand in front
  if (kind == 1) return take(4);
  if (kind == 2) return take(16);
  if (kind != 3) return true;
  const from = p;
  const before = rdataPlain;
  if (!takeName()) return false;
  rdataPad += rdataPlain == before + 1 ? 1 : nameEscapes(from);
  return true;
}

/** How many characters more than octets the name, which was taken, has when it is written out. */
function nameEscapes(from: u32): u32 {
  let more: u32 = 0;
  let at = from;
  // Ends: takeName() has followed it.
  while (true) {
    const octet: u32 = load<u8>(at); // Bounds: inside the rdata or before it, as takeName() saw
    if (octet == 0) return more;
    if (octet < 64) {
      for (let i = at + 1; i <= at + octet; i++) more += escapeOf(load<u8>(i));
      at += octet + 1;
    } else at = message + (load16(at) & 0x3fff);
  }
}

function escapeOf(octet: u32): u32 {
  switch (octet) {
    case 0x20: // space " ' ( ) . ; @ and the backslash
    case 0x22:
    case 0x27:
    case 0x28:
    case 0x29:
    case 0x2e:
    case 0x3b:
    case 0x40:
    case 0x5c: return 1;
    default: return octet - 0x20 > 0x5e ? 3 : 0;
  }
}

/** What a missing gateway is measured as. */
function gatewayPad(): u32 {
  const kind: u32 = p < start + 2 ? 0 : <u32>load<u8>(start + 1); // Bounds: as just checked
  return kind == 1 ? 4 : kind == 2 ? 16 : kind == 3 ? 1 : 0;
}

/** The rest of the rdata has been copied and ends at `end`, 0 = refused. */
function takeCopied(end: u32): bool {
  if (!end) return false;
  const bytes = end - to;
  if (listIsChanged) rdataIsOdd = true;
  if (listIsStuck) rdataIsStuck = true;
  rdataPlain += bytes;
  rdataPad += listPad;
  p = stop;
  to = end;
  return true;
}

/**
 * Rdata ends before `fields`: their numbers are packed as zeros, strings as empty ones, names not at all, even where that
 * makes no rdata of the type.
 */
function fillCut(fields: u64): void {
  let zeros: u32 = 0;
  let pad: u32 = 0;
  // Ends: nine fields at most.
  for (let left = fields; left; left >>= FIELD_BITS) {
    const field = <u32>left & FIELD_MASK;
    if (field <= FIELD_NUMBER_MAX) zeros += field;
    else if (field == FIELD_STRING) zeros++;
    else if (field == FIELD_NAME) pad++; // measured as the root
    else if (field == FIELD_BITMAP || field == FIELD_HASH) pad += 2;
    else if (field == FIELD_GATEWAY) pad += gatewayPad();
  }
  if (how != CHECK) memory.fill(to, 0, zeros); // Bounds: room by contract
  to += zeros;
  rdataPlain += zeros;
  rdataPad += pad;
  if (zeros) rdataIsOdd = true;
}
