// How often something may be done that costs a lot and ought to be rare.

/** Milliseconds between the first two times. */
const GAP_MS = 1000;

/** At once, then not before a second has passed, then two, four ..., until it has rested for the longest of gaps. */
export class Patience {
  #gapMs = GAP_MS;
  #nextAt = Number.NEGATIVE_INFINITY;

  /** @param now monotonic milliseconds. @param maxMs the longest gap, if it is above a second. */
  spend(now: number, maxMs: number): boolean {
    if (now < this.#nextAt) return false;
    const hasRested = now - this.#nextAt > maxMs;
    this.#gapMs = hasRested ? GAP_MS : Math.max(GAP_MS, Math.min(maxMs, 2 * this.#gapMs));
    this.#nextAt = now + this.#gapMs;
    return true;
  }
}
