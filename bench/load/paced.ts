/**
 * Open loop over UDP: one query each 1/rate second, whatever the server does, and the time from the moment a query
 * was due to the moment its reply was read (so a stall of either side is not left out). The generator spins, so that
 * its own wake-up is not part of the figure; where an upstream shares its core it sleeps in ppoll() instead.
 */
import { close, connectUdp, MSG_DONTWAIT, recvmmsg, sendmmsg, sleepPrecisely, waiter } from './kernel.ts';
import { BATCH, Outstanding, Pool, ReceiveSlots } from './lanes.ts';
import type { Latency, Order, Outcome } from './order.ts';
import type { Question } from './questions.ts';
import { Span } from './span.ts';
import { Tally } from './tally.ts';

const GIVE_UP_MS = 1000;

export function runPaced(order: Order, questions: readonly Question[]): Outcome {
  const tally = new Tally(questions, order.isEcho);
  const span = new Span(order, tally);
  const pool = new Pool(questions, Math.floor(performance.timeOrigin * 1000) % 9e9);
  const slots = new ReceiveSlots();
  const fds = Array.from({ length: order.sockets }, () => connectUdp(order.port));
  const outstanding = fds.map(() => new Outstanding());
  const dueAt = fds.map(() => new Float64Array(65536));
  const poll = waiter(fds);
  const samples = new Samples(Math.ceil(order.rate * order.seconds * 2) + 1024);
  const intervalMs = 1000 / order.rate;
  if (order.isCoreShared) sleepPrecisely();
  let due = performance.now();
  let giveUpAtMs = due + GIVE_UP_MS;
  let position = 0;
  let turn = 0;

  for (let now = due; span.continues(now); now = performance.now()) {
    if (now >= due) {
      const held = outstanding[turn]!;
      const id = held.idAhead(0);
      const index = pool.patch(position, id);
      if (sendmmsg(fds[turn]!, pool.headerAt(position), 1, MSG_DONTWAIT) === 1) {
        held.hold(index);
        dueAt[turn]![id] = due;
        span.sent++;
      }
      position = (position + 1) % pool.count;
      turn = (turn + 1) % fds.length;
      due += intervalMs;
    } else if (order.isCoreShared) {
      poll.wait(due - now);
    }
    for (let lane = 0; lane < fds.length; lane++) {
      const count = recvmmsg(fds[lane]!, slots.store.at, BATCH, MSG_DONTWAIT, 0);
      if (count > 0)
        settle(count, slots, outstanding[lane]!, dueAt[lane]!, tally, span.isMeasured ? samples : undefined);
    }
    if (now >= giveUpAtMs) {
      giveUpAtMs = now + GIVE_UP_MS;
      for (const held of outstanding) span.lost += held.giveUp();
    }
  }
  const outcome = span.outcome(samples.summary());
  for (const fd of fds) close(fd);
  return outcome;
}

function settle(
  count: number,
  slots: ReceiveSlots,
  outstanding: Outstanding,
  dueAt: Float64Array,
  tally: Tally,
  samples: Samples | undefined,
): void {
  const { octets } = slots.store;
  const now = performance.now();
  for (let slot = 0; slot < count; slot++) {
    const at = slots.offset(slot);
    const id = (octets[at]! << 8) | octets[at + 1]!;
    const index = outstanding.release(id);
    if (index < 0) tally.countStray();
    else if (tally.count(octets, at, slots.bytes(slot), index)) samples?.add(now - dueAt[id]!);
  }
}

/** All latencies of a run, in milliseconds; those past `max` are dropped (the rate and the span bound them). */
export class Samples {
  #count = 0;
  readonly #times: Float64Array;

  constructor(max: number) {
    this.#times = new Float64Array(max);
  }

  add(milliseconds: number): void {
    if (this.#count < this.#times.length) this.#times[this.#count++] = milliseconds;
  }

  summary(): Latency {
    const times = this.#times.subarray(0, this.#count).sort();
    const micros = (share: number): number =>
      this.#count === 0 ? Number.NaN : times[Math.min(this.#count - 1, Math.floor(share * this.#count))]! * 1000;
    let sum = 0;
    for (const time of times) sum += time;
    return {
      p50Micros: micros(0.5),
      p99Micros: micros(0.99),
      meanMicros: (sum / this.#count) * 1000,
      maxMicros: micros(1),
    };
  }
}
