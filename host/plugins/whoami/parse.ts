// `whoami`, without anything else.

import type { DirectiveReader } from '../../corefile/reader.ts';

export type WhoamiConfig = Record<string, never>;

export function parseWhoami(reader: DirectiveReader): WhoamiConfig {
  for (const line of reader.occurrences) {
    reader.arguments(line, 0, 0);
    reader.noProperties(line);
  }
  return {};
}
