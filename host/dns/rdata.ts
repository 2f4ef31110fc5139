// Rdata of the types that this server writes or reads itself: objects <-> octets, uncompressed, as ResourceRecord.rdata
// holds them.

import { addressOctets } from './address.ts';
import { composeName, nameText } from './name.ts';
import { MessageError, OctetReader } from './octet-reader.ts';
import { joined } from './rdata-names.ts';

export interface Srv {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** Lower-case, fully qualified. */
  readonly target: string;
}

/** A or AAAA, by the address's family. Throws RangeError when the text is no address. */
export function composeAddress(address: string): Uint8Array {
  const octets = addressOctets(address);
  if (octets === undefined) throw new RangeError(`not an IP address: ${address}`);
  return octets;
}

/** NS, CNAME, PTR, DNAME: lower-case. */
export function parseTarget(rdata: Uint8Array): string {
  return whole(rdata, (reader) => nameText(reader.wireName('name')));
}

export function composeSrv(srv: Srv): Uint8Array {
  return joined([numbers16(srv.priority, srv.weight, srv.port), composeName(srv.target)]);
}

/** Reads the rdata to its end; octets left over are a MessageError. */
export function whole<T>(rdata: Uint8Array, read: (reader: OctetReader) => T): T {
  const reader = new OctetReader(rdata);
  const value = read(reader);
  if (!reader.isAtEnd) throw new MessageError(`${rdata.length - reader.at} octets behind the rdata's fields`);
  return value;
}

export function numbers16(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [(value >> 8) & 0xff, value & 0xff]));
}
