// The order of addresses (CoreDNS plugin loadbalance): in what order an image holds its RRs, and how those of its
// groups are moved when it is sent.
//
//   ORDER_SHUFFLE   each section: CNAMEs, other types, addresses, MX; addresses and MX shuffled
//   ORDER_WEIGHTED  A, AAAA and SRV questions, answer and additional sections with addresses: the same, but only one
//                   address, chosen by weight, changes its place with the first
//   ORDER_PREFER    shuffled; answer and additional then hold CNAMEs, addresses, MX, other types, and addresses stand
//                   by the first subnet that they lie in

import { HEADER_BYTES, TYPE_A, TYPE_AAAA, TYPE_SRV, TYPE_TXT } from '../shared/codes';
import {
  IMAGE_SCRATCH,
  ORDER_PREFER,
  ORDER_SHUFFLE,
  ORDER_WEIGHTED,
  ROTATE_STEP_ORDER,
  ROTATE_STEP_STORE,
  ROTATE_STEP_SUBNETS,
  SET_DATA,
  SET_RECORDS,
  SUBNET_BITS,
  SUBNET_BYTES,
  SUBNET_OCTETS,
  SUBNET_STRIDE,
} from '../shared/layout';
import { findSet, foundBlob } from '../records/set';
import { tableFind } from '../records/table';
import { load16 } from '../wire/octets';
import { area, qnameAt, qnameBytes, qtype } from '../wire/query';
import { GROUP_STRIDE, GROUP_UNIFORM, IMAGE_GROUPS, IMAGE_ROOM, IMAGE_TABLE, RECORD_FIXED, RECORD_STRIDE, RECORD_TYPE } from './image';
import { random } from './rotate';

/** Places of an image in canonical order, which follow each other as placeAt() says. */
export const PLACE_ALIAS: u32 = 0;
export const PLACE_OTHER: u32 = 1;
export const PLACE_ADDRESS: u32 = 2;
export const PLACE_EXCHANGE: u32 = 3;
export const PLACES: u32 = 4;

const SECTION_AUTHORITY: u32 = 1;
// Behind the order list, from IMAGE_ROOM on: a group being sorted, and an owner's name.
const SORTED_AT: u32 = 16384;
const OWNER_AT: u32 = 32768;
const POINTER_TO_QUESTION: u32 = 0x0cc0; // as read by a little-endian load
/** A weight: the address in 16 octets, the weight in one. */
const WEIGHT_BYTES: u32 = 17;
const HOPS_MAX: u32 = 126;

/** What a block asks for: 0 = nothing, 1 = shuffle, else the address of a rotate step. Returns ORDER_. */
export function orderOf(order: u32): u32 {
  return order > 1 ? load<u32>(order + ROTATE_STEP_ORDER) : order; // Bounds: compiled by the host
}

/** True if RRs of a section change their places at all; `addresses`: how many of them it holds. */
export function isOrdered(kind: u32, section: u32, addresses: u32): bool {
  if (kind != ORDER_WEIGHTED) return kind != 0;
  const isAsked = qtype == TYPE_A || qtype == TYPE_AAAA || qtype == TYPE_SRV;
  return isAsked && section != SECTION_AUTHORITY && addresses > 0;
}

/** The place that comes at `turn` in a section. */
export function placeAt(kind: u32, section: u32, turn: u32): u32 {
  if (kind != ORDER_PREFER || section == SECTION_AUTHORITY || turn == 0) return turn;
  return turn == PLACES - 1 ? PLACE_OTHER : turn + 1;
}

let image: u32 = 0;
let base: u32 = 0;

/**
 * Moves entries of the order list at `list`, one u16 for each RR, inside the image's groups. `baseAt`: address that
 * message offset 0 would have.
 */
export function arrange(imageAt: u32, baseAt: u32, list: u32, order: u32, groups: u32): void {
  image = imageAt;
  base = baseAt;
  const kind = orderOf(order);
  for (let i: u32 = 0; i < groups; i++) {
    const group = image + IMAGE_GROUPS + i * GROUP_STRIDE; // Bounds: callers hold an image
    const count = <u32>load<u16>(group + 2) & ~GROUP_UNIFORM;
    if (count < 2) continue;
    const first = list + <u32>load<u16>(group) * 2;
    const isAddresses = (i & 1) == 0 && i >> 1 != SECTION_AUTHORITY;
    if (kind != ORDER_WEIGHTED) shuffle(first, count);
    if (isAddresses && kind == ORDER_WEIGHTED) putFirst(first, count, load<u32>(order + ROTATE_STEP_STORE));
    if (isAddresses && kind == ORDER_PREFER) sortBySubnet(first, count, load<u32>(order + ROTATE_STEP_SUBNETS));
  }
}

/** Fisher-Yates over `count` entries of the order list. */
function shuffle(first: u32, count: u32): void {
  for (let i: u32 = 0; i + 1 < count; i++) {
    const a = first + i * 2; // Bounds: the group's part of the list
    const b = a + random(count - i) * 2;
    const index = load<u16>(a);
    store<u16>(a, load<u16>(b));
    store<u16>(b, index);
  }
}

// ------------------------------------------------------------------------------------------------------- subnets

