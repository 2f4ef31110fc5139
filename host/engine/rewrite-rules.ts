// Rules of plugin rewrite as the engine reads them (layout in engine-as/shared/rules.ts).

import * as layout from '../../engine-as/shared/rules.ts';
import type { FastRule, NameTest } from '../plugin/contract.ts';
import type { Octets } from './octets.ts';

const KINDS = {
  name: layout.RULE_NAME,
  type: layout.RULE_TYPE,
  class: layout.RULE_CLASS,
  ttl: layout.RULE_TTL,
  rcode: layout.RULE_RCODE,
  slow: layout.RULE_SLOW,
};

const HOW = {
  exact: layout.HOW_EXACT,
  prefix: layout.HOW_PREFIX,
  suffix: layout.HOW_SUFFIX,
  substring: layout.HOW_SUBSTRING,
};

/** Writes the parameters of the step at `at`, and the rules behind everything else. */
export function fillRules(out: Octets, at: number, rules: readonly FastRule[]): void {
  const table = out.reserve(rules.length * layout.RULE_STRIDE);
  out.u32(at + layout.REWRITE_RULES, out.address(table));
  out.u32(at + layout.REWRITE_RULE_COUNT, rules.length);
  rules.forEach((rule, i) => {
    fillRule(out, table + i * layout.RULE_STRIDE, rule);
  });
}

function fillRule(out: Octets, at: number, rule: FastRule): void {
  const isAuto = rule.kind === 'name' && rule.isAuto;
  out.u32(at + layout.RULE_KIND, KINDS[rule.kind]);
  out.u32(at + layout.RULE_FLAGS, (rule.isLast ? layout.RULE_LAST : 0) | (isAuto ? layout.RULE_AUTO : 0));
  if ('test' in rule) fillTest(out, at, rule.test);
  if (rule.kind === 'name') fillText(out, at + layout.RULE_TO, rule.to);
  else if (rule.kind === 'ttl') fillNumbers(out, at, rule.minSeconds, rule.maxSeconds);
  else if (rule.kind !== 'slow') fillNumbers(out, at, rule.from, rule.to);
}

function fillTest(out: Octets, at: number, { how, from }: NameTest): void {
  out.u32(at + layout.RULE_HOW, HOW[how]);
  fillText(out, at + layout.RULE_FROM, from);
}

function fillText(out: Octets, at: number, text: string): void {
  out.u32(at, out.ascii(text));
  out.u32(at + 4, text.length);
}

function fillNumbers(out: Octets, at: number, a: number, b: number): void {
  out.u32(at + layout.RULE_A, a);
  out.u32(at + layout.RULE_B, b);
}
