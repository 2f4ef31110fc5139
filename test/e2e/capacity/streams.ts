// TCP clients by the thousand.

import { connect, type Socket } from 'node:net';
import { forEach } from '../support/api-client.ts';
import { frame } from '../support/dns-client.ts';
import { composeQuery } from '../support/query.ts';

const CONNECTING_MAX = 256;

/** Connections that this process has opened, and what has become of them. */
export class Crowd {
  readonly sockets: Socket[] = [];
  /** Ended or reset by the server, or never opened. */
  closed = 0;
  receivedBytes = 0;

  /** Opens `count` more; each writes `octets`, if any, and reads unless it is told not to. */
  async open(port: number, count: number, octets?: Uint8Array, isReading = true): Promise<void> {
    await forEach(Array.from({ length: count }), CONNECTING_MAX, () => this.#open(port, octets, isReading));
  }

  get openCount(): number {
    return this.sockets.length - this.closed;
  }

  /** Each that does not read by itself reads so much. */
  read(bytes: number): void {
    for (const socket of this.sockets) this.receivedBytes += (socket.read(bytes) as Buffer | null)?.length ?? 0;
  }

  end(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  #open(port: number, octets: Uint8Array | undefined, isReading: boolean): Promise<void> {
    return new Promise((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' });
      this.sockets.push(socket);
      if (isReading) socket.on('data', (chunk: Buffer) => this.#count(chunk));
      socket.on('error', () => {});
      socket.once('connect', () => {
        if (octets !== undefined) socket.write(octets);
        resolve();
      });
      // The other side has ended: a socket that is not read would not tell
      socket.once('end', () => socket.destroy());
      socket.once('close', () => {
        this.closed++;
        resolve();
      });
    });
  }

  #count(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
  }
}

/** `count` queries for A of a name, with ids from 0 on, as they follow each other in a stream. */
export function pipeline(name: string, count: number): Uint8Array {
  const queries = Array.from({ length: count }, (_, id) => frame(composeQuery({ id: id & 0xffff, name, type: 1 })));
  return Buffer.concat(queries);
}
