// Records whose data does not fit a table of fields: LOC, HIP, APL, IPSECKEY, AMTRELAY.

import { parseAddressBlock } from './address.ts';
import { joined } from './rdata-names.ts';
import {
  absoluteName,
  addressOf,
  base64Octets,
  hexOctets,
  isEnd,
  octetsOf,
  type RecordWords,
  restAsWord,
  unsigned,
  ZoneFileError,
} from './zone-fields.ts';
import type { ZoneWord } from './zone-lexer.ts';

/** The next word as a number. */
function numberField(words: RecordWords, bits: 8 | 16, error: string): Uint8Array {
  const word = words.next();
  const value = unsigned(word.text, bits);
  if (value === undefined) throw new ZoneFileError(error, word);
  return octetsOf(value, bits === 8 ? 1 : 2);
}

// ------------------------------------------------------------------------------------------------------------- APL

/** `1:192.0.2.0/24 !2:2001:db8::/32` (RFC 3123). */
export function apl(words: RecordWords): Uint8Array {
  const prefixes: Uint8Array[] = [];
  for (let word = words.next(); !isEnd(word); word = words.next()) {
    if (word.kind === 'blank' && prefixes.length > 0) continue;
    if (word.kind !== 'string') throw new ZoneFileError('unexpected APL field', word);
    prefixes.push(aplPrefix(word));
  }
  return joined(prefixes);
}

function aplPrefix(word: ZoneWord): Uint8Array {
  const match = /^(!?)(\d+):(.*)$/.exec(word.text);
  if (match === null) throw new ZoneFileError('missing colon in APL field', word);
  const bytes = { 1: 4, 2: 16 }[match[2]!];
  if (bytes === undefined) throw new ZoneFileError('unrecognized APL family', word);
  const block = parseAddressBlock(match[3]!);
  if (block === undefined) throw new ZoneFileError('', word);
  const address = addressOf(match[3]!.slice(0, match[3]!.indexOf('/')), block.octets.length as 4 | 16)!;
  if (address.some((octet, i) => octet !== block.octets[i])) {
    throw new ZoneFileError('extra bits in APL address', word);
  }
  if (block.octets.length !== bytes) throw new ZoneFileError('address mismatch with the APL family', word);
  const used = block.octets.subarray(0, block.octets.findLastIndex((octet) => octet !== 0) + 1);
  return Uint8Array.of(0, Number(match[2]), block.prefixBits, (match[1] === '!' ? 0x80 : 0) | used.length, ...used);
}

// ------------------------------------------------------------------------------------------------------------- HIP

/** Algorithm, HIT (hex), public key (base64), rendezvous servers (RFC 8005 §5). */
export function hip(words: RecordWords): Uint8Array {
  const algorithm = numberField(words, 8, 'bad HIP PublicKeyAlgorithm');
  words.next();
  const hit = words.next();
  if (hit.kind === 'end') throw new ZoneFileError('bad HIP Hit', hit);
  words.next();
  const key = words.next();
  let octets: Uint8Array;
  try {
    octets = base64Octets(key.text);
  } catch {
    throw new ZoneFileError('bad HIP PublicKey', key);
  }
  const tag = hexOctets(hit.text);
  const servers: Uint8Array[] = [];
  for (let word = words.next(); !isEnd(word); word = words.next()) {
    if (word.kind === 'blank') continue;
    const name = word.kind === 'string' ? absoluteName(word.text, words.origin) : undefined;
    if (name === undefined) throw new ZoneFileError('bad HIP RendezvousServers', word);
    servers.push(name);
  }
  return joined([octetsOf(tag.length, 1), algorithm, octetsOf(octets.length, 2), tag, octets, ...servers]);
}

// ---------------------------------------------------------------------------------------------- IPSECKEY, AMTRELAY

/** RFC 4025 §2.1 and RFC 8777 §4.2: a gateway that is nothing, an address or a name, as a number before it says. */
export function gateway(type: 'IPSECKEY' | 'AMTRELAY', words: RecordWords): Uint8Array {
  const isRelay = type === 'AMTRELAY';
  const error = `bad ${type} value`;
  const precedence = numberField(words, 8, error);
  words.next();
  let discovery = 0;
  if (isRelay) {
    const word = words.next();
    if (word.text !== '0' && word.text !== '1') throw new ZoneFileError('bad discovery value', word);
    discovery = word.text === '1' ? 0x80 : 0;
    words.next();
  }
  const kind = numberField(words, 8, error)[0]!;
  words.next();
  const algorithm = isRelay ? new Uint8Array(0) : numberField(words, 8, error);
  if (!isRelay) words.next();
  const word = words.next();
  const target = gatewayOctets(kind, word, words.origin);
  const head = [precedence, octetsOf((kind | discovery) & 0xff, 1), algorithm, target];
  if (isRelay) {
    words.endOfLine();
    // CoreDNS's library writes no relay if the discovery bit is set
    return joined(discovery === 0 ? head : head.slice(0, -1));
  }
  words.next();
  return joined([...head, base64Octets(restAsWord(words, 'bad IPSECKEY PublicKey'))]);
}

