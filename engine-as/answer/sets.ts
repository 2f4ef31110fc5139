// RRsets of the store, written as RRs. The layout of a set's data is in shared/layout.ts.

import { TYPE_A, TYPE_AAAA, TYPE_NS, TYPE_SOA, TYPE_SRV, TYPE_TXT } from '../shared/codes';
import {
  IMAGE_BYTES_MAX,
  IMAGE_SCRATCH,
  NAME_SCRATCH,
  OWNER_KEY,
  OWNER_KEY_BYTES,
  RECORDS_STEP_SERVICES,
  RECORDS_STEP_SOA_MNAME,
  RECORDS_STEP_SOA_RNAME,
  RECORDS_STEP_SOA_TIMERS,
  SET_DATA,
  SET_RECORDS,
  SET_TARGETS,
  STORE_SERIAL,
} from '../shared/layout';
import { copyOctets, store16, store32 } from '../wire/octets';
import { area, qnameAt, qnameBytes } from '../wire/query';
import { findSet, foundBlob } from '../records/set';
import { random } from './rotate';
import { ADDITIONAL, ANSWER, TO_QUESTION, addPlain, at, beginRecord, endRecord, fits, position, writeAddress, writeZone, zoneTail } from './writer';

const TARGET_OFFSETS_AT: u32 = 1024; // in NAME_SCRATCH: u16 a target, where its name stands in the message
const TARGETS_MAX: u32 = 4096;
const ORDER_AT: u32 = 9216; // in NAME_SCRATCH: u16 a target, the order of the additional section
const ORDER_MAX: u32 = 2048;
const POINTER_MAX: u32 = 0x3fff;

/** All addresses of a set, shuffled from the front if asked, so that a truncated reply is a random choice. */
export function writeAddresses(
  section: u32, pointer: u32, ownerBytes: u32, blob: u32, set: u32, bytes: u32, ttl: u32, rotate: bool,
): void {
  const count: u32 = load<u16>(set + SET_RECORDS); // Bounds: a directory entry
  let from = blob + load<u32>(set + SET_DATA);
  addPlain(ownerBytes * count + 10 * (count - 1), bytes * count);
  const type: u32 = bytes == 4 ? TYPE_A : TYPE_AAAA;
  const isShuffled = rotate && count > 1 && count * bytes <= <u32>IMAGE_BYTES_MAX;
  if (isShuffled) {
    copyOctets(area + IMAGE_SCRATCH, from, count * bytes); // Bounds: checked above
    from = area + IMAGE_SCRATCH;
  }
  for (let i: u32 = 0; i < count; i++) {
    const record = from + i * bytes;
    if (isShuffled && i + 1 < count) swap(record, from + (i + random(count - i)) * bytes, bytes);
    if (!writeAddress(section, pointer, type, ttl, record, bytes)) return;
  }
}

/** Bounds: both records lie in the scratch copy. */
function swap(a: u32, b: u32, bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i += 4) {
    const word = load<u32>(a + i);
    store<u32>(a + i, load<u32>(b + i));
    store<u32>(b + i, word);
  }
}

/** PTR, NS or CNAME; NS with the addresses of its targets. */
export function writeNames(type: u32, blob: u32, set: u32, keyBytes: u32, ttl: u32): void {
  const count: u32 = load<u16>(set + SET_RECORDS); // Bounds: a directory entry
  const zoneBytes = qnameBytes - keyBytes;
  const offsets = area + NAME_SCRATCH + TARGET_OFFSETS_AT;
  let entry = blob + load<u32>(set + SET_DATA);
  for (let i: u32 = 0; i < count; i++) {
    const bytes: u32 = load<u16>(entry); // Bounds: compiled by the host
    const isRelative = load<u16>(entry + 2) != 0;
    const rdataBytes = bytes + (isRelative ? zoneTail(zoneBytes) : 0);
    addPlain(qnameBytes, bytes + (isRelative ? zoneBytes : 0));
    if (!fits(12 + rdataBytes)) return;
    beginRecord(TO_QUESTION, type, ttl, rdataBytes);
    if (i < TARGETS_MAX) store<u16>(offsets + i * 2, <u16>position());
    copyOctets(at, entry + 8, bytes); // Bounds: granted by fits()
    if (isRelative) writeZone(at + bytes, TO_QUESTION + keyBytes, zoneBytes);
    endRecord(ANSWER, rdataBytes);
    entry += 8 + ((bytes + 3) & ~3);
  }
  if (type == TYPE_NS) writeNameTargets(blob + load<u32>(set + SET_DATA), count, zoneBytes, ttl);
}

