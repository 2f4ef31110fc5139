// 64-bit pointers written as two words, without a BigInt.

import type { NativeSockets } from './sockets.ts';

const HIGH = 2 ** 32;

/** The address of a buffer in this process. */
export class NativePointer {
  readonly low: number;
  readonly high: number;

  constructor(sockets: NativeSockets, octets: Uint8Array) {
    const address = sockets.addressOf(octets);
    this.low = Number(address & 0xffffffffn);
    this.high = Number(address >> 32n);
  }

  /** Writes the address of the buffer's octet `at` to `words[index]` and the word behind it. */
  write(words: Uint32Array, index: number, at: number): void {
    const low = this.low + at;
    words[index] = low < HIGH ? low : low - HIGH;
    words[index + 1] = low < HIGH ? this.high : this.high + 1;
  }

  /** Where the pointer at `words[index]` points, from the buffer's first octet. Buffers have less than 4 GiB. */
  offsetOf(words: Uint32Array, index: number): number {
    return (words[index]! - this.low) >>> 0;
  }
}
