// What the directives of a generated Corefile are made of: choices, and now and then a wrong one.

import type { Random } from '../../support/random.ts';

/** Names that the scripted upstream, the test cluster and the generated files know. */
export const ZONES = [
  'cluster.local',
  'example.org',
  'svc.cluster.local',
  'sub.example.org',
  'other.test',
  'a.b.c.test',
];
const REVERSE_ZONES = ['in-addr.arpa', 'ip6.arpa', '10.in-addr.arpa', '10.0.0.0/8', '10.32.0.0/14', 'fd00::/16'];
export const TYPES = ['A', 'AAAA', 'SRV', 'PTR', 'TXT', 'MX', 'CNAME', 'NS', 'ANY', 'HTTPS', 'a', 'aaaa', 'TYPE65280'];

export class Words {
  readonly random: Random;
  /** How many mistakes are still owed: a right Corefile owes none. */
  private owed: number;

  constructor(random: Random, mistakes: number) {
    this.random = random;
    this.owed = mistakes;
  }

  get mistakesOwed(): number {
    return this.owed;
  }

  chance(probability: number): boolean {
    return this.random.chance(probability);
  }

  pick<T>(items: readonly T[]): T {
    return this.random.pick(items);
  }

  /** One of the legal values, or, while a mistake is owed, perhaps one of the odd ones (most of them illegal). */
  value(legal: readonly (string | number)[], odd: readonly (string | number)[] = []): string {
    if (odd.length > 0 && this.owed > 0 && this.chance(0.12)) {
      this.owed--;
      return String(this.pick(odd));
    }
    return String(this.pick(legal));
  }

  /** True when a structural mistake is to be made here. */
  slip(probability = 0.06): boolean {
    if (this.owed === 0 || !this.chance(probability)) return false;
    this.owed--;
    return true;
  }

  /** Between `least` and `most` items, without repetition as far as they reach. */
  some<T>(items: readonly T[], least: number, most: number): T[] {
    const left = [...items];
    const count = least + this.random.below(most - least + 1);
    return Array.from(
      { length: Math.min(count, left.length) },
      () => left.splice(this.random.below(left.length), 1)[0]!,
    );
  }

  duration(legal: readonly string[] = ['1s', '2s', '5s', '30s', '1m', '1h', '1.5s', '1500ms', '1m30s']): string {
    return this.value(legal, ['5', '-1s', 'x', '1d', '', '0', '0s', '1s1', '1 s', '9999999999h']);
  }

  count(legal: readonly number[] = [1, 2, 5, 10, 100, 1000]): string {
    return this.value(legal, ['-1', 'x', '1.5', '0', '0x10', '99999999999999999999', '+3', '1_000', '']);
  }

  zones(least: number, most: number): string {
    const zones = this.some([...ZONES, ...REVERSE_ZONES, '.'], least, most);
    if (this.slip(0.03))
      zones.push(this.pick(['a..b', '10.0.0.0/33', '-', 'x'.repeat(64), 'UPPER.Test', '*.test', 'a_b']));
    return zones.join(' ');
  }

  /**
   * A directive with options in a block: each option at most once unless it may repeat; any order.
   * @param needed options that it always has.
   */
  block(head: string, options: readonly string[], probability = 0.85, needed: readonly string[] = []): string[] {
    const some = this.some(options, 0, options.length).filter((option) => option !== '');
    const chosen = this.chance(0.5) ? [...needed, ...some] : [...some, ...needed];
    const lines = chosen.flatMap((option) => option.split('\n'));
    if (this.slip())
      lines.push(this.pick(['nosuch', 'nosuch 1', `${lines[0] ?? 'ttl'} extra`, (lines[0] ?? 'x').slice(0, -1)]));
    if (this.slip(0.03)) lines.push(...(lines[0] === undefined ? [] : [lines[0]]));
    if (lines.length === 0 && this.chance(probability)) return [head];
    return [`${head} {`, ...lines.map((line) => `    ${line}`), '}'];
  }
}