function writeNameTargets(first: u32, count: u32, zoneBytes: u32, ttl: u32): void {
  let entry = first;
  for (let i: u32 = 0; i < count && i < TARGETS_MAX; i++) {
    const bytes: u32 = load<u16>(entry); // Bounds: compiled by the host
    const target = load<u32>(entry + 4);
    const offset: u32 = load<u16>(area + NAME_SCRATCH + TARGET_OFFSETS_AT + i * 2);
    const nameBytes = bytes + (load<u16>(entry + 2) ? zoneBytes : 0);
    if (target && offset <= POINTER_MAX) writeTarget(target, 0xc000 | offset, nameBytes, ttl, false);
    entry += 8 + ((bytes + 3) & ~3);
  }
}

function writeTarget(target: u32, pointer: u32, nameBytes: u32, ttl: u32, rotate: bool): void {
  let set = findSet(target, TYPE_A);
  if (set) writeAddresses(ADDITIONAL, pointer, nameBytes, foundBlob, set, 4, ttl, rotate);
  set = findSet(target, TYPE_AAAA);
  if (set) writeAddresses(ADDITIONAL, pointer, nameBytes, foundBlob, set, 16, ttl, rotate);
}

/** SRV (RFC 2782) and the addresses of every target. Targets end in the question's own spelling of the zone. */
export function writeServices(owner: u32, blob: u32, set: u32, keyBytes: u32, ttl: u32, rotate: bool): void {
  const count: u32 = load<u16>(set + SET_RECORDS); // Bounds: a directory entry
  const targetCount: u32 = load<u16>(set + SET_TARGETS);
  const targets = blob + load<u32>(set + SET_DATA);
  const offsets = area + NAME_SCRATCH + TARGET_OFFSETS_AT;
  for (let i: u32 = 0; i < targetCount && i < TARGETS_MAX; i++) store<u16>(offsets + i * 2, 0); // Bounds: TARGETS_MAX entries
  let entry = targets + targetCount * 4;
  for (let i: u32 = 0; i < count; i++, entry += 8) {
    const index: u32 = load<u16>(entry + 6); // Bounds: compiled by the host
    if (index >= targetCount) return;
    const target = targetOwner(targets, index, owner);
    const nameAt = writeService(entry, target + OWNER_KEY, load<u16>(target + OWNER_KEY_BYTES), keyBytes, ttl);
    if (nameAt && nameAt <= POINTER_MAX && index < TARGETS_MAX) store<u16>(offsets + index * 2, <u16>nameAt);
  }
  writeServiceTargets(targets, targetCount, owner, keyBytes, ttl, rotate);
}

function targetOwner(targets: u32, index: u32, owner: u32): u32 {
  const target = load<u32>(targets + index * 4); // Bounds: index < target count
  return target ? target : owner;
}

/** One SRV; returns where its target's name stands in the message, 0 if the RR was left out. */
function writeService(numbers: u32, key: u32, targetBytes: u32, keyBytes: u32, ttl: u32): u32 {
  const zoneBytes = qnameBytes - keyBytes;
  const rdataBytes = 6 + targetBytes + zoneBytes;
  addPlain(qnameBytes, rdataBytes);
  if (!fits(12 + rdataBytes)) return 0;
  beginRecord(TO_QUESTION, TYPE_SRV, ttl, rdataBytes);
  // Bounds: granted by fits()
  store16(at, load<u16>(numbers));
  store16(at + 2, load<u16>(numbers + 2));
  store16(at + 4, load<u16>(numbers + 4));
  copyOctets(at + 6, key, targetBytes);
  copyOctets(at + 6 + targetBytes, qnameAt + keyBytes, zoneBytes);
  const nameAt = position() + 6;
  endRecord(ANSWER, rdataBytes);
  return nameAt;
}

function writeServiceTargets(targets: u32, count: u32, owner: u32, keyBytes: u32, ttl: u32, rotate: bool): void {
  const order = area + NAME_SCRATCH + ORDER_AT;
  const isShuffled = rotate && count > 1 && count <= ORDER_MAX;
  if (isShuffled) for (let i: u32 = 0; i < count; i++) store<u16>(order + i * 2, <u16>i); // Bounds: count <= ORDER_MAX
  for (let i: u32 = 0; i < count; i++) {
    let index = i;
    if (isShuffled) {
      const other = order + (i + random(count - i)) * 2;
      index = load<u16>(other);
      store<u16>(other, load<u16>(order + i * 2));
    }
    const target = targetOwner(targets, index, owner);
    const nameBytes = <u32>load<u16>(target + OWNER_KEY_BYTES) + qnameBytes - keyBytes;
    const offset: u32 = index < TARGETS_MAX ? <u32>load<u16>(area + NAME_SCRATCH + TARGET_OFFSETS_AT + index * 2) : 0;
    if (offset) writeTarget(target, 0xc000 | offset, nameBytes, ttl, rotate);
    else writeFarTarget(target, keyBytes, nameBytes, ttl);
  }
}

