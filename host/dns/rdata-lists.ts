// The parts of rdata that repeat to its end: what CoreDNS's DNS library refuses of them, in its own words.

import {
  OPTION_ECS,
  OPTION_EDE,
  OPTION_EXPIRE,
  OPTION_KEEPALIVE,
  OPTION_LLQ,
  OPTION_REPORTING,
  OPTION_UPDATE_LEASE,
  OPTION_ZONEVERSION,
} from '../../engine-as/shared/codes.ts';

type Problem = string | undefined;

/** Character-strings (RFC 1035 §3.3). */
export function stringsProblem(octets: Uint8Array): Problem {
  let at = 0;
  while (at < octets.length) at += octets[at]! + 1;
  return at === octets.length ? undefined : 'dns: overflow unpacking txt';
}

/** Windows of types (RFC 4034 §4.1.2). */
export function bitmapProblem(octets: Uint8Array): Problem {
  let last = -1;
  for (let at = 0; at < octets.length; ) {
    if (at + 2 > octets.length) return 'dns: overflow unpacking NSEC(3)';
    const window = octets[at]!;
    const bytes = octets[at + 1]!;
    at += 2 + bytes;
    if (window <= last) return 'dns: out of order NSEC(3) block in type bitmap';
    if (bytes === 0) return 'dns: empty NSEC(3) block in type bitmap';
    if (bytes > 32) return 'dns: NSEC(3) block too long in type bitmap';
    if (at > octets.length) return 'dns: overflowing NSEC(3) block in type bitmap';
    last = window;
  }
  return undefined;
}

/** SvcParams (RFC 9460 §2.2). */
export function paramsProblem(octets: Uint8Array): Problem {
  let last = -1;
  for (let at = 0; at < octets.length; ) {
    const [key, bytes] = [u16(octets, at), u16(octets, at + 2)];
    if (at + 4 + bytes > octets.length) return 'dns: overflow unpacking SVCB';
    if (key === 0xffff) return 'dns: bad SVCB key';
    const problem = paramProblem(key, octets.subarray(at + 4, at + 4 + bytes));
    if (problem !== undefined) return problem;
    if (key <= last) return 'dns: SVCB keys not in strictly increasing order';
    last = key;
    at += 4 + bytes;
  }
  return undefined;
}

function paramProblem(key: number, value: Uint8Array): Problem {
  const bytes = value.length;
  if (key === 0) return bytes % 2 === 0 ? undefined : 'bad svcbmandatory: value length is not a multiple of 2';
  if (key === 1) return stringsProblem(value) && 'bad svcbalpn: alpn array overflowing';
  if (key === 2) return bytes === 0 ? undefined : 'bad svcbnodefaultalpn: no-default-alpn must have no value';
  if (key === 3) return bytes === 2 ? undefined : 'bad svcbport: port length is not exactly 2 octets';
  if (key === 4) {
    if (bytes > 0 && bytes % 4 === 0) return undefined;
    return 'bad svcbipv4hint: ipv4 address byte array length is not a multiple of 4';
  }
  if (key === 6) return hintProblem(value);
  return key === 8 && bytes !== 0 ? 'bad svcbotthp: svcbotthp must have no value' : undefined;
}

/** IPv6 addresses, none of which stands for an IPv4 address. */
function hintProblem(value: Uint8Array): Problem {
  if (value.length === 0 || value.length % 16 !== 0)
    return 'bas svcbipv6hint: ipv6 address byte array length not a multiple of 16';
  for (let at = 0; at < value.length; at += 16) {
    const isMapped = value.subarray(at, at + 10).every((octet) => octet === 0) && u16(value, at + 10) === 0xffff;
    if (isMapped) return 'bad svcbipv6hint: expected ipv6, got ipv4';
  }
  return undefined;
}

