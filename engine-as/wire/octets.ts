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
