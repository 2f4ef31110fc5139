// `import`: snippets and files, with bounds against configurations that import themselves.

import { statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { CorefileError, UserError } from '../errors.ts';
import { readFileText, systemErrorText } from './file-text.ts';
import { hasWildcard, matchingPaths } from './glob.ts';
import { lex } from './lexer.ts';
import { parsingError, placeOf, type Token } from './token.ts';

const SNIPPET_IMPORTS_MAX = 10_000;
const FILE_IMPORTS_MAX = 100_000;

/** The imports of one configuration. */
export class Imports {
  readonly warnings: string[] = [];
  readonly #snippets = new Map<string, readonly Token[]>();
  readonly #files = new Map<string, readonly Token[]>();
  #snippetImports = 0;
  #fileImports = 0;

  /** Remembers `(name) { ... }`; `at` is the opening brace. Throws CorefileError when the name is taken. */
  checkFree(name: string, at: Token): void {
    if (this.#snippets.has(name)) throw parsingError(at, `redeclaration of previously declared snippet ${name}`);
  }

  define(name: string, body: readonly Token[]): void {
    this.#snippets.set(name, body);
  }

  /** Words that replace `import NAME` or `import PATTERN`. `pattern` has its environment variables replaced. */
  expand(pattern: Token): readonly Token[] {
    const snippet = this.#snippets.get(pattern.text);
    if (snippet === undefined) return this.#expandFiles(pattern);
    if (this.#snippetImports >= SNIPPET_IMPORTS_MAX) throw snippetLoop(pattern);
    this.#snippetImports++;
    return snippet;
  }

  #expandFiles(pattern: Token): readonly Token[] {
    if (this.#fileImports >= FILE_IMPORTS_MAX) {
      throw parsingError(pattern, `maximum file import depth (${FILE_IMPORTS_MAX}) exceeded`);
    }
    this.#fileImports++;
    const absolute = absolutePattern(pattern);
    const paths = matchingPaths(absolute);
    if (paths.length === 0) {
      if (!hasWildcard(absolute)) throw parsingError(pattern, `File to import not found: ${pattern.text}`);
      this.warnings.push(`No files matching import glob pattern: ${pattern.text}`);
    }
    return paths.flatMap((path) => this.#fileTokens(path, pattern));
  }

  /** Each file is read once a configuration, however often it is imported. */
  #fileTokens(path: string, pattern: Token): readonly Token[] {
    const known = this.#files.get(path);
    if (known !== undefined) return known;
    const tokens = lex(importedText(path, pattern), path, true);
    this.#files.set(path, tokens);
    return tokens;
  }
}

export function snippetLoop(at: Token): CorefileError {
  return parsingError(at, `maximum snippet import depth (${SNIPPET_IMPORTS_MAX}) exceeded`);
}

/** Relative to the directory of the file that holds the import. */
function absolutePattern(pattern: Token): string {
  const absolute = isAbsolute(pattern.text) ? pattern.text : join(dirname(resolve(pattern.file)), pattern.text);
  const stars = absolute.split('*').length - 1;
  const marks = absolute.split('?').length - 1;
  if (stars > 1 || marks > 1 || (absolute.includes('[') && absolute.includes(']'))) {
    throw parsingError(pattern, `Glob pattern may only contain one wildcard (*), but has others: ${absolute}`);
  }
  if (absolute.includes('[') || absolute.includes('\0') || absolute.endsWith('\\')) {
    throw parsingError(pattern, `Failed to use import pattern ${pattern.text}: syntax error in pattern`);
  }
  return absolute;
}

function importedText(path: string, pattern: Token): string {
  try {
    const status = statSync(path);
    if (status.isDirectory()) throw new UserError('is a directory');
    // A FIFO or a device would block or never end.
    if (!status.isFile()) throw new UserError('is not a regular file');
    return readFileText(path);
  } catch (error) {
    const text = error instanceof UserError ? error.message : `open ${path}: ${systemErrorText(error)}`;
    const message = parsingError(pattern, `Could not import ${path}: ${text}`).message;
    throw new CorefileError(message, placeOf(pattern), { cause: error });
  }
}
