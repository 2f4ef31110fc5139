// Storing an answer (CoreDNS plugin cache): which store, for how long, never what; and the TTL that the client sees.

import {
  CACHE_EVICTIONS_DENIAL,
  CACHE_EVICTIONS_SUCCESS,
  CACHE_PREFER_POSITIVE,
  CACHE_SERVFAIL,
  CACHE_STEP_ADDRESS,
  CACHE_STEP_DENIAL_MAX,
  CACHE_STEP_DENIAL_MIN,
  CACHE_STEP_DISABLE_DENIAL,
  CACHE_STEP_DISABLE_SUCCESS,
  CACHE_STEP_FLAGS,
  CACHE_STEP_SERVFAIL,
  CACHE_STEP_STALE,
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
  TRAIT_ANSWERS,
  TRAIT_CACHEABLE,
} from '../answer/image';
import { KIND_NAME_ERROR, KIND_NO_DATA, KIND_NO_ERROR, KIND_SERVER_ERROR } from '../answer/kind';
import { random } from '../answer/rotate';
import { longestZone } from '../program/zones';
import { area, nameHash, qclass, qtype } from '../wire/query';
import { blocksFor, fillChain, giveChain, takeBlock } from './blocks';
import { countCache, keyBits, leftOf, nowMs, serverOrdinal } from './lookup';
import {
  BLOCK_NEXT,
  BLOCK_SEQ,
  DENIAL,
  ENTRY_ANSWERS,
  ENTRY_BITS,
  ENTRY_BYTES,
  ENTRY_HASH,
  ENTRY_HITS,
  ENTRY_HOLD,
  ENTRY_LAST,
  ENTRY_STORED,
  ENTRY_TTL,
  ENTRY_TYPE,
  KEY_BITS,
  SUCCESS,
  TABLE_BYTES,
  TABLE_OFFERED,
  TABLE_SET_MASK,
  TABLE_SLOTS,
  TABLE_SET_BYTES,
  TABLE_WAYS,
  blockAt,
  keptTag,
  keyOf,
  offerBit,
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
/** Slots of a full set that are looked at for an expired entry. */
const NEIGHBOURS: u32 = 4;

/** The last reply given to cacheStoreAs() was stored. */
export let wasStored: bool = false;

/** Notes that a reply for this server label could be stored in the step's cache: from then on its gauges are shown. */
@inline
export function offerTo(step: u32): void {
  const word = load<u32>(step + CACHE_STEP_ADDRESS) + TABLE_OFFERED; // Bounds: a step of the program, a cache's header
  const bit = offerBit(serverOrdinal());
  if (!(load<u32>(word) & bit)) atomic.or<u32>(word, bit);
}

let isEvicting: bool = false;
/** Seconds for which an expired entry is still usable. */
let staleSeconds: u32 = 0;
/** The reply being stored answers nothing: an answer of the same key is kept beside it (prefer_positive). */
let keepsAnswer: bool = false;

/**
 * Takes the image in IMAGE_SCRATCH, just built for the query, into the step's cache if it may be stored, and returns
 * the TTL in seconds that all its RRs must show to the client, stored or not.
 */
export function cacheStore(step: u32): u32 {
  return cacheStoreAs(step, true, false);
}

/**
 * @param heedsDisable false: zones that are not to be cached do not matter; CoreDNS forgets them when it refreshes.
 * @param removesDenial a positive reply removes the denial of the same key.
 */
export function cacheStoreAs(step: u32, heedsDisable: bool, removesDenial: bool): u32 {
  const image = area + IMAGE_SCRATCH;
  const kind: u32 = load<u8>(image + IMAGE_CACHE_KIND); // Bounds: an image stands there by contract
  const traits: u32 = load<u16>(image + IMAGE_TRAITS);
  const flags = load<u32>(step + CACHE_STEP_FLAGS); // Bounds: a step of the program
  const isDenial = kind == KIND_NAME_ERROR || kind == KIND_NO_DATA || kind == KIND_SERVER_ERROR;
  const ttl = clampedTtl(step, kind, load<u32>(image + IMAGE_TTL_MIN));
  wasStored = false;
  if (!ttl && !(kind == KIND_SERVER_ERROR && flags & CACHE_SERVFAIL)) return ttl;
  if (!(traits & TRAIT_CACHEABLE)) return ttl;
  offerTo(step);
  const disabled = load<u32>(step + (isDenial ? CACHE_STEP_DISABLE_DENIAL : CACHE_STEP_DISABLE_SUCCESS));
  if (heedsDisable && longestZone(disabled)) return ttl;
  const success = load<u32>(step + CACHE_STEP_ADDRESS);
  const prefersAnswers = (flags & CACHE_PREFER_POSITIVE) != 0;
  staleSeconds = load<u32>(step + CACHE_STEP_STALE);
  keepsAnswer = prefersAnswers && !isDenial && !(traits & TRAIT_ANSWERS);
  const evictions = insert(success + (isDenial ? DENIAL : SUCCESS) * TABLE_BYTES, image, ttl);
  wasStored = true;
  const counter: u32 = isDenial ? CACHE_EVICTIONS_DENIAL : CACHE_EVICTIONS_SUCCESS;
  for (let i: u32 = 0; i < evictions; i++) countCache(step, counter);
  if (isDenial) return ttl;
  const isAnswer = (traits & TRAIT_ANSWERS) != 0;
  if (prefersAnswers && isAnswer) removeSlot(success, true);
  if (prefersAnswers ? isAnswer : removesDenial) removeSlot(success + DENIAL * TABLE_BYTES, false);
  return ttl;
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
  store<u32>(block + ENTRY_BITS, bits | answersBit(image) | (<u32>load<u16>(image + IMAGE_RCODE) & 0xff));
  store<u32>(block + ENTRY_HOLD, 0);
  store<u32>(block + ENTRY_HITS, 0);
  store<u32>(block + ENTRY_LAST, 0);
  fillChain(table, chain, image, bytes);
  atomic.add<u32>(block + BLOCK_SEQ, 1);
  isEvicting = false;
  if (!place(table, keyOf(nameHash, type, bits), chain)) giveChain(table, chain, true);
  return isEvicting ? evictions + 1 : evictions;
}

function answersBit(image: u32): u32 {
  return load<u16>(image + IMAGE_TRAITS) & <u16>TRAIT_ANSWERS ? ENTRY_ANSWERS : 0; // Bounds: an image stands there
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
    isEvicting = old != 0 && !isOwn && ((old >> 32) & 1) == 1;
    if (!old) return true;
    if (isOwn && keepsAnswer && answers(table, <u32>old)) keep(table, set, tag, <u32>old);
    else giveChain(table, <u32>old, true);
    return true;
  }
  return false;
}

