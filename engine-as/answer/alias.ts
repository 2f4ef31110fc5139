// Aliases inside a zone: the CNAME and what it leads to, at most ten steps (CoreDNS plugin kubernetes, ExternalName).

import { TYPE_A, TYPE_CNAME } from '../shared/codes';
import { NAME_SCRATCH, SET_DATA } from '../shared/layout';
import { nameIsBelow } from '../program/zones';
import { MADE_UP, findOwner, podAddressAt, podAddressBytes } from '../records/lookup';
import { copyLower, flatName, sameLower, walkedLabels } from '../wire/name';
import { copyOctets } from '../wire/octets';
import { area, lowerAt, qnameBytes, qtype } from '../wire/query';
import { findSet, foundBlob } from '../records/set';
import { writeAddresses } from './sets';
import { ANSWER, TO_QUESTION, addPlain, at, beginRecord, endRecord, fits, position, writeAddress } from './writer';

export const NOTHING: u32 = 0; // the chain ends without data, or loops: no answer at all
const FOUND: u32 = 1;
export const LEAVES_ZONE: u32 = 2;
const STEPS_MAX: u32 = 11;
const TARGET_AT: u32 = 13312; // in NAME_SCRATCH: lower-case target
const OFFSETS_AT: u32 = 512; // behind it: where its labels begin

/** Writes the chain that begins with this CNAME set of the question's owner. On NOTHING the caller rewinds. */
export function chaseAlias(step: u32, zone: u32, blob: u32, set: u32, ttl: u32, rotate: bool): u32 {
  const target = area + NAME_SCRATCH + TARGET_AT;
  const zoneBytes = load<u32>(zone + 4); // Bounds: a zone list entry
  let pointer: u32 = TO_QUESTION;
  let ownerBytes = qnameBytes;
  for (let steps: u32 = 0; steps < STEPS_MAX; steps++) {
    const bytes = readTarget(blob, set, target);
    if (!bytes) return NOTHING;
    if (!nameIsBelow(target, bytes, target + OFFSETS_AT, walkedLabels, load<u32>(zone), zoneBytes, load<u32>(zone + 8))) return LEAVES_ZONE;
    if (bytes == qnameBytes && sameLower(target, lowerAt, bytes)) return NOTHING;
    const nameAt = writeAlias(pointer, ownerBytes, targetAt, bytes, ttl);
    const owner = findOwner(step, target, bytes - zoneBytes, false);
    if (!owner) return NOTHING;
    pointer = 0xc000 | nameAt;
    ownerBytes = bytes;
    if (owner == MADE_UP) return finishPod(pointer, ownerBytes, ttl);
    const addresses = findSet(owner, qtype);
    if (addresses) {
      writeAddresses(ANSWER, pointer, ownerBytes, foundBlob, addresses, qtype == TYPE_A ? 4 : 16, ttl, rotate);
      return FOUND;
    }
    set = findSet(owner, TYPE_CNAME);
    if (!set) return NOTHING;
    blob = foundBlob;
  }
  return NOTHING;
}

/**
 * True if the chain that begins with this CNAME set leads out of the zone before it meets an address. Nothing is written:
 * CoreDNS follows an alias also for types it never answers, to tell whether the name exists.
 */
export function aliasLeaves(step: u32, zone: u32, firstBlob: u32, firstSet: u32): bool {
  const target = area + NAME_SCRATCH + TARGET_AT;
  const zoneBytes = load<u32>(zone + 4); // Bounds: a zone list entry
  let blob = firstBlob;
  let set = firstSet;
  for (let steps: u32 = 0; steps < STEPS_MAX && set != 0; steps++) {
    const bytes = readTarget(blob, set, target);
    if (!bytes) return false;
    if (!nameIsBelow(target, bytes, target + OFFSETS_AT, walkedLabels, load<u32>(zone), zoneBytes, load<u32>(zone + 8))) return true;
    const owner = findOwner(step, target, bytes - zoneBytes, false);
    if (!owner || owner == MADE_UP || findSet(owner, TYPE_A) != 0) return false;
    set = findSet(owner, TYPE_CNAME);
    blob = foundBlob;
  }
  return false;
}

/** The name that readTarget() read last, in its own spelling. */
let targetAt: u32 = 0;

/** Copies the set's only name in lower case to `to`; returns its length, 0 if it is no name. Its labels: walkedLabels. */
function readTarget(blob: u32, set: u32, to: u32): u32 {
  const entry = blob + load<u32>(set + SET_DATA); // Bounds: compiled by the host
  const bytes: u32 = load<u16>(entry);
  targetAt = entry + 8;
  if (flatName(targetAt, targetAt + bytes, to + OFFSETS_AT) != bytes) return 0;
  copyLower(to, targetAt, bytes);
  return bytes;
}

/** Returns where the target's name stands in the message. */
function writeAlias(pointer: u32, ownerBytes: u32, name: u32, bytes: u32, ttl: u32): u32 {
  addPlain(ownerBytes, bytes);
  if (!fits(12 + bytes)) return 0;
  beginRecord(pointer, TYPE_CNAME, ttl, bytes);
  const nameAt = position();
  copyOctets(at, name, bytes); // Bounds: granted by fits()
  endRecord(ANSWER, bytes);
  return nameAt;
}

function finishPod(pointer: u32, ownerBytes: u32, ttl: u32): u32 {
  const wanted: u32 = qtype == TYPE_A ? 4 : 16;
  if (podAddressBytes != wanted) return NOTHING;
  addPlain(ownerBytes, wanted);
  writeAddress(ANSWER, pointer, qtype, ttl, podAddressAt, wanted);
  return FOUND;
}
