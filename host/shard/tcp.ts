// DNS over TCP (RFC 7766; CoreDNS core, A4): two octets of length before each message, one query at a time in the order
// of arrival, all replies of one read joined into one write.
//
//   data ─► frames ─► LARGE_IN ─► serveOne ─┬► staging ─► one write
//                                           └► exchange: the connection stands still until its reply is there

import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ShardSettings } from '../engine/messages.ts';
import { ListenError } from '../net/transport.ts';
import type { Listening } from './generation.ts';
import { StreamBudget } from './stream-budget.ts';
import { DeadlineList, sinceMs } from './stream-deadlines.ts';
import { StreamTurns } from './stream-turns.ts';
import { TcpConnection, type TcpParts } from './tcp-connection.ts';

export type TcpLimits = ShardSettings['tcp'];

const BACKLOG = 4096;
const WRITTEN_LOOK_MS = 10;

/** All TCP connections of one shard. */
export class TcpStreams {
  readonly #parts: Omit<TcpParts, 'streams'>;
  readonly limits: TcpLimits;
  /** Connections that have not sent a whole message yet. */
  readonly fresh: DeadlineList;
  readonly idle: DeadlineList;
  readonly turns = new StreamTurns();
  readonly budget: StreamBudget;
  readonly #connections = new Set<TcpConnection>();
  #isLettingGo = false;

  constructor(parts: Omit<TcpParts, 'streams'>, limits: TcpLimits) {
    this.#parts = parts;
    this.limits = limits;
    this.budget = new StreamBudget(limits.keptBytesMax);
    this.fresh = new DeadlineList(limits.firstMessageMs);
    this.idle = new DeadlineList(limits.idleMs);
  }

  /** Listens on one address; rejects with ListenError. */
  async listen(listening: Listening, isWild: boolean): Promise<TcpListener> {
    const hosts = isWild ? ['::', '0.0.0.0'] : [listening.address];
    for (;;) {
      const host = hosts.shift()!;
      const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(listening, socket));
      try {
        await listenOn(server, host, listening.port);
        return new TcpListener(listening, server, this);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        const isIpv6Missing = code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL' || code === 'EINVAL';
        if (!isIpv6Missing || hosts.length === 0)
          throw new ListenError('tcp', listening.address, listening.port, error);
      }
    }
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

  destroyAll(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  forget(connection: TcpConnection): void {
    this.#connections.delete(connection);
  }

  #accept(listening: Listening, socket: Socket): void {
    this.turns.hurry();
    if (this.#connections.size >= this.limits.connectionsMax && !this.#makeRoom()) {
      socket.destroy();
      return;
    }
    const connection = TcpConnection.accept({ ...this.#parts, streams: this }, listening, socket);
    if (connection !== undefined) this.#connections.add(connection);
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
  readonly #server: Server;
  readonly #streams: TcpStreams;

  constructor(listening: Listening, server: Server, streams: TcpStreams) {
    this.listening = listening;
    this.#server = server;
    this.#streams = streams;
  }

  /** The port in use. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : this.listening.port;
  }

  /** Takes no more connections and ends those it has. */
  close(): void {
    this.#server.close();
    this.#streams.endConnections(this.listening);
  }
}

function destroyLate(member: unknown): void {
  (member as TcpConnection).destroy();
}

function listenOn(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG, reusePort: hasReusePort(), ipv6Only: false, exclusive: true }, () => {
      server.off('error', reject);
      // A failed accept (descriptors used up) concerns one connection; the listener goes on
      server.on('error', () => {});
      resolve();
    });
  });
}

function hasReusePort(): boolean {
  return ['linux', 'freebsd', 'dragonfly', 'aix', 'sunos'].includes(process.platform);
}
