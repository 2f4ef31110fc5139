// The cache of one server block, shared by all shards: one table for success, one for denial, each with its own pool
// of blocks. Nothing here is ever locked: a slot is one atomic word that owns one chain of blocks, so a shard may die
// anywhere and loses at most the blocks it held at that moment.
//
//   header ─► table ─► sets of slots {u32 first block, u32 tag}     0 = empty; a set is `ways` slots
//                  └─► blocks of 256 octets, numbered from 1
//
//   first block
//   0      4      8       12    16       24                 28     32     36     40     44     48          256
//   ├ seq  ┼ next ┼ bytes ┼ ttl ┼ stored ┼ qtype<<16|qclass ┼ hash ┼ bits ┼ hold ┼ hits ┼ last ┼ image ... ┤
//   further blocks
//   0      4      8                                                                          48          256
//   ├(seq) ┼ next ┼ (unused)                                                                 ┼ image ...   ┤
//
// hold, hits and last are words that shards write into a published entry without owning it (see refresh.ts). No block
// keeps anything else there, so a late write into a block that has been reused spoils no answer.
//
// With prefer_positive the last answer of a key may be kept beside a later reply that answers nothing: in a slot of
// the same set whose tag is even; all others are odd.
//
// seq is odd exactly while the block is the first one of a published entry; it changes when the entry is published and
// when it is given up. A reader copies the entry out and believes it only if seq has not moved (then no block of the
// chain was reused either, for blocks are given back after seq has changed). A torn read is a miss.
// Who writes: every shard. A slot changes by compare-and-swap only, and whoever takes a word out owns its chain.

import { arenaAllocate, arenaRetire } from '../records/arena';

export const TABLE_SLOTS: u32 = 0; // u32: address of the slots
export const TABLE_SET_MASK: u32 = 4; // u32: sets - 1
export const TABLE_WAYS: u32 = 8; // u32: slots of a set in use
export const TABLE_SET_BYTES: u32 = 12; // u32: stride of a set
export const TABLE_BLOCKS: u32 = 16; // u32: address that block 0 would have
export const TABLE_BLOCK_COUNT: u32 = 20; // u32
export const TABLE_OFFERED: u32 = 24; // u32, atomic, of the success table: a bit for each server label that had a reply to store
export const TABLE_ARENA_BLOCK: u32 = 28; // u32, of the success table: the arena's block that the cache lies in
// Words that every shard writes have lines of their own
export const TABLE_FREE: u32 = 64; // u64, atomic: u32 first free block, u32 count of changes
export const TABLE_FRESH: u32 = 128; // u32, atomic: number of blocks ever used
export const TABLE_BYTES: u32 = 192;

export const BLOCK_BYTES: u32 = 256;
export const BLOCK_SEQ: u32 = 0; // u32, atomic
export const BLOCK_NEXT: u32 = 4; // u32
export const BLOCK_DATA: u32 = 48;
export const BLOCK_DATA_BYTES: u32 = 208;
export const ENTRY_BYTES: u32 = 8; // u32: octets of the image
export const ENTRY_TTL: u32 = 12; // u32: seconds
export const ENTRY_STORED: u32 = 16; // u64: ms
export const ENTRY_TYPE: u32 = 24; // u32: qtype << 16 | qclass
export const ENTRY_HASH: u32 = 28; // u32: of the lower-case qname
export const ENTRY_BITS: u32 = 32; // u32: KEY_ bits, ENTRY_ANSWERS and the rcode
export const ENTRY_HOLD: u32 = 36; // u32, atomic: ms until which no refresh may begin, 0 = one may
export const ENTRY_HITS: u32 = 40; // u32: hits in a row, for prefetch
export const ENTRY_LAST: u32 = 44; // u32: ms of the last of them, 0 = none yet
export const ENTRY_DATA: u32 = 48;
export const ENTRY_DATA_BYTES: u32 = 208;
export const KEY_DO: u32 = 0x100;
export const KEY_CD: u32 = 0x200;
export const KEY_BITS: u32 = KEY_DO | KEY_CD;
/** The reply answers its question (CoreDNS plugin cache, answersQuestion). */
export const ENTRY_ANSWERS: u32 = 0x400;

export const SUCCESS: u32 = 0;
export const DENIAL: u32 = 1;

const HEADER: u32 = 2 * TABLE_BYTES;
const LINE_BYTES: u32 = 64;
const SETS_AT_FIRST: u32 = 256; // as many as CoreDNS's cache has shards, so that small caches evict alike
const WAYS_MAX: u32 = 64;
const WAYS_MIN: u32 = 4;
/** Byte budget of a table: 1 KiB for each entry; an ordinary answer takes one block of 256 octets. */
const BYTES_PER_ENTRY: u32 = 1024;
const BUDGET_MIN: u32 = 1 << 20;
/** A cache of a million entries and more is bounded by its octets first. */
const BUDGET_MAX: u32 = 512 << 20;
const ENTRIES_MAX: u32 = 1 << 24;

let sets: u32 = 0;
let ways: u32 = 0;
let blockCount: u32 = 0;

