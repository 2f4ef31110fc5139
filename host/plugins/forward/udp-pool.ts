// Connected UDP sockets to one upstream. As in CoreDNS a query takes the one that was idle longest, or opens another if
// all are busy; but from SOCKETS_WANTED on queries share them. None lives for long, so that a forged reply has to guess
// the source port too (RFC 5452 §4.5): a socket is retired when it has sent a random number of queries, was idle for
// `expire`, is older than `max_age`, or has had an error. A retired one closes when its last query has ended.
//
//   pending[id] = flight        one table a socket: a reply counts only where its query was sent from
//
// CoreDNS has one query at a time on a socket, so a reply with the right id and another question is the upstream's
// mistake (FORMERR). Here it could be the late reply to a query that had the same id and timed out, so the id of such a
// query is burnt: this socket does not use it again before the reply has come.
//
//   head ─► ... ─► tail         flights of the socket in order of sending: the head times out first
//             └ young           from here on they count in the upstream's window
//
// Beyond the window (send-window.ts) flights wait in line, linked by `next` as well: no socket has them yet. To
// everybody else it is as if they were sent: the clock of the attempt runs.

import type { UpstreamListener } from '../../plugin/contract.ts';
import { type PoolTarget, PROTOCOL_UDP, type RelayCore } from './connection.ts';
import type { Dialling } from './dialling.ts';
import { IdleConnections } from './idle-connections.ts';
import type { UdpSender } from './message-sender.ts';
import { SendWindow } from './send-window.ts';
import { dialledPath } from './targets.ts';

/** Sockets that take turns; `max_idle_conns` lowers it. */
const SOCKETS_WANTED = 4;
/** Open sockets of one upstream and shard, retired ones included. */
const SOCKETS_MAX = 32;
/** A burst keeps its socket for as many queries, so that they leave and come back in one system call. */
const BURST = 64;
/** Queries in flight on one socket before another one is opened. */
const IN_FLIGHT_WANTED = 1024;
/** Beyond it a free id is not found quickly any more. */
const IN_FLIGHT_MAX = 32768;
const QUERIES_MIN = 32768;
/** In the place of a flight: the id of a query that timed out. Flights have smaller numbers. */
const BURNT = 0xffff;
/** With more burnt ids a socket is retired: free ones must be found quickly. */
const BURNT_MAX = 8192;
const HEADER_BYTES = 12;

export class UdpPool {
  readonly #core: RelayCore;
  readonly #target: PoolTarget;
  readonly #dialling: Dialling;
  /** All open sockets; those in use first come first. */
  readonly #sockets: UdpSocket[] = [];
  readonly #active: UdpSocket[] = [];
  #current: UdpSocket | undefined;
  #burstLeft = 0;
  #burstMs = -1;
  #delivering: UdpSocket | undefined;
  readonly #window: SendWindow;
  /** Of CoreDNS's pool: what is counted. */
  readonly #counted: IdleConnections;
  /** Flights in line, the first and the last. */
  #first = 0;
  #last = 0;

  constructor(core: RelayCore, target: PoolTarget, dialling: Dialling) {
    this.#core = core;
    this.#window = new SendWindow(core.readTimeoutMs);
    this.#counted = new IdleConnections(core);
    this.#target = target;
    this.#dialling = dialling;
  }

  get size(): number {
    return this.#sockets.length;
  }

