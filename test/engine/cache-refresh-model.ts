// CoreDNS's plugin cache with its refreshes as plain maps without bounds. A refresh is two calls: its beginning, and
// its reply.

export type Kind = 'answer' | 'nxdomain' | 'nodata' | 'empty' | 'servfail' | 'refused' | 'truncated' | 'none';

export interface Options {
  readonly stale: number;
  readonly verifies: boolean;
  readonly prefersPositive: boolean;
  readonly keepTtl: boolean;
  readonly staleTtl: number;
  readonly recheckMs: number;
  readonly prefetch: readonly [amount: number, windowMs: number, percent: number];
}

export interface Item {
  readonly at: number;
  readonly ttl: number;
  readonly kind: Kind;
  readonly address: number;
  hits: number;
  last: number | undefined;
  /** No refresh may begin before. */
  holdUntil: number;
  /** The last answer, kept beside a reply that answers nothing. */
  kept: Item | undefined;
}

interface Given {
  readonly name: string;
  readonly kind: Kind;
  readonly ttl: number;
}

const HOLD_MS = 45_000;
const DENIALS: readonly Kind[] = ['nxdomain', 'nodata', 'servfail'];

export class Model {
  readonly success = new Map<string, Item>();
  readonly denial = new Map<string, Item>();
  readonly options: Options;

  constructor(options: Options) {
    this.options = options;
  }

  left(item: Item, now: number): number {
    return item.ttl - Math.floor((now - item.at) / 1000);
  }

  usable(item: Item | undefined, now: number): item is Item {
    if (item === undefined) return false;
    const left = this.left(item, now);
    return left > 0 || -left < this.options.stale;
  }

  find(name: string, now: number): Item | undefined {
    const key = name.toLowerCase();
    const success = this.success.get(key);
    const denial = this.denial.get(key);
    if (this.options.prefersPositive && this.options.stale > 0) {
      const answer = success?.kind === 'answer' ? success : success?.kept;
      if (this.usable(answer, now)) return answer;
    }
    if (this.usable(denial, now)) {
      return denial.kind === 'servfail' && this.usable(success, now) ? success : denial;
    }
    return this.usable(success, now) ? success : undefined;
  }

  isDenial(item: Item): boolean {
    return DENIALS.includes(item.kind);
  }

  shownTtl(item: Item, now: number): number {
    const left = this.left(item, now);
    if (left <= 0 && this.options.staleTtl > 0) return this.options.staleTtl;
    return this.options.keepTtl ? item.ttl : Math.max(0, left);
  }

  beginsVerify(item: Item, now: number): boolean {
    if (this.left(item, now) > 0 || !this.options.verifies) return false;
    return this.options.recheckMs === 0 || this.takeHold(item, now);
  }

  /** True if a refresh begins. */
  served(item: Item, now: number): boolean {
    const left = this.left(item, now);
    if (left <= 0) return !this.options.verifies && this.takeHold(item, now);
    const [amount, windowMs, percent] = this.options.prefetch;
    if (amount === 0) return false;
    item.hits = item.last === undefined || now - item.last > windowMs ? 1 : item.hits + 1;
    item.last = now;
    return item.hits >= amount && left <= Math.ceil((percent / 100) * item.ttl) && this.takeHold(item, now);
  }

  takeHold(item: Item, now: number): boolean {
    if (now < item.holdUntil) return false;
    item.holdUntil = now + HOLD_MS;
    return true;
  }

  clamped({ kind, ttl }: Given): number {
    if (kind === 'servfail') return 4;
    if (kind === 'nxdomain' || kind === 'nodata') return Math.min(Math.max(ttl, 1), 10);
    return Math.min(Math.max(kind === 'refused' ? 5 : ttl, 2), 60);
  }

  /** Stores what may be stored; the TTL that a client sees. */
  store(given: Given, address: number, now: number, removesDenial = false): number {
    const ttl = this.clamped(given);
    const { kind } = given;
    if (kind === 'refused' || kind === 'truncated') return ttl;
    const key = given.name.toLowerCase();
    const item: Item = { at: now, ttl, kind, address, hits: 0, last: undefined, holdUntil: 0, kept: undefined };
    if (this.isDenial(item)) {
      this.denial.set(key, item);
      return ttl;
    }
    const before = this.success.get(key);
    const prefers = this.options.prefersPositive;
    if (prefers && kind !== 'answer') item.kept = before?.kind === 'answer' ? before : before?.kept;
    this.success.set(key, item);
    if (prefers ? kind === 'answer' : removesDenial) this.denial.delete(key);
    return ttl;
  }

  /** The reply to a refresh of `item`: the TTL that a client sees, -1: the entry stays. */
  refreshed(given: Given, address: number, item: Item, begunAt: number, now: number, isBackground: boolean): number {
    const wasStale = this.left(item, begunAt) <= 0;
    const isThere = this.isThere(given.name, item);
    const isNothing = given.kind === 'none' || (wasStale && given.kind === 'truncated');
    const isAccepted = !isNothing && (!wasStale || this.accepts(given.kind));
    let ttl = -1;
    if (!isNothing && (isAccepted || this.options.prefersPositive)) {
      ttl = this.store(given, address, now, isBackground);
    }
    if (isAccepted && isBackground) this.carry(given.name, item, begunAt, isThere);
    if (this.isThere(given.name, item) && (isBackground || this.options.recheckMs > 0)) {
      const isFailed = wasStale && !isAccepted;
      item.holdUntil = isFailed && this.options.recheckMs > 0 ? now + this.options.recheckMs : 0;
    }
    return isAccepted ? ttl : -1;
  }

  accepts(kind: Kind): boolean {
    if (this.options.prefersPositive) return kind === 'answer';
    return kind !== 'servfail' && kind !== 'refused';
  }

  carry(name: string, item: Item, begunAt: number, wasThere: boolean): void {
    const key = name.toLowerCase();
    const heir = this.denial.get(key) ?? this.success.get(key);
    if (heir === undefined) return;
    const hits = wasThere ? item.hits : 0;
    heir.hits = hits;
    heir.last = begunAt + Math.min(0, this.left(item, begunAt)) * 1000;
  }

  isThere(name: string, item: Item): boolean {
    const key = name.toLowerCase();
    const success = this.success.get(key);
    return success === item || success?.kept === item || this.denial.get(key) === item;
  }
}