/** Sets, ways and blocks of a table of at most `entries` entries; returns the octets of slots and blocks. */
function measure(entries: u32): u32 {
  const bounded: u32 = entries > ENTRIES_MAX ? ENTRIES_MAX : entries ? entries : 1;
  sets = SETS_AT_FIRST;
  while (sets > 1 && bounded / sets < WAYS_MIN) sets >>= 1;
  while (bounded / sets > WAYS_MAX) sets <<= 1;
  ways = bounded / sets;
  let budget: u32 = bounded > BUDGET_MAX / BYTES_PER_ENTRY ? BUDGET_MAX : bounded * BYTES_PER_ENTRY;
  if (budget < BUDGET_MIN) budget = BUDGET_MIN;
  blockCount = budget / BLOCK_BYTES;
  return sets * setBytes() + blockCount * BLOCK_BYTES;
}

/** Slots are read in pairs. */
function setBytes(): u32 {
  return ((ways + 1) >> 1) << 4;
}

/**
 * Creates a cache of at most these numbers of entries; main thread only. Returns its address, or 0
 * when there is no memory.
 */
export function cacheCreate(success: u32, denial: u32): u32 {
  const bytes = <u64>measure(success) + measure(denial) + HEADER + LINE_BYTES + 3 * BLOCK_BYTES;
  if (bytes > 0x70000000) return 0;
  const arenaBlock = arenaAllocate(<u32>bytes);
  if (!arenaBlock) return 0;
  const at = (arenaBlock + LINE_BYTES - 1) & ~(LINE_BYTES - 1);
  memory.fill(at, 0, HEADER); // Bounds: the region was measured above
  store<u32>(at + TABLE_ARENA_BLOCK, arenaBlock);
  const from = layTable(at, success, at + HEADER);
  layTable(at + TABLE_BYTES, denial, from);
  return at;
}

/** Gives the cache's memory back once no shard can be reading it; main thread only. */
export function cacheRelease(cache: u32): void {
  arenaRetire(load<u32>(cache + TABLE_ARENA_BLOCK)); // Bounds: a cache's header
}

/** Lays one table out from `from` on; returns the octet behind it. Blocks are cleared when first used. */
function layTable(table: u32, entries: u32, from: u32): u32 {
  measure(entries);
  const slots = (from + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1);
  const slotBytes = sets * setBytes();
  const blocks = (slots + slotBytes + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1);
  memory.fill(slots, 0, slotBytes); // Bounds: the region was measured by cacheCreate()
  store<u32>(table + TABLE_SLOTS, slots);
  store<u32>(table + TABLE_SET_MASK, sets - 1);
  store<u32>(table + TABLE_WAYS, ways);
  store<u32>(table + TABLE_SET_BYTES, setBytes());
  store<u32>(table + TABLE_BLOCKS, blocks - BLOCK_BYTES);
  store<u32>(table + TABLE_BLOCK_COUNT, blockCount);
  return blocks + blockCount * BLOCK_BYTES;
}

/**
 * Entries now held, expired ones included and kept answers not; `kind` is SUCCESS or DENIAL. Counts the slots: for
 * scrapes only.
 */
export function cacheEntries(cache: u32, kind: u32): u32 {
  const table = cache + kind * TABLE_BYTES; // Bounds: a cache's header
  const count = load<u32>(table + TABLE_SET_MASK) + 1;
  const slots = load<u32>(table + TABLE_SLOTS);
  const stride = load<u32>(table + TABLE_SET_BYTES);
  let entries: u32 = 0;
  for (let set: u32 = 0; set < count; set++) {
    // Bounds: slots of the table; unused ones stay 0
    for (let i: u32 = 0; i < stride; i += 8) entries += load<u32>(slots + set * stride + i + 4) & 1;
  }
  return entries;
}

/** True once the cache was offered a reply for this server label that can be stored, even if its name is disabled. */
export function cacheIsOffered(cache: u32, server: u32): bool {
  return (atomic.load<u32>(cache + TABLE_OFFERED) & offerBit(server)) != 0; // Bounds: a cache's header
}

/** Of TABLE_OFFERED. A block with more server labels shows those beyond the last bit together. */
@inline
export function offerBit(server: u32): u32 {
  return 1 << (server < 31 ? server : 31);
}

/** Set (low half) and tag (high half, always odd) of the key. */
@inline
export function keyOf(nameHash: u32, type: u32, bits: u32): u64 {
  let key = ((<u64>type << 32) | nameHash) ^ (<u64>bits << 20);
  key *= 0x9fb21c651e98df25;
  key ^= key >> 35;
  key *= 0xd6e8feb86659fd93;
  key ^= key >> 32;
  return key | 0x100000000;
}

/** Tag of the slot that keeps the last answer beside a later reply of the same key. */
@inline
export function keptTag(tag: u32): u32 {
  return (tag & ~1) | 2;
}

@inline
export function setOf(table: u32, key: u64): u32 {
  const set = <u32>key & load<u32>(table + TABLE_SET_MASK); // Bounds: a cache's header
  return load<u32>(table + TABLE_SLOTS) + set * load<u32>(table + TABLE_SET_BYTES);
}

/** Address of block `number`; 0 if there is no such block (a torn word). */
@inline
export function blockAt(table: u32, number: u32): u32 {
  if (number - 1 >= load<u32>(table + TABLE_BLOCK_COUNT)) return 0; // Bounds: a cache's header
  return load<u32>(table + TABLE_BLOCKS) + number * BLOCK_BYTES;
}
