// Compares a reply with what a case expects.

import { formatMessage, formatOpt, formatRecord, type Message, parseMessage, type RR } from '../e2e/support/message.ts';
import { addressOctets, formatAddress, lowerCase } from '../e2e/support/name.ts';
import { className, flagWords, rcodeName, typeName } from '../e2e/support/numbers.ts';
import type { Expected, ExpectedReply, Section } from './step.ts';

/** What the runner knows when the reply has come. */
export interface Circumstances {
  readonly sent: Uint8Array;
  /** Whole seconds that the case lasts longer than its waits: cached TTLs may be lower by so much. */
  readonly lateSeconds: number;
  /** CoreDNS's own reply: compression and size must be as told. Ours compresses always, and must not be larger. */
  readonly isExact: boolean;
  /** Lower-case words that stand as `$word` in an expectation. */
  readonly words: Readonly<Record<string, string>>;
}

/** The differences, one a line; none if the reply is as expected. */
export function checkReply(octets: Uint8Array | undefined, expected: Expected, about: Circumstances): string[] {
  if (octets === undefined) return expected === 'silence' ? [] : ['no reply'];
  let reply: Message;
  try {
    reply = parseMessage(octets);
  } catch (error) {
    return [`malformed reply: ${(error as Error).message}: ${Buffer.from(octets).toString('hex')}`];
  }
  if (expected === 'silence') return [`expected no reply, got ${formatMessage(reply)}`];
  const differences = [...checkHeader(reply, expected, about), ...checkQuestion(reply, expected, about)];
  for (const section of ['answer', 'authority', 'additional'] as const) {
    differences.push(...checkSection(section, reply, expected, about));
  }
  differences.push(...checkOpt(reply, expected));
  return differences.length === 0 ? [] : [...differences, 'in full:', formatMessage(reply)];
}

function checkHeader(reply: Message, expected: ExpectedReply, about: Circumstances): string[] {
  const id = (about.sent[0]! << 8) | about.sent[1]!;
  const facts: [string, unknown, unknown][] = [
    ['id', reply.id, id],
    ['rcode', rcodeName(reply.rcode), rcodeName(expected.rcode)],
    ['flags', flagWords(reply.flags).join(' '), flagWords(expected.flags).join(' ')],
    ['opcode', reply.opcode, expected.opcode],
    ['counts', reply.counts.join('/'), expected.counts.join('/')],
    ['trailing octets', reply.trailingBytes, 0],
  ];
  if (about.isExact) facts.push(['compression', reply.isCompressed, expected.isCompressed]);
  const bytes = reply.octets.length;
  const want = expected.bytes ?? bytes;
  if (about.isExact || bytes > want) facts.push(['octets', bytes, want]);
  return facts.filter(([, is, want]) => is !== want).map(([what, is, want]) => `${what}: expected ${want}, got ${is}`);
}

/** The question comes back octet by octet, unless the case says otherwise. */
function checkQuestion(reply: Message, expected: ExpectedReply, about: Circumstances): string[] {
  const question = reply.questions[0];
  if (question === undefined) return [];
  if (expected.question !== undefined) {
    const text = `${question.name} ${className(question.class)} ${typeName(question.type)}`;
    return text === expected.question ? [] : [`question: expected ${expected.question}, got ${text}`];
  }
  const end = 12 + questionBytes(reply.octets);
  const [is, want] = [reply.octets.subarray(12, end), about.sent.subarray(12, end)];
  return Buffer.compare(is, want) === 0 ? [] : [`question: not as sent: ${Buffer.from(is).toString('latin1')}`];
}

function questionBytes(octets: Uint8Array): number {
  let at = 12;
  while (octets[at] !== undefined && octets[at] !== 0) at += octets[at]! + 1;
  return at + 5 - 12;
}

function checkSection(section: Section, reply: Message, expected: ExpectedReply, about: Circumstances): string[] {
  const left = [...reply[section]];
  const missing: string[] = [];
  for (const text of expected.records[section]) {
    const [, count, pattern = ''] = /^(?:([0-9]+) of )?(.*)$/.exec(text)!;
    const patterns = expandRange(pattern);
    let foundCount = 0;
    for (const each of patterns) {
      const found = left.findIndex((record) => matches(record, each, reply, about));
      if (found >= 0) {
        left.splice(found, 1);
        foundCount++;
      } else if (count === undefined) missing.push(`${section}: missing ${each}`);
    }
    if (count !== undefined && foundCount !== Number(count)) missing.push(`${section}: ${foundCount} of ${pattern}`);
  }
  return [...missing, ...left.map((record) => `${section}: not expected: ${formatRecord(record)}`)];
}

/** `a{1..3}.b{1..3}` -> a1.b1, a2.b2, a3.b3. */
function expandRange(pattern: string): string[] {
  const [, first, last] = /\{([0-9]+)\.\.([0-9]+)\}/.exec(pattern) ?? [];
  if (first === undefined) return [pattern];
  const count = Number(last) - Number(first) + 1;
  return Array.from({ length: count }, (_, n) => pattern.replaceAll(/\{[0-9.]+\}/g, String(Number(first) + n)));
}

/** `OWNER TTL [CLASS] TYPE RDATA`; `=` is the question's name. */
function matches(record: RR, pattern: string, reply: Message, about: Circumstances): boolean {
  const filled = pattern.replace(/\$([a-z]+)/g, (whole, word: string) => about.words[word] ?? whole);
  const [owner = '', ttl = '', ...rest] = filled.split(' ');
  const rrClass = className(record.class);
  if (rest[0] === rrClass && record.class !== 1) rest.shift();
  else if (record.class !== 1) return false;
  const [type = '', ...rdata] = rest;
  const ownerText = owner === '=' ? (reply.questions[0]?.name ?? '') : owner;
  if (record.owner !== ownerText || type !== typeName(record.type)) return false;
  if (record.ttl > Number(ttl) || record.ttl < Number(ttl) - about.lateSeconds) return false;
  return sameRdata(record.rdata, rdata.join(' '), type);
}

function sameRdata(is: string, want: string, type: string): boolean {
  if (type === 'AAAA') return is === formatAddress(addressOctets(want));
  if (!/serial/i.test(want)) return is === want;
  return is.replace(/^(\S+ \S+) [0-9]+ /, '$1 SERIAL ') === want.replace('serial', 'SERIAL');
}

function checkOpt(reply: Message, expected: ExpectedReply): string[] {
  const texts = reply.opts.map((opt) => formatOpt(opt).slice('opt '.length));
  const want = expected.opt === undefined ? [] : [expandRepeats(expected.opt)];
  if (texts.join() === want.join()) return [];
  return [`opt: expected ${want.join() || 'none'}, got ${lowerCase(texts.join()) === '' ? 'none' : texts.join()}`];
}

/** `PADDING=00*464` in full. */
function expandRepeats(text: string): string {
  return text.replace(/([0-9a-f]{2})\*([0-9]+)/g, (_, hex: string, count: string) => hex.repeat(Number(count)));
}
