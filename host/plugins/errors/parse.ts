// errors [stdout] { stacktrace; consolidate DURATION REGEXP [LEVEL] [show_first] }

import type { DirectiveReader, Line, PropertyTable, Token } from '../../corefile/reader.ts';
import { suggestion } from '../../corefile/suggestion.ts';
import { compileExpression, EXPRESSION_BYTES_MAX } from '../../plugin/expression.ts';

export type Level = 'warning' | 'error' | 'info' | 'debug';

/** Plain data: shards compile the expression again. */
export type Pattern = {
  readonly periodMs: number;
  readonly expression: string;
  readonly level: Level;
  readonly showsFirst: boolean;
};

export type ErrorsConfig = {
  /** The line of a plugin that threw is followed by its stack. */
  readonly showsStack: boolean;
  readonly patterns: readonly Pattern[];
};

const LEVELS: readonly string[] = ['warning', 'error', 'info', 'debug'];

export function parseErrors(reader: DirectiveReader): ErrorsConfig {
  return reader.once((line) => parseStanza(reader, line));
}

function parseStanza(reader: DirectiveReader, line: Line): ErrorsConfig {
  const [file] = reader.arguments(line, 0, 1);
  if (file !== undefined && file.text !== 'stdout') throw reader.error(file, `invalid log file: ${file.text}`);
  const patterns: Pattern[] = [];
  let showsStack = false;
  const table: PropertyTable = {
    // CoreDNS takes no argument here: further words are read like a line of their own.
    stacktrace: () => {
      showsStack = true;
    },
    consolidate: (property) => {
      patterns.push(pattern(reader, property));
    },
  };
  reader.properties(table, (word, known) => {
    // CoreDNS's words: it calls its text the expected token
    const text = `Unexpected token '${word.text}', expecting 'Unknown field ${word.text}'`;
    return reader.syntaxError(word, text + suggestion(word.text, known));
  });
  return { patterns, showsStack };
}

function pattern(reader: DirectiveReader, property: Line): Pattern {
  const [period, expression, ...options] = reader.arguments(property, 2, 4);
  const periodMs = reader.durationMs(period!);
  checkExpression(reader, expression!);
  let level: Level | undefined;
  let showsFirst = false;
  for (const option of options) {
    if (LEVELS.includes(option.text)) {
      if (level !== undefined) throw reader.error(option, 'multiple log levels specified in consolidate');
      if (showsFirst) throw reader.error(option, 'log level must come before show_first in consolidate');
      level = option.text as Level;
    } else if (option.text === 'show_first') {
      showsFirst = true;
    } else {
      throw reader.unknownWord(option, `unknown option in consolidate: ${option.text}`, [...LEVELS, 'show_first']);
    }
  }
  return { periodMs, expression: expression!.text, level: level ?? 'error', showsFirst };
}

function checkExpression(reader: DirectiveReader, token: Token): void {
  const bytes = Buffer.byteLength(token.text);
  if (bytes > EXPRESSION_BYTES_MAX) {
    throw reader.error(token, `regex pattern too long: ${bytes} > ${EXPRESSION_BYTES_MAX}`);
  }
  try {
    compileExpression(token.text);
  } catch (error) {
    throw reader.error(token, (error as Error).message);
  }
}
