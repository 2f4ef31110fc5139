// The shard's sockets towards upstreams. UDP: connected sockets that all read into the same UPSTREAM_SLOTS, 64 messages
// a call, and send what a turn of the event loop has brought with one call each. TCP: node:net.
//
//   recvmmsg() ─► UPSTREAM_HEADERS (headers, then iovecs) ─► UPSTREAM_SLOTS[i] ─► listener.onMessage(slot, bytes)
//
// What does not fit into its slot goes on behind it in ordinary memory, which only such a message ever touches, and is
// put together in UPSTREAM_LARGE.
//
// Before anything is read, everything queued is sent: what a reply ends (an exchange, whose message the queue points
// at) has left by then.

import {
  BATCH,
  IOVEC_STRIDE,
  MMSGHDR_IOV,
  MMSGHDR_IOVLEN,
  MMSGHDR_LEN,
  MMSGHDR_STRIDE,
  UPSTREAM_BYTES,
  UPSTREAM_HEADERS,
  UPSTREAM_LARGE,
  UPSTREAM_SLOTS,
  UPSTREAM_STRIDE,
} from '../../engine-as/shared/layout.ts';
import { holdTurn } from '../clock.ts';
import { EAGAIN, errnoText } from '../net/errno.ts';
import { NativePointer } from '../net/native-pointer.ts';
import { learnJoining } from '../net/segments.ts';
import { AF_INET, AF_INET6, hostPort } from '../net/socket-address.ts';
import { type NativeSockets, SO_RCVBUF, SO_SNDBUF, SOL_SOCKET, type Watch } from '../net/sockets.ts';
import type { TcpUpstream, UdpUpstream, UpstreamAddress, UpstreamListener, Upstreams } from '../plugin/contract.ts';
import type { ShardArea } from './area.ts';
import type { UpstreamParts } from './shard.ts';
import { DgramUpstream } from './upstream-dgram.ts';
import { UpstreamQueue } from './upstream-queue.ts';
import { type ReplyRoom, TcpConnection } from './upstream-tcp.ts';

/** Asked for; the kernel gives at most net.core.rmem_max and wmem_max. */
const SOCKET_BUFFER_BYTES = 4 << 20;
/** The part of a datagram that lies behind its slot. */
const OVERFLOW_BYTES = 65536 - UPSTREAM_BYTES;
/** Batches of one wake-up; the poll comes back for the rest. */
const ROUNDS_MAX = 8;
/** Errors of earlier sends that one wake-up may report. */
const ERRORS_MAX = 8;

export class UpstreamSockets implements Upstreams {
  readonly #native: NativeIo | undefined;
  readonly #room: ReplyRoom;

  /** @param parts.sockets undefined: no native sockets here, UDP goes over node:dgram. */
  constructor({ area, sockets }: UpstreamParts) {
    this.#room = { offset: area.at + UPSTREAM_SLOTS, octets: () => area.octets };
    this.#native = sockets && new NativeIo(sockets, area);
  }

