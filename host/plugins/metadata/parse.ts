// metadata [ZONES...]

import type { DirectiveReader } from '../../corefile/reader.ts';

export type MetadataConfig = {
  /** Lower-case, fully qualified: labels are collected for names in these. */
  readonly zones: readonly string[];
};

export function parseMetadata(reader: DirectiveReader): MetadataConfig {
  return reader.first(({ args }) => {
    const zones = reader.zones(args);
    for (const word of reader.wordsOfBlock()) throw reader.argumentError(word);
    reader.endOfAll();
    return { zones };
  });
}
