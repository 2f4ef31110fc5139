// Looking an answer up (CoreDNS plugin cache): denial first, then success; a cached SERVFAIL never hides a usable
// answer, and with prefer_positive an answer wins over any denial. With serve_stale an expired entry is usable for a
// while longer. An entry is copied into IMAGE_SCRATCH before it is believed.

import { FLAG_CD, RCODE_SERVFAIL } from '../shared/codes';
import {
  CACHE_HITS_DENIAL,
  CACHE_HITS_SUCCESS,
  CACHE_KEEP_TTL,
  CACHE_MISSES,
  CACHE_PREFER_POSITIVE,
  CACHE_REQUESTS,
  CACHE_STEP_ADDRESS,
  CACHE_STEP_FLAGS,
  CACHE_STEP_SLOTS,
  CACHE_STEP_STALE,
  CACHE_STEP_STALE_TTL,
  IMAGE_SCRATCH,
  SHARD_NOW_MS,
  SHARD_NOW_SECONDS,
  ZONE_SERVER,
} from '../shared/layout';
import { IMAGE_QUESTION, IMAGE_ROOM, IMAGE_TABLE, respellHit } from '../answer/image';
import { bump } from '../metrics/counters';
import { order, zoneAt } from '../program/chain';
import { sameOctets } from '../wire/name';
import { area, isDo, lowerAt, nameHash, qclass, qnameAt, qnameBytes, qtype, queryFlags } from '../wire/query';
import { readChain } from './blocks';
import {
  BLOCK_SEQ,
  DENIAL,
  ENTRY_ANSWERS,
  ENTRY_BITS,
  ENTRY_BYTES,
  ENTRY_HASH,
  ENTRY_STORED,
  ENTRY_TTL,
  ENTRY_TYPE,
  KEY_BITS,
  KEY_CD,
  KEY_DO,
  SUCCESS,
  TABLE_BYTES,
  TABLE_SET_BYTES,
  blockAt,
  keptTag,
  keyOf,
  setOf,
} from './table';

/** TTL in seconds that the entry found shows: what is left of it, at least 1 unless it is stale. */
export let hitTtl: u32 = 0;
/** SUCCESS or DENIAL. */
export let hitKind: u32 = 0;
/** The entry has expired. */
export let hitIsStale: bool = false;

// The entry that was found last.
/** Address of its first block, and the sequence word under which it was read. */
export let foundBlock: u32 = 0;
export let foundSeq: u32 = 0;
/** Seconds left of foundTtl; 0 and less: expired. */
export let foundLeft: i32 = 0;
export let foundTtl: u32 = 0;
let foundRcode: u32 = 0;
/** The client spells the question in lower case, as the entry does. */
let foundIsAlike: bool = false;

const RCODE_BITS: u32 = 0xff;

/**
 * Milliseconds for ages. The shard's milliseconds count if they belong to the same clock as its seconds, which all
 * shards share; otherwise whole seconds must do.
 */
export function nowMs(): u64 {
  const seconds: u64 = load<u32>(area + SHARD_NOW_SECONDS); // Bounds: the shard's own words
  const ms = <u64>load<f64>(area + SHARD_NOW_MS);
  return ms / 1000 == seconds ? ms : seconds * 1000;
}

/** DO and CD of the query as the key has them. */
@inline
export function keyBits(): u32 {
  return (isDo ? KEY_DO : 0) | (queryFlags & FLAG_CD ? KEY_CD : 0);
}

/** Of the server label of the zone entry that routed the query. */
@inline
export function serverOrdinal(): u32 {
  return zoneAt ? load<u32>(zoneAt + ZONE_SERVER) : 0; // Bounds: a zone entry
}

/** Adds 1 to a CACHE_ counter of the step, for the server label of the zone entry that routed the query. */
export function countCache(step: u32, counter: u32): void {
  const slots = load<u32>(step + CACHE_STEP_SLOTS); // Bounds: a step of the program
  if (slots) bump(load<u32>(slots + serverOrdinal() * 4) + counter); // Bounds: one slot for each server label
}

/** Looks the query up and counts it; see cacheFind(). */
export function cacheLookup(step: u32): u32 {
  const image = cacheFind(step);
  countLookup(step, image != 0);
  return image;
}

export function countLookup(step: u32, isHit: bool): void {
  countCache(step, CACHE_REQUESTS);
  if (!isHit) countCache(step, CACHE_MISSES);
  else countCache(step, hitKind == SUCCESS ? CACHE_HITS_SUCCESS : CACHE_HITS_DENIAL);
}

/**
 * Looks the query up in the step's cache. Returns the address of the image (in IMAGE_SCRATCH), with the hit and found
 * words set, or 0. Counts nothing.
 */
