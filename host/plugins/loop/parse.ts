// `loop`, once in a block, without arguments.

import type { DirectiveReader } from '../../corefile/reader.ts';

/** Nothing to set. */
export type LoopConfig = Readonly<Record<string, never>>;

export function parseLoop(reader: DirectiveReader): LoopConfig {
  const line = reader.once();
  reader.arguments(line, 0, 0);
  reader.noBlock(line);
  return {};
}
