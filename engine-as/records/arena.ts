// Memory for programs, records and caches. One writer, the main thread. Freed blocks are reused only when no shard can
// still read them: retire() parks a block, reclaim() frees what was parked before every shard's epoch word moved past
// the epoch (quiescent-state reclamation).
//
//   block ─┬─ u32 class, or size if huge ─┬─ u32 next in its list ─┬─ payload ...
//
// Classes: four sizes a doubling, 32 octets to 2 MiB; larger blocks are huge and kept in one first-fit list.

import {
  ARENA_CLASSES,
  ARENA_HEADER_BYTES,
  CONTROL_ARENA_BYTES_USED,
  CONTROL_ARENA_TOP,
  CONTROL_EPOCH,
  CONTROL_FREE_LISTS,
  CONTROL_RETIRED,
  CONTROL_SHARD_COUNT,
  CONTROL_WAITING,
  EPOCHS_AT,
  EPOCH_STRIDE,
} from '../shared/layout';

const HUGE: u32 = ARENA_CLASSES - 1;
const SMALLEST: u32 = 32;
const PAGE: u32 = 65536;
const GROW_PAGES: u32 = 32;

/** Payload bytes of a class: 32, 40, 48, 56, 64, 80 ... */
function classBytes(index: u32): u32 {
  return (SMALLEST + ((index & 3) << 3)) << (index >> 2);
}

/** Smallest class that holds `bytes`, HUGE if none. */
function classOf(bytes: u32): u32 {
  if (bytes <= SMALLEST) return 0;
  const doubling: u32 = 26 - clz<u32>(bytes - 1); // 2^(doubling + 5) < bytes <= 2^(doubling + 6)
  const step = <u32>8 << doubling;
  const index = (doubling << 2) + (bytes - (SMALLEST << doubling) + step - 1) / step;
  return index < HUGE ? index : HUGE;
}

/** Address of `bytes` octets (contents undefined), or 0 when memory is exhausted. */
export function arenaAllocate(bytes: u32): u32 {
  if (bytes > 0x70000000) return 0;
  const index = classOf(bytes);
  if (index == HUGE) return allocateHuge(bytes);
  const list = CONTROL_FREE_LISTS + index * 4;
  const free = load<u32>(list); // Bounds: list heads are control words
  if (free) {
    store<u32>(list, load<u32>(free - 4));
    addUsed(classBytes(index));
    return free;
  }
  return carve(classBytes(index), index);
}

function allocateHuge(bytes: u32): u32 {
  const rounded = (bytes + PAGE - 1) & ~(PAGE - 1);
  let link: u32 = CONTROL_FREE_LISTS + HUGE * 4;
  // The list is short: tables and caches of earlier configurations.
  for (let block = load<u32>(link); block; block = load<u32>(link)) {
    if (load<u32>(block - 8) >= rounded) {
      store<u32>(link, load<u32>(block - 4));
      addUsed(load<u32>(block - 8));
      return block;
    }
    link = block - 4;
  }
  return carve(rounded, rounded);
}

function carve(bytes: u32, tag: u32): u32 {
  const at = load<u32>(CONTROL_ARENA_TOP);
  const top = <u64>at + ARENA_HEADER_BYTES + bytes;
  if (top > 0xffff0000) return 0;
  const have = <u64>(<u32>memory.size()) * PAGE;
  if (top > have) {
    const pages = <u32>((top - have + PAGE - 1) / PAGE);
    if (memory.grow(<i32>(pages > GROW_PAGES ? pages : GROW_PAGES)) < 0 && memory.grow(<i32>pages) < 0) return 0;
  }
  store<u32>(CONTROL_ARENA_TOP, <u32>top);
  store<u32>(at, tag); // Bounds: at + header + bytes lies below the memory's end
  addUsed(bytes);
  return at + ARENA_HEADER_BYTES;
}

/** Gives back a block that no shard has ever seen. */
export function arenaFree(block: u32): void {
  if (!block) return;
  const tag = load<u32>(block - 8); // Bounds: every block has its header
  const index = tag < <u32>ARENA_CLASSES ? tag : HUGE;
  const list = CONTROL_FREE_LISTS + index * 4;
  store<u32>(block - 4, load<u32>(list));
  store<u32>(list, block);
  addUsed(0 - (index == HUGE ? tag : classBytes(index)));
}

/** Parks a block until no shard can read it any more. */
export function arenaRetire(block: u32): void {
  if (!block) return;
  store<u32>(block - 4, load<u32>(CONTROL_RETIRED)); // Bounds: every block has its header
  store<u32>(CONTROL_RETIRED, block);
}

/** Frees what may be freed; call it every now and then. True if blocks are still parked. */
export function arenaReclaim(): bool {
  const waiting = load<u32>(CONTROL_WAITING);
  if (waiting) {
    if (!allShardsPassed(atomic.load<u32>(CONTROL_EPOCH))) return true;
    store<u32>(CONTROL_WAITING, 0);
    for (let block = waiting; block; ) {
      const next = load<u32>(block - 4); // Bounds: every block has its header
      arenaFree(block);
      block = next;
    }
  }
  const retired = load<u32>(CONTROL_RETIRED);
  if (!retired) return false;
  store<u32>(CONTROL_WAITING, retired);
  store<u32>(CONTROL_RETIRED, 0);
  atomic.add<u32>(CONTROL_EPOCH, 1);
  return true;
}

function allShardsPassed(epoch: u32): bool {
  const shards = load<u32>(CONTROL_SHARD_COUNT);
  for (let i: u32 = 0; i < shards; i++) {
    if (<i32>(atomic.load<u32>(EPOCHS_AT + i * EPOCH_STRIDE) - epoch) < 0) return false;
  }
  return true;
}

/** A shard holds no address of the arena at this moment. */
export function quiesce(shard: u32): void {
  // Bounds: shard < SHARDS_MAX
  atomic.store<u32>(EPOCHS_AT + shard * EPOCH_STRIDE, atomic.load<u32>(CONTROL_EPOCH));
}

function addUsed(bytes: u32): void {
  store<u32>(CONTROL_ARENA_BYTES_USED, load<u32>(CONTROL_ARENA_BYTES_USED) + bytes);
}
