// The fast face's part of the rules. What it cannot apply becomes a test that is cheap and never misses a match: the
// query then takes the slow face.

import type { FastRule, NameTest } from '../../plugin/contract.ts';
import type { NameMatch, Rule } from './rules.ts';

const ALWAYS: NameTest = { how: 'substring', from: '' };
const RCODE_PLAIN_MAX = 15;

export function fastRules(rules: readonly Rule[]): FastRule[] {
  return rules.map(fastRule);
}

function fastRule(rule: Rule): FastRule {
  const { isLast } = rule;
  switch (rule.field) {
    case 'type':
    case 'class':
      return { kind: rule.field, from: rule.from, to: rule.to, isLast };
    case 'name': {
      const test = exactTest(rule.match);
      if (test === undefined || rule.answers.length > 0 || !isPlain(rule.to)) return slowRule(rule.match);
      return { kind: 'name', test, to: rule.to, isAuto: rule.isAuto, isLast };
    }
    case 'ttl': {
      const test = exactTest(rule.match);
      if (test === undefined) return slowRule(rule.match);
      return { kind: 'ttl', test, minSeconds: rule.minSeconds, maxSeconds: rule.maxSeconds, isLast };
    }
    case 'rcode': {
      const test = exactTest(rule.match);
      // Rcodes above 15 live in an OPT, which may not be there
      if (test === undefined || rule.to > RCODE_PLAIN_MAX) return slowRule(rule.match);
      return { kind: 'rcode', test, from: rule.from, to: rule.to, isLast };
    }
    case 'edns0':
    case 'cname':
      return { kind: 'slow', test: ALWAYS, isLast: true };
  }
}

/** The rule's own test, if the engine can make it. */
function exactTest({ how, from }: NameMatch): NameTest | undefined {
  return how !== 'regex' && isPlain(from) ? { how, from } : undefined;
}

function slowRule(match: NameMatch): FastRule {
  return { kind: 'slow', test: slowTest(match), isLast: true };
}

function slowTest({ how, from }: NameMatch): NameTest {
  if (how !== 'regex') return isPlain(from) ? { how, from } : ALWAYS;
  return { how: 'substring', from: requiredLiteral(from) };
}

/** Characters that print as themselves in a name. */
function isPlain(text: string): boolean {
  return /^[!#-&*-:<-?A-[\]-~]*$/.test(text);
}

/**
 * The longest text that every match of the expression holds, '' if none is found. Careful rather than clever: groups,
 * classes and everything optional count for nothing, alternatives and flags for the whole.
 */
export function requiredLiteral(source: string): string {
  if (/[|]|\(\?|\\[QEpPx0-9CG]/.test(source)) return '';
  let best = '';
  let run = '';
  const end = (): void => {
    if (run.length > best.length) best = run;
    run = '';
  };
  for (let i = 0; i < source.length; i++) {
    const character = source[i]!;
    if (character === '\\') {
      const escaped = source[++i] ?? '';
      if (/[^A-Za-z0-9]/.test(escaped)) run += escaped;
      else end();
    } else if (character === '[' || character === '(') {
      end();
      i = character === '[' ? classEnd(source, i) : groupEnd(source, i);
    } else if ('*?{'.includes(character)) {
      // What stands before it may be missing
      run = run.slice(0, -1);
      end();
      if (character === '{') i = source.includes('}', i) ? source.indexOf('}', i) : source.length;
    } else if ('+.^$'.includes(character)) end();
    else run += character;
  }
  end();
  return isPlain(best) ? best : '';
}

function classEnd(source: string, start: number): number {
  let i = start + 1;
  if (source[i] === '^') i++;
  if (source[i] === ']') i++;
  for (; i < source.length && source[i] !== ']'; i++) {
    if (source[i] === '\\') i++;
    // [:alpha:] inside a class
    else if (source[i] === '[' && source[i + 1] === ':') i = Math.max(i, source.indexOf(':]', i) + 1);
  }
  return i;
}

function groupEnd(source: string, start: number): number {
  let depth = 0;
  for (let i = start; i < source.length; i++) {
    if (source[i] === '\\') i++;
    else if (source[i] === '[') i = classEnd(source, i);
    else if (source[i] === '(') depth++;
    else if (source[i] === ')' && --depth === 0) return i;
  }
  return source.length;
}
