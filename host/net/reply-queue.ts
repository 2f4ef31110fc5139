// Replies that were made outside a batch (forwarded and slow ones), copied here with their addressing so that their
// exchange is free at once, and sent by one sendmmsg() a turn of the event loop. Not in shared memory: only this
// thread and the kernel read it.
//
//   headers 64 each ─► iovecs 16 each ─► octets: reply, sockaddr 32, control 48, next reply ...

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
  SOCKADDR_STRIDE,
} from '../../engine-as/shared/layout.ts';
import { copyWords, WORDWISE_BYTES_MAX, wordsOf } from './copy-words.ts';
import { NativePointer } from './native-pointer.ts';
import type { SendArrays } from './reply-joiner.ts';
import type { NativeSockets } from './sockets.ts';
import type { QueuedReply } from './transport.ts';

/** Two replies of the largest size, or a batch of ordinary ones. */
const OCTETS = 160 << 10;
/** The iovecs stand behind the headers. */
const IOVECS = BATCH * MMSGHDR_STRIDE;
const ADDRESSING_BYTES = SOCKADDR_STRIDE + CONTROL_MESSAGE_BYTES;

export class ReplyQueue {
  count = 0;
  /** `headers[i]` begins at header i. */
  readonly headers: readonly Uint8Array[];
  readonly #source: Buffer;
  readonly #words: Uint32Array;
  readonly #octets = Buffer.allocUnsafeSlow(OCTETS);
  readonly #sourceWords: Uint32Array;
  readonly #octetWords: Uint32Array;
  readonly #octetsAt: NativePointer;
  #used = 0;

  /** @param source the shared memory that replies are copied from. */
  constructor(sockets: NativeSockets, source: Buffer) {
    this.#source = source;
    this.#sourceWords = wordsOf(source);
    this.#octetWords = wordsOf(this.#octets);
    const headers = new Uint8Array(BATCH * (MMSGHDR_STRIDE + IOVEC_STRIDE));
    this.#words = new Uint32Array(headers.buffer);
    this.#octetsAt = new NativePointer(sockets, this.#octets);
    this.headers = Array.from({ length: BATCH }, (_, i) => headers.subarray(i * MMSGHDR_STRIDE));
    const view = new DataView(headers.buffer);
    const headersAt = new NativePointer(sockets, headers);
    for (let i = 0; i < BATCH; i++) {
      headersAt.write(this.#words, (i * MMSGHDR_STRIDE + MMSGHDR_IOV) >>> 2, IOVECS + i * IOVEC_STRIDE);
      view.setBigUint64(i * MMSGHDR_STRIDE + MMSGHDR_IOVLEN, 1n, true);
    }
  }

  /** For a ReplyJoiner. */
  get arrays(): SendArrays {
    return {
      words: this.#words,
      headers: 0,
      iovecs: IOVECS >>> 2,
      memory: this.#octetWords,
      memoryAt: this.#octetsAt,
    };
  }

  hasRoom(reply: QueuedReply): boolean {
    return this.count < BATCH && this.#used + reply.bytes + ADDRESSING_BYTES + 8 <= OCTETS;
  }

  /** The caller has asked hasRoom() and sent what was there if not; an empty queue has room for any message. */
  push(reply: QueuedReply): void {
    const messageAt = this.#used;
    // Multiples of 8 keep the sockaddr and the control message aligned as the kernel wants them
    const sockaddrAt = (messageAt + reply.bytes + 7) & ~7;
    const controlAt = sockaddrAt + SOCKADDR_STRIDE;
    if ((reply.messageAt & 3) === 0 && reply.bytes <= WORDWISE_BYTES_MAX) {
      this.#copy(messageAt, reply.messageAt, reply.bytes);
    } else {
      this.#source.copy(this.#octets, messageAt, reply.messageAt, reply.messageAt + reply.bytes);
    }
    this.#copy(sockaddrAt, reply.sockaddrAt, reply.sockaddrBytes);
    if (reply.controlBytes !== 0) this.#copy(controlAt, reply.controlAt, reply.controlBytes);
    const header = (this.count * MMSGHDR_STRIDE) >>> 2;
    const iovec = (IOVECS + this.count * IOVEC_STRIDE) >>> 2;
    this.#octetsAt.write(this.#words, header + (MMSGHDR_NAME >>> 2), sockaddrAt);
    this.#words[header + (MMSGHDR_NAMELEN >>> 2)] = reply.sockaddrBytes;
    this.#octetsAt.write(this.#words, header + (MMSGHDR_CONTROL >>> 2), controlAt);
    this.#words[header + (MMSGHDR_CONTROLLEN >>> 2)] = reply.controlBytes;
    this.#octetsAt.write(this.#words, iovec, messageAt);
    this.#words[iovec + 2] = reply.bytes;
    this.#used = controlAt + CONTROL_MESSAGE_BYTES;
    this.count++;
  }

  clear(): void {
    this.count = 0;
    this.#used = 0;
  }

  #copy(to: number, from: number, bytes: number): void {
    copyWords(this.#octetWords, to, this.#sourceWords, from, bytes);
  }
}
