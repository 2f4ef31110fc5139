// UDP through node:dgram: where koffi does not load (another system). The same arrays are filled and read, so that the
// engine and the shard see no difference; what is lost is speed, and the source address of replies on a wildcard
// socket, which the system chooses.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import {
  BATCH,
  MMSGHDR_IOV,
  MMSGHDR_LEN,
  MMSGHDR_NAME,
  MMSGHDR_NAMELEN,
  MMSGHDR_STRIDE,
  RECEIVE_BYTES,
  RECEIVE_HEADERS,
  RECEIVE_NAMES,
  RECEIVE_SLOTS,
  RECEIVE_STRIDE,
  SEND_HEADERS,
  SOCKADDR_STRIDE,
} from '../../engine-as/shared/layout.ts';
import { decodeSocketAddress, encodeSocketAddress } from './socket-address.ts';
import { type BatchViews, isWildcard, ListenError, type QueuedReply, type UdpTransport } from './transport.ts';

/** Messages that wait for the loop to come round; more are dropped, as a full socket buffer would. */
const WAITING_MAX = 8 * BATCH;
const SOCKET_BUFFER_BYTES = 4 << 20;

/** Opens and binds; rejects with ListenError. @param nativeBase the memory's address in the process, 0 = offsets only. */
export async function openUdpDgram(
  views: BatchViews,
  { address, port }: { readonly address: string; readonly port: number },
  nativeBase = 0n,
): Promise<UdpTransport> {
  try {
    const socket = isWildcard(address) ? await bindWildcard(port) : await bind(address, port);
    return new UdpDgram(socket, views, address, nativeBase);
  } catch (error) {
    throw new ListenError('udp', address, port, error);
  }
}

class UdpDgram implements UdpTransport {
  readonly address: string;
  readonly port: number;
  readonly controlBytes = 0;
  unsentCount = 0;
  readonly #socket: Socket;
  readonly #views: BatchViews;
  readonly #baseLow: number;
  readonly #isIpv6: boolean;
  #waiting: { readonly message: Buffer; readonly remote: RemoteInfo }[] = [];
  #wakeUp: NodeJS.Immediate | undefined;
  #isClosed: boolean;

  constructor(socket: Socket, views: BatchViews, address: string, nativeBase: bigint) {
    this.#socket = socket;
    this.#views = views;
    this.#baseLow = Number(nativeBase & 0xffffffffn);
    const local = socket.address();
    this.#isIpv6 = local.family === 'IPv6';
    this.address = address;
    this.port = local.port;
    this.#isClosed = false;
    socket.on('error', () => {
      // An earlier reply could not be delivered
      this.unsentCount++;
    });
  }

  watch(onReadable: () => void): void {
    const wakeUp = (): void => {
      this.#wakeUp = undefined;
      onReadable();
      if (this.#waiting.length > 0) this.#wakeUp ??= setImmediate(wakeUp);
    };
    this.#socket.on('message', (message, remote) => {
      if (this.#waiting.length >= WAITING_MAX) return;
      this.#waiting.push({ message, remote });
      this.#wakeUp ??= setImmediate(wakeUp);
    });
  }

  unwatch(): void {
    clearImmediate(this.#wakeUp);
    this.#wakeUp = undefined;
    this.#socket.removeAllListeners('message');
    this.#waiting = [];
  }

  receive(): number {
    const batch = this.#waiting.splice(0, BATCH);
    const { area, memory, words } = this.#views;
    for (const [i, { message, remote }] of batch.entries()) {
      const header = (area + RECEIVE_HEADERS + i * MMSGHDR_STRIDE) >>> 2;
      words[header + (MMSGHDR_LEN >>> 2)] = message.copy(
        memory,
        area + RECEIVE_SLOTS + i * RECEIVE_STRIDE,
        0,
        Math.min(message.length, RECEIVE_BYTES),
      );
      const nameAt = area + RECEIVE_NAMES + i * SOCKADDR_STRIDE;
      words[header + (MMSGHDR_NAMELEN >>> 2)] = encodeSocketAddress(
        memory,
        nameAt,
        remote.address,
        remote.port,
        this.#isIpv6,
      );
    }
    return batch.length;
  }

  send(count: number): void {
    const { area, words } = this.#views;
    for (let i = 0; i < count; i++) {
      const header = (area + SEND_HEADERS + i * MMSGHDR_STRIDE) >>> 2;
      const iovec = this.#offset(words[header + (MMSGHDR_IOV >>> 2)]!) >>> 2;
      this.#reply(this.#offset(words[iovec]!), words[iovec + 2]!, this.#offset(words[header + (MMSGHDR_NAME >>> 2)]!));
    }
  }

  queue(reply: QueuedReply): void {
    this.#reply(reply.messageAt, reply.bytes, reply.sockaddrAt);
  }

  flush(): void {
    // Nothing is kept back: each reply is a system call of its own
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.unwatch();
    this.#socket.close();
  }

  #reply(messageAt: number, bytes: number, sockaddrAt: number): void {
    if (this.#isClosed) return;
    const { address, port, family } = decodeSocketAddress(this.#views.memory, sockaddrAt);
    // A copy, because the socket may send later than the slot is written again
    const message = Buffer.from(this.#views.memory.subarray(messageAt, messageAt + bytes));
    this.#socket.send(message, port, family === 4 && this.#isIpv6 ? `::ffff:${address}` : address, (error) => {
      if (error !== null) this.unsentCount++;
    });
  }

  /** Offset in shared memory of a native pointer's low half: the memory is smaller than 4 GiB. */
  #offset(pointerLow: number): number {
    return (pointerLow - this.#baseLow) >>> 0;
  }
}

async function bindWildcard(port: number): Promise<Socket> {
  try {
    return await bind('::', port);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL' && code !== 'EINVAL') throw error;
    return bind('0.0.0.0', port);
  }
}

function bind(address: string, port: number): Promise<Socket> {
  const socket = createSocket({
    type: address.includes(':') ? 'udp6' : 'udp4',
    reusePort: hasReusePort(),
    ipv6Only: address.includes(':') && address !== '::',
    recvBufferSize: SOCKET_BUFFER_BYTES,
    sendBufferSize: SOCKET_BUFFER_BYTES,
  });
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port }, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

/** Systems on which libuv takes SO_REUSEPORT; elsewhere only one shard can serve. */
function hasReusePort(): boolean {
  return ['linux', 'freebsd', 'dragonfly', 'aix', 'sunos'].includes(process.platform);
}
