// Fields of a record's data in a zone file: words -> octets. Octet strings throughout (zone-lexer.ts).

import { addressOctets } from './address.ts';
import { joined } from './rdata-names.ts';
import { isTypeMnemonic, typeNumber } from './types.ts';
import type { ZoneWord } from './zone-lexer.ts';

/** A text that is no record. The message reads as CoreDNS's. */
export class ZoneFileError extends Error {
  override name = 'ZoneFileError';
  readonly reason: string;
  readonly word: ZoneWord;

  constructor(text: string, word: ZoneWord) {
    super(`dns: ${text}: ${quotedAscii(word.text)} at line: ${word.line}:${word.column}`);
    this.reason = text;
    this.word = word;
  }
}

/** A record that can be read but not be written to a message: hex of odd length, a string beyond 255 octets. */
export class UnwritableRecord extends Error {
  override name = 'UnwritableRecord';
}

/** The words behind a record's type. */
export class RecordWords {
  readonly origin: string;
  /** What next() returned last. */
  last: ZoneWord;
  readonly #words: readonly ZoneWord[];
  #at: number;

  constructor(words: readonly ZoneWord[], at: number, origin: string) {
    this.#words = words;
    this.#at = at;
    this.origin = origin;
    this.last = words[at]!;
  }

  /** The next word; `end` or `error` again and again at the end. */
  next(): ZoneWord {
    const word = this.peek();
    if (this.#at < this.#words.length - 1) this.#at++;
    this.last = word;
    return word;
  }

  peek(): ZoneWord {
    return this.#words[this.#at]!;
  }

  /** Nothing but white space may stand before the end of the line. */
  endOfLine(): void {
    let word = this.next();
    const isBlank = word.kind === 'blank';
    if (isBlank) word = this.next();
    if (!isEnd(word)) throw new ZoneFileError('garbage after rdata', word);
  }
}

export function isEnd(word: ZoneWord): boolean {
  return word.kind === 'newline' || word.kind === 'end';
}

// --------------------------------------------------------------------------------------------------------- numbers

export function octetsOf(value: number, bytes: 1 | 2 | 4): Uint8Array {
  const octets = new Uint8Array(bytes);
  const view = new DataView(octets.buffer);
  if (bytes === 1) view.setUint8(0, value);
  else if (bytes === 2) view.setUint16(0, value);
  else view.setUint32(0, value);
  return octets;
}

/** A decimal number of at most `bits` bits; undefined for anything else. */
export function unsigned(text: string, bits: number): number | undefined {
  if (!/^\d{1,32}$/.test(text)) return undefined;
  const value = Number(text);
  return value < 2 ** bits ? value : undefined;
}

/** Seconds, or `1h30m`; undefined when it is neither or exceeds 32 bits. */
export function ttlSeconds(text: string): number | undefined {
  const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
  let sum = 0;
  let digits = 0;
  for (const character of text.toLowerCase()) {
    const unit = units[character];
    if (unit !== undefined) {
      sum += digits * unit;
      digits = 0;
    } else if (/\d/.test(character)) digits = digits * 10 + Number(character);
    else return undefined;
  }
  return sum + digits <= 0xffffffff ? sum + digits : undefined;
}

// ----------------------------------------------------------------------------------------------------------- names

/** Wire form of a name, completed with the origin; undefined when the text is no name. */
export function absoluteName(text: string, origin: string): Uint8Array | undefined {
  if (text === '@') return wireOf(origin);
  if (text === '' || text === '\n') return undefined;
  if (isFullyQualified(text)) return wireOf(text);
  return wireOf(origin === '.' ? `${text}.` : `${text}.${origin}`);
}

function isFullyQualified(text: string): boolean {
  if (!text.endsWith('.')) return false;
  let backslashes = 0;
  while (text[text.length - 2 - backslashes] === '\\') backslashes++;
  return backslashes % 2 === 0;
}

function wireOf(text: string): Uint8Array | undefined {
  if (text === '.') return new Uint8Array(1);
  const octets: number[] = [0];
  let labelAt = 0;
  for (let at = 0; at < text.length; ) {
    if (text[at] === '.') {
      const bytes = octets.length - labelAt - 1;
      if (bytes === 0 || bytes > 63) return undefined;
      octets[labelAt] = bytes;
      labelAt = octets.length;
      octets.push(0);
      at++;
      continue;
    }
    const { octet, next } = characterAt(text, at);
    octets.push(octet ?? 0x2e);
    at = next;
  }
  return octets.length <= 255 ? Uint8Array.from(octets) : undefined;
}

/** The octet at `at` and where the next one stands; a backslash at the very end has no octet. */
export function characterAt(text: string, at: number): { octet: number | undefined; next: number } {
  if (text[at] !== '\\') return { octet: text.charCodeAt(at), next: at + 1 };
  const digits = text.slice(at + 1, at + 4);
  if (/^\d{3}$/.test(digits)) return { octet: Number(digits) & 0xff, next: at + 4 };
  if (at + 1 >= text.length) return { octet: undefined, next: at + 1 };
  return { octet: text.charCodeAt(at + 1), next: at + 2 };
}

// ---------------------------------------------------------------------------------------------------------- strings

/** Octets of a text with its escapes undone. A backslash at the end means nothing. */
export function unescaped(text: string): Uint8Array {
  const octets: number[] = [];
  for (let at = 0; at < text.length; ) {
    const { octet, next } = characterAt(text, at);
    if (octet !== undefined) octets.push(octet);
    at = next;
  }
  return Uint8Array.from(octets);
}

/** Throws UnwritableRecord beyond 255 octets. */
export function characterString(text: string): Uint8Array {
  const octets = unescaped(text);
  if (octets.length > 255) throw new UnwritableRecord('string exceeded 255 bytes in txt');
  return Uint8Array.of(octets.length, ...octets);
}

/** The rest of the line as texts; words and quoted strings beyond 255 octets are cut into several. */
export function restAsTexts(words: RecordWords, error: string): string[] {
  const texts: string[] = [];
  let isQuoted = false;
  let isEmpty = false;
  let word = words.next();
  for (; !isEnd(word); word = words.next()) {
    if (word.kind === 'string') {
      isEmpty = false;
      texts.push(...chunksOf(word, error));
    } else if (word.kind === 'quote') {
      if (isEmpty && isQuoted) texts.push('');
      isQuoted = !isQuoted;
      isEmpty = true;
    } else if (word.kind !== 'blank' || isQuoted) throw new ZoneFileError(error, word);
  }
  if (isQuoted) throw new ZoneFileError(error, word);
  return texts;
}

function chunksOf(word: ZoneWord, error: string): string[] {
  const { text } = word;
  const chunks: string[] = [];
  let start = 0;
  let count = 0;
  for (let at = 0; at < text.length; ) {
    const { octet, next } = characterAt(text, at);
    if (octet === undefined) throw new ZoneFileError(error, word);
    at = next;
    if (++count === 255 && at < text.length) {
      chunks.push(text.slice(start, at));
      start = at;
      count = 0;
    }
  }
  chunks.push(text.slice(start));
  return chunks;
}

/** The rest of the line without its white space. */
export function restAsWord(words: RecordWords, error: string): string {
  let text = '';
  for (let word = words.next(); !isEnd(word); word = words.next()) {
    if (word.kind === 'string') text += word.text;
    else if (word.kind !== 'blank') throw new ZoneFileError(error, word);
  }
  return text;
}

export function hexOctets(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) throw new UnwritableRecord('not hexadecimal');
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

export function base64Octets(text: string): Uint8Array {
  const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text);
  if (!isBase64) throw new UnwritableRecord('not base64');
  return Uint8Array.from(Buffer.from(text, 'base64'));
}

