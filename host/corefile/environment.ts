// `{$NAME}` and `{%NAME%}` in a Corefile's words.

import { parsingError, type Token } from './token.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A value may itself hold references; these bounds end values that refer to themselves. */
const REPLACEMENTS_MAX = 1000;
const WORD_CHARACTERS_MAX = 65536;

/** The token with all references replaced; an unset variable is empty, `{$}` and `{%%}` stay as they are. */
export function replaceEnvironment(token: Token, environment: Environment): Token {
  if (!token.raw.includes('{')) return token;
  const half = replaceReferences(token, token.raw, '{%', '%}', environment);
  return { ...token, text: replaceReferences(token, half, '{$', '}', environment) };
}

function replaceReferences(token: Token, text: string, open: string, close: string, environment: Environment): string {
  let replaced = text;
  for (let count = 0; ; count++) {
    const start = replaced.indexOf(open);
    const end = start < 0 ? -1 : replaced.indexOf(close, start);
    if (end < 0) return replaced;
    const name = replaced.slice(start + open.length, end);
    if (end <= start + open.length) return replaced;
    if (count >= REPLACEMENTS_MAX || replaced.length > WORD_CHARACTERS_MAX) {
      throw parsingError(token, `environment variable '${name}' does not stop expanding`);
    }
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    replaced = replaced.replaceAll(open + name + close, () => value ?? '');
  }
}