/** Those of the first subnet come first, then those of the second; what lies in none comes last. */
function sortBySubnet(first: u32, count: u32, subnets: u32): void {
  const sorted = area + IMAGE_SCRATCH + IMAGE_ROOM + SORTED_AT;
  let taken: u32 = 0;
  let left = count;
  const subnetCount = load<u32>(subnets); // Bounds: compiled by the host
  for (let s: u32 = 0; s < subnetCount && left; s++) {
    const subnet = subnets + 8 + s * SUBNET_STRIDE;
    let kept: u32 = 0;
    for (let i: u32 = 0; i < left; i++) {
      const index = load<u16>(first + i * 2); // Bounds: i < count
      if (holds(subnet, index)) store<u16>(sorted + taken++ * 2, index); // Bounds: taken < count
      else store<u16>(first + kept++ * 2, index);
    }
    left = kept;
  }
  memory.copy(first + taken * 2, first, left * 2); // Bounds: taken + left == count
  memory.copy(first, sorted, taken * 2);
}

let addressAt: u32 = 0;

/** Octets of the address of RR `index`, which stands at addressAt: 4 (mapped ones too), 16, or 0. */
function addressOf(index: u32): u32 {
  const entry = image + IMAGE_TABLE + index * RECORD_STRIDE; // Bounds: an RR of the image
  const fixed = base + <u32>load<u16>(entry + RECORD_FIXED);
  const bytes = load16(fixed + 8);
  addressAt = fixed + 10;
  if (<u32>load<u16>(entry + RECORD_TYPE) == TYPE_A) return bytes == 4 ? 4 : 0;
  if (bytes != 16) return 0;
  if (load<u64>(addressAt) != 0 || load<u32>(addressAt + 8) != 0xffff0000) return 16;
  addressAt += 12;
  return 4;
}

function holds(subnet: u32, index: u32): bool {
  const bytes = addressOf(index);
  // Bounds: compiled by the host
  if (!bytes || bytes != load<u32>(subnet + SUBNET_BYTES)) return false;
  const bits = load<u32>(subnet + SUBNET_BITS);
  const octets = subnet + SUBNET_OCTETS;
  const whole = bits >> 3;
  for (let i: u32 = 0; i < whole; i++) if (load<u8>(addressAt + i) != load<u8>(octets + i)) return false;
  const rest = bits & 7;
  if (!rest) return true;
  return ((<u32>load<u8>(addressAt + whole) ^ <u32>load<u8>(octets + whole)) >> (8 - rest)) == 0;
}

// ------------------------------------------------------------------------------------------------------- weights

/** One entry, chosen with a chance that is its weight's share of all, changes places with the first. */
function putFirst(first: u32, count: u32, storeAt: u32): void {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) sum += weightOf(load<u16>(first + i * 2), storeAt); // Bounds: i < count
  let number = random(sum);
  for (let i: u32 = 0; i < count; i++) {
    const at = first + i * 2;
    const weight = weightOf(load<u16>(at), storeAt);
    if (number >= weight) {
      number -= weight;
      continue;
    }
    const index = load<u16>(at);
    store<u16>(at, load<u16>(first));
    store<u16>(first, index);
    return;
  }
}

/** 1 where the file says nothing of this owner and address. */
function weightOf(index: u32, storeAt: u32): u32 {
  const bytes = addressOf(index);
  const owner = bytes ? ownerOf(index, storeAt) : 0;
  const set = owner ? findSet(owner, TYPE_TXT) : 0;
  if (!set) return 1;
  const count: u32 = load<u16>(set + SET_RECORDS); // Bounds: a directory entry
  let entry = foundBlob + load<u32>(set + SET_DATA) + 2;
  for (let i: u32 = 0; i < count; i++, entry += WEIGHT_BYTES + 2) {
    if (isAddress(entry, bytes)) return load<u8>(entry + WEIGHT_BYTES - 1); // Bounds: compiled by the host
  }
  return 1;
}

/** True if the 16 octets at `entry` are the address at addressAt, an IPv4 one mapped. */
function isAddress(entry: u32, bytes: u32): bool {
  // Bounds: 16 octets of a weight; `bytes` of the RR
  if (bytes == 16) return load<u64>(entry) == load<u64>(addressAt) && load<u64>(entry + 8) == load<u64>(addressAt + 8);
  return load<u64>(entry) == 0 && load<u32>(entry + 8) == 0xffff0000 && load<u32>(entry + 12) == load<u32>(addressAt);
}

/** Entry of the weights' store for the owner of RR `index`, 0 = none. Owners are compared letter by letter. */
function ownerOf(index: u32, storeAt: u32): u32 {
  const start = base + <u32>load<u16>(image + IMAGE_TABLE + index * RECORD_STRIDE); // Bounds: an RR of the image
  if (<u32>load<u16>(start) == POINTER_TO_QUESTION) return tableFind(storeAt, qnameAt, qnameBytes);
  const name = area + IMAGE_SCRATCH + IMAGE_ROOM + OWNER_AT;
  const bytes = expandOwner(start, name);
  return bytes ? tableFind(storeAt, name, bytes) : 0;
}

/** Writes the owner at `start` uncompressed; labels of the question in the client's spelling. Returns its length. */
function expandOwner(start: u32, to: u32): u32 {
  let p = start;
  let written: u32 = 0;
  let hops: u32 = 0;
  // The image's names are sound; the bounds here only keep a mistake from becoming a trap.
  while (written < 256) {
    const octet: u32 = load<u8>(p); // Bounds: a name of the image
    if (octet >= 192) {
      if (++hops > HOPS_MAX) return 0;
      const offset = ((octet & 63) << 8) | <u32>load<u8>(p + 1);
      p = offset < <u32>HEADER_BYTES + qnameBytes ? qnameAt + offset - HEADER_BYTES : base + offset;
      continue;
    }
    memory.copy(to + written, p, octet + 1); // Bounds: room for 256 + 64 octets
    written += octet + 1;
    if (!octet) return written;
    p += octet + 1;
  }
  return 0;
}