/** Keeps the published chain, taken out of its slot, beside the entry that took its place. */
function keep(table: u32, set: u32, tag: u32, chain: u32): void {
  const kept = keptTag(tag);
  const word = (<u64>kept << 32) | chain;
  for (let i: u32 = 0; i < TRIES_MAX; i++) {
    const slot = choose(table, set, kept);
    const old = atomic.load<u64>(slot); // Bounds: choose() gave a slot of the set
    // A set without room keeps the new entry rather than the old one.
    if (<u32>(old >> 32) == tag) break;
    if (atomic.cmpxchg<u64>(slot, old, word) != old) continue;
    if (old) giveChain(table, <u32>old, true);
    return;
  }
  giveChain(table, chain, true);
}

function answers(table: u32, number: u32): bool {
  const block = blockAt(table, number);
  return block != 0 && (load<u32>(block + ENTRY_BITS) & ENTRY_ANSWERS) != 0; // Bounds: one block, which the caller owns
}

/** Takes the query's entry out of the table: the current one, or the one kept beside it. */
function removeSlot(table: u32, isKept: bool): void {
  const key = keyOf(nameHash, (qtype << 16) | qclass, keyBits());
  const tag = isKept ? keptTag(<u32>(key >> 32)) : <u32>(key >> 32);
  const set = setOf(table, key);
  const ways = load<u32>(table + TABLE_WAYS); // Bounds: a cache's header; below, i < ways
  for (let i: u32 = 0; i < ways; i++) {
    const word = atomic.load<u64>(set + i * 8);
    if (<u32>(word >> 32) == tag && isSameKey(table, <u32>word)) take(table, set + i * 8, word);
  }
}

/** Address of the first block of the query's entry, fresh or not; 0 = none. */
export function entryOf(table: u32, key: u64): u32 {
  const tag = <u32>(key >> 32);
  const set = setOf(table, key);
  const ways = load<u32>(table + TABLE_WAYS); // Bounds: a cache's header; below, i < ways
  for (let i: u32 = 0; i < ways; i++) {
    const word = atomic.load<u64>(set + i * 8);
    if (<u32>(word >> 32) == tag && isSameKey(table, <u32>word)) return blockAt(table, <u32>word);
  }
  return 0;
}

let chosenOwn: bool = false;

/** The slot to use, and whether it holds the same key (by its hash, as in CoreDNS). Further slots of it are emptied. */
function choose(table: u32, set: u32, tag: u32): u32 {
  const ways = load<u32>(table + TABLE_WAYS); // Bounds: a cache's header; below, i < ways
  let own: u32 = 0;
  let empty: u32 = 0;
  for (let i: u32 = 0; i < ways; i++) {
    const slot = set + i * 8;
    const word = atomic.load<u64>(slot);
    if (!word) {
      if (!empty) empty = slot;
    } else if (<u32>(word >> 32) == tag && isSameKey(table, <u32>word)) {
      if (!own) own = slot;
      else take(table, slot, word);
    }
  }
  chosenOwn = own != 0;
  if (own) return own;
  return empty ? empty : victim(table, set, ways);
}

/**
 * A random slot of a full set, or a neighbour whose entry has expired. Only a few are looked at: each is another line of
 * memory, and CoreDNS does not look at all.
 */
function victim(table: u32, set: u32, ways: u32): u32 {
  const first = random(ways);
  let way = first;
  for (let i: u32 = 0; i < NEIGHBOURS; i++) {
    const word = atomic.load<u64>(set + way * 8); // Bounds: way < ways
    if (word && isExpired(table, <u32>word)) return set + way * 8;
    way = way + 1 < ways ? way + 1 : 0;
  }
  return set + first * 8;
}

function isSameKey(table: u32, number: u32): bool {
  const block = blockAt(table, number);
  if (!block) return false;
  // Bounds: one block; a wrong word only means a second copy of the entry, or one evicted too early
  const bits = load<u32>(block + ENTRY_BITS) & KEY_BITS;
  const type = load<u32>(block + ENTRY_TYPE);
  return load<u32>(block + ENTRY_HASH) == nameHash && type == ((qtype << 16) | qclass) && bits == keyBits();
}

function isExpired(table: u32, number: u32): bool {
  const block = blockAt(table, number);
  // Bounds: as in isSameKey()
  return block != 0 && leftOf(load<u64>(block + ENTRY_STORED), load<u32>(block + ENTRY_TTL)) <= -<i32>staleSeconds;
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
