/** Messages of a set, put into the receive slots batch by batch, as recvmmsg() does. */
import {
  BATCH,
  MMSGHDR_CONTROLLEN,
  MMSGHDR_LEN,
  MMSGHDR_NAMELEN,
  MMSGHDR_STRIDE,
  RECEIVE_HEADERS,
  RECEIVE_NAMES,
  RECEIVE_SLOTS,
  RECEIVE_STRIDE,
  SHARD_SEND_COUNT,
  SOCKADDR_STRIDE,
} from '../../engine-as/shared/layout.ts';
import type { Question } from '../load/questions.ts';

/** Questions packed one behind the other, each from a word of its own on; may cross to a worker. */
export interface Packed {
  readonly words: Uint32Array;
  /** Index of the first word of each, and of the word behind the last. */
  readonly starts: Uint32Array;
  readonly bytes: Uint16Array;
}

/** @param shuffle the order, by a generator of its own: the same for each run */
export function pack(questions: readonly Question[], shuffle = true): Packed {
  const order = questions.slice();
  let state = 1;
  for (let i = order.length - 1; shuffle && i > 0; i--) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (i + 1));
    [order[i], order[other]] = [order[other]!, order[i]!];
  }
  const starts = new Uint32Array(order.length + 1);
  order.forEach(({ message }, i) => {
    starts[i + 1] = starts[i]! + ((message.length + 3) >> 2);
  });
  const words = new Uint32Array(starts[order.length]!);
  const octets = new Uint8Array(words.buffer);
  order.forEach(({ message }, i) => {
    octets.set(message, starts[i]! * 4);
  });
  return { words, starts, bytes: Uint16Array.from(order, ({ message }) => message.length) };
}

export class Slots {
  readonly #words: Uint32Array;
  readonly #area: number;

  constructor(memory: WebAssembly.Memory, area: number) {
    this.#words = new Uint32Array(memory.buffer);
    this.#area = area;
    for (let slot = 0; slot < BATCH; slot++) {
      const name = (area + RECEIVE_NAMES + slot * SOCKADDR_STRIDE) >> 2;
      this.#words.set([0x67_12_00_02, 0x01_00_00_7f], name); // 127.0.0.1:4711, AF_INET
    }
  }

  /** Puts the next BATCH messages from `first` on into the slots; returns where the following batch begins. */
  fill({ words, starts, bytes }: Packed, first: number): number {
    const memory = this.#words;
    const count = bytes.length;
    let index = first;
    for (let slot = 0; slot < BATCH; slot++) {
      let to = (this.#area + RECEIVE_SLOTS + slot * RECEIVE_STRIDE) >> 2;
      const end = starts[index + 1]!;
      for (let from = starts[index]!; from < end; from++) memory[to++] = words[from]!;
      const header = (this.#area + RECEIVE_HEADERS + slot * MMSGHDR_STRIDE) >> 2;
      memory[header + (MMSGHDR_LEN >> 2)] = bytes[index]!;
      memory[header + (MMSGHDR_NAMELEN >> 2)] = 16;
      memory[header + (MMSGHDR_CONTROLLEN >> 2)] = 0;
      index = index + 1 === count ? 0 : index + 1;
    }
    return index;
  }

  get sends(): number {
    return this.#words[(this.#area + SHARD_SEND_COUNT) >> 2]!;
  }
}
