// The steps inside a case: questions, what is expected, waits, what the upstream must have seen.

import { parseLabels, wireName } from '../e2e/support/name.ts';
import { classNumber, FLAGS, OPTIONS, RCODES, typeNumber } from '../e2e/support/numbers.ts';
import { composeQuery, type Edns } from '../e2e/support/query.ts';

export type Transport = 'udp' | 'tcp' | 'udp6';

export interface Ask {
  readonly kind: 'ask';
  readonly place: string;
  readonly text: string;
  /** Octets of a message; of a raw TCP stream when `isStream`. */
  readonly octets: Uint8Array;
  readonly isStream: boolean;
  /** Undefined: the transport of the run. */
  readonly transport: Transport | undefined;
  /** Names that the message asks for, for the upstream's record and the check that cases do not share names. */
  readonly names: readonly string[];
  /** One for a message; any number for a stream. */
  readonly expected: readonly Expected[];
  /** Streams only: seconds after which the server closes the connection, or 'open'. */
  readonly closing?: number | 'open';
}
export interface Wait {
  readonly kind: 'wait';
  readonly seconds: number;
}
export interface SeenStep {
  readonly kind: 'seen';
  readonly place: string;
  /** Each line as Upstream.seen has it; `udp`/`tcp` may be left out when it is the client's transport. */
  readonly texts: readonly string[];
}
export type Step = Ask | Wait | SeenStep;

/** `silence`, or a reply. */
export type Expected = 'silence' | ExpectedReply;
export interface ExpectedReply {
  readonly rcode: number;
  readonly flags: number;
  readonly opcode: number;
  /** QD/AN/NS/AR of the header. */
  readonly counts: readonly number[];
  readonly bytes: number | undefined;
  readonly isCompressed: boolean;
  readonly records: { readonly [section in Section]: readonly string[] };
  readonly opt: string | undefined;
  /** `NAME CLASS TYPE` when it is not the question that was sent. */
  readonly question: string | undefined;
}
export type Section = 'answer' | 'authority' | 'additional';

interface Line {
  readonly place: string;
  readonly text: string;
}
type Fail = (place: string, what: string) => never;

interface Draft {
  asks: Line[];
  expected: Expected[];
  closing?: number | 'open';
}

export function parseSteps(lines: readonly Line[], fail: Fail): Step[] {
  const steps: Step[] = [];
  let draft: Draft | undefined;
  const finish = () => {
    for (const line of draft?.asks ?? []) steps.push(completeAsk(line, draft!, fail));
    draft = undefined;
  };
  for (const line of lines) {
    const [word = '', ...rest] = line.text.split(/\s+/);
    const text = rest.join(' ');
    if (word === '>') {
      if (draft !== undefined && draft.expected.length > 0) finish();
      draft ??= { asks: [], expected: [] };
      draft.asks.push({ place: line.place, text });
    } else if (word === '<') {
      if (draft === undefined) fail(line.place, "'<' without a question");
      else expectLine(draft, { place: line.place, text }, fail);
    } else if (word === 'wait' && /^[0-9.]+s$/.test(text)) {
      finish();
      steps.push({ kind: 'wait', seconds: Number.parseFloat(text) });
    } else if (word === 'upstream') {
      finish();
      const texts = text === 'nothing' ? [] : [text];
      const last = steps.at(-1);
      if (last?.kind === 'seen') steps.splice(-1, 1, { ...last, texts: [...last.texts, ...texts] });
      else steps.push({ kind: 'seen', place: line.place, texts });
    } else {
      detailLine(draft?.expected.at(-1), word, text, () => fail(line.place, `unknown line '${line.text}'`));
    }
  }
  finish();
  return steps;
}

function completeAsk(line: Line, draft: Draft, fail: Fail): Ask {
  if (draft.expected.length === 0 && draft.closing === undefined) fail(line.place, 'nothing is expected');
  const ask = parseAsk(line, fail);
  if (!ask.isStream && draft.expected.length !== 1) fail(line.place, 'a question has exactly one reply');
  const closing = draft.closing === undefined ? {} : { closing: draft.closing };
  return { ...ask, expected: draft.expected, ...closing };
}

function expectLine(draft: Draft, line: Line, fail: Fail): void {
  const closing = /^(?:closed ([0-9.]+)s|(open))$/.exec(line.text);
  if (closing !== null) draft.closing = closing[2] === undefined ? Number(closing[1]) : 'open';
  else draft.expected.push(line.text === 'silence' ? 'silence' : parseReply(line, fail));
}

/** `NOERROR qr aa rd 1/1/0/0 86 compressed opcode=4` */
function parseReply(line: Line, fail: Fail): ExpectedReply {
  const [rcodeWord = '', ...words] = line.text.split(' ');
  const rcode = RCODES[rcodeWord] ?? fail(line.place, `unknown rcode '${rcodeWord}'`);
  let [flags, opcode, isCompressed] = [0, 0, false];
  let counts: number[] | undefined;
  let bytes: number | undefined;
  for (const word of words) {
    if (FLAGS[word] !== undefined) flags |= FLAGS[word];
    else if (/^[0-9]+(\/[0-9]+){3}$/.test(word)) counts = word.split('/').map(Number);
    else if (/^[0-9]+$/.test(word)) bytes = Number(word);
    else if (word === 'compressed') isCompressed = true;
    else if (/^opcode=[0-9]+$/.test(word)) opcode = Number(word.slice(7));
    else fail(line.place, `unknown word '${word}' in the reply`);
  }
  const records = { answer: [], authority: [], additional: [] };
  if (counts === undefined) return fail(line.place, 'the counts are missing');
  return { rcode, flags, opcode, counts, bytes, isCompressed, records, opt: undefined, question: undefined };
}

