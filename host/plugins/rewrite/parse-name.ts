// `name`, `ttl`, `cname` and `rcode`: the rules that look at a name.

import type { DirectiveReader, Token } from '../../corefile/reader.ts';
import { EXPRESSION_BYTES_MAX } from '../../plugin/expression.ts';
import { rcodeOf, ttlRange } from './parse-numbers.ts';
import { compilePattern, groupsUsed, type Pattern } from './pattern.ts';
import type { AnswerRule, CnameRule, NameMatch, NameRule, RcodeRule, TtlRule } from './rules.ts';

const HOW: readonly string[] = ['exact', 'prefix', 'suffix', 'substring', 'regex'];

/** The words behind the field; `field` is for errors without a word of their own. */
export interface RuleText {
  readonly reader: DirectiveReader;
  readonly field: Token;
  readonly words: readonly Token[];
}

/** Lower-case and with a closing dot; the empty text becomes the root. */
function normal(text: string): string {
  return (isClosed(text) ? text : `${text}.`).toLowerCase();
}

/** True if the text ends in a dot that no backslash takes away. */
function isClosed(text: string): boolean {
  const backslashes = /(\\*)\.$/.exec(text);
  return backslashes !== null && backslashes[1]!.length % 2 === 0;
}

// ----------------------------------------------------------------------------------------------------------- name

export function parseNameRule({ reader, field, words }: RuleText): NameRule {
  if (words.length < 2) throw reader.error(field, 'too few arguments for a name rule');
  const how = words.length === 2 ? 'exact' : words[0]!.text.toLowerCase();
  const [from, to] = words.length === 2 ? words : words.slice(1);
  const isRegex = how === 'regex';
  const texts = [from!.text, to!.text].map((text) => (isRegex ? text : normal(text)));
  const match = { how, from: texts[0]! } as NameMatch;
  const answers = words.length > 3 ? parseAnswers(reader, how, words.slice(3)) : NO_ANSWERS;
  if (!HOW.includes(how)) {
    const known = 'name rule supports only exact, prefix, suffix, substring, and regex name matching';
    throw reader.unknownWord(words[0]!, `${known}, received: ${how}`, HOW);
  }
  // CoreDNS takes TO of an exact rule for an expression when it checks it
  if (how === 'exact') checkedPattern(reader, to!, texts[1]!, texts[0]!);
  if (isRegex) checkedPattern(reader, from!, texts[0]!, texts[1]!);
  return {
    field: 'name',
    match,
    to: normal(to!.text),
    isAuto: how === 'exact' || answers.isAuto,
    answers: answers.rules,
  };
}

const NO_ANSWERS: { readonly isAuto: boolean; readonly rules: readonly AnswerRule[] } = { isAuto: false, rules: [] };

function parseAnswers(reader: DirectiveReader, how: string, words: readonly Token[]): typeof NO_ANSWERS {
  if (words.length < 2) throw reader.error(words[0]!, `invalid arguments for ${how} rule`);
  const rules: AnswerRule[] = [];
  let isAuto = false;
  for (let at = 0; at < words.length; ) {
    if (at === 0 && words[0]!.text !== 'answer') {
      const text = `exceeded the number of arguments for a non-answer rule argument for ${how} rule`;
      throw reader.error(words[0]!, text);
    }
    if (words[at]!.text === 'answer') at++;
    const of = words[at];
    if (of === undefined) throw reader.error(words.at(-1)!, `type missing for answer rule for ${how} rule`);
    at++;
    if (of.text === 'auto') {
      isAuto = true;
    } else if (of.text === 'name' || of.text === 'value') {
      rules.push(parseAnswer(reader, how, of, words.slice(at, at + 2)));
      at += 2;
    } else {
      throw reader.error(of, `invalid type ${JSON.stringify(of.text)} for answer rule for ${how} rule`);
    }
  }
  if (isAuto && rules.some(({ of }) => of === 'name')) {
    throw reader.error(words[0]!, 'auto name answer rule cannot be combined with explicit name anwer rules');
  }
  return { isAuto, rules };
}

function parseAnswer(reader: DirectiveReader, how: string, of: Token, words: readonly Token[]): AnswerRule {
  const kind = of.text as AnswerRule['of'];
  const [from, to] = words;
  const prefix = `${kind} answer rule for ${how} rule`;
  if (from === undefined || to === undefined) throw reader.error(of, `${prefix}: 2 arguments required`);
  checkedPattern(reader, from, from.text, to.text, `${prefix}: `);
  return { of: kind, from: from.text, to: normal(to.text) };
}

