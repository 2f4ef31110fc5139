/** The measured span: warm-up first, then both ends marked with the clock, the server's CPU time and the counts. */
import { readFileSync } from 'node:fs';
import type { Latency, Order, Outcome } from './order.ts';
import type { Tally } from './tally.ts';

/** sysconf(_SC_CLK_TCK) on every Linux this runs on. */
const TICKS_PER_SECOND = 100;

/** User plus system time of all threads (proc(5): fields 14 and 15 of stat); the name in field 2 may hold spaces. */
export function cpuSeconds(pids: readonly number[]): number {
  let seconds = 0;
  for (const pid of pids) seconds += cpuSecondsOf(pid);
  return seconds;
}

function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export class Span {
  sent = 0;
  lost = 0;
  /** False while the server warms up. */
  isMeasured: boolean;
  readonly #order: Order;
  readonly #tally: Tally;
  #startMs: number;
  #endMs: number;
  #serverCpu = 0;
  #loadCpu = 0;

  constructor(order: Order, tally: Tally) {
    this.#order = order;
    this.#tally = tally;
    this.isMeasured = false;
    this.#startMs = performance.now();
    this.#endMs = this.#startMs + order.warmSeconds * 1000;
  }

  /** False when the measured span is over. Cheap: one comparison but at the two ends. */
  continues(nowMs: number): boolean {
    if (nowMs < this.#endMs) return true;
    if (this.isMeasured) return false;
    this.#begin();
    return true;
  }

  #begin(): void {
    this.isMeasured = true;
    this.#tally.reset();
    this.sent = 0;
    this.lost = 0;
    this.#serverCpu = cpuSeconds(this.#order.serverPids);
    this.#loadCpu = cpuSeconds([process.pid]);
    this.#startMs = performance.now();
    this.#endMs = this.#startMs + this.#order.seconds * 1000;
  }

  outcome(latency?: Latency): Outcome {
    const seconds = (performance.now() - this.#startMs) / 1000;
    const tally = this.#tally;
    const rcodes: Record<string, number> = {};
    for (const [rcode, count] of tally.rcodes.entries()) if (count > 0) rcodes[rcode] = count;
    return {
      seconds,
      sent: this.sent,
      received: tally.received,
      right: tally.right,
      wrong: tally.wrong,
      stray: tally.stray,
      lost: this.lost,
      qps: tally.right / seconds,
      serverCpuSeconds: cpuSeconds(this.#order.serverPids) - this.#serverCpu,
      loadCpuSeconds: cpuSeconds([process.pid]) - this.#loadCpu,
      rcodes,
      firstWrong: tally.firstWrong,
      ...(latency && { latency }),
    };
  }
}
