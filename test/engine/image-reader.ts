// A strict reader of replies, shared by nothing in the engine: it throws at anything odd.

import type { Parsed, Part, Rr } from './image-messages.ts';

interface Shape {
  readonly fixed: number;
  readonly strings?: number;
  readonly names: number;
  readonly pointer: boolean;
}

const plain = (fixed: number, names: number): Shape => ({ fixed, names, pointer: false });
const compressed = (fixed: number, names: number): Shape => ({ fixed, names, pointer: true });
const SHAPES = new Map<number, Shape>([
  [1, plain(4, 0)],
  [2, compressed(0, 1)],
  [5, compressed(0, 1)],
  [6, compressed(0, 2)],
  [12, compressed(0, 1)],
  [15, compressed(2, 1)],
  [17, plain(0, 2)],
  [18, plain(2, 1)],
  [28, plain(16, 0)],
  [33, plain(6, 1)],
  [35, { ...plain(4, 1), strings: 3 }],
  [39, plain(0, 1)],
  [46, plain(18, 1)],
  [47, plain(0, 1)],
  [64, plain(2, 1)],
  [65, plain(2, 1)],
]);

class Reader {
  at = 12;
  opt: number[] | undefined;
  readonly view: DataView;
  private readonly octets: Uint8Array;

  constructor(octets: Uint8Array) {
    this.octets = octets;
    this.view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  }

  name(mayPoint: boolean): string {
    let text = '';
    let p = this.at;
    let after = 0;
    for (;;) {
      const octet = this.view.getUint8(p);
      if (octet >= 192) {
        if (!mayPoint) throw new Error('pointer in a name that must not be compressed');
        const target = this.view.getUint16(p) & 0x3fff;
        if (target >= p || target < 12) throw new Error('pointer does not lead backwards');
        after ||= p + 2;
        p = target;
      } else if (octet === 0) {
        this.at = after || p + 1;
        return text || '.';
      } else {
        if (octet > 63) throw new Error('label type');
        text += `${Buffer.from(this.octets.slice(p + 1, p + 1 + octet)).toString('latin1')}.`;
        p += octet + 1;
      }
    }
  }

  take(bytes: number): number[] {
    if (bytes < 0 || this.at + bytes > this.octets.length) throw new Error('cut');
    this.at += bytes;
    return [...this.octets.slice(this.at - bytes, this.at)];
  }

  /** It may end before any of its fields. */
  rdata(type: number, end: number): Part[] {
    const shape = SHAPES.get(type);
    if (!shape || this.at === end) return [this.take(end - this.at)];
    const head = this.take(shape.fixed);
    for (let i = 0; i < (shape.strings ?? 0); i++) head.push(...this.take((this.octets[this.at] ?? 0) + 1));
    const parts: Part[] = head.length ? [head] : [];
    for (let i = 0; i < shape.names && this.at < end; i++)
      parts.push({ name: this.name(shape.pointer), pointer: shape.pointer });
    if (this.at < end) parts.push(this.take(end - this.at));
    return parts;
  }

  /** The next RR; an OPT is put aside. */
  record(): Rr | undefined {
    const start = this.at;
    const name = this.name(true);
    const at = this.at;
    const type = this.view.getUint16(at);
    const end = at + 10 + this.view.getUint16(at + 8);
    this.at = at + 10;
    if (type === 41) {
      this.take(end - this.at);
      this.opt = [...this.octets.slice(start, end)];
      return undefined;
    }
    const rdata = this.rdata(type, end);
    if (this.at !== end) throw new Error('rdata length');
    return { name, type, class: this.view.getUint16(at + 2), ttl: this.view.getUint32(at + 4), rdata };
  }
}

/** Parses every octet of a message and throws at anything odd: forward pointers, pointers in rdata that has none. */
export function parseReply(octets: Uint8Array): Parsed {
  const reader = new Reader(octets);
  const question = reader.name(false);
  reader.take(4);
  const sections = [6, 8, 10].map((offset) =>
    Array.from({ length: reader.view.getUint16(offset) }, () => reader.record()).filter((rr) => rr !== undefined),
  );
  if (reader.at !== octets.length) throw new Error('octets behind the last RR');
  return { flags: reader.view.getUint16(2), question, sections, opt: reader.opt };
}

/** The RR with empty parts dropped, names in lower case: two RRs mean the same if these agree. */
export function meaning(rr: Rr): string {
  const parts = rr.rdata
    .filter((part) => 'name' in part || part.length)
    .map((part) => ('name' in part ? part.name.toLowerCase() : Buffer.from(part).toString('hex')));
  return JSON.stringify([rr.name.toLowerCase(), rr.type, rr.class, rr.ttl, parts]);
}
