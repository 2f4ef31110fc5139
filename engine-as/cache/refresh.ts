// Asking again for what the cache holds (CoreDNS plugin cache, prefetch and serve_stale): which hit begins a refresh,
// and what becomes of its reply. At most one refresh of an entry is under way: whoever sets the entry's hold word from
// a past time to a later one may begin. The words written here belong to no shard; a race costs a count at most.

import { FLAG_TC, RCODE_NOERROR, RCODE_NXDOMAIN } from '../shared/codes';
import {
  CACHE_PREFER_POSITIVE,
  CACHE_PREFETCHES,
  CACHE_SERVED_STALE,
  CACHE_STEP_ADDRESS,
  CACHE_STEP_FLAGS,
  CACHE_STEP_PREFETCH,
  CACHE_STEP_PREFETCH_PERCENT,
  CACHE_STEP_PREFETCH_WINDOW_MS,
  CACHE_STEP_RECHECK_MS,
  CACHE_VERIFY,
  REFRESH_COUNTED,
  REFRESH_HELD,
  REFRESH_REMOVES,
  REFRESH_STALE,
} from '../shared/layout';
import { IMAGE_CACHE_KIND, IMAGE_FLAGS, IMAGE_KIND, IMAGE_RCODE, IMAGE_TRAITS, TRAIT_ANSWERS } from '../answer/image';
import { KIND_META, KIND_NO_ERROR } from '../answer/kind';
import { nameHash, qclass, qtype } from '../wire/query';
import { cacheStoreAs, entryOf } from './insert';
import { countCache, foundBlock, foundLeft, foundSeq, foundTtl, hitIsStale, keyBits, nowMs } from './lookup';
import { BLOCK_SEQ, DENIAL, ENTRY_HITS, ENTRY_HOLD, ENTRY_LAST, TABLE_BYTES, keyOf } from './table';

/** A hold is given up after so long: its shard has died. No query takes as long (host/shard/slow-path.ts). */
const HOLD_MS: u32 = 45000;

/** REFRESH_ bits of the refresh that the last hit began, and the moment its last hit counts as seen. */
export let refreshBits: u32 = 0;
export let refreshLastMs: u32 = 0;

/** True if the stale entry just found must not be served before the plugins below have been asked. */
export function mustVerify(step: u32): bool {
  if (!hitIsStale || !(load<u32>(step + CACHE_STEP_FLAGS) & CACHE_VERIFY)) return false; // Bounds: a step of the program
  return load<u32>(step + CACHE_STEP_RECHECK_MS) == 0 || isFree(atomic.load<u32>(foundBlock + ENTRY_HOLD));
}

/** Begins the verification of the entry just found; false: serve it as it is. */
export function beginVerify(step: u32): bool {
  refreshBits = REFRESH_STALE;
  if (load<u32>(step + CACHE_STEP_RECHECK_MS) == 0) return true; // Bounds: a step of the program
  if (!takeHold()) return false;
  refreshBits |= REFRESH_HELD;
  return true;
}

/** After the entry just found has been served: counts what belongs to it; true if a refresh has begun. */
export function hitServed(step: u32): bool {
  const isVerifying = (load<u32>(step + CACHE_STEP_FLAGS) & CACHE_VERIFY) != 0; // Bounds: a step of the program
  if (hitIsStale) countCache(step, CACHE_SERVED_STALE);
  if (hitIsStale ? isVerifying : !isDue(step)) return false;
  if (!takeHold()) return false;
  countCache(step, CACHE_PREFETCHES);
  refreshBits = (hitIsStale ? REFRESH_STALE : 0) | REFRESH_REMOVES | REFRESH_HELD | REFRESH_COUNTED;
  // The hits of an expired entry count as seen when it expired.
  refreshLastMs = stamp() + (hitIsStale ? <u32>foundLeft * 1000 : 0);
  return true;
}

