// When to try again.

export interface Timing {
  /** A stream that is silent for longer is taken for dead. The API server sends a bookmark about once a minute. */
  readonly stallMs: number;
  /** How long the header of a response may take: a loaded API server queues requests for up to a minute. */
  readonly headersMs: number;
  readonly backoffMs: readonly [min: number, max: number];
  /** A connection that lasted this long was a good one: the next failure starts from the shortest wait. */
  readonly healthyMs: number;
  /** 0..1 */
  readonly random: () => number;
}

export const API_TIMING: Timing = {
  stallMs: 90_000,
  headersMs: 75_000,
  backoffMs: [800, 30_000],
  healthyMs: 10_000,
  random: Math.random,
};

export class Backoff {
  readonly #timing: Timing;
  #failures = 0;

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  reset(): void {
    this.#failures = 0;
  }

  /** Milliseconds until the next attempt: doubled with each failure, and up to half longer, so that replicas spread. */
  next(): number {
    const [min, max] = this.#timing.backoffMs;
    // Bounds: 2^16 times any sensible minimum is above any sensible maximum.
    const base = Math.min(max, min * 2 ** Math.min(this.#failures++, 16));
    return Math.min(max, base * (1 + this.#timing.random() / 2));
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
