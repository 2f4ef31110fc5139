// Parameters of SVCB and HTTPS (RFC 9460 §2.1): `alpn=h2,h3 port=443` -> octets, in ascending order of their keys.

import { joined } from './rdata-names.ts';
import {
  addressOf,
  base64Octets,
  characterAt,
  isEnd,
  octetsOf,
  type RecordWords,
  UnwritableRecord,
  unsigned,
  ZoneFileError,
} from './zone-fields.ts';
import type { ZoneWord } from './zone-lexer.ts';

/** A value that its key does not allow. CoreDNS's library does not say why. */
class BadValue extends Error {
  override name = 'BadValue';
}

const KEY_NAMES = [
  'mandatory',
  'alpn',
  'no-default-alpn',
  'port',
  'ipv4hint',
  'ech',
  'ipv6hint',
  'dohpath',
  'ohttp',
] as const;

/** Reads the rest of the line. */
export function serviceParameters(words: RecordWords): Uint8Array {
  const parameters: { key: number; value: Uint8Array }[] = [];
  let mayKeyFollow = true;
  for (let word = words.next(); !isEnd(word); word = words.next()) {
    if (word.kind === 'blank') mayKeyFollow = true;
    else if (word.kind === 'quote') throw error("SVCB key can't contain double quotes", word);
    else if (word.kind !== 'string') throw error('bad SVCB values', word);
    else if (!mayKeyFollow) throw error('bad SVCB value quotation', word);
    else {
      const cut = word.text.indexOf('=');
      if (cut === 0) throw error('bad SVCB key', word);
      const name = cut < 0 ? word.text : word.text.slice(0, cut);
      let value = cut < 0 ? '' : word.text.slice(cut + 1);
      if (cut > 0 && value === '' && words.peek().kind === 'quote') {
        value = quotedValue(words);
        mayKeyFollow = false;
      } else if (cut > 0 && value === '' && words.peek().kind !== 'string') words.next();
      parameters.push(parameter(name, value, words.last));
    }
  }
  return packed(parameters);
}

function packed(parameters: { key: number; value: Uint8Array }[]): Uint8Array {
  parameters.sort((a, b) => a.key - b.key);
  if (parameters.some(({ key }, i) => key === parameters[i + 1]?.key)) {
    throw new UnwritableRecord('repeated SVCB keys are not allowed');
  }
  return joined(parameters.flatMap(({ key, value }) => [octetsOf(key, 2), octetsOf(value.length, 2), value]));
}

function quotedValue(words: RecordWords): string {
  words.next();
  const word = words.next();
  if (word.kind === 'quote') return '';
  if (word.kind !== 'string') throw error('bad SVCB value', word);
  const closing = words.next();
  if (closing.kind !== 'quote') throw error('SVCB unterminated value', closing);
  return word.text;
}

function parameter(name: string, value: string, word: ZoneWord): { key: number; value: Uint8Array } {
  const key = keyNumber(name);
  if (key === undefined) throw error('bad SVCB key', word);
  try {
    return { key, value: (VALUES[key] ?? plainValue)(value) };
  } catch (cause) {
    if (cause instanceof BadValue) throw error('', word);
    throw cause;
  }
}

function keyNumber(name: string): number | undefined {
  const known = (KEY_NAMES as readonly string[]).indexOf(name);
  if (known >= 0) return known;
  const digits = /^key([1-9]\d*)$/.exec(name)?.[1];
  const number = digits === undefined ? undefined : unsigned(digits, 16);
  return number === undefined || number === 65535 || number < KEY_NAMES.length ? undefined : number;
}

/** By key. */
const VALUES: readonly ((text: string) => Uint8Array)[] = [
  mandatoryValue,
  alpnValue,
  nothing,
  portValue,
  (text) => hints(text, 4),
  echValue,
  (text) => hints(text, 16),
  plainValue,
  nothing,
];

function mandatoryValue(text: string): Uint8Array {
  const names = text.split(',');
  if (names.at(-1) === '') names.pop();
  const keys = names.map((name) => keyNumber(name) ?? 65535).sort((a, b) => a - b);
  return joined(keys.map((key) => octetsOf(key, 2)));
}

/** A comma-separated list whose commas and backslashes are escaped twice (RFC 9460 appendix A.1). */
function alpnValue(text: string): Uint8Array {
  if (text === '') return new Uint8Array(0);
  const protocols: number[][] = [[]];
  for (let at = 0; at < text.length; ) {
    let { octet, next } = characterAt(text, at);
    if (octet === undefined) throw new BadValue();
    if (octet === 0x2c) {
      if (protocols.at(-1)!.length === 0) throw new BadValue();
      protocols.push([]);
      at = next;
      continue;
    }
    if (octet === 0x5c) {
      ({ octet, next } = characterAt(text, next));
      if (octet !== 0x5c && octet !== 0x2c) throw new BadValue();
    }
    protocols.at(-1)!.push(octet);
    at = next;
  }
  if (protocols.at(-1)!.length === 0) throw new BadValue();
  if (protocols.some((protocol) => protocol.length > 255)) throw new UnwritableRecord('alpn-id too long');
  return joined(protocols.map((protocol) => Uint8Array.of(protocol.length, ...protocol)));
}

function portValue(text: string): Uint8Array {
  const port = unsigned(text, 16);
  if (port === undefined) throw new BadValue();
  return octetsOf(port, 2);
}

function hints(text: string, bytes: 4 | 16): Uint8Array {
  if (text === '') throw new BadValue();
  const parts = text.split(',');
  if (parts.at(-1) === '') parts.pop();
  return joined(
    parts.map((part) => {
      const octets = addressOf(part, bytes);
      if (octets === undefined) throw new BadValue();
      return octets;
    }),
  );
}

function echValue(text: string): Uint8Array {
  try {
    return base64Octets(text);
  } catch {
    throw new BadValue();
  }
}

function nothing(text: string): Uint8Array {
  if (text !== '') throw new BadValue();
  return new Uint8Array(0);
}

function plainValue(text: string): Uint8Array {
  const octets: number[] = [];
  for (let at = 0; at < text.length; ) {
    const { octet, next } = characterAt(text, at);
    const isShortNumber = text[at] === '\\' && /\d/.test(text[at + 1] ?? '') && next !== at + 4;
    if (octet === undefined) throw new BadValue();
    if (isShortNumber || (next === at + 4 && Number(text.slice(at + 1, next)) > 255)) {
      throw new BadValue();
    }
    octets.push(octet);
    at = next;
  }
  return Uint8Array.from(octets);
}

function error(text: string, word: ZoneWord): ZoneFileError {
  return new ZoneFileError(text, word);
}
