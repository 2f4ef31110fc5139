// Whether an upstream is up. There is no steady checking: an error while relaying begins a series of probes, one each
// interval, until one is answered. More failed probes than max_fails make the upstream "down".
//
//   quiet ──suspect()──► probing ──answered──► quiet, fails = 0
//                        │     ▲
//                        └fail─┘  fails + 1, next probe after the interval
//
// One shard probes for all of them: prober.ts.

import type { UpstreamState } from './prober.ts';

/** Runs `action` once after `ms`; the function it returns calls it off. */
export type Schedule = (ms: number, action: () => void) => () => void;

/** Acts after what has arrived meanwhile was read: a busy event loop must not turn replies into timeouts. */
export const systemSchedule: Schedule = (ms, action) => {
  let immediate: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    immediate = setImmediate(action);
  }, ms);
  return () => {
    clearTimeout(timer);
    clearImmediate(immediate);
  };
};

/** An interval of 0 would keep the processor busy for as long as the upstream is gone. */
const INTERVAL_MS_MIN = 10;

export interface HealthOptions {
  readonly intervalMs: number;
  readonly schedule: Schedule;
  /** What all shards know of the upstream. */
  readonly state: UpstreamState;
  /** Sends one probe; must report exactly once, perhaps before it returns. The function it returns calls it off. */
  readonly probe: (report: (isAnswered: boolean) => void) => () => void;
  /** Told of each failed probe, for the counter. */
  readonly onFailure: () => void;
}

export class Health {
  readonly #options: HealthOptions;
  #isProbing: boolean = false;
  #isStopped: boolean = false;
  #cancelTimer: (() => void) | undefined;
  #cancelProbe: (() => void) | undefined;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** @param maxFails 0 = never down. */
  isDown(maxFails: number): boolean {
    return maxFails !== 0 && this.#options.state.isDown(maxFails);
  }

  /** Relaying to the upstream has failed: find out. Nothing happens while a series of probes is under way anywhere. */
  suspect(): void {
    if (this.#isProbing || this.#isStopped || !this.#options.state.claim()) return;
    this.#isProbing = true;
    this.#probe();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#cancelProbe?.();
    if (this.#isProbing) this.#options.state.yield();
  }

  #probe(): void {
    this.#cancelTimer = undefined;
    this.#cancelProbe = this.#options.probe((isAnswered) => this.#report(isAnswered));
  }

  #report(isAnswered: boolean): void {
    if (this.#isStopped) return;
    if (isAnswered) {
      this.#options.state.answered();
      this.#isProbing = false;
      return;
    }
    this.#options.state.failed();
    this.#options.onFailure();
    this.#cancelTimer = this.#options.schedule(Math.max(this.#options.intervalMs, INTERVAL_MS_MIN), () =>
      this.#probe(),
    );
  }
}