/** Addresses of a target whose name stands beyond the reach of a pointer (or was left out): the owner is spelt out. */
function writeFarTarget(target: u32, keyBytes: u32, nameBytes: u32, ttl: u32): void {
  for (let type: u32 = TYPE_A; ; type = TYPE_AAAA) {
    const set = findSet(target, type);
    const bytes: u32 = type == TYPE_A ? 4 : 16;
    const count: u32 = set ? <u32>load<u16>(set + SET_RECORDS) : 0;
    for (let i: u32 = 0; i < count; i++) {
      addPlain(nameBytes, bytes);
      if (!fits(nameBytes + 10 + bytes)) continue;
      writeFarAddress(target, keyBytes, type, ttl, foundBlob + load<u32>(set + SET_DATA) + i * bytes, bytes);
    }
    if (type == TYPE_AAAA) return;
  }
}

function writeFarAddress(target: u32, keyBytes: u32, type: u32, ttl: u32, from: u32, bytes: u32): void {
  const targetBytes: u32 = load<u16>(target + OWNER_KEY_BYTES);
  const zoneBytes = qnameBytes - keyBytes;
  const fixed = at + targetBytes + zoneBytes;
  // Bounds: granted by fits()
  copyOctets(at, target + OWNER_KEY, targetBytes);
  copyOctets(at + targetBytes, qnameAt + keyBytes, zoneBytes);
  store16(fixed, type);
  store16(fixed + 2, 1);
  store32(fixed + 4, ttl);
  store16(fixed + 8, bytes);
  copyOctets(fixed + 10, from, bytes);
  endRecord(ADDITIONAL, targetBytes + zoneBytes + 10 + bytes);
}

/** SRV of a made-up pod: port 0, weight 100, the pod itself as target. */
export function writePodService(
  name: u32, nameBytes: u32, keyBytes: u32, type: u32, address: u32, bytes: u32, ttl: u32,
): void {
  const numbers = area + NAME_SCRATCH + ORDER_AT;
  store<u16>(numbers, 0); // Bounds: the scratch has room
  store<u16>(numbers + 2, 100);
  store<u16>(numbers + 4, 0);
  const nameAt = writeService(numbers, name, nameBytes, keyBytes, ttl);
  addPlain(nameBytes + qnameBytes - keyBytes, bytes);
  if (nameAt) writeAddress(ADDITIONAL, 0xc000 | nameAt, type, ttl, address, bytes);
}

export function writeStrings(blob: u32, set: u32, ttl: u32): void {
  const count: u32 = load<u16>(set + SET_RECORDS); // Bounds: a directory entry
  let entry = blob + load<u32>(set + SET_DATA);
  for (let i: u32 = 0; i < count; i++) {
    const bytes: u32 = load<u16>(entry); // Bounds: compiled by the host
    addPlain(qnameBytes, bytes);
    if (!fits(12 + bytes)) return;
    beginRecord(TO_QUESTION, TYPE_TXT, ttl, bytes);
    copyOctets(at, entry + 2, bytes); // Bounds: granted by fits()
    endRecord(ANSWER, bytes);
    entry += 2 + bytes;
  }
}

/** SOA of the question's zone (RFC 1035 §3.3.13); its owner and names point into the question. */
export function writeSoa(section: u32, step: u32, keyBytes: u32, ttl: u32): void {
  const zoneBytes = qnameBytes - keyBytes;
  const zonePointer = TO_QUESTION + keyBytes;
  const mnameBytes = load<u32>(step + RECORDS_STEP_SOA_MNAME + 4); // Bounds: compiled by the host
  const rnameBytes = load<u32>(step + RECORDS_STEP_SOA_RNAME + 4);
  const rdataBytes = mnameBytes + rnameBytes + 20 + 2 * zoneTail(zoneBytes);
  addPlain(zoneBytes, mnameBytes + rnameBytes + 20 + 2 * zoneBytes);
  if (!fits(12 + rdataBytes)) return;
  beginRecord(zonePointer, TYPE_SOA, ttl, rdataBytes);
  // Bounds: granted by fits()
  copyOctets(at, load<u32>(step + RECORDS_STEP_SOA_MNAME), mnameBytes);
  let p = writeZone(at + mnameBytes, zonePointer, zoneBytes);
  copyOctets(p, load<u32>(step + RECORDS_STEP_SOA_RNAME), rnameBytes);
  p = writeZone(p + rnameBytes, zonePointer, zoneBytes);
  store32(p, atomic.load<u32>(load<u32>(step + RECORDS_STEP_SERVICES) + STORE_SERIAL));
  for (let i: u32 = 0; i < 16; i += 4) store32(p + 4 + i, load<u32>(step + RECORDS_STEP_SOA_TIMERS + i));
  endRecord(section, rdataBytes);
}
