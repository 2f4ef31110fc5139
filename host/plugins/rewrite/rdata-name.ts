// The one name in the rdata of the types that rules know: SRV MX CNAME NS DNAME NAPTR SOA (its first name) PTR.

import {
  TYPE_CNAME,
  TYPE_DNAME,
  TYPE_MX,
  TYPE_NAPTR,
  TYPE_NS,
  TYPE_PTR,
  TYPE_SOA,
  TYPE_SRV,
} from '../../../engine-as/shared/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { spelledText } from '../../dns/name.ts';

const NAME_AT: ReadonlyMap<number, number> = new Map([
  [TYPE_CNAME, 0],
  [TYPE_NS, 0],
  [TYPE_DNAME, 0],
  [TYPE_PTR, 0],
  [TYPE_SOA, 0],
  [TYPE_MX, 2],
  [TYPE_SRV, 6],
]);

/** As it is spelled; undefined for other types and for rdata that is too short. */
export function rdataName(record: ResourceRecord): string | undefined {
  const place = placeOf(record);
  return place === undefined ? undefined : spelledText(record.rdata.subarray(...place));
}

/** The record with another name in the place of its own. */
export function withRdataName(record: ResourceRecord, wire: Uint8Array): ResourceRecord {
  const place = placeOf(record);
  if (place === undefined) return record;
  const { rdata } = record;
  const head = rdata.subarray(0, place[0]);
  const tail = rdata.subarray(place[1]);
  const octets = new Uint8Array(head.length + wire.length + tail.length);
  octets.set(head);
  octets.set(wire, head.length);
  octets.set(tail, head.length + wire.length);
  return { ...record, rdata: octets };
}

/** First octet of the name and the octet behind it. */
function placeOf({ type, rdata }: ResourceRecord): readonly [start: number, end: number] | undefined {
  const start = type === TYPE_NAPTR ? replacementAt(rdata) : NAME_AT.get(type);
  if (start === undefined) return undefined;
  let at = start;
  // Bounds: each round goes on by one octet or more; a name is uncompressed and ends in its root label.
  while (at < rdata.length && rdata[at] !== 0) at += rdata[at]! + 1;
  return at < rdata.length ? [start, at + 1] : undefined;
}

/** NAPTR (RFC 3403 §4.1): order, preference, three character-strings, replacement. */
function replacementAt(rdata: Uint8Array): number | undefined {
  let at = 4;
  for (let i = 0; i < 3; i++) {
    if (at >= rdata.length) return undefined;
    at += rdata[at]! + 1;
  }
  return at;
}
