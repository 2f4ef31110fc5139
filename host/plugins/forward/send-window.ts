// How many datagrams may be on their way to one upstream. A burst larger than what the upstream's socket buffer takes
// (Linux: 212,992 octets by default, 250 small datagrams) is lost in part, and whoever waits for a lost one waits for
// all of `read_timeout`. So beyond the window queries wait until replies have come, but never for long.

/** Two shards fill no more than the buffer of an upstream next door that does not read for a while. */
const WINDOW = 128;
/** More for each millisecond that a reply takes: far upstreams get at least 50 queries a millisecond. */
const WINDOW_PER_MS = 64;
/** With so few on their way, the time that a reply takes is the way's and not that of our own queue. */
const CALM = 64;
const PERIOD_MS = 10_000;
/** A datagram without a reply counts for so long, and a query waits no longer. */
const HOLD_MS = 50;

export class SendWindow {
  /** How long a query waits at most, and a datagram counts; not 0, or what leaves in a tick would be old already. */
  readonly holdMs: number;
  /** Datagrams on their way: sent less than `holdMs` ago and not answered. */
  out = 0;
  #room = WINDOW;
  /** When a datagram last joined more than CALM others. */
  #crowdedMs = -1;
  /** The shortest round trip of late; negative: none is known. */
  #leastMs = -1;
  #periodMs = 0;
  #periodLeastMs = Number.POSITIVE_INFINITY;

  constructor(readTimeoutMs: number) {
    this.holdMs = Math.max(1, Math.min(HOLD_MS, readTimeoutMs / 4));
  }

  get isOpen(): boolean {
    return this.out < this.#room;
  }

  /** A datagram leaves. */
  add(nowMs: number): void {
    if (this.out >= CALM) this.#crowdedMs = nowMs;
    this.out++;
  }

  /**
   * The reply to what was sent then has come. Any round trip may lower the shortest one; only those without a queue of ours on the way may
   * raise it, or a slow upstream would get more and more at once.
   */
  observe(sentMs: number, nowMs: number): void {
    const roundTripMs = nowMs - sentMs;
    if (sentMs > this.#crowdedMs) {
      this.#periodLeastMs = Math.min(this.#periodLeastMs, roundTripMs);
      if (nowMs - this.#periodMs >= PERIOD_MS) {
        this.#periodMs = nowMs;
        this.#leastMs = this.#periodLeastMs;
        this.#periodLeastMs = Number.POSITIVE_INFINITY;
        this.#resize();
      }
    }
    if (this.#leastMs < 0 || roundTripMs < this.#leastMs) {
      this.#leastMs = roundTripMs;
      this.#resize();
    }
  }

  #resize(): void {
    this.#room = WINDOW + WINDOW_PER_MS * Math.floor(this.#leastMs);
  }
}