/** Base 32 with the extended hex alphabet, without padding (RFC 4648 §7). */
export function base32Octets(text: string): Uint8Array {
  if (!/^[0-9a-vA-V]*$/.test(text) || [1, 3, 6].includes(text.length % 8)) throw new UnwritableRecord('not base32');
  const octets: number[] = [];
  let bits = 0;
  let count = 0;
  for (const character of text) {
    bits = (bits << 5) | Number.parseInt(character, 32);
    count += 5;
    if (count >= 8) {
      count -= 8;
      octets.push((bits >> count) & 0xff);
    }
    bits &= (1 << count) - 1;
  }
  return Uint8Array.from(octets);
}

// -------------------------------------------------------------------------------------------------- types, addresses

/** A type by mnemonic in any case, or TYPEn. */
export function typeOf(text: string): number | undefined {
  const upper = text.toUpperCase();
  return isTypeMnemonic(upper) || upper.startsWith('TYPE') ? typeNumber(upper) : undefined;
}

/** Type bit maps (RFC 4034 §4.1.2) of the rest of the line. The types must stand in ascending order. */
export function restAsTypes(words: RecordWords, error: string): Uint8Array {
  const types: number[] = [];
  for (let word = words.next(); !isEnd(word); word = words.next()) {
    if (word.kind === 'blank') continue;
    const type = word.kind === 'string' ? typeOf(word.text) : undefined;
    if (type === undefined) throw new ZoneFileError(error, word);
    types.push(type);
  }
  return typeBitMaps(types);
}

function typeBitMaps(types: readonly number[]): Uint8Array {
  const windows: Uint8Array[] = [];
  let last = { window: 0, length: 0 };
  for (const type of types) {
    const window = type >> 8;
    const length = ((type & 0xff) >> 3) + 1;
    if (window < last.window || (window === last.window && length < last.length)) {
      throw new UnwritableRecord('nsec bits out of order');
    }
    if (windows.length === 0 || window !== last.window) windows.push(Uint8Array.of(window, 0));
    let map = windows.pop()!;
    if (map.length < 2 + length) map = joined([map, new Uint8Array(2 + length - map.length)]);
    map[1] = length;
    map[1 + length]! |= 0x80 >> (type & 7);
    windows.push(map);
    last = { window, length };
  }
  return joined(windows);
}

/** Octets of an address of the family that stands for `bytes`; undefined for anything else. */
export function addressOf(text: string, bytes: 4 | 16): Uint8Array | undefined {
  const octets = addressOctets(text);
  return octets?.length === bytes ? octets : undefined;
}

/** Go's strconv.QuoteToASCII of an octet string that holds UTF-8. */
function quotedAscii(text: string): string {
  const readable = Buffer.from(text, 'latin1').toString('utf8');
  const escapes: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\t': '\\t', '\r': '\\r' };
  let out = '';
  for (const character of readable) {
    const code = character.codePointAt(0)!;
    if (escapes[character] !== undefined) out += escapes[character];
    else if (code >= 0x20 && code < 0x7f) out += character;
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (code <= 0xffff) out += `\\u${code.toString(16).padStart(4, '0')}`;
    else out += `\\U${code.toString(16).padStart(8, '0')}`;
  }
  return `"${out}"`;
}
