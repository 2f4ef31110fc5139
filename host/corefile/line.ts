// The words of one directive, grouped into lines and blocks.

import { isSameLine, type Token } from './token.ts';

/** A line of words: the directive's own line, or a property in its block. */
export interface Line {
  /** The directive's or the property's word. */
  readonly word: Token;
  /** The other words of the line, up to `{`. */
  readonly args: readonly Token[];
  /** Lines of the block that the line opens; empty without one. */
  readonly properties: readonly Line[];
  /** The `{` that opens the block; a block may be empty. */
  readonly open?: Token | undefined;
}

/** No plugin needs more than two levels. */
const DEPTH_MAX = 16;

/** Makes the error that a misplaced word deserves. */
export type LineErrorMaker = (at: Token, text: string) => Error;

/**
 * Groups all words of one occurrence of a directive. A block opens on the line of its word and its `}` begins a line
 * (or follows `{` directly); the parser has made sure that braces match.
 */
export function groupLines(tokens: readonly Token[], errorAt: LineErrorMaker): Line {
  const lines = new LineReader(tokens, errorAt);
  const line = lines.line(0);
  lines.expectEnd();
  return line;
}

class LineReader {
  readonly #tokens: readonly Token[];
  readonly #errorAt: LineErrorMaker;
  #at = 0;

  constructor(tokens: readonly Token[], errorAt: LineErrorMaker) {
    this.#tokens = tokens;
    this.#errorAt = errorAt;
  }

  line(depth: number): Line {
    const word = this.#tokens[this.#at++]!;
    if (word.text === '{') throw this.#errorAt(word, "Unexpected token '{', expecting a property");
    const args: Token[] = [];
    for (;;) {
      const next = this.#nextOnLine();
      if (next === undefined) return { word, args, properties: [], open: undefined };
      this.#at++;
      if (next.text === '{') return { word, args, properties: this.#block(next, depth + 1), open: next };
      if (next.text === '}') throw this.#errorAt(next, "'}' must begin a line");
      args.push(next);
    }
  }

  expectEnd(): void {
    const next = this.#tokens[this.#at];
    if (next === undefined) return;
    if (next.text === '{') throw this.#errorAt(next, `'{' must stand on the line of '${this.#tokens[0]!.text}'`);
    throw this.#errorAt(next, `Unexpected token '${next.text}' behind '}'`);
  }

  /** Lines up to and including the closing brace. */
  #block(open: Token, depth: number): Line[] {
    if (depth > DEPTH_MAX) throw this.#errorAt(open, `'{' opens more than ${DEPTH_MAX} blocks inside each other`);
    const lines: Line[] = [];
    for (;;) {
      const next = this.#tokens[this.#at];
      if (next === undefined) throw this.#errorAt(open, "no closing brace for '{'");
      if (next.text === '}') {
        this.#at++;
        this.#expectLineEnd();
        return lines;
      }
      lines.push(this.line(depth));
    }
  }

  #expectLineEnd(): void {
    const next = this.#nextOnLine();
    if (next !== undefined) throw this.#errorAt(next, `Unexpected token '${next.text}' behind '}'`);
  }

  #nextOnLine(): Token | undefined {
    const next = this.#tokens[this.#at];
    return next !== undefined && isSameLine(this.#tokens[this.#at - 1]!, next) ? next : undefined;
  }
}
