// CoreDNS plugin metadata: queries of the block carry labels, collected from its plugins before the chain runs. The
// shard does the collecting; this plugin says for which names.

import { longestZone } from '../../dns/name.ts';
import type { BlockProgram, Directive, Plugin } from '../../plugin/contract.ts';
import { type MetadataConfig, parseMetadata } from './parse.ts';

export const metadata: Directive<MetadataConfig> = {
  name: 'metadata',
  parse: parseMetadata,
  compile: (_config: MetadataConfig, program: BlockProgram) => program.keepMetadata(),
  create: ({ zones }: MetadataConfig): Plugin => ({
    name: 'metadata',
    answer: (query, next) => next(query),
    collectsFor: ({ name }) => longestZone(zones, name) !== undefined,
  }),
};
