// Flights: one question on its way to the upstreams of a stanza, and the waiters that asked it. Parallel arrays
// instead of objects, because a flight lasts one query and nothing may be allocated for a query.
//
//   flight ─► head waiter ─► next waiter ... ─► tail waiter      oldest first
//      └ chained by hash, so that an equal question finds it
//
// A waiter is a number: 2 x handle for an exchange, 2 x job + 1 for a question of the slow face.

/** Flights of one stanza and shard; their numbers fit the 16-bit pending tables. 0 is no flight. */
export const FLIGHTS_MAX = 65534;
/** How long after its attempt began a flight takes others on board, who would miss a lost reply with it. */
export const SHARED_MS = 100;
// Bits of FlightTable.flags
export const FLIGHT_STREAM = 1;
export const FLIGHT_AD = 2;
/** The running attempt goes over TCP although the stanza's options and the client say UDP. */
export const FLIGHT_TCP = 4;
/** All upstreams are down: the running attempt is a guess, and the last one. */
export const FLIGHT_GUESS = 8;
export const FLIGHT_LISTED = 16;
export const FLIGHT_KIND = FLIGHT_STREAM | FLIGHT_AD;

const FLIGHTS_FIRST = 256;
const WAITERS_FIRST = 1024;
const BUCKETS = 4096;

export class FlightTable {
  /** When the running attempt began, and when its message was sent, in the clock's milliseconds. */
  begunMs: Float64Array;
  sentMs: Float64Array;
  /** When CoreDNS would have opened the connection that the running attempt goes over. */
  openedMs: Float64Array;
  /** Upstream of the running attempt. */
  upstream: Uint8Array;
  /** FLIGHT_ bits */
  flags: Uint8Array;
  /** Message id of the running attempt. */
  id: Uint16Array;
  /** Place in the order of upstreams, and how many of them were skipped as down in this round. */
  place: Uint8Array;
  skipped: Uint8Array;
  /** Replies that were given up for another upstream (failover). */
  failovers: Uint8Array;
  /** `orders[flight x upstreams]`: the order of upstreams. */
  orders: Uint8Array;
  /** Links of the list that the connection keeps, in order of sending. */
  previous: Uint16Array;
  next: Uint16Array;
  head: Int32Array;
  tail: Int32Array;
  hash: Int32Array;
  /** Free list, and chain of a bucket. */
  chain: Uint16Array;

  nextWaiter = new Int32Array(WAITERS_FIRST);
  /** When the waiter joined. */
  joinedMs = new Float64Array(WAITERS_FIRST);
  /** Attempts that count for the waiter. */
  attempts = new Uint32Array(WAITERS_FIRST);

  /** Flights in use. */
  count = 0;
  readonly #upstreams: number;
  readonly #buckets = new Uint16Array(BUCKETS);
  #free = 0;

