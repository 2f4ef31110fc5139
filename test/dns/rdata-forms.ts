// Rdata as objects and as the text of a zone file, for what tests send and expect.

import {
  TYPE_A,
  TYPE_AAAA,
  TYPE_CNAME,
  TYPE_DNAME,
  TYPE_HINFO,
  TYPE_MX,
  TYPE_NS,
  TYPE_PTR,
  TYPE_SOA,
  TYPE_SRV,
  TYPE_TXT,
} from '../../engine-as/shared/codes.ts';
import { addressText } from '../../host/dns/address.ts';
import { composeName, nameText, spelledText } from '../../host/dns/name.ts';
import { MessageError, OctetReader } from '../../host/dns/octet-reader.ts';
import { numbers16, type Srv, whole } from '../../host/dns/rdata.ts';
import { joined } from '../../host/dns/rdata-names.ts';

export interface Mx {
  readonly preference: number;
  readonly exchange: string;
}

export interface Soa {
  readonly mname: string;
  readonly rname: string;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  /** Negative TTL (RFC 2308 §4). */
  readonly minimum: number;
}

export interface Hinfo {
  readonly cpu: string;
  readonly os: string;
}

/** A or AAAA, by length. */
export function parseAddress(rdata: Uint8Array): string {
  if (rdata.length !== 4 && rdata.length !== 16)
    throw new MessageError(`an address has 4 or 16 octets: ${rdata.length}`);
  return addressText(rdata);
}

/** NS, CNAME, PTR, DNAME. Throws NameError. */
export function composeTarget(name: string): Uint8Array {
  return composeName(name);
}

export function parseSrv(rdata: Uint8Array): Srv {
  return whole(rdata, (reader) => ({
    priority: reader.u16('priority'),
    weight: reader.u16('weight'),
    port: reader.u16('port'),
    target: nameText(reader.wireName('target')),
  }));
}

export function composeMx(mx: Mx): Uint8Array {
  return joined([numbers16(mx.preference), composeName(mx.exchange)]);
}

export function parseMx(rdata: Uint8Array): Mx {
  return whole(rdata, (reader) => ({
    preference: reader.u16('preference'),
    exchange: nameText(reader.wireName('exchange')),
  }));
}

export function composeSoa(soa: Soa): Uint8Array {
  const numbers = new DataView(new ArrayBuffer(20));
  [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum].forEach((value, i) => {
    numbers.setUint32(i * 4, value);
  });
  return joined([composeName(soa.mname), composeName(soa.rname), new Uint8Array(numbers.buffer)]);
}

export function parseSoa(rdata: Uint8Array): Soa {
  return whole(rdata, (reader) => ({
    mname: nameText(reader.wireName('mname')),
    rname: nameText(reader.wireName('rname')),
    serial: reader.u32('serial'),
    refresh: reader.u32('refresh'),
    retry: reader.u32('retry'),
    expire: reader.u32('expire'),
    minimum: reader.u32('minimum'),
  }));
}

/** Each text becomes character-strings of at most 255 octets (UTF-8); no text at all gives one empty string. */
export function composeTxt(texts: readonly string[]): Uint8Array {
  return joined((texts.length === 0 ? [''] : texts).flatMap(characterStrings));
}

/** The octets of each character-string. */
export function parseTxt(rdata: Uint8Array): Uint8Array[] {
  const strings: Uint8Array[] = [];
  const reader = new OctetReader(rdata);
  while (!reader.isAtEnd) strings.push(reader.characterString('character-string').subarray(1));
  return strings;
}

/** Throws MessageError when a text exceeds 255 octets. */
export function composeHinfo(hinfo: Hinfo): Uint8Array {
  const parts = [hinfo.cpu, hinfo.os].map(characterStrings);
  if (parts.some((part) => part.length > 1)) throw new MessageError('a character-string must not exceed 255 octets');
  return joined(parts.flat());
}

export function parseHinfo(rdata: Uint8Array): Hinfo {
  return whole(rdata, (reader) => ({
    cpu: TEXT_DECODER.decode(reader.characterString('cpu').subarray(1)),
    os: TEXT_DECODER.decode(reader.characterString('os').subarray(1)),
  }));
}

/** Zone-file text of an rdata, spelling kept; unknown types and malformed rdata as `\# LENGTH HEX` (RFC 3597 §5). */
export function rdataText(type: number, rdata: Uint8Array): string {
  try {
    return TEXTS.get(type)?.(rdata) ?? unknownText(rdata);
  } catch (error) {
    if (error instanceof MessageError) return unknownText(rdata);
    throw error;
  }
}

const TEXT_ENCODER = new TextEncoder();
const TEXT_DECODER = new TextDecoder();

const targetText = (rdata: Uint8Array): string => whole(rdata, (reader) => spelledText(reader.wireName('name')));
const stringsText = (rdata: Uint8Array): string => parseTxt(rdata).map(quoted).join(' ');

const TEXTS: ReadonlyMap<number, (rdata: Uint8Array) => string> = new Map([
  [TYPE_A, (rdata: Uint8Array) => addressTextOf(rdata, 4)],
  [TYPE_AAAA, (rdata: Uint8Array) => addressTextOf(rdata, 16)],
  [TYPE_NS, targetText],
  [TYPE_CNAME, targetText],
  [TYPE_PTR, targetText],
  [TYPE_DNAME, targetText],
  [TYPE_TXT, stringsText],
  [TYPE_HINFO, stringsText],
  [
    TYPE_MX,
    (rdata: Uint8Array) =>
      whole(rdata, (reader) => `${reader.u16('preference')} ${spelledText(reader.wireName('name'))}`),
  ],
  [
    TYPE_SRV,
    (rdata: Uint8Array) =>
      whole(
        rdata,
        (reader) =>
          `${reader.u16('priority')} ${reader.u16('weight')} ${reader.u16('port')} ${spelledText(reader.wireName('name'))}`,
      ),
  ],
  [TYPE_SOA, soaText],
]);

function soaText(rdata: Uint8Array): string {
  return whole(rdata, (reader) => {
    const names = [spelledText(reader.wireName('mname')), spelledText(reader.wireName('rname'))];
    const numbers = ['serial', 'refresh', 'retry', 'expire', 'minimum'].map((field) => reader.u32(field));
    return [...names, ...numbers].join(' ');
  });
}

function addressTextOf(rdata: Uint8Array, bytes: number): string {
  if (rdata.length !== bytes) throw new MessageError(`expected ${bytes} octets: ${rdata.length}`);
  return addressText(rdata);
}

function unknownText(rdata: Uint8Array): string {
  const hex = Buffer.from(rdata).toString('hex');
  return hex === '' ? '\\# 0' : `\\# ${rdata.length} ${hex}`;
}

function characterStrings(text: string): Uint8Array[] {
  const octets = TEXT_ENCODER.encode(text);
  const strings: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < octets.length; at += 255) {
    const part = octets.subarray(at, at + 255);
    strings.push(Uint8Array.of(part.length, ...part));
  }
  return strings;
}

/** A character-string between quotes (RFC 1035 §5.1). */
function quoted(octets: Uint8Array): string {
  let text = '';
  for (const octet of octets) {
    if (octet < 0x20 || octet > 0x7e) text += `\\${String(octet).padStart(3, '0')}`;
    else text += octet === 0x22 || octet === 0x5c ? `\\${String.fromCharCode(octet)}` : String.fromCharCode(octet);
  }
  return `"${text}"`;
}
