// Random 16-bit numbers for message ids (RFC 5452 §4.3), drawn from the system's generator in blocks.

import { randomFillSync } from 'node:crypto';

const BLOCK = 4096;

export class RandomIds {
  readonly #block = new Uint16Array(BLOCK);
  #left = 0;

  /** 0..65535 */
  next(): number {
    if (this.#left === 0) {
      randomFillSync(this.#block);
      this.#left = BLOCK;
    }
    return this.#block[--this.#left]!;
  }

  /** 0..count - 1; `count` is small, so the remainder's bias does not matter. */
  below(count: number): number {
    return this.next() % count;
  }
}
