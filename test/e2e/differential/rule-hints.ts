// What the rules of a Corefile ask for beyond names: rewrite rules with their matcher, types, classes, EDNS options.

import { CLASSES, classNumber, typeNumber } from '../support/numbers.ts';
import { regexHints } from './hints.ts';

export interface RuleHints {
  /** Names that a rule is meant for; `%` is a token. */
  readonly names: readonly string[];
  readonly types: readonly number[];
  readonly classes: readonly number[];
  /** Codes of EDNS options. */
  readonly options: readonly number[];
}

/** Names of the upstream whose replies have what a field of `rewrite` looks at. */
const TOUCHED: readonly (readonly [RegExp, readonly string[]])[] = [
  [/\bcname\b/, ['alias', 'half', 'dangle', 'halfsoa']],
  [/\brcode\b/, ['nx', 'servfail', 'nodata', 'refused', 'yxdomain', 'www']],
  [/\bttl\b/, ['www', 'mix', 'ttl0', 'nx', 'svc', 'mail', 'ede']],
  [/\banswer\b/, ['alias', 'svc', 'mail', 'referral', 'mix', 'dangle', 'nodata']],
  [/\bedns0\b/, ['echo', 'echo', 'ede', 'noedns', 'www']],
];

/** @param text a Corefile. */
export function ruleHintsOf(text: string): RuleHints {
  const names = new Set<string>();
  const types = new Set<number>();
  const classes = new Set<number>();
  const options = new Set<number>();
  for (const line of text.replaceAll(/#.*$/gm, '').split('\n')) {
    const rule = /^\s*(?:rewrite\s+)?(?:(?:stop|continue)\s+)?((?:name|ttl|cname|rcode|edns0|type|class)\s.*)$/.exec(
      line,
    );
    const words = (rule?.[1] ?? '').replaceAll('"', '').split(/\s+/);
    for (const name of namesOfRule(words)) names.add(name);
    for (const [field, behaviours] of TOUCHED) {
      if (field.test(rule?.[1] ?? '')) for (const each of behaviours) names.add(`${each}-%.example.org`);
    }
    const [field, from = '', code = ''] = words;
    const template = /^\s*template\s+(\S+)\s+(\S+)/.exec(line);
    const type = typeNumber(String(field === 'type' ? from : template?.[2]).toUpperCase());
    const class_ = classNumber(String(field === 'class' ? from : template?.[1]).toUpperCase());
    if (type !== undefined) types.add(type);
    for (const each of typesOfPolicy(line)) types.add(each);
    if (class_ !== undefined && class_ !== CLASSES['IN']) classes.add(class_);
    if (field === 'edns0') options.add(from === 'nsid' ? 3 : from === 'subnet' ? 8 : Number(words[3] ?? code));
  }
  return { names: [...names], types: [...types], classes: [...classes], options: [...options].filter(isCode) };
}

/** Plugin acl. */
function typesOfPolicy(line: string): number[] {
  const words = /^\s*(?:allow|block|filter|drop)\s(.*)$/i.exec(line)?.[1]?.split(/\s+/) ?? [];
  return words.map((word) => typeNumber(word)).filter((type) => type !== undefined);
}

/** Names that the matcher takes, and one that it only seems to take. */
function namesOfRule([field = '', matcher = '', from = '']: readonly string[]): string[] {
  if (!['name', 'ttl', 'cname', 'rcode'].includes(field)) return [];
  const bare = from.replace(/^\.|\.$/g, '').toLowerCase();
  const name = from.replace(/\.$/, '').toLowerCase();
  switch (matcher.toLowerCase()) {
    case 'prefix':
      return [`${from}%.example.org`, `${from}%`, `${bare}.plain-1.space-1.svc.cluster.local`, `x${from}%.example.org`];
    case 'suffix':
      return [`www-%.${bare}`, `alias-%.${bare}`, `nx-%${name}`, `plain-1.space-1.${bare}`, bare, `x.y.${bare}`];
    case 'substring':
      return [`www-%.${bare}.org`, `${bare}-%.example.org`, `alias-%.${bare}`, `www-%${name}.example.org`, bare];
    case 'regex':
      return regexHints(from);
    default: {
      const plain = (matcher.toLowerCase() === 'exact' ? name : matcher.replace(/\.$/, '').toLowerCase()) || '.';
      return [plain, plain, `x.${plain}`];
    }
  }
}

function isCode(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff;
}
