// Steps that take some questions and let others pass.

import { CONTROL_WORDS } from '../shared/layout';
import { qtype } from '../wire/query';
import { isBelow, longestZone } from './zones';

/** True if the question lies in the zone of this relay and in none of its exceptions. */
export function relays(step: u32): bool {
  // Bounds: compiled by the host
  if (!isBelow(load<u32>(step + 8), load<u32>(step + 12), load<u32>(step + 20))) return false;
  return !longestZone(load<u32>(step + 16));
}

/** True if the plugin of this watch wants to see questions of this type now. */
export function watches(step: u32): bool {
  if (qtype != load<u32>(step + 8)) return false; // Bounds: compiled by the host
  return atomic.load<i32>(CONTROL_WORDS + load<u32>(step + 12) * 4) != 0;
}
