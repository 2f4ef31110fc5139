// Descriptors of libc outlive the worker that opened them. Each is entered in a ledger in shared memory, so that the main
// thread can close those of a dead shard: otherwise the kernel goes on giving it its part of the queries.

import type { NativeSockets } from './sockets.ts';

/** Descriptors in use by one thread, for the thread that outlives it. Word = descriptor + 1, 0 = free. */
export type DescriptorLedger = Int32Array;

export function createLedger(descriptors: number): DescriptorLedger {
  return new Int32Array(new SharedArrayBuffer(descriptors * 4));
}

/** The ledger in the hands of the thread that opens and closes: each entry is one store. */
export class LedgerKeeper {
  readonly #ledger: DescriptorLedger;
  /** Free words, the lowest last. */
  readonly #free: number[] = [];
  /** By descriptor. */
  readonly #words: number[] = [];

  constructor(ledger: DescriptorLedger) {
    this.#ledger = ledger;
  }

  /** False: it is full. */
  enter(fd: number): boolean {
    if (this.#free.length === 0) this.#findFree();
    const word = this.#free.pop();
    if (word === undefined) return false;
    this.#words[fd] = word;
    Atomics.store(this.#ledger, word, fd + 1);
    return true;
  }

  /** Closes a descriptor for which there is no room, and throws Error. */
  enterOrClose(fd: number, close: (fd: number) => number): void {
    if (this.enter(fd)) return;
    close(fd);
    throw new Error(`more than ${this.#ledger.length} native sockets in one shard`);
  }

  /** Does nothing for a descriptor that does not stand there any more. */
  leave(fd: number): void {
    const word = this.#words[fd];
    if (word === undefined || Atomics.compareExchange(this.#ledger, word, fd + 1, 0) !== fd + 1) return;
    this.#free.push(word);
  }

  #findFree(): void {
    const ledger = this.#ledger;
    for (let word = ledger.length - 1; word >= 0; word--) if (Atomics.load(ledger, word) === 0) this.#free.push(word);
  }
}

/**
 * Takes the sockets away from a thread that is about to be terminated and can close no watch itself: each descriptor of
 * its ledger becomes one that is never readable. At once, too, the kernel gives its traffic to the other threads.
 */
export function muteLedger(sockets: NativeSockets, ledger: DescriptorLedger): void {
  for (let i = 0; i < ledger.length; i++) {
    const entry = Atomics.load(ledger, i);
    if (entry !== 0) sockets.mute(entry - 1);
  }
}

/** Closes what a dead thread has left open; returns how many there were. Only after its end: numbers are reused. */
export function closeLedger(sockets: NativeSockets, ledger: DescriptorLedger): number {
  let closed = 0;
  for (let i = 0; i < ledger.length; i++) {
    const entry = Atomics.exchange(ledger, i, 0);
    if (entry === 0) continue;
    try {
      sockets.close(entry - 1);
      closed++;
    } catch {
      // Killed between its close() and ours: gone already
    }
  }
  return closed;
}
