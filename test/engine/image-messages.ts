// Replies for the image tests: a composer with a compressor of its own (nothing shared with the engine), generators,
// and a plain model of how miekg/dns measures and truncates a message.

import fc from 'fast-check';
import { u16, u32 } from './image-engine.ts';

/** Rdata is a list of octets and names. `pointer`: the type may be sent compressed (RFC 3597 §4). */
export type Part = readonly number[] | { readonly name: string; readonly pointer: boolean };

export interface Rr {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly rdata: readonly Part[];
}

export interface Reply {
  readonly flags: number;
  readonly question: string;
  readonly type: number;
  /** Class of the question, IN if left out. */
  readonly class?: number;
  readonly sections: readonly [readonly Rr[], readonly Rr[], readonly Rr[]];
  /** Raw OPT appended to the additional section. */
  readonly opt?: readonly number[];
}

function labelsOf(name: string): string[] {
  return name === '.' ? [] : name.replace(/\.$/, '').split('.');
}

class Composer {
  readonly octets: number[] = [];
  private readonly seen = new Map<string, number>();
  private readonly compress: boolean;
  constructor(compress: boolean) {
    this.compress = compress;
  }

  name(name: string, pointer: boolean): void {
    const labels = labelsOf(name);
    for (let i = 0; i < labels.length; i++) {
      const suffix = labels.slice(i).join('.');
      const known = this.seen.get(suffix);
      if (this.compress && pointer && known !== undefined) {
        this.octets.push(0xc0 | (known >> 8), known & 255);
        return;
      }
      if (known === undefined && this.octets.length < 0x4000) this.seen.set(suffix, this.octets.length);
      const label = labels[i] ?? '';
      this.octets.push(label.length, ...Buffer.from(label, 'latin1'));
    }
    this.octets.push(0);
  }

  record(rr: Rr, compressAll: boolean): void {
    this.name(rr.name, true);
    this.octets.push(...u16(rr.type), ...u16(rr.class), ...u32(rr.ttl), 0, 0);
    const start = this.octets.length;
    for (const part of rr.rdata) {
      if ('name' in part) this.name(part.name, part.pointer || compressAll);
      else for (const octet of part) this.octets.push(octet);
    }
    const bytes = this.octets.length - start;
    this.octets[start - 2] = bytes >> 8;
    this.octets[start - 1] = bytes & 255;
  }
}

/** @param mode 'all' compresses names in every rdata too, as some servers do against the standard. */
export function composeReply(reply: Reply, mode: 'none' | 'standard' | 'all', id = 0x1234): Uint8Array {
  const composer = new Composer(mode !== 'none');
  const counts = reply.sections.map((section) => section.length);
  if (reply.opt) counts[2] = (counts[2] ?? 0) + 1;
  composer.octets.push(...u16(id), ...u16(reply.flags), 0, 1, ...counts.flatMap(u16));
  composer.name(reply.question, true);
  composer.octets.push(...u16(reply.type), ...u16(reply.class ?? 1));
  for (const section of reply.sections) for (const rr of section) composer.record(rr, mode === 'all');
  if (reply.opt) composer.octets.push(...reply.opt);
  return Uint8Array.from(composer.octets);
}

/** A reply to an A question of class IN. */
export function replyOf(
  question: string,
  answers: readonly Rr[],
  authority: readonly Rr[] = [],
  additional: readonly Rr[] = [],
  flags = 0x8180,
): Reply {
  return { flags, question, type: 1, sections: [answers, authority, additional] };
}

export const a = (name: string, ttl: number, ...address: number[]): Rr => ({
  name,
  type: 1,
  class: 1,
  ttl,
  rdata: [address],
});
export const cname = (name: string, ttl: number, target: string): Rr => ({
  name,
  type: 5,
  class: 1,
  ttl,
  rdata: [{ name: target, pointer: true }],
});
export const ns = (name: string, ttl: number, target: string): Rr => ({ ...cname(name, ttl, target), type: 2 });
export const soa = (name: string, ttl: number): Rr => ({
  name,
  type: 6,
  class: 1,
  ttl,
  rdata: [
    { name: `ns1.${name}`, pointer: true },
    { name: `admin.${name}`, pointer: true },
    [7, 3600, 600, 86400, 60].flatMap(u32),
  ],
});
export const mx = (name: string, ttl: number, preference: number, target: string): Rr => ({
  name,
  type: 15,
  class: 1,
  ttl,
  rdata: [u16(preference), { name: target, pointer: true }],
});
export const srv = (name: string, ttl: number, port: number, target: string): Rr => ({
  name,
  type: 33,
  class: 1,
  ttl,
  rdata: [[0, 0, 0, 10, ...u16(port)], { name: target, pointer: false }],
});
export const txt = (name: string, ttl: number, ...strings: string[]): Rr => ({
  name,
  type: 16,
  class: 1,
  ttl,
  rdata: [strings.flatMap((text) => [text.length, ...Buffer.from(text, 'latin1')])],
});

// ------------------------------------------------------------------------------------------------ generators

const label = fc.constantFrom(
  'a',
  'b',
  'www',
  'ns1',
  'mail',
  'x-1',
  'alias',
  'example',
  'org',
  'cluster',
  'local',
  'svc',
);
export const nameArbitrary = fc
  .array(label, { minLength: 0, maxLength: 6 })
  .map((labels) => (labels.length ? `${labels.join('.')}.` : '.'));
const octets = (min: number, max: number): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 0, max: 255 }), { minLength: min, maxLength: max });

