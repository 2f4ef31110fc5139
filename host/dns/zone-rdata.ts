// The data of records in a zone file, type by type. A table of fields says how each type is written: NAME:KIND in
// order; a kind that takes the rest of the line stands last.

import { joined } from './rdata-names.ts';
import { typeName } from './types.ts';
import {
  absoluteName,
  addressOf,
  base32Octets,
  base64Octets,
  characterString,
  hexOctets,
  octetsOf,
  type RecordWords,
  restAsTexts,
  restAsTypes,
  restAsWord,
  ttlSeconds,
  typeOf,
  unescaped,
  unsigned,
  ZoneFileError,
} from './zone-fields.ts';
import type { ZoneWord } from './zone-lexer.ts';
import { apl, gateway, hip, location } from './zone-rare-rdata.ts';
import { serviceParameters } from './zone-svcb.ts';

/** Reads a record's data up to the end of its line. Throws ZoneFileError or UnwritableRecord. */
export function parseRdata(type: number, words: RecordWords): Uint8Array {
  const name = typeName(type);
  if (words.peek().text === '\\#') return genericRdata(type, words);
  const special = SPECIAL[name];
  if (special !== undefined) return special(words);
  const fields = FIELDS.get(name);
  if (fields === undefined) throw new ZoneFileError('bad RFC3597 Rdata', words.next());
  return parseFields(name, fields, words);
}

/** Types without a presentation form. */
const UNPRINTABLE = ['ANY', 'NULL', 'OPT', 'TSIG', 'NXNAME'];

const SPECIAL: Readonly<Record<string, (words: RecordWords) => Uint8Array>> = {
  APL: apl,
  HIP: hip,
  LOC: location,
  AMTRELAY: (words) => gateway('AMTRELAY', words),
  IPSECKEY: (words) => gateway('IPSECKEY', words),
  ...Object.fromEntries(UNPRINTABLE.map((name) => [name, () => unprintable(name)])),
};

interface Field {
  readonly name: string;
  readonly kind: string;
}

const FIELDS: ReadonlyMap<string, readonly Field[]> = new Map(
  `
  A        A:a
  AAAA     AAAA:aaaa
  NS       Ns:name
  CNAME    Target:name
  DNAME    Target:name
  PTR      Ptr:name
  NSAP-PTR Ptr:name
  MB       Mb:name
  MG       Mg:name
  MR       Mr:name
  MD       Md:name
  MF       Mf:name
  MX       Pref:u16 Mx:name
  RT       Preference:u16 Host:name
  AFSDB    Subtype:u16 Hostname:name
  KX       Pref:u16 Exchanger:name
  LP       Preference:u16 Fqdn:name
  PX       Preference:u16 Map822:name Mapx400:name
  RP       Mbox:name Txt:name
  MINFO    Rmail:name Email:name
  TALINK   PreviousName:name NextName:name
  SOA      Ns:name Mbox:name zone~parameter:u32 zone~parameter:ttl zone~parameter:ttl zone~parameter:ttl zone~parameter:ttl
  SRV      Priority:u16 Weight:u16 Port:u16 Target:name
  NAPTR    Order:u16 Preference:u16 Flags:quoted Service:quoted Regexp:quoted Replacement:name
  TXT      Txt:texts
  SPF      Txt:texts
  AVC      Txt:texts
  NINFO    ZSData:texts
  RESINFO  Resinfo:texts
  HINFO    Fields:pair
  ISDN     Fields:pair
  UINFO    Uinfo:first
  X25      PSDNAddress:text
  GPOS     Longitude:float Latitude:float Altitude:float
  CAA      Flag:u8 Tag:tag Value:value
  URI      Priority:u16 Weight:u16 Target:value
  SSHFP    Algorithm:u8 Type:u8 Fingerprint:hex
  TLSA     Usage:u8 Selector:u8 MatchingType:u8 Certificate:hex
  SMIMEA   Usage:u8 Selector:u8 MatchingType:u8 Certificate:hex
  DS       KeyTag:u16 Algorithm:algorithm DigestType:u8 Digest:hex
  CDS      KeyTag:u16 Algorithm:algorithm DigestType:u8 Digest:hex
  DLV      KeyTag:u16 Algorithm:algorithm DigestType:u8 Digest:hex
  TA       KeyTag:u16 Algorithm:algorithm DigestType:u8 Digest:hex
  DNSKEY   Flags:u16 Protocol:u8 Algorithm:u8 PublicKey:base64
  CDNSKEY  Flags:u16 Protocol:u8 Algorithm:u8 PublicKey:base64
  KEY      Flags:u16 Protocol:u8 Algorithm:u8 PublicKey:base64
  RKEY     Flags:u16 Protocol:u8 Algorithm:u8 PublicKey:base64
  CERT     Type:certificate KeyTag:u16 Algorithm:algorithm Certificate:base64
  RRSIG    Typecovered:type Algorithm:algorithm Labels:u8 OrigTtl:u32 Expiration:time Inception:time KeyTag:u16 SignerName:name Signature:base64
  SIG      Typecovered:type Algorithm:algorithm Labels:u8 OrigTtl:u32 Expiration:time Inception:time KeyTag:u16 SignerName:name Signature:base64
  NSEC     NextDomain:name TypeBitMap:types
  NXT      NextDomain:name TypeBitMap:types
  NSEC3    Hash:u8 Flags:u8 Iterations:u16 Salt:salt NextDomain:hash TypeBitMap:types
  NSEC3PARAM Hash:u8 Flags:u8 Iterations:u16 Salt:salt
  CSYNC    serial:u32 flags:u16 TypeBitMap:types
  ZONEMD   Serial:u32 Scheme:u8 Hash~Algorithm:u8 Digest:hex
  OPENPGPKEY PublicKey:base64
  DHCID    Digest:base64
  EID      Endpoint:hex
  NIMLOC   Locator:hex
  NID      Preference:u16 NodeID:node
  L64      Preference:u16 Locator64:node
  L32      Preference:u16 Locator:a
  EUI48    Address:eui48
  EUI64    Address:eui64
  UID      Uid:u32
  GID      Gid:u32
  SVCB     priority:u16 Target:name Value:parameters
  HTTPS    priority:u16 Target:name Value:parameters`
    .trim()
    .split('\n')
    .map((line) => {
      const [type, ...fields] = line.trim().split(/\s+/);
      return [
        type!,
        fields.map((field) => ({ name: field.split(':')[0]!.replace('~', ' '), kind: field.split(':')[1]! })),
      ];
    }),
);

