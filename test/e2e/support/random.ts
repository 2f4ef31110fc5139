// Seeded random numbers: a failing run is repeated with WASMDNS_E2E_SEED.

export class Random {
  readonly seed: number;
  private state: number;

  constructor(seed = Number(process.env['WASMDNS_E2E_SEED'] ?? Date.now() % 0x7fffffff)) {
    this.seed = seed;
    this.state = seed >>> 0;
  }

  /** Mulberry32. 0 <= number < 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let value = this.state;
    value = Math.imul(value ^ (value >>> 15), value | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 0x100000000;
  }

  /** 0 <= integer < bound. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }
}
