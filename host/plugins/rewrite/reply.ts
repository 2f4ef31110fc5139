// The reply while response rules work on it. Like CoreDNS they work record by record: authority, answer, additional and
// last the OPT, each record through all rules, the last rule first.

import type { Edns } from '../../dns/edns.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { composeName, isSameWire, NameError, nameText, spelledText } from '../../dns/name.ts';
import type { Answer } from '../../plugin/contract.ts';
import { rdataName, withRdataName } from './rdata-name.ts';

/** A record that rules may change; the same object stands in the section. */
export class ReplyRecord {
  record: ResourceRecord;

  constructor(record: ResourceRecord) {
    this.record = record;
  }

  /** As it is spelled. */
  get owner(): string {
    return this.record.wire === undefined ? this.record.name : spelledText(this.record.wire);
  }

  set owner(text: string) {
    const wire = wireOf(text);
    if (wire === undefined) return;
    const name = nameText(wire);
    this.record = {
      ...this.record,
      name,
      wire: isSameWire(wire, composeName(name)) && text === name ? undefined : wire,
    };
  }

  /** The name in its rdata, as it is spelled; undefined for types without one that rules know. */
  get value(): string | undefined {
    return rdataName(this.record);
  }

  set value(text: string) {
    const wire = wireOf(text);
    if (wire !== undefined) this.record = withRdataName(this.record, wire);
  }

  get ttl(): number {
    return this.record.ttl;
  }

  set ttl(seconds: number) {
    this.record = { ...this.record, ttl: seconds };
  }
}

/** A name that a rule has made and that is none stays what it was: a reply that cannot be packed helps nobody. */
function wireOf(text: string): Uint8Array | undefined {
  try {
    return composeName(text);
  } catch (error) {
    if (error instanceof NameError) return undefined;
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
    };
  }
}
