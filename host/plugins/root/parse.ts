// root PATH

import type { DirectiveReader } from '../../corefile/reader.ts';

export type RootConfig = {
  readonly path: string;
};

export function parseRoot(reader: DirectiveReader): RootConfig {
  let path = '';
  for (const line of reader.occurrences) {
    // CoreDNS reads the words in pairs, so that `root a b c` means c
    if (line.args.length % 2 === 0) throw reader.argumentError(line.args.at(-1) ?? line.word);
    reader.noBlock(line);
    path = line.args.at(-1)!.text;
  }
  return { path };
}
