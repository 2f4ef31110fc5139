// The differences from CoreDNS that are allowed, each with its reason. Everything else fails the suite.

import { TYPES } from '../support/numbers.ts';
import type { Outcome } from './pair.ts';
import type { Probe } from './probe.ts';

export interface AllowedDifference {
  readonly reason: string;
  /** The row of docs/differences.md, by its first column; none where CoreDNS differs from itself. */
  readonly row?: string;
  /** True when this row explains all differences of the outcome. */
  explains(probe: Probe, outcome: Outcome): boolean;
}

export const ALLOWED: readonly AllowedDifference[] = [
  {
    // Two processes of CoreDNS list the slices in two orders, and loadbalance shuffles.
    reason: 'which records stand before the cut of a truncated SRV answer depends on the order of slices and addresses',
    explains: (probe, { comparison }) =>
      probe.type === TYPES['SRV'] && comparison.differences.every((difference) => isAlmostSameCut(difference)),
  },
  {
    reason: 'CoreDNS cannot send a TSIG on: its first attempt fails and takes the TSIG away, the next one goes without',
    row: 'a query with a TSIG that is forwarded',
    explains: (probe, { comparison }) =>
      probe.extras.includes('tsig') &&
      (/^(?:rcode: \w+ \/ SERVFAIL|flags: qr.* ra \/ qr[^a]*)$/.test(comparison.differences[0] ?? '') ||
        comparison.differences.every((difference) =>
          /^answer: only on the (?:left|right): echo-.* TXT /i.test(difference),
        )),
  },
  {
    reason: 'CoreDNS sends what is no DNS message, for instance `_udp.` before a name of 255 octets',
    explains: (_, { comparison }) => /^form: well-formed \/ malformed/.test(comparison.differences[0] ?? ''),
  },
];

/** Records differ in size by less than two others: 16 octets of IPv6 address, the length of a hostname. */
function isAlmostSameCut(difference: string): boolean {
  const [, left, right] = /^size of the truncated \w+ section: ([0-9]+) \/ ([0-9]+)$/.exec(difference) ?? [];
  return left !== undefined && Math.abs(Number(left) - Number(right)) <= 2;
}
