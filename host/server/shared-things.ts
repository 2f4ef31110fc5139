// What configurations share and what they own of the shared memory: things that outlive a reload, words, caches.

import { CONTROL_WORD_COUNT, CONTROL_WORDS } from '../../engine-as/shared/layout.ts';
import { MemoryExhausted } from '../engine/records.ts';
import type { CacheCapacity, CacheHandle, Shared, Stoppable } from '../plugin/contract.ts';
import type { DataPlane } from './data-plane.ts';

interface Entry {
  readonly value: Stoppable;
  users: number;
}

/** Things by key, each stopped with its last user. */
export class SharedThings {
  readonly #entries = new Map<string, Entry>();

  use<T extends Stoppable>(key: string, make: () => T): Shared<T> {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { value: make(), users: 0 };
      this.#entries.set(key, entry);
    }
    entry.users++;
    let isReleased = false;
    const used = entry;
    return {
      value: used.value as T,
      release: async () => {
        if (isReleased) return;
        isReleased = true;
        used.users--;
        if (used.users > 0) return;
        this.#entries.delete(key);
        await used.value.stop();
      },
    };
  }
}

/** Process-wide 32-bit words by key; a word is never given to another key. */
export class SharedWords {
  readonly words: Int32Array;
  readonly #indices = new Map<string, number>();

  constructor(memory: WebAssembly.Memory) {
    this.words = new Int32Array(memory.buffer, CONTROL_WORDS, CONTROL_WORD_COUNT);
  }

  claim(key: string): number {
    const known = this.#indices.get(key);
    if (known !== undefined) return known;
    const index = this.#indices.size;
    if (index >= CONTROL_WORD_COUNT) throw new RangeError(`all ${CONTROL_WORD_COUNT} shared words are in use`);
    this.#indices.set(key, index);
    return index;
  }
}

/** A new cache in shared memory: like CoreDNS's, it begins empty with each configuration. */
export function createCache({ engine }: Pick<DataPlane, 'engine'>, capacity: CacheCapacity): CacheHandle {
  const address = engine.cacheCreate(capacity.success, capacity.denial) >>> 0;
  if (address === 0) throw new MemoryExhausted();
  let isReleased = false;
  return {
    address,
    entries: (server) => {
      if (!engine.cacheIsOffered(address, server)) return undefined;
      return [engine.cacheEntries(address, 0), engine.cacheEntries(address, 1)];
    },
    release: () => {
      if (!isReleased) engine.cacheRelease(address);
      isReleased = true;
    },
  };
}
