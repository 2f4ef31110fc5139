// Those who wait for a flight: exchanges of the shard, and questions of the slow face. Here they are told how it ended.

import { FLAG_AD, RCODE_SERVFAIL, TYPE_HINFO } from '../../../engine-as/shared/codes.ts';
import type { Exchanges } from '../../plugin/contract.ts';
import type { FlightMessage } from './connection.ts';
import type { FlightTable } from './flights.ts';
import type { ConcurrencyLimit } from './limit.ts';
import { payloadBytes, questionType } from './reply.ts';

/** How long a query may go on trying upstreams; an attempt that has begun runs to its own end. */
export const BUDGET_MS = 5000;

/** A question of the slow face. */
export interface Job {
  readonly octets: Uint8Array;
  readonly isStream: boolean;
  /** An attempt at this upstream begins. */
  onAttempt(upstream: string): void;
  /** The reply, valid during the call; false: it does not parse. */
  finish(offset: number, bytes: number): boolean;
  fail(rcode: number, text: string): void;
  /** The next stanza is to be asked. */
  handOver(): void;
}

/** Number of an exchange's waiter. */
export function waiterOf(handle: number): number {
  return 2 * handle;
}

export class Waiters {
  readonly #flights: FlightTable;
  readonly #exchanges: Exchanges;
  readonly #limit: ConcurrencyLimit;
  readonly #handOver: (handle: number) => void;
  readonly #jobs: (Job | undefined)[] = [];
  readonly #message: FlightMessage = { offset: 0, bytes: 0, flags: 0, octets: undefined };

  constructor(flights: FlightTable, exchanges: Exchanges, limit: ConcurrencyLimit, handOver: (handle: number) => void) {
    this.#flights = flights;
    this.#exchanges = exchanges;
    this.#limit = limit;
    this.#handOver = handOver;
  }

  /** A waiter for the job. */
  add(job: Job): number {
    const free = this.#jobs.indexOf(undefined);
    const number = free < 0 ? this.#jobs.length : free;
    this.#jobs[number] = job;
    return 2 * number + 1;
  }

  /** An attempt begins: questions of the slow face want to know where. */
  tellAttempt(flight: number, upstream: string): void {
    this.#jobOf(this.#flights.head[flight]!)?.onAttempt(upstream);
  }

  /** The message that the flight's waiters ask; one object, filled anew each time. */
  messageOf(flight: number, wantsAd: boolean): FlightMessage {
    const waiter = this.#flights.head[flight]!;
    const message = this.#message;
    const job = this.#jobOf(waiter);
    if (job !== undefined) {
      message.octets = job.octets;
      message.offset = 0;
      message.bytes = job.octets.length;
      message.flags = (job.octets[2]! << 8) | job.octets[3]!;
      return message;
    }
    const handle = waiter >>> 1;
    const { octets } = this.#exchanges;
    message.octets = undefined;
    message.offset = this.#exchanges.offset(handle);
    message.bytes = this.#exchanges.bytes(handle);
    message.flags = (octets[message.offset + 2]! << 8) | octets[message.offset + 3]!;
    if (wantsAd) message.flags |= FLAG_AD;
    return message;
  }

  /**
   * A question of plugin loop that comes back through another block of this process must leave again: were it to join
   * its own flight, it would go round no further, and the loop would be found by its timeout only.
   */
  fliesAlone(handle: number): boolean {
    const exchanges = this.#exchanges;
    return questionType(exchanges.octets, exchanges.offset(handle), exchanges.bytes(handle)) === TYPE_HINFO;
  }

  /** Whether the exchange asks what the flight's waiters ask, octet for octet behind the id. */
  isSame(flight: number, handle: number): boolean {
    const exchanges = this.#exchanges;
    const other = this.#flights.head[flight]! >>> 1;
    const bytes = exchanges.bytes(handle);
    if (exchanges.bytes(other) !== bytes) return false;
    const { octets } = exchanges;
    const at = exchanges.offset(handle);
    const otherAt = exchanges.offset(other);
    for (let i = 2; i < bytes; i++) if (octets[at + i] !== octets[otherAt + i]) return false;
    return true;
  }

