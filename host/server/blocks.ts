// From the loaded Corefile to configurations: every directive parses its words, and may say something about its block.

import type { LoadedCorefile, LoadedDirective } from '../corefile/loader.ts';
import { UserError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type AnyDirective, directives } from '../plugins/order.ts';
import { type BlockPlan, defaultSettings } from './zones.ts';

export interface Parsed {
  readonly directive: AnyDirective;
  readonly config: unknown;
  /** Where an error of the control half points to. */
  readonly loaded: LoadedDirective;
}

export interface ParseParts {
  readonly loaded: LoadedCorefile;
  /** Address of blocks that name none; '' = all. */
  readonly address: string;
  readonly log: Log;
}

/**
 * Configurations of each block's directives in chain order, and what they say about the block. Directive by directive,
 * those of all blocks together, as CoreDNS sets its plugins up: of several errors the same one is told.
 */
export function parseBlocks({ loaded: { blocks }, address, log }: ParseParts): { plan: BlockPlan; parsed: Parsed[] }[] {
  const all = blocks.map((loaded) => {
    const parsed: Parsed[] = [];
    return { loaded, parsed, settings: defaultSettings(address) };
  });
  for (const directive of directives) {
    const own = log.withPrefix(`plugin/${directive.name}`);
    for (const each of all) {
      const loaded = each.loaded.directives.find(({ name }) => name === directive.name);
      if (loaded === undefined) continue;
      const config = directive.parse(loaded.reader);
      each.parsed.push({ directive, config, loaded });
      const said = settled(loaded, () => directive.settings?.(config, own));
      each.settings = { ...each.settings, ...said };
      each.loaded.known.root = each.settings.root;
    }
  }
  return all.map(({ loaded, parsed, settings }) => {
    return { parsed, plan: { loaded, plugins: parsed.map(({ directive }) => directive.name), settings } };
  });
}

function settled<T>(loaded: LoadedDirective, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { reader, name } = loaded;
    throw reader.error(reader.word, error.message.replace(`plugin/${name}: `, ''));
  }
}
