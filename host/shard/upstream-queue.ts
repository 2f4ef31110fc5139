// Messages on their way to an upstream: up to BATCH of them leave with one sendmmsg(). A message of shared memory is
// not copied: id and header word come from the queue, everything behind them from where the query was saved.
//
//   header i ─► iovecs 2i, 2i + 1 ─► head i (id, flags)  +  octets 4.. of the saved message, or of a staging slot
//
// Messages of one length are brought together and leave as one datagram that the kernel cuts up (UDP_SEGMENT), which
// spares most of the way through the network stack for all but the first. A route that cannot do it says so, and gets
// them one by one.
//
//   header i ─► iovecs 2i .. 2(i + n) - 1, control message: segments of that length
//
// Not in shared memory: only this thread and the kernel read it.

import {
  BATCH,
  IOVEC_STRIDE,
  MMSGHDR_CONTROL,
  MMSGHDR_CONTROLLEN,
  MMSGHDR_IOV,
  MMSGHDR_IOVLEN,
  MMSGHDR_STRIDE,
} from '../../engine-as/shared/layout.ts';
import { EAGAIN } from '../net/errno.ts';
import { NativePointer } from '../net/native-pointer.ts';
import {
  isJoining,
  JOINED_BYTES_MAX,
  laySegmentControl,
  SEGMENT_BYTES_MAX,
  SEGMENT_CONTROL_BYTES,
  stopsJoining,
} from '../net/segments.ts';
import type { NativeSockets } from '../net/sockets.ts';

const HEAD_BYTES = 4;
/** Composed messages in one queue (health probes, questions of the slow face). */
const STAGED_MAX = 16;
const STAGED_BYTES = 768;
/** How long the socket may keep a batch waiting before the rest of it is lost. */
const WAIT_MS = 5;
/** Fewer messages of one length are not worth a control message. */
const JOINED_MIN = 3;

export class UpstreamQueue {
  count = 0;
  readonly #sockets: NativeSockets;
  /** `#headers[i]` begins at header i. */
  readonly #headers: readonly Uint8Array[];
  readonly #headerWords: Uint32Array;
  /** `#controls[i x SEGMENT_CONTROL_BYTES]`: the control message of header i. */
  readonly #controls = new Uint8Array(BATCH * SEGMENT_CONTROL_BYTES);
  readonly #controlWords = new Uint32Array(this.#controls.buffer);
  readonly #iovecs = new Uint32Array((BATCH * 2 * IOVEC_STRIDE) / 4);
  readonly #heads = new Uint8Array(BATCH * HEAD_BYTES);
  readonly #headWords = new Uint32Array(this.#heads.buffer);
  readonly #staging = new Uint8Array(STAGED_MAX * STAGED_BYTES);
  readonly #memoryAt: NativePointer;
  readonly #stagingAt: NativePointer;
  #staged = 0;

