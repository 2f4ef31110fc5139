// Network cards hold interrupts back while many datagrams arrive; a busy socket's reads are held back here. A read that
// waits for a moment finds more datagrams: wake-up, system calls and the lines of memory that sender and reader take
// from each other are paid once for all of them, and more of the replies to one client leave joined.
//
//   fewer than RATE_MIN      never wait
//   more                     a trial: PAIRS times a span without waiting, then one with it
//                            ├─ as many datagrams came: wait ─┐
//                            └─ fewer came: do not wait ──────┴─ after DECISION_MS the next trial
//
// Fewer come when clients have few queries in flight, and send the next ones when they have our replies.

import { BATCH } from '../../engine-as/shared/layout.ts';

/** What the kernel is asked for. It lets a thread sleep up to 50 us longer, the timer slack: 60 us in all. */
export const WAIT_MICROS = 10;
/** Datagrams a millisecond. */
export const RATE_MIN = 150;
/** Many batches, so that one more or less does not matter. */
export const SPAN_MS = 4;
/** A span that lasts so long was idle, or we had no processor: it and the next one, with its backlog, tell nothing. */
const STALL_MS = 1.5 * SPAN_MS;
/** Odd: most of the pairs decide. */
export const PAIRS = 7;
export const DECISION_MS = 1000;
/** As many: what a waiting span has of the one before. */
const KEPT = 0.9;

export class Gatherer {
  /** Whether to wait before the next read: not when the last one has left something. */
  isDue = false;
  #isWaiting = false;
  /** What the last trial says, good until then. */
  #isWorthIt = false;
  #decidedUntilMs = 0;
  #spanFromMs = 0;
  #spanCount = 0;
  #wasSteady = false;
  #pairs = 0;
  #pairsKept = 0;
  /** Datagrams a millisecond in the span without waiting. */
  #freeRate = 0;

  /** After each read. @param count datagrams, 0 to BATCH */
  note(count: number, nowMs: number): void {
    this.#spanCount += count;
    const spanMs = nowMs - this.#spanFromMs;
    if (spanMs >= SPAN_MS) {
      this.#endSpan(this.#spanCount / spanMs, spanMs, nowMs);
      this.#spanFromMs = nowMs;
      this.#spanCount = 0;
    }
    this.isDue = this.#isWaiting && count < BATCH;
  }

  #endSpan(rate: number, spanMs: number, nowMs: number): void {
    const isSteady = spanMs < STALL_MS;
    const isUseful = isSteady && this.#wasSteady;
    this.#wasSteady = isSteady;
    if (nowMs < this.#decidedUntilMs) {
      this.#isWaiting = this.#isWorthIt && rate >= RATE_MIN;
    } else if (!isUseful || (this.#freeRate === 0 && (rate < RATE_MIN || this.#isWaiting))) {
      this.#freeRate = 0;
      this.#isWaiting = false;
    } else if (this.#freeRate === 0) {
      this.#freeRate = rate;
      this.#isWaiting = true;
    } else {
      this.#endPair(rate >= this.#freeRate * KEPT, nowMs);
    }
  }

  #endPair(isKept: boolean, nowMs: number): void {
    this.#freeRate = 0;
    this.#isWaiting = false;
    if (isKept) this.#pairsKept++;
    if (++this.#pairs < PAIRS) return;
    this.#isWorthIt = this.#pairsKept * 2 > PAIRS;
    this.#isWaiting = this.#isWorthIt;
    this.#decidedUntilMs = nowMs + DECISION_MS;
    this.#pairs = 0;
    this.#pairsKept = 0;
  }
}
