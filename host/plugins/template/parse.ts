// template CLASS TYPE [ZONES...] { match; answer; additional; authority; rcode; ederror; fallthrough; upstream }

import { RCODE_NOERROR } from '../../../engine-as/shared/codes.ts';
import type { DirectiveReader, Line, PropertyTable, Token } from '../../corefile/reader.ts';
import { classNumber, isTypeMnemonic, rcodeNumber, typeNumber } from '../../dns/types.ts';
import { compileExpression, EXPRESSION_BYTES_MAX } from '../../plugin/expression.ts';
import { FUNCTIONS } from './language/functions.ts';
import { TemplateSyntaxError } from './language/lexer.ts';
import { parseTemplate, type Template } from './language/parser.ts';

export type Section = 'answer' | 'additional' | 'authority';

/** Plain data: shards compile expressions and templates again. */
export type TemplateConfig = {
  readonly rules: readonly TemplateRule[];
};

/** One `template` of the Corefile. */
export type TemplateRule = {
  readonly class: number;
  readonly type: number;
  readonly zones: readonly string[];
  /** Regular expressions, at least one. */
  readonly patterns: readonly string[];
  /** Texts of templates by section, as the Corefile has them. */
  readonly texts: Readonly<Record<Section, readonly string[]>>;
  readonly rcode: number;
  /** Extended DNS error (RFC 8914). */
  readonly error: { readonly code: number; readonly reason: string } | undefined;
  /** undefined = never. */
  readonly fallthrough: readonly string[] | undefined;
};

/** Words of CoreDNS's library for numbers that are no types. */
const ODD_TYPES: Readonly<Record<string, number>> = { None: 0, Reserved: 65535 };
const FUNCTION_NAMES: ReadonlySet<string> = new Set(FUNCTIONS.keys());

export function parseTemplates(reader: DirectiveReader): TemplateConfig {
  return { rules: reader.each(({ word }) => parseRule(reader, word)) };
}

/** From the Corefile's text. Throws TemplateSyntaxError. */
export function compileTemplate(section: Section, text: string): Template {
  return parseTemplate(section, Buffer.from(text, 'utf8').toString('latin1'), FUNCTION_NAMES);
}

function parseRule(reader: DirectiveReader, word: Token): TemplateRule {
  const classToken = reader.needOnLine(word);
  const questionedClass = questionClass(reader, classToken);
  const rule = {
    class: questionedClass,
    type: questionType(reader, reader.needOnLine(classToken)),
    zones: reader.zones(reader.restOfLine()),
  };
  const patterns: string[] = [];
  const texts = { answer: [] as string[], additional: [] as string[], authority: [] as string[] };
  let rcode: number = RCODE_NOERROR;
  let error: TemplateRule['error'];
  let fallthrough: readonly string[] | undefined;
  const section = (name: Section) => (property: Line) => {
    texts[name].push(...reader.arguments(property, 1).map((token) => templateText(reader, name, token)));
  };
  const table: PropertyTable = {
    match: (property) => {
      patterns.push(...reader.arguments(property, 1).map((token) => expression(reader, token)));
    },
    answer: section('answer'),
    additional: section('additional'),
    authority: section('authority'),
    rcode: (property) => {
      // Another word on the line is read as a property, as CoreDNS does
      rcode = replyCode(reader, reader.needOnLine(property.word));
    },
    ederror: (property) => {
      error = extendedError(reader, property);
    },
    fallthrough: (property) => {
      fallthrough = property.args.length === 0 ? ['.'] : reader.zones(property.args);
    },
    // CoreDNS takes its words and does nothing with them
    upstream: () => {
      reader.restOfLine();
    },
  };
  reader.properties(table, (unknown, known) => reader.argumentError(unknown, known));
  return { ...rule, patterns: patterns.length === 0 ? ['.*'] : patterns, texts, rcode, error, fallthrough };
}

/** Mnemonics in upper case only, as CoreDNS has them. */
function questionClass(reader: DirectiveReader, token: Token): number {
  const known = /^(IN|CS|CH|HS|NONE|ANY)$/.test(token.text) ? classNumber(token.text) : undefined;
  if (known === undefined) throw reader.error(token, `invalid query class ${token.text}`);
  return known;
}

function questionType(reader: DirectiveReader, token: Token): number {
  const known = isTypeMnemonic(token.text) ? typeNumber(token.text) : ODD_TYPES[token.text];
  // CoreDNS says "class" here as well
  if (known === undefined) throw reader.error(token, `invalid RR class ${token.text}`);
  return known;
}

function replyCode(reader: DirectiveReader, token: Token): number {
  const { text } = token;
  if (text === 'BADSIG') return 16;
  if (text === 'NOTIMPL') return 4;
  const isMnemonic = text === text.toUpperCase() && !text.startsWith('RCODE') && text !== 'BADVERS';
  const known = isMnemonic ? rcodeNumber(text) : undefined;
  if (known === undefined) throw reader.error(token, `unknown rcode ${text}`);
  return known;
}

function expression(reader: DirectiveReader, token: Token): string {
  const bytes = Buffer.byteLength(token.text);
  if (bytes > EXPRESSION_BYTES_MAX) {
    throw reader.error(token, `regex pattern too long: ${bytes} > ${EXPRESSION_BYTES_MAX}`);
  }
  try {
    compileExpression(token.text);
  } catch (error) {
    throw reader.error(token, `could not parse regex: ${token.text}, ${(error as Error).message}`);
  }
  return token.text;
}

function templateText(reader: DirectiveReader, section: Section, token: Token): string {
  try {
    compileTemplate(section, token.text);
  } catch (error) {
    if (!(error instanceof TemplateSyntaxError)) throw error;
    const reason = Buffer.from(error.message, 'latin1').toString('utf8');
    throw reader.error(token, `could not compile template: ${token.text}, ${reason}`);
  }
  return token.text;
}

function extendedError(reader: DirectiveReader, property: Line): TemplateRule['error'] {
  const [code, reason] = reader.arguments(property, 1, 2);
  const { text } = code!;
  const value = /^\d+$/.test(text) ? Number(text) : undefined;
  if (value === undefined || value > 0xffff) {
    const why = value === undefined ? 'invalid syntax' : 'value out of range';
    // CoreDNS names the line's last word
    throw reader.error(
      code!,
      `error parsing extended DNS error code ${(reason ?? code!).text}, strconv.ParseUint: parsing ${JSON.stringify(text)}: ${why}`,
    );
  }
  return { code: value, reason: reason?.text ?? '' };
}