/** Address prefixes (RFC 3123 §4). */
export function prefixesProblem(octets: Uint8Array): Problem {
  for (let at = 0; at < octets.length; ) {
    if (at + 4 > octets.length) return 'dns: overflow unpacking APL prefix';
    const family = u16(octets, at);
    const bytes = octets[at + 3]! & 0x7f;
    const most = family === 1 ? 4 : family === 2 ? 16 : 0;
    if (most === 0) return 'dns: unrecognized APL address family';
    if (octets[at + 2]! > most * 8) return 'dns: APL prefix too long';
    if (bytes > most) return 'dns: APL length too long';
    if (at + 4 + bytes > octets.length) return 'dns: overflow unpacking APL address';
    if (bytes > 0 && octets[at + 3 + bytes] === 0) return 'dns: extra APL address bits';
    at += 4 + bytes;
  }
  return undefined;
}

const TOO_SHORT = 'dns: buffer size too small';
const LLQ_BYTES = 18;

/** EDNS options (RFC 6891 §6.1.2). */
export function optionsProblem(octets: Uint8Array): Problem {
  for (let at = 0; at < octets.length; ) {
    const [code, bytes] = [u16(octets, at), u16(octets, at + 2)];
    if (at + 4 + bytes > octets.length) return 'dns: overflow unpacking opt';
    const problem = optionProblem(code, octets.subarray(at + 4, at + 4 + bytes));
    if (problem !== undefined) return problem;
    at += 4 + bytes;
  }
  return undefined;
}

function optionProblem(code: number, value: Uint8Array): Problem {
  const bytes = value.length;
  const unless = (isSound: boolean) => (isSound ? undefined : TOO_SHORT);
  if (code === OPTION_ECS) return bytes < 4 ? TOO_SHORT : subnetProblem(u16(value, 0), value[2]!, value[3]!);
  if (code === OPTION_KEEPALIVE)
    return bytes === 0 || bytes === 2 ? undefined : `length mismatch, want 0/2 but got ${bytes}`;
  if (code === OPTION_EXPIRE) return unless(bytes === 0 || bytes >= 4);
  if (code === OPTION_EDE || code === OPTION_ZONEVERSION) return unless(bytes >= 2);
  if (code === OPTION_LLQ) return unless(bytes >= LLQ_BYTES);
  if (code === OPTION_REPORTING && !hasName(value)) return `bad agent domain: ${TOO_SHORT}`;
  return code === OPTION_UPDATE_LEASE ? unless(bytes === 4 || bytes === 8) : undefined;
}

/** Octets of an option's data when CoreDNS's library has read it and packs it anew. The option is sound. */
export function packedOptionBytes(code: number, value: Uint8Array): number {
  const bytes = value.length;
  if (code === OPTION_EXPIRE) return Math.min(bytes, 4);
  if (code === OPTION_KEEPALIVE) return value.every((octet) => octet === 0) ? 0 : bytes;
  if (code === OPTION_ECS) return u16(value, 0) === 0 ? 4 : 4 + ((value[2]! + 7) >> 3);
  if (code === OPTION_LLQ) return LLQ_BYTES;
  if (code === OPTION_UPDATE_LEASE) return value.subarray(4).every((octet) => octet === 0) ? 4 : bytes;
  return code === OPTION_REPORTING ? nameBytes(value) : bytes;
}

/** An uncompressed name stands in front (RFC 9567 §5.1). */
function hasName(value: Uint8Array): boolean {
  return nameBytes(value) <= value.length;
}

/** Octets of that name; more than there are if it is not whole. */
function nameBytes(value: Uint8Array): number {
  let at = 0;
  while (at < value.length && value[at] !== 0) at += value[at]! > 0x3f ? value.length : value[at]! + 1;
  return at + 1;
}

/** RFC 7871 §6. */
function subnetProblem(family: number, source: number, scope: number): Problem {
  if (family === 0) return source === 0 ? undefined : 'bad address family';
  const most = family === 1 ? 32 : family === 2 ? 128 : -1;
  if (most < 0) return 'bad address family';
  return source > most || scope > most ? 'bad netmask' : undefined;
}

function u16(octets: Uint8Array, at: number): number {
  return (octets[at]! << 8) | octets[at + 1]!;
}