/** RRs of most shapes of rdata; names come from a small set, so suffixes repeat. */
export function rrArbitrary(owner: fc.Arbitrary<string>): fc.Arbitrary<Rr> {
  const target = (pointer: boolean): fc.Arbitrary<Part> => nameArbitrary.map((name) => ({ name, pointer }));
  const rdata: [number, fc.Arbitrary<readonly Part[]>][] = [
    [1, octets(4, 4).map((part) => [part])],
    [28, octets(16, 16).map((part) => [part])],
    [5, target(true).map((part) => [part])],
    [2, target(true).map((part) => [part])],
    [12, target(true).map((part) => [part])],
    [15, fc.tuple(octets(2, 2), target(true))],
    [6, fc.tuple(target(true), target(true), octets(20, 20))],
    [33, fc.tuple(octets(6, 6), target(false))],
    [39, target(false).map((part) => [part])],
    [17, fc.tuple(target(false), target(false))],
    [18, fc.tuple(octets(2, 2), target(false))],
    [46, fc.tuple(octets(18, 18), target(false), octets(1, 90))],
    [47, fc.tuple(target(false), fc.constantFrom([0, 1, 0x40], [0, 6, 0x40, 0, 0, 0, 0, 3, 1, 1, 0x80]))],
    [16, octets(1, 200).map((part) => [[part.length, ...part]])],
    [35, fc.tuple(fc.constant([0, 1, 0, 2, 1, 83, 0, 2, 33, 33]), target(false))],
    [64, fc.tuple(octets(2, 2), target(false), fc.constantFrom([], [0, 1, 0, 3, 2, 104, 50, 0, 3, 0, 2, 1, 187]))],
    [257, octets(0, 60).map((value) => [[0, 5, ...Buffer.from('issue'), ...value.filter((octet) => octet !== 0x5c)]])],
    [65280, octets(0, 60).map((part) => [part])],
  ];
  const kinds = rdata.map(([type, parts]) => fc.tuple(fc.constant(type), parts));
  return fc
    .tuple(owner, fc.oneof(...kinds), fc.nat(0xffffffff))
    .map(([name, [type, parts], ttl]) => ({ name, type, class: 1, ttl, rdata: parts }));
}

export const replyArbitrary = (most: number): fc.Arbitrary<Reply> =>
  fc.tuple(nameArbitrary, fc.constantFrom(0x8180, 0x8580, 0x81a0, 0x8183, 0x8182)).chain(([question, flags]) => {
    const owner = fc.oneof(fc.constant(question), nameArbitrary);
    const section = fc.array(rrArbitrary(owner), { maxLength: most });
    return fc.tuple(section, section, section).map((sections) => ({ flags, question, type: 1, sections }));
  });

// ------------------------------------------------------------------------------------------------ miekg/dns model

/** Octets that the text of a signature (base64) or of a string (escapes) adds when the library measures it. */
function textPad(rr: Rr): number {
  if (rr.type === 16) {
    const [, ...text] = rr.rdata.flatMap((part) => (Array.isArray(part) ? (part as number[]) : []));
    return text.reduce((sum, octet) => sum + (octet === 34 || octet === 92 ? 1 : octet < 32 || octet > 126 ? 3 : 0), 0);
  }
  if (rr.type !== 46) return 0;
  const last = rr.rdata.at(-1);
  return Array.isArray(last) ? (3 - (last.length % 3)) % 3 : 0;
}

function nameLength(name: string, offset: number, seen: Set<string> | undefined, pointer: boolean): number {
  const labels = labelsOf(name);
  const plain = labels.reduce((sum, one) => sum + one.length + 1, 1);
  if (!seen) return plain;
  let before = 0;
  for (let i = 0; i < labels.length; i++) {
    const suffix = labels.slice(i).join('.');
    if (seen.has(suffix)) return pointer ? before + 2 : plain;
    if (offset + before < 0x4000) seen.add(suffix);
    before += (labels[i]?.length ?? 0) + 1;
  }
  return plain;
}

export function recordLength(rr: Rr, offset: number, seen: Set<string> | undefined): number {
  let length = nameLength(rr.name, offset, seen, true) + 10;
  for (const part of rr.rdata) {
    length += 'name' in part ? nameLength(part.name, offset + length, seen, part.pointer) : part.length;
  }
  return length + textPad(rr);
}

export function plainLength(reply: Reply): number {
  const records = reply.sections.flat().reduce((sum, rr) => sum + recordLength(rr, 0, undefined), 0);
  return 12 + nameLength(reply.question, 12, undefined, true) + 4 + records;
}

/** RRs kept of each section, and whether TC is set: Msg.Truncate(). */
export function truncateModel(reply: Reply, limit: number, optBytes: number): { counts: number[]; truncated: boolean } {
  const full = reply.sections.map((section) => section.length);
  if (plainLength(reply) + optBytes <= limit) return { counts: full, truncated: false };
  const size = limit - optBytes;
  const seen = new Set<string>();
  let length = 12;
  length += nameLength(reply.question, length, seen, true) + 4;
  const counts = [0, 0, 0];
  for (const [index, section] of reply.sections.entries()) {
    if (length >= size) break;
    for (const rr of section) {
      length += recordLength(rr, length, seen);
      if (length > size) {
        length = size;
        break;
      }
      counts[index] = (counts[index] ?? 0) + 1;
      if (length === size) break;
    }
  }
  return { counts, truncated: counts.some((count, index) => count < (full[index] ?? 0)) };
}

/** What parseReply() of image-reader.ts returns. */
export interface Parsed {
  readonly flags: number;
  readonly question: string;
  readonly sections: readonly Rr[][];
  readonly opt: readonly number[] | undefined;
}