/** Counts the hit; true if there are enough of them and little is left of the entry's time. */
function isDue(step: u32): bool {
  const amount = load<u32>(step + CACHE_STEP_PREFETCH); // Bounds: a step of the program
  if (!amount) return false;
  // Bounds: the first block of an entry, see ENTRY_HITS
  const last = load<u32>(foundBlock + ENTRY_LAST);
  const now = stamp();
  const isNew = !last || <i32>(now - last) > load<i32>(step + CACHE_STEP_PREFETCH_WINDOW_MS);
  const hits: u32 = isNew ? 1 : load<u32>(foundBlock + ENTRY_HITS) + 1;
  store<u32>(foundBlock + ENTRY_HITS, hits);
  store<u32>(foundBlock + ENTRY_LAST, now);
  const part = <f64>load<u32>(step + CACHE_STEP_PREFETCH_PERCENT) / 100.0;
  return hits >= amount && <f64>foundLeft <= Math.ceil(part * <f64>foundTtl);
}

/** Milliseconds that fit a word, never 0. Only differences count. */
function stamp(): u32 {
  return <u32>nowMs() | 1;
}

function isFree(hold: u32): bool {
  return !hold || <i32>(stamp() - hold) >= 0;
}

function takeHold(): bool {
  const word = foundBlock + ENTRY_HOLD; // Bounds: the first block of an entry
  const hold = atomic.load<u32>(word);
  if (!isFree(hold) || atomic.load<u32>(foundBlock + BLOCK_SEQ) != foundSeq) return false;
  return atomic.cmpxchg<u32>(word, hold, (stamp() + HOLD_MS) | 1) == hold;
}

/** A refresh that could not be begun after all, or has ended; `isFailed` with recheck: the next one has to wait. */
export function endRefresh(step: u32, block: u32, seq: u32, bits: u32, isFailed: bool): void {
  if (!(bits & REFRESH_HELD) || atomic.load<u32>(block + BLOCK_SEQ) != seq) return; // Bounds: a block of the cache
  const pause: u32 = isFailed && bits & REFRESH_STALE ? load<u32>(step + CACHE_STEP_RECHECK_MS) : 0;
  atomic.store<u32>(block + ENTRY_HOLD, pause ? (stamp() + pause) | 1 : 0);
}

/**
 * Takes the image in IMAGE_SCRATCH, the reply to a refresh of the entry at `block`: stores it as its own kind. Returns
 * the TTL that a client sees, or -1: it may not replace the expired entry (RFC 8767 §4).
 */
export function takeRefreshed(step: u32, image: u32, block: u32, seq: u32, bits: u32, lastMs: u32): i32 {
  let isAccepted = true;
  if (bits & REFRESH_STALE) {
    if (load<u16>(image + IMAGE_FLAGS) & <u16>FLAG_TC) return -1; // Bounds: callers hold an image
    const prefersAnswers = (load<u32>(step + CACHE_STEP_FLAGS) & CACHE_PREFER_POSITIVE) != 0;
    isAccepted = prefersAnswers ? isAnswer(image) : mayReplace(image);
    if (!isAccepted && !prefersAnswers) return -1;
  }
  const isSame = atomic.load<u32>(block + BLOCK_SEQ) == seq; // Bounds: a block of the cache
  const hits: u32 = isSame ? load<u32>(block + ENTRY_HITS) : 0;
  const ttl = cacheStoreAs(step, false, (bits & REFRESH_REMOVES) != 0);
  if (!isAccepted) return -1;
  if (bits & REFRESH_COUNTED) carryHits(step, hits, lastMs);
  return <i32>ttl;
}

function mayReplace(image: u32): bool {
  if (<u32>load<u8>(image + IMAGE_KIND) >= KIND_META) return false; // Bounds: callers hold an image
  const rcode: u32 = load<u16>(image + IMAGE_RCODE);
  return rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN;
}

function isAnswer(image: u32): bool {
  if (<u32>load<u8>(image + IMAGE_CACHE_KIND) != KIND_NO_ERROR) return false; // Bounds: callers hold an image
  return (load<u16>(image + IMAGE_TRAITS) & <u16>TRAIT_ANSWERS) != 0;
}

/** The entry that now belongs to the key goes on with the hits of the one before. */
function carryHits(step: u32, hits: u32, lastMs: u32): void {
  const success = load<u32>(step + CACHE_STEP_ADDRESS); // Bounds: a step of the program
  const key = keyOf(nameHash, (qtype << 16) | qclass, keyBits());
  let block = entryOf(success + DENIAL * TABLE_BYTES, key);
  if (!block) block = entryOf(success, key);
  if (!block) return;
  store<u32>(block + ENTRY_HITS, hits); // Bounds: the first block of an entry, see ENTRY_HITS
  store<u32>(block + ENTRY_LAST, lastMs);
}
