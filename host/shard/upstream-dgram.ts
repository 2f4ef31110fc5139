// A connected UDP socket to an upstream over node:dgram, for systems where koffi does not load.

import { createSocket, type Socket } from 'node:dgram';
import { errorText } from '../net/errno.ts';
import { hostPort } from '../net/socket-address.ts';
import type { UdpUpstream, UpstreamAddress, UpstreamListener } from '../plugin/contract.ts';
import type { ReplyRoom } from './upstream-tcp.ts';

const HEAD_BYTES = 4;
/** Messages that may wait for the socket to be connected: it takes one turn of the event loop. */
const WAITING_MAX = 1024;

export class DgramUpstream implements UdpUpstream {
  readonly #socket: Socket;
  readonly #listener: UpstreamListener;
  readonly #room: ReplyRoom;
  /** undefined once connected. */
  #waiting: Buffer[] | undefined = [];
  #localAddress = '';
  #isClosed: boolean = false;

  constructor(remote: UpstreamAddress, listener: UpstreamListener, room: ReplyRoom) {
    this.#listener = listener;
    this.#room = room;
    this.#socket = createSocket(remote.address.includes(':') ? 'udp6' : 'udp4');
    this.#socket.on('message', (message) => this.#read(message));
    this.#socket.on('error', (error) => this.#fail(errorText(error)));
    this.#socket.on('connect', () => this.#opened());
    if (remote.source !== undefined) this.#socket.bind({ address: remote.source, port: 0 });
    this.#socket.connect(remote.port, remote.address);
  }

  get localAddress(): string {
    return this.#localAddress;
  }

  send(offset: number, bytes: number, id: number, flags: number): boolean {
    return this.sendOctets(this.#room.octets().subarray(offset, offset + bytes), id, flags);
  }

  sendOctets(octets: Uint8Array, id: number, flags: number): boolean {
    if (this.#isClosed) return false;
    const message = Buffer.allocUnsafe(octets.length);
    message.writeUInt16BE(id, 0);
    message.writeUInt16BE(flags, 2);
    message.set(octets.subarray(HEAD_BYTES), HEAD_BYTES);
    if (this.#waiting === undefined) this.#write(message);
    else if (this.#waiting.length >= WAITING_MAX) return false;
    else this.#waiting.push(message);
    return true;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }

  #opened(): void {
    if (this.#isClosed) return;
    const { address, port } = this.#socket.address();
    this.#localAddress = hostPort(address, port);
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const message of waiting) this.#write(message);
  }

  #write(message: Buffer): void {
    this.#socket.send(message, (error) => {
      if (error !== null) this.#fail(errorText(error));
    });
  }

  #read(message: Buffer): void {
    if (this.#isClosed) return;
    this.#room.octets().set(message, this.#room.offset);
    this.#listener.onMessage(this.#room.offset, message.length);
  }

  #fail(text: string): void {
    if (!this.#isClosed) this.#listener.onError(text);
  }
}
