// Numbers and names of numbers in rules, read as Go and CoreDNS's DNS library read them.

import { classNumber, rcodeNumber, typeNumber } from '../../dns/types.ts';

/** Names that IANA has and CoreDNS's library does not. */
const UNKNOWN_TYPES: ReadonlySet<string> = new Set(['WKS', 'NSAP', 'A6', 'SINK', 'DOA']);
const RCODE_MAX = 23;
const TTL_MAX = 0xffffffff;
const TTL_UNBOUNDED = 2147483647;

/** A type's name, no `TYPE123`; undefined for anything else. */
export function typeOf(text: string): number | undefined {
  return UNKNOWN_TYPES.has(text.toUpperCase()) || /^type\d/i.test(text) ? undefined : typeNumber(text);
}

export function classOf(text: string): number | undefined {
  return /^class\d/i.test(text) ? undefined : classNumber(text);
}

/** A number from 0 to 23, or a name. */
export function rcodeOf(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) <= RCODE_MAX ? Number(text) : undefined;
  const upper = text.toUpperCase();
  if (upper === 'BADSIG') return 16;
  if (upper === 'NOTIMPL') return 4;
  return upper === 'BADVERS' || upper.startsWith('RCODE') ? undefined : rcodeNumber(text);
}

/** `30`, `30-300`, `30-`, `-300`; undefined for anything else. */
export function ttlRange(text: string): readonly [minSeconds: number, maxSeconds: number] | undefined {
  const ends = text.split('-');
  if (ends.length > 2 || (ends.length === 2 && ends.every((end) => end === ''))) return undefined;
  const min = ends.length === 2 && ends[0] === '' ? 0 : seconds(ends[0]!);
  const max = ends.length === 1 ? min : ends[1] === '' ? TTL_UNBOUNDED : seconds(ends[1]!);
  return min === undefined || max === undefined || min > max ? undefined : [min, max];
}

function seconds(text: string): number | undefined {
  return /^\d+$/.test(text) && Number(text) <= TTL_MAX ? Number(text) : undefined;
}

/** strconv.ParseUint(text, 0, 16): the number, or Go's error. */
export function unsigned16(text: string): number | string {
  const failure = (what: string) => `strconv.ParseUint: parsing ${JSON.stringify(text)}: ${what}`;
  const digits = integerDigits(text);
  if (digits === undefined) return failure('invalid syntax');
  return digits > 0xffff ? failure('value out of range') : digits;
}

/** Go's integer literals: a prefix chooses the base, underscores may stand between digits of a prefixed one. */
function integerDigits(text: string): number | undefined {
  const decimal = /^(?:0|[1-9]\d*)$/;
  if (decimal.test(text)) return Number(text);
  if (/^0x(?:_?[\da-f])+$/i.test(text)) return Number.parseInt(text.slice(2).replaceAll('_', ''), 16);
  if (/^0b(?:_?[01])+$/i.test(text)) return Number.parseInt(text.slice(2).replaceAll('_', ''), 2);
  if (/^0o?(?:_?[0-7])+$/i.test(text)) return Number.parseInt(text.replace(/^0o?/i, '').replaceAll('_', ''), 8);
  if (/^[1-9](?:_?\d)*$/.test(text)) return Number(text.replaceAll('_', ''));
  return undefined;
}

/** hex.DecodeString(text): the octets, or Go's error. */
export function hexOctets(text: string): Uint8Array | string {
  const wrong = /[^\da-f]/i.exec(text);
  if (wrong !== null) return `encoding/hex: invalid byte: ${goRune(wrong[0])}`;
  if (text.length % 2 === 1) return 'encoding/hex: odd length hex string';
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

function goRune(character: string): string {
  const code = Buffer.from(character)[0]!;
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')} '${String.fromCharCode(code)}'`;
}
