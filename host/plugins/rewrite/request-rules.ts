// Rules applied to a query, and the response rules that they leave for its reply.

import type { Asked } from './asked.ts';
import { applyEdns, type Revert } from './edns.ts';
import { matcherOf, type Replace, regexReplacer, remapper, replacerOf } from './names.ts';
import { compilePattern } from './pattern.ts';
import type { CnameRule, NameRule, NumberRule, Rule } from './rules.ts';

export type ResponseRule =
  | { readonly kind: 'name' | 'value'; readonly replace: Replace }
  | { readonly kind: 'ttl'; readonly minSeconds: number; readonly maxSeconds: number }
  | { readonly kind: 'rcode'; readonly from: number; readonly to: number }
  | { readonly kind: 'cname'; readonly retarget: Replace }
  | Revert;

/** What a rule did: undefined = it does not match, else the response rules that it leaves. */
export type Applied = readonly ResponseRule[] | undefined;

export interface RequestRule {
  readonly isLast: boolean;
  apply(asked: Asked): Applied;
}

const NOTHING_LEFT: readonly ResponseRule[] = [];

export function requestRule(rule: Rule): RequestRule {
  return { isLast: rule.isLast, apply: applier(rule) };
}

function applier(rule: Rule): RequestRule['apply'] {
  switch (rule.field) {
    case 'name':
      return nameApplier(rule);
    case 'type':
    case 'class':
      return numberApplier(rule);
    case 'edns0':
      return (asked) => {
        const { isDone, reverts } = applyEdns(rule, asked);
        return isDone ? reverts : undefined;
      };
    case 'ttl': {
      const { minSeconds, maxSeconds } = rule;
      return lookingApplier(matcherOf(rule.match), { kind: 'ttl', minSeconds, maxSeconds });
    }
    case 'rcode':
      return lookingApplier(matcherOf(rule.match), { kind: 'rcode', from: rule.from, to: rule.to });
    case 'cname':
      return cnameApplier(rule);
  }
}

function nameApplier(rule: NameRule): RequestRule['apply'] {
  const replace = replacerOf(rule.match, rule.to);
  const answers = rule.answers.map(
    ({ of, from, to }): ResponseRule => ({ kind: of, replace: regexReplacer(compilePattern(from), to) }),
  );
  // A suffix is turned back as a suffix, everything else as the name that it was
  const isSuffix = rule.match.how === 'suffix';
  const turned = rule.isAuto && isSuffix ? bothWays(replacerOf({ how: 'suffix', from: rule.to }, rule.match.from)) : [];
  const fixed = [...turned, ...answers];
  return (asked) => {
    const name = asked.lower;
    const replaced = replace(name);
    if (replaced === undefined) return undefined;
    asked.name = replaced;
    asked.isChanged = true;
    return rule.isAuto && !isSuffix ? [...bothWays(remapper(replaced, name)), ...fixed] : fixed;
  };
}

/** For owners and for the names in rdata. */
function bothWays(replace: Replace): ResponseRule[] {
  return [
    { kind: 'name', replace },
    { kind: 'value', replace },
  ];
}

function numberApplier({ field, from, to }: NumberRule): RequestRule['apply'] {
  return (asked) => {
    if (asked[field] !== from) return undefined;
    asked[field] = to;
    asked.isChanged = true;
    return NOTHING_LEFT;
  };
}

function lookingApplier(matches: (name: string) => boolean, left: ResponseRule): RequestRule['apply'] {
  const rules = [left];
  return (asked) => (matches(asked.lower) ? rules : undefined);
}

function cnameApplier({ match, to }: CnameRule): RequestRule['apply'] {
  // As in CoreDNS, a rule without a name on one side does nothing
  if (match.from === '' || to === '') return () => undefined;
  const rules: readonly ResponseRule[] = [{ kind: 'cname', retarget: replacerOf(match, to) }];
  return () => rules;
}
