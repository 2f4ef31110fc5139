/**
 * What came back. A reply counts as right only when its id is outstanding on that socket, it is a whole response
 * with the rcode and the number of answers the query file promises, and (each SAMPLE_EVERYth) it repeats the
 * question that was asked. Everything else is wrong and no throughput.
 */
import { ANY_COUNT, HEADER_BYTES, type Question } from './questions.ts';

/** One reply in this many has its whole question section compared. */
const SAMPLE_EVERY = 16;
const QR = 0x80;
const TC = 0x02;

export class Tally {
  right = 0;
  wrong = 0;
  /** Replies whose id is not outstanding: late, twice, or never asked. */
  stray = 0;
  received = 0;
  firstWrong = '';
  readonly rcodes = new Float64Array(16);
  readonly #questions: readonly Question[];
  readonly #rcode: Uint8Array;
  readonly #answers: Uint16Array;
  readonly #mayTruncate: boolean;

  /** `isEcho`: the other side is the echo, which sets QR and adds nothing. */
  constructor(questions: readonly Question[], isEcho: boolean) {
    this.#questions = questions;
    this.#rcode = Uint8Array.from(questions, (question) => (isEcho ? 0 : question.rcode));
    this.#answers = Uint16Array.from(questions, (question) => (isEcho ? 0 : question.answers));
    this.#mayTruncate = isEcho;
  }

  reset(): void {
    this.right = 0;
    this.wrong = 0;
    this.stray = 0;
    this.received = 0;
    this.firstWrong = '';
    this.rcodes.fill(0);
  }

  countStray(): void {
    this.received++;
    this.stray++;
  }

  /** `at`: offset of the reply's header in `octets`; `index`: the question that its id stands for. */
  count(octets: Uint8Array, at: number, bytes: number, index: number): boolean {
    this.received++;
    const flags = octets[at + 2]!;
    const rcode = octets[at + 3]! & 15;
    this.rcodes[rcode]!++;
    const answers = (octets[at + 6]! << 8) | octets[at + 7]!;
    const expected = this.#answers[index]!;
    if (
      bytes < HEADER_BYTES ||
      (flags & QR) === 0 ||
      ((flags & TC) !== 0 && !this.#mayTruncate) ||
      rcode !== this.#rcode[index] ||
      (expected !== ANY_COUNT && answers !== expected) ||
      (this.received % SAMPLE_EVERY === 0 && !this.#repeatsQuestion(octets, at, bytes, index))
    ) {
      this.wrong++;
      if (this.firstWrong === '') this.firstWrong = this.#describe(octets, at, bytes, index);
      return false;
    }
    this.right++;
    return true;
  }

  /** Letter case must come back as sent; the digits of a fresh label are the sender's business and skipped. */
  #repeatsQuestion(octets: Uint8Array, at: number, bytes: number, index: number): boolean {
    const { message, isFresh } = this.#questions[index]!;
    if (bytes < message.length) return false;
    for (let offset = HEADER_BYTES + (isFresh ? 11 : 0); offset < message.length; offset++) {
      if (octets[at + offset] !== message[offset]) return false;
    }
    return true;
  }

  #describe(octets: Uint8Array, at: number, bytes: number, index: number): string {
    const question = this.#questions[index]!;
    const flags = ((octets[at + 2]! << 8) | octets[at + 3]!).toString(16).padStart(4, '0');
    const answers = (octets[at + 6]! << 8) | octets[at + 7]!;
    const expected = question.answers === ANY_COUNT ? 'any' : question.answers;
    return (
      `${question.qname} type ${question.qtype}: flags ${flags}, ${answers} answers, ${bytes} octets; ` +
      `expected rcode ${question.rcode}, ${expected} answers`
    );
  }
}
