// IP addresses as the cluster model keeps them: 4 or 16 octets in a one-byte string, the smallest thing that V8 can
// hold and compare. Several addresses of one family stand in one string, back to back.

/** Octets of the address that `text` spells, '' if it spells none. Accepts what Go's net.ParseIP accepts, without a zone. */
export function packAddress(text: string): string {
  return text.includes(':') ? packIpv6(text) : packIpv4(text);
}

/** Text of a packed address: dotted decimal, or the shortest IPv6 form (RFC 5952 §4), as the API server writes it. */
export function formatAddress(packed: string): string {
  if (packed.length === 4) return joinOctets(packed, '.');
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((packed.charCodeAt(i) << 8) | packed.charCodeAt(i + 1));
  const [start, length] = longestZeroRun(groups);
  if (length < 2) return groups.map((group) => group.toString(16)).join(':');
  const left = groups.slice(0, start).map((group) => group.toString(16));
  const right = groups.slice(start + length).map((group) => group.toString(16));
  return `${left.join(':')}::${right.join(':')}`;
}

/** Label of an endpoint without hostname: its address with dashes; one that would end in a dash gets a 0 (CoreDNS plugin kubernetes). */
export function dashedLabel(packed: string): string {
  return packed.length === 4 ? joinOctets(packed, '-') : dashedText(formatAddress(packed));
}

/** The same for an address that is not spelt the usual way: CoreDNS keeps the object's spelling. */
export function dashedText(text: string): string {
  const label = text.replaceAll(/[.:]/g, '-');
  return label.endsWith('-') ? `${label}0` : label;
}

/** Label of a pod: its address with dashes and nothing added. */
export function podLabel(packed: string): string {
  return formatAddress(packed).replaceAll(/[.:]/g, '-');
}

/** The addresses of `packed`, `family` octets each. */
export function cutAddresses(packed: string, family: number): string[] {
  const addresses: string[] = [];
  for (let at = 0; at < packed.length; at += family) addresses.push(packed.slice(at, at + family));
  return addresses;
}

/**
 * Where `address` stands in `packed` from the boundary `from` on, -1 if it does not. Many addresses begin alike: indexOf()
 * would stop at each of them, and at what lies across two.
 */
export function findAddress(packed: string, address: string, from = 0): number {
  const family = address.length;
  const last = address.charCodeAt(family - 1);
  for (let at = from; at < packed.length; at += family) {
    if (packed.charCodeAt(at + family - 1) === last && packed.startsWith(address, at)) return at;
  }
  return -1;
}

function joinOctets(packed: string, by: string): string {
  return packed.charCodeAt(0) + by + packed.charCodeAt(1) + by + packed.charCodeAt(2) + by + packed.charCodeAt(3);
}

/** One pass without pieces: a cluster of 150,000 endpoints comes through here. */
function packIpv4(text: string): string {
  const octets = [0, 0, 0, 0];
  let part = 0;
  let digits = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit === DOT && digits > 0 && part < 3) {
      part++;
      digits = 0;
      continue;
    }
    // A leading zero would be octal to some readers: Go refuses it.
    if (digit < 0 || digit > 9 || (digits > 0 && octets[part] === 0)) return '';
    octets[part] = octets[part]! * 10 + digit;
    digits++;
    if (octets[part]! > 255) return '';
  }
  return part === 3 && digits > 0 ? String.fromCharCode(octets[0]!, octets[1]!, octets[2]!, octets[3]!) : '';
}

/** The character '.', counted from '0'. */
const DOT = -2;

function packIpv6(text: string): string {
  const halves = text.split('::');
  if (halves.length > 2) return '';
  const left = packGroups(halves[0]!, halves.length === 1);
  const right = halves.length === 2 ? packGroups(halves[1]!, true) : '';
  if (left === undefined || right === undefined) return '';
  const room = 16 - left.length - right.length;
  if (halves.length === 1) return room === 0 ? left : '';
  return room >= 2 ? left + '\0'.repeat(room) + right : '';
}

/** Octets of colon-separated groups; undefined if malformed. A dotted tail may only end the whole address. */
function packGroups(text: string, isTail: boolean): string | undefined {
  if (text === '') return '';
  const groups = text.split(':');
  let octets = '';
  for (const [i, group] of groups.entries()) {
    if (isTail && i === groups.length - 1 && group.includes('.')) {
      const dotted = packIpv4(group);
      if (dotted === '') return undefined;
      octets += dotted;
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      octets += String.fromCharCode(value >> 8, value & 0xff);
    }
  }
  return octets.length <= 16 ? octets : undefined;
}

/** Start and length of the first longest run of zero groups. */
function longestZeroRun(groups: readonly number[]): readonly [number, number] {
  let best: readonly [number, number] = [0, 0];
  for (let at = 0; at < groups.length; ) {
    let end = at;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - at > best[1]) best = [at, end - at];
    at = end + 1;
  }
  return best;
}
