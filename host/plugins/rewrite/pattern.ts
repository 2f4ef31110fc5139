// Regular expressions of rules, and what their groups are put into.

import { compileExpression, type Expression } from '../../plugin/expression.ts';

/**
 * What a replacement may grow to. A name has 255 octets at most; the bound keeps names that hold `{2}{2}{2}...`, which
 * groups may put into the replacement again, from multiplying.
 */
const REPLACED_MAX = 65536;

export type Pattern = Expression['regex'];

/** Throws what the expression is not. */
export function compilePattern(source: string): Pattern {
  return compileExpression(source).regex;
}

/** The whole match and its groups, the first match in the text; undefined without one. */
export function groupsOf(pattern: Pattern, text: string): readonly string[] | undefined {
  const matcher = pattern.matcher(text);
  if (!matcher.find()) return undefined;
  return Array.from({ length: matcher.groupCount() + 1 }, (_, i) => matcher.group(i) ?? '');
}

/** `{0}`, `{1}`... one after the other, in what the ones before have put in as well. */
export function fillGroups(template: string, groups: readonly string[]): string {
  let text = template;
  groups.forEach((group, i) => {
    if (text.length <= REPLACED_MAX) text = text.split(`{${i}}`).join(group);
  });
  return text;
}

/** How many different `{n}` a replacement uses, as CoreDNS counts them. */
export function groupsUsed(template: string): number {
  let count = 0;
  for (let i = 0; i <= 100; i++) if (template.includes(`{${i}}`)) count++;
  return count;
}
