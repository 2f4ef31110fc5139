// From tables to what the engine looks up: under each name everything that it answers. CoreDNS looks into the file,
// then into the inline entries; in each of them, and for each family by itself, a wildcard counts where there is no
// exact entry.

import { NAME_BYTES_MAX } from '../../../engine-as/shared/codes.ts';
import { REVERSE_KEY } from '../../../engine-as/shared/layout.ts';
import { composeName, NameError, parentName } from '../../dns/name.ts';
import { OWNER_SILENT, type RecordSet } from '../../plugin/contract.ts';
import type { HostsTable, Packed } from './hosts-file.ts';

/** What one name answers. Strings, because there may be very many of them and they are compared. */
export interface Owners {
  /** Name or wildcard -> packed IPv4 addresses, then packed IPv6 addresses; see joined(). */
  readonly names: Map<string, string>;
  /** Packed address -> names, blanks between them. */
  readonly reverse: Map<Packed, string>;
}

export function mergedOwners(sources: readonly HostsTable[]): Owners {
  const names = new Map<string, string>();
  const reverse = new Map<Packed, string>();
  for (const table of sources) {
    for (const name of namesOf(table)) {
      const value = names.has(name) ? '' : ofName(sources, name);
      if (value !== '') names.set(name, value);
    }
    for (const [address, list] of table.reverse) {
      const known = reverse.get(address);
      reverse.set(address, known === undefined ? list : `${known} ${list}`);
    }
  }
  return { names, reverse };
}

function* namesOf(table: HostsTable): Iterable<string> {
  yield* table.ipv4.keys();
  yield* table.ipv6.keys();
  yield* table.wildIpv4.keys();
  yield* table.wildIpv6.keys();
}

function ofName(sources: readonly HostsTable[], name: string): string {
  let ipv4 = '';
  let ipv6 = '';
  for (const table of sources) {
    ipv4 += table.ipv4.get(name) ?? underWildcard(table.wildIpv4, name);
    ipv6 += table.ipv6.get(name) ?? underWildcard(table.wildIpv6, name);
  }
  return joined(ipv4, ipv6);
}

function underWildcard(wild: ReadonlyMap<string, Packed>, name: string): Packed {
  if (wild.size === 0) return '';
  const parent = parentName(name);
  // The only label of a name is never taken for a wildcard's.
  return parent === undefined || parent === '.' ? '' : (wild.get(`*.${parent}`) ?? '');
}

/** Nothing but IPv4 addresses is by far the usual case. */
function joined(ipv4: Packed, ipv6: Packed): string {
  return ipv6 === '' ? ipv4 : `${ipv4}${SEAM}${ipv6}`;
}
/** No octet. */
const SEAM = '\u0100';

/** The RRsets of a value of Owners.names. */
export function addressSets(value: string): RecordSet[] {
  const seam = value.indexOf(SEAM);
  const sets: RecordSet[] = [];
  const ipv4 = unpacked(seam < 0 ? value : value.slice(0, seam), 4);
  const ipv6 = seam < 0 ? [] : unpacked(value.slice(seam + 1), 16);
  if (ipv4.length > 0) sets.push({ type: 'A', addresses: ipv4 });
  if (ipv6.length > 0) sets.push({ type: 'AAAA', addresses: ipv6 });
  return sets;
}

/** The RRset of a value of Owners.reverse. */
export function nameSets(value: string): RecordSet[] {
  const names = value.split(' ').map((name) => ({ wire: wireOf(name) ?? standIn(name), relative: false }));
  return [{ type: 'PTR', names }];
}

/** OWNER_SILENT if one of the names is no name: CoreDNS cannot pack such a reply. */
export function nameFlags(value: string): number {
  return value.split(' ').every((name) => wireOf(name) !== undefined) ? 0 : OWNER_SILENT;
}

function wireOf(name: string): Uint8Array | undefined {
  try {
    return composeName(name);
  } catch (error) {
    if (error instanceof NameError) return undefined;
    throw error;
  }
}

/** Nobody sees it: a name of the size that CoreDNS counts for what is none, 255 octets at most. */
function standIn(name: string): Uint8Array {
  const octets = name.replace(/\\(?:[0-9]{3}|.)/g, 'x').length + 1;
  const wire: number[] = [];
  for (let left = Math.min(octets, NAME_BYTES_MAX) - 1; left > 0; ) {
    const label = left === 65 ? 62 : Math.min(left - 1, 63);
    wire.push(label, ...Buffer.alloc(label, 'x'));
    left -= label + 1;
  }
  return Uint8Array.from([...wire, 0]);
}

export function reverseKey(address: Packed): Uint8Array {
  return Uint8Array.from([REVERSE_KEY, ...octetsOf(address)]);
}

function unpacked(addresses: Packed, bytes: number): Uint8Array[] {
  const octets = octetsOf(addresses);
  return Array.from({ length: octets.length / bytes }, (_, i) => octets.subarray(i * bytes, (i + 1) * bytes));
}

function octetsOf(packed: Packed): Uint8Array {
  const octets = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) octets[i] = packed.charCodeAt(i);
  return octets;
}
