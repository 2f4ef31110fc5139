// The relay of one stanza in one shard: queries in, attempts at upstreams, replies out. Nothing is allocated for a
// query over UDP.
//
// Single flight: an equal question (all octets behind the id, same protocol, same wish for AD) joins the flight that has
// just left. Failures stay apart: an attempt counts for a waiter only if it was there for at least half of the
// attempt's time. When an attempt fails, the waiters for which it was the last one that max_connect_attempts or the
// budget of 5 s allows get the error; the flight goes on for the others. HINFO flies alone: plugin loop counts it.

import { RCODE_REFUSED } from '../../../engine-as/shared/codes.ts';
import type { Exchanges, SlotWriter, Upstreams } from '../../plugin/contract.ts';
import { type FlightMessage, PROTOCOL_TCP, PROTOCOL_UDP, type RelayCore } from './connection.ts';
import type { RareReply } from './control.ts';
import {
  FLIGHT_AD,
  FLIGHT_GUESS,
  FLIGHT_KIND,
  FLIGHT_LISTED,
  FLIGHT_STREAM,
  FLIGHT_TCP,
  FlightTable,
  SHARED_MS,
} from './flights.ts';
import type { Schedule } from './health.ts';
import type { RandomIds } from './ids.ts';
import type { ConcurrencyLimit } from './limit.ts';
import { DURATION_BOUNDS, durationSlot, type StanzaSlots } from './metrics.ts';
import type { Stanza } from './parse.ts';
import { createPolicy, type Policy } from './policy.ts';
import type { UpstreamState } from './prober.ts';
import {
  emptyWithTc,
  isCutProblem,
  REPLY_BROKEN,
  REPLY_CUT,
  ReplyScan,
  recordProblem,
  repeatsQuestion,
} from './reply.ts';
import { dialProblem, type UpstreamTarget } from './targets.ts';
import { createUpstream, type Upstream } from './upstream.ts';
import { BUDGET_MS, type Job, Waiters, waiterOf } from './waiters.ts';

/** Without max_connect_attempts, upstreams that refuse at once are asked again after the next tick only. */
const PAUSE_BELOW_MS = 10;
const NO_HEALTHY = 'no healthy proxies';

export interface RelayOptions {
  readonly stanza: Stanza;
  readonly targets: readonly UpstreamTarget[];
  /** What all shards know of each target. */
  readonly states: readonly UpstreamState[];
  readonly slots: StanzaSlots;
  readonly exchanges: Exchanges;
  readonly upstreams: Upstreams;
  readonly counters: SlotWriter;
  readonly limit: ConcurrencyLimit;
  readonly ids: RandomIds;
  readonly now: () => number;
  readonly schedule: Schedule;
  /** Takes exchanges that `next` or `next_on_nodata` sends on; undefined for the last stanza, which ignores them. */
  readonly handOver: ((handle: number) => void) | undefined;
  /** Called when the first flight takes off: ticks are needed from now on. */
  readonly onBusy: () => void;
  /** Told of replies with rcodes that have no slots yet. */
  readonly onRareReply: (reply: RareReply) => void;
}

export class StanzaRelay implements RelayCore {
  readonly flights: FlightTable;
  readonly ids: RandomIds;
  readonly upstreams: Upstreams;
  readonly readTimeoutMs: number;
  readonly expireMs: number;
  readonly maxAgeMs: number;
  readonly maxIdleConns: number;
  readonly #options: RelayOptions;
  readonly #exchanges: Exchanges;
  readonly #stanza: Stanza;
  readonly #waiters: Waiters;
  readonly #members: readonly Upstream[];
  readonly #policy: Policy;
  readonly #attemptsMax: number;
  readonly #scan = new ReplyScan();
  readonly #paused: { readonly flight: number; readonly text: string }[] = [];

  constructor(options: RelayOptions) {
    const { stanza, targets } = options;
    this.#options = options;
    this.#stanza = stanza;
    this.#exchanges = options.exchanges;
    this.ids = options.ids;
    this.upstreams = options.upstreams;
    this.readTimeoutMs = stanza.readTimeoutMs;
    this.expireMs = stanza.expireMs;
    this.maxAgeMs = stanza.maxAgeMs;
    this.maxIdleConns = stanza.maxIdleConns;
    this.flights = new FlightTable(targets.length);
    this.#waiters = new Waiters(this.flights, options.exchanges, options.limit, (handle) => options.handOver?.(handle));
    this.#policy = createPolicy(stanza.policy, options.ids);
    this.#attemptsMax = stanza.maxConnectAttempts ?? 2 * targets.length;
    this.#members = targets.map((_, index) => createUpstream(this, options, index));
  }