  /** The UDP payload size that the flight's waiters advertise. */
  payloadBytes(flight: number): number {
    const message = this.messageOf(flight, false);
    return payloadBytes(message.octets ?? this.#exchanges.octets, message.offset, message.bytes);
  }

  /**
   * Charges a failed attempt to those who were there for at least half of it, and fails those who may have no other:
   * their attempts or their time are used up, or the attempt was a guess among upstreams that are all down.
   * True: somebody still waits.
   */
  charge(flight: number, attemptsMax: number, isGuess: boolean, nowMs: number, text: string): boolean {
    const { head, tail, nextWaiter, joinedMs, attempts, begunMs } = this.#flights;
    const halfMs = (begunMs[flight]! + nowMs) / 2;
    let waiter = head[flight]!;
    let kept = 0;
    let failed = 0;
    head[flight] = 0;
    while (waiter !== 0) {
      const following = nextWaiter[waiter]!;
      if (joinedMs[waiter]! <= halfMs) attempts[waiter]!++;
      const had = attempts[waiter]!;
      const isSpent = had > 0 && (isGuess || (attemptsMax !== 0 && had >= attemptsMax));
      if (isSpent || nowMs >= joinedMs[waiter]! + BUDGET_MS) {
        nextWaiter[waiter] = failed;
        failed = waiter;
      } else {
        if (kept === 0) head[flight] = waiter;
        else nextWaiter[kept] = waiter;
        nextWaiter[waiter] = 0;
        kept = waiter;
      }
      waiter = following;
    }
    tail[flight] = kept;
    this.failAll(failed, text);
    return kept !== 0;
  }

  /** False: the reply does not parse, the waiter still waits. */
  finish(waiter: number, offset: number, bytes: number): boolean {
    const job = this.#jobOf(waiter);
    const isDone = job === undefined ? this.#exchanges.finish(waiter >>> 1, offset, bytes) : job.finish(offset, bytes);
    if (!isDone) return false;
    if (job !== undefined) this.#jobs[waiter >>> 1] = undefined;
    this.#limit.leave();
    return true;
  }

  /** The rest of a flight's waiters, who share the reply that the first one took. */
  finishAll(first: number, offset: number, bytes: number): void {
    let waiter = first;
    while (waiter !== 0) {
      const following = this.#flights.nextWaiter[waiter]!;
      if (!this.finish(waiter, offset, bytes)) this.fail(waiter, 'dns: bad rdata');
      waiter = following;
    }
  }

  fail(waiter: number, text: string): void {
    this.#limit.leave();
    const job = this.#take(waiter);
    if (job === undefined) this.#exchanges.fail(waiter >>> 1, RCODE_SERVFAIL, text);
    else job.fail(RCODE_SERVFAIL, text);
  }

  failAll(first: number, text: string): void {
    let waiter = first;
    while (waiter !== 0) {
      const following = this.#flights.nextWaiter[waiter]!;
      this.fail(waiter, text);
      waiter = following;
    }
  }

  /** To the next stanza. */
  handOverAll(first: number): void {
    let waiter = first;
    while (waiter !== 0) {
      const following = this.#flights.nextWaiter[waiter]!;
      this.#limit.leave();
      const job = this.#take(waiter);
      if (job === undefined) this.#handOver(waiter >>> 1);
      else job.handOver();
      waiter = following;
    }
  }

  #jobOf(waiter: number): Job | undefined {
    return (waiter & 1) === 1 ? this.#jobs[waiter >>> 1] : undefined;
  }

  #take(waiter: number): Job | undefined {
    const job = this.#jobOf(waiter);
    if (job !== undefined) this.#jobs[waiter >>> 1] = undefined;
    return job;
  }
}
