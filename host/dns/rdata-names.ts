// Which rdata holds names, and where: needed to undo compression (RFC 1035 §4.1.4), which older senders use in all
// of the types below (RFC 3597 §4).

import { MessageError, OctetReader } from './octet-reader.ts';

/** The fields of an rdata: a number of plain octets, a `name`, a character-string, or the rest. */
type RdataField = number | 'name' | 'string' | 'rest';

const LAYOUTS: ReadonlyMap<number, readonly RdataField[]> = new Map<number, readonly RdataField[]>([
  [2, ['name']], // NS
  [3, ['name']], // MD
  [4, ['name']], // MF
  [5, ['name']], // CNAME
  [6, ['name', 'name', 20]], // SOA
  [7, ['name']], // MB
  [8, ['name']], // MG
  [9, ['name']], // MR
  [12, ['name']], // PTR
  [14, ['name', 'name']], // MINFO
  [15, [2, 'name']], // MX
  [17, ['name', 'name']], // RP
  [18, [2, 'name']], // AFSDB
  [21, [2, 'name']], // RT
  [23, ['name']], // NSAP-PTR
  [24, [18, 'name', 'rest']], // SIG
  [26, [2, 'name', 'name']], // PX
  [30, ['name', 'rest']], // NXT
  [33, [6, 'name']], // SRV
  [35, [4, 'string', 'string', 'string', 'name']], // NAPTR
  [36, [2, 'name']], // KX
  [39, ['name']], // DNAME
  [46, [18, 'name', 'rest']], // RRSIG
  [47, ['name', 'rest']], // NSEC
]);

/**
 * Reads `bytes` octets of rdata at the reader's cursor and returns them with all names uncompressed. Empty rdata is
 * taken for every type (RFC 2136 §2.4). Throws MessageError when the fields do not fill the rdata exactly.
 */
export function expandRdata(reader: OctetReader, type: number, bytes: number, section: string): Uint8Array {
  const layout = LAYOUTS.get(type);
  if (layout === undefined || bytes === 0) return reader.take(bytes, `${section}: rdata`);
  const end = reader.at + bytes;
  if (end > reader.octets.length) return reader.take(bytes, `${section}: rdata`);
  // Names may point anywhere before the rdata, but no field may be read beyond its end.
  const bounded = new OctetReader(reader.octets.subarray(0, end), reader.at);
  const parts = layout.map((field) => readField(bounded, field, section));
  if (bounded.at !== end) throw new MessageError(`${section}: ${end - bounded.at} octets behind the rdata's fields`);
  reader.at = end;
  return joined(parts);
}

function readField(reader: OctetReader, field: RdataField, section: string): Uint8Array {
  if (field === 'name') return reader.wireName(`${section}: name in rdata`);
  if (field === 'string') return reader.characterString(`${section}: character-string in rdata`);
  return reader.take(field === 'rest' ? reader.octets.length - reader.at : field, `${section}: rdata`);
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
