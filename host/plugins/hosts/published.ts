// What a record store holds of a hosts directive, kept level with the newest tables at the cost of what changed.

import { setImmediate } from 'node:timers/promises';
import { spelledKey } from '../../dns/name.ts';
import type { RecordSet, RecordStore } from '../../plugin/contract.ts';
import { addressSets, nameFlags, nameSets, type Owners, reverseKey } from './owners.ts';

/** Changes made at a stretch: a large file must not keep the main thread from its other work. */
const STRETCH = 2000;

export class PublishedHosts {
  readonly #store: RecordStore;
  #owners: Owners = { names: new Map(), reverse: new Map() };
  #isReleased: boolean = false;

  constructor(store: RecordStore) {
    this.#store = store;
  }

  get address(): number {
    return this.#store.address;
  }

  /** One call at a time. Ends early when the store is released. */
  async replace(owners: Owners): Promise<void> {
    const before = this.#owners;
    this.#owners = owners;
    await this.#level(before.names, owners.names, spelledKey, addressSets, () => 0);
    await this.#level(before.reverse, owners.reverse, reverseKey, nameSets, nameFlags);
  }

  release(): void {
    this.#isReleased = true;
    this.#store.release();
  }

  async #level(
    before: ReadonlyMap<string, string>,
    now: ReadonlyMap<string, string>,
    keyOf: (text: string) => Uint8Array | undefined,
    setsOf: (value: string) => RecordSet[],
    flagsOf: (value: string) => number,
  ): Promise<void> {
    let changes = 0;
    for (const [text, value] of now) {
      if (before.get(text) === value) continue;
      const key = keyOf(text);
      if (key === undefined) continue;
      if (this.#isReleased) return;
      this.#store.put(key, setsOf(value), flagsOf(value));
      if (++changes % STRETCH === 0) await setImmediate();
    }
    for (const text of before.keys()) {
      if (now.has(text)) continue;
      const key = keyOf(text);
      if (key === undefined) continue;
      if (this.#isReleased) return;
      this.#store.remove(key);
      if (++changes % STRETCH === 0) await setImmediate();
    }
  }
}
