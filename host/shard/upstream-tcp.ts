// One TCP connection to an upstream (RFC 7766): messages with a length in front, over node:net.

import { createConnection, type Socket } from 'node:net';
import { errorText } from '../net/errno.ts';
import { hostPort } from '../net/socket-address.ts';
import type { TcpUpstream, UpstreamAddress, UpstreamListener } from '../plugin/contract.ts';

const LENGTH_BYTES = 2;
const HEAD_BYTES = 4;

/** Where replies are put for the listener: room for 65535 octets of shared memory. */
export interface ReplyRoom {
  readonly offset: number;
  /** The shared memory, as long as it is now. */
  octets(): Uint8Array;
}

export class TcpConnection implements TcpUpstream {
  readonly #socket: Socket;
  readonly #listener: UpstreamListener;
  readonly #room: ReplyRoom;
  readonly #dialTimer: NodeJS.Timeout;
  #localAddress = '';
  #rest: Buffer | undefined;
  #isClosed: boolean = false;

  /** @param timeoutMs of connecting; then onError('i/o timeout'). */
  constructor(remote: UpstreamAddress, timeoutMs: number, listener: UpstreamListener, room: ReplyRoom) {
    this.#listener = listener;
    this.#room = room;
    const { address: host, port, source } = remote;
    this.#socket = createConnection({
      host,
      port,
      noDelay: true,
      ...(source !== undefined && { localAddress: source }),
    });
    this.#dialTimer = setTimeout(() => this.#fail('i/o timeout'), timeoutMs);
    this.#socket.on('connect', () => this.#opened());
    this.#socket.on('data', (chunk) => this.#read(chunk as Buffer));
    this.#socket.on('error', (error) => this.#fail(this.#textOf(error)));
    this.#socket.on('end', () => this.#ended());
    this.#socket.on('close', () => this.#ended());
  }

  get localAddress(): string {
    return this.#localAddress;
  }

  send(offset: number, bytes: number, id: number, flags: number): void {
    this.sendOctets(this.#room.octets().subarray(offset, offset + bytes), id, flags);
  }

  /** Copies the message. False: the connection is closed. */
  sendOctets(octets: Uint8Array, id: number, flags: number): boolean {
    if (this.#isClosed) return false;
    const framed = Buffer.allocUnsafe(LENGTH_BYTES + octets.length);
    framed.writeUInt16BE(octets.length, 0);
    framed.writeUInt16BE(id, 2);
    framed.writeUInt16BE(flags, 4);
    framed.set(octets.subarray(HEAD_BYTES), LENGTH_BYTES + HEAD_BYTES);
    this.#socket.write(framed);
    return true;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#dialTimer);
    this.#socket.destroy();
  }

  #opened(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#dialTimer);
    this.#localAddress = hostPort(this.#socket.localAddress ?? '', this.#socket.localPort ?? 0);
    this.#listener.onOpen?.();
  }

  #read(chunk: Buffer): void {
    const received = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    // Bounds: each round takes a whole message; what is left is shorter than one.
    while (!this.#isClosed && received.length - at >= LENGTH_BYTES) {
      const bytes = received.readUInt16BE(at);
      const end = at + LENGTH_BYTES + bytes;
      if (end > received.length) break;
      this.#room.octets().set(received.subarray(at + LENGTH_BYTES, end), this.#room.offset);
      at = end;
      this.#listener.onMessage(this.#room.offset, bytes);
    }
    this.#rest = at === received.length ? undefined : received.subarray(at);
  }

  /** While connecting with the call that has failed: `connect: connection refused`. */
  #textOf(error: NodeJS.ErrnoException): string {
    return this.#localAddress === '' ? `${error.syscall ?? 'connect'}: ${errorText(error)}` : errorText(error);
  }

  #fail(text: string): void {
    if (this.#isClosed) return;
    this.close();
    this.#listener.onError(text);
  }

  #ended(): void {
    if (this.#isClosed) return;
    this.close();
    const held = this.#rest?.length ?? 0;
    this.#listener.onClose?.(held !== 0 && held !== LENGTH_BYTES);
  }
}
