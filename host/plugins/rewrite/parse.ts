// rewrite [continue|stop] FIELD ..., or with all words of the rule in a block

import type { DirectiveReader, Line, Token } from '../../corefile/reader.ts';
import { parseEdnsRule } from './parse-edns.ts';
import { parseCnameRule, parseNameRule, parseRcodeRule, parseTtlRule, type RuleText } from './parse-name.ts';
import { classOf, typeOf } from './parse-numbers.ts';
import type { NumberRule, RewriteConfig, Rule, RuleWords } from './rules.ts';

export function parseRewrite(reader: DirectiveReader): RewriteConfig {
  return { rules: reader.each((line) => parseRule(reader, line)) };
}

function parseRule(reader: DirectiveReader, line: Line): Rule {
  const { args } = line;
  // CoreDNS reads the block only if its line has no rule yet: otherwise it is taken for the next one
  const words = args.length < 2 ? [...args, ...reader.wordsOfBlock()] : args;
  const first = words[0];
  if (first === undefined) throw reader.error(line.word, 'no rule type specified for rewrite');
  const mode = first.text.toLowerCase();
  const hasMode = mode === 'continue' || mode === 'stop';
  const field = words[hasMode ? 1 : 0];
  if (field === undefined) throw reader.error(first, `${mode} rule must begin with a rule type`);
  const text = { reader, field, words: words.slice(hasMode ? 2 : 1) };
  return { ...parseField(text, first), isLast: mode !== 'continue' };
}

const FIELDS = ['name', 'class', 'type', 'edns0', 'ttl', 'cname', 'rcode', 'stop', 'continue'];

function parseField(text: RuleText, first: Token): RuleWords {
  const { reader, field } = text;
  switch (field.text.toLowerCase()) {
    case 'answer':
      throw reader.error(field, 'response rewrites must begin with a name rule');
    case 'name':
      return parseNameRule(text);
    case 'class':
      return parseNumberRule(text, 'class', classOf);
    case 'type':
      return parseNumberRule(text, 'type', typeOf);
    case 'edns0':
      return parseEdnsRule(text);
    case 'ttl':
      return parseTtlRule(text);
    case 'cname':
      return parseCnameRule(text);
    case 'rcode':
      return parseRcodeRule(text);
    default:
      // CoreDNS names the line's first word, which may be the mode
      throw reader.unknownWord(field, `invalid rule type ${JSON.stringify(first.text)}`, FIELDS);
  }
}

function parseNumberRule(
  { reader, field, words }: RuleText,
  kind: NumberRule['field'],
  numberOf: (text: string) => number | undefined,
): NumberRule {
  if (words.length !== 2) {
    throw reader.error(words[2] ?? field, `${kind} rules must have exactly two arguments`);
  }
  const [from, to] = words.map((word) => {
    const value = numberOf(word.text);
    if (value === undefined) throw reader.error(word, `invalid ${kind} ${JSON.stringify(word.text.toUpperCase())}`);
    return value;
  });
  return { field: kind, from: from!, to: to! };
}
