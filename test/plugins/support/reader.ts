// The reader that a directive's parse() gets, from the text of a server block's inside.

import assert from 'node:assert/strict';
import { loadCorefile } from '../../../host/corefile/loader.ts';
import type { DirectiveReader } from '../../../host/corefile/reader.ts';
import { CorefileError } from '../../../host/errors.ts';

/** @param inside lines of the block `.:5300 { ... }` */
export function readerOf(name: string, inside: string): DirectiveReader {
  const source = { file: 'Corefile', read: () => `.:5300 {\n${inside}\n}\n` };
  const loaded = loadCorefile(source, { knownDirectives: [name], defaultPort: 53, environment: {} });
  return loaded.blocks[0]!.directives.find((directive) => directive.name === name)!.reader;
}

/** What `parse` makes of the directive; throws too what is refused when nothing else is wrong. */
export function parsed<T>(parse: (reader: DirectiveReader) => T, name: string, inside: string): T {
  const reader = readerOf(name, inside);
  const config = parse(reader);
  if (reader.lastRefusal !== undefined) throw reader.lastRefusal;
  return config;
}

/** The message of the CorefileError that `parse` throws. */
export function refusal(parse: () => unknown): string {
  try {
    parse();
  } catch (error) {
    assert(error instanceof CorefileError, `${String(error)} is no CorefileError`);
    assert.equal(error.file, 'Corefile');
    assert(error.line > 1);
    return error.message;
  }
  assert.fail('nothing was refused');
}
