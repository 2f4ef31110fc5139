// What has become of the endpoints of a slice: an update usually touches few of them.

import type { SliceAddresses } from './collector.ts';

export interface SliceDifference {
  /** Positions in the slice as it was. */
  readonly removed: readonly number[];
  /** Positions in the slice as it is. */
  readonly added: readonly number[];
  /** Of each endpoint as it is: its position in the slice as it was, NEW where it is one of `added`. */
  readonly origins: Int32Array;
}

export const NEW = -1;

export function endpointCount({ family, addresses }: SliceAddresses): number {
  return family === 0 ? 0 : addresses.length / family;
}

/** An endpoint is the same if it has the same address and the same line among the hostnames. */
export function compareSlices(before: SliceAddresses, after: SliceAddresses): SliceDifference {
  const old = new Endpoints(before);
  const now = new Endpoints(after);
  const origins = new Int32Array(now.count).fill(NEW);
  let start = 0;
  while (start < old.count && start < now.count && old.isSame(start, now, start)) origins[start] = start++;
  let oldEnd = old.count;
  let end = now.count;
  while (oldEnd > start && end > start && old.isSame(oldEnd - 1, now, end - 1)) origins[--end] = --oldEnd;
  const left = new Map<string, number>();
  for (let i = start; i < oldEnd; i++) left.set(old.text(i), i);
  const kept = new Set<number>();
  const added: number[] = [];
  for (let i = start; i < end; i++) {
    const text = now.text(i);
    const origin = left.get(text);
    if (origin === undefined) {
      added.push(i);
      continue;
    }
    // A second endpoint just like it is one more.
    left.delete(text);
    kept.add(origin);
    origins[i] = origin;
  }
  const removed: number[] = [];
  for (let i = start; i < oldEnd; i++) if (!kept.has(i)) removed.push(i);
  return { removed, added, origins };
}

class Endpoints {
  readonly count: number;
  readonly #family: number;
  readonly #addresses: string;
  readonly #hostnames: readonly string[] | undefined;

  constructor(slice: SliceAddresses) {
    this.count = endpointCount(slice);
    this.#family = slice.family;
    this.#addresses = slice.addresses;
    this.#hostnames = slice.hostnames === '' ? undefined : slice.hostnames.split('\n');
  }

  isSame(i: number, other: Endpoints, j: number): boolean {
    const family = this.#family;
    if (family !== other.#family || this.#hostname(i) !== other.#hostname(j)) return false;
    for (let k = 0; k < family; k++) {
      if (this.#addresses.charCodeAt(i * family + k) !== other.#addresses.charCodeAt(j * family + k)) return false;
    }
    return true;
  }

  /** No hostname has a line break, and all addresses of a slice have one length. */
  text(i: number): string {
    return `${this.#hostname(i)}\n${this.#addresses.slice(i * this.#family, (i + 1) * this.#family)}`;
  }

  #hostname(i: number): string {
    return this.#hostnames === undefined ? '' : this.#hostnames[i]!;
  }
}
