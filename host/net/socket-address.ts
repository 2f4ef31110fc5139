// struct sockaddr_in and struct sockaddr_in6 as octets (ip(7), ipv6(7); Linux, little-endian hosts):
//
//   in    0 u16 family 2 (host order) · 2 u16 port (network order) · 4 address 4                        = 16
//   in6   0 u16 family 10 · 2 u16 port · 4 u32 flow · 8 address 16 · 24 u32 scope id (host order)        = 28

import { networkInterfaces } from 'node:os';
import { addressOctets, addressText } from '../dns/address.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCKADDR_IN_BYTES = 16;
export const SOCKADDR_IN6_BYTES = 28;

export interface SocketAddress {
  /** IPv4 or IPv6 text; link-local IPv6 with its zone (`fe80::1%eth0`). IPv4-mapped addresses appear as IPv4. */
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
}

/**
 * Writes address and port at `octets[at]`; returns the length, 16 or 28.
 * @param asIpv6 writes IPv4 in the mapped form that a dual-stack socket wants.
 * @throws RangeError for text that is no IP address, or a zone that no interface has.
 */
export function encodeSocketAddress(
  octets: Uint8Array,
  at: number,
  address: string,
  port: number,
  asIpv6 = false,
): number {
  const [text, zone] = address.split('%', 2) as [string, string?];
  const parsed = addressOctets(text);
  if (parsed === undefined) throw new RangeError(`not an IP address: "${address}"`);
  const isIpv4 = parsed.length === 4;
  const bytes = isIpv4 && !asIpv6 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
  octets.fill(0, at, at + bytes);
  octets[at] = bytes === SOCKADDR_IN_BYTES ? AF_INET : AF_INET6;
  octets[at + 2] = port >> 8;
  octets[at + 3] = port & 0xff;
  if (bytes === SOCKADDR_IN_BYTES) {
    octets.set(parsed, at + 4);
    return bytes;
  }
  if (isIpv4) octets.fill(0xff, at + 18, at + 20);
  octets.set(parsed, at + 24 - parsed.length);
  if (zone !== undefined) writeScope(octets, at + 24, scopeOf(zone));
  return bytes;
}

/** Reads a sockaddr; an unknown family is `0.0.0.0:0`, so that a damaged one cannot stop a log line. */
export function decodeSocketAddress(octets: Uint8Array, at: number): SocketAddress {
  const family = octets[at]! | (octets[at + 1]! << 8);
  const port = (octets[at + 2]! << 8) | octets[at + 3]!;
  if (family === AF_INET) return { address: octets.subarray(at + 4, at + 8).join('.'), port, family: 4 };
  if (family !== AF_INET6) return { address: '0.0.0.0', port: 0, family: 4 };
  // A copy: the shared original may be the kernel's to write again
  const address = octets.slice(at + 8, at + 24);
  if (isMapped(address)) return { address: address.subarray(12).join('.'), port, family: 4 };
  const scope = octets[at + 24]! | (octets[at + 25]! << 8) | (octets[at + 26]! << 16) | (octets[at + 27]! << 24);
  const zone = scope === 0 ? '' : `%${zoneOf(scope)}`;
  return { address: addressText(address) + zone, port, family: 6 };
}

/** Length of the sockaddr at `octets[at]` by its family. */
export function sockaddrBytes(octets: Uint8Array, at: number): number {
  return octets[at] === AF_INET ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
}

/** `127.0.0.1:53`, `[::1]:53`, and `:53` for the wildcard, as Go prints listen addresses. */
export function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function isMapped(address: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return false;
  return address[10] === 0xff && address[11] === 0xff;
}

function writeScope(octets: Uint8Array, at: number, scope: number): void {
  octets[at] = scope & 0xff;
  octets[at + 1] = (scope >> 8) & 0xff;
  octets[at + 2] = (scope >> 16) & 0xff;
  octets[at + 3] = scope >>> 24;
}

/** Zone text (RFC 4007 §11): an interface's name, or its index in digits. */
function scopeOf(zone: string): number {
  if (/^\d{1,9}$/.test(zone)) return Number(zone);
  const entry = networkInterfaces()[zone]?.find((each) => each.family === 'IPv6' && each.scopeid !== 0);
  if (entry?.family !== 'IPv6') throw new RangeError(`no interface with IPv6 is called "${zone}"`);
  return entry.scopeid;
}

function zoneOf(scope: number): string {
  for (const [name, entries] of Object.entries(networkInterfaces())) {
    if (entries?.some((entry) => entry.family === 'IPv6' && entry.scopeid === scope)) return name;
  }
  return String(scope);
}
