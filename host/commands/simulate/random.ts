// Numbers that are the same for the same seed.

/** 32 bits that look like chance, of a few integers. */
export function hash(seed: number, ...numbers: readonly number[]): number {
  let value = seed | 0;
  for (const number of numbers) value = mix(Math.imul(value ^ number, 0x9e3779b1) + 0x7f4a7c15);
  return mix(value) >>> 0;
}

/** The finish of MurmurHash3. */
function mix(input: number): number {
  let value = input;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}

export class Random {
  readonly #seed: number;
  #drawn = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** 0 <= number < 1. */
  next(): number {
    return hash(this.#seed, this.#drawn++) / 0x1_0000_0000;
  }

  /** 0 <= integer < bound. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** Letters as Kubernetes makes names of: no vowels, nothing that looks like something else. */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

export function letters(seed: number, count: number): string {
  let text = '';
  for (let value = seed; text.length < count; value = hash(value, count)) text += LETTERS[value % LETTERS.length];
  return text;
}