function gatewayOctets(kind: number, word: ZoneWord, origin: string): Uint8Array {
  if (kind === 0 && word.text !== '.') throw new ZoneFileError('', word);
  if (kind === 1 || kind === 2) {
    const octets = addressOf(word.text, kind === 1 ? 4 : 16);
    if (octets === undefined) throw new ZoneFileError('', word);
    return octets;
  }
  if (kind !== 3) return new Uint8Array(0);
  const name = absoluteName(word.text, origin);
  if (name === undefined) throw new ZoneFileError('', word);
  return name;
}

// ------------------------------------------------------------------------------------------------------------- LOC

const EQUATOR = 2 ** 31;

/** `52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m` (RFC 1876 §3). */
export function location(words: RecordWords): Uint8Array {
  const latitude = angle(words, 90, 'N', 'S', 'Latitude', 'North/South');
  words.next();
  const longitude = angle(words, 180, 'E', 'W', 'Longitude', 'East/West');
  words.next();
  const altitudeWord = words.next();
  const altitudeText = altitudeWord.text.replace(/m$/i, '');
  if (!isDecimal(altitudeText)) throw new ZoneFileError('bad LOC Altitude', altitudeWord);
  const altitude = Math.floor(Number(altitudeText) * 100 + 10_000_000.5) >>> 0;
  const sizes = [0x12, 0x16, 0x13];
  let count = 0;
  for (let word = words.next(); !isEnd(word); word = words.next()) {
    if (word.kind === 'blank') continue;
    const size = word.kind === 'string' ? centimetres(word.text) : undefined;
    if (count < 3 && size === undefined) {
      throw new ZoneFileError(`bad LOC ${['Size', 'HorizPre', 'VertPre'][count]}`, word);
    }
    if (count < 3) sizes[count] = size!;
    count++;
  }
  return joined([Uint8Array.of(0, ...sizes), octetsOf(latitude, 4), octetsOf(longitude, 4), octetsOf(altitude, 4)]);
}

function angle(words: RecordWords, max: number, plus: string, minus: string, name: string, ends: string): number {
  let milliseconds = 0;
  const parts = [
    { factor: 3_600_000, below: max + 1, what: '' },
    { factor: 60_000, below: 60, what: ' minutes' },
    { factor: 1000, below: 60, what: ' seconds' },
  ];
  for (const { factor, below, what } of parts) {
    const word = words.next();
    const side = word.text.toUpperCase();
    if (factor !== 3_600_000 && (side === plus || side === minus)) return turned(milliseconds, side === plus);
    const isRight = factor === 1000 ? isDecimal(word.text) : /^\d+$/.test(word.text);
    if (!isRight || Number(word.text) >= below || Number(word.text) < 0) {
      throw new ZoneFileError(`bad LOC ${name}${what}`, word);
    }
    milliseconds += Math.floor(Number(word.text) * factor);
    words.next();
  }
  const word = words.next();
  const side = word.text.toUpperCase();
  const isBeyond = milliseconds > max * 3_600_000;
  if (isBeyond || (side !== plus && side !== minus)) throw new ZoneFileError(`bad LOC ${name} ${ends}`, word);
  return turned(milliseconds, side === plus);
}

function turned(milliseconds: number, isPlus: boolean): number {
  return isPlus ? EQUATOR + milliseconds : EQUATOR - milliseconds;
}

function isDecimal(text: string): boolean {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
}

/** Metres as mantissa and exponent of centimetres in one octet. */
function centimetres(text: string): number | undefined {
  const match = /^(\d*)(?:\.(\d{1,2}))?m?$/i.exec(text);
  if (match === null || (match[1] === '' && match[2] === undefined)) return undefined;
  const metres = Number(match[1]);
  const rest = Number((match[2] ?? '').padEnd(2, '0'));
  if (metres > 90_000_000 || (metres === 90_000_000 && rest !== 0)) return undefined;
  let exponent = metres > 0 ? 2 : 0;
  let value = metres > 0 ? metres : rest;
  for (; value >= 10; exponent++) value = Math.floor(value / 10);
  return (value << 4) | exponent;
}
