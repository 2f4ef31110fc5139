// Messages on their way to an upstream: up to BATCH of them leave with one sendmmsg(). A message of shared memory is
// not copied: id and header word come from the queue, everything behind them from where the query was saved.
//
//   header i ─► iovecs 2i, 2i + 1 ─► head i (id, flags)  +  octets 4.. of the saved message, or of a staging slot
//
// Not in shared memory: only this thread and the kernel read it.

import { BATCH, IOVEC_STRIDE, MMSGHDR_IOV, MMSGHDR_IOVLEN, MMSGHDR_STRIDE } from '../../engine-as/shared/layout.ts';
import { EAGAIN } from '../net/errno.ts';
import type { NativeSockets } from '../net/sockets.ts';

const HEAD_BYTES = 4;
/** Composed messages in one queue (health probes, questions of the slow face). */
const STAGED_MAX = 16;
const STAGED_BYTES = 768;
/** How long the socket may keep a batch waiting before the rest of it is lost. */
const WAIT_MS = 5;
const HIGH = 2 ** 32;

export class UpstreamQueue {
  count = 0;
  readonly #sockets: NativeSockets;
  /** `#headers[i]` begins at header i. */
  readonly #headers: readonly Uint8Array[];
  readonly #iovecs = new Uint32Array((BATCH * 2 * IOVEC_STRIDE) / 4);
  readonly #heads = new Uint8Array(BATCH * HEAD_BYTES);
  readonly #staging = new Uint8Array(STAGED_MAX * STAGED_BYTES);
  readonly #memoryLow: number;
  readonly #memoryHigh: number;
  readonly #stagingLow: number;
  readonly #stagingHigh: number;
  #staged = 0;

  /** @param memoryAddress of the shared memory in this process. */
  constructor(sockets: NativeSockets, memoryAddress: bigint) {
    this.#sockets = sockets;
    this.#memoryLow = Number(memoryAddress & 0xffffffffn);
    this.#memoryHigh = Number(memoryAddress >> 32n);
    const staging = sockets.addressOf(this.#staging);
    this.#stagingLow = Number(staging & 0xffffffffn);
    this.#stagingHigh = Number(staging >> 32n);
    const headers = new Uint8Array(BATCH * MMSGHDR_STRIDE);
    this.#headers = Array.from({ length: BATCH }, (_, i) => headers.subarray(i * MMSGHDR_STRIDE));
    const view = new DataView(headers.buffer);
    const iovecs = new DataView(this.#iovecs.buffer);
    const iovecsAddress = sockets.addressOf(new Uint8Array(this.#iovecs.buffer));
    const headsAddress = sockets.addressOf(this.#heads);
    for (let i = 0; i < BATCH; i++) {
      const pair = i * 2 * IOVEC_STRIDE;
      view.setBigUint64(i * MMSGHDR_STRIDE + MMSGHDR_IOV, iovecsAddress + BigInt(pair), true);
      view.setBigUint64(i * MMSGHDR_STRIDE + MMSGHDR_IOVLEN, 2n, true);
      iovecs.setBigUint64(pair, headsAddress + BigInt(i * HEAD_BYTES), true);
      iovecs.setBigUint64(pair + 8, BigInt(HEAD_BYTES), true);
    }
  }

  get isFull(): boolean {
    return this.count === BATCH || this.#staged === STAGED_MAX;
  }

  /** The message stays where it is until sendTo(). The caller has looked at isFull. */
  push(offset: number, bytes: number, id: number, flags: number): void {
    this.#point(this.#memoryLow, this.#memoryHigh, offset + HEAD_BYTES, bytes - HEAD_BYTES);
    this.#enter(id, flags);
  }

  /** Copies the message; false: it is too long. */
  pushOctets(octets: Uint8Array, id: number, flags: number): boolean {
    if (octets.length > STAGED_BYTES) return false;
    const at = this.#staged++ * STAGED_BYTES;
    this.#staging.set(octets, at);
    this.#point(this.#stagingLow, this.#stagingHigh, at + HEAD_BYTES, octets.length - HEAD_BYTES);
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
    let sent = 0;
    let waits = 0;
    // Bounds: each round sends a message, waits (once), or ends.
    while (sent < count) {
      const result = this.#sockets.sendmmsg(fd, this.#headers[sent]!, count - sent);
      if (result > 0) sent += result;
      else if (result !== -EAGAIN) return -result;
      // The rest is lost, as on any network: the queries' own timeouts see to it
      else if (waits++ > 0 || !this.#sockets.waitWritable(fd, WAIT_MS)) return 0;
    }
    return 0;
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

  /** Second iovec of the next header: a 64-bit pointer written as two words, without a BigInt. */
  #point(baseLow: number, baseHigh: number, at: number, bytes: number): void {
    const iovec = (this.count * 2 + 1) * (IOVEC_STRIDE / 4);
    const low = baseLow + at;
    this.#iovecs[iovec] = low % HIGH;
    this.#iovecs[iovec + 1] = baseHigh + (low >= HIGH ? 1 : 0);
    this.#iovecs[iovec + 2] = bytes;
  }
}
