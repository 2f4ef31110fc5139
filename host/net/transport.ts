// What a shard's UDP loop needs from a socket. Two makes: udp-batch (recvmmsg and sendmmsg, 64 messages a call) and
// udp-dgram (node:dgram, where koffi does not load). Both fill and read the arrays of the shard's area:
//
//   receive()  RECEIVE_HEADERS[i] ─► RECEIVE_NAMES[i], RECEIVE_CONTROLS[i], RECEIVE_SLOTS[i]     i < the count returned
//   send(n)    SEND_HEADERS[i] ─► whatever name, control message and octets they point at        i < n
//
// The engine's prepareShard() has laid the arrays out before a transport sees them.

import { BATCH, MMSGHDR_STRIDE, RECEIVE_HEADERS, SEND_HEADERS } from '../../engine-as/shared/layout.ts';
import { errorText } from './errno.ts';
import { hostPort } from './socket-address.ts';

export interface UdpTransport {
  /** As configured: an IP address, or empty for all addresses of the machine. */
  readonly address: string;
  /** The port in use: the kernel's choice where 0 was asked for. */
  readonly port: number;
  /** Octets of the control message that tells where a query was sent to, 0 = the socket has one address only. */
  readonly controlBytes: number;
  /** Replies that the kernel did not take. Read and reset by the owner. */
  unsentCount: number;
  /** Begins to call back when there is something to receive. */
  watch(onReadable: () => void): void;
  /** Reads no more, but still sends. */
  unwatch(): void;
  /** Reads at most BATCH messages that are there (a busy socket may gather them for some 60 us); 0 = none. Throws SocketError. */
  receive(): number;
  /** Sends the first `count` send headers; what cannot be sent is dropped and counted, as UDP may. */
  send(count: number): void;
  /** Copies one reply into the queue; the queue leaves with flush(), or earlier when it is full. */
  queue(reply: QueuedReply): void;
  flush(): void;
  close(): void;
}

/** Where a reply and its addressing stand in shared memory. The caller reuses the object. */
export interface QueuedReply {
  messageAt: number;
  bytes: number;
  sockaddrAt: number;
  sockaddrBytes: number;
  controlAt: number;
  controlBytes: number;
}

/** Views of one shard's area, made once. */
export interface BatchViews {
  readonly area: number;
  /** The whole shared memory, for copies without new views. */
  readonly memory: Buffer;
  readonly words: Uint32Array;
  readonly receiveHeaders: Uint8Array;
  /** `sendHeaders[i]` begins at header i, so that the rest of a batch can be sent without a new view. */
  readonly sendHeaders: readonly Uint8Array[];
}

/** @param buffer the shared memory as it is now; growth does not move it. */
export function batchViews(buffer: SharedArrayBuffer, area: number): BatchViews {
  const sendHeaders: Uint8Array[] = [];
  for (let i = 0; i < BATCH; i++) {
    const bytes = (BATCH - i) * MMSGHDR_STRIDE;
    sendHeaders.push(new Uint8Array(buffer, area + SEND_HEADERS + i * MMSGHDR_STRIDE, bytes));
  }
  return {
    area,
    memory: Buffer.from(buffer),
    words: new Uint32Array(buffer),
    receiveHeaders: new Uint8Array(buffer, area + RECEIVE_HEADERS, BATCH * MMSGHDR_STRIDE),
    sendHeaders,
  };
}

/** An address that cannot be listened on, in Go's words: `Listen: listen tcp :53: bind: address already in use`. */
export class ListenError extends Error {
  override name = 'ListenError';

  constructor(protocol: 'tcp' | 'udp', address: string, port: number, cause: unknown) {
    const what = protocol === 'tcp' ? 'Listen' : 'ListenPacket';
    const text = errorText(cause);
    // Node tells the errno only; what fails there is the bind
    const reason = /^[a-z_0-9]+: /.test(text) ? text : `bind: ${text}`;
    super(`${what}: listen ${protocol} ${hostPort(address, port)}: ${reason}`, { cause });
  }
}

/** All addresses of the machine: nothing, or the unspecified address of either family (as Go listens). */
export function isWildcard(address: string): boolean {
  return address === '' || address === '0.0.0.0' || address === '::';
}
