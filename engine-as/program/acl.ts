// Who may ask what (CoreDNS plugin acl): the first policy of a rule that fits the question's type and the client's
// address decides; without one the next rule is tried, and in the end the question is allowed.

import { add, bump } from '../metrics/counters';
import {
  ACL_ALLOW,
  ACL_KINDS,
  ACL_POLICY_STRIDE,
  ACL_RANGE_STRIDE,
  ACL_RULE_STRIDE,
  SLOT_NONE,
  ZONE_LIST_ENTRIES,
  ZONE_LIST_STRIDE,
  ZONE_SERVER,
} from '../shared/layout';
import { qtype, sockaddrAt } from '../wire/query';
import { load32 } from '../wire/octets';
import { zoneAt } from './chain';
import { longestZone } from './zones';

const AF_INET6: u32 = 10;
const UNDECIDED: u32 = 0xffff;

/** The client's address: two halves, as ranges have them; an IPv4-mapped one is an IPv4 address. */
let isIpv6: bool = false;
let upper: u64 = 0;
let lower: u64 = 0;

/** Where the message being served was counted as allowed. */
let allowedSlot: u32 = 0;

/** ACL_ action for the question being served, which is counted. */
export function decideAccess(step: u32): u32 {
  takeClient();
  const rules = load<u32>(step + 8); // Bounds: compiled by the host, as all below
  const ruleCount = load<u32>(step + 12);
  const server = load<u32>(zoneAt + ZONE_SERVER);
  for (let i: u32 = 0; i < ruleCount; i++) {
    const rule = rules + i * ACL_RULE_STRIDE;
    const zones = load<u32>(rule);
    const zone = longestZone(zones);
    if (!zone) continue;
    const action = firstFit(load<u32>(rule + 4), load<u32>(rule + 8));
    if (action == UNDECIDED) continue;
    if (action == ACL_ALLOW) break;
    const index = server * load<u32>(zones) + (zone - zones - ZONE_LIST_ENTRIES) / ZONE_LIST_STRIDE;
    count(load<u32>(rule + 12), index * ACL_KINDS + action - 1);
    return action;
  }
  allowedSlot = count(load<u32>(step + 16), server);
  return ACL_ALLOW;
}

/** Adds 1 to the counter of this index and returns its slot, SLOT_NONE if it is not counted. */
function count(slots: u32, index: u32): u32 {
  const slot: u32 = slots ? load<u32>(slots + index * 4) : SLOT_NONE; // Bounds: compiled by the host
  if (slot != SLOT_NONE) bump(slot);
  return slot;
}

function takeClient(): void {
  // Bounds: a sockaddr slot has 32 octets: an IPv4 address at 4, an IPv6 one at 8
  isIpv6 = <u32>load<u16>(sockaddrAt) == AF_INET6;
  if (!isIpv6) {
    upper = 0;
    lower = load32(sockaddrAt + 4);
    return;
  }
  upper = bswap<u64>(load<u64>(sockaddrAt + 8));
  lower = bswap<u64>(load<u64>(sockaddrAt + 16));
  if (upper || lower >> 32 != 0xffff) return;
  isIpv6 = false;
  lower &= 0xffffffff;
}

/** ACL_ action of the first policy that fits, or UNDECIDED. */
function firstFit(policies: u32, count: u32): u32 {
  for (let i: u32 = 0; i < count; i++) {
    const policy = policies + i * ACL_POLICY_STRIDE; // Bounds: compiled by the host
    if (!fitsType(load<u32>(policy + 4), load<u32>(policy + 8))) continue;
    const ranges = policy + (isIpv6 ? 20 : 12);
    if (holdsClient(load<u32>(ranges), load<u32>(ranges + 4))) return load<u32>(policy);
  }
  return UNDECIDED;
}

function fitsType(types: u32, count: u32): bool {
  if (!types) return true;
  for (let i: u32 = 0; i < count; i++) if (load<u32>(types + i * 4) == qtype) return true; // Bounds: compiled by the host
  return false;
}

/** Looks for the last range that begins at or before the client's address. */
function holdsClient(ranges: u32, count: u32): bool {
  let from: u32 = 0;
  let to = count;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (isAtMost(ranges + middle * ACL_RANGE_STRIDE, upper, lower)) from = middle + 1;
    else to = middle;
  }
  if (!from) return false;
  const last = ranges + (from - 1) * ACL_RANGE_STRIDE + 16;
  return !isAtMost(last, upper, lower) || (load<u64>(last) == upper && load<u64>(last + 8) == lower);
}

/** True if the address at `at` is not above the other. */
@inline
function isAtMost(at: u32, otherUpper: u64, otherLower: u64): bool {
  const half = load<u64>(at); // Bounds: callers pass an address of a range
  return half == otherUpper ? load<u64>(at + 8) <= otherLower : half < otherUpper;
}

/** A message comes in that nobody has decided about. */
export function forgetAllowed(): void {
  allowedSlot = SLOT_NONE;
}

/** The message will be served again. */
export function uncountAllowed(): void {
  if (allowedSlot != SLOT_NONE) add(allowedSlot, -1);
}
