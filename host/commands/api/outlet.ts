// A response body written no faster than it is read: little of a list of any size is ever in memory.

import type { ServerResponse } from 'node:http';

const CHUNK_BYTES = 64 * 1024;

export class Outlet {
  readonly #response: ServerResponse;
  #pieces: (string | Uint8Array)[] = [];
  #size = 0;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** The client is gone. */
  get isClosed(): boolean {
    return this.#response.destroyed;
  }

  add(piece: string | Uint8Array): void {
    this.#pieces.push(piece);
    this.#size += piece.length;
  }

  /** Enough has been added to be worth a system call. */
  get isFull(): boolean {
    return this.#size >= CHUNK_BYTES;
  }

  /** Resolves when the client has room for more, or is gone. */
  async flush(): Promise<void> {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#size = 0;
    const response = this.#response;
    if (pieces.length === 0 || response.destroyed || response.write(joined(pieces))) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    response.once('drain', resolve).once('close', resolve);
    await promise;
    response.off('drain', resolve).off('close', resolve);
  }
}

/** A body is all text or all octets. */
function joined(pieces: readonly (string | Uint8Array)[]): string | Buffer {
  if (typeof pieces[0] === 'string') return pieces.join('');
  return Buffer.concat(pieces as readonly Uint8Array[]);
}
