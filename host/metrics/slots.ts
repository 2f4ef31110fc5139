// Counter slots in shared memory: one set of f64 words for each shard and one for the main thread. Every set has one
// writer, its own thread; whoever scrapes adds the sets up, so counting costs one plain add.

import { REASON_COUNT } from '../../engine-as/shared/codes.ts';
import { SHARD_SLOW_REASONS, SLOT_COUNT, SLOTS } from '../../engine-as/shared/layout.ts';

/** Sum of one slot over all sets. */
export type SlotReader = (slot: number) => number;

export interface SlotWriter {
  /** A slot outside of the set (SLOT_NONE) is not counted. */
  add(slot: number, amount: number): void;
  /** Observes a value in a histogram whose first slot and bounds Metrics.histogram() returned. */
  observe(slot: number, bounds: readonly number[], value: number): void;
}

/**
 * @param areas addresses of all areas that hold counters
 */
export function slotReader(memory: WebAssembly.Memory, areas: readonly number[]): SlotReader {
  const sets = areas.map((area) => slotsOf(memory, area));
  return (slot) => sets.reduce((sum, set) => sum + (set[slot] ?? 0), 0);
}

/** The calling thread's own set, in its area. */
export function slotWriter(memory: WebAssembly.Memory, area: number): SlotWriter {
  return writerOver(slotsOf(memory, area));
}

/** Writer over any set of slots. */
export function writerOver(slots: Float64Array): SlotWriter {
  const add = (slot: number, amount: number) => {
    if (slot < slots.length) slots[slot]! += amount;
  };
  return {
    add,
    observe: (slot, bounds, value) => {
      let bucket = 0;
      while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
      add(slot + bucket, 1);
      add(slot + bounds.length + 1, value);
    },
  };
}

/** Sums of the words at SHARD_SLOW_REASONS: messages that left the fast face, by REASON_ number. */
export function slowReasonReader(memory: WebAssembly.Memory, areas: readonly number[]): (reason: number) => number {
  const words = areas.map((area) => new Uint32Array(memory.buffer, area + SHARD_SLOW_REASONS, REASON_COUNT));
  return (reason) => words.reduce((sum, set) => sum + (set[reason] ?? 0), 0);
}

/** A view stays good when the memory grows: areas lie below everything that moves. */
function slotsOf(memory: WebAssembly.Memory, area: number): Float64Array {
  return new Float64Array(memory.buffer, area + SLOTS, SLOT_COUNT);
}
