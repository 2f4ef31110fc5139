// When to try again.

export interface Timing {
  /** A stream that is silent for longer is taken for dead. The API server sends a bookmark about once a minute. */
  readonly stallMs: number;
  /** How long the header of a response may take: a loaded API server queues requests for up to a minute. */
  readonly headersMs: number;
  /** Attempts that cost the server next to nothing follow each other like this: what is refused at the door. */
  readonly backoffMs: readonly [min: number, max: number];
  /** The longest wait when lists that had begun break off again and again: each has cost the server a part of one. */
  readonly costlyBackoffMs: number;
  /** A connection that lasted this long was a good one: the next failure starts from the shortest wait. */
  readonly healthyMs: number;
  /** From one comparison of all versions to the next (verifier.ts); 0: there are none. */
  readonly checkMs: number;
  /** What a comparison finds missing may be on its way: it counts if it is still missing after this time. */
  readonly graceMs: number;
  /** 0..1 */
  readonly random: () => number;
}

export const API_TIMING: Timing = {
  stallMs: 90_000,
  headersMs: 75_000,
  backoffMs: [1600, 4000],
  costlyBackoffMs: 30_000,
  healthyMs: 10_000,
  checkMs: 1_800_000,
  graceMs: 2000,
  random: Math.random,
};

const SPREAD = 0.9;

/** Lists that may break off before the waits grow beyond those of other failures. */
const CHEAP_LISTS = 5;

export class Backoff {
  readonly #timing: Timing;
  #failures = 0;
  #brokenLists = 0;

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  reset(): void {
    this.#failures = 0;
    this.#brokenLists = 0;
  }

  /**
   * Milliseconds until the next attempt: a bound that doubles with each failure, and anything from a tenth of it up. When
   * the API server comes back, hundreds of replicas have lost it at the same moment.
   */
  next(isBrokenList = false): number {
    const { backoffMs, costlyBackoffMs, random } = this.#timing;
    if (isBrokenList) this.#brokenLists++;
    const [min, cheap] = backoffMs;
    const max = this.#brokenLists > CHEAP_LISTS ? costlyBackoffMs : cheap;
    // Bounds: 2^16 times any sensible minimum is above any sensible maximum.
    const base = Math.min(max, min * 2 ** Math.min(this.#failures++, 16));
    return base * (1 - SPREAD * random());
  }
}

/** Resolves after the time, or at once when the signal aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms <= 0) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(done, ms);
  signal.addEventListener('abort', done, { once: true });
  function done() {
    clearTimeout(timer);
    signal.removeEventListener('abort', done);
    resolve();
  }
  return promise;
}
