// Replies of one batch that go to the same client and have the same length leave as one datagram that the kernel cuts
// up (segments.ts). Their order means nothing. What a batch's send headers point at stays where it is:
//
//   given   headers i ─► iovec i          one for each reply
//   made    header k  ─► iovecs first(k) .. first(k + 1) - 1, control message: the given one, then the segments' length
//
// Not in shared memory: only this thread and the kernel read it.

import {
  BATCH,
  CONTROL_MESSAGE_BYTES,
  IOVEC_STRIDE,
  MMSGHDR_CONTROL,
  MMSGHDR_CONTROLLEN,
  MMSGHDR_IOV,
  MMSGHDR_IOVLEN,
  MMSGHDR_NAME,
  MMSGHDR_NAMELEN,
  MMSGHDR_STRIDE,
} from '../../engine-as/shared/layout.ts';
import { copyWords } from './copy-words.ts';
import { NativePointer } from './native-pointer.ts';
import { JOINED_BYTES_MAX, laySegmentControl, SEGMENT_BYTES_MAX, SEGMENT_CONTROL_BYTES } from './segments.ts';
import type { NativeSockets } from './sockets.ts';

const HEADER_WORDS = MMSGHDR_STRIDE >>> 2;
const NAME = MMSGHDR_NAME >>> 2;
const NAMELEN = MMSGHDR_NAMELEN >>> 2;
const IOV = MMSGHDR_IOV >>> 2;
const IOVLEN = MMSGHDR_IOVLEN >>> 2;
const CONTROL = MMSGHDR_CONTROL >>> 2;
const CONTROLLEN = MMSGHDR_CONTROLLEN >>> 2;
const IOVEC_WORDS = IOVEC_STRIDE >>> 2;
const IOVEC_LEN = 2;
const CONTROL_STRIDE = CONTROL_MESSAGE_BYTES + SEGMENT_CONTROL_BYTES;
/** Places of the table that finds a reply's group: twice as many as there are groups, so that there is always a free one. */
const PLACES = 2 * BATCH;
/** Leaves so many bits of a hash as the number of a place, a power of two, has. */
const PLACE_SHIFT = Math.clz32(PLACES) + 1;
/** What tells addresses apart: family, port and address of a sockaddr_in, everything in a sockaddr_in6. */
const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN_WORDS = 2;

/** Where a batch's send headers and iovecs stand, and what their pointers point into. */
export interface SendArrays {
  /** Holds headers and iovecs; they begin at words `headers` and `iovecs`. */
  readonly words: Uint32Array;
  readonly headers: number;
  readonly iovecs: number;
  /** The memory that names and control messages lie in. */
  readonly memory: Uint32Array;
  readonly memoryAt: NativePointer;
}

export class ReplyJoiner {
  /** `headers[k]` begins at header k. */
  readonly headers: readonly Uint8Array[];
  readonly #from: SendArrays;
  readonly #words = new Uint32Array(BATCH * HEADER_WORDS);
  readonly #iovecs = new Uint32Array(BATCH * IOVEC_WORDS);
  readonly #iovecsAt: NativePointer;
  readonly #controls = new Uint8Array(BATCH * CONTROL_STRIDE);
  readonly #controlWords = new Uint32Array(this.#controls.buffer);
  readonly #controlsAt: NativePointer;
  /** Group + 1 by place; 0 = free. */
  readonly #places = new Uint8Array(PLACES);
  readonly #groupOf = new Uint8Array(BATCH);
  /** The first reply of a group, how many it has, and where the next of its iovecs goes. */
  readonly #firstOf = new Uint8Array(BATCH);
  readonly #sizes = new Uint8Array(BATCH);
  readonly #next = new Uint8Array(BATCH);

