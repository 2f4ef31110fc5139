// UDP with one system call for up to 64 messages.
//
// A wildcard socket must answer from the address that was asked, or the client drops the reply: the kernel tells the
// destination in a control message (IPV6_PKTINFO or IP_PKTINFO), and the same control message, put on the reply, sets
// its source. On a dual-stack socket IPv4 queries carry the mapped address in IPV6_PKTINFO, and Linux takes it back in
// that form (ipv6(7)).
//
//   IPV6_PKTINFO  0 u64 length 36 · 8 i32 41 · 12 i32 50 · 16 address 16 · 32 u32 interface         = 40 with padding
//   IP_PKTINFO    0 u64 length 28 · 8 i32 0  · 12 i32 8  · 16 u32 interface · 20 source 4 · 24 dst  = 32 with padding

import {
  BATCH,
  CONTROL_MESSAGE_STRIDE,
  RECEIVE_CONTROLS,
  SEND_HEADERS,
  SEND_IOVECS,
} from '../../engine-as/shared/layout.ts';
import { EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EBADF, EFAULT, EINVAL, ENOTSOCK, SocketError } from './errno.ts';
import { Gatherer, WAIT_MICROS } from './gatherer.ts';
import { NativePointer } from './native-pointer.ts';
import { ReplyJoiner } from './reply-joiner.ts';
import { ReplyQueue } from './reply-queue.ts';
import { isJoining, learnJoining, stopsJoining } from './segments.ts';
import { AF_INET, AF_INET6 } from './socket-address.ts';
import {
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_RECVPKTINFO,
  IPV6_V6ONLY,
  type NativeSockets,
  SO_RCVBUF,
  SO_REUSEPORT,
  SO_SNDBUF,
  SOL_SOCKET,
  type Watch,
} from './sockets.ts';
import { type BatchViews, isWildcard, ListenError, type QueuedReply, type UdpTransport } from './transport.ts';

/** Asked for; the kernel gives at most net.core.rmem_max and wmem_max. */
const SOCKET_BUFFER_BYTES = 4 << 20;
const IPV6_CONTROL_BYTES = 40;
const IPV4_CONTROL_BYTES = 32;
/** How long, and how often, one batch may wait for room in the socket's send buffer before its rest is dropped. */
const SEND_WAIT_MS = 5;
const SEND_WAITS_MAX = 4;
/** Errors of earlier sends that a read may report before it reads. */
const REPORTED_ERRORS_MAX = 8;

export interface UdpAddress {
  readonly address: string;
  readonly port: number;
}

/** Opens and binds; throws ListenError. @param useIpv6 false: as on a machine without IPv6. */
export function openUdpBatch(
  sockets: NativeSockets,
  views: BatchViews,
  { address, port }: UdpAddress,
  useIpv6 = true,
): UdpTransport {
  try {
    if (!isWildcard(address)) {
      const family = address.includes(':') ? AF_INET6 : AF_INET;
      return new UdpBatch(sockets, views, address, bound(sockets, family, address, port, false), 0);
    }
    if (useIpv6) {
      try {
        return new UdpBatch(sockets, views, address, bound(sockets, AF_INET6, '::', port, true), IPV6_CONTROL_BYTES);
      } catch (error) {
        if (!isIpv6Missing(error)) throw error;
      }
    }
    return new UdpBatch(sockets, views, address, bound(sockets, AF_INET, '0.0.0.0', port, true), IPV4_CONTROL_BYTES);
  } catch (error) {
    throw new ListenError('udp', address, port, error);
  }
}

class UdpBatch implements UdpTransport {
  readonly address: string;
  readonly port: number;
  readonly controlBytes: number;
  unsentCount = 0;
  readonly #sockets: NativeSockets;
  readonly #views: BatchViews;
  /** -1 once closed. */
  #fd: number;
  readonly #gatherer = new Gatherer();
  readonly #joiner: ReplyJoiner;
  #replies: { readonly queue: ReplyQueue; readonly joiner: ReplyJoiner } | undefined;
  /** The first header that must be sent reply by reply; -1 = none. */
  #partedAt = -1;
  #watch: Watch | undefined;

