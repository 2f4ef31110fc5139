// Octets of a program as it grows: numbers, names and lists at offsets that become addresses.

import * as layout from '../../engine-as/shared/layout.ts';
import { composeName } from '../dns/name.ts';

/** A growing run of octets that will lie at `base`. Offsets count from its start, addresses from the memory's. */
export class Octets {
  readonly #base: number;
  #octets = new Uint8Array(4096);
  #view = new DataView(this.#octets.buffer);
  length = 0;

  constructor(base: number) {
    this.#base = base;
  }

  octets(): Uint8Array {
    return this.#octets.subarray(0, this.length);
  }

  address(offset: number): number {
    return this.#base + offset;
  }

  /** Takes `bytes` zeroed octets, 8-aligned; returns their offset. */
  reserve(bytes: number): number {
    const at = (this.length + 7) & ~7;
    this.length = at + bytes;
    // The engine compares by words: eight octets of room behind everything.
    if (this.length + 8 > this.#octets.length) {
      const larger = new Uint8Array((this.length + 8) * 2);
      larger.set(this.#octets);
      this.#octets = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }

  copy(at: number, octets: Uint8Array): void {
    this.#octets.set(octets, at);
  }

  u32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  /** ASCII characters; returns their address. */
  ascii(text: string): number {
    const at = this.reserve(text.length);
    this.#octets.set(Buffer.from(text, 'latin1'), at);
    return this.address(at);
  }

  /** A lower-case wire name. */
  name(text: string): { at: number; bytes: number; labels: number } {
    const wire = composeName(text.toLowerCase());
    const at = this.reserve(wire.length);
    this.#octets.set(wire, at);
    let labels = 0;
    for (let p = 0; wire[p]; p += wire[p]! + 1) labels++;
    return { at, bytes: wire.length, labels };
  }

  /** A zone list; returns its address. */
  zoneList(zones: readonly string[]): number {
    const at = this.reserve(layout.ZONE_LIST_ENTRIES + zones.length * layout.ZONE_LIST_STRIDE);
    this.u32(at, zones.length);
    zones.forEach((zone, i) => {
      const name = this.name(zone);
      const entry = at + layout.ZONE_LIST_ENTRIES + i * layout.ZONE_LIST_STRIDE;
      this.u32(entry, this.address(name.at));
      this.u32(entry + 4, name.bytes);
      this.u32(entry + 8, name.labels);
    });
    return this.address(at);
  }
}
