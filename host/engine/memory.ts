// The one shared WebAssembly memory: how big its parts are, where they lie, and views on them. The only user of
// layout.ts offsets on the host's side beside the records writer, the program builder and the shard's I/O.

import { randomBytes } from 'node:crypto';
import * as layout from '../../engine-as/shared/layout.ts';

const PAGE_BYTES = 65536;
/** 4 GiB less one page: what 32-bit addresses reach. Only pages that are touched cost memory. */
const PAGES_MAX = 65535;
const EXCHANGES_TOTAL_MAX = 262144;
const EXCHANGES_PER_SHARD_MAX = 65536;
const ARENA_FIRST_BYTES = 4 * 1024 * 1024;

/** What every thread needs to find its way in the memory; plain data, crosses threads as it is. */
export interface MemoryPlan {
  readonly shardCount: number;
  /** Exchanges (queries waiting for an answer from elsewhere) of one shard. */
  readonly exchangesPerShard: number;
  /** Distance of two shard areas in bytes. */
  readonly areaBytes: number;
  readonly arenaAt: number;
}

export function planMemory(shardCount: number): MemoryPlan {
  if (!Number.isInteger(shardCount) || shardCount < 1 || shardCount > layout.SHARDS_MAX) {
    throw new RangeError(`shards must be between 1 and ${layout.SHARDS_MAX}, got ${shardCount}`);
  }
  const share = Math.floor(EXCHANGES_TOTAL_MAX / shardCount);
  const exchangesPerShard = Math.min(EXCHANGES_PER_SHARD_MAX, share);
  const areaBytes = roundUp(layout.EXCHANGES + (exchangesPerShard + 1) * layout.EXCHANGE_STRIDE, PAGE_BYTES);
  const mainAreaBytes = roundUp(layout.EXCHANGES, PAGE_BYTES);
  const arenaAt = roundUp(layout.SHARDS_AT + shardCount * areaBytes + mainAreaBytes, PAGE_BYTES);
  return { shardCount, exchangesPerShard, areaBytes, arenaAt };
}

/** Address of a shard's area; index shardCount is the main thread's own. */
export function areaAt(plan: MemoryPlan, index: number): number {
  return layout.SHARDS_AT + index * plan.areaBytes;
}

/** All areas that hold counters: every shard's and the main thread's. */
export function areasOf(plan: MemoryPlan): number[] {
  return Array.from({ length: plan.shardCount + 1 }, (_, index) => areaAt(plan, index));
}

/**
 * Creates the memory and writes the control page.
 * @param nativeBase address of the memory in this process (0n where no native I/O is used).
 */
export function createMemory(plan: MemoryPlan, nativeBase: (memory: WebAssembly.Memory) => bigint): WebAssembly.Memory {
  const initial = Math.ceil((plan.arenaAt + ARENA_FIRST_BYTES) / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial, maximum: PAGES_MAX, shared: true });
  const view = new DataView(memory.buffer);
  view.setUint32(layout.CONTROL_VERSION, layout.LAYOUT_VERSION, true);
  view.setUint32(layout.CONTROL_SHARD_COUNT, plan.shardCount, true);
  view.setBigUint64(layout.CONTROL_NATIVE_BASE, nativeBase(memory), true);
  view.setUint32(layout.CONTROL_EPOCH, 1, true);
  view.setUint32(layout.CONTROL_ARENA_START, plan.arenaAt, true);
  view.setUint32(layout.CONTROL_ARENA_TOP, plan.arenaAt, true);
  view.setUint32(layout.CONTROL_HASH_SEED, randomBytes(4).readUInt32LE(), true);
  for (const area of areasOf(plan)) seedShuffle(view, area);
  // A shard that is not there yet must not hold the writer up: it reads nothing.
  for (let i = 0; i < layout.SHARDS_MAX; i++) markAbsent(memory, i);
  return memory;
}

/** xorshift needs a state that is not zero. */
function seedShuffle(view: DataView, area: number): void {
  const seed = randomBytes(8).readBigUInt64LE() | 1n;
  view.setBigUint64(area + layout.SHARD_RANDOM, seed, true);
}

const ABSENT_AHEAD = 0x3fffffff;

/** The shard's thread is gone: its epoch word runs ahead of every epoch until the next one calls quiesce(). */
export function markAbsent(memory: WebAssembly.Memory, shard: number): void {
  const words = new Uint32Array(memory.buffer, 0, layout.SHARDS_AT / 4);
  const epoch = Atomics.load(words, layout.CONTROL_EPOCH / 4);
  Atomics.store(words, (layout.EPOCHS_AT + shard * layout.EPOCH_STRIDE) / 4, (epoch + ABSENT_AHEAD) >>> 0);
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
