// What CoreDNS's pool of UDP connections to one upstream would hold, for the counters of hits and misses alone. It has
// one query at a time on each connection: the oldest idle one is taken, or another is opened; one that brought a reply
// comes back, one that brought an error or nothing is closed. Our sockets carry many queries each (udp-pool.ts), and
// must not be told from that by dashboards.

import type { RelayCore } from './connection.ts';

const ROOM_FIRST = 64;

export class IdleConnections {
  readonly #limits: Pick<RelayCore, 'expireMs' | 'maxAgeMs' | 'maxIdleConns'>;
  /** A ring: when each connection was opened, and when its last reply came; the oldest first. */
  #openedMs = new Float64Array(ROOM_FIRST);
  #usedMs = new Float64Array(ROOM_FIRST);
  #first = 0;
  #count = 0;

  constructor(limits: Pick<RelayCore, 'expireMs' | 'maxAgeMs' | 'maxIdleConns'>) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#count;
  }

  /** When the connection that a query takes was opened; -1: there is none, and one has to be opened. */
  take(nowMs: number): number {
    const { expireMs, maxAgeMs } = this.#limits;
    while (this.#count > 0) {
      const at = this.#first;
      this.#first = (at + 1) & (this.#usedMs.length - 1);
      this.#count--;
      const isFresh = nowMs - this.#usedMs[at]! <= expireMs;
      if (isFresh && (maxAgeMs === 0 || nowMs - this.#openedMs[at]! <= maxAgeMs)) return this.#openedMs[at]!;
    }
    return -1;
  }

  /** A reply has come. */
  giveBack(openedMs: number, nowMs: number): void {
    const { maxIdleConns } = this.#limits;
    if (maxIdleConns > 0 && this.#count >= maxIdleConns) return;
    if (this.#count === this.#usedMs.length) this.#grow();
    const at = (this.#first + this.#count) & (this.#usedMs.length - 1);
    this.#openedMs[at] = openedMs;
    this.#usedMs[at] = nowMs;
    this.#count++;
  }

  /** The reply that came last was damaged: its connection is closed. */
  closeLast(): void {
    if (this.#count > 0) this.#count--;
  }

  /** Bounds: there are at most as many as there ever were flights at the same time. */
  #grow(): void {
    const held = this.#usedMs.length;
    this.#openedMs = unrolled(this.#openedMs, this.#first, held);
    this.#usedMs = unrolled(this.#usedMs, this.#first, held);
    this.#first = 0;
  }
}

/** The ring with its first item in front, and twice the room. */
function unrolled(ring: Float64Array, first: number, held: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(held * 2);
  grown.set(ring.subarray(first));
  grown.set(ring.subarray(0, first), held - first);
  return grown;
}
