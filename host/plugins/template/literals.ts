// What a regular expression must begin or end with, as far as it can be told safely: the engine then passes names by
// that no expression of a rule can match.
//
//   ^ip-\d+[.]example[.]$   prefix `ip-`, suffix `.example.`

import type { NameLiteral } from '../../plugin/contract.ts';

/** One literal for each expression, or undefined when some expression has none. */
export function literalsOf(patterns: readonly string[]): readonly NameLiteral[] | undefined {
  const literals: NameLiteral[] = [];
  for (const pattern of patterns) {
    const literal = literalOf(pattern);
    if (literal === undefined) return undefined;
    literals.push(literal);
  }
  return literals;
}

export function literalOf(pattern: string): NameLiteral | undefined {
  const atoms = atomsOf(pattern);
  if (atoms === undefined) return undefined;
  let prefix = '';
  if (atoms[0] === '^') {
    for (let i = 1; typeof atoms[i] === 'string' && atoms[i]!.length === 1 && !isAnchor(atoms[i]!); i++) {
      prefix += atoms[i];
    }
  }
  let suffix = '';
  if (atoms.at(-1) === '$') {
    for (let i = atoms.length - 2; i >= 0 && atoms[i]!.length === 1 && !isAnchor(atoms[i]!); i--) {
      suffix = atoms[i] + suffix;
    }
  }
  return prefix === '' && suffix === '' ? undefined : { prefix, suffix };
}

function isAnchor(atom: string): boolean {
  return atom === '^' || atom === '$';
}

/** Anything that is not one literal character, once. */
const OTHER = 'other';

/**
 * The parts of an expression one after the other: `^`, `$`, literal characters of host names and dots, OTHER for all
 * else. undefined for an expression with alternatives or flags, or anything unusual.
 */
function atomsOf(pattern: string): string[] | undefined {
  const atoms: string[] = [];
  for (let at = 0; at < pattern.length; ) {
    const rest = pattern.slice(at);
    const end = atomEnd(rest);
    if (end === undefined) return undefined;
    const quantifier = /^(?:[*+?]\??|\{\d+(?:,\d*)?\}\??)+/.exec(rest.slice(end))?.[0] ?? '';
    atoms.push(quantifier === '' ? atomOf(rest.slice(0, end)) : OTHER);
    at += end + quantifier.length;
  }
  return atoms;
}

function atomOf(source: string): string {
  if (source === '[.]' || source === '\\.') return '.';
  return /^[a-z0-9_^$-]$/.test(source) ? source : OTHER;
}

/** Length of the first atom without its quantifier. */
function atomEnd(rest: string): number | undefined {
  if (rest[0] === '\\') return /^\\(?:\.|[dDwWsS-])/.test(rest) ? 2 : undefined;
  if (rest[0] === '[') return /^\[\^?[a-z0-9._-]+\]/.exec(rest)?.[0].length;
  if (rest[0] === '(') return groupEnd(rest);
  return /^[a-z0-9_^$.-]/.test(rest) ? 1 : undefined;
}

/** Groups of simple content: nothing inside that could end them otherwise. */
function groupEnd(rest: string): number | undefined {
  return /^\((?:\?:|\?P?<\w+>)?(?!\?)(?:[^()[\]\\?]|\?(?!<)|\[\^?[a-z0-9._-]+\]|\\[.dDwWsS-])*\)/.exec(rest)?.[0]
    .length;
}
