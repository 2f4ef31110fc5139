// One upstream's state for all shards, in one shared word: how many probes have failed since the last answered one, and
// which shard probes. So there is one prober in the whole process, and all shards skip an upstream alike.
//
//   31        24 23                    0
//   │ shard + 1 │ failed probes        │     shard + 1 = 0: nobody probes

const FAILS_MASK = 0xffffff;
const PROBER_SHIFT = 24;

/** Words that this thread has used: at first use, what a dead predecessor left is taken back. */
const USED_WORDS = new Set<number>();

export class UpstreamState {
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #prober: number;

  /**
   * @param index of the word; negative: there is none to share, the shard keeps one for itself.
   * @param used tests: the words that this thread has used.
   */
  constructor(words: Int32Array, index: number, shard: number, used: Set<number> = USED_WORDS) {
    this.#words = index < 0 ? new Int32Array(1) : words;
    this.#index = Math.max(index, 0);
    this.#prober = shard + 1;
    if (index < 0 || used.has(index)) return;
    used.add(index);
    this.yield();
  }

  /** Failed probes since the last answered one. */
  get fails(): number {
    return Atomics.load(this.#words, this.#index) & FAILS_MASK;
  }

  /**
   * More failed probes than these, and somebody goes on probing: what a prober that is gone has left behind (its shard
   * died, its configuration was replaced) would keep the upstream down for ever.
   */
  isDown(failsMax: number): boolean {
    const seen = Atomics.load(this.#words, this.#index);
    return seen >>> PROBER_SHIFT !== 0 && (seen & FAILS_MASK) > failsMax;
  }

  /** This shard becomes the prober; false: another one is, or it is already. */
  claim(): boolean {
    const seen = Atomics.load(this.#words, this.#index);
    if (seen >>> PROBER_SHIFT !== 0) return false;
    const claimed = seen | (this.#prober << PROBER_SHIFT);
    return Atomics.compareExchange(this.#words, this.#index, seen, claimed) === seen;
  }

  failed(): void {
    if (this.fails < FAILS_MASK) Atomics.add(this.#words, this.#index, 1);
  }

  /** The upstream has answered: nothing is wrong with it, and nobody probes any more. */
  answered(): void {
    Atomics.store(this.#words, this.#index, 0);
  }

  /** If this shard is the prober, it is no more. */
  yield(): void {
    const seen = Atomics.load(this.#words, this.#index);
    // A failed exchange means that somebody else has changed the word, which only a prober or its successor does
    if (seen >>> PROBER_SHIFT === this.#prober) {
      Atomics.compareExchange(this.#words, this.#index, seen, seen & FAILS_MASK);
    }
  }
}