function detailLine(expected: Expected | undefined, word: string, text: string, fail: () => never): void {
  if (expected === undefined || expected === 'silence') {
    fail();
    return;
  }
  const draft = expected as { -readonly [key in keyof ExpectedReply]: ExpectedReply[key] };
  if (word === 'answer' || word === 'authority' || word === 'additional') {
    (draft.records[word] as string[]).push(text);
  } else if (word === 'opt') draft.opt = text;
  else if (word === 'question') draft.question = text;
  else fail();
}

/** The question of a `>` line, without what is expected. */
export function parseAsk(line: Line, fail: Fail): Omit<Ask, 'expected'> {
  const words = line.text.split(' ');
  const head = { kind: 'ask', place: line.place, text: line.text } as const;
  if (words[0] === 'hex' || words[0] === 'stream') {
    const names: string[] = [];
    const last = words.at(-1)!;
    const transport = isTransport(last) ? last : undefined;
    const tokens = words.slice(1, transport === undefined ? undefined : -1);
    const octets = parseOctets(tokens, names, (what) => fail(line.place, what));
    const isStream = words[0] === 'stream';
    return { ...head, octets, isStream, transport: isStream ? 'tcp' : transport, names };
  }
  return { ...head, ...parseQuestion(line, words, fail), isStream: false };
}

function parseQuestion(line: Line, words: readonly string[], fail: Fail) {
  const [name = '', typeWord = '', ...rest] = words;
  const type = typeNumber(typeWord) ?? fail(line.place, `unknown type '${typeWord}'`);
  if (parseLabels(name).some((label) => label.length > 63)) fail(line.place, 'a label is longer than 63 octets');
  let [rrClass, opcode, flags] = [1, 0, 0];
  let transport: Transport | undefined;
  let edns: Edns | undefined;
  for (const word of rest) {
    const [key = '', value] = word.split('=');
    if (FLAGS[word] !== undefined) flags |= FLAGS[word];
    else if (isTransport(word)) transport = word;
    else if (key === 'opcode') opcode = Number(value);
    else if (classNumber(word) !== undefined) rrClass = classNumber(word)!;
    else edns = ednsWord(edns, key, value) ?? fail(line.place, `unknown word '${word}'`);
  }
  const octets = composeQuery({ name, type, class: rrClass, opcode, flags, ...(edns === undefined ? {} : { edns }) });
  return { octets, transport, names: [name.endsWith('.') ? name : `${name}.`] };
}

function ednsWord(edns: Edns | undefined, key: string, value: string | undefined): Edns | undefined {
  if (key === 'edns') return { size: Number(value) };
  if (edns === undefined) return undefined;
  if (key === 'do') return { ...edns, isDo: true };
  if (key === 'version') return { ...edns, version: Number(value) };
  if (key === 'z') return { ...edns, z: Number.parseInt(value ?? '', 16) };
  const code = OPTIONS[key] ?? Number(/^option([0-9]+)$/.exec(key)?.[1]);
  if (value === undefined || Number.isNaN(code)) return undefined;
  return { ...edns, options: [...(edns.options ?? []), { code, octets: repeatedHex(value) }] };
}

/** Tokens: hex, `00*464`, `{name}` in wire form, `[ ... ]` with the length of RFC 1035 §4.2.2 before it. */
function parseOctets(tokens: readonly string[], names: string[], fail: (what: string) => never): Uint8Array {
  const stack: Uint8Array[][] = [[]];
  for (const token of tokens) {
    if (token === '[') stack.push([]);
    else if (token === ']') {
      const body = Buffer.concat(stack.pop()!);
      stack.at(-1)!.push(Uint8Array.of(body.length >> 8, body.length & 0xff), body);
    } else if (/^\{.+\}$/.test(token)) {
      const name = token.slice(1, -1);
      names.push(name.endsWith('.') ? name : `${name}.`);
      stack.at(-1)!.push(wireName(name));
    } else if (/^([0-9a-f]{2})+(\*[0-9]+)?$/.test(token)) stack.at(-1)!.push(repeatedHex(token));
    else fail(`unknown octets '${token}'`);
  }
  if (stack.length !== 1) fail("'[' and ']' do not match");
  return Buffer.concat(stack[0]!);
}

function repeatedHex(token: string): Uint8Array {
  const [hex = '', count] = token.split('*');
  return Buffer.from(hex.repeat(Number(count ?? 1)), 'hex');
}

function isTransport(word: string): word is Transport {
  return word === 'udp' || word === 'tcp' || word === 'udp6';
}
