// Small questions and answers as octets, for tests with real sockets.

import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { connect } from 'node:net';
import { composeMessage, type Message, parseMessage } from '../../host/dns/message.ts';
import { composeName } from '../../host/dns/name.ts';

export interface Asked {
  readonly type?: number;
  readonly id?: number;
  readonly payloadBytes?: number;
}

export function question(name: string, { type = 1, id = randomInt(65536), payloadBytes }: Asked = {}): Uint8Array {
  return composeMessage({
    id,
    flags: 0x0100,
    questions: [{ name, type, class: 1, wire: composeName(name) }],
    answer: [],
    authority: [],
    additional: [],
    edns:
      payloadBytes === undefined ? undefined : { payloadBytes, extendedRcode: 0, version: 0, flags: 0, options: [] },
  });
}

export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(message.length + 2);
  frame.writeUInt16BE(message.length);
  frame.set(message, 2);
  return frame;
}

export interface UdpReply {
  readonly message: Message;
  readonly from: string;
}

/** A UDP client whose replies wait in the order of their arrival. */
export class UdpClient {
  readonly socket: Socket;
  readonly #replies: UdpReply[] = [];
  readonly #waiting: ((reply: UdpReply) => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('message', (octets, remote) => {
      const reply = { message: parseMessage(new Uint8Array(octets)), from: remote.address };
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#replies.push(reply);
      else waiting(reply);
    });
  }

  static async bind(address = '127.0.0.1'): Promise<UdpClient> {
    const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 4 << 20 });
    await new Promise<void>((resolve) => {
      socket.bind(0, address, resolve);
    });
    // A test that fails before it closes its clients must end all the same
    socket.unref();
    return new UdpClient(socket);
  }

  send(message: Uint8Array, port: number, address: string): void {
    this.socket.send(message, port, address);
  }

  /** Rejects when nothing comes. */
  next(withinMs = 10_000): Promise<UdpReply> {
    const ready = this.#replies.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        reject(new Error(`no UDP reply within ${withinMs} ms`));
      }, withinMs);
      const take = (reply: UdpReply): void => {
        clearTimeout(timer);
        resolve(reply);
      };
      this.#waiting.push(take);
    });
  }

  async ask(message: Uint8Array, port: number, address = '127.0.0.1'): Promise<UdpReply> {
    this.send(message, port, address);
    return this.next();
  }

  close(): void {
    this.socket.close();
  }
}

/** A TCP client that collects whole messages. */
export class TcpClient {
  readonly socket: ReturnType<typeof connect>;
  readonly messages: Message[] = [];
  /** Sizes of the chunks the replies came in. */
  readonly chunks: number[] = [];
  readonly closed: Promise<void>;
  #octets: Buffer = Buffer.alloc(0);
  #onMessage: (() => void) | undefined;

  private constructor(socket: ReturnType<typeof connect>) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.once('close', () => resolve());
    });
  }

  static connect(port: number, host = '127.0.0.1', allowHalfOpen = false): Promise<TcpClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host, noDelay: true, allowHalfOpen });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        socket.unref();
        resolve(new TcpClient(socket));
      });
    });
  }

  write(octets: Uint8Array): void {
    this.socket.write(octets);
  }

  /** Resolves when so many messages have come. */
  async received(count: number, withinMs = 10_000): Promise<readonly Message[]> {
    const end = performance.now() + withinMs;
    while (this.messages.length < count) {
      if (performance.now() > end) throw new Error(`${this.messages.length} of ${count} replies within ${withinMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50);
        this.#onMessage = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.messages;
  }

  close(): void {
    this.socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.chunks.push(chunk.length);
    this.#octets = this.#octets.length === 0 ? chunk : Buffer.concat([this.#octets, chunk]);
    while (this.#octets.length >= 2 && this.#octets.length >= 2 + this.#octets.readUInt16BE(0)) {
      const end = 2 + this.#octets.readUInt16BE(0);
      this.messages.push(parseMessage(new Uint8Array(this.#octets.subarray(2, end))));
      this.#octets = this.#octets.subarray(end);
    }
    this.#onMessage?.();
  }
}
