// A file that is looked at again and again, one look at a time, for as long as its configuration lives.

import { TIMER_MS_MAX } from '../clock.ts';
import type { Log } from '../log.ts';

export class FilePoll {
  readonly #look: () => Promise<unknown>;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #isLooking: boolean = false;
  #isStopped: boolean = false;

  /** @param look what it rejects with is logged */
  constructor(look: () => Promise<unknown>, log: Log) {
    this.#look = look;
    this.#log = log;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** @param everyMs 0 = never */
  begin(everyMs: number): void {
    if (everyMs === 0 || this.#isStopped) return;
    this.#timer = setInterval(() => void this.#poll(), Math.min(everyMs, TIMER_MS_MAX)).unref();
  }

  /** A look that is under way goes on, and what comes of it is its own to drop. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  async #poll(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await this.#look();
    } catch (error) {
      if (!this.#isStopped) this.#log.error((error as Error).message);
    } finally {
      this.#isLooking = false;
    }
  }
}