/** Throws if `source` is no expression, or has fewer groups than `template` uses. */
function checkedPattern(reader: DirectiveReader, at: Token, source: string, template: string, prefix = ''): void {
  const bytes = Buffer.byteLength(source);
  if (bytes > EXPRESSION_BYTES_MAX) {
    throw reader.error(at, `${prefix}regex pattern too long: ${bytes} > ${EXPRESSION_BYTES_MAX}`);
  }
  let pattern: Pattern;
  try {
    pattern = compilePattern(source);
  } catch {
    throw reader.error(at, `${prefix}invalid regex matching pattern: ${source}`);
  }
  if (groupsUsed(template) <= pattern.groupCount()) return;
  const text = `uses more subexpressions than its corresponding matching regex pattern (${source})`;
  throw reader.error(at, `${prefix}the rewrite regex pattern (${template}) ${text}`);
}

// ------------------------------------------------------------------------------------------------ ttl, rcode, cname

export function parseTtlRule(text: RuleText): TtlRule {
  const { reader, field, words } = text;
  if (words.length < 2) throw reader.error(field, `too few (${words.length}) arguments for a ttl rule`);
  const seconds = words.length > 3 ? undefined : words.at(-1)!;
  const range = ttlRange(seconds?.text ?? '');
  if (range === undefined) {
    throw reader.error(seconds ?? words[3]!, `invalid TTL '${seconds?.text ?? ''}' for a ttl rule`);
  }
  return {
    field: 'ttl',
    match: nameMatch(text, 'ttl', words.slice(0, -1)),
    minSeconds: range[0],
    maxSeconds: range[1],
  };
}

export function parseRcodeRule(text: RuleText): RcodeRule {
  const { reader, field, words } = text;
  if (words.length < 3) throw reader.error(field, `too few (${words.length}) arguments for a rcode rule`);
  const [from, to] = words.length > 4 ? [] : words.slice(-2);
  const old = rcodeOf(from?.text ?? '');
  if (old === undefined) {
    throw reader.error(from ?? words[4]!, `invalid matching RCODE '${from?.text ?? ''}' for a rcode rule`);
  }
  const replacement = rcodeOf(to!.text);
  if (replacement === undefined) {
    throw reader.error(to!, `invalid replacement RCODE '${to!.text}' for a rcode rule`);
  }
  return { field: 'rcode', match: nameMatch(text, 'rcode', words.slice(0, -2)), from: old, to: replacement };
}

/** `[HOW] NAME` of a ttl or rcode rule. */
function nameMatch({ reader }: RuleText, rule: string, words: readonly Token[]): NameMatch {
  if (words.length === 1) return { how: 'exact', from: normal(words[0]!.text) };
  const how = words[0]!.text.toLowerCase();
  if (!HOW.includes(how)) {
    throw reader.unknownWord(
      words[0]!,
      `${rule} rule supports only exact, prefix, suffix, substring, and regex name matching`,
      HOW,
    );
  }
  if (how !== 'regex') return { how, from: normal(words[1]!.text) } as NameMatch;
  checkLength(reader, words[1]!, rule);
  try {
    compilePattern(words[1]!.text);
  } catch {
    throw reader.error(words[1]!, `invalid regex pattern in a ${rule} rule: ${words[1]!.text}`);
  }
  return { how, from: words[1]!.text };
}

export function parseCnameRule({ reader, field, words }: RuleText): CnameRule {
  if (words.length < 2 || words.length > 3) {
    throw reader.error(words[3] ?? field, `too few (${words.length}) arguments for a cname rule`);
  }
  const how = words.length === 2 ? 'exact' : words[0]!.text.toLowerCase();
  if (!HOW.includes(how)) throw reader.error(words[0]!, `unknown cname rewrite type: ${how}`);
  const [from, to] = words.slice(-2).map(({ text }) => (how === 'exact' ? normal(text) : text.toLowerCase()));
  if (how === 'regex') {
    checkLength(reader, words[1]!, 'cname');
    try {
      compilePattern(from!);
    } catch (error) {
      throw reader.error(words[1]!, `invalid cname rewrite regex pattern: ${(error as Error).message}`);
    }
  }
  return { field: 'cname', match: { how, from: from! } as NameMatch, to: to! };
}

function checkLength(reader: DirectiveReader, token: Token, rule: string): void {
  const bytes = Buffer.byteLength(token.text);
  if (bytes <= EXPRESSION_BYTES_MAX) return;
  throw reader.error(token, `regex pattern too long in a ${rule} rule: ${bytes} > ${EXPRESSION_BYTES_MAX}`);
}
