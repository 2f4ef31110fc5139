// Answers from hosts files (CoreDNS plugin hosts). The store holds, under whole names, what each name answers: the
// host has already merged file and inline entries and laid wildcards under exact names. A PTR set is missing where a
// name of it cannot be put into a message.

import { HEADER_BYTES, RCODE_NOERROR, TYPE_A, TYPE_AAAA, TYPE_PTR, UDP_PAYLOAD_MIN } from '../shared/codes';
import {
  HOSTS_FALLTHROUGH_UNSUPPORTED,
  HOSTS_STEP_FALLTHROUGH,
  HOSTS_STEP_FLAGS,
  HOSTS_STEP_STORE,
  HOSTS_STEP_TTL,
  HOSTS_STEP_ZONES,
  NAME_SCRATCH,
  OWNER_FLAGS,
  REVERSE_KEY,
  SET_DATA,
  SET_RECORDS,
} from '../shared/layout';
import { longestZone } from '../program/zones';
import { reverseAddress } from '../records/addresses';
import { findSet, foundBlob } from '../records/set';
import { tableFind } from '../records/table';
import { sameOctets } from '../wire/name';
import { store16, store32 } from '../wire/octets';
import { area, lowerAt, qnameAt, qnameBytes, qnameLabels, qtype } from '../wire/query';
import { optBytes } from './opt';
import { OWNER_SILENT } from '../records/lookup';
import { BROKEN, FALL, POSITIVE, SILENT, finishReply, positiveTtl } from './records';
import { writeAddresses, writeNames } from './sets';
import { ANSWER, TO_QUESTION, at, beginReply, endRecord, fits, position } from './writer';

const KEY_AT: u32 = 512; // in NAME_SCRATCH: 288 octets, a key being made
/** `\1*`, the first label of a wildcard's key. */
const ASTERISK: u16 = 0x2a01;
/** PTR records are laid out as {u16 bytes, u16, u32, wire octets padded to 4}. */
const NAME_HEAD: u32 = 8;

// What findHosts() found: an RRset, or 0 = NODATA.
let set: u32 = 0;
let blob: u32 = 0;

/**
 * Looks the question up. FALL: the next plugin; BROKEN: SERVFAIL; SILENT; POSITIVE: writeHosts() has an answer.
 */
export function findHosts(step: u32): u32 {
  set = 0;
  const storeAt = load<u32>(step + HOSTS_STEP_STORE); // Bounds: compiled by the host
  if (qtype == TYPE_PTR) return findReverse(storeAt);
  if (!longestZone(load<u32>(step + HOSTS_STEP_ZONES))) return FALL;
  const isAddress = qtype == TYPE_A || qtype == TYPE_AAAA;
  const owner = findHost(storeAt);
  const mayFall = !owner || (!isAddress && load<u32>(step + HOSTS_STEP_FLAGS) & HOSTS_FALLTHROUGH_UNSUPPORTED);
  if (mayFall && longestZone(load<u32>(step + HOSTS_STEP_FALLTHROUGH))) return FALL;
  if (!owner) return BROKEN;
  if (isAddress) takeSet(owner);
  return POSITIVE;
}

/** Reverse names need not lie in the step's zones. */
function findReverse(storeAt: u32): u32 {
  const key = area + NAME_SCRATCH + KEY_AT;
  const bytes = reverseAddress(key + 1);
  if (!bytes) return FALL;
  store<u8>(key, REVERSE_KEY); // Bounds: a key of the scratch
  const owner = tableFind(storeAt, key, bytes + 1);
  if (!owner) return FALL;
  takeSet(owner);
  return load<u16>(owner + OWNER_FLAGS) & <u16>OWNER_SILENT ? SILENT : POSITIVE; // Bounds: a live owner
}

function takeSet(owner: u32): void {
  set = findSet(owner, qtype);
  blob = foundBlob;
}

/** The name itself, else the wildcard that stands for its first label; a name of one label has none. */
function findHost(storeAt: u32): u32 {
  const owner = tableFind(storeAt, lowerAt, qnameBytes);
  if (owner || qnameLabels < 2) return owner;
  const first = <u32>load<u8>(lowerAt) + 1; // Bounds: the question's name
  const key = area + NAME_SCRATCH + KEY_AT;
  const rest = qnameBytes - first;
  store<u16>(key, ASTERISK);
  memory.copy(key + 2, lowerAt + first, rest); // Bounds: at most 253 octets
  return tableFind(storeAt, key, rest + 2);
}

/**
 * True if a reply whose owners all point at the question is the one that CoreDNS would send: the question is in lower
 * case, as owners are, and there are no names that its packer could compress.
 */
export function answersPlainly(): bool {
  if (!sameOctets(qnameAt, lowerAt, qnameBytes)) return false; // Bounds: the question's name and its copy
  if (!set || qtype != TYPE_PTR) return true;
  if (load<u16>(set + SET_RECORDS) != 1) return false; // Bounds: a directory entry; below, its only name
  const bytes: u32 = load<u16>(blob + load<u32>(set + SET_DATA));
  return <u32>HEADER_BYTES + 4 + 2 * qnameBytes + 10 + bytes + optBytes() <= <u32>UDP_PAYLOAD_MIN;
}

/** Writes what findHosts() found; `isWhole`: beyond the client's limit. POSITIVE or TOO_LARGE. */
export function writeHosts(step: u32, out: u32, outMax: u32, rotate: bool, isWhole: bool): u32 {
  beginReply(out, outMax, isWhole);
  const ttl = positiveTtl(load<u32>(step + HOSTS_STEP_TTL)); // Bounds: compiled by the host
  if (set && !sameOctets(qnameAt, lowerAt, qnameBytes)) writeFolded(ttl);
  else if (set && qtype == TYPE_PTR) writeNames(TYPE_PTR, blob, set, qnameBytes, ttl);
  else if (set) writeAddresses(ANSWER, TO_QUESTION, qnameBytes, blob, set, qtype == TYPE_A ? 4 : 16, ttl, rotate);
  return finishReply(POSITIVE, RCODE_NOERROR);
}

/** For slow faces: look-up and whole answer. */
export function answerHosts(step: u32, out: u32, outMax: u32): u32 {
  const found = findHosts(step);
  if (found == POSITIVE || found == SILENT) writeHosts(step, out, outMax, false, true);
  return found;
}

/** RRs whose owner is the question's name in lower case, spelt out once and pointed at by the others. */
function writeFolded(ttl: u32): void {
  const count: u32 = load<u16>(set + SET_RECORDS); // Bounds: a directory entry
  let entry = blob + load<u32>(set + SET_DATA);
  let pointer: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const isName = qtype == TYPE_PTR;
    const bytes: u32 = isName ? <u32>load<u16>(entry) : qtype == TYPE_A ? 4 : 16; // Bounds: compiled by the host
    const from = isName ? entry + NAME_HEAD : entry;
    entry = isName ? from + ((bytes + 3) & ~3) : from + bytes;
    const ownerBytes: u32 = pointer ? 2 : qnameBytes;
    if (!fits(ownerBytes + 10 + bytes)) return;
    const fixed = at + ownerBytes;
    // Bounds: granted by fits()
    if (pointer) store16(at, pointer);
    else memory.copy(at, lowerAt, qnameBytes);
    if (!pointer) pointer = 0xc000 | position();
    store16(fixed, qtype);
    store16(fixed + 2, 1);
    store32(fixed + 4, ttl);
    store16(fixed + 8, bytes);
    memory.copy(fixed + 10, from, bytes);
    endRecord(ANSWER, ownerBytes + 10 + bytes);
  }
}