  constructor(sockets: NativeSockets, from: SendArrays) {
    this.#from = from;
    const headers = new Uint8Array(this.#words.buffer);
    this.headers = Array.from({ length: BATCH }, (_, k) => headers.subarray(k * MMSGHDR_STRIDE));
    this.#iovecsAt = new NativePointer(sockets, new Uint8Array(this.#iovecs.buffer));
    this.#controlsAt = new NativePointer(sockets, this.#controls);
  }

  /** Makes `headers` of the first `count` replies; returns how many they are, 0 if none of them can be joined. */
  join(count: number): number {
    this.#places.fill(0);
    let groups = 0;
    for (let i = 0; i < count; i++) {
      const group = this.#groupFor(i, groups);
      this.#groupOf[i] = group;
      if (group === groups) {
        this.#firstOf[groups] = i;
        this.#sizes[groups++] = 0;
      }
      this.#sizes[group] = this.#sizes[group]! + 1;
    }
    if (groups === count) return 0;
    this.#layHeaders(groups);
    this.#layIovecs(count);
    return groups;
  }

  /** How many replies header `k` stands for. */
  size(k: number): number {
    return this.#sizes[k]!;
  }

  /** The header that reply `i` leaves with. */
  groupOf(i: number): number {
    return this.#groupOf[i]!;
  }

  /** The group of reply `i`: one of the `groups` there are, or a new one, whose number is `groups`. */
  #groupFor(i: number, groups: number): number {
    const { words, headers, memory, memoryAt } = this.#from;
    const bytes = this.#bytes(i);
    if (bytes > SEGMENT_BYTES_MAX) return groups;
    const header = headers + i * HEADER_WORDS;
    const name = memoryAt.offsetOf(words, header + NAME) >>> 2;
    // Port and address; of an IPv6 address the last word
    const address = words[header + NAMELEN] === SOCKADDR_IN_BYTES ? memory[name + 1]! : memory[name + 5]!;
    const client = memory[name]! ^ Math.imul(address, 0x85ebca6b);
    let place = Math.imul(client ^ bytes, 0x9e3779b1) >>> PLACE_SHIFT;
    // Bounds: fewer groups than places
    for (;;) {
      const group = this.#places[place]! - 1;
      if (group < 0) break;
      if (this.#isAlike(i, this.#firstOf[group]!, name)) {
        if ((this.#sizes[group]! + 1) * bytes <= JOINED_BYTES_MAX) return group;
        break;
      }
      place = (place + 1) % PLACES;
    }
    this.#places[place] = groups + 1;
    return groups;
  }

  /** Whether two replies have one length, client and source address. @param name where the first one's client stands */
  #isAlike(one: number, other: number, name: number): boolean {
    const { words, headers, memory, memoryAt } = this.#from;
    if (this.#bytes(one) !== this.#bytes(other)) return false;
    const a = headers + one * HEADER_WORDS;
    const b = headers + other * HEADER_WORDS;
    const nameBytes = words[a + NAMELEN]!;
    if (nameBytes !== words[b + NAMELEN] || words[a + CONTROLLEN] !== words[b + CONTROLLEN]) return false;
    const nameWords = nameBytes === SOCKADDR_IN_BYTES ? SOCKADDR_IN_WORDS : nameBytes >>> 2;
    if (!isSame(memory, name, memoryAt.offsetOf(words, b + NAME) >>> 2, nameWords)) return false;
    const controlWords = words[a + CONTROLLEN]! >>> 2;
    if (controlWords === 0) return true;
    const control = memoryAt.offsetOf(words, a + CONTROL) >>> 2;
    return isSame(memory, control, memoryAt.offsetOf(words, b + CONTROL) >>> 2, controlWords);
  }

  #layHeaders(groups: number): void {
    const { words, headers } = this.#from;
    let iovec = 0;
    for (let k = 0; k < groups; k++) {
      const given = headers + this.#firstOf[k]! * HEADER_WORDS;
      const made = k * HEADER_WORDS;
      const size = this.#sizes[k]!;
      this.#words[made + NAME] = words[given + NAME]!;
      this.#words[made + NAME + 1] = words[given + NAME + 1]!;
      this.#words[made + NAMELEN] = words[given + NAMELEN]!;
      this.#iovecsAt.write(this.#words, made + IOV, iovec * IOVEC_STRIDE);
      this.#words[made + IOVLEN] = size;
      if (size === 1) {
        this.#words[made + CONTROL] = words[given + CONTROL]!;
        this.#words[made + CONTROL + 1] = words[given + CONTROL + 1]!;
        this.#words[made + CONTROLLEN] = words[given + CONTROLLEN]!;
      } else {
        this.#layControl(k, given);
      }
      this.#next[k] = iovec;
      iovec += size;
    }
  }

  /** Control messages of a header that stands for several replies. */
  #layControl(k: number, given: number): void {
    const { words, memory, memoryAt } = this.#from;
    const at = k * CONTROL_STRIDE;
    const bytes = words[given + CONTROLLEN]!;
    if (bytes !== 0) copyWords(this.#controlWords, at, memory, memoryAt.offsetOf(words, given + CONTROL), bytes);
    laySegmentControl(this.#controlWords, at + bytes, this.#bytes(this.#firstOf[k]!));
    this.#controlsAt.write(this.#words, k * HEADER_WORDS + CONTROL, at);
    this.#words[k * HEADER_WORDS + CONTROLLEN] = bytes + SEGMENT_CONTROL_BYTES;
  }

  #layIovecs(count: number): void {
    const { words, iovecs } = this.#from;
    for (let i = 0; i < count; i++) {
      const given = iovecs + i * IOVEC_WORDS;
      const group = this.#groupOf[i]!;
      const made = this.#next[group]! * IOVEC_WORDS;
      this.#next[group] = this.#next[group]! + 1;
      this.#iovecs[made] = words[given]!;
      this.#iovecs[made + 1] = words[given + 1]!;
      this.#iovecs[made + IOVEC_LEN] = words[given + IOVEC_LEN]!;
    }
  }

  /** Octets of reply `i`. */
  #bytes(i: number): number {
    return this.#from.words[this.#from.iovecs + i * IOVEC_WORDS + IOVEC_LEN]!;
  }
}

function isSame(memory: Uint32Array, one: number, other: number, count: number): boolean {
  for (let i = 0; i < count; i++) if (memory[one + i] !== memory[other + i]) return false;
  return true;
}