  /** Sends the flight's message, or lets it wait in line; returns why it could not, in CoreDNS's words. */
  send(flight: number, nowMs: number): string | undefined {
    if (this.#first === 0 && this.#window.isOpen) return this.#leave(flight, nowMs);
    const { next } = this.#core.flights;
    next[flight] = 0;
    if (this.#first === 0) this.#first = flight;
    else next[this.#last] = flight;
    this.#last = flight;
    return undefined;
  }

  /** Sends what the window has room for, and what has waited in line too long. */
  drain(nowMs: number): void {
    const { flights } = this.#core;
    // Bounds: each round takes one out of line; if it cannot be sent its waiters' attempts or their time end.
    while (this.#first !== 0) {
      const flight = this.#first;
      if (!this.#window.isOpen && nowMs - flights.begunMs[flight]! < this.#window.holdMs) return;
      this.#first = flights.next[flight]!;
      const problem = this.#leave(flight, nowMs);
      if (problem !== undefined) this.#core.onFailure(flight, problem);
    }
  }

  #leave(flight: number, nowMs: number): string | undefined {
    this.#count(flight, nowMs);
    let socket = this.#current;
    if (socket === undefined || this.#burstLeft === 0 || nowMs - this.#burstMs >= 1 || !socket.isUsable(nowMs)) {
      try {
        socket = this.#choose(nowMs);
      } catch (error) {
        return `dial udp ${dialledPath(this.#target.target)}: ${(error as Error).message}`;
      }
      this.#current = socket;
      this.#burstLeft = BURST;
      this.#burstMs = nowMs;
    }
    this.#burstLeft--;
    return socket.send(flight, nowMs);
  }

  /** Ends attempts that have waited too long and closes sockets that nobody needs. */
  tick(nowMs: number): void {
    for (const socket of this.#sockets) socket.age(nowMs - this.#window.holdMs);
    this.drain(nowMs);
    for (let i = this.#sockets.length - 1; i >= 0; i--) this.#sockets[i]!.tick(nowMs);
    this.drain(nowMs);
  }

  /** Whoever waits in line is the relay's to end. */
  close(): void {
    this.#first = 0;
    for (const socket of [...this.#sockets]) socket.close();
  }

  /** The socket hands over the flight's reply. */
  delivers(socket: UdpSocket, flight: number, nowMs: number): void {
    this.#delivering = socket;
    this.#counted.giveBack(this.#core.flights.openedMs[flight]!, nowMs);
  }

  /** What the last reply's socket has brought is damaged: no other query goes over it, unless some wait there. */
  discard(): void {
    this.#counted.closeLast();
    if (this.#delivering?.inFlight === 0) this.#delivering.retire();
  }

  retired(socket: UdpSocket): void {
    const at = this.#active.indexOf(socket);
    if (at >= 0) this.#active.splice(at, 1);
    if (this.#current === socket) this.#current = undefined;
  }

  closed(socket: UdpSocket): void {
    this.retired(socket);
    const at = this.#sockets.indexOf(socket);
    if (at >= 0) this.#sockets.splice(at, 1);
  }

  #choose(nowMs: number): UdpSocket {
    for (let i = this.#active.length - 1; i >= 0; i--) {
      const socket = this.#active[i]!;
      if (!socket.isUsable(nowMs)) socket.retire();
    }
    const { maxIdleConns } = this.#core;
    const wanted = maxIdleConns > 0 ? Math.min(maxIdleConns, SOCKETS_WANTED) : SOCKETS_WANTED;
    const active = this.#active;
    const idle = this.#idlest();
    if (idle !== undefined) return idle;
    if (active.length >= wanted) {
      const first = this.#core.ids.below(active.length);
      for (let i = 0; i < active.length; i++) {
        const socket = active[(first + i) % active.length]!;
        if (socket.inFlight < IN_FLIGHT_WANTED || (this.size >= SOCKETS_MAX && socket.inFlight < IN_FLIGHT_MAX)) {
          return socket;
        }
      }
    }
    if (this.size >= SOCKETS_MAX) throw new Error('too many queries in flight');
    return this.#open(nowMs);
  }

  /** The active socket that has nothing to do for the longest time. */
  #idlest(): UdpSocket | undefined {
    let found: UdpSocket | undefined;
    for (const socket of this.#active) {
      if (socket.inFlight === 0 && (found === undefined || socket.usedMs < found.usedMs)) found = socket;
    }
    return found;
  }

  #count(flight: number, nowMs: number): void {
    const openedMs = this.#counted.take(nowMs);
    this.#core.flights.openedMs[flight] = openedMs < 0 ? nowMs : openedMs;
    if (openedMs < 0) this.#dialling.observe(0);
    this.#core.countConnection(this.#target.index, PROTOCOL_UDP, openedMs >= 0);
  }

  #open(nowMs: number): UdpSocket {
    const socket = new UdpSocket(this.#core, this, this.#window, this.#target, nowMs);
    this.#sockets.push(socket);
    this.#active.push(socket);
    return socket;
  }
}

class UdpSocket implements UpstreamListener {
  inFlight = 0;
  /** When a query was last sent. */
  usedMs: number;
  readonly #core: RelayCore;
  readonly #pool: UdpPool;
  readonly #window: SendWindow;
  readonly #target: PoolTarget;
  readonly #socket: UdpSender;
  readonly #pending = new Uint16Array(65536);
  readonly #openedMs: number;
  #queriesLeft: number;
  #heardMs = -1;
  #head = 0;
  #tail = 0;
  #young = 0;
  /** What was sent until then is not young. */
  #agedMs = -1;
  /** Ids of queries that timed out, marked BURNT in #pending. */
  #burnt = 0;
  #isRetired: boolean = false;
  #isClosed: boolean = false;

  constructor(core: RelayCore, pool: UdpPool, window: SendWindow, target: PoolTarget, nowMs: number) {
    this.#core = core;
    this.#pool = pool;
    this.#window = window;
    this.#target = target;
    this.#openedMs = nowMs;
    this.usedMs = nowMs;
    this.#queriesLeft = QUERIES_MIN + core.ids.below(QUERIES_MIN);
    this.#socket = core.upstreams.connectUdp(target.target, this) as UdpSender;
  }

  isUsable(nowMs: number): boolean {
    const { expireMs, maxAgeMs } = this.#core;
    if (this.#isRetired || this.#queriesLeft === 0 || this.inFlight >= IN_FLIGHT_MAX) return false;
    if (this.inFlight === 0 && nowMs - this.usedMs > expireMs) return false;
    return maxAgeMs === 0 || nowMs - this.#openedMs <= maxAgeMs;
  }

  send(flight: number, nowMs: number): string | undefined {
    const { flights, ids } = this.#core;
    let id = ids.next();
    // Bounds: IN_FLIGHT_MAX leaves at least half of the ids free.
    while (this.#pending[id] !== 0) id = ids.next();
    const message = this.#core.messageOf(flight);
    const isSent =
      message.octets === undefined
        ? this.#socket.send(message.offset, message.bytes, id, message.flags)
        : this.#socket.sendOctets(message.octets, id, message.flags);
    if (!isSent) return this.#text('write', 'message not sent');
    this.#pending[id] = flight;
    flights.id[flight] = id;
    flights.sentMs[flight] = nowMs;
    flights.previous[flight] = this.#tail;
    flights.next[flight] = 0;
    if (this.#tail === 0) this.#head = flight;
    else flights.next[this.#tail] = flight;
    this.#tail = flight;
    if (this.#young === 0) this.#young = flight;
    this.#window.add(nowMs);
    this.inFlight++;
    this.#queriesLeft--;
    this.usedMs = nowMs;
    return undefined;
  }

  onMessage(offset: number, bytes: number): void {
    if (bytes < HEADER_BYTES) return;
    const { octets } = this.#core;
    const flight = this.#pending[(octets[offset]! << 8) | octets[offset + 1]!]!;
    if (flight === 0) return;
    if (flight === BURNT) {
      this.#pending[(octets[offset]! << 8) | octets[offset + 1]!] = 0;
      this.#burnt--;
      return;
    }
    const nowMs = this.#core.now();
    this.#heardMs = this.#core.flights.sentMs[flight]!;
    this.#window.observe(this.#heardMs, nowMs);
    this.#forget(flight);
    this.#pool.delivers(this, flight, nowMs);
    this.#core.onReply(flight, offset, bytes, PROTOCOL_UDP);
    this.#pool.drain(nowMs);
  }

  /** The network or the upstream's machine has refused: nothing that is under way here will be answered. */
  onError(text: string): void {
    this.retire();
    if (this.#head === 0) return;
    const failure = this.#text('read', `read: ${text}`);
    // Bounds: each round forgets one flight, and a retired socket gets no new ones.
    while (this.#head !== 0) this.#fail(this.#head, failure);
    this.#pool.drain(this.#core.now());
  }

  /** What was sent until then does not count in the window any more. */
  age(agedMs: number): void {
    const { flights } = this.#core;
    this.#agedMs = agedMs;
    while (this.#young !== 0 && flights.sentMs[this.#young]! <= agedMs) {
      this.#young = flights.next[this.#young]!;
      this.#window.out--;
    }
  }

  tick(nowMs: number): void {
    const { flights, readTimeoutMs } = this.#core;
    let failure: string | undefined;
    while (this.#head !== 0 && nowMs - flights.begunMs[this.#head]! >= readTimeoutMs) {
      failure ??= this.#text('read', 'i/o timeout');
      // Nothing has come back since: perhaps something on the way has forgotten this port (a NAT), so try another
      if (this.#heardMs < flights.sentMs[this.#head]!) this.retire();
      this.#burnt++;
      this.#fail(this.#head, failure, BURNT);
    }
    if (this.#burnt > BURNT_MAX || !this.isUsable(nowMs)) this.retire();
  }

  retire(): void {
    if (!this.#isRetired) {
      this.#isRetired = true;
      this.#pool.retired(this);
    }
    if (this.inFlight === 0) this.close();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isRetired = true;
    this.#socket.close();
    this.#pool.closed(this);
  }

  #fail(flight: number, text: string, mark = 0): void {
    this.#forget(flight, mark);
    this.#core.onFailure(flight, text);
  }

  /** @param mark stays in the flight's place: 0 = its id is free again. */
  #forget(flight: number, mark = 0): void {
    const { flights } = this.#core;
    this.#pending[flights.id[flight]!] = mark;
    const previous = flights.previous[flight]!;
    const next = flights.next[flight]!;
    if (flight === this.#young) this.#young = next;
    if (flights.sentMs[flight]! > this.#agedMs) this.#window.out--;
    if (previous === 0) this.#head = next;
    else flights.next[previous] = next;
    if (next === 0) this.#tail = previous;
    else flights.previous[next] = previous;
    this.inFlight--;
    if (this.#isRetired && this.inFlight === 0) this.close();
  }

  #text(call: string, reason: string): string {
    return `${call} udp ${this.#socket.localAddress}->${this.#target.target.text}: ${reason}`;
  }
}