export function cacheFind(step: u32): u32 {
  const success = load<u32>(step + CACHE_STEP_ADDRESS); // Bounds: a step of the program
  const denial = success + DENIAL * TABLE_BYTES;
  const stale = load<u32>(step + CACHE_STEP_STALE);
  const key = keyOf(nameHash, (qtype << 16) | qclass, keyBits());
  if (stale && load<u32>(step + CACHE_STEP_FLAGS) & CACHE_PREFER_POSITIVE) {
    if (findEntry(success, key, stale, ANSWERING) || findEntry(success, key, stale, KEPT)) return hit(step, SUCCESS);
  }
  if (findEntry(denial, key, stale, ANY)) {
    if (foundRcode != RCODE_SERVFAIL || !findEntry(success, key, stale, ANY)) {
      // The success table may have overwritten the scratch with an entry of another name.
      if (foundRcode != RCODE_SERVFAIL || findEntry(denial, key, stale, ANY)) return hit(step, DENIAL);
    } else return hit(step, SUCCESS);
  }
  return findEntry(success, key, stale, ANY) ? hit(step, SUCCESS) : 0;
}

function hit(step: u32, kind: u32): u32 {
  if (!foundIsAlike && !respellHit(order)) return 0;
  hitKind = kind;
  hitIsStale = foundLeft <= 0;
  hitTtl = load<u32>(step + CACHE_STEP_FLAGS) & CACHE_KEEP_TTL ? foundTtl : hitIsStale ? 0 : <u32>foundLeft; // Bounds: a step
  if (hitIsStale) {
    const ttl = load<u32>(step + CACHE_STEP_STALE_TTL);
    if (ttl) hitTtl = ttl;
  }
  return area + IMAGE_SCRATCH;
}

// Which entry of a key is wanted.
const ANY: u32 = 0;
/** The current one, if it answers its question. */
const ANSWERING: u32 = 1;
/** The answer kept beside the current one. */
const KEPT: u32 = 2;

/** Copies the usable entry of the query into IMAGE_SCRATCH; false if there is none. */
function findEntry(table: u32, key: u64, stale: u32, wanted: u32): bool {
  const set = setOf(table, key);
  const stride = load<u32>(table + TABLE_SET_BYTES); // Bounds: a cache's header
  let tag = <u32>(key >> 32);
  if (wanted == KEPT) tag = keptTag(tag);
  const tags = i32x4.splat(tag);
  for (let i: u32 = 0; i < stride; i += 16) {
    // Bounds: a set is a whole number of slot pairs. Lanes 1 and 3 are tags; a torn word is read again below.
    const found = i32x4.bitmask(i32x4.eq(v128.load(set + i), tags)) & 10;
    if (!found) continue;
    if (found & 2 && readEntry(table, set + i, tag, stale, wanted)) return true;
    if (found & 8 && readEntry(table, set + i + 8, tag, stale, wanted)) return true;
  }
  return false;
}

/** Copies the slot's entry out if it is the query's and usable. */
function readEntry(table: u32, slot: u32, tag: u32, stale: u32, wanted: u32): bool {
  const word = atomic.load<u64>(slot); // Bounds: findEntry() holds a slot
  const block = blockAt(table, <u32>word);
  if (!block || <u32>(word >> 32) != tag) return false;
  const seq = atomic.load<u32>(block + BLOCK_SEQ);
  if (!(seq & 1)) return false;
  // Bounds: one block. What it says is believed after the second look at seq; for the order see readChain().
  const bits = atomic.load<u32>(block + ENTRY_BITS);
  const bytes = atomic.load<u32>(block + ENTRY_BYTES);
  const type = atomic.load<u32>(block + ENTRY_TYPE);
  if (atomic.load<u32>(block + ENTRY_HASH) != nameHash || type != ((qtype << 16) | qclass)) return false;
  if ((bits & KEY_BITS) != keyBits() || bytes > IMAGE_ROOM || bytes < IMAGE_TABLE) return false;
  if (wanted == ANSWERING && !(bits & ENTRY_ANSWERS)) return false;
  const ttl = atomic.load<u32>(block + ENTRY_TTL);
  const left = leftOf(atomic.load<u64>(block + ENTRY_STORED), ttl);
  if (left <= 0 && -left >= <i32>stale) return false;
  if (!readChain(table, block, area + IMAGE_SCRATCH, bytes)) return false;
  if (atomic.load<u32>(block + BLOCK_SEQ) != seq) return false;
  const question = load<u32>(area + IMAGE_SCRATCH + IMAGE_QUESTION);
  if (question + qnameBytes > bytes) return false;
  foundIsAlike = sameOctets(area + IMAGE_SCRATCH + question, qnameAt, qnameBytes);
  if (!foundIsAlike && !sameOctets(area + IMAGE_SCRATCH + question, lowerAt, qnameBytes)) return false;
  foundBlock = block;
  foundSeq = seq;
  foundLeft = left;
  foundTtl = ttl;
  foundRcode = bits & RCODE_BITS;
  return true;
}

/** Seconds left, whole ones of the age taken off; 0 and less: expired for so long. */
export function leftOf(storedMs: u64, ttl: u32): i32 {
  const now = nowMs();
  // Another shard's clock may be a batch ahead.
  const age: u64 = now > storedMs ? (now - storedMs) / 1000 : 0;
  return <i32>(<i64>ttl - <i64>age);
}