  constructor(sockets: NativeSockets, views: BatchViews, address: string, fd: number, controlBytes: number) {
    this.#sockets = sockets;
    this.#views = views;
    this.#fd = fd;
    this.address = address;
    this.port = sockets.localAddress(fd).port;
    learnJoining(sockets, fd);
    this.#joiner = new ReplyJoiner(sockets, {
      words: views.words,
      headers: (views.area + SEND_HEADERS) >>> 2,
      iovecs: (views.area + SEND_IOVECS) >>> 2,
      memory: views.words,
      memoryAt: new NativePointer(sockets, views.memory),
    });
    this.controlBytes = controlBytes;
  }

  watch(onReadable: () => void): void {
    this.#watch = this.#sockets.watchReadable(this.#fd, onReadable);
  }

  unwatch(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }

  receive(): number {
    // Closed within its own callback: there may be rounds left
    if (this.#fd < 0) return 0;
    if (this.#gatherer.isDue) this.#sockets.pause(WAIT_MICROS);
    for (let i = 0; i < REPORTED_ERRORS_MAX; i++) {
      const count = this.#sockets.recvmmsg(this.#fd, this.#views.receiveHeaders, BATCH);
      this.#gatherer.note(Math.max(count, 0), performance.now());
      if (count >= 0) {
        if (this.controlBytes !== 0) forgetInterfaces(this.#views, this.controlBytes, count);
        return count;
      }
      if (count === -EAGAIN) return 0;
      if (isUnusable(-count)) throw new SocketError('recvmmsg', -count);
    }
    return 0;
  }

  send(count: number): void {
    this.#sendReplies(this.#views.sendHeaders, count, this.#joiner);
  }

  queue(reply: QueuedReply): void {
    this.#replies ??= this.#createReplies();
    const { queue } = this.#replies;
    if (!queue.hasRoom(reply)) this.flush();
    queue.push(reply);
  }

  flush(): void {
    if (this.#replies === undefined || this.#replies.queue.count === 0) return;
    const { queue, joiner } = this.#replies;
    if (this.#fd >= 0) this.#sendReplies(queue.headers, queue.count, joiner);
    queue.clear();
  }

  close(): void {
    if (this.#fd < 0) return;
    this.flush();
    this.unwatch();
    this.#sockets.close(this.#fd);
    this.#fd = -1;
  }

  #createReplies(): { queue: ReplyQueue; joiner: ReplyJoiner } {
    const queue = new ReplyQueue(this.#sockets, this.#views.memory);
    return { queue, joiner: new ReplyJoiner(this.#sockets, queue.arrays) };
  }

  #sendReplies(headers: readonly Uint8Array[], count: number, joiner: ReplyJoiner): void {
    const joined = count > 1 && isJoining() ? joiner.join(count) : 0;
    if (joined === 0) {
      this.#sendAll(headers, count);
      return;
    }
    this.#sendAll(joiner.headers, joined, joiner);
    const partedAt = this.#partedAt;
    if (partedAt < 0) return;
    this.#partedAt = -1;
    for (let i = 0; i < count; i++) if (joiner.groupOf(i) >= partedAt) this.#sendAll(headers, i + 1, undefined, i);
  }

  /**
   * Sends headers `first` to count - 1 and counts what the kernel does not take. Ends early, with `#partedAt`, at a joined
   * datagram whose route cannot cut it up.
   */
  #sendAll(headers: readonly Uint8Array[], count: number, joiner?: ReplyJoiner, first = 0): void {
    let sent = first;
    let waits = 0;
    while (sent < count) {
      const result = this.#sockets.sendmmsg(this.#fd, headers[sent]!, count - sent);
      if (result > 0) {
        sent += result;
      } else if (result !== -EAGAIN) {
        if (isUnusable(-result)) throw new SocketError('sendmmsg', -result);
        const replies = joiner?.size(sent) ?? 1;
        if (replies > 1 && stopsJoining(-result)) {
          this.#partedAt = sent;
          return;
        }
        // The first message cannot be sent (no route, a firewall, an address that is gone), or an earlier one's error
        // is reported here: this one is lost, the others go on
        this.unsentCount += replies;
        sent++;
      } else if (waits++ === SEND_WAITS_MAX || !this.#sockets.waitWritable(this.#fd, SEND_WAIT_MS)) {
        for (; sent < count; sent++) this.unsentCount += joiner?.size(sent) ?? 1;
      }
    }
  }
}

/**
 * Clears the interface that a query came in by: the reply takes the route's interface, which may be another one.
 * Link-local sources keep it, they mean nothing without.
 */
function forgetInterfaces(views: BatchViews, controlBytes: number, count: number): void {
  const { memory, words } = views;
  let at = views.area + RECEIVE_CONTROLS;
  for (let i = 0; i < count; i++, at += CONTROL_MESSAGE_STRIDE) {
    if (controlBytes === IPV4_CONTROL_BYTES) words[(at + 16) >>> 2] = 0;
    else if (memory[at + 16] !== 0xfe || (memory[at + 17]! & 0xc0) !== 0x80) words[(at + 32) >>> 2] = 0;
  }
}

function bound(sockets: NativeSockets, family: number, address: string, port: number, isWild: boolean): number {
  const fd = sockets.openDatagram(family);
  try {
    // With it, the kernel may choose an ephemeral port that another such socket of ours has
    if (port !== 0) sockets.setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    sockets.setOption(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER_BYTES);
    sockets.setOption(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES);
    if (family === AF_INET6) sockets.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, isWild ? 0 : 1);
    if (isWild && family === AF_INET6) sockets.setOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    if (isWild && family === AF_INET) sockets.setOption(fd, IPPROTO_IP, IP_PKTINFO, 1);
    sockets.bind(fd, family, address, port);
    if (port === 0) sockets.setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    return fd;
  } catch (error) {
    sockets.close(fd);
    throw error;
  }
}

function isIpv6Missing(error: unknown): boolean {
  return error instanceof SocketError && [EAFNOSUPPORT, EADDRNOTAVAIL, EINVAL].includes(error.errno);
}

/** Errors that will not go away: a bug, so the shard ends and is started anew. */
function isUnusable(errno: number): boolean {
  return errno === EBADF || errno === ENOTSOCK || errno === EFAULT;
}
