// Compares two replies to one query by meaning: what a client could tell them apart by, and nothing else.

import { formatOpt, formatRecord, type Message, parseMessage, type RR, recordKey } from './message.ts';
import { lowerCase } from './name.ts';
import { className, FLAGS, flagWords, rcodeName, TYPES, typeName } from './numbers.ts';

export interface Comparison {
  /** One line each; none if both replies mean the same. */
  readonly differences: readonly string[];
  /** Differences that no client may rely on, counted for information. */
  readonly notes: readonly ('size' | 'spelling' | 'compression')[];
}

/**
 * What is defined about the order of a section: `sequence` all of it, `shuffled` all but which address or mail exchange
 * stands where (plugin loadbalance), `kinds` only how the types follow each other (Kubernetes lists its objects in any
 * order).
 */
export type RecordOrder = 'sequence' | 'shuffled' | 'kinds';

export interface CompareOptions {
  /** By how much TTLs may differ: answers that count down are asked at two moments. */
  readonly ttlSlackSeconds: number;
  /** Nothing is compared when it is left out. */
  readonly order?: RecordOrder;
}

export function compareReplies(
  left: Uint8Array | undefined,
  right: Uint8Array | undefined,
  options: CompareOptions,
): Comparison {
  if (left === undefined || right === undefined) {
    const differences = left === right ? [] : [`reply: ${presence(left)} / ${presence(right)}`];
    return { differences, notes: [] };
  }
  if (Buffer.compare(left, right) === 0) return { differences: [], notes: [] };
  const [a, b] = [parseOrError(left), parseOrError(right)];
  if (typeof a === 'string' || typeof b === 'string') {
    const show = (parsed: Message | string) => (typeof parsed === 'string' ? parsed : 'well-formed');
    return { differences: [`form: ${show(a)} / ${show(b)}`], notes: [] };
  }
  return { differences: compareMessages(a, b, options), notes: notesOf(a, b) };
}

function presence(reply: Uint8Array | undefined): string {
  return reply === undefined ? 'none' : `${reply.length} octets`;
}

function parseOrError(octets: Uint8Array): Message | string {
  try {
    return parseMessage(octets);
  } catch (error) {
    return `malformed (${(error as Error).message})`;
  }
}

function compareMessages(a: Message, b: Message, options: CompareOptions): string[] {
  const differences: string[] = [];
  const check = (what: string, left: unknown, right: unknown) => {
    if (left !== right) differences.push(`${what}: ${left} / ${right}`);
  };
  check('id', a.id, b.id);
  check('opcode', a.opcode, b.opcode);
  check('rcode', rcodeName(a.rcode), rcodeName(b.rcode));
  check('flags', flagWords(a.flags).join(' '), flagWords(b.flags).join(' '));
  check('question', questionText(a), questionText(b));
  check('opt', optText(a), optText(b));
  check('trailing octets', a.trailingBytes, b.trailingBytes);
  const areCut = (a.flags & b.flags & FLAGS['tc']!) !== 0;
  for (const section of ['answer', 'authority', 'additional'] as const) {
    if (areCut) check(`size of the truncated ${section} section`, a[section].length, b[section].length);
    else differences.push(...compareSections(section, a[section], b[section], options));
  }
  return differences;
}

/** The question in its own spelling: clients check it octet by octet. */
function questionText(message: Message): string {
  return message.questions.map((q) => `${q.name} ${className(q.class)} ${typeName(q.type)}`).join(', ');
}

/** Without its place: an OPT may stand anywhere in the additional section (RFC 6891 §6.1.1). */
function optText(message: Message): string {
  return message.opts.map((opt) => formatOpt(opt).replace(' (not last)', '')).join(', ');
}

function compareSections(
  section: string,
  left: readonly RR[],
  right: readonly RR[],
  { ttlSlackSeconds, order }: CompareOptions,
): string[] {
  const [a, b] = [withoutPort(left), withoutPort(right)];
  const differences = compareSets(section, a, b, ttlSlackSeconds);
  if (differences.length > 0 || order === undefined) return differences;
  const [before, after] = [a, b].map((records) => records.map((record) => placeKey(record, order)).join(', '));
  return before === after ? [] : [`order of the ${section} section: ${before} / ${after}`];
}

/** What must stand at a record's place. */
function placeKey(record: RR, order: RecordOrder): string {
  const type = typeName(record.type);
  if (order === 'sequence') return recordKey(record);
  const isAddress = type === 'A' || type === 'AAAA';
  if (isAddress || type === 'MX' || order === 'kinds') return isAddress ? 'address' : type;
  return recordKey(record);
}

/**
 * whoami's SRV records name the port of the client, or of the one before it when a cache has kept them. A rule may have
 * given them another owner.
 */
function withoutPort(records: readonly RR[]): readonly RR[] {
  return records.map((record) => {
    if (record.type !== TYPES['SRV']) return record;
    return { ...record, rdata: record.rdata.replace(/^0 0 [0-9]{4,5} \.$/, '0 0 PORT .') };
  });
}

/** Multisets: a record that stands twice on one side must on the other. */
function compareSets(section: string, left: readonly RR[], right: readonly RR[], ttlSlackSeconds: number): string[] {
  const differences: string[] = [];
  const byKey = new Map<string, RR[]>();
  for (const record of right) {
    const key = recordKey(record);
    byKey.set(key, [...(byKey.get(key) ?? []), record]);
  }
  for (const record of left) {
    const other = byKey.get(recordKey(record))?.pop();
    if (other === undefined) differences.push(`${section}: only on the left: ${formatRecord(record)}`);
    else if (Math.abs(other.ttl - record.ttl) > ttlSlackSeconds) {
      differences.push(`${section}: TTL ${record.ttl} / ${other.ttl} of ${formatRecord(record)}`);
    }
  }
  for (const record of [...byKey.values()].flat()) {
    differences.push(`${section}: only on the right: ${formatRecord(record)}`);
  }
  return differences;
}

function notesOf(a: Message, b: Message): ('size' | 'spelling' | 'compression')[] {
  const notes: ('size' | 'spelling' | 'compression')[] = [];
  if (a.octets.length !== b.octets.length) notes.push('size');
  if (a.isCompressed !== b.isCompressed) notes.push('compression');
  const owners = (message: Message) =>
    [...message.answer, ...message.authority, ...message.additional].map((record) => record.owner);
  const seen = new Set(owners(a));
  const isSpeltAnew = owners(b).some(
    (owner) => !seen.has(owner) && owners(a).some((other) => isSameName(owner, other)),
  );
  if (isSpeltAnew) notes.push('spelling');
  return notes;
}

function isSameName(left: string, right: string): boolean {
  return lowerCase(left) === lowerCase(right);
}
