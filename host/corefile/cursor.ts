// The words of one directive in one server block, all its occurrences in file order, read one after the other. The
// rules are those of CoreDNS, odd ones included: only line ends and braces count, so that what stands where no plugin
// looks for it begins another occurrence.
//
//   log . {            next() -> log, restOfLine() -> [.], nextInBlock() -> class, restOfLine() -> [error]
//     class error
//   } {                nextInBlock() -> undefined, next() -> {
//   }                  next() -> }

import { isSameLine, type Token } from './token.ts';

export class Cursor {
  readonly #tokens: readonly Token[];
  #at = -1;
  #isInBlock = false;

  /** @param tokens at least one */
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** The first word of all. */
  get first(): Token {
    return this.#tokens[0]!;
  }

  rewind(): void {
    this.#at = -1;
    this.#isInBlock = false;
  }

  /** The next word, wherever it stands; undefined at the end. */
  next(): Token | undefined {
    return this.#at + 1 < this.#tokens.length ? this.#tokens[++this.#at] : undefined;
  }

  /** The next word if it stands on the same line; a brace is a word like others. */
  nextOnLine(): Token | undefined {
    const next = this.#tokens[this.#at + 1];
    return next !== undefined && isSameLine(this.#tokens[this.#at]!, next) ? this.next() : undefined;
  }

  /** The words up to the end of the line or to `{`, which is not taken. */
  restOfLine(): Token[] {
    const words: Token[] = [];
    for (let word = this.nextOnLine(); word !== undefined; word = this.nextOnLine()) {
      if (word.text === '{') {
        this.#at--;
        break;
      }
      words.push(word);
    }
    return words;
  }

  /**
   * The next word inside the block, the first time the one behind a `{` on the same line. Undefined: there is no block,
   * or it has ended. The first `}` that stands here ends it, so blocks do not nest.
   */
  nextInBlock(): Token | undefined {
    if (!this.#isInBlock) {
      const open = this.nextOnLine();
      if (open !== undefined && open.text !== '{') this.#at--;
      if (open?.text !== '{') return undefined;
    }
    const word = this.next();
    // Behind the last word of all CoreDNS stays inside: nobody asks again.
    if (word === undefined) return undefined;
    this.#isInBlock = word.text !== '}';
    return this.#isInBlock ? word : undefined;
  }
}

/** A word that begins something, an occurrence or a property, and what stands behind it. */
export class Line {
  readonly word: Token;
  readonly #cursor: Cursor;
  #args: readonly Token[] | undefined;

  constructor(word: Token, cursor: Cursor) {
    this.word = word;
    this.#cursor = cursor;
  }

  /**
   * The other words of the line, up to `{`. They are taken when somebody first asks for them: words that nobody asks
   * for are read like properties of their own.
   */
  get args(): readonly Token[] {
    this.#args ??= this.#cursor.restOfLine();
    return this.#args;
  }
}