  /** Throws SocketError or RangeError when the address cannot be used. */
  connectUdp(remote: UpstreamAddress, listener: UpstreamListener): UdpUpstream & MessageSender {
    return this.#native === undefined
      ? new DgramUpstream(remote, listener, this.#room)
      : new NativeUdp(this.#native, remote, listener);
  }

  connectTcp(remote: UpstreamAddress, timeoutMs: number, listener: UpstreamListener): TcpUpstream & MessageSender {
    return new TcpConnection(remote, timeoutMs, listener, this.#room);
  }
}

/** Sends a message that is not in shared memory. */
export interface MessageSender {
  /** Copies the message and sends it with another id and header word. False: not sent. */
  sendOctets(octets: Uint8Array, id: number, flags: number): boolean;
}

/** What all native UDP sockets of the shard share. */
class NativeIo {
  readonly sockets: NativeSockets;
  readonly headers: Uint8Array;
  readonly slotsAt: number;
  readonly #area: ShardArea;
  readonly #lengths: Uint32Array;
  readonly #overflow = new Uint8Array(BATCH * OVERFLOW_BYTES);
  readonly #memoryAt: NativePointer;
  readonly #spareQueues: UpstreamQueue[] = [];
  #dirty: NativeUdp[] = [];
  #flushing: NativeUdp[] = [];
  #isScheduled: boolean = false;

  constructor(sockets: NativeSockets, area: ShardArea) {
    const { at, octets } = area;
    this.#area = area;
    this.sockets = sockets;
    this.slotsAt = at + UPSTREAM_SLOTS;
    this.#memoryAt = new NativePointer(sockets, octets);
    const { words } = area;
    const headersAt = at + UPSTREAM_HEADERS;
    const iovecsAt = headersAt + BATCH * MMSGHDR_STRIDE;
    this.headers = octets.subarray(headersAt, iovecsAt);
    this.#lengths = new Uint32Array(area.words.buffer, headersAt, (BATCH * MMSGHDR_STRIDE) / 4);
    const view = new DataView(area.words.buffer);
    const overflow = sockets.addressOf(this.#overflow);
    for (let i = 0; i < BATCH; i++) {
      const header = headersAt + i * MMSGHDR_STRIDE;
      const iovec = iovecsAt + 2 * i * IOVEC_STRIDE;
      const slot = this.slotsAt + i * UPSTREAM_STRIDE;
      octets.fill(0, header, header + MMSGHDR_STRIDE);
      this.#memoryAt.write(words, (header + MMSGHDR_IOV) >>> 2, iovec);
      view.setBigUint64(header + MMSGHDR_IOVLEN, 2n, true);
      this.#memoryAt.write(words, iovec >>> 2, slot);
      view.setBigUint64(iovec + 8, BigInt(UPSTREAM_BYTES), true);
      view.setBigUint64(iovec + IOVEC_STRIDE, overflow + BigInt(i * OVERFLOW_BYTES), true);
      view.setBigUint64(iovec + IOVEC_STRIDE + 8, BigInt(OVERFLOW_BYTES), true);
    }
  }

  /** Address of message `index`, whole. */
  place(index: number, bytes: number): number {
    const slot = this.slotsAt + index * UPSTREAM_STRIDE;
    if (bytes <= UPSTREAM_BYTES) return slot;
    const { at, octets } = this.#area;
    const rest = index * OVERFLOW_BYTES;
    octets.copyWithin(at + UPSTREAM_LARGE, slot, slot + UPSTREAM_BYTES);
    octets.set(this.#overflow.subarray(rest, rest + bytes - UPSTREAM_BYTES), at + UPSTREAM_LARGE + UPSTREAM_BYTES);
    return at + UPSTREAM_LARGE;
  }

  /** Octets of message `index`. */
  length(index: number): number {
    return this.#lengths[(index * MMSGHDR_STRIDE + MMSGHDR_LEN) >>> 2]!;
  }

  claimQueue(socket: NativeUdp): UpstreamQueue {
    this.#dirty.push(socket);
    this.schedule();
    return this.#spareQueues.pop() ?? new UpstreamQueue(this.sockets, this.#memoryAt);
  }

  /** flush() behind the callback that is running: a batch of queries leaves in one system call. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    process.nextTick(this.flush);
  }

  releaseQueue(queue: UpstreamQueue): void {
    queue.clear();
    this.#spareQueues.push(queue);
  }

  readonly flush = (): void => {
    this.#isScheduled = false;
    const sockets = this.#dirty;
    // An error makes its listener send again, elsewhere: that is the next turn's
    this.#dirty = this.#flushing;
    this.#flushing = sockets;
    for (const socket of sockets) socket.flush();
    sockets.length = 0;
  };
}

class NativeUdp implements UdpUpstream, MessageSender {
  readonly localAddress: string;
  readonly #io: NativeIo;
  readonly #listener: UpstreamListener;
  readonly #watch: Watch;
  /** -1 once closed. */
  #fd: number;
  #queue: UpstreamQueue | undefined;
  /** errno of a batch that left before its turn. */
  #failure = 0;

  constructor(io: NativeIo, remote: UpstreamAddress, listener: UpstreamListener) {
    this.#io = io;
    this.#listener = listener;
    const { sockets } = io;
    const family = remote.address.includes(':') ? AF_INET6 : AF_INET;
    this.#fd = sockets.openDatagram(family);
    learnJoining(sockets, this.#fd);
    try {
      sockets.setOption(this.#fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER_BYTES);
      sockets.setOption(this.#fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES);
      if (remote.source !== undefined) sockets.bind(this.#fd, family, remote.source, 0);
      sockets.connect(this.#fd, family, remote.address, remote.port);
      const { address, port } = sockets.localAddress(this.#fd);
      this.localAddress = hostPort(address, port);
      this.#watch = sockets.watchReadable(this.#fd, () => this.#receive());
    } catch (error) {
      sockets.close(this.#fd);
      throw error;
    }
  }

  send(offset: number, bytes: number, id: number, flags: number): boolean {
    if (this.#fd < 0) return false;
    this.#roomyQueue().push(offset, bytes, id, flags);
    return true;
  }

  sendOctets(octets: Uint8Array, id: number, flags: number): boolean {
    if (this.#fd < 0) return false;
    return this.#roomyQueue().pushOctets(octets, id, flags);
  }

  flush(): void {
    const queue = this.#queue;
    this.#queue = undefined;
    if (queue === undefined) return;
    let failure = this.#failure;
    this.#failure = 0;
    if (this.#fd >= 0 && failure === 0) failure = queue.sendTo(this.#fd);
    this.#io.releaseQueue(queue);
    if (failure !== 0 && this.#fd >= 0) this.#listener.onError(errnoText(failure));
  }

  close(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    this.#watch.close();
    this.#io.sockets.close(fd);
  }

  /** A full queue leaves at once; its error is told at the end of the turn, when the caller is not in send() any more. */
  #roomyQueue(): UpstreamQueue {
    this.#queue ??= this.#io.claimQueue(this);
    if (this.#queue.isFull) {
      const failure = this.#queue.sendTo(this.#fd);
      if (this.#failure === 0) this.#failure = failure;
    }
    return this.#queue;
  }

  #receive(): void {
    const io = this.#io;
    io.flush();
    let errors = 0;
    for (let round = 0; round < ROUNDS_MAX && this.#fd >= 0; round++) {
      const count = io.sockets.recvmmsg(this.#fd, io.headers, BATCH);
      if (count === -EAGAIN) return;
      if (count < 0) {
        // Mostly ECONNREFUSED: an ICMP message about something sent earlier
        if (++errors > ERRORS_MAX) return;
        this.#listener.onError(errnoText(-count));
        continue;
      }
      holdTurn();
      for (let i = 0; i < count && this.#fd >= 0; i++) {
        const bytes = io.length(i);
        this.#listener.onMessage(io.place(i, bytes), bytes);
      }
      if (count < BATCH) return;
    }
  }
}
