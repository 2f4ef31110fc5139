/**
 * Closed loop over UDP: each connected socket keeps a window of queries in flight, refilled in batches. The rate is
 * what the server can take; a query lost on the way frees its place after GIVE_UP_MS to twice that.
 */
import { close, connectUdp, MSG_DONTWAIT, recvmmsg, sendmmsg, waiter } from './kernel.ts';
import { BATCH, Outstanding, Pool, ReceiveSlots } from './lanes.ts';
import type { Order, Outcome } from './order.ts';
import type { Question } from './questions.ts';
import { Span } from './span.ts';
import { Tally } from './tally.ts';

const GIVE_UP_MS = 250;
/** Long enough to leave the core to an upstream, short enough to see the end of the span. */
const WAIT_MS = 10;

export function runClosed(order: Order, questions: readonly Question[]): Outcome {
  const tally = new Tally(questions, order.isEcho);
  const span = new Span(order, tally);
  const pool = new Pool(questions, Math.floor(performance.timeOrigin * 1000) % 9e9);
  const slots = new ReceiveSlots();
  const sockets = Array.from({ length: order.sockets }, () => new Socket(connectUdp(order.port), order.window));
  const poll = waiter(sockets.map((socket) => socket.fd));
  let position = 0;
  let giveUpAtMs = performance.now() + GIVE_UP_MS;

  for (let now = performance.now(); span.continues(now); now = performance.now()) {
    let moved = 0;
    for (const socket of sockets) {
      moved += socket.receive(slots, tally);
      const sent = socket.refill(pool, position);
      position = (position + sent) % pool.count;
      span.sent += sent;
      moved += sent;
    }
    if (moved === 0) poll.wait(WAIT_MS);
    if (now >= giveUpAtMs) {
      giveUpAtMs = now + GIVE_UP_MS;
      for (const socket of sockets) span.lost += socket.outstanding.giveUp();
    }
  }
  const outcome = span.outcome();
  for (const socket of sockets) close(socket.fd);
  return outcome;
}

class Socket {
  readonly fd: number;
  readonly outstanding = new Outstanding();
  readonly #window: number;
  /** Fewer than this are not worth a system call: the window refills in halves, at most BATCH at a time. */
  readonly #batchMin: number;

  constructor(fd: number, window: number) {
    this.fd = fd;
    this.#window = window;
    this.#batchMin = Math.max(1, Math.min(BATCH >> 1, window >> 1));
  }

  receive(slots: ReceiveSlots, tally: Tally): number {
    const count = recvmmsg(this.fd, slots.store.at, BATCH, MSG_DONTWAIT, 0);
    const { octets } = slots.store;
    for (let slot = 0; slot < count; slot++) {
      const at = slots.offset(slot);
      const index = this.outstanding.release((octets[at]! << 8) | octets[at + 1]!);
      if (index < 0) tally.countStray();
      else tally.count(octets, at, slots.bytes(slot), index);
    }
    return Math.max(count, 0);
  }

  /** Sends up to one batch, starting with the pool's entry `position`; returns how many went out. */
  refill(pool: Pool, position: number): number {
    const want = this.#window - this.outstanding.count;
    if (want < this.#batchMin) return 0;
    const count = Math.min(want, BATCH, pool.count - position);
    for (let ahead = 0; ahead < count; ahead++) pool.patch(position + ahead, this.outstanding.idAhead(ahead));
    const sent = sendmmsg(this.fd, pool.headerAt(position), count, MSG_DONTWAIT);
    for (let ahead = 0; ahead < sent; ahead++) this.outstanding.hold((position + ahead) % pool.questionCount);
    return Math.max(sent, 0);
  }
}
