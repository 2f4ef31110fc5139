// Which entries of the exchange table are in use. Ended ones are taken again first, the last one before all others, so
// that memory is touched only as far as queries ever waited at the same time; and after a storm it is given back.
//
//   1 ... fresh - 1            in use, or chained in `next`          fresh ... capacity    untouched, or given back

import type { ExchangeHandle } from '../plugin/contract.ts';

/** Entries that are never given back: 2 MB, and what a busy hour needs. */
const KEPT = 2048;
const FIRST = 1024;
/** At each look at most half of the entries are given back: a storm that comes and goes finds most of its room. */
const LOOK_MS = 1000;

export class ExchangeEntries {
  readonly #capacity: number;
  #next = new Uint16Array(FIRST);
  #free = 0;
  #fresh = 1;
  #lookedMs = 0;

  /** @param capacity at most 65535 */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** 0: all are in use. */
  claim(): ExchangeHandle {
    const handle = this.#free;
    if (handle !== 0) {
      this.#free = this.#next[handle]!;
      return handle;
    }
    if (this.#fresh > this.#capacity) return 0;
    if (this.#fresh >= this.#next.length) this.#grow();
    return this.#fresh++;
  }

  giveBack(handle: ExchangeHandle): void {
    this.#next[handle] = this.#free;
    this.#free = handle;
  }

  /**
   * Forgets entries at the end when far fewer are in use; now and then.
   * @returns the entries forgotten: from `first` up to the one before `end`. Nothing in them is needed any more.
   */
  shrink(
    nowMs: number,
    openCount: number,
    isOpen: (handle: ExchangeHandle) => boolean,
  ): { readonly first: ExchangeHandle; readonly end: ExchangeHandle } | undefined {
    if (this.#fresh - 1 <= KEPT || openCount * 4 > this.#fresh || nowMs - this.#lookedMs < LOOK_MS) return undefined;
    this.#lookedMs = nowMs;
    const end = this.#fresh;
    const least = Math.max(KEPT + 1, end >>> 1);
    let first = end;
    while (first > least && !isOpen(first - 1)) first--;
    this.#fresh = first;
    // Lowest first, so that the others end and are not taken again
    this.#free = 0;
    for (let handle = first - 1; handle > 0; handle--) if (!isOpen(handle)) this.giveBack(handle);
    return first < end ? { first, end } : undefined;
  }

  #grow(): void {
    const grown = new Uint16Array(this.#next.length * 2);
    grown.set(this.#next);
    this.#next = grown;
  }
}
