// Ways of asking for the load of suite `rollout`: each knows what it has asked and when.

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, type Socket as TcpSocket } from 'node:net';

export interface Taker {
  /** A reply, from this address, to what was asked at `sentAtMs`. */
  take(reply: Buffer, from: string, sentAtMs: number): void;
  /** The query that was asked at this time will have no reply. */
  lose(sentAtMs: number): void;
}

export interface Lane {
  ask(message: Buffer, id: number): void;
  /** What has no reply by now is lost. */
  close(): void;
}

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** One UDP port. */
export class UdpLane implements Lane {
  readonly #socket: UdpSocket = createSocket('udp4');
  readonly #sentAtMs = new Map<number, number>();
  readonly #to: Place;
  readonly #taker: Taker;

  private constructor(to: Place, taker: Taker) {
    this.#to = to;
    this.#taker = taker;
    this.#socket.on('error', () => {});
    this.#socket.on('message', (reply, from) => {
      const sentAtMs = this.#sentAtMs.get(reply.readUInt16BE(0));
      if (sentAtMs === undefined) return;
      this.#sentAtMs.delete(reply.readUInt16BE(0));
      taker.take(reply, from.address, sentAtMs);
    });
  }

  /** Not connected: the kernel would keep what strays to itself. */
  static open(to: Place, taker: Taker): Promise<UdpLane> {
    const lane = new UdpLane(to, taker);
    return new Promise((resolve) => lane.#socket.bind(() => resolve(lane)));
  }

  ask(message: Buffer, id: number): void {
    this.#sentAtMs.set(id, performance.now());
    this.#socket.send(message, this.#to.port, this.#to.address, () => {});
  }

  close(): void {
    for (const sentAtMs of this.#sentAtMs.values()) this.#taker.lose(sentAtMs);
    this.#sentAtMs.clear();
    this.#socket.close();
  }
}

/** One TCP connection at a time, kept while the server keeps it, with one query under way: the others wait their turn. */
export class TcpLane implements Lane {
  readonly #to: Place;
  readonly #taker: Taker;
  readonly #timeoutMs: number;
  readonly #waiting: { readonly message: Buffer; readonly sentAtMs: number }[] = [];
  #socket: TcpSocket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #asked: { readonly sentAtMs: number; readonly timer: NodeJS.Timeout } | undefined;

  constructor(to: Place, taker: Taker, timeoutMs: number) {
    this.#to = to;
    this.#taker = taker;
    this.#timeoutMs = timeoutMs;
  }

  ask(message: Buffer): void {
    this.#waiting.push({ message, sentAtMs: performance.now() });
    this.#askNext();
  }

  close(): void {
    this.#drop(this.#socket);
    for (const { sentAtMs } of this.#waiting.splice(0)) this.#taker.lose(sentAtMs);
  }

  #askNext(): void {
    if (this.#asked !== undefined) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    const socket = this.#socket ?? this.#open();
    const length = Buffer.from([next.message.length >> 8, next.message.length & 255]);
    const timer = setTimeout(() => this.#drop(socket), this.#timeoutMs);
    this.#asked = { sentAtMs: next.sentAtMs, timer };
    socket.write(Buffer.concat([length, next.message]));
  }

  #open(): TcpSocket {
    const socket = connect({ host: this.#to.address, port: this.#to.port, noDelay: true });
    this.#socket = socket;
    this.#received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => this.#read(socket, chunk));
    socket.on('error', () => {});
    for (const event of ['end', 'close']) socket.on(event, () => this.#drop(socket));
    return socket;
  }

  #read(socket: TcpSocket, chunk: Buffer): void {
    if (socket !== this.#socket || this.#asked === undefined) return;
    this.#received = Buffer.concat([this.#received, chunk]);
    if (this.#received.length < 2 || this.#received.length < 2 + this.#received.readUInt16BE(0)) return;
    const { sentAtMs, timer } = this.#asked;
    clearTimeout(timer);
    this.#asked = undefined;
    this.#taker.take(this.#received.subarray(2), this.#to.address, sentAtMs);
    this.#received = Buffer.alloc(0);
    // Later, so that an end of the connection which came with the reply is seen before it is used again
    setImmediate(() => this.#askNext());
  }

  /** The connection has ended, or took too long: what was asked in it is lost. */
  #drop(socket: TcpSocket | undefined): void {
    socket?.destroy();
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    if (this.#asked === undefined) return;
    const { sentAtMs, timer } = this.#asked;
    clearTimeout(timer);
    this.#asked = undefined;
    this.#taker.lose(sentAtMs);
    this.#askNext();
  }
}
