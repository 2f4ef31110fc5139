// root PATH

import type { DirectiveReader } from '../../corefile/reader.ts';

export type RootConfig = {
  readonly path: string;
};

export function parseRoot(reader: DirectiveReader): RootConfig {
  let path = '';
  // CoreDNS reads the words in pairs, so that `root a b c` means c
  reader.each(({ word }) => {
    path = reader.needOnLine(word).text;
  });
  return { path };
}
