// Errors that match one expression, counted over a period that begins with the first of them.

import { TIMER_MS_MAX } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { durationText } from '../../plugin/duration-text.ts';
import type { Pattern } from './parse.ts';

export class Consolidation {
  readonly #pattern: Pattern;
  readonly #log: Log;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(pattern: Pattern, log: Log) {
    this.#pattern = pattern;
    this.#log = log;
  }

  count(line: string): void {
    this.#count++;
    if (this.#count > 1) return;
    if (this.#pattern.showsFirst) this.#log[this.#pattern.level](line);
    // A negative period ends at once, as in Go.
    this.#timer = setTimeout(() => this.flush(), Math.min(this.#pattern.periodMs, TIMER_MS_MAX));
    this.#timer.unref();
  }

  /** Prints the summary of what was counted so far. */
  flush(): void {
    clearTimeout(this.#timer);
    const count = this.#count;
    this.#count = 0;
    if (count === 0 || (count === 1 && this.#pattern.showsFirst)) return;
    const { level, expression, periodMs } = this.#pattern;
    this.#log[level](`${count} errors like '${expression}' occurred in last ${durationText(periodMs)}`);
  }
}
