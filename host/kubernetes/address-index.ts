// Which objects hold an address: a hash table of numbers, because a Map of 150,000 addresses would take more memory
// than everything else the main thread keeps. It maps a hash to holders; the caller looks whether a holder really has
// the address.
//
//   hashes   u32 per cell: hash of the address
//   holders  i32 per cell: FREE, REMOVED, or the holder's number
//
// Linear probing; at most three quarters of the cells are in use, removed ones included.

const FREE = 0;
const REMOVED = -1;
const CELLS_MIN = 64;

export class AddressIndex<T extends object> {
  #hashes = new Uint32Array(CELLS_MIN);
  #holders = new Int32Array(CELLS_MIN);
  #used = 0;
  #live = 0;
  /** Holder by number; number 0 is nobody. */
  readonly #objects: (T | undefined)[] = [undefined];
  readonly #numbers: number[] = [];
  /** Random for each process, so that nobody can choose addresses that fall together. */
  readonly #seed = Math.floor(Math.random() * 0x1_0000_0000);

  /** Gives `holder` a number; a later holder may take its place by replace(). */
  join(holder: T): number {
    const number = this.#numbers.pop() ?? this.#objects.length;
    this.#objects[number] = holder;
    return number;
  }

  replace(number: number, holder: T): void {
    this.#objects[number] = holder;
  }

  /** Its addresses must have been removed before. */
  leave(number: number): void {
    this.#objects[number] = undefined;
    this.#numbers.push(number);
  }

  add(address: string, number: number): void {
    this.#add(this.#hash(address, 0, address.length), number);
  }

  /** Takes back one add() of the same arguments. */
  remove(address: string, number: number): void {
    this.#remove(this.#hash(address, 0, address.length), number);
  }

  /** Adds every address of `packed`, `family` octets each. */
  addAll(packed: string, family: number, number: number): void {
    for (let at = 0; at < packed.length; at += family) this.#add(this.#hash(packed, at, at + family), number);
  }

  /** Takes back one addAll() of the same arguments. */
  removeAll(packed: string, family: number, number: number): void {
    for (let at = 0; at < packed.length; at += family) this.#remove(this.#hash(packed, at, at + family), number);
  }

  /** Each address of `packed` was added exactly once. False as well where only the holders could tell. */
  areAlone(packed: string, family: number): boolean {
    for (let at = 0; at < packed.length; at += family) {
      if (this.#count(this.#hash(packed, at, at + family)) !== 1) return false;
    }
    return true;
  }

  /** Holders that may have the address, each once. */
  candidates(address: string): T[] {
    const found: T[] = [];
    const hash = this.#hash(address, 0, address.length);
    const mask = this.#hashes.length - 1;
    for (let at = hash & mask; this.#holders[at] !== FREE; at = (at + 1) & mask) {
      const number = this.#holders[at]!;
      const holder = number > 0 && this.#hashes[at] === hash ? this.#objects[number] : undefined;
      if (holder !== undefined) found.push(holder);
    }
    return found.length > 1 ? [...new Set(found)] : found;
  }

  #count(hash: number): number {
    const mask = this.#hashes.length - 1;
    let count = 0;
    for (let at = hash & mask; this.#holders[at] !== FREE; at = (at + 1) & mask) {
      if (this.#holders[at]! > 0 && this.#hashes[at] === hash) count++;
    }
    return count;
  }

  #add(hash: number, number: number): void {
    if (4 * (this.#used + 1) > 3 * this.#hashes.length) this.#rebuild();
    const mask = this.#hashes.length - 1;
    let at = hash & mask;
    // Bounds: a quarter of the cells are free.
    while (this.#holders[at]! > 0) at = (at + 1) & mask;
    if (this.#holders[at] === FREE) this.#used++;
    this.#hashes[at] = hash;
    this.#holders[at] = number;
    this.#live++;
  }

  #remove(hash: number, number: number): void {
    const mask = this.#hashes.length - 1;
    for (let at = hash & mask; this.#holders[at] !== FREE; at = (at + 1) & mask) {
      if (this.#hashes[at] === hash && this.#holders[at] === number) {
        this.#holders[at] = REMOVED;
        this.#live--;
        return;
      }
    }
  }

  #rebuild(): void {
    const hashes = this.#hashes;
    const holders = this.#holders;
    let cells = CELLS_MIN;
    while (cells < 2 * (this.#live + 1)) cells *= 2;
    this.#hashes = new Uint32Array(cells);
    this.#holders = new Int32Array(cells);
    this.#used = this.#live;
    for (let from = 0; from < hashes.length; from++) {
      if (holders[from]! <= 0) continue;
      let at = hashes[from]! & (cells - 1);
      while (this.#holders[at]! > 0) at = (at + 1) & (cells - 1);
      this.#hashes[at] = hashes[from]!;
      this.#holders[at] = holders[from]!;
    }
  }

  /** FNV-1a over the octets, then a mixer: neighbours of one subnet must not stand side by side. */
  #hash(packed: string, start: number, end: number): number {
    let hash = this.#seed;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ packed.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}
