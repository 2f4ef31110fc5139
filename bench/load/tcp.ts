/**
 * TCP: `sockets` connections, each with a window of queries in flight (RFC 7766 §6.2.1.1 pipelining), refilled with
 * one send() after each read: waiting for more room would run into the server's Nagle algorithm and our own delayed
 * ACK, 40 ms each time. `reconnect` instead asks one query on each connection and resets it.
 */
import {
  abort,
  connectTcp,
  EAGAIN,
  errno,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  type Region,
  recv,
  region,
  send,
  waiter,
} from './kernel.ts';
import { Outstanding, Pool } from './lanes.ts';
import type { Order, Outcome } from './order.ts';
import type { Question } from './questions.ts';
import { Span } from './span.ts';
import { Tally } from './tally.ts';

const WAIT_MS = 10;
const GIVE_UP_MS = 1000;
const RECEIVE_BYTES = 128 * 1024;
const QUERY_BYTES_MAX = 2 + 12 + 255 + 4;
const ENOTCONN = 107;

export function runTcp(order: Order, questions: readonly Question[]): Outcome {
  const tally = new Tally(questions, order.isEcho);
  const span = new Span(order, tally);
  const pool = new Pool(questions, Math.floor(performance.timeOrigin * 1000) % 9e9);
  const source: Source = { pool, questions, position: 0 };
  const window = order.mode === 'reconnect' ? 1 : order.window;
  const receive = region(RECEIVE_BYTES);
  const connections = Array.from({ length: order.sockets }, () => new Connection(order.port, window, receive));
  const poll = waiter(connections.map((connection) => connection.fd));
  let giveUpAtMs = performance.now() + GIVE_UP_MS;

  for (let now = performance.now(); span.continues(now); now = performance.now()) {
    const ready = poll.wait(WAIT_MS);
    for (const [slot, connection] of connections.entries()) {
      if (ready > 0 && poll.isReady(slot)) {
        const replies = connection.receive(tally);
        const isDone = order.mode === 'reconnect' && connection.outstanding.count === 0;
        if (replies < 0 || isDone) {
          span.lost += connection.outstanding.count;
          connection.reopen(order.port);
          poll.set(slot, connection.fd);
        }
      }
      span.sent += connection.refill(source);
    }
    if (now >= giveUpAtMs) {
      giveUpAtMs = now + GIVE_UP_MS;
      for (const connection of connections) span.lost += connection.outstanding.giveUp();
    }
  }
  const outcome = span.outcome();
  for (const connection of connections) abort(connection.fd);
  return outcome;
}

interface Source {
  readonly pool: Pool;
  readonly questions: readonly Question[];
  position: number;
}

class Connection {
  fd: number;
  outstanding = new Outstanding();
  readonly #window: number;
  readonly #receive: Region;
  /** The tail of a reply that the next recv() completes. */
  readonly #rest = new Uint8Array(65537);
  #restBytes = 0;
  readonly #send: Region;
  /** Octets of #send still to go out, after a short send(). */
  #unsentAt = 0;
  #unsentBytes = 0;

  constructor(port: number, window: number, receive: Region) {
    this.fd = connectTcp(port);
    this.#window = window;
    this.#receive = receive;
    this.#send = region(window * QUERY_BYTES_MAX);
  }

  reopen(port: number): void {
    abort(this.fd);
    this.fd = connectTcp(port);
    while (this.outstanding.count > 0) this.outstanding.giveUp();
    this.#restBytes = 0;
    this.#unsentBytes = 0;
  }

  /** Sends what is left over, then refills the window if half of it is free; returns how many queries were added. */
  refill(source: Source): number {
    if (this.#unsentBytes > 0) {
      this.#flush();
      return 0;
    }
    const want = this.#window - this.outstanding.count;
    if (want <= 0) return 0;
    let bytes = 0;
    for (let ahead = 0; ahead < want; ahead++) {
      const index = source.pool.patch(source.position, this.outstanding.idAhead(0));
      const { message } = source.questions[index]!;
      bytes += source.pool.frame(source.position, message.length, this.#send.octets, bytes);
      this.outstanding.hold(index);
      source.position = (source.position + 1) % source.pool.count;
    }
    this.#unsentAt = 0;
    this.#unsentBytes = bytes;
    this.#flush();
    return want;
  }

  #flush(): void {
    const sent = send(this.fd, this.#send.at + this.#unsentAt, this.#unsentBytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent <= 0) return;
    this.#unsentAt += sent;
    this.#unsentBytes -= sent;
  }

  /** Replies counted, or -1 when the connection is gone. */
  receive(tally: Tally): number {
    const { octets } = this.#receive;
    octets.set(this.#rest.subarray(0, this.#restBytes), 0);
    const room = RECEIVE_BYTES - this.#restBytes;
    const got = recv(this.fd, this.#receive.at + this.#restBytes, room, MSG_DONTWAIT);
    if (got === 0) return -1;
    if (got < 0) {
      const reason = errno();
      return reason === EAGAIN || reason === ENOTCONN ? 0 : -1;
    }
    const end = this.#restBytes + got;
    let at = 0;
    let replies = 0;
    while (end - at >= 2) {
      const bytes = (octets[at]! << 8) | octets[at + 1]!;
      if (end - at - 2 < bytes) break;
      this.#count(tally, at + 2, bytes);
      at += 2 + bytes;
      replies++;
    }
    this.#restBytes = end - at;
    this.#rest.set(octets.subarray(at, end));
    return replies;
  }

  #count(tally: Tally, at: number, bytes: number): void {
    const { octets } = this.#receive;
    const index = bytes < 12 ? -1 : this.outstanding.release((octets[at]! << 8) | octets[at + 1]!);
    if (index < 0) tally.countStray();
    else tally.count(octets, at, bytes, index);
  }
}
