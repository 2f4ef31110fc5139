/**
 * A query file: one question a line, `NAME TYPE [RCODE [ANSWERS]]`, `;` starts a comment line. RCODE is a mnemonic
 * (default NOERROR), ANSWERS the exact count of RRs in the answer section, or `*` (default) where only the rcode
 * matters. A first label of ten `#` becomes a fresh number for each query, so that no cache can know the answer.
 */
import { readFileSync } from 'node:fs';

export interface Question {
  readonly qname: string;
  readonly qtype: number;
  readonly rcode: number;
  /** ANY_COUNT where the number of answers does not matter. */
  readonly answers: number;
  readonly isFresh: boolean;
  /** Header and question, id 0, RD set: what goes on the wire. */
  readonly message: Uint8Array;
}

export const ANY_COUNT = 0xffff;
export const HEADER_BYTES = 12;
export const FRESH_LABEL = '##########';
/** Offset of the first digit of a fresh label in the message: header, then the label's length octet. */
export const FRESH_OFFSET = HEADER_BYTES + 1;

const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
};
const RCODES: Readonly<Record<string, number>> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
};

/** @throws Error naming the line, when a line is not a question or the file holds none */
export function parseQuestions(text: string, file: string): Question[] {
  const questions: Question[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.trim().split(/\s+/);
    if (words[0] === '' || words[0]?.startsWith(';')) continue;
    questions.push(parseLine(words, `${file}:${index + 1}`));
  }
  if (questions.length === 0) throw new Error(`${file}: holds no question`);
  return questions;
}

export function readQuestions(file: string): Question[] {
  return parseQuestions(readFileSync(file, 'utf8'), file);
}

function parseLine(words: readonly string[], place: string): Question {
  const [qname = '', typeWord = '', rcodeWord = 'NOERROR', answersWord = '*'] = words;
  if (words.length > 4) throw new Error(`${place}: unexpected "${words[4]}"`);
  const qtype = TYPES[typeWord];
  if (qtype === undefined) throw new Error(`${place}: unknown type "${typeWord}"`);
  const rcode = RCODES[rcodeWord];
  if (rcode === undefined) throw new Error(`${place}: unknown rcode "${rcodeWord}"`);
  const answers = answersWord === '*' ? ANY_COUNT : Number(answersWord);
  if (!Number.isInteger(answers) || answers < 0 || answers > ANY_COUNT) {
    throw new Error(`${place}: expected a count of answers, got "${answersWord}"`);
  }
  const isFresh = qname.startsWith(`${FRESH_LABEL}.`);
  return { qname, qtype, rcode, answers, isFresh, message: composeQuestion(qname, qtype, place) };
}

function composeQuestion(qname: string, qtype: number, place: string): Uint8Array {
  const labels = qname.replace(/\.$/, '').split('.');
  const isRoot = qname === '.';
  const octets: number[] = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  for (const label of isRoot ? [] : labels) {
    if (label.length === 0 || label.length > 63) throw new Error(`${place}: bad label "${label}"`);
    octets.push(label.length, ...Buffer.from(label, 'latin1'));
  }
  octets.push(0);
  if (octets.length - HEADER_BYTES > 255) throw new Error(`${place}: name is longer than 255 octets`);
  octets.push(qtype >> 8, qtype & 255, 0, 1);
  return Uint8Array.from(octets);
}
