// The reader that a plugin's parse() gets for one directive of a Corefile.

import { loadCorefile } from '../../host/corefile/loader.ts';
import type { DirectiveReader } from '../../host/corefile/reader.ts';

/** @param body lines of one server block with the keys `.` and `example.org`, the first of them is line 2 */
export function readerOf(name: string, body: string, keys = '. example.org'): DirectiveReader {
  const text = `${keys} {\n${body}\n}\n`;
  const loaded = loadCorefile(
    { file: 'Corefile', read: () => text },
    { knownDirectives: [name], defaultPort: 53, environment: {} },
  );
  const directive = loaded.blocks[0]?.directives.find((candidate) => candidate.name === name);
  if (directive === undefined) throw new Error(`no directive ${name} in: ${text}`);
  return directive.reader;
}
