// Name compression (RFC 1035 §4.1.4) of one message under construction. What has been written is kept as a tree: a
// node is a literal label in the message, its parent the suffix behind it. Labels match letter by letter, as in
// CoreDNS's library: a name that a plugin spells otherwise than the client (plugin hosts) keeps its spelling.
//
//   COMPRESS_SCRATCH
//   0             8                    8192                 8448              8704
//   ├─ generation ┼─ 1023 tree entries ┼─ question's labels ┼─ name's labels ─┼─ name buffers ─
//                   u16 parent, u16 node, u32 generation      u16 offsets
//
// An entry of another generation is empty, so beginning a message clears nothing. A full neighbourhood only costs a
// later pointer. Writer and reader: the shard itself.

import { HEADER_BYTES, LABELS_MAX } from '../shared/codes';
import { COMPRESS_SCRATCH } from '../shared/layout';
import { sameOctets } from './name';
import { store16 } from './octets';
import { area } from './query';

const ENTRY_STRIDE: u32 = 8;
const ENTRY_MASK: u32 = 1023;
const TABLE_BYTES: u32 = 8192;
const PROBES_MAX: u32 = 16;
const QUESTION_LABELS: u32 = 8192;
const NAME_LABELS: u32 = 8448;
/** Room for two uncompressed names of 264 octets each, for callers. */
export const NAME_BUFFERS: u32 = 8704;
export const NAME_BUFFER_STRIDE: u32 = 512;
/** A pointer has 14 bits. */
const POINTER_LIMIT: u32 = 0x4000;

let table: u32 = 0;
let generation: u32 = 0;
let base: u32 = 0;
let question: u32 = 0;
let questionLabels: u32 = 0;

/**
 * Begins a message at `message` whose question has the name at `name`, in the client's spelling. The octets of the
 * name itself are read there only; the message must exist from its first answer RR on.
 */
export function beginNames(message: u32, name: u32): void {
  table = area + COMPRESS_SCRATCH;
  generation = load<u32>(table) + 1; // Bounds: the scratch is the shard's own
  if (generation == 0) {
    memory.fill(table, 0, TABLE_BYTES);
    generation = 1;
  }
  store<u32>(table, generation);
  base = message;
  question = name;
  questionLabels = listLabels(name, table + QUESTION_LABELS);
}

/** Writes the offsets of the labels of the name at `at` as u16 from `list` on; returns their number, at most 127. */
function listLabels(at: u32, list: u32): u32 {
  let p = at;
  let count: u32 = 0;
  while (count < <u32>LABELS_MAX) {
    const octet: u32 = load<u8>(p); // Bounds: callers hold a whole name
    if (octet == 0) break;
    store<u16>(list + count * 2, <u16>(p - at)); // Bounds: count < 127
    p += octet + 1;
    count++;
  }
  return count;
}

/**
 * Writes the uncompressed name at `name` to `out`, with 255 octets of room, and returns the address behind it.
 * `mayPoint`: use pointers; `remember`: later names may point here (the part that is new is remembered even where no
 * pointer may be used, as for SRV targets).
 */
export function emitName(name: u32, out: u32, mayPoint: bool, remember: bool): u32 {
  const labels = table + NAME_LABELS;
  let left = listLabels(name, labels);
  if (left == 0) {
    store<u8>(out, 0); // Bounds: room by contract
    return out + 1;
  }
  const last = name + <u32>load<u16>(labels + (left - 1) * 2);
  const bytes = last + <u32>load<u8>(last) + 2 - name;
  let parent: u32 = 0;
  // Longest suffix shared with the question, then further down the tree.
  let asked = questionLabels;
  while (left > 0 && asked > 0) {
    const theirs: u32 = load<u16>(table + QUESTION_LABELS + (asked - 1) * 2);
    const ours = name + <u32>load<u16>(labels + (left - 1) * 2);
    if (!sameOctets(ours, question + theirs, <u32>load<u8>(ours) + 1)) break;
    parent = HEADER_BYTES + theirs;
    left--;
    asked--;
  }
  while (left > 0) {
    const node = findNode(parent, name + <u32>load<u16>(labels + (left - 1) * 2));
    // Only what stands before this name can be pointed at (RFC 1035 §4.1.4: "a prior occurrence").
    if (!node || node >= out - base) break;
    parent = node;
    left--;
  }
  const literal: u32 = left == 0 ? 0 : labelEnd(name, labels, left);
  let end: u32;
  if (mayPoint && parent) {
    copyName(out, name, literal);
    store16(out + literal, 0xc000 | parent); // Bounds: not longer than the plain name
    end = out + literal + 2;
  } else {
    copyName(out, name, bytes);
    end = out + bytes;
  }
  if (remember) rememberLabels(parent, out - base, labels, left);
  return end;
}

/** Octets of the first `count` labels. */
@inline
function labelEnd(name: u32, labels: u32, count: u32): u32 {
  const offset: u32 = load<u16>(labels + (count - 1) * 2); // Bounds: count labels are listed
  return offset + <u32>load<u8>(name + offset) + 1;
}

@inline
function copyName(to: u32, from: u32, bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i++) store<u8>(to + i, load<u8>(from + i)); // Bounds: room by contract
}

/** Enters the first `count` labels, written as literals at message offset `offset`, right to left. */
function rememberLabels(parent: u32, offset: u32, labels: u32, count: u32): void {
  let above = parent;
  for (let i = count; i > 0; i--) {
    const node = offset + <u32>load<u16>(labels + (i - 1) * 2); // Bounds: count labels are listed
    if (node >= POINTER_LIMIT || !insertNode(above, node)) return;
    above = node;
  }
}

/** Hash of a label below its parent, at most 64 rounds. */
function nodeHash(parent: u32, label: u32): u32 {
  let hash: u32 = parent * 0x9e3779b1;
  const bytes: u32 = load<u8>(label);
  for (let i: u32 = 0; i <= bytes; i++) hash = (hash ^ <u32>load<u8>(label + i)) * 0x01000193; // Bounds: one label
  return hash ^ (hash >> 15);
}

/** Node of the label at `label` under `parent`, or 0. */
function findNode(parent: u32, label: u32): u32 {
  const bytes = <u32>load<u8>(label) + 1;
  let slot = nodeHash(parent, label);
  for (let i: u32 = 0; i < PROBES_MAX; i++, slot++) {
    const index = slot & ENTRY_MASK;
    if (index == 0) continue;
    const entry = table + index * ENTRY_STRIDE; // Bounds: index <= ENTRY_MASK
    if (load<u32>(entry + 4) != generation) return 0;
    if (<u32>load<u16>(entry) != parent) continue;
    const node: u32 = load<u16>(entry + 2);
    if (sameOctets(base + node, label, bytes)) return node;
  }
  return 0;
}

function insertNode(parent: u32, node: u32): bool {
  let slot = nodeHash(parent, base + node);
  for (let i: u32 = 0; i < PROBES_MAX; i++, slot++) {
    const index = slot & ENTRY_MASK;
    if (index == 0) continue;
    const entry = table + index * ENTRY_STRIDE; // Bounds: index <= ENTRY_MASK
    if (load<u32>(entry + 4) == generation) continue;
    store<u16>(entry, <u16>parent);
    store<u16>(entry + 2, <u16>node);
    store<u32>(entry + 4, generation);
    return true;
  }
  return false;
}
