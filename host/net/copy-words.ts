// Copies of a few octets, word by word. Buffer.copy() and set() leave a view behind for each call, and cost more than
// the copy.

/** Beyond it the built-in copy is faster. */
export const WORDWISE_BYTES_MAX = 1024;

/** The buffer as words; it begins at a multiple of four. */
export function wordsOf(octets: Uint8Array): Uint32Array {
  return new Uint32Array(octets.buffer, octets.byteOffset, octets.byteLength >>> 2);
}

/**
 * Copies octets between two areas that do not overlap; `toAt` and `fromAt` are multiples of four. The last word is copied
 * whole: the target must have room for it.
 */
export function copyWords(to: Uint32Array, toAt: number, from: Uint32Array, fromAt: number, bytes: number): void {
  const end = (bytes + 3) >>> 2;
  const target = toAt >>> 2;
  const source = fromAt >>> 2;
  for (let i = 0; i < end; i++) to[target + i] = from[source + i]!;
}
