// The reply while response rules work on it. Like CoreDNS they work record by record: authority, answer, additional and
// last the OPT, each record through all rules, the last rule first.

import type { Edns } from '../../dns/edns.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { composeName, isSameWire, NameError, nameText, spelledText } from '../../dns/name.ts';
import type { Answer } from '../../plugin/contract.ts';
import { isPackable, textBytes } from './asked.ts';
import { rdataName, withRdataName } from './rdata-name.ts';

/** A record that rules may change; the same object stands in the section. */
export class ReplyRecord {
  record: ResourceRecord;
  /** What rules have made of its names and is none: the root stands in the record then. */
  #brokenOwner: string | undefined;
  #brokenValue: string | undefined;

  constructor(record: ResourceRecord) {
    this.record = record;
  }

  /** As it is spelled. */
  get owner(): string {
    return this.#brokenOwner ?? (this.record.wire === undefined ? this.record.name : spelledText(this.record.wire));
  }

  set owner(text: string) {
    const made = wireOf(text);
    if (made === 'too long') return;
    this.#brokenOwner = made === undefined ? text : undefined;
    const wire = made ?? ROOT;
    const name = nameText(wire);
    const isPlain = made !== undefined && isSameWire(wire, composeName(name)) && text === name;
    this.record = { ...this.record, name, wire: isPlain ? undefined : wire };
  }

  /** The name in its rdata, as it is spelled; undefined for types without one that rules know. */
  get value(): string | undefined {
    return this.#brokenValue ?? rdataName(this.record);
  }

  set value(text: string) {
    const made = wireOf(text);
    if (made === 'too long') return;
    this.#brokenValue = made === undefined ? text : undefined;
    this.record = withRdataName(this.record, made ?? ROOT);
  }

  get ttl(): number {
    return this.record.ttl;
  }

  set ttl(seconds: number) {
    this.record = { ...this.record, ttl: seconds };
  }

  /** Undefined: it can be packed; else the octets that CoreDNS counts for its texts beyond those of the root. */
  get brokenBytes(): number | undefined {
    const texts = [this.#brokenOwner, this.#brokenValue].filter((text) => text !== undefined);
    return texts.length === 0 ? undefined : texts.reduce((sum, text) => sum + textBytes(text) - ROOT.length, 0);
  }
}

const ROOT = new Uint8Array(1);

/**
 * Undefined: it is no name, and a reply that has it cannot be packed. CoreDNS packs names that are too long, which are
 * malformed for everybody else: such a name stays what it was.
 */
function wireOf(text: string): Uint8Array | 'too long' | undefined {
  if (!isPackable(text)) return undefined;
  try {
    return composeName(text);
  } catch (error) {
    if (error instanceof NameError) return 'too long';
    throw error;
  }
}

/** The OPT of the reply: of its fields rules see the TTL, which holds its flags. */
export class ReplyOpt {
  edns: Edns;

  constructor(edns: Edns) {
    this.edns = edns;
  }

  get ttl(): number {
    const { extendedRcode, version, flags } = this.edns;
    return ((extendedRcode << 24) | (version << 16) | flags) >>> 0;
  }

  set ttl(value: number) {
    this.edns = { ...this.edns, extendedRcode: value >>> 24, version: (value >>> 16) & 0xff, flags: value & 0xffff };
  }
}

/** What the engine can note. */
const WITHHELD_MAX = 0xfffe;
/** An OPT without options. */
const OPT_BYTES = 11;

function optionsBytes({ options }: Edns): number {
  return options.reduce((sum, { octets }) => sum + 4 + octets.length, 0);
}

/** What a response rule sees. */
export class Reply {
  rcode: number;
  isTruncated: boolean;
  answer: ReplyRecord[];
  readonly opt: ReplyOpt | undefined;
  readonly #base: Answer;
  readonly #authority: readonly ReplyRecord[];
  readonly #additional: readonly ReplyRecord[];
  readonly #truncatedFlag: number;

  constructor(base: Answer, truncatedFlag: number) {
    this.#base = base;
    this.#truncatedFlag = truncatedFlag;
    this.rcode = base.rcode;
    this.isTruncated = (base.flags & truncatedFlag) !== 0;
    this.answer = base.answer.map((record) => new ReplyRecord(record));
    this.#authority = base.authority.map((record) => new ReplyRecord(record));
    this.#additional = base.additional.map((record) => new ReplyRecord(record));
    this.opt = base.edns && new ReplyOpt(base.edns);
  }

  /** In the order in which rules see them. The answer section is the one that stood there at first. */
  get records(): readonly ReplyRecord[] {
    return [...this.#authority, ...this.answer, ...this.#additional];
  }

  /** Without `error`, for a message stands for it now, and with the question as the client spelt it. */
  finished(): Answer {
    const { error: _, question: __, ...base } = this.#base;
    const flags = base.flags & ~this.#truncatedFlag;
    return {
      ...base,
      rcode: this.rcode,
      flags: this.isTruncated ? flags | this.#truncatedFlag : flags,
      answer: this.answer.map(({ record }) => record),
      authority: this.#authority.map(({ record }) => record),
      additional: this.#additional.map(({ record }) => record),
      edns: this.opt?.edns,
      ...this.#withheld(),
    };
  }

  /** CoreDNS cannot pack the reply if a name in it is none. */
  #withheld(): Pick<Answer, 'withheld'> {
    const records = [...this.answer, ...this.#authority, ...this.#additional];
    const broken = records.flatMap(({ brokenBytes }) => brokenBytes ?? []);
    if (broken.length === 0) return {};
    const opt = this.opt === undefined ? 0 : OPT_BYTES + optionsBytes(this.opt.edns);
    const sum = broken.reduce((all, bytes) => all + bytes, (this.#base.withheld ?? 0) + opt);
    return { withheld: Math.min(sum, WITHHELD_MAX) };
  }
}
