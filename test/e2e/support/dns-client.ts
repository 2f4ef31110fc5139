// Raw DNS clients: octets out, octets in, nothing interpreted but the id that ties a reply to its query.

import { createSocket, type Socket } from 'node:dgram';
import { connect, type Socket as Stream } from 'node:net';

/** What became of one query: the reply's octets, or undefined when none came in time. */
export type Reply = Uint8Array | undefined;

export interface DnsClient {
  /** Resolves with the reply, or with undefined after `timeoutMs`. Rejects only when the transport is broken. */
  exchange(message: Uint8Array, timeoutMs: number): Promise<Reply>;
  /** Replies that belong to no waiting query: a second reply, or one that came too late. */
  readonly strays: Uint8Array[];
  close(): void;
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly timer: NodeJS.Timeout;
}

/** One connected UDP socket. Queries in flight at the same time must differ in their ids. */
export class UdpClient implements DnsClient {
  readonly strays: Uint8Array[] = [];
  readonly localPort: Promise<number>;
  private readonly socket: Socket;
  private readonly waiting = new Map<number, Waiting>();

  constructor(port: number, address = '127.0.0.1') {
    this.socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 });
    const ready = Promise.withResolvers<number>();
    this.localPort = ready.promise;
    this.socket.connect(port, address, () => ready.resolve(this.socket.address().port));
    this.socket.on('message', (octets) => this.receive(octets));
    // ECONNREFUSED of a server that is not there: the query simply gets no reply.
    this.socket.on('error', () => {});
  }

  async exchange(message: Uint8Array, timeoutMs: number): Promise<Reply> {
    await this.localPort;
    const id = message.length < 2 ? -1 : (message[0]! << 8) | message[1]!;
    if (this.waiting.has(id)) throw new Error(`id ${id} is in flight already`);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        resolve(undefined);
      }, timeoutMs);
      this.waiting.set(id, { resolve, timer });
      this.socket.send(message, () => {});
    });
  }

  close(): void {
    for (const { resolve, timer } of this.waiting.values()) {
      clearTimeout(timer);
      resolve(undefined);
    }
    this.waiting.clear();
    this.socket.close();
  }

  private receive(octets: Uint8Array): void {
    const id = octets.length < 2 ? -1 : (octets[0]! << 8) | octets[1]!;
    const waiting = this.waiting.get(id);
    if (waiting === undefined) {
      this.strays.push(octets);
      return;
    }
    this.waiting.delete(id);
    clearTimeout(waiting.timer);
    waiting.resolve(octets);
  }
}

/** One TCP connection at a time, opened on demand and again after the server closed it. One query in flight. */
export class TcpClient implements DnsClient {
  readonly strays: Uint8Array[] = [];
  private readonly port: number;
  private readonly address: string;
  private stream: TcpStream | undefined;

  constructor(port: number, address = '127.0.0.1') {
    this.port = port;
    this.address = address;
  }

  get localPort(): Promise<number> {
    return Promise.resolve(this.stream?.localPort ?? 0);
  }

  async exchange(message: Uint8Array, timeoutMs: number): Promise<Reply> {
    if (this.stream === undefined || this.stream.isClosed) {
      this.stream = await openStream(this.port, this.address);
    }
    this.strays.push(...this.stream.frames.splice(0));
    this.stream.write(frame(message));
    const reply = await this.stream.nextFrame(timeoutMs);
    if (reply !== undefined && message.length >= 2 && (reply[0] !== message[0] || reply[1] !== message[1])) {
      this.strays.push(reply);
      return undefined;
    }
    return reply;
  }

  close(): void {
    this.stream?.destroy();
  }
}

/** The two-octet length of RFC 1035 §4.2.2 before the message. */
export function frame(message: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(message.length >> 8, message.length & 0xff), message]);
}

/** A raw TCP connection that cuts what it receives into frames. */
export class TcpStream {
  readonly frames: Uint8Array[] = [];
  isClosed: boolean = false;
  /** Resolves when the peer ended or reset the connection. */
  readonly closed: Promise<void>;
  private readonly socket: Stream;
  private rest: Buffer = Buffer.alloc(0);
  private wake: (() => void) | undefined;

  constructor(socket: Stream) {
    this.socket = socket;
    socket.setNoDelay(true);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    const end = () => {
      this.isClosed = true;
      resolve();
      this.wake?.();
    };
    socket.on('data', (octets: Buffer) => this.receive(octets));
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', end);
  }

  get localPort(): number {
    return this.socket.localPort ?? 0;
  }

  write(octets: Uint8Array): void {
    this.socket.write(octets);
  }

  /** The next whole frame, or undefined after `timeoutMs` or when the connection has ended. */
  async nextFrame(timeoutMs: number): Promise<Reply> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const next = this.frames.shift();
      if (next !== undefined) return next;
      const leftMs = deadline - Date.now();
      if (this.isClosed || leftMs <= 0) return undefined;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Ends with RST instead of FIN. */
  reset(): void {
    this.socket.resetAndDestroy();
  }
  destroy(): void {
    this.socket.destroy();
  }

  private receive(octets: Buffer): void {
    this.rest = Buffer.concat([this.rest, octets]);
    while (this.rest.length >= 2) {
      const end = 2 + this.rest.readUInt16BE(0);
      if (this.rest.length < end) break;
      this.frames.push(this.rest.subarray(2, end));
      this.rest = this.rest.subarray(end);
    }
    this.wake?.();
  }
}

export async function openStream(port: number, address = '127.0.0.1'): Promise<TcpStream> {
  const socket = connect(port, address);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return new TcpStream(socket);
}
