// Counters: f64 slots of the shard's own area, so a plain add is enough; the main thread adds the shards up when it is
// scraped. A scope is one server label and one zone label of the coredns_dns_* families (layout in shared/layout.ts).

import { PROTO_TCP } from '../shared/codes';
import {
  DURATION_BUCKETS,
  RCODE_SLOTS,
  REQUEST_TYPES,
  SCOPE_DO,
  SCOPE_DURATION,
  SCOPE_REQUESTS,
  SCOPE_REQUEST_SIZE,
  SCOPE_RESPONSES,
  SCOPE_RESPONSE_SIZE,
  SHARD_TOUCHED,
  SHARD_TOUCHED_COUNT,
  SIZE_BUCKETS,
  SLOTS,
  SLOT_COUNT,
  SLOT_NONE,
  TOUCHED_MAX,
} from '../shared/layout';
import {
  area,
  askedPlainBytes,
  isDo,
  isRewritten,
  proto,
  qtype,
  queryPlainBytes,
  seenType,
  sockaddrAt,
} from '../wire/query';

const AF_INET6: u32 = 10;

export function bump(slot: u32): void {
  add(slot, 1);
}

export function add(slot: u32, amount: f64): void {
  if (slot >= <u32>SLOT_COUNT) return;
  const at = area + SLOTS + slot * 8; // Bounds: slot < SLOT_COUNT
  store<f64>(at, load<f64>(at) + amount);
}

/** Position of a type in coredns_dns_requests_total's `type` label. */
function typeIndex(type: u32): u32 {
  switch (type) {
    case 1: return 0; // A
    case 28: return 1; // AAAA
    case 5: return 2; // CNAME
    case 48: return 3; // DNSKEY
    case 43: return 4; // DS
    case 15: return 5; // MX
    case 50: return 6; // NSEC3
    case 47: return 7; // NSEC
    case 2: return 8; // NS
    case 12: return 9; // PTR
    case 46: return 10; // RRSIG
    case 6: return 11; // SOA
    case 33: return 12; // SRV
    case 16: return 13; // TXT
    case 65: return 14; // HTTPS
    case 64: return 15; // SVCB
    case 251: return 16; // IXFR
    case 252: return 17; // AXFR
    case 255: return 18; // ANY
    default: return REQUEST_TYPES - 1;
  }
}

function sizeBucket(bytes: u32): u32 {
  if (bytes <= 100) return bytes == 0 ? 0 : 1;
  if (bytes <= 200) return 2;
  if (bytes <= 300) return 3;
  if (bytes <= 400) return 4;
  if (bytes <= 511) return 5;
  if (bytes <= 1023) return 6;
  if (bytes <= 2047) return 7;
  if (bytes <= 4095) return 8;
  if (bytes <= 8291) return 9;
  if (bytes <= 16000) return 10;
  if (bytes <= 32000) return 11;
  if (bytes <= 48000) return 12;
  if (bytes <= 64000) return 13;
  return 14;
}

/** Client's family as 0 (IPv4, also mapped into IPv6) or 1 (IPv6). */
export function family(): u32 {
  if (<u32>load<u16>(sockaddrAt) != AF_INET6) return 0; // Bounds: a sockaddr slot has 32 octets
  const isMapped = load<u64>(sockaddrAt + 8) == 0 && load<u32>(sockaddrAt + 16) == 0xffff0000;
  return isMapped ? 0 : 1;
}

/**
 * Counts one answered query. `origin` 0 = a plugin wrote the reply, 1 = the server did; its duration is added by
 * settle(), or here if `elapsedMs` is not negative.
 */
export function countAnswer(scope: u32, origin: u32, rcode: u32, replyPlainBytes: u32, elapsedMs: f64): void {
  if (scope == SLOT_NONE) return;
  const transport: u32 = proto == PROTO_TCP ? 1 : 0;
  bump(scope + SCOPE_REQUESTS + (transport * 2 + family()) * REQUEST_TYPES + typeIndex(isRewritten ? seenType : qtype));
  if (isDo) bump(scope + SCOPE_DO);
  countSize(scope + SCOPE_REQUEST_SIZE + transport * (SIZE_BUCKETS + 1), isRewritten ? askedPlainBytes : queryPlainBytes);
  countSize(scope + SCOPE_RESPONSE_SIZE + transport * (SIZE_BUCKETS + 1), replyPlainBytes);
  const known: u32 = rcode < <u32>RCODE_SLOTS - 1 ? rcode : RCODE_SLOTS - 1;
  bump(scope + SCOPE_RESPONSES + origin * RCODE_SLOTS + known);
  if (elapsedMs >= 0) addDurations(scope, 1, elapsedMs);
  else touch(scope);
}

function countSize(histogram: u32, bytes: u32): void {
  bump(histogram + sizeBucket(bytes));
  add(histogram + SIZE_BUCKETS, <f64>bytes);
}

function touch(scope: u32): void {
  const count = load<u32>(area + SHARD_TOUCHED_COUNT);
  const first = area + SHARD_TOUCHED;
  for (let i: u32 = 0; i < count; i++) {
    const entry = first + i * 8; // Bounds: i < count <= TOUCHED_MAX
    if (load<u32>(entry) == scope) {
      store<u32>(entry + 4, load<u32>(entry + 4) + 1);
      return;
    }
  }
  if (count == TOUCHED_MAX) {
    addDurations(scope, 1, 0);
    return;
  }
  store<u32>(first + count * 8, scope);
  store<u32>(first + count * 8 + 4, 1);
  store<u32>(area + SHARD_TOUCHED_COUNT, count + 1);
}

/** Adds the durations of all answers made since the last settle: what the whole batch took, an upper bound for each. */
export function settle(elapsedMs: f64): void {
  const count = load<u32>(area + SHARD_TOUCHED_COUNT);
  for (let i: u32 = 0; i < count; i++) {
    const entry = area + SHARD_TOUCHED + i * 8; // Bounds: i < count <= TOUCHED_MAX
    addDurations(load<u32>(entry), load<u32>(entry + 4), elapsedMs);
  }
  store<u32>(area + SHARD_TOUCHED_COUNT, 0);
}

function addDurations(scope: u32, answers: u32, elapsedMs: f64): void {
  let bucket: u32 = 0;
  let bound: f64 = 0.25;
  while (bucket < <u32>DURATION_BUCKETS - 1 && elapsedMs > bound) {
    bound *= 2;
    bucket++;
  }
  add(scope + SCOPE_DURATION + bucket, <f64>answers);
  add(scope + SCOPE_DURATION + DURATION_BUCKETS, <f64>answers * elapsedMs * 0.001);
}
