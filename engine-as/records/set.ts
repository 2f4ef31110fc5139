// An owner's RRsets: the directory of its sets blob.

import { OWNER_SETS, SETS_COUNT, SETS_DIRECTORY, SET_STRIDE, SET_TYPE } from '../shared/layout';

/** The blob that the last findSet() found its entry in. */
export let foundBlob: u32 = 0;

/** Directory entry of the owner's RRset of this type, or 0. */
export function findSet(owner: u32, type: u32): u32 {
  const sets = atomic.load<u32>(owner + OWNER_SETS); // Bounds: a live owner
  const count = load<u32>(sets + SETS_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const set = sets + SETS_DIRECTORY + i * SET_STRIDE; // Bounds: i < count
    if (<u32>load<u16>(set + SET_TYPE) == type) {
      foundBlob = sets;
      return set;
    }
  }
  return 0;
}

/** True if the owner exists without any RRset. */
export function isEmptyOwner(owner: u32): bool {
  return load<u32>(atomic.load<u32>(owner + OWNER_SETS) + SETS_COUNT) == 0; // Bounds: a live owner
}
