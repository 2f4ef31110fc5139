// File names that match an import's pattern.

import { lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Paths that match `pattern` (absolute), sorted: `*` is any run of characters but `/` (a leading dot included), `?` one
 * character, `\x` the character x. Unreadable directories match nothing, as in Go's filepath.Glob.
 */
export function matchingPaths(pattern: string): string[] {
  let paths = ['/'];
  for (const part of pattern.split('/').filter((name) => name !== '')) {
    paths = hasWildcard(part)
      ? paths.flatMap((path) => children(path, part))
      : paths.flatMap((path) => child(path, part));
  }
  return paths;
}

/** True when the pattern can match more than one path. */
export function hasWildcard(pattern: string): boolean {
  return /[*?[\]]/.test(pattern);
}

function child(directory: string, name: string): string[] {
  const path = join(directory, name);
  return lstatSync(path, { throwIfNoEntry: false }) === undefined ? [] : [path];
}

function children(directory: string, pattern: string): string[] {
  const expression = partExpression(pattern);
  return entries(directory)
    .filter((name) => expression.test(name))
    .sort((a, b) => (a < b ? -1 : 1))
    .map((name) => join(directory, name));
}

function entries(directory: string): string[] {
  try {
    return statSync(directory).isDirectory() ? readdirSync(directory) : [];
  } catch {
    // As filepath.Glob: what cannot be listed matches nothing.
    return [];
  }
}

function partExpression(pattern: string): RegExp {
  const source = pattern.replace(
    /\\(.)|([*?])|([^\w])/gsu,
    (_, escaped?: string, wildcard?: string, other?: string) => {
      if (wildcard === '*') return '.*';
      if (wildcard === '?') return '.';
      return (escaped ?? other ?? '').replace(/[$()+./?*[\]\\^{|}]/, '\\$&');
    },
  );
  return new RegExp(`^${source}$`, 'su');
}
