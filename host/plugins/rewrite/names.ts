// Matching and replacing texts of names.

import { compilePattern, fillGroups, groupsOf, type Pattern } from './pattern.ts';
import type { NameMatch } from './rules.ts';

/** The text that takes the name's place, or undefined: no match. */
export type Replace = (name: string) => string | undefined;

/** For rules that only look. */
export function matcherOf(match: NameMatch): (name: string) => boolean {
  const replace = replacerOf(match, '');
  return (name) => replace(name) !== undefined;
}

export function replacerOf({ how, from }: NameMatch, to: string): Replace {
  switch (how) {
    case 'exact':
      return (name) => (name === from ? to : undefined);
    case 'prefix':
      return (name) => (name.startsWith(from) ? to + name.slice(from.length) : undefined);
    case 'suffix':
      return (name) => (name.endsWith(from) ? name.slice(0, name.length - from.length) + to : undefined);
    case 'substring':
      return (name) => (name.includes(from) ? name.split(from).join(to) : undefined);
    case 'regex':
      return regexReplacer(compilePattern(from), to);
  }
}

export function regexReplacer(pattern: Pattern, to: string): Replace {
  return (name) => {
    const groups = groupsOf(pattern, name);
    return groups === undefined ? undefined : fillGroups(to, groups);
  };
}

/** Maps `from` and the names below it. */
export function remapper(from: string, to: string): Replace {
  return (name) => {
    if (name === from) return to;
    return name.endsWith(`.${from}`) ? name.slice(0, name.length - from.length) + to : undefined;
  };
}
