// Room for messages that do not fit into the entry of their exchange: a few blocks of 64 KiB.

import type { ExchangeHandle } from '../plugin/contract.ts';

export class LargeMessages {
  readonly #firstAt: number;
  readonly #blockBytes: number;
  readonly #free: number[] = [];
  readonly #addresses = new Map<ExchangeHandle, number>();

  constructor(firstAt: number, blocks: number, blockBytes: number) {
    this.#firstAt = firstAt;
    this.#blockBytes = blockBytes;
    for (let i = blocks - 1; i >= 0; i--) this.#free.push(i);
  }

  get hasFree(): boolean {
    return this.#free.length > 0;
  }

  /** Where the exchange's message lies, if it is a large one. */
  addressOf(handle: ExchangeHandle): number | undefined {
    return this.#addresses.size === 0 ? undefined : this.#addresses.get(handle);
  }

  /** Gives the exchange a block, unless it has one; false: none is left. */
  take(handle: ExchangeHandle): boolean {
    if (this.#addresses.has(handle)) return true;
    const block = this.#free.pop();
    if (block === undefined) return false;
    this.#addresses.set(handle, this.#firstAt + block * this.#blockBytes);
    return true;
  }

  giveBack(handle: ExchangeHandle): void {
    const address = this.addressOf(handle);
    if (address === undefined) return;
    this.#addresses.delete(handle);
    this.#free.push((address - this.#firstAt) / this.#blockBytes);
  }
}
