// EDNS: the OPT pseudo-RR (RFC 6891 §6.1) as an object.

import { EDNS_DO, TYPE_OPT } from '../../engine-as/shared/codes.ts';
import { composeName } from './name.ts';
import { MessageError, OctetReader } from './octet-reader.ts';

export interface Edns {
  /** UDP payload size as sent, 0..65535. */
  readonly payloadBytes: number;
  /** Upper eight bits of the rcode, 0..255. */
  readonly extendedRcode: number;
  readonly version: number;
  /** The 16 flag bits: DO is EDNS_DO of engine-as/shared/codes.ts, the others are Z. */
  readonly flags: number;
  readonly options: readonly EdnsOption[];
  /** Owner in wire form, if it is not the root, as it should be. */
  readonly owner?: Uint8Array;
}

export interface EdnsOption {
  readonly code: number;
  readonly octets: Uint8Array;
}

/** The fields of an OPT as any RR has them. */
export interface OptFields {
  readonly name?: string;
  /** See ResourceRecord. */
  readonly wire?: Uint8Array | undefined;
  readonly class: number;
  readonly ttl: number;
  readonly rdata: Uint8Array;
}

export function isDo(edns: Edns | undefined): boolean {
  return edns !== undefined && (edns.flags & EDNS_DO) !== 0;
}

/** Throws MessageError when an option overruns the rdata. */
export function parseEdns(opt: OptFields): Edns {
  const options: EdnsOption[] = [];
  const reader = new OctetReader(opt.rdata);
  while (!reader.isAtEnd) {
    const code = reader.u16('EDNS option code');
    options.push({ code, octets: reader.take(reader.u16('EDNS option length'), 'EDNS option') });
  }
  const { name = '.', wire } = opt;
  return {
    ...(name === '.' ? {} : { owner: wire ?? composeName(name) }),
    payloadBytes: opt.class,
    extendedRcode: opt.ttl >>> 24,
    version: (opt.ttl >>> 16) & 0xff,
    flags: opt.ttl & 0xffff,
    options,
  };
}

const ROOT = Uint8Array.of(0);

/** The whole OPT in wire form, owner included. Throws MessageError when an option exceeds 65535 octets. */
export function composeEdns(edns: Edns): Uint8Array {
  const rdataBytes = edns.options.reduce((sum, option) => sum + 4 + option.octets.length, 0);
  if (rdataBytes > 0xffff) throw new MessageError(`EDNS options exceed 65535 octets: ${rdataBytes}`);
  const owner = edns.owner ?? ROOT;
  const octets = new Uint8Array(owner.length + 10 + rdataBytes);
  octets.set(owner);
  const view = new DataView(octets.buffer, owner.length);
  view.setUint16(0, TYPE_OPT);
  view.setUint16(2, edns.payloadBytes);
  view.setUint8(4, edns.extendedRcode);
  view.setUint8(5, edns.version);
  view.setUint16(6, edns.flags);
  view.setUint16(8, rdataBytes);
  let at = 10;
  for (const option of edns.options) {
    view.setUint16(at, option.code);
    view.setUint16(at + 2, option.octets.length);
    octets.set(option.octets, owner.length + at + 4);
    at += 4 + option.octets.length;
  }
  return octets;
}
