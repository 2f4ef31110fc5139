// How long connecting to an upstream may take: twice the mean of recent dials, over UDP and TCP together, between 1 s
// and 30 s. The first one, of which nothing is known, may take 30 s.

const DIAL_MS_MIN = 1000;
const DIAL_MS_MAX = 30_000;
const WEIGHT = 4;

export class Dialling {
  #meanMs = DIAL_MS_MAX / 2;

  /** For the next dial. */
  get timeoutMs(): number {
    if (this.#meanMs < DIAL_MS_MIN) return DIAL_MS_MIN;
    return this.#meanMs < DIAL_MS_MAX / 2 ? 2 * this.#meanMs : DIAL_MS_MAX;
  }

  /** A dial has ended, well or not. */
  observe(milliseconds: number): void {
    this.#meanMs += (milliseconds - this.#meanMs) / WEIGHT;
  }
}
