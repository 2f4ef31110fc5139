// IP addresses as text and as octets.

import { isIPv4, isIPv6 } from 'node:net';

/**
 * Octets of an address: 4 for IPv4, 16 for IPv6, undefined for any other text. No zone identifiers (`%eth0`), no
 * leading zeros in IPv4 octets (as Go's net.ParseIP).
 */
export function addressOctets(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  if (isIPv6(text) && !text.includes('%')) return ipv6Octets(text);
  return undefined;
}

/** Text of 4 or 16 octets; IPv6 in the form of RFC 5952. Other lengths are a RangeError. */
export function addressText(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.');
  if (octets.length !== 16) throw new RangeError(`an address has 4 or 16 octets, not ${octets.length}`);
  if (isMappedIpv4(octets)) return `::ffff:${octets.subarray(12).join('.')}`;
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((octets[i]! << 8) | octets[i + 1]!);
  const zeros = longestZeroRun(groups);
  if (zeros.length < 2) return groups.map(hex).join(':');
  return `${groups.slice(0, zeros.start).map(hex).join(':')}::${groups
    .slice(zeros.start + zeros.length)
    .map(hex)
    .join(':')}`;
}

/** An address block `10.0.0.0/8`: the network's octets (bits beyond the prefix are zero) and the prefix length. */
export interface AddressBlock {
  readonly octets: Uint8Array;
  readonly prefixBits: number;
}

/** Reads ADDRESS/BITS (RFC 4632 §3.1, RFC 4291 §2.3); undefined for any other text. */
export function parseAddressBlock(text: string): AddressBlock | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const octets = addressOctets(text.slice(0, slash));
  const bitsText = text.slice(slash + 1);
  if (octets === undefined || !/^\d{1,6}$/.test(bitsText)) return undefined;
  const prefixBits = Number(bitsText);
  if (prefixBits > octets.length * 8) return undefined;
  for (let i = 0; i < octets.length; i++) {
    const kept = Math.min(8, Math.max(0, prefixBits - i * 8));
    octets[i]! &= (0xff00 >> kept) & 0xff;
  }
  return { octets, prefixBits };
}

function ipv6Octets(text: string): Uint8Array {
  const [head, tail] = text.split('::') as [string, string?];
  const front = groupOctets(head);
  const octets = new Uint8Array(16);
  octets.set(front, 0);
  if (tail !== undefined) {
    const back = groupOctets(tail);
    octets.set(back, 16 - back.length);
  }
  return octets;
}

/** `a:b` or `a:1.2.3.4` -> octets; the text has passed isIPv6(). */
function groupOctets(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function isMappedIpv4(octets: Uint8Array): boolean {
  return octets[10] === 0xff && octets[11] === 0xff && octets.subarray(0, 10).every((octet) => octet === 0);
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  groups.forEach((group, i) => {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: i + 1 - length, length };
  });
  return best;
}

function hex(group: number): string {
  return group.toString(16);
}
