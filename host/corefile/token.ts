// One word of a Corefile and the errors that point at it.

import { CorefileError } from '../errors.ts';

export interface Token {
  /** Without quotes and with environment variables replaced. */
  readonly text: string;
  /** As written in the file; the configuration's hash is over this. */
  readonly raw: string;
  /** Path as the user gave it; imported files: absolute. */
  readonly file: string;
  /** From 1; of the first character. */
  readonly line: number;
  /** True for words of an imported file. */
  readonly isImported: boolean;
}

/** Line of the token's last character: a quoted word may span lines. */
export function lastLine(token: Token): number {
  return token.line + countLineBreaks(token.text);
}

/** True when `next` follows `previous` on the same line of the same file. */
export function isSameLine(previous: Token, next: Token): boolean {
  return previous.file === next.file && lastLine(previous) === next.line;
}

/** `FILE:LINE - Error during parsing: TEXT` */
export function parsingError(at: Token, text: string): CorefileError {
  return new CorefileError(`${at.file}:${at.line} - Error during parsing: ${text}`, placeOf(at));
}

/** `FILE:LINE - Syntax error: Unexpected token 'WORD', expecting 'EXPECTED'` */
export function syntaxError(at: Token, expected: string): CorefileError {
  return new CorefileError(
    `${at.file}:${at.line} - Syntax error: Unexpected token '${at.text}', expecting '${expected}'`,
    placeOf(at),
  );
}

export function placeOf(token: Token): { file: string; line: number; word: string } {
  return { file: token.file, line: token.line, word: token.text };
}

function countLineBreaks(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++;
  return count;
}
