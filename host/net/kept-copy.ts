/** A copy that keeps no more memory alive than itself: one of Buffer.from() may hold 64 KiB for a few octets. */
export function keptCopy(octets: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(octets.length);
  copy.set(octets);
  return copy;
}
