// A complete parser of DNS messages for the tests: everything that a client could see in a reply, including what a
// tolerant library would hide (counts, compression, where the OPT stands, octets behind the message).

import { formatAddress, formatLabels, lowerCase } from './name.ts';
import { className, flagWords, optionName, rcodeName, TYPES, typeName } from './numbers.ts';

export interface Question {
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

export interface RR {
  /** Presentation form, case as sent. */
  readonly owner: string;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  /** Presentation form; names in it keep their case. */
  readonly rdata: string;
}

export interface Opt {
  readonly owner: string;
  readonly size: number;
  readonly version: number;
  readonly isDo: boolean;
  /** The high 8 bits of the rcode. */
  readonly extendedRcode: number;
  /** The 15 flag bits beside DO. */
  readonly z: number;
  readonly options: readonly { readonly code: number; readonly hex: string }[];
  /** No record stands behind it. */
  readonly isLast: boolean;
}

export interface Message {
  readonly octets: Uint8Array;
  readonly id: number;
  /** Header word at octet 2 without opcode and rcode. */
  readonly flags: number;
  readonly opcode: number;
  /** With the extended bits of the OPT. */
  readonly rcode: number;
  readonly counts: readonly [number, number, number, number];
  readonly questions: readonly Question[];
  readonly answer: readonly RR[];
  readonly authority: readonly RR[];
  /** Without OPT. */
  readonly additional: readonly RR[];
  readonly opts: readonly Opt[];
  readonly isCompressed: boolean;
  /** Octets behind the last counted record. */
  readonly trailingBytes: number;
}

/** Throws an Error that says what is malformed and where. */
export function parseMessage(octets: Uint8Array): Message {
  return new Parser(octets).message();
}

class Parser {
  private at = 0;
  private isCompressed = false;
  private readonly octets: Uint8Array;
  private readonly view: DataView;
  private readonly opts: Opt[] = [];

  constructor(octets: Uint8Array) {
    this.octets = octets;
    this.view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  }

  message(): Message {
    if (this.octets.length < 12) throw new Error(`message of ${this.octets.length} octets has no header`);
    const id = this.u16();
    const word = this.u16();
    const counts = [this.u16(), this.u16(), this.u16(), this.u16()] as const;
    const questions: Question[] = [];
    for (let n = 0; n < counts[0]; n++) {
      questions.push({ name: this.name(), type: this.u16(), class: this.u16() });
    }
    const answer = this.section(counts[1]);
    const authority = this.section(counts[2]);
    const additional = this.section(counts[3]);
    const extended = this.opts.reduce((bits, opt) => bits | opt.extendedRcode, 0);
    return {
      octets: this.octets,
      id,
      flags: word & 0x87f0,
      opcode: (word >> 11) & 15,
      rcode: (word & 15) | (extended << 4),
      counts,
      questions,
      answer,
      authority,
      additional,
      opts: this.opts,
      isCompressed: this.isCompressed,
      trailingBytes: this.octets.length - this.at,
    };
  }

  private section(count: number): RR[] {
    const records: RR[] = [];
    for (let n = 0; n < count; n++) {
      const owner = this.name();
      const type = this.u16();
      if (type === TYPES['OPT']) {
        this.opt(owner, n === count - 1);
        continue;
      }
      const rrClass = this.u16();
      const ttl = this.u32();
      const bytes = this.u16();
      const end = this.at + bytes;
      if (end > this.octets.length) throw new Error(`rdata of ${owner} ends outside the message`);
      const rdata = this.rdata(type, end);
      if (this.at !== end) throw new Error(`rdata of ${owner} ${typeName(type)} has another length than RDLENGTH`);
      records.push({ owner, type, class: rrClass, ttl, rdata });
    }
    return records;
  }

  private opt(owner: string, isLast: boolean): void {
    const size = this.u16();
    const extendedRcode = this.u8();
    const version = this.u8();
    const flags = this.u16();
    const end = this.u16() + this.at;
    if (end > this.octets.length) throw new Error('OPT ends outside the message');
    const options: { code: number; hex: string }[] = [];
    while (this.at < end) {
      const code = this.u16();
      const bytes = this.u16();
      options.push({ code, hex: this.hex(bytes) });
    }
    if (this.at !== end) throw new Error('an EDNS option ends outside the OPT');
    this.opts.push({ owner, size, extendedRcode, version, isDo: flags >= 0x8000, z: flags & 0x7fff, options, isLast });
  }

  private rdata(type: number, end: number): string {
    switch (type) {
      case TYPES['A']:
        return formatAddress(this.take(4));
      case TYPES['AAAA']:
        return formatAddress(this.take(16));
      case TYPES['NS']:
      case TYPES['CNAME']:
      case TYPES['PTR']:
      case TYPES['DNAME']:
        return this.name();
      case TYPES['MX']:
        return `${this.u16()} ${this.name()}`;
      case TYPES['SRV']:
        return `${this.u16()} ${this.u16()} ${this.u16()} ${this.name()}`;
      case TYPES['SOA']:
        return `${this.name()} ${this.name()} ${this.u32()} ${this.u32()} ${this.u32()} ${this.u32()} ${this.u32()}`;
      case TYPES['TXT']:
      case TYPES['HINFO']:
        return this.strings(end);
      default:
        return `\\# ${end - this.at} ${this.hex(end - this.at)}`;
    }
  }

