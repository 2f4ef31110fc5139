// A hosts file's text to tables (hosts(5), as CoreDNS reads it): `ADDRESS NAME...` a line, `#` begins a comment.

import { addressOctets } from '../../dns/address.ts';
import { isInZone } from '../../dns/name.ts';
import { isLineTooLong, SPACES } from '../../plugin/file-lines.ts';

/** Addresses are packed: one character an octet, 4 or 16 to an address, one behind the other. */
export type Packed = string;

/** Names are lower-case and fully qualified, in the file's own text form. */
export interface HostsTable {
  readonly ipv4: Map<string, Packed>;
  readonly ipv6: Map<string, Packed>;
  /** `*.zone.`: stands for any one label. */
  readonly wildIpv4: Map<string, Packed>;
  readonly wildIpv6: Map<string, Packed>;
  /** One packed address -> its names, blanks between them. */
  readonly reverse: Map<Packed, string>;
  /** Addresses of names and names of addresses. */
  entries: number;
}

export interface HostsRules {
  /** Lower-case, fully qualified: names outside are left out. */
  readonly zones: readonly string[];
  readonly hasReverse: boolean;
}

export function parseHostsText(text: string, rules: HostsRules): HostsTable {
  const table: HostsTable = {
    ipv4: new Map(),
    ipv6: new Map(),
    wildIpv4: new Map(),
    wildIpv6: new Map(),
    reverse: new Map(),
    entries: 0,
  };
  for (let at = 0; at < text.length; ) {
    const found = text.indexOf('\n', at);
    const end = found < 0 ? text.length : found;
    // Go's reader stops there, and so the rest of the file does not count
    if (isLineTooLong(text, at, end)) return table;
    takeLine(table, text.slice(at, end), rules);
    at = end + 1;
  }
  return table;
}

function takeLine(table: HostsTable, line: string, rules: HostsRules): void {
  const comment = line.indexOf('#');
  const fields = (comment < 0 ? line : line.slice(0, comment)).split(SPACES);
  // White space at either end gives an empty field.
  const first = fields[0] === '' ? 1 : 0;
  const behind = fields.length > 1 && fields.at(-1) === '' ? fields.length - 1 : fields.length;
  if (behind - first < 2) return;
  const address = packedAddress(fields[first]!);
  if (address === undefined) return;
  for (let i = first + 1; i < behind; i++) takeName(table, address, qualified(fields[i]!), rules);
}

function takeName(table: HostsTable, address: Packed, name: string, rules: HostsRules): void {
  if (!rules.zones.some((zone) => isInZone(name, zone))) return;
  const isIpv4 = address.length === 4;
  table.entries++;
  if (name.startsWith('*.')) {
    append(isIpv4 ? table.wildIpv4 : table.wildIpv6, name, address);
    return;
  }
  append(isIpv4 ? table.ipv4 : table.ipv6, name, address);
  if (!rules.hasReverse) return;
  table.entries++;
  const names = table.reverse.get(address);
  table.reverse.set(address, names === undefined ? name : `${names} ${name}`);
}

function append(map: Map<string, Packed>, name: string, address: Packed): void {
  const addresses = map.get(name);
  map.set(name, addresses === undefined ? address : addresses + address);
}

/** Without its zone identifier; an IPv4-mapped IPv6 address is an IPv4 address. */
function packedAddress(text: string): Packed | undefined {
  const percent = text.indexOf('%');
  const octets = addressOctets(percent < 0 ? text : text.slice(0, percent));
  if (octets === undefined) return undefined;
  const packed = String.fromCharCode(...octets);
  return packed.startsWith(MAPPED) && packed.length === 16 ? packed.slice(12) : packed;
}
const MAPPED = `${'\0'.repeat(10)}\xff\xff`;

/** Lower-case, with a final dot that is not escaped. */
function qualified(text: string): string {
  const isQualified = text.endsWith('.') && /(^|[^\\])(\\\\)*\.$/.test(text);
  return (isQualified ? text : `${text}.`).toLowerCase();
}
