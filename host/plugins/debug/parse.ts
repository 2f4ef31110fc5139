// `debug`, without anything else.

import type { DirectiveReader } from '../../corefile/reader.ts';

/** Nothing to set. */
export type DebugConfig = Readonly<Record<string, never>>;

export function parseDebug(reader: DirectiveReader): DebugConfig {
  reader.each(() => reader.endOfLine());
  return {};
}