/** Kinds that take the rest of the line, its end included. */
const RESTS: Readonly<Record<string, (words: RecordWords, error: string) => Uint8Array>> = {
  texts: (words, error) => joined(restAsTexts(words, error).map(characterString)),
  pair: (words, error) => joined(pairOf(restAsTexts(words, error)).map(characterString)),
  first: (words, error) => characterString(restAsTexts(words, error)[0] ?? ''),
  value: oneValue,
  hex: (words, error) => hexOctets(restAsWord(words, error)),
  base64: (words, error) => base64Octets(restAsWord(words, error)),
  types: restAsTypes,
  parameters: (words) => serviceParameters(words),
};

/** Kinds of one word; undefined = the word is wrong. */
const WORDS: Readonly<Record<string, (text: string, origin: string) => Uint8Array | undefined>> = {
  name: absoluteName,
  a: (text) => addressOf(text, 4),
  aaaa: (text) => addressOf(text, 16),
  u8: (text) => number(unsigned(text, 8), 1),
  u16: (text) => number(unsigned(text, 16), 2),
  u32: (text) => number(unsigned(text, 32), 4),
  ttl: (text) => number(ttlSeconds(text), 4),
  type: (text) => number(typeOf(text), 2),
  algorithm: (text) => number(unsigned(text, 8) ?? ALGORITHMS[text.toUpperCase()], 1),
  certificate: (text) => number(unsigned(text, 16) ?? CERTIFICATES[text], 2),
  time: (text) => number(timeOf(text) ?? unsigned(text, 32), 4),
  text: (text) => characterString(text),
  float: (text) => (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? characterString(text) : undefined),
  salt: (text) => (text === '-' ? new Uint8Array(1) : withLength(hexOctets(text))),
  hash: (text) => withLength(base32Octets(text)),
  node: (text) => (/^([0-9a-f]{4}:){3}[0-9a-f]{4}$/i.test(text) ? hexOctets(text.replaceAll(':', '')) : undefined),
  eui48: (text) => (/^([0-9a-f]{2}-){5}[0-9a-f]{2}$/i.test(text) ? hexOctets(text.replaceAll('-', '')) : undefined),
  eui64: (text) => (/^([0-9a-f]{2}-){7}[0-9a-f]{2}$/i.test(text) ? hexOctets(text.replaceAll('-', '')) : undefined),
};

