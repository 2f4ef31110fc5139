// Rdata as CoreDNS's DNS library reads it: which it refuses and why, and where names stand in it, to undo their
// compression (RFC 1035 §4.1.4).

import { NAME_BYTES_MAX } from '../../engine-as/shared/codes.ts';
import { MessageError, OctetReader, POINTERS_MAX } from './octet-reader.ts';
import { type FieldKind, fieldsOf } from './rdata-fields.ts';
import { bitmapProblem, optionsProblem, paramsProblem, prefixesProblem, stringsProblem } from './rdata-lists.ts';

/**
 * Reads `bytes` octets of rdata at the reader's cursor and returns them with all names uncompressed. It may end before
 * any field but one whose size stands in the rdata. Throws MessageError, in the words of CoreDNS's library, when the
 * fields do not fill the rdata.
 */
export function expandRdata(reader: OctetReader, type: number, bytes: number, section: string): Uint8Array {
  const fields = fieldsOf(type);
  const end = reader.at + bytes;
  if (fields === undefined || end > reader.octets.length) return reader.take(bytes, `${section}: rdata`);
  // Names may point anywhere before the end of the rdata.
  const bounded = new RdataReader(reader.octets.subarray(0, end), reader.at);
  const parts: Uint8Array[] = [];
  let mayEnd = true;
  for (const { name, kind } of fields) {
    if (bounded.isAtEnd && mayEnd) break;
    const part = bounded.field(kind);
    if (typeof part === 'string') throw new MessageError(name === '' ? part : `${name}: ${part}`);
    parts.push(part);
    mayEnd = kind !== 'sized' && kind !== 'hash' && kind !== 'hit' && kind !== 'key';
  }
  if (!bounded.isAtEnd) throw new MessageError('dns: bad rdlength');
  reader.at = end;
  return joined(parts);
}

const LISTS = {
  strings: stringsProblem,
  bitmap: bitmapProblem,
  params: paramsProblem,
  prefixes: prefixesProblem,
  options: optionsProblem,
} as const;

class RdataReader extends OctetReader {
  readonly #start: number;
  #lastNumber = 0;

  constructor(octets: Uint8Array, at: number) {
    super(octets, at);
    this.#start = at;
  }

  /** The field's octets, or what is wrong with it. */
  field(kind: FieldKind): Uint8Array | string {
    if (typeof kind === 'number') return this.#number(kind);
    switch (kind) {
      case 'a':
        return this.#octets(4, 'a');
      case 'aaaa':
        return this.#octets(16, 'aaaa');
      case 'name':
        return this.#name();
      case 'names':
        return this.#names();
      case 'string':
        return this.#octets(this.octets[this.at]! + 1, 'txt');
      case 'rest':
        return this.#rest();
      case 'gateway':
        return this.#gateway(this.octets[this.#start + 1]!);
      case 'sized':
        return this.#octets(this.#lastNumber, 'hex');
      case 'hash':
        return this.#octets(this.#lastNumber, 'base32');
      case 'hit':
        return this.#octets(this.octets[this.#start]!, 'hex');
      case 'key':
        return this.#octets(this.#lastNumber, 'base64');
      default:
        return LISTS[kind](this.octets.subarray(this.at)) ?? this.#rest();
    }
  }

  #number(bytes: number): Uint8Array | string {
    const octets = this.#octets(bytes, bytes === 6 ? 'uint64 as uint48' : `uint${bytes * 8}`);
    if (typeof octets !== 'string') this.#lastNumber = octets.subarray(-2).reduce((sum, octet) => sum * 256 + octet, 0);
    return octets;
  }

  #octets(count: number, what: string): Uint8Array | string {
    return this.at + count > this.octets.length ? `dns: overflow unpacking ${what}` : this.take(count, what);
  }

  #rest(): Uint8Array {
    return this.take(this.octets.length - this.at, 'rdata');
  }

  #name(): Uint8Array | string {
    try {
      return this.wireName('name in rdata');
    } catch (error) {
      if (error instanceof MessageError) return nameProblem(this.octets, this.at) ?? BAD_RDATA;
      throw error;
    }
  }

  #names(): Uint8Array | string {
    const names: Uint8Array[] = [];
    while (!this.isAtEnd) {
      const name = this.#name();
      if (typeof name === 'string') return name;
      names.push(name);
    }
    return joined(names);
  }

  #gateway(kind: number): Uint8Array | string {
    if (kind === 1) return this.field('a');
    if (kind === 2) return this.field('aaaa');
    return kind === 3 ? this.#name() : new Uint8Array(0);
  }
}

const TOO_SHORT = 'dns: buffer size too small';
const BAD_RDATA = 'dns: bad rdata';

/** Why the name of this message cannot be read, in the words of CoreDNS's DNS library; undefined when it can. */
export function nameProblem(octets: Uint8Array, from: number): string | undefined {
  let at = from;
  let pointers = 0;
  let left = NAME_BYTES_MAX;
  // Bounds: each round uses up octets of the name, or counts a pointer.
  for (;;) {
    const octet = octets[at];
    if (octet === undefined) return TOO_SHORT;
    if (octet >= 0xc0) {
      if (at + 1 >= octets.length) return TOO_SHORT;
      if (++pointers > POINTERS_MAX) return 'dns: too many compression pointers';
      at = ((octet & 0x3f) << 8) | octets[at + 1]!;
      continue;
    }
    if (octet === 0) return undefined;
    if (octet > 0x3f) return BAD_RDATA;
    if (at + 1 + octet > octets.length) return TOO_SHORT;
    left -= octet + 1;
    if (left <= 0) return `dns: domain name exceeded ${NAME_BYTES_MAX} wire-format octets`;
    at += octet + 1;
  }
}

/** One array of all parts. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const octets = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}
