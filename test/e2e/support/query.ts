// Composes query messages for the tests, well-formed ones as well as every kind of odd one.

import { wireName } from './name.ts';

export interface Edns {
  readonly size: number;
  readonly version?: number;
  readonly isDo?: boolean;
  /** Flag bits beside DO. */
  readonly z?: number;
  readonly options?: readonly { readonly code: number; readonly octets: Uint8Array }[];
}

export interface QueryForm {
  readonly id?: number;
  /** Presentation form. */
  readonly name: string;
  readonly type: number;
  readonly class?: number;
  readonly opcode?: number;
  /** FLAG bits of the header word, without opcode. */
  readonly flags?: number;
  readonly edns?: Edns;
}

export function composeQuery(form: QueryForm): Uint8Array {
  const name = wireName(form.name);
  const head = new Uint8Array(12 + name.length + 4);
  const view = new DataView(head.buffer);
  view.setUint16(0, form.id ?? 0x1234);
  view.setUint16(2, ((form.opcode ?? 0) << 11) | (form.flags ?? 0));
  view.setUint16(4, 1);
  view.setUint16(10, form.edns === undefined ? 0 : 1);
  head.set(name, 12);
  view.setUint16(12 + name.length, form.type);
  view.setUint16(14 + name.length, form.class ?? 1);
  return form.edns === undefined ? head : Buffer.concat([head, composeOpt(form.edns)]);
}

export function composeOpt(edns: Edns): Uint8Array {
  const options = (edns.options ?? []).flatMap((option) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(option.code, 0);
    head.writeUInt16BE(option.octets.length, 2);
    return [head, Buffer.from(option.octets)];
  });
  const rdata = Buffer.concat(options);
  const fixed = Buffer.alloc(11);
  fixed.writeUInt16BE(41, 1);
  fixed.writeUInt16BE(edns.size, 3);
  fixed.writeUInt8(edns.version ?? 0, 6);
  fixed.writeUInt16BE((edns.isDo ? 0x8000 : 0) | (edns.z ?? 0), 7);
  fixed.writeUInt16BE(rdata.length, 9);
  return Buffer.concat([fixed, rdata]);
}
