// `loop`, once in a block, without arguments.

import type { DirectiveReader } from '../../corefile/reader.ts';

/** Nothing to set. */
export type LoopConfig = Readonly<Record<string, never>>;

export function parseLoop(reader: DirectiveReader): LoopConfig {
  reader.once(() => reader.endOfLine());
  return {};
}
