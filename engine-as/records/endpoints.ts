// Many owners that differ in an IPv4 address alone, written by one call: the endpoints of a slice, and the names that
// their addresses lead to. What a blob of one of them looks like is in shared/layout.ts. Main thread only.

import { REVERSE_KEY } from '../shared/layout';
import { ownerPut } from './table';

/**
 * Puts an owner for each of `count` addresses, back to back at `addresses`. Its key is a label at `keyAt` and behind it the
 * `baseBytes` octets at `base`: the next of the labels in wire form at `labels`, or the address with dashes where
 * `labels` is 0. Its sets are those of `blob`, in which the address stands at `addressAt`. False when memory is
 * exhausted: some may be there then.
 */
export function endpointsPut(
  storeAt: u32, addresses: u32, count: u32, labels: u32, keyAt: u32, base: u32, baseBytes: u32,
  blob: u32, blobBytes: u32, addressAt: u32, flags: u32,
): bool {
  let label = labels;
  for (let i: u32 = 0; i < count; i++) {
    // Bounds: the caller has as many addresses and labels, and room for the longest key at `keyAt`
    const address = addresses + i * 4;
    const bytes = labels ? copyLabel(label, keyAt) : dashedLabel(address, keyAt);
    label += bytes; // Unused without labels
    memory.copy(keyAt + bytes, base, baseBytes);
    store<u32>(blob + addressAt, load<u32>(address));
    if (!ownerPut(storeAt, keyAt, bytes + baseBytes, blob, blobBytes, flags)) return false;
  }
  return true;
}

/**
 * Puts the reverse owner of each address. `blob` holds a PTR set of one name, whose octets begin at `nameAt`, four of them
 * for its length and its kind in front of its target: the label as above and the `nameBytes` octets at `name`.
 */
export function reversePut(
  storeAt: u32, addresses: u32, count: u32, labels: u32, keyAt: u32, name: u32, nameBytes: u32,
  blob: u32, nameAt: u32,
): bool {
  let label = labels;
  store<u8>(keyAt, REVERSE_KEY);
  for (let i: u32 = 0; i < count; i++) {
    // Bounds: as above, and room for the longest name at `nameAt`
    const address = addresses + i * 4;
    const to = blob + nameAt;
    const bytes = labels ? copyLabel(label, to) : dashedLabel(address, to);
    label += bytes; // Unused without labels
    memory.copy(to + bytes, name, nameBytes);
    store<u16>(to - 8, <u16>(bytes + nameBytes));
    store<u32>(keyAt + 1, load<u32>(address));
    if (!ownerPut(storeAt, keyAt, 5, blob, nameAt + ((bytes + nameBytes + 3) & ~3), 0)) return false;
  }
  return true;
}

/** Copies a label in wire form; returns its octets. */
function copyLabel(label: u32, to: u32): u32 {
  const bytes: u32 = 1 + <u32>load<u8>(label); // Bounds: the caller has as many labels
  memory.copy(to, label, bytes);
  return bytes;
}

/** Writes the label of the address with dashes, in wire form; returns its octets. */
function dashedLabel(address: u32, to: u32): u32 {
  let p = to + 1;
  // Bounds: 16 octets at `to`, as many as the longest takes
  for (let i: u32 = 0; i < 4; i++) {
    if (i) store<u8>(p++, 0x2d);
    const octet: u32 = load<u8>(address + i);
    if (octet >= 100) store<u8>(p++, <u8>(0x30 + octet / 100));
    if (octet >= 10) store<u8>(p++, <u8>(0x30 + octet / 10 % 10));
    store<u8>(p++, <u8>(0x30 + octet % 10));
  }
  store<u8>(to, <u8>(p - to - 1));
  return p - to;
}
