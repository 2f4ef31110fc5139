// Time that stands still until the test moves it.

import type { Schedule } from '../../../host/plugins/forward/health.ts';

interface Entry {
  readonly dueMs: number;
  readonly action: () => void;
}

export class ManualClock {
  #nowMs = 1000;
  #entries: Entry[] = [];

  readonly now = (): number => this.#nowMs;

  readonly schedule: Schedule = (ms, action) => {
    const entry = { dueMs: this.#nowMs + ms, action };
    this.#entries.push(entry);
    return () => {
      this.#entries = this.#entries.filter((each) => each !== entry);
    };
  };

  /** Runs everything that falls due on the way, in order. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#entries.reduce<Entry | undefined>(
        (first, entry) => (first === undefined || entry.dueMs < first.dueMs ? entry : first),
        undefined,
      );
      if (next === undefined || next.dueMs > endMs) break;
      this.#entries = this.#entries.filter((each) => each !== next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.action();
    }
    this.#nowMs = endMs;
  }

  get pending(): number {
    return this.#entries.length;
  }
}
