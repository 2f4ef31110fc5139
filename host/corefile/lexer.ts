// Text of a Corefile -> words. The rules, odd ones included, are those of CoreDNS's Corefile:
//   - Unicode white space separates words; CR vanishes outside quotes, even inside a word
//   - a word that starts with `"` runs to the next `"` that has no backslash before it, over line ends; inside, `\"` is
//     a quote and every other backslash is itself; without a closing quote it runs to the end of the file
//   - `#` begins a comment up to the end of the line. Glued to a word (`foo#bar baz`) it only ends that word, and
//     comments out what is glued to it: the next word on the line counts again
//   - braces are words like others

import type { Token } from './token.ts';

/** Words of one file. Never fails; a text of n characters gives at most n words and takes one pass. */
export function lex(text: string, file: string, isImported = false): Token[] {
  const lexer = new Lexer(text, file, isImported);
  const tokens: Token[] = [];
  for (let token = lexer.next(); token !== undefined; token = lexer.next()) tokens.push(token);
  return tokens;
}

const BYTE_ORDER_MARK = 0xfeff;
const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const HASH = 0x23;
const BACKSLASH = 0x5c;

class Lexer {
  readonly #text: string;
  readonly #file: string;
  readonly #isImported: boolean;
  #at: number;
  #line = 1;

  constructor(text: string, file: string, isImported: boolean) {
    this.#text = text;
    this.#file = file;
    this.#isImported = isImported;
    this.#at = text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0;
  }

  next(): Token | undefined {
    this.#skipBetweenWords();
    if (this.#at >= this.#text.length) return undefined;
    const line = this.#line;
    if (this.#text.charCodeAt(this.#at) !== QUOTE) return this.#token(this.#bareWord(), line);
    const word = this.#quotedWord();
    return word === undefined ? undefined : this.#token(word, line);
  }

  /** White space and comments that stand by themselves. */
  #skipBetweenWords(): void {
    let inComment = false;
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === LF) {
        this.#line++;
        inComment = false;
      } else if (code === HASH) inComment = true;
      else if (!inComment && !isSpace(code)) return;
    }
  }

  /** Leaves the cursor on the white space behind the word. */
  #bareWord(): string {
    let word = '';
    let runAt = this.#at;
    let inComment = false;
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === CR || (code === HASH && !inComment)) {
        if (!inComment) word += this.#text.slice(runAt, this.#at);
        runAt = this.#at + 1;
        inComment ||= code === HASH;
      } else if (isSpace(code)) break;
    }
    return inComment ? word : word + this.#text.slice(runAt, this.#at);
  }

  /** Undefined: nothing but the opening quote before the end of the file. */
  #quotedWord(): string | undefined {
    const start = ++this.#at;
    let end = start;
    for (; end < this.#text.length; end++) {
      const code = this.#text.charCodeAt(end);
      if (code === QUOTE) break;
      if (code === BACKSLASH) end++;
    }
    const isClosed = end < this.#text.length;
    const body = this.#text.slice(start, end);
    this.#at = isClosed ? end + 1 : this.#text.length;
    for (let at = body.indexOf('\n'); at >= 0; at = body.indexOf('\n', at + 1)) this.#line++;
    // A backslash as the very last character of the file escapes nothing and is dropped.
    const isDangling = end > this.#text.length;
    const word = (isDangling ? body.slice(0, -1) : body).replaceAll('\\"', '"');
    return !isClosed && word === '' ? undefined : word;
  }

  #token(text: string, line: number): Token {
    return { text, raw: text, file: this.#file, line, isImported: this.#isImported };
  }
}

/** Unicode White_Space, as Go's unicode.IsSpace. All of it lies in the basic plane. */
function isSpace(code: number): boolean {
  if (code <= 0x20) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  if (code < 0x85) return false;
  return SPACES_ABOVE_ASCII.has(code);
}

const SPACES_ABOVE_ASCII: ReadonlySet<number> = new Set([
  0x85, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x2028,
  0x2029, 0x202f, 0x205f, 0x3000,
]);
