// Regular expressions of plugins: Go's syntax and Go's linear time (re2js), so that neither a name nor an upstream's
// error text can hold a shard up. As in Go several groups may bear the same name, which re2js refuses.

import { RE2JS } from 're2js';

/** CoreDNS's bound on the length of an expression. */
export const EXPRESSION_BYTES_MAX = 10_000;

export interface Expression {
  readonly regex: RE2JS;
  /** Names of the groups, '' without one; the whole match first. */
  readonly names: readonly string[];
}

/** Throws re2js's error, in Go's words. */
export function compileExpression(pattern: string): Expression {
  const names = [''];
  let source = '';
  for (let at = 0; at < pattern.length; ) {
    const group = /^\((?!\?)|^\(\?P?<(\w+)>/.exec(pattern.slice(at));
    const end = at + (group === null ? partBytes(pattern, at) : group[0].length);
    const name = group?.[1] ?? '';
    const isRepeated = name !== '' && names.includes(name);
    source += isRepeated ? '(' : pattern.slice(at, end);
    if (group !== null) names.push(name);
    at = end;
  }
  return { regex: RE2JS.compile(source), names };
}

/** Length of what may hold a parenthesis that opens no group: an escape, a quotation, a class; otherwise 1. */
function partBytes(pattern: string, at: number): number {
  if (pattern.startsWith('\\Q', at)) {
    const end = pattern.indexOf('\\E', at);
    return (end < 0 ? pattern.length : end + 2) - at;
  }
  if (pattern[at] === '\\') return 2;
  if (pattern[at] !== '[') return 1;
  return /^\[\^?\]?(?:\[:\^?\w+:\]|\\[\s\S]|[^\]\\])*\]?/.exec(pattern.slice(at))![0].length;
}
