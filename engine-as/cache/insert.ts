// Storing an answer (CoreDNS plugin cache): which store, for how long, never what; and the TTL that the client sees.

import {
  CACHE_DROPS,
  CACHE_EVICTIONS_DENIAL,
  CACHE_EVICTIONS_SUCCESS,
  CACHE_STEP_ADDRESS,
  CACHE_STEP_DENIAL_MAX,
  CACHE_STEP_DENIAL_MIN,
  CACHE_STEP_DISABLE_DENIAL,
  CACHE_STEP_DISABLE_SUCCESS,
  CACHE_STEP_SERVFAIL,
  CACHE_STEP_SUCCESS_MAX,
  CACHE_STEP_SUCCESS_MIN,
  IMAGE_SCRATCH,
} from '../shared/layout';
import {
  IMAGE_BYTES,
  IMAGE_CACHE_KIND,
  IMAGE_RCODE,
  IMAGE_TRAITS,
  IMAGE_TTL_MIN,
  TRAIT_CACHEABLE,
} from '../answer/image';
import { KIND_NAME_ERROR, KIND_NO_DATA, KIND_NO_ERROR, KIND_SERVER_ERROR } from '../answer/kind';
import { random } from '../answer/rotate';
import { longestZone } from '../program/zones';
import { area, nameHash, qclass, qtype } from '../wire/query';
import { blocksFor, fillChain, giveChain, takeBlock } from './blocks';
import { countCache, keyBits, nowMs, remaining } from './lookup';
import {
  BLOCK_NEXT,
  BLOCK_SEQ,
  DENIAL,
  ENTRY_BITS,
  ENTRY_BYTES,
  ENTRY_HASH,
  ENTRY_STORED,
  ENTRY_TTL,
  ENTRY_TYPE,
  SUCCESS,
  TABLE_BYTES,
  TABLE_SET_MASK,
  TABLE_SLOTS,
  TABLE_SET_BYTES,
  TABLE_WAYS,
  blockAt,
  keyOf,
  setOf,
} from './table';

/** TTL where the records give none: empty replies, delegations, errors (CoreDNS's MinimalDefaultTTL). */
const TTL_DEFAULT: u32 = 5;
/** Tries to place an entry while other shards change the same set. */
const TRIES_MAX: u32 = 4;
/** Evictions tried for one block: other shards may take what they free. */
const EVICTIONS_MAX: u32 = 16;
/** Slots walked to find an entry to evict; the fewer there are, the larger they must be. */
const WALK_MAX: u32 = 8192;

let isEvicting: bool = false;

/**
 * Takes the image in IMAGE_SCRATCH, just built for the query, into the step's cache if it may be stored, and returns
 * the TTL in seconds that all its RRs must show to the client, stored or not.
 */
export function cacheStore(step: u32): u32 {
  const image = area + IMAGE_SCRATCH;
  const kind: u32 = load<u8>(image + IMAGE_CACHE_KIND); // Bounds: an image stands there by contract
  const isDenial = kind == KIND_NAME_ERROR || kind == KIND_NO_DATA || kind == KIND_SERVER_ERROR;
  const ttl = clampedTtl(step, kind, load<u32>(image + IMAGE_TTL_MIN));
  if (!ttl || !(load<u16>(image + IMAGE_TRAITS) & <u16>TRAIT_CACHEABLE)) return ttl;
  // Bounds: a step of the program
  if (longestZone(load<u32>(step + (isDenial ? CACHE_STEP_DISABLE_DENIAL : CACHE_STEP_DISABLE_SUCCESS)))) return ttl;
  const table = load<u32>(step + CACHE_STEP_ADDRESS) + (isDenial ? DENIAL : SUCCESS) * TABLE_BYTES;
  const evictions = insert(table, image, ttl);
  const counter: u32 = isDenial ? CACHE_EVICTIONS_DENIAL : CACHE_EVICTIONS_SUCCESS;
  for (let i: u32 = 0; i < evictions; i++) countCache(step, counter);
  return ttl;
}

/** Counts a reply that answers another question: it is never stored. */
export function cacheDrop(step: u32): void {
  countCache(step, CACHE_DROPS);
}

/** Lowest TTL of the reply, within the limits of its store; SERVFAIL and NOTIMP have their own. */
function clampedTtl(step: u32, kind: u32, lowest: u32): u32 {
  // Bounds: a step of the program
  if (kind == KIND_SERVER_ERROR) return load<u32>(step + CACHE_STEP_SERVFAIL);
  const isDenial = kind == KIND_NAME_ERROR || kind == KIND_NO_DATA;
  const min = load<u32>(step + (isDenial ? CACHE_STEP_DENIAL_MIN : CACHE_STEP_SUCCESS_MIN));
  const max = load<u32>(step + (isDenial ? CACHE_STEP_DENIAL_MAX : CACHE_STEP_SUCCESS_MAX));
  let ttl: u32 = lowest;
  if (lowest == 0xffffffff || (!isDenial && kind != KIND_NO_ERROR)) ttl = TTL_DEFAULT;
  if (ttl < min) ttl = min;
  return ttl < max ? ttl : max;
}

