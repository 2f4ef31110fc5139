// The access step of a program, as the engine reads it (engine-as/shared/layout.ts): subnets become ranges of addresses
// in order, so that a long list costs few comparisons.

import * as layout from '../../engine-as/shared/layout.ts';
import type { AccessPolicy, AccessRule, AccessStep, Subnet } from '../plugin/contract.ts';
import type { Octets } from './octets.ts';

const ACTIONS = {
  allow: layout.ACL_ALLOW,
  block: layout.ACL_BLOCK,
  filter: layout.ACL_FILTER,
  drop: layout.ACL_DROP,
} as const;

const ALL_ADDRESSES: readonly Subnet[] = [
  { octets: new Uint8Array(4), prefixBits: 0 },
  { octets: new Uint8Array(16), prefixBits: 0 },
];

export function fillAccess(out: Octets, at: number, step: AccessStep): void {
  const rules = out.reserve(step.rules.length * layout.ACL_RULE_STRIDE);
  out.u32(at + 8, out.address(rules));
  out.u32(at + 12, step.rules.length);
  out.u32(at + 16, words(out, step.allowedSlots));
  for (const [i, rule] of step.rules.entries()) fillRule(out, rules + i * layout.ACL_RULE_STRIDE, rule);
}

function fillRule(out: Octets, at: number, { zones, policies, slots }: AccessRule): void {
  const table = out.reserve(policies.length * layout.ACL_POLICY_STRIDE);
  out.u32(at, out.zoneList(zones));
  out.u32(at + 4, out.address(table));
  out.u32(at + 8, policies.length);
  out.u32(at + 12, words(out, slots));
  for (const [i, policy] of policies.entries()) fillPolicy(out, table + i * layout.ACL_POLICY_STRIDE, policy);
}

function fillPolicy(out: Octets, at: number, { action, types, subnets = ALL_ADDRESSES }: AccessPolicy): void {
  out.u32(at, ACTIONS[action]);
  if (types !== undefined) {
    out.u32(at + 4, words(out, types));
    out.u32(at + 8, types.length);
  }
  fillRanges(out, at + 12, subnets, 4);
  fillRanges(out, at + 20, subnets, 16);
}

/** Returns their address, 0 for none. */
function words(out: Octets, values: readonly number[]): number {
  if (values.length === 0) return 0;
  const at = out.reserve(values.length * 4);
  values.forEach((value, i) => {
    out.u32(at + i * 4, value);
  });
  return out.address(at);
}

/** The ranges of all subnets of this family. Of two subnets one holds the other, or they have nothing in common. */
function fillRanges(out: Octets, at: number, subnets: readonly Subnet[], addressBytes: number): void {
  const all = subnets.filter(({ octets }) => octets.length === addressBytes).map(rangeOf);
  all.sort((a, b) => Buffer.compare(a.first, b.first) || Buffer.compare(b.last, a.last));
  const ranges: Range[] = [];
  for (const range of all) {
    const before = ranges.at(-1);
    if (before === undefined || Buffer.compare(range.first, before.last) > 0) ranges.push(range);
  }
  const table = out.reserve(ranges.length * layout.ACL_RANGE_STRIDE);
  out.u32(at, out.address(table));
  out.u32(at + 4, ranges.length);
  ranges.forEach(({ first, last }, i) => {
    const entry = table + i * layout.ACL_RANGE_STRIDE;
    fillAddress(out, entry, first);
    fillAddress(out, entry + 16, last);
  });
}

interface Range {
  /** 16 octets, an IPv4 address behind twelve zeros. */
  readonly first: Uint8Array;
  readonly last: Uint8Array;
}

function rangeOf({ octets, prefixBits }: Subnet): Range {
  const first = new Uint8Array(16);
  first.set(octets, 16 - octets.length);
  const last = first.slice();
  const fixedBits = prefixBits + (16 - octets.length) * 8;
  last.forEach((octet, i) => {
    last[i] = octet | (0xff >> Math.min(8, Math.max(0, fixedBits - i * 8)));
  });
  return { first, last };
}

/** Two u64 in the machine's order, the upper half first. */
function fillAddress(out: Octets, at: number, octets: Uint8Array): void {
  out.copy(at, octets.slice(0, 8).reverse());
  out.copy(at + 8, octets.slice(8).reverse());
}