  /** @param memoryAt the shared memory. */
  constructor(sockets: NativeSockets, memoryAt: NativePointer) {
    this.#sockets = sockets;
    this.#memoryAt = memoryAt;
    this.#stagingAt = new NativePointer(sockets, this.#staging);
    const headers = new Uint8Array(BATCH * MMSGHDR_STRIDE);
    this.#headers = Array.from({ length: BATCH }, (_, i) => headers.subarray(i * MMSGHDR_STRIDE));
    this.#headerWords = new Uint32Array(headers.buffer);
    const view = new DataView(headers.buffer);
    const controlsAddress = sockets.addressOf(this.#controls);
    const iovecs = new DataView(this.#iovecs.buffer);
    const iovecsAddress = sockets.addressOf(new Uint8Array(this.#iovecs.buffer));
    const headsAddress = sockets.addressOf(this.#heads);
    for (let i = 0; i < BATCH; i++) {
      const pair = i * 2 * IOVEC_STRIDE;
      view.setBigUint64(i * MMSGHDR_STRIDE + MMSGHDR_IOV, iovecsAddress + BigInt(pair), true);
      view.setBigUint64(i * MMSGHDR_STRIDE + MMSGHDR_IOVLEN, 2n, true);
      view.setBigUint64(
        i * MMSGHDR_STRIDE + MMSGHDR_CONTROL,
        controlsAddress + BigInt(i * SEGMENT_CONTROL_BYTES),
        true,
      );
      iovecs.setBigUint64(pair, headsAddress + BigInt(i * HEAD_BYTES), true);
      iovecs.setBigUint64(pair + 8, BigInt(HEAD_BYTES), true);
    }
  }

  get isFull(): boolean {
    return this.count === BATCH || this.#staged === STAGED_MAX;
  }

  /** The message stays where it is until sendTo(). The caller has looked at isFull. */
  push(offset: number, bytes: number, id: number, flags: number): void {
    this.#point(this.#memoryAt, offset + HEAD_BYTES, bytes - HEAD_BYTES);
    this.#enter(id, flags);
  }

  /** Copies the message; false: it is too long. */
  pushOctets(octets: Uint8Array, id: number, flags: number): boolean {
    if (octets.length > STAGED_BYTES) return false;
    const at = this.#staged++ * STAGED_BYTES;
    this.#staging.set(octets, at);
    this.#point(this.#stagingAt, at + HEAD_BYTES, octets.length - HEAD_BYTES);
    this.#enter(id, flags);
    return true;
  }

  /**
   * Sends everything and empties the queue.
   * @returns 0, or the errno of the message that the socket refused: those behind it were not sent.
   */
  sendTo(fd: number): number {
    const { count } = this;
    this.clear();
    if (isJoining() && count >= JOINED_MIN) this.#gather(count);
    let sent = 0;
    let waits = 0;
    // Bounds: each round sends a message, waits (once), gives up joining (once), or ends.
    while (sent < count) {
      const run = isJoining() ? this.#join(sent, count) : 1;
      const result = this.#sockets.sendmmsg(fd, this.#headers[sent]!, run === 1 ? this.#singles(sent, count) : 1);
      if (run > 1) this.#part(sent);
      if (result > 0) sent += run === 1 ? result : run;
      else if (run > 1 && stopsJoining(-result)) continue;
      else if (result !== -EAGAIN) return -result;
      // The rest is lost, as on any network: the queries' own timeouts see to it
      else if (waits++ > 0 || !this.#sockets.waitWritable(fd, WAIT_MS)) return 0;
    }
    return 0;
  }

  /** Brings messages of one length together: the order of datagrams means nothing. */
  #gather(count: number): void {
    let first = 0;
    // Bounds: each round puts at least one message into its place.
    while (first < count) {
      const bytes = this.#bodyBytes(first);
      let behind = first + 1;
      for (let i = behind; i < count; i++) {
        if (this.#bodyBytes(i) !== bytes) continue;
        if (i !== behind) this.#swap(i, behind);
        behind++;
      }
      first = behind;
    }
  }

  /** Swaps two messages: their heads, and where their bodies lie. */
  #swap(one: number, other: number): void {
    const heads = this.#headWords;
    const head = heads[one]!;
    heads[one] = heads[other]!;
    heads[other] = head;
    const a = (one * 2 + 1) * (IOVEC_STRIDE / 4);
    const b = (other * 2 + 1) * (IOVEC_STRIDE / 4);
    for (let word = 0; word < 3; word++) {
      const held = this.#iovecs[a + word]!;
      this.#iovecs[a + word] = this.#iovecs[b + word]!;
      this.#iovecs[b + word] = held;
    }
  }

  /** Makes header `first` stand for all messages of its length that follow it; returns how many they are. */
  #join(first: number, count: number): number {
    const bytes = this.#bodyBytes(first);
    let behind = first + 1;
    let total = bytes;
    while (behind < count && this.#bodyBytes(behind) === bytes && total + bytes + HEAD_BYTES <= JOINED_BYTES_MAX) {
      total += bytes + HEAD_BYTES;
      behind++;
    }
    const run = behind - first;
    if (run < JOINED_MIN || bytes > SEGMENT_BYTES_MAX) return 1;
    const header = (first * MMSGHDR_STRIDE) >>> 2;
    this.#headerWords[header + (MMSGHDR_IOVLEN >>> 2)] = 2 * run;
    this.#headerWords[header + (MMSGHDR_CONTROLLEN >>> 2)] = SEGMENT_CONTROL_BYTES;
    laySegmentControl(this.#controlWords, first * SEGMENT_CONTROL_BYTES, bytes + HEAD_BYTES);
    return run;
  }

  /** Header `index` stands for its own message again. */
  #part(index: number): void {
    const header = (index * MMSGHDR_STRIDE) >>> 2;
    this.#headerWords[header + (MMSGHDR_IOVLEN >>> 2)] = 2;
    this.#headerWords[header + (MMSGHDR_CONTROLLEN >>> 2)] = 0;
  }

  /** How many messages from `first` on leave one by one: up to the next that can be joined with those behind it. */
  #singles(first: number, count: number): number {
    if (!isJoining()) return count - first;
    let behind = first + 1;
    while (behind < count && !this.#beginsRun(behind, count)) behind++;
    return behind - first;
  }

  #beginsRun(index: number, count: number): boolean {
    if (index + JOINED_MIN > count || this.#bodyBytes(index) > SEGMENT_BYTES_MAX) return false;
    const bytes = this.#bodyBytes(index);
    for (let i = index + 1; i < index + JOINED_MIN; i++) if (this.#bodyBytes(i) !== bytes) return false;
    return true;
  }

  /** Octets of message `index` behind its head. */
  #bodyBytes(index: number): number {
    return this.#iovecs[(index * 2 + 1) * (IOVEC_STRIDE / 4) + 2]!;
  }

  clear(): void {
    this.count = 0;
    this.#staged = 0;
  }

  #enter(id: number, flags: number): void {
    const head = this.count++ * HEAD_BYTES;
    this.#heads[head] = id >> 8;
    this.#heads[head + 1] = id & 0xff;
    this.#heads[head + 2] = flags >> 8;
    this.#heads[head + 3] = flags & 0xff;
  }

  /** Second iovec of the next header. */
  #point(memory: NativePointer, at: number, bytes: number): void {
    const iovec = (this.count * 2 + 1) * (IOVEC_STRIDE / 4);
    memory.write(this.#iovecs, iovec, at);
    this.#iovecs[iovec + 2] = bytes;
  }
}
