// Whole messages: octets <-> objects (RFC 1035 §4). For the slow path, tests and tools; the engine has its own reader.

import {
  HEADER_BYTES,
  MESSAGE_BYTES_MAX,
  OPCODE_MASK,
  OPCODE_SHIFT,
  RCODE_MASK,
  TYPE_OPT,
} from '../../engine-as/shared/codes.ts';
import { composeEdns, type Edns, parseEdns } from './edns.ts';
import { composeName, NameError, nameText, spelledText } from './name.ts';
import { MessageError, OctetReader } from './octet-reader.ts';
import { expandRdata } from './rdata-names.ts';

export { MessageError };

export interface Message {
  readonly id: number;
  /** The 16-bit word at octet 2: FLAG_ bits, opcode, low four bits of the rcode (engine-as/shared/codes.ts). */
  readonly flags: number;
  readonly questions: readonly Question[];
  readonly answer: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  /** Without the last OPT, which is `edns`. */
  readonly additional: readonly ResourceRecord[];
  readonly edns?: Edns | undefined;
}

export interface Question {
  /** Lower-case, fully qualified. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** The name's own octets, uncompressed, as the client spelled it. */
  readonly wire: Uint8Array;
}

export interface ResourceRecord {
  /** Owner: lower-case, fully qualified. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  /** Names in it are uncompressed. */
  readonly rdata: Uint8Array;
  /** Wire form of an owner whose spelling differs from `name`; composeMessage() prefers it. */
  readonly wire?: Uint8Array | undefined;
}

export function opcodeOf(message: Pick<Message, 'flags'>): number {
  return (message.flags & OPCODE_MASK) >> OPCODE_SHIFT;
}

/** All twelve bits of the rcode (RFC 6891 §6.1.3). */
export function rcodeOf(message: Pick<Message, 'flags' | 'edns'>): number {
  return (message.flags & RCODE_MASK) | ((message.edns?.extendedRcode ?? 0) << 4);
}

/**
 * Reads a message. Lenient where CoreDNS is: octets behind the counted records are ignored; a message that ends where
 * another record, or a question's type or class, would begin is complete (missing numbers are 0); of two OPTs the
 * last one counts. Anything else that does not fit throws MessageError.
 */
export function parseMessage(octets: Uint8Array): Message {
  const reader = new OctetReader(octets);
  const id = reader.u16('id');
  const flags = reader.u16('flags');
  const counts = [reader.u16('QDCOUNT'), reader.u16('ANCOUNT'), reader.u16('NSCOUNT'), reader.u16('ARCOUNT')];
  const questions = parseQuestions(reader, counts[0]!);
  const answer = parseRecords(reader, counts[1]!, 'answer section');
  const authority = parseRecords(reader, counts[2]!, 'authority section');
  const last = parseRecords(reader, counts[3]!, 'additional section');
  const opt = last.findLast((record) => record.type === TYPE_OPT);
  return {
    id,
    flags,
    questions,
    answer,
    authority,
    additional: opt === undefined ? last : last.filter((record) => record !== opt),
    edns: opt && parseEdns(opt),
  };
}

/**
 * Writes a message; the OPT comes last. Names are not compressed, but for owners where `places` are given. Throws
 * MessageError when it exceeds 65535 octets or a name in it is none.
 */
export function composeMessage(message: Message, places?: OwnerPlaces): Uint8Array {
  const records = [...message.answer, ...message.authority, ...message.additional];
  const questions = message.questions.map(composeQuestion);
  if (message.questions[0] !== undefined) places?.take(message.questions[0], HEADER_BYTES);
  let behind = questions.reduce((sum, part) => sum + part.length, HEADER_BYTES);
  const parts = [
    ...questions,
    ...records.map((record) => {
      const part = composeRecord(record, behind, places);
      behind += part.length;
      return part;
    }),
    ...(message.edns === undefined ? [] : [composeEdns(message.edns)]),
  ];
  const bytes = parts.reduce((sum, part) => sum + part.length, HEADER_BYTES);
  if (bytes > MESSAGE_BYTES_MAX)
    throw new MessageError(`a message must not exceed ${MESSAGE_BYTES_MAX} octets: ${bytes}`);
  const octets = new Uint8Array(bytes);
  const view = new DataView(octets.buffer);
  view.setUint16(0, message.id);
  view.setUint16(2, message.flags);
  view.setUint16(4, message.questions.length);
  view.setUint16(6, message.answer.length);
  view.setUint16(8, message.authority.length);
  view.setUint16(10, message.additional.length + (message.edns === undefined ? 0 : 1));
  let at = HEADER_BYTES;
  for (const part of parts) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}

