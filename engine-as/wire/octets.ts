// Big-endian loads and stores, and lower-casing by machine words.
// Bounds: callers check; every function touches only the octets its name says.

@inline
export function load16(at: u32): u32 {
  return <u32>bswap<u16>(load<u16>(at));
}

@inline
export function load32(at: u32): u32 {
  return bswap<u32>(load<u32>(at));
}

@inline
export function store16(at: u32, value: u32): void {
  store<u16>(at, bswap<u16>(<u16>value));
}

@inline
export function store32(at: u32, value: u32): void {
  store<u32>(at, bswap<u32>(value));
}

/** Lower-cases the ASCII letters among eight octets; all other octets stay (RFC 4343 §3). */
@inline
export function lower64(word: u64): u64 {
  const low = word & 0x7f7f7f7f7f7f7f7f;
  const fromA = low + 0x3f3f3f3f3f3f3f3f; // high bit set from 'A' up
  const afterZ = low + 0x2525252525252525; // high bit set after 'Z'
  return word | (((fromA ^ afterZ) & ~word & 0x8080808080808080) >> 2);
}

@inline
export function lower8(octet: u32): u32 {
  return octet - 65 < 26 ? octet + 32 : octet;
}

/**
 * Copies octets that do not overlap, and touches none beside them. Short runs are the rule here: for those memory.copy()
 * costs many times as much, because it leaves the compiled code.
 */
export function copyOctets(to: u32, from: u32, bytes: u32): void {
  if (bytes >= 16) {
    if (bytes > 256) {
      memory.copy(to, from, bytes);
      return;
    }
    const last = bytes - 16;
    for (let i: u32 = 0; i < last; i += 16) v128.store(to + i, v128.load(from + i)); // Bounds: i + 16 <= bytes
    v128.store(to + last, v128.load(from + last));
  } else if (bytes >= 8) {
    store<u64>(to, load<u64>(from));
    store<u64>(to + bytes - 8, load<u64>(from + bytes - 8));
  } else if (bytes >= 4) {
    store<u32>(to, load<u32>(from));
    store<u32>(to + bytes - 4, load<u32>(from + bytes - 4));
  } else {
    if (bytes & 2) store<u16>(to, load<u16>(from));
    if (bytes & 1) store<u8>(to + bytes - 1, load<u8>(from + bytes - 1));
  }
}
