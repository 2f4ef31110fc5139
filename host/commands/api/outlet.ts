// A response body written no faster than it is read: little of a list of any size is ever in memory.

import type { ServerResponse } from 'node:http';

const CHUNK_CHARS = 64 * 1024;

export class Outlet {
  readonly #response: ServerResponse;
  #text = '';

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** The client is gone. */
  get isClosed(): boolean {
    return this.#response.destroyed;
  }

  add(text: string): void {
    this.#text += text;
  }

  /** Enough has been added to be worth a system call. */
  get isFull(): boolean {
    return this.#text.length >= CHUNK_CHARS;
  }

  /** Resolves when the client has room for more, or is gone. */
  async flush(): Promise<void> {
    const text = this.#text;
    this.#text = '';
    const response = this.#response;
    if (text === '' || response.destroyed || response.write(text)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    response.once('drain', resolve).once('close', resolve);
    await promise;
    response.off('drain', resolve).off('close', resolve);
  }
}
