// `debug`, without anything else.

import type { DirectiveReader } from '../../corefile/reader.ts';

/** Nothing to set. */
export type DebugConfig = Readonly<Record<string, never>>;

export function parseDebug(reader: DirectiveReader): DebugConfig {
  for (const line of reader.occurrences) {
    reader.arguments(line, 0, 0);
    reader.noBlock(line);
  }
  return {};
}
