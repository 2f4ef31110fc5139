// Addresses of a server block: `[dns://]ZONE-or-CIDR[:PORT]` -> zones and ports.

import { addressOctets } from '../dns/address.ts';
import { composeName, NameError, normalName } from '../dns/name.ts';
import { isReverse, reverseZonesOfText } from '../dns/reverse.ts';
import { CorefileError } from '../errors.ts';
import { parsingError, placeOf, type Token } from './token.ts';

export interface BlockKey {
  /** CoreDNS takes `unix://` and makes no server for it. */
  readonly transport: 'dns' | 'unix';
  /** Lower-case, fully qualified. */
  readonly zone: string;
  /** 0 = ephemeral; may be none until refusePorts() has passed. undefined: unix without a port. */
  readonly port: number | undefined;
  /** The word it came from; a CIDR word may give several keys. */
  readonly token: Token;
}

/** Port that `-dns.port` left at its default. */
export const DEFAULT_PORT = 53;

/** Transports that CoreDNS knows and this server does not have yet. */
const MISSING_TRANSPORTS: readonly string[] = ['tls', 'quic', 'grpc', 'https', 'https3'];

/** All keys of one address word. Throws CorefileError. */
export function parseKey(token: Token, defaultPort: number): BlockKey[] {
  const { transport, address } = withoutTransport(token);
  let split: ZonesAndPort;
  try {
    split = splitZonesAndPort(address);
  } catch (error) {
    if (error instanceof NameError) throw parsingError(token, error.message);
    throw error;
  }
  const port = split.port ?? (transport === 'dns' ? defaultPort : undefined);
  return split.zones.map((zone) => ({ transport, zone, port, token }));
}

/**
 * Zones of a plugin's zone argument: lower-case, fully qualified, CIDR expanded, transport and port dropped; undefined
 * when the text is no zone, which CoreDNS skips without a word.
 */
export function zonesOfArgument(text: string): string[] | undefined {
  const scheme = /^(dns|tls|quic|grpc|https3?|unix):\/\//.exec(text);
  try {
    return splitZonesAndPort(scheme === null ? text : text.slice(scheme[0].length)).zones;
  } catch (error) {
    if (error instanceof NameError) return undefined;
    throw error;
  }
}

/** False: CoreDNS warns `Domain "ZONE" does not follow RFC1035 preferred syntax` at start. */
export function hasPreferredSyntax(zone: string): boolean {
  return zone === '.' || isReverse(zone) || /^(?:[a-z](?:[a-z0-9-]*[a-z0-9])?\.)+$/i.test(zone);
}

/** One address that a block listens on for one of its keys; '' = all addresses. */
export interface Binding {
  readonly key: BlockKey;
  readonly address: string;
}

/**
 * Refuses the same zone twice on one port and address, and a zone that is both bound and unbound on one port; takes
 * the bindings in file order. Throws CorefileError that points at the second one.
 */
export function refuseOverlaps(bindings: readonly Binding[]): void {
  const seen = new Map<string, Map<string, Binding>>();
  for (const binding of bindings) {
    const zone = `${binding.key.transport}://${binding.key.zone}:${binding.key.port ?? ''}`;
    const addresses = seen.get(zone) ?? new Map<string, Binding>();
    seen.set(zone, addresses);
    const text = binding.address === '' ? zone : `${zone} on ${binding.address}`;
    if (addresses.has(binding.address)) {
      throw overlapError(binding, `cannot serve ${text} - it is already defined`);
    }
    const other = binding.address === '' ? [...addresses.keys()].at(-1) : addresses.has('') ? '' : undefined;
    if (other !== undefined) {
      const otherText = other === '' ? zone : `${zone} on ${other}`;
      throw overlapError(binding, `cannot serve ${text} - zone overlap listener capacity with ${otherText}`);
    }
    addresses.set(binding.address, binding);
  }
}

/** Refuses ports that are none: CoreDNS looks at them when it groups its servers by address. Throws CorefileError. */
export function refusePorts(bindings: readonly Binding[]): void {
  for (const { port, token } of bindings.map(({ key }) => key)) {
    if (port !== undefined && (port < 0 || port > 65535)) throw parsingError(token, `address ${port}: invalid port`);
  }
}

interface ZonesAndPort {
  readonly zones: string[];
  readonly port: number | undefined;
}

function withoutTransport(token: Token): Pick<BlockKey, 'transport'> & { readonly address: string } {
  const scheme = /^([a-z0-9]+):\/\//.exec(token.text);
  if (scheme?.[1] === 'dns' || scheme?.[1] === 'unix') {
    return { transport: scheme[1], address: token.text.slice(scheme[0].length) };
  }
  if (scheme !== null && MISSING_TRANSPORTS.includes(scheme[1]!)) {
    throw parsingError(token, `transport ${scheme[0]} is not supported yet: '${token.text}'`);
  }
  // As in CoreDNS, an unknown scheme is part of a (strange) zone name.
  return { transport: 'dns', address: token.text };
}

/** The port is the integer behind the last colon; other text there belongs to the name. Throws NameError. */
function splitZonesAndPort(address: string): ZonesAndPort {
  if (address === '' || address.endsWith(':')) {
    throw new NameError(`expecting data after last colon: ${JSON.stringify(address)}`);
  }
  const portAt = address.lastIndexOf(':');
  const portText = portAt < 0 ? '' : address.slice(portAt + 1);
  // Fifteen digits are far beyond any port and still exact.
  const hasPort = /^[-+]?\d{1,15}$/.test(portText);
  const zoneText = hasPort ? address.slice(0, portAt) : address;
  if (zoneText.length > 255) throw new NameError(`specified zone is too long: ${zoneText.length} > 255`);
  if (!isName(zoneText)) throw new NameError(`zone is not a valid domain name: ${zoneText}`);
  const port = hasPort ? Number(portText) : undefined;
  const reverse = reverseZonesOfText(zoneText);
  if (reverse === undefined) return { zones: [normalName(zoneText)], port };
  if (zoneText.startsWith(':') || (zoneText.startsWith('0') && zoneText.includes(':'))) {
    throw new NameError(`invalid CIDR ${zoneText}`);
  }
  return { zones: reverse, port };
}

function isName(text: string): boolean {
  try {
    composeName(text);
    return true;
  } catch (error) {
    if (error instanceof NameError) return false;
    throw error;
  }
}

function overlapError(binding: Binding, text: string): CorefileError {
  const { token } = binding.key;
  return new CorefileError(`${token.file}:${token.line} - Error during parsing: ${text}`, placeOf(token));
}

/** An IP address without its zone identifier (`fe80::1%eth0`), or undefined. */
export function ipAddressOf(text: string): string | undefined {
  const percent = text.lastIndexOf('%');
  const address = percent < 0 ? text : text.slice(0, percent);
  return addressOctets(address) === undefined ? undefined : address;
}