function parseFields(type: string, fields: readonly Field[], words: RecordWords): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [i, { name, kind }] of fields.entries()) {
    const error = `bad ${type === 'HTTPS' ? 'SVCB' : type} ${name}`;
    const rest = RESTS[kind];
    if (rest !== undefined) {
      parts.push(rest(words, error));
      return joined(parts);
    }
    if (i > 0) words.next();
    parts.push(kind === 'quoted' ? quotedField(words, error) : wordField(words, kind, error));
  }
  words.endOfLine();
  return joined(parts);
}

function wordField(words: RecordWords, kind: string, error: string): Uint8Array {
  const word = words.next();
  if (kind === 'tag') {
    if (word.kind !== 'string') throw new ZoneFileError(error, word);
    return characterString(word.text);
  }
  const octets = word.kind === 'error' ? undefined : WORDS[kind]!(word.text, words.origin);
  if (octets === undefined) throw new ZoneFileError(error, word);
  return octets;
}

function quotedField(words: RecordWords, error: string): Uint8Array {
  expectQuote(words.next(), error);
  const word = words.next();
  if (word.kind === 'quote') return characterString('');
  if (word.kind !== 'string') throw new ZoneFileError(error, word);
  expectQuote(words.next(), error);
  return characterString(word.text);
}

function expectQuote(word: ZoneWord, error: string): void {
  if (word.kind !== 'quote') throw new ZoneFileError(error, word);
}

/** The only text of the rest of the line, its octets without a length. */
function oneValue(words: RecordWords, error: string): Uint8Array {
  const before = words.last;
  words.next();
  const texts = restAsTexts(words, error);
  if (texts.length !== 1) throw new ZoneFileError(error, before);
  return unescaped(texts[0]!);
}

/** Two texts of HINFO: a single one is split at its white space. */
function pairOf(texts: readonly string[]): readonly string[] {
  const parts = texts.length === 1 ? texts[0]!.split(/\s+/).filter((part) => part !== '') : texts;
  if (parts.length < 2) return [texts[0] ?? '', ''];
  return [parts[0]!, parts.slice(1).join(' ')];
}

function number(value: number | undefined, bytes: 1 | 2 | 4): Uint8Array | undefined {
  return value === undefined ? undefined : octetsOf(value, bytes);
}

function withLength(octets: Uint8Array): Uint8Array {
  return Uint8Array.of(octets.length, ...octets);
}

/** `YYYYMMDDHHMMSS` in serial number arithmetic (RFC 4034 §3.1.5). */
function timeOf(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59) {
    return undefined;
  }
  return Math.floor(date.getTime() / 1000) >>> 0;
}

/** `\# LENGTH HEX` (RFC 3597 §5). */
function genericRdata(type: number, words: RecordWords): Uint8Array {
  const error = 'bad RFC3597 Rdata';
  words.next();
  words.next();
  const word = words.next();
  const length = unsigned(word.text, 16);
  if (length === undefined) throw new ZoneFileError(`${error} `, word);
  const hex = restAsWord(words, error);
  if (length * 2 !== hex.length) throw new ZoneFileError(error, word);
  const octets = hexOctets(hex);
  const name = typeName(type);
  const fixed = { A: 4, AAAA: 16 }[name];
  if (fixed !== undefined && length !== 0 && length < fixed) {
    throw new ZoneFileError(`${name}: dns: overflow unpacking ${name.toLowerCase()}`, NOWHERE);
  }
  return octets;
}

function unprintable(name: string): never {
  throw new ZoneFileError(`${name} records do not have a presentation format`, NOWHERE);
}

/** The reader puts the word behind the type in its place. */
const NOWHERE: ZoneWord = { kind: 'end', text: '', number: 0, line: 0, column: 0 };

const ALGORITHMS: Readonly<Record<string, number>> = {
  RSAMD5: 1,
  DH: 2,
  DSA: 3,
  RSASHA1: 5,
  'DSA-NSEC3-SHA1': 6,
  'RSASHA1-NSEC3-SHA1': 7,
  RSASHA256: 8,
  RSASHA512: 10,
  'ECC-GOST': 12,
  ECDSAP256SHA256: 13,
  ECDSAP384SHA384: 14,
  ED25519: 15,
  ED448: 16,
  INDIRECT: 252,
  PRIVATEDNS: 253,
  PRIVATEOID: 254,
};

const CERTIFICATES: Readonly<Record<string, number>> = {
  PKIX: 1,
  SPKI: 2,
  PGP: 3,
  IPIX: 4,
  ISPKI: 5,
  IPGP: 6,
  ACPKIX: 7,
  IACPKIX: 8,
  URI: 253,
  OID: 254,
};
