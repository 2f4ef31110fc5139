// max_concurrent: how many queries of a stanza may wait for an upstream at once, in the whole process.
//
// Every shard counts in a word of its own and adds up all of them: a shard that dies takes its count with it, because
// its successor begins at zero. One word for all would keep the dead shard's queries for ever. The words outlive a
// reload, so queries that the previous configuration still has under way count as well.

export interface LimitOptions {
  readonly words: Int32Array;
  /** Index of each shard's word; empty without a limit. */
  readonly indices: readonly number[];
  readonly shard: number;
  /** 0 = no limit. */
  readonly max: number;
}

/** Words that this thread has counted in: at first use, what a dead predecessor left is wiped. */
const USED_WORDS = new Set<number>();

export class ConcurrencyLimit {
  readonly #words: Int32Array;
  readonly #indices: readonly number[];
  readonly #own: number;
  readonly #max: number;

  /** @param used tests: the words that this thread has counted in. */
  constructor({ words, indices, shard, max }: LimitOptions, used: Set<number> = USED_WORDS) {
    this.#words = words;
    this.#indices = indices;
    this.#own = indices[shard] ?? -1;
    this.#max = this.#own < 0 ? 0 : max;
    if (this.#max === 0 || used.has(this.#own)) return;
    used.add(this.#own);
    Atomics.store(words, this.#own, 0);
  }

  /** Takes a place; false: there is none, and leave() must not be called. */
  enter(): boolean {
    if (this.#max === 0) return true;
    Atomics.add(this.#words, this.#own, 1);
    let running = 0;
    for (let i = 0; i < this.#indices.length; i++) running += Atomics.load(this.#words, this.#indices[i]!);
    if (running <= this.#max) return true;
    this.leave();
    return false;
  }

  leave(): void {
    if (this.#max !== 0) Atomics.sub(this.#words, this.#own, 1);
  }
}
