// metadata [ZONES...]

import type { DirectiveReader } from '../../corefile/reader.ts';

export type MetadataConfig = {
  /** Lower-case, fully qualified: labels are collected for names in these. */
  readonly zones: readonly string[];
};

export function parseMetadata(reader: DirectiveReader): MetadataConfig {
  const line = reader.occurrences[0]!;
  if (line.properties[0] !== undefined) throw reader.argumentError(line.properties[0].word);
  const second = reader.occurrences[1];
  if (second !== undefined) throw reader.argumentError(second.word);
  return { zones: reader.zones(line.args) };
}