  private strings(end: number): string {
    const parts: string[] = [];
    while (this.at < end) {
      const bytes = this.u8();
      if (this.at + bytes > end) throw new Error('a character-string ends outside its rdata');
      const text = String.fromCharCode(...this.take(bytes));
      const escaped = text.replace(/["\\]/g, '\\$&');
      parts.push(`"${escaped.replace(/[^ -~]/g, (c) => `\\${String(c.charCodeAt(0)).padStart(3, '0')}`)}"`);
    }
    return parts.join(' ');
  }

  /** Reads a name; pointers must point backwards (RFC 1035 §4.1.4) and the name must keep its limits. */
  private name(): string {
    const labels: Uint8Array[] = [];
    let at = this.at;
    let resumeAt = -1;
    let wireBytes = 1;
    for (;;) {
      const octet = this.octets[at];
      if (octet === undefined) throw new Error(`a name runs out of the message at ${at}`);
      if (octet >= 0xc0) {
        const target = ((octet & 0x3f) << 8) | (this.octets[at + 1] ?? 0);
        if (target >= at) throw new Error(`a compression pointer at ${at} points forward`);
        if (resumeAt < 0) resumeAt = at + 2;
        this.isCompressed = true;
        at = target;
        continue;
      }
      if (octet > 63) throw new Error(`label type 0x${octet.toString(16)} at ${at}`);
      at++;
      if (octet === 0) break;
      wireBytes += octet + 1;
      if (wireBytes > 255) throw new Error(`a name at ${this.at} is longer than 255 octets`);
      if (at + octet > this.octets.length) throw new Error(`a label runs out of the message at ${at}`);
      labels.push(this.octets.subarray(at, at + octet));
      at += octet;
    }
    this.at = resumeAt < 0 ? at : resumeAt;
    return formatLabels(labels);
  }

  private take(bytes: number): Uint8Array {
    if (this.at + bytes > this.octets.length)
      throw new Error(`the message ends at ${this.octets.length}, inside a field`);
    this.at += bytes;
    return this.octets.subarray(this.at - bytes, this.at);
  }
  private hex(bytes: number): string {
    return Buffer.from(this.take(bytes)).toString('hex');
  }
  private u8(): number {
    return this.take(1)[0]!;
  }
  private u16(): number {
    this.take(2);
    return this.view.getUint16(this.at - 2);
  }
  private u32(): number {
    this.take(4);
    return this.view.getUint32(this.at - 4);
  }
}

/** `owner TTL [class] type rdata`, the class only if it is not IN. */
export function formatRecord(record: RR): string {
  const rrClass = record.class === 1 ? '' : ` ${className(record.class)}`;
  return `${record.owner} ${record.ttl}${rrClass} ${typeName(record.type)} ${record.rdata}`;
}

export function formatOpt(opt: Opt): string {
  const options = opt.options.map((option) => ` ${optionName(option.code)}=${option.hex}`).join('');
  const version = opt.version === 0 ? '' : ` version=${opt.version}`;
  const z = opt.z === 0 ? '' : ` z=${opt.z.toString(16)}`;
  return `opt ${opt.size}${opt.isDo ? ' do' : ''}${version}${z}${options}${opt.isLast ? '' : ' (not last)'}`;
}

/** Everything about a message, one fact a line. */
export function formatMessage(message: Message): string {
  const head = `${rcodeName(message.rcode)} ${flagWords(message.flags).join(' ')}`;
  const lines = [
    `${head} opcode=${message.opcode} id=${message.id} ${message.counts.join('/')} ${message.octets.length} octets` +
      `${message.isCompressed ? ' compressed' : ''}${message.trailingBytes > 0 ? ` ${message.trailingBytes} trailing` : ''}`,
  ];
  for (const q of message.questions) lines.push(`  question ${q.name} ${className(q.class)} ${typeName(q.type)}`);
  for (const record of message.answer) lines.push(`  answer ${formatRecord(record)}`);
  for (const record of message.authority) lines.push(`  authority ${formatRecord(record)}`);
  for (const record of message.additional) lines.push(`  additional ${formatRecord(record)}`);
  for (const opt of message.opts) lines.push(`  ${formatOpt(opt)}`);
  return lines.join('\n');
}

/** Key under which two records are the same record whatever the case of their names; TTL left out. */
export function recordKey(record: RR, isSerialIgnored = true): string {
  const isText = record.type === TYPES['TXT'] || record.type === TYPES['HINFO'];
  let rdata = isText ? record.rdata : lowerCase(record.rdata);
  if (isSerialIgnored && record.type === TYPES['SOA']) rdata = rdata.replace(/^(\S+ \S+) [0-9]+ /, '$1 SERIAL ');
  return `${lowerCase(record.owner)} ${className(record.class)} ${typeName(record.type)} ${rdata}`;
}
