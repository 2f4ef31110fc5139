// TCP connections to one upstream, one query on each at a time, the oldest idle one first (as CoreDNS: the load
// spreads over source ports).

import type { UpstreamListener } from '../../plugin/contract.ts';
import { type PoolTarget, PROTOCOL_TCP, type RelayCore } from './connection.ts';
import type { Dialling } from './dialling.ts';
import type { TcpSender } from './message-sender.ts';
import { dialledPath } from './targets.ts';

const HEADER_BYTES = 12;

export class TcpPool {
  readonly #core: RelayCore;
  readonly #target: PoolTarget;
  readonly #idle: TcpConnection[] = [];
  readonly #all = new Set<TcpConnection>();
  readonly #dialling: Dialling;
  #delivering: TcpConnection | undefined;

  constructor(core: RelayCore, target: PoolTarget, dialling: Dialling) {
    this.#core = core;
    this.#target = target;
    this.#dialling = dialling;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Sends the flight's message, now or when connected; returns why it could not, in CoreDNS's words. */
  send(flight: number, nowMs: number): string | undefined {
    for (let pooled = this.#idle.shift(); pooled !== undefined; pooled = this.#idle.shift()) {
      if (!pooled.isFresh(nowMs)) {
        pooled.close();
        continue;
      }
      this.#core.countConnection(this.#target.index, PROTOCOL_TCP, true);
      // Closed by the peer meanwhile: the query finds it out, and takes another one at once
      if (!pooled.take(flight, nowMs)) continue;
      return undefined;
    }
    this.#core.countConnection(this.#target.index, PROTOCOL_TCP, false);
    try {
      this.#all.add(new TcpConnection(this.#core, this, this.#target, flight, nowMs, this.#dialling.timeoutMs));
    } catch (error) {
      return `dial tcp ${dialledPath(this.#target.target)}: ${(error as Error).message}`;
    }
    return undefined;
  }

  tick(nowMs: number): void {
    for (const connection of this.#all) connection.tick(nowMs);
  }

  close(): void {
    for (const connection of [...this.#all]) connection.close();
  }

  dialled(milliseconds: number): void {
    this.#dialling.observe(milliseconds);
  }

  /** The connection hands over a reply. */
  delivers(connection: TcpConnection): void {
    this.#delivering = connection;
  }

  /** What the last reply's connection has brought is damaged: it is not used again. */
  discard(): void {
    this.#delivering?.close();
  }

  yielded(connection: TcpConnection): void {
    const { maxIdleConns } = this.#core;
    if (maxIdleConns > 0 && this.#idle.length >= maxIdleConns) connection.close();
    else this.#idle.push(connection);
  }

  closed(connection: TcpConnection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}

/** ended: idle, and closed by the peer. */
type State = 'dialling' | 'busy' | 'idle' | 'ended' | 'closed';

class TcpConnection implements UpstreamListener {
  readonly #core: RelayCore;
  readonly #pool: TcpPool;
  readonly #target: PoolTarget;
  readonly #socket: TcpSender;
  readonly #openedMs: number;
  #state: State = 'dialling';
  /** Of the query under way; 0 = none. */
  #flight: number;
  #usedMs = 0;
  #isPooled: boolean = false;

  constructor(
    core: RelayCore,
    pool: TcpPool,
    target: PoolTarget,
    flight: number,
    nowMs: number,
    dialTimeoutMs: number,
  ) {
    this.#core = core;
    this.#pool = pool;
    this.#target = target;
    this.#flight = flight;
    this.#openedMs = nowMs;
    core.flights.sentMs[flight] = nowMs;
    this.#socket = core.upstreams.connectTcp(target.target, dialTimeoutMs, this) as TcpSender;
  }

  isFresh(nowMs: number): boolean {
    const { expireMs, maxAgeMs } = this.#core;
    return nowMs - this.#usedMs <= expireMs && (maxAgeMs === 0 || nowMs - this.#openedMs <= maxAgeMs);
  }

  /** False: the peer has closed the connection. */
  take(flight: number, nowMs: number): boolean {
    if (this.#state === 'ended') {
      this.close();
      return false;
    }
    this.#flight = flight;
    this.#isPooled = true;
    this.#send(nowMs);
    return true;
  }

  onOpen(): void {
    if (this.#state !== 'dialling') return;
    const nowMs = this.#core.now();
    this.#pool.dialled(nowMs - this.#openedMs);
    this.#send(nowMs);
  }

  onMessage(offset: number, bytes: number): void {
    // Nobody asked: CoreDNS would read it with the next query, and skip it for its id
    if (this.#state !== 'busy') return;
    const { flights, octets } = this.#core;
    const flight = this.#flight;
    if (bytes < HEADER_BYTES) {
      this.#fail('dns: short read');
      return;
    }
    if (((octets[offset]! << 8) | octets[offset + 1]!) !== flights.id[flight]) return;
    this.#flight = 0;
    this.#state = 'idle';
    this.#usedMs = this.#core.now();
    this.#pool.yielded(this);
    this.#pool.delivers(this);
    this.#core.onReply(flight, offset, bytes, PROTOCOL_TCP);
  }

  onError(text: string): void {
    if (this.#state === 'busy') this.#fail(this.#text(`read: ${text}`));
    else if (this.#state === 'dialling') this.#fail(this.#dialText(text));
    else this.close();
  }

  onClose(isCut: boolean): void {
    if (this.#state === 'busy' && isCut) this.#fail('unexpected EOF');
    else if (this.#state === 'busy' && this.#isPooled) this.#stale();
    else if (this.#state === 'busy') this.#fail('EOF');
    else if (this.#state === 'dialling') this.#fail(this.#dialText('connect: connection reset by peer'));
    else if (this.#state === 'idle') this.#state = 'ended';
  }

  tick(nowMs: number): void {
    if ((this.#state === 'idle' || this.#state === 'ended') && !this.isFresh(nowMs)) this.close();
    if (this.#state !== 'busy') return;
    if (nowMs - this.#core.flights.sentMs[this.#flight]! >= this.#core.readTimeoutMs) {
      this.#fail(this.#text('i/o timeout'));
    }
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#flight = 0;
    this.#socket.close();
    this.#pool.closed(this);
  }

  #send(nowMs: number): void {
    const { flights, ids } = this.#core;
    const message = this.#core.messageOf(this.#flight);
    const id = ids.next();
    flights.id[this.#flight] = id;
    // A dial counts towards the duration, not towards the read timeout: CoreDNS's deadline begins with the query
    flights.sentMs[this.#flight] = nowMs;
    this.#state = 'busy';
    if (message.octets === undefined) this.#socket.send(message.offset, message.bytes, id, message.flags);
    else this.#socket.sendOctets(message.octets, id, message.flags);
  }

  #stale(): void {
    const flight = this.#flight;
    this.close();
    this.#core.onStale(flight);
  }

  #fail(text: string): void {
    const flight = this.#flight;
    this.close();
    this.#core.onFailure(flight, text);
  }

  /** Also tells the pool how long the dial took that has failed. */
  #dialText(text: string): string {
    this.#pool.dialled(this.#core.now() - this.#openedMs);
    return `dial tcp ${dialledPath(this.#target.target)}: ${text}`;
  }

  #text(reason: string): string {
    return `read tcp ${this.#socket.localAddress}->${this.#target.target.text}: ${reason}`;
  }
}
