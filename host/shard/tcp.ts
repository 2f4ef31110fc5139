// DNS over TCP (RFC 7766; CoreDNS core, A4): two octets of length before each message, one query at a time in the order
// of arrival, all replies of one read joined into one write.
//
//   data ─► frames ─► LARGE_IN ─► serveOne ─┬► staging ─► one write
//                                           └► exchange: the connection stands still until its reply is there

import { setTimeout as sleep } from 'node:timers/promises';
import type { ShardSettings } from '../engine/messages.ts';
import type { NativeSockets } from '../net/sockets.ts';
import type { Stream, StreamListener, StreamOwner } from '../net/stream.ts';
import { StreamOpener } from '../net/tcp.ts';
import type { Listening } from './generation.ts';
import { StreamBudget } from './stream-budget.ts';
import { DeadlineList, sinceMs } from './stream-deadlines.ts';
import { StreamTurns } from './stream-turns.ts';
import { TcpConnection, type TcpParts } from './tcp-connection.ts';

export type TcpLimits = ShardSettings['tcp'];

const WRITTEN_LOOK_MS = 10;

/** All TCP connections of one shard. */
export class TcpStreams {
  readonly #parts: TcpParts;
  readonly #opener: StreamOpener;
  readonly limits: TcpLimits;
  /** Connections that have not sent a whole message yet. */
  readonly fresh: DeadlineList;
  readonly idle: DeadlineList;
  readonly turns = new StreamTurns();
  readonly budget: StreamBudget;
  readonly #connections = new Set<TcpConnection>();
  #isLettingGo = false;

  /** @param sockets absent: node:net */
  constructor(parts: Omit<TcpParts, 'streams'>, limits: TcpLimits, sockets: NativeSockets | undefined) {
    this.#parts = { ...parts, streams: this };
    this.#opener = new StreamOpener(sockets);
    this.limits = limits;
    this.budget = new StreamBudget(limits.keptBytesMax);
    this.fresh = new DeadlineList(limits.firstMessageMs);
    this.idle = new DeadlineList(limits.idleMs);
  }

  /** Listens on one address; rejects with ListenError. */
  async listen(listening: Listening): Promise<TcpListener> {
    const { address, port } = listening;
    const listener = await this.#opener.listen(address, port, (stream) => this.#accept(listening, stream));
    return new TcpListener(listening, listener, this);
  }

  /** Closes connections whose deadline has passed. Called every heartbeat. */
  sweep(nowMs: number): void {
    this.fresh.sweep(nowMs, destroyLate);
    this.idle.sweep(nowMs, destroyLate);
    for (const connection of this.#connections) connection.chargeUnseen();
    this.keepBudget();
  }

  /** Closes those who cost most, if all of them keep too much. Not while a connection is being served. */
  keepBudget(): void {
    if (this.budget.isExceeded) this.budget.makeRoom(this.#connections, performance.now());
  }

  /** Connections end behind their next reply: the one moment when a client that waits for it has nothing under way. */
  get isLettingGo(): boolean {
    return this.#isLettingGo;
  }

  letGo(): void {
    this.#isLettingGo = true;
  }

  /** Connections of one listener, or all: those that wait for a reply end behind it, the others now. */
  endConnections(listening?: Listening): void {
    for (const connection of this.#connections) {
      if (listening === undefined || connection.listening === listening) connection.endSoon();
    }
  }

  /** Resolves when all replies have left the process, or the time is over. */
  async written(withinMs: number): Promise<void> {
    const endMs = performance.now() + withinMs;
    const isUnsent = (connection: TcpConnection): boolean => connection.unsentBytes > 0;
    while ([...this.#connections].some(isUnsent) && performance.now() < endMs) await sleep(WRITTEN_LOOK_MS);
  }

  /** The end of the shard: its listeners are closed. */
  close(): void {
    for (const connection of this.#connections) connection.destroy();
    this.#opener.close();
  }

  forget(connection: TcpConnection): void {
    this.#connections.delete(connection);
  }

  #accept(listening: Listening, stream: Stream): StreamOwner | undefined {
    this.turns.hurry();
    if (this.#connections.size >= this.limits.connectionsMax && !this.#makeRoom()) {
      stream.destroy();
      return undefined;
    }
    const connection = new TcpConnection(this.#parts, listening, stream);
    this.#connections.add(connection);
    return connection;
  }

  /** Closes the connection that has been silent longest; false if all of them wait for replies. */
  #makeRoom(): boolean {
    const [fresh, idle] = [this.fresh.head, this.idle.head];
    const silent = fresh === undefined || (idle !== undefined && sinceMs(idle) < sinceMs(fresh)) ? idle : fresh;
    if (silent === undefined) return false;
    (silent as TcpConnection).destroy();
    return true;
  }
}

export class TcpListener {
  readonly listening: Listening;
  readonly #listener: StreamListener;
  readonly #streams: TcpStreams;

  constructor(listening: Listening, listener: StreamListener, streams: TcpStreams) {
    this.listening = listening;
    this.#listener = listener;
    this.#streams = streams;
  }

  /** Takes no more connections and ends those it has. */
  close(): void {
    this.#listener.close();
    this.#streams.endConnections(this.listening);
  }
}

function destroyLate(member: unknown): void {
  (member as TcpConnection).destroy();
}
