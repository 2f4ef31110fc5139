// Which version of each object a watch has shown last: what a list of metadata is compared with. Keys and versions lie
// in typed arrays, open addressing: 17 octets a place, and nothing for the garbage collector.

/** A resource version as a number, for comparing (versions of one resource are ordered); NaN if it is none. */
export function versionNumber(text: string): number {
  return /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
}

/** 53 bits of an object's name: two of a million share theirs with a chance of 1 in 18,000. Never 0. */
export function objectKey(namespace: string, name: string): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  const mix = (unit: number) => {
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  };
  for (let i = 0; i < namespace.length; i++) mix(namespace.charCodeAt(i));
  mix(0x2f);
  for (let i = 0; i < name.length; i++) mix(name.charCodeAt(i));
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 0x100000000 * (b & 0x1fffff) + (a >>> 0) || 1;
}

const PLACES_MIN = 16;
const FREE = 0;

export class VersionTable {
  #keys = new Float64Array(PLACES_MIN);
  #versions = new Float64Array(PLACES_MIN);
  #marks = new Uint8Array(PLACES_MIN);
  #size = 0;
  /** Keys that were removed since clearMarks(). */
  readonly #removed = new Set<number>();
  #isMarking: boolean = false;

  get size(): number {
    return this.#size;
  }

  get(key: number): number | undefined {
    const at = this.#find(key);
    return this.#keys[at] === FREE ? undefined : this.#versions[at];
  }

  set(key: number, version: number): void {
    let at = this.#find(key);
    if (this.#keys[at] === FREE) {
      if (4 * (this.#size + 1) > 3 * this.#keys.length) {
        this.#grow();
        at = this.#find(key);
      }
      this.#keys[at] = key;
      this.#marks[at] = 0;
      this.#size++;
    }
    this.#versions[at] = version;
  }

  delete(key: number): void {
    if (this.#isMarking) this.#removed.add(key);
    let hole = this.#find(key);
    if (this.#keys[hole] === FREE) return;
    const mask = this.#keys.length - 1;
    // What stands behind and would have stood here moves up: a search ends at the first free place.
    for (let at = (hole + 1) & mask; this.#keys[at] !== FREE; at = (at + 1) & mask) {
      const home = (this.#keys[at]! >>> 0) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      this.#keys[hole] = this.#keys[at]!;
      this.#versions[hole] = this.#versions[at]!;
      this.#marks[hole] = this.#marks[at]!;
      hole = at;
    }
    this.#keys[hole] = FREE;
    this.#size--;
  }

  /** A comparison begins: nothing is marked, and removals are noted until stopMarking(). */
  startMarking(): void {
    this.#marks.fill(0);
    this.#removed.clear();
    this.#isMarking = true;
  }

  stopMarking(): void {
    this.#isMarking = false;
    this.#removed.clear();
  }

  mark(key: number): void {
    const at = this.#find(key);
    if (this.#keys[at] !== FREE) this.#marks[at] = 1;
  }

  wasRemoved(key: number): boolean {
    return this.#removed.has(key);
  }

  /** Keys without a mark, of versions up to this one. */
  unmarked(versionMax: number): number[] {
    const found: number[] = [];
    for (const [at, key] of this.#keys.entries()) {
      if (key !== FREE && this.#marks[at] === 0 && this.#versions[at]! <= versionMax) found.push(key);
    }
    return found;
  }

  /** The key's place, or the free one where it would stand. */
  #find(key: number): number {
    const mask = this.#keys.length - 1;
    let at = (key >>> 0) & mask;
    // Bounds: a quarter of the places is free.
    while (this.#keys[at] !== FREE && this.#keys[at] !== key) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const [keys, versions, marks] = [this.#keys, this.#versions, this.#marks];
    this.#keys = new Float64Array(2 * keys.length);
    this.#versions = new Float64Array(2 * keys.length);
    this.#marks = new Uint8Array(2 * keys.length);
    for (const [from, key] of keys.entries()) {
      if (key === FREE) continue;
      const at = this.#find(key);
      this.#keys[at] = key;
      this.#versions[at] = versions[from]!;
      this.#marks[at] = marks[from]!;
    }
  }
}