  get octets(): Uint8Array {
    return this.#exchanges.octets;
  }

  /** Flights and open sockets: 0 when nothing needs a tick. */
  get activity(): number {
    return this.#members.reduce((sum, member) => sum + member.udp.size + member.tcp.size, this.flights.count);
  }

  now(): number {
    return this.#options.now();
  }

  /** Takes over an exchange. */
  take(handle: number): void {
    const exchanges = this.#exchanges;
    if (!this.#options.limit.enter()) {
      exchanges.fail(handle, RCODE_REFUSED, this.#refusal());
      return;
    }
    const kind = (exchanges.isStream(handle) ? FLIGHT_STREAM : 0) | (exchanges.wantsAd(handle) ? FLIGHT_AD : 0);
    const hash = (exchanges.hash(handle) ^ kind) | 0;
    const { flights } = this;
    const nowMs = this.now();
    const listed = this.#waiters.fliesAlone(handle) ? 0 : FLIGHT_LISTED;
    // Bounds: a chain has each flight once and ends in 0.
    for (let flight = listed === 0 ? 0 : flights.bucket(hash); flight !== 0; flight = flights.chain[flight]!) {
      if (flights.hash[flight] !== hash || (flights.flags[flight]! & FLIGHT_KIND) !== kind) continue;
      if (!this.#waiters.isSame(flight, handle)) continue;
      // The newest comes first. Its query or the reply may be lost, and would be missed by everybody
      if (nowMs - flights.begunMs[flight]! > SHARED_MS) break;
      flights.join(flight, waiterOf(handle), nowMs);
      return;
    }
    this.#depart(waiterOf(handle), kind | listed, hash, nowMs);
  }

  /** Takes over a question of the slow face; it does not share flights. */
  ask(job: Job): void {
    if (!this.#options.limit.enter()) {
      job.fail(RCODE_REFUSED, this.#refusal());
      return;
    }
    this.#depart(this.#waiters.add(job), job.isStream ? FLIGHT_STREAM : 0, 0, this.now());
  }

  /** Call it every few milliseconds while there is activity: all timeouts hang on it. */
  tick(nowMs: number): void {
    for (const member of this.#members) {
      member.udp.tick(nowMs);
      member.tcp.tick(nowMs);
    }
    for (const { flight, text } of this.#paused.splice(0)) this.#advance(flight, text);
  }

  /** Closes all sockets; whoever still waits gets SERVFAIL. */
  stop(): void {
    for (const member of this.#members) {
      member.health.stop();
      member.udp.close();
      member.tcp.close();
    }
    this.#paused.length = 0;
    this.flights.each((flight) => this.#failAll(flight, 'server is stopping'));
  }

  // ------------------------------------------------------------------------------------- what the sockets call

  messageOf(flight: number): FlightMessage {
    return this.#waiters.messageOf(flight, (this.flights.flags[flight]! & FLIGHT_AD) !== 0);
  }

  countConnection(upstream: number, protocol: number, isPooled: boolean): void {
    const slots = this.#options.slots.upstreams[upstream]!;
    this.#options.counters.add((isPooled ? slots.hits : slots.misses)[protocol]!, 1);
  }

  repeatsQuestion(flight: number, offset: number, bytes: number): boolean {
    const message = this.messageOf(flight);
    return repeatsQuestion(message.octets ?? this.octets, message.offset, this.octets, offset, bytes);
  }

  onReply(flight: number, offset: number, bytes: number, protocol: number): void {
    const { flights } = this;
    const scan = this.#scan;
    const isUdp = protocol === PROTOCOL_UDP;
    const state = scan.scan(this.octets, offset, bytes);
    if (state === REPLY_BROKEN || (state === REPLY_CUT && !isUdp)) {
      this.#refuse(flight, isUdp, scan.problem);
      return;
    }
    let length = bytes;
    if (isUdp && (state === REPLY_CUT || this.#exceedsPayload(flight, bytes))) {
      length = emptyWithTc(this.octets, offset, scan);
    }
    const seconds = (this.now() - flights.begunMs[flight]!) / 1000;
    if (scan.isTruncated && isUdp && this.#stanza.preferUdp) this.#askAgainOverTcp(flight, seconds);
    else if (!this.#goesElsewhere(flight, offset, length, seconds))
      this.#deliver(flight, offset, length, isUdp, seconds);
  }

  /** A truncated reply, under prefer_udp. */
  #askAgainOverTcp(flight: number, seconds: number): void {
    this.#observe(this.flights.upstream[flight]!, this.#scan.rcode, seconds);
    this.flights.flags[flight]! |= FLIGHT_TCP;
    this.onStale(flight);
  }

  onFailure(flight: number, text: string): void {
    if (this.#charge(flight, text)) this.#advance(flight, text);
  }

  /** The same upstream again, over TCP or on another connection: it costs no attempt. */
  onStale(flight: number): void {
    const problem = this.#begin(flight);
    if (problem !== undefined) this.onFailure(flight, problem);
  }

  // ------------------------------------------------------------------------------------------------- attempts

  #depart(waiter: number, flags: number, hash: number, nowMs: number): void {
    const { flights } = this;
    const flight = flights.claim(flags);
    if (flight === 0) {
      this.#waiters.fail(waiter, 'too many queries in flight');
      return;
    }
    if (flights.count === 1) this.#options.onBusy();
    const members = this.#members.length;
    if (members > 1) this.#policy(flights.orders, flights.orderAt(flight), members);
    else flights.orders[flights.orderAt(flight)] = 0;
    flights.join(flight, waiter, nowMs);
    if ((flags & FLIGHT_LISTED) !== 0) flights.list(flight, hash);
    this.#advance(flight, NO_HEALTHY);
  }

  /**
   * Begins attempts until one is under way or nobody waits any more.
   * @param text of the failure that came before, for the case that there is no upstream to try.
   */
  #advance(flight: number, text: string): void {
    const { flights } = this;
    let failure = text;
    // Bounds: an attempt that fails at once is charged to its waiters, whose attempts or time end.
    for (;;) {
      const upstream = this.#nextUpstream(flight);
      if (upstream < 0) break;
      flights.upstream[flight] = upstream;
      flights.flags[flight]! &= ~FLIGHT_TCP;
      const problem = this.#begin(flight);
      if (problem === undefined || !this.#charge(flight, problem)) return;
      failure = problem;
    }
    this.#failAll(flight, failure);
  }

  #begin(flight: number): string | undefined {
    const { flights } = this;
    const member = this.#members[flights.upstream[flight]!]!;
    const nowMs = this.now();
    flights.begunMs[flight] = nowMs;
    this.#waiters.tellAttempt(flight, member.target.text);
    const isTcp = this.#isTcp(flights.flags[flight]!);
    const problem = dialProblem(member.target, isTcp ? 'tcp' : 'udp');
    if (problem !== undefined) {
      this.countConnection(member.index, isTcp ? PROTOCOL_TCP : PROTOCOL_UDP, false);
      return problem;
    }
    return isTcp ? member.tcp.send(flight, nowMs) : member.udp.send(flight, nowMs);
  }

  #isTcp(flags: number): boolean {
    if (this.#stanza.forceTcp || (flags & FLIGHT_TCP) !== 0) return true;
    return !this.#stanza.preferUdp && (flags & FLIGHT_STREAM) !== 0;
  }

  /** The upstream of the next attempt; negative: none is left to try. */
  #nextUpstream(flight: number): number {
    const { flights } = this;
    const members = this.#members;
    flights.flags[flight]! &= ~FLIGHT_GUESS;
    if (members.length === 0) return -1;
    // Bounds: every round skips one upstream, and the last one ends it.
    for (;;) {
      if (flights.place[flight]! >= members.length) {
        flights.place[flight] = 0;
        flights.skipped[flight] = 0;
      }
      const upstream = flights.orders[flights.orderAt(flight) + flights.place[flight]!++]!;
      if (!members[upstream]!.health.isDown(this.#stanza.maxFails)) return upstream;
      if (++flights.skipped[flight]! < members.length) continue;
      this.#options.counters.add(this.#options.slots.broken, 1);
      if (this.#stanza.failfast) return -1;
      flights.flags[flight]! |= FLIGHT_GUESS;
      return this.ids.below(members.length);
    }
  }

  /** The running attempt has failed. True: the next one is due now. */
  #charge(flight: number, text: string): boolean {
    const { flights } = this;
    const nowMs = this.now();
    if (this.#stanza.maxFails !== 0) this.#members[flights.upstream[flight]!]!.health.suspect();
    const isGuess = (flights.flags[flight]! & FLIGHT_GUESS) !== 0;
    if (!this.#waiters.charge(flight, this.#attemptsMax, isGuess, nowMs, text)) {
      this.#land(flight);
      return false;
    }
    if (this.#attemptsMax !== 0 || nowMs - flights.begunMs[flight]! >= PAUSE_BELOW_MS) return true;
    this.#paused.push({ flight, text });
    return false;
  }

  /** Whether the reply's rcode sends the flight to another upstream or its waiters to the next stanza. */
  #goesElsewhere(flight: number, offset: number, bytes: number, seconds: number): boolean {
    const { failover, next, nextOnNodata } = this.#stanza;
    if (failover.length === 0 && next.length === 0 && !nextOnNodata) return false;
    const { flights } = this;
    const { rcode, answerCount } = this.#scan;
    if (!this.repeatsQuestion(flight, offset, bytes)) return false;
    if (failover.includes(rcode) && ++flights.failovers[flight]! < this.#members.length) {
      this.#observe(flights.upstream[flight]!, rcode, seconds);
      const isInTime = this.now() < flights.joinedMs[flights.head[flight]!]! + BUDGET_MS;
      if (isInTime) this.#advance(flight, NO_HEALTHY);
      else this.#failAll(flight, NO_HEALTHY);
      return true;
    }
    if (this.#options.handOver === undefined) return false;
    const isNodata = rcode === 0 && answerCount === 0;
    if (!next.includes(rcode) && !(nextOnNodata && isNodata)) return false;
    this.#observe(flights.upstream[flight]!, rcode, seconds);
    const first = flights.head[flight]!;
    this.#land(flight);
    this.#waiters.handOverAll(first);
    return true;
  }

  #deliver(flight: number, offset: number, bytes: number, isUdp: boolean, seconds: number): void {
    const first = this.flights.head[flight]!;
    const rest = this.flights.nextWaiter[first]!;
    let length = bytes;
    if (!this.#waiters.finish(first, offset, length)) {
      // The engine looks closer than the scan: a record is damaged. Over UDP CoreDNS takes that for a reply that was cut
      const problem = recordProblem(this.octets, offset, bytes);
      const isCut = isUdp && isCutProblem(problem);
      if (isCut && this.#stanza.preferUdp) {
        this.#askAgainOverTcp(flight, seconds);
        return;
      }
      if (isCut) length = emptyWithTc(this.octets, offset, this.#scan);
      if (!isCut || !this.#waiters.finish(first, offset, length)) {
        this.#refuse(flight, isUdp, problem ?? 'dns: bad rdata');
        return;
      }
    }
    this.#observe(this.flights.upstream[flight]!, this.#scan.rcode, seconds);
    this.#land(flight);
    this.#waiters.finishAll(rest, offset, length);
  }

  #observe(upstream: number, rcode: number, seconds: number): void {
    const { slots, counters, targets, onRareReply } = this.#options;
    const slot = durationSlot(slots.upstreams[upstream]!, rcode);
    if (slot !== undefined) counters.observe(slot, DURATION_BOUNDS, seconds);
    else onRareReply({ to: targets[upstream]!.text, rcode, seconds });
  }

  /** The reply was damaged: what brought it is closed. */
  #refuse(flight: number, isUdp: boolean, problem: string): void {
    this.#members[this.flights.upstream[flight]!]![isUdp ? 'udp' : 'tcp'].discard();
    this.onFailure(flight, problem);
  }

  #failAll(flight: number, text: string): void {
    const first = this.flights.head[flight]!;
    this.#land(flight);
    this.#waiters.failAll(first, text);
  }

  /** The flight is over; its waiters are the caller's. */
  #land(flight: number): void {
    if ((this.flights.flags[flight]! & FLIGHT_LISTED) !== 0) this.flights.unlist(flight);
    this.flights.release(flight);
  }

  /** Whether a UDP reply is larger than the client takes (a TCP client takes anything). */
  #exceedsPayload(flight: number, bytes: number): boolean {
    if (bytes <= 512 || (this.flights.flags[flight]! & FLIGHT_STREAM) !== 0) return false;
    return bytes > this.#waiters.payloadBytes(flight);
  }

  #refusal(): string {
    this.#options.counters.add(this.#options.slots.rejects, 1);
    return `concurrent queries exceeded maximum ${this.#stanza.maxConcurrentText}`;
  }
}
