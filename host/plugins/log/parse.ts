// log [NAMES...] [FORMAT] { class success|denial|error|all... }

import type { DirectiveReader, Line, Token } from '../../corefile/reader.ts';
import { NameError, normalName } from '../../dns/name.ts';
import { COMBINED_FORMAT, COMMON_FORMAT } from './format.ts';

export type LogClass = 'success' | 'denial' | 'error';

export type LogConfig = {
  /** The first rule whose scope holds the qname decides. */
  readonly rules: readonly LogRuleConfig[];
};

export type LogRuleConfig = {
  /** Lower-case, fully qualified; `.` = all names. */
  readonly scope: string;
  readonly format: string;
  readonly classes: readonly LogClass[];
};

const ALL_CLASSES: readonly LogClass[] = ['success', 'denial', 'error'];

export function parseLog(reader: DirectiveReader): LogConfig {
  return { rules: reader.each((line) => rulesOf(reader, line)).flat() };
}

function rulesOf(reader: DirectiveReader, line: Line): LogRuleConfig[] {
  const { args } = line;
  const last = args.at(-1);
  // A single argument is always a name, whatever it looks like.
  const hasFormat = args.length > 1 && last!.text.includes('{');
  const names = hasFormat ? args.slice(0, -1) : args;
  const format = hasFormat ? expanded(last!.text) : COMMON_FORMAT;
  const classes = classesOf(reader);
  const scopes = names.length === 0 ? ['.'] : names.flatMap((name) => scopeOf(name) ?? []);
  return scopes.map((scope) => ({ scope, format, classes }));
}

function expanded(format: string): string {
  return format.replaceAll('{common}', COMMON_FORMAT).replaceAll('{combined}', COMBINED_FORMAT);
}

/** Undefined for what is no name: CoreDNS takes it, and no query is below it. */
function scopeOf(token: Token): string | undefined {
  try {
    return normalName(token.text);
  } catch (error) {
    if (error instanceof NameError) return undefined;
    throw error;
  }
}

function classesOf(reader: DirectiveReader): readonly LogClass[] {
  const classes = new Set<LogClass>();
  reader.properties({
    class: (property) => {
      for (const word of reader.arguments(property, 1)) {
        for (const each of classOf(reader, word)) classes.add(each);
      }
    },
  });
  return classes.size === 0 ? ALL_CLASSES : [...classes];
}

function classOf(reader: DirectiveReader, word: Token): readonly LogClass[] {
  if (word.text === 'all') return ALL_CLASSES;
  const known = ALL_CLASSES.find((each) => each === word.text);
  if (known === undefined) throw reader.unknownWord(word, `invalid Class: ${word.text}`, [...ALL_CLASSES, 'all']);
  return [known];
}