  /** @param upstreams of the stanza, 0..255 */
  constructor(upstreams: number) {
    this.#upstreams = Math.max(upstreams, 1);
    this.begunMs = new Float64Array(FLIGHTS_FIRST);
    this.sentMs = new Float64Array(FLIGHTS_FIRST);
    this.openedMs = new Float64Array(FLIGHTS_FIRST);
    this.upstream = new Uint8Array(FLIGHTS_FIRST);
    this.flags = new Uint8Array(FLIGHTS_FIRST);
    this.id = new Uint16Array(FLIGHTS_FIRST);
    this.place = new Uint8Array(FLIGHTS_FIRST);
    this.skipped = new Uint8Array(FLIGHTS_FIRST);
    this.failovers = new Uint8Array(FLIGHTS_FIRST);
    this.orders = new Uint8Array(FLIGHTS_FIRST * this.#upstreams);
    this.previous = new Uint16Array(FLIGHTS_FIRST);
    this.next = new Uint16Array(FLIGHTS_FIRST);
    this.head = new Int32Array(FLIGHTS_FIRST);
    this.tail = new Int32Array(FLIGHTS_FIRST);
    this.hash = new Int32Array(FLIGHTS_FIRST);
    this.chain = new Uint16Array(FLIGHTS_FIRST);
    this.#addFree(1, FLIGHTS_FIRST);
  }

  orderAt(flight: number): number {
    return flight * this.#upstreams;
  }

  /** A flight with nothing set but its flags; 0 when there are FLIGHTS_MAX. */
  claim(flags: number): number {
    if (this.#free === 0 && !this.#grow()) return 0;
    const flight = this.#free;
    this.#free = this.chain[flight]!;
    this.chain[flight] = 0;
    this.flags[flight] = flags;
    this.place[flight] = 0;
    this.skipped[flight] = 0;
    this.failovers[flight] = 0;
    this.head[flight] = 0;
    this.tail[flight] = 0;
    this.count++;
    return flight;
  }

  /** The flight must not be listed any more. */
  release(flight: number): void {
    this.head[flight] = 0;
    this.chain[flight] = this.#free;
    this.#free = flight;
    this.count--;
  }

  /** Calls back for each flight in use. */
  each(visit: (flight: number) => void): void {
    for (let flight = 1; flight < this.head.length; flight++) if (this.head[flight] !== 0) visit(flight);
  }

  /** First flight of the bucket; follow `chain`, compare `hash`. */
  bucket(hash: number): number {
    return this.#buckets[(hash ^ (hash >>> 16)) & (BUCKETS - 1)]!;
  }

  list(flight: number, hash: number): void {
    const bucket = (hash ^ (hash >>> 16)) & (BUCKETS - 1);
    this.hash[flight] = hash;
    this.chain[flight] = this.#buckets[bucket]!;
    this.#buckets[bucket] = flight;
  }

  unlist(flight: number): void {
    const hash = this.hash[flight]!;
    const bucket = (hash ^ (hash >>> 16)) & (BUCKETS - 1);
    let at = this.#buckets[bucket]!;
    if (at === flight) {
      this.#buckets[bucket] = this.chain[flight]!;
      return;
    }
    // Bounds: a chain has each flight once and ends in 0; a flight that is listed nowhere is a bug.
    while (at !== 0 && this.chain[at] !== flight) at = this.chain[at]!;
    if (at !== 0) this.chain[at] = this.chain[flight]!;
  }

  join(flight: number, waiter: number, nowMs: number): void {
    if (waiter >= this.nextWaiter.length) this.#growWaiters(waiter);
    this.nextWaiter[waiter] = 0;
    this.joinedMs[waiter] = nowMs;
    this.attempts[waiter] = 0;
    const tail = this.tail[flight]!;
    if (tail === 0) this.head[flight] = waiter;
    else this.nextWaiter[tail] = waiter;
    this.tail[flight] = waiter;
  }

  #addFree(first: number, end: number): void {
    for (let flight = end - 1; flight >= first; flight--) {
      this.chain[flight] = this.#free;
      this.#free = flight;
    }
  }

  #grow(): boolean {
    const held = this.head.length;
    if (held > FLIGHTS_MAX) return false;
    const room = Math.min(held * 2, FLIGHTS_MAX + 1);
    this.begunMs = grown(this.begunMs, new Float64Array(room));
    this.sentMs = grown(this.sentMs, new Float64Array(room));
    this.openedMs = grown(this.openedMs, new Float64Array(room));
    this.upstream = grown(this.upstream, new Uint8Array(room));
    this.flags = grown(this.flags, new Uint8Array(room));
    this.id = grown(this.id, new Uint16Array(room));
    this.place = grown(this.place, new Uint8Array(room));
    this.skipped = grown(this.skipped, new Uint8Array(room));
    this.failovers = grown(this.failovers, new Uint8Array(room));
    this.orders = grown(this.orders, new Uint8Array(room * this.#upstreams));
    this.previous = grown(this.previous, new Uint16Array(room));
    this.next = grown(this.next, new Uint16Array(room));
    this.head = grown(this.head, new Int32Array(room));
    this.tail = grown(this.tail, new Int32Array(room));
    this.hash = grown(this.hash, new Int32Array(room));
    this.chain = grown(this.chain, new Uint16Array(room));
    this.#addFree(held, room);
    return true;
  }

  #growWaiters(waiter: number): void {
    let room = this.nextWaiter.length;
    while (room <= waiter) room *= 2;
    this.nextWaiter = grown(this.nextWaiter, new Int32Array(room));
    this.joinedMs = grown(this.joinedMs, new Float64Array(room));
    this.attempts = grown(this.attempts, new Uint32Array(room));
  }
}

function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