/** Stores the image for the query; returns the number of entries evicted for it. Gives up quietly. */
function insert(table: u32, image: u32, ttl: u32): u32 {
  const bytes = load<u32>(image + IMAGE_BYTES); // Bounds: an image stands there
  let evictions: u32 = 0;
  let chain: u32 = 0;
  for (let left = blocksFor(bytes); left > 0; left--) {
    let number = takeBlock(table);
    for (let i: u32 = 0; !number && i < EVICTIONS_MAX; i++) {
      if (!evictAnywhere(table)) break;
      evictions++;
      number = takeBlock(table);
    }
    if (!number) {
      giveChain(table, chain, false);
      return evictions;
    }
    store<u32>(blockAt(table, number) + BLOCK_NEXT, chain); // Bounds: takeBlock() gave an existing block
    chain = number;
  }
  const block = blockAt(table, chain);
  const bits = keyBits();
  const type = (qtype << 16) | qclass;
  // The blocks came by a compare-and-swap after the change of their old seq: no reader takes these stores for old.
  store<u32>(block + ENTRY_BYTES, bytes);
  store<u32>(block + ENTRY_TTL, ttl);
  store<u64>(block + ENTRY_STORED, nowMs());
  store<u32>(block + ENTRY_TYPE, type);
  store<u32>(block + ENTRY_HASH, nameHash);
  store<u32>(block + ENTRY_BITS, bits | <u32>load<u16>(image + IMAGE_RCODE));
  fillChain(table, chain, image, bytes);
  atomic.add<u32>(block + BLOCK_SEQ, 1);
  isEvicting = false;
  if (!place(table, keyOf(nameHash, type, bits), chain)) giveChain(table, chain, true);
  return isEvicting ? evictions + 1 : evictions;
}

/** Puts the published chain into its set in the place of its own key, an empty slot, or a victim. */
function place(table: u32, key: u64, chain: u32): bool {
  const set = setOf(table, key);
  const tag = <u32>(key >> 32);
  const word = (<u64>tag << 32) | chain;
  for (let i: u32 = 0; i < TRIES_MAX; i++) {
    const slot = choose(table, set, tag);
    const old = atomic.load<u64>(slot); // Bounds: choose() gave a slot of the set
    const isOwn = <u32>(old >> 32) == tag;
    if (old && isOwn != chosenOwn) continue;
    if (atomic.cmpxchg<u64>(slot, old, word) != old) continue;
    if (old) giveChain(table, <u32>old, true);
    isEvicting = old != 0 && !isOwn;
    return true;
  }
  return false;
}

let chosenOwn: bool = false;

/** The slot to use, and whether it holds the same key (by its hash, as in CoreDNS). Further slots of it are emptied. */
function choose(table: u32, set: u32, tag: u32): u32 {
  const ways = load<u32>(table + TABLE_WAYS); // Bounds: a cache's header; below, i < ways
  let own: u32 = 0;
  let empty: u32 = 0;
  let expired: u32 = 0;
  for (let i: u32 = 0; i < ways; i++) {
    const slot = set + i * 8;
    const word = atomic.load<u64>(slot);
    if (!word) {
      if (!empty) empty = slot;
    } else if (<u32>(word >> 32) == tag && isSameKey(table, <u32>word)) {
      if (!own) own = slot;
      else take(table, slot, word);
    } else if (!empty && !expired && isExpired(table, <u32>word)) expired = slot;
  }
  chosenOwn = own != 0;
  if (own) return own;
  if (empty) return empty;
  return expired ? expired : set + random(ways) * 8;
}

function isSameKey(table: u32, number: u32): bool {
  const block = blockAt(table, number);
  if (!block) return false;
  // Bounds: one block; a wrong word only means a second copy of the entry, or one evicted too early
  const bits = load<u32>(block + ENTRY_BITS) & ~0xff;
  const type = load<u32>(block + ENTRY_TYPE);
  return load<u32>(block + ENTRY_HASH) == nameHash && type == ((qtype << 16) | qclass) && bits == keyBits();
}

function isExpired(table: u32, number: u32): bool {
  const block = blockAt(table, number);
  // Bounds: as in isSameKey()
  return block != 0 && remaining(load<u64>(block + ENTRY_STORED), load<u32>(block + ENTRY_TTL)) == 0;
}

/** Takes the word out of its slot and gives its blocks back; false if another shard was faster. */
function take(table: u32, slot: u32, word: u64): bool {
  if (atomic.cmpxchg<u64>(slot, word, 0) != word) return false; // Bounds: callers hold a slot
  giveChain(table, <u32>word, true);
  return true;
}

/** Empties the first used slot from a random one on; false if none was found. */
function evictAnywhere(table: u32): bool {
  const slots = load<u32>(table + TABLE_SLOTS); // Bounds: a cache's header
  const bytes = (load<u32>(table + TABLE_SET_MASK) + 1) * load<u32>(table + TABLE_SET_BYTES);
  let offset = random(bytes >> 3) << 3;
  for (let i: u32 = 0; i < WALK_MAX; i++) {
    const word = atomic.load<u64>(slots + offset); // Bounds: offset < bytes
    if (word && take(table, slots + offset, word)) return true;
    offset += 8;
    if (offset == bytes) offset = 0;
  }
  return false;
}