/** Where owners stand in a message under construction: one that is there already takes a pointer (RFC 1035 §4.1.4). */
export class OwnerPlaces {
  readonly #pointers = new Map<string, Uint8Array>();

  /** What to write for the owner at offset `at`: itself, or a pointer to where it stands in the same spelling. */
  take({ name, wire }: { readonly name: string; readonly wire?: Uint8Array | undefined }, at: number): Uint8Array {
    const spelt = wire === undefined ? name : spelledText(wire);
    const known = this.#pointers.get(spelt);
    if (known !== undefined) return known;
    const owner = wire ?? ownerWire(name);
    if (at > POINTER_MAX) return owner;
    this.#pointers.set(spelt, owner.length <= 2 ? owner : Uint8Array.of(0xc0 | (at >> 8), at & 0xff));
    return owner;
  }
}
const POINTER_MAX = 0x3fff;

function parseQuestions(reader: OctetReader, count: number): Question[] {
  const questions: Question[] = [];
  while (questions.length < count && !reader.isAtEnd) {
    const wire = reader.wireName('question name');
    const type = reader.isAtEnd ? 0 : reader.u16('question type');
    const qclass = reader.isAtEnd ? 0 : reader.u16('question class');
    questions.push({ name: nameText(wire), type, class: qclass, wire });
  }
  return questions;
}

function parseRecords(reader: OctetReader, count: number, section: string): ResourceRecord[] {
  const records: ResourceRecord[] = [];
  // Bounds: each record takes at least 11 octets of the message, whatever the count claims.
  while (records.length < count && !reader.isAtEnd) records.push(parseRecord(reader, section));
  return records;
}

function parseRecord(reader: OctetReader, section: string): ResourceRecord {
  const wire = reader.wireName(`${section}: owner`);
  const type = reader.u16(`${section}: type`);
  const rclass = reader.u16(`${section}: class`);
  const ttl = reader.u32(`${section}: TTL`);
  const rdataBytes = reader.u16(`${section}: rdata length`);
  const rdata = expandRdata(reader, type, rdataBytes, section);
  const spelled = spelledText(wire);
  const name = spelled.toLowerCase();
  const record = { name, type, class: rclass, ttl, rdata };
  return spelled === name ? record : { ...record, wire };
}

function composeQuestion(question: Question): Uint8Array {
  const octets = new Uint8Array(question.wire.length + 4);
  octets.set(question.wire);
  const view = new DataView(octets.buffer, question.wire.length);
  view.setUint16(0, question.type);
  view.setUint16(2, question.class);
  return octets;
}

function composeRecord(record: ResourceRecord, at: number, places: OwnerPlaces | undefined): Uint8Array {
  const owner = places?.take(record, at) ?? record.wire ?? ownerWire(record.name);
  if (record.rdata.length > 0xffff) throw new MessageError(`rdata of ${record.name} exceeds 65535 octets`);
  const octets = new Uint8Array(owner.length + 10 + record.rdata.length);
  octets.set(owner);
  const view = new DataView(octets.buffer, owner.length);
  view.setUint16(0, record.type);
  view.setUint16(2, record.class);
  view.setUint32(4, record.ttl);
  view.setUint16(8, record.rdata.length);
  octets.set(record.rdata, owner.length + 10);
  return octets;
}

function ownerWire(name: string): Uint8Array {
  try {
    return composeName(name);
  } catch (error) {
    if (error instanceof NameError) throw new MessageError(error.message, { cause: error });
    throw error;
  }
}
