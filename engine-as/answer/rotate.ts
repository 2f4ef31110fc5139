// Randomness of the shuffle: xorshift64*, one state a shard. Not for secrets.

import { SHARD_RANDOM } from '../shared/layout';
import { area } from '../wire/query';

/** A number below `bound` (0 < bound <= 2^31), evenly spread. */
export function random(bound: u32): u32 {
  const at = area + SHARD_RANDOM; // Bounds: the shard's own word
  let x = load<u64>(at);
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  store<u64>(at, x);
  const high = <u64>(<u32>((x * 0x2545f4914f6cdd1d) >> 32));
  return <u32>((high * <u64>bound) >> 32);
}
