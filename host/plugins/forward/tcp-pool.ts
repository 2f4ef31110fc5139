// TCP connections to one upstream, one query on each at a time, the oldest idle one first (as CoreDNS: the load
// spreads over source ports).

import type { UpstreamListener } from '../../plugin/contract.ts';
import { type PoolTarget, PROTOCOL_TCP, type RelayCore } from './connection.ts';
import type { TcpSender } from './message-sender.ts';

/** The dial timeout is twice the mean time of recent dials, within these limits. CoreDNS waits up to 30 s; the client
 *  of a query has 5 s. */
const DIAL_MS_MIN = 1000;
const DIAL_MS_MAX = 5000;
const DIAL_WEIGHT = 4;
const HEADER_BYTES = 12;

export class TcpPool {
  readonly #core: RelayCore;
  readonly #target: PoolTarget;
  readonly #idle: TcpConnection[] = [];
  readonly #all = new Set<TcpConnection>();
  #meanDialMs = DIAL_MS_MAX;

  constructor(core: RelayCore, target: PoolTarget) {
    this.#core = core;
    this.#target = target;
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
      pooled.take(flight, nowMs);
      return undefined;
    }
    this.#core.countConnection(this.#target.index, PROTOCOL_TCP, false);
    const timeoutMs = Math.min(Math.max(2 * this.#meanDialMs, DIAL_MS_MIN), DIAL_MS_MAX);
    try {
      this.#all.add(new TcpConnection(this.#core, this, this.#target, flight, nowMs, timeoutMs));
    } catch (error) {
      return `dial tcp ${this.#target.target.text}: ${(error as Error).message}`;
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
    this.#meanDialMs += (milliseconds - this.#meanDialMs) / DIAL_WEIGHT;
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

type State = 'dialling' | 'busy' | 'idle' | 'closed';

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

  take(flight: number, nowMs: number): void {
    this.#flight = flight;
    this.#isPooled = true;
    this.#send(nowMs);
  }

  onOpen(): void {
    if (this.#state !== 'dialling') return;
    const nowMs = this.#core.now();
    this.#pool.dialled(nowMs - this.#openedMs);
    this.#send(nowMs);
  }

  onMessage(offset: number, bytes: number): void {
    if (this.#state !== 'busy') {
      // Nobody asked: what follows on this connection could not be told apart from an answer
      this.close();
      return;
    }
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
    this.#core.onReply(flight, offset, bytes, PROTOCOL_TCP);
  }

  onError(text: string): void {
    if (this.#state === 'busy' && this.#isPooled) this.#stale();
    else if (this.#state === 'busy') this.#fail(this.#text(`read: ${text}`));
    else if (this.#state === 'dialling') this.#fail(this.#dialText(text));
    else this.close();
  }

  onClose(): void {
    if (this.#state === 'busy' && this.#isPooled) this.#stale();
    else if (this.#state === 'busy') this.#fail('EOF');
    else if (this.#state === 'dialling') this.#fail(this.#dialText('connection reset by peer'));
    else this.close();
  }

  tick(nowMs: number): void {
    if (this.#state === 'idle' && !this.isFresh(nowMs)) this.close();
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

  #dialText(text: string): string {
    const reason = text === 'i/o timeout' ? text : `connect: ${text}`;
    return `dial tcp ${this.#target.target.text}: ${reason}`;
  }

  #text(reason: string): string {
    return `read tcp ${this.#socket.localAddress}->${this.#target.target.text}: ${reason}`;
  }
}
