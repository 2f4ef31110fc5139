// Domain names. Two forms:
//   text   presentation form, fully qualified, lower-case unless a function says otherwise: `www.example.org.`, `.`
//          An octet that is not printable ASCII is `\DDD`; `. ' @ ; ( ) " \` and space get a backslash (RFC 1035 §5.1,
//          and as CoreDNS prints names). Letters outside ASCII are taken as their UTF-8 octets.
//   wire   labels with length octets and the root label (RFC 1035 §3.1), uncompressed, spelling kept
// Only the ASCII letters fold (RFC 4343).

import { LABEL_BYTES_MAX, NAME_BYTES_MAX } from '../../engine-as/shared/codes.ts';

/** A text that is no domain name; the message says why. */
export class NameError extends Error {
  override name = 'NameError';
}

/** The text in lower case, with its final dot, escapes in one spelling. Throws NameError. */
export function normalName(text: string): string {
  return nameText(composeName(text));
}

/** Text to wire form, spelling kept; the final dot may be missing. Throws NameError. */
export function composeName(text: string): Uint8Array {
  if (text === '') throw new NameError('a name must not be empty');
  if (text === '.') return new Uint8Array(1);
  const source = TEXT_ENCODER.encode(text);
  const wire = new Uint8Array(Math.min(source.length, NAME_BYTES_MAX) + 2);
  let labelAt = 0;
  let end = 1;
  for (let i = 0; i < source.length; ) {
    if (end > NAME_BYTES_MAX) throw tooLong(text);
    if (source[i] === DOT) {
      endLabel(wire, labelAt, end, text);
      labelAt = end++;
      i++;
      continue;
    }
    const escaped = source[i] === BACKSLASH ? readEscape(source, i, text) : undefined;
    wire[end++] = escaped?.octet ?? source[i]!;
    i = escaped?.next ?? i + 1;
  }
  if (end > labelAt + 1) {
    endLabel(wire, labelAt, end, text);
    end++;
  }
  if (end > NAME_BYTES_MAX) throw tooLong(text);
  return wire.subarray(0, end);
}

/** Wire form (uncompressed, ending in the root label) to text, spelling kept. */
export function spelledText(wire: Uint8Array): string {
  let text = '';
  let at = 0;
  // Bounds: a composed or parsed name ends in a zero octet within its length; the condition also ends a cut one.
  while (at < wire.length && wire[at]! !== 0) {
    const end = at + 1 + wire[at]!;
    for (let i = at + 1; i < end && i < wire.length; i++) text += ESCAPED[wire[i]!];
    text += '.';
    at = end;
  }
  return text === '' ? '.' : text;
}

/** Wire form to text in lower case. */
export function nameText(wire: Uint8Array): string {
  return spelledText(wire).toLowerCase();
}

/** True when `name` is `zone` or ends in it, label by label. Both lower-case and fully qualified. */
export function isInZone(name: string, zone: string): boolean {
  if (zone === '.' || name === zone) return true;
  if (!name.endsWith(zone)) return false;
  const dot = name.length - zone.length - 1;
  return name[dot] === '.' && !isEscapedAt(name, dot);
}

/** The longest of `zones` that holds `name`; undefined when none does. All lower-case and fully qualified. */
export function longestZone(zones: readonly string[], name: string): string | undefined {
  let best: string | undefined;
  for (const zone of zones) {
    if (isInZone(name, zone) && (best === undefined || zone.length > best.length)) best = zone;
  }
  return best;
}

/** The labels of a name in text form, escapes kept, without the root label: `a\.b.c.` -> [`a\.b`, `c`]. */
export function labelsOf(name: string): string[] {
  const labels: string[] = [];
  let start = 0;
  for (let i = 0; i < name.length; i++) {
    if (name[i] === '\\') i++;
    else if (name[i] === '.') {
      if (i > start) labels.push(name.slice(start, i));
      start = i + 1;
    }
  }
  if (start < name.length) labels.push(name.slice(start));
  return labels;
}

/** The name without its first label; undefined for the root. */
export function parentName(name: string): string | undefined {
  if (name === '.') return undefined;
  const first = labelsOf(name)[0] ?? '';
  return name.slice(first.length + 1) || '.';
}

/** Whether two names in wire form are equal but for the case of ASCII letters (RFC 4343). */
export function isSameWire(a: Uint8Array, b: Uint8Array): boolean {
  // Length octets are at most 63 and so never letters: folding all octets alike is safe.
  return a.length === b.length && a.every((octet, i) => folded(octet) === folded(b[i]!));
}

function folded(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet;
}

function isEscapedAt(name: string, at: number): boolean {
  let backslashes = 0;
  while (at - backslashes > 0 && name[at - backslashes - 1] === '\\') backslashes++;
  return backslashes % 2 === 1;
}

function endLabel(wire: Uint8Array, labelAt: number, end: number, text: string): void {
  const bytes = end - labelAt - 1;
  if (bytes === 0) throw new NameError(`a name must not have an empty label: "${shortened(text)}"`);
  if (bytes > LABEL_BYTES_MAX) {
    throw new NameError(
      `a label must not exceed ${LABEL_BYTES_MAX} octets, this one has ${bytes}: "${shortened(text)}"`,
    );
  }
  wire[labelAt] = bytes;
}

function readEscape(source: Uint8Array, at: number, text: string): { octet: number; next: number } {
  if (at + 1 >= source.length) throw new NameError(`a name must not end in a backslash: "${shortened(text)}"`);
  if (!isDigit(source[at + 1])) return { octet: source[at + 1]!, next: at + 2 };
  if (!isDigit(source[at + 2]) || !isDigit(source[at + 3])) {
    throw new NameError(`a numeric escape needs three digits: "${shortened(text)}"`);
  }
  const octet = (source[at + 1]! - ZERO) * 100 + (source[at + 2]! - ZERO) * 10 + (source[at + 3]! - ZERO);
  if (octet > 255) throw new NameError(`a numeric escape must not exceed 255: "${shortened(text)}"`);
  return { octet, next: at + 4 };
}

function isDigit(octet: number | undefined): boolean {
  return octet !== undefined && octet >= ZERO && octet <= ZERO + 9;
}

function tooLong(text: string): NameError {
  return new NameError(`a name must not exceed ${NAME_BYTES_MAX} octets: "${shortened(text)}"`);
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

const TEXT_ENCODER = new TextEncoder();
const DOT = 0x2e;
const BACKSLASH = 0x5c;
const ZERO = 0x30;

/** Presentation form of each octet inside a label. */
const ESCAPED: readonly string[] = Array.from({ length: 256 }, (_, octet) => {
  if (octet < 0x20 || octet > 0x7e) return `\\${String(octet).padStart(3, '0')}`;
  const character = String.fromCharCode(octet);
  return '. \'@;()"\\'.includes(character) ? `\\${character}` : character;
});

/** Wire form of a name that is spelt as CoreDNS prints questions; undefined for others, which no question can have. */
export function spelledKey(name: string): Uint8Array | undefined {
  try {
    const key = composeName(name);
    return PLAIN_NAME.test(name) || spelledText(key) === name ? key : undefined;
  } catch (error) {
    if (error instanceof NameError) return undefined;
    throw error;
  }
}
const PLAIN_NAME = /^[a-z0-9._-]+$/;
