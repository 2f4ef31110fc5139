// Formats of the query log: text with placeholders, compiled once into the parts of a line.

import {
  CLASS_ANY,
  FLAG_AA,
  FLAG_AD,
  FLAG_CD,
  FLAG_QR,
  FLAG_RA,
  FLAG_RD,
  FLAG_TC,
  FLAG_Z,
} from '../../../engine-as/shared/codes.ts';
import { className, rcodeName, typeName } from '../../dns/types.ts';
import type { LogEntry } from '../../plugin/contract.ts';

export const COMMON_FORMAT =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}';
export const COMBINED_FORMAT = `${COMMON_FORMAT} "{>opcode}"`;

export type LineFormat = (entry: LogEntry) => string;

/** What stands for a value that there is none of. */
const MISSING = '-';

export function compileFormat(format: string): LineFormat {
  const parts = partsOf(format, VALUES);
  return (entry) => parts.reduce<string>((line, part) => line + (typeof part === 'string' ? part : part(entry)), '');
}

type Value = (entry: LogEntry) => string;

const VALUES: Readonly<Record<string, Value>> = {
  '{type}': (entry) => typeName(entry.type),
  '{name}': (entry) => entry.name,
  // Go's DNS library has no name for class ANY, which would read as a type
  '{class}': (entry) => (entry.class === CLASS_ANY ? `CLASS${CLASS_ANY}` : className(entry.class)),
  '{proto}': (entry) => entry.proto,
  '{size}': (entry) => String(entry.queryBytes),
  '{remote}': (entry) => bracketed(entry.remote.address),
  '{local}': (entry) => bracketed(entry.local),
  '{port}': (entry) => String(entry.remote.port),
  '{>id}': (entry) => String(entry.id),
  '{>opcode}': (entry) => String(entry.opcode),
  '{>do}': (entry) => String(entry.isDo),
  '{>bufsize}': (entry) => String(entry.payloadBytes),
  '{rcode}': (entry) => (entry.flags === undefined ? MISSING : rcodeText(entry.rcode)),
  '{rsize}': (entry) => String(entry.replyBytes),
  '{duration}': (entry) => secondsText(entry.durationSeconds),
  '{>rflags}': (entry) => (entry.flags === undefined ? MISSING : flagsText(entry.flags)),
};

/**
 * Placeholders end at the first `}` and begin at the last `{` before it, so `{ {type} }` works. Unknown ones stay as
 * they are; `{/label}` asks for metadata.
 */
function partsOf(format: string, values: Readonly<Record<string, Value>>): (string | Value)[] {
  const parts: (string | Value)[] = [];
  let rest = format;
  for (;;) {
    const end = rest.indexOf('}');
    if (end < 0) break;
    const begin = rest.slice(0, end).lastIndexOf('{');
    const word = begin < 0 ? '' : rest.slice(begin, end + 1);
    if (Object.hasOwn(values, word)) parts.push(rest.slice(0, begin), values[word]!);
    else if (word.startsWith('{/')) parts.push(rest.slice(0, begin), labelValue(word.slice(2, -1)));
    else parts.push(rest.slice(0, end + 1));
    rest = rest.slice(end + 1);
  }
  parts.push(rest);
  return parts.filter((part) => part !== '');
}

function labelValue(label: string): Value {
  return ({ metadata }) => metadata.get(label) ?? MISSING;
}

/** True if lines of this format show labels. */
export function readsLabels(format: string): boolean {
  return /\{\/[^{}]*\}/.test(format);
}

/** IPv6 in brackets (RFC 3986 §3.2.2). */
function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** As CoreDNS's DNS library names them: 16 is BADSIG, and a number without a name stays a number. */
function rcodeText(rcode: number): string {
  if (rcode === 16) return 'BADSIG';
  const name = rcodeName(rcode);
  return name.startsWith('RCODE') ? String(rcode) : name;
}

/** `0.00114084s`: whole nanoseconds, as few digits as tell them apart, never an exponent. */
function secondsText(seconds: number): string {
  const digits = Math.max(0, seconds).toFixed(9);
  return `${digits.replace(/\.?0+$/, '')}s`;
}

const FLAGS: readonly (readonly [number, string])[] = [
  [FLAG_QR, 'qr'],
  [FLAG_AA, 'aa'],
  [FLAG_TC, 'tc'],
  [FLAG_RD, 'rd'],
  [FLAG_RA, 'ra'],
  [FLAG_Z, 'z'],
  [FLAG_AD, 'ad'],
  [FLAG_CD, 'cd'],
];

function flagsText(flags: number): string {
  return FLAGS.filter(([bit]) => (flags & bit) !== 0)
    .map(([, name]) => name)
    .join(',');
}
