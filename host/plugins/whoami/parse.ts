// `whoami`, without anything else.

import type { DirectiveReader } from '../../corefile/reader.ts';

export type WhoamiConfig = Record<string, never>;

export function parseWhoami(reader: DirectiveReader): WhoamiConfig {
  // CoreDNS looks at the first occurrence only
  reader.first(() => reader.endOfLine());
  return {};
}
