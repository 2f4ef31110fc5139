// The blocks of one table: a free list that is a stack with a change counter (so a stale head never fits), and, as
// long as there are any, blocks never used before. No locks: see table.ts.

import {
  BLOCK_DATA,
  BLOCK_DATA_BYTES,
  BLOCK_NEXT,
  BLOCK_SEQ,
  ENTRY_DATA,
  ENTRY_DATA_BYTES,
  TABLE_BLOCK_COUNT,
  TABLE_FREE,
  TABLE_FRESH,
  blockAt,
} from './table';

/** Rounds of a compare-and-swap that keeps failing: other shards are making progress then. */
const TRIES_MAX: u32 = 64;
const GIVE_TRIES_MAX: u32 = 65536;

/** Blocks that an image of `bytes` octets takes. */
export function blocksFor(bytes: u32): u32 {
  return bytes <= ENTRY_DATA_BYTES ? 1 : 1 + (bytes - ENTRY_DATA_BYTES + BLOCK_DATA_BYTES - 1) / BLOCK_DATA_BYTES;
}

/** Number of a block that now belongs to the caller, or 0. */
export function takeBlock(table: u32): u32 {
  const free = table + TABLE_FREE;
  for (let i: u32 = 0; i < TRIES_MAX; i++) {
    const head = atomic.load<u64>(free); // Bounds: a cache's header
    const number = <u32>head;
    const block = blockAt(table, number);
    if (!block) break;
    // Another shard may have taken the block meanwhile; then this word is garbage, but the head has changed too.
    const next = atomic.load<u32>(block + BLOCK_NEXT);
    const changes = ((head >> 32) + 1) << 32;
    if (atomic.cmpxchg<u64>(free, head, changes | next) == head) return number;
  }
  return takeFresh(table);
}

function takeFresh(table: u32): u32 {
  const fresh = table + TABLE_FRESH;
  const count = load<u32>(table + TABLE_BLOCK_COUNT); // Bounds: a cache's header
  if (atomic.load<u32>(fresh) >= count) return 0;
  const number = atomic.add<u32>(fresh, 1) + 1;
  if (number > count) {
    // Raced past the end; the count stays above `count` by at most the number of shards.
    atomic.sub<u32>(fresh, 1);
    return 0;
  }
  atomic.store<u32>(blockAt(table, number) + BLOCK_SEQ, 0);
  return number;
}

/** Gives back a chain that the caller owns and no slot holds. `isPublished`: it was an entry. */
export function giveChain(table: u32, first: u32, isPublished: bool): void {
  let last = blockAt(table, first);
  if (!last) return;
  // Readers of this entry must see the change before any of its blocks can be written again.
  if (isPublished) atomic.add<u32>(last + BLOCK_SEQ, 1);
  const count = load<u32>(table + TABLE_BLOCK_COUNT); // Bounds: a cache's header
  for (let i: u32 = 0; i < count; i++) {
    const next = blockAt(table, load<u32>(last + BLOCK_NEXT));
    if (!next) break;
    last = next;
  }
  const free = table + TABLE_FREE;
  // A failure means that another shard has changed the list. Should all rounds fail, the chain is lost, nothing else.
  for (let i: u32 = 0; i < GIVE_TRIES_MAX; i++) {
    const head = atomic.load<u64>(free);
    atomic.store<u32>(last + BLOCK_NEXT, <u32>head);
    const changes = ((head >> 32) + 1) << 32;
    if (atomic.cmpxchg<u64>(free, head, changes | first) == head) return;
  }
}

/** Copies `bytes` octets at `from` into the chain, which is long enough; reads up to 15 octets more. */
export function fillChain(table: u32, first: u32, from: u32, bytes: u32): void {
  let block = blockAt(table, first);
  let room = ENTRY_DATA_BYTES;
  let to = block + ENTRY_DATA;
  let done: u32 = 0;
  // Bounds: the chain has blocksFor(bytes) blocks; a block's data is a multiple of 16 octets
  while (done < bytes) {
    const part: u32 = bytes - done < room ? bytes - done : room;
    for (let i: u32 = 0; i < part; i += 16) v128.store(to + i, v128.load(from + done + i));
    done += part;
    block = blockAt(table, load<u32>(block + BLOCK_NEXT));
    if (!block) return;
    to = block + BLOCK_DATA;
    room = BLOCK_DATA_BYTES;
  }
}

/**
 * Copies `bytes` octets of the chain to `to`, which has 7 octets more of room. False: the chain is torn. Every load is
 * atomic, not for its own sake but for the order: none may be done after the caller's second look at seq.
 */
export function readChain(table: u32, first: u32, to: u32, bytes: u32): bool {
  let block = first;
  let room = ENTRY_DATA_BYTES;
  let from = block + ENTRY_DATA;
  let done: u32 = 0;
  // Bounds: a block's data is a multiple of 8 octets; blockAt() refuses numbers that are none. Each round copies some.
  while (true) {
    const part: u32 = bytes - done < room ? bytes - done : room;
    for (let i: u32 = 0; i < part; i += 8) store<u64>(to + done + i, atomic.load<u64>(from + i));
    done += part;
    if (done >= bytes) return true;
    block = blockAt(table, atomic.load<u32>(block + BLOCK_NEXT));
    if (!block) return false;
    from = block + BLOCK_DATA;
    room = BLOCK_DATA_BYTES;
  }
}
