// From a Corefile's text to server blocks whose directives can be handed to their plugins.

import { CorefileError, UserError } from '../errors.ts';
import { COREDNS_DIRECTIVES } from './directives.ts';
import type { Environment } from './environment.ts';
import { hashOf } from './hash.ts';
import { type BlockKey, parseKey } from './keys.ts';
import { type ParsedBlock, parseCorefile } from './parser.ts';
import { DirectiveReader, type ReaderBlock } from './reader.ts';
import { type CorefileSource, defaultText } from './source.ts';
import { suggestion } from './suggestion.ts';
import { parsingError, type Token } from './token.ts';

export interface LoadedCorefile {
  readonly file: string;
  readonly blocks: readonly LoadedBlock[];
  /** SHA-512 (hex) over words and lines. */
  readonly hash: string;
  /** To be logged as `[WARNING]` lines. */
  readonly warnings: readonly string[];
}

export interface LoadedBlock {
  /** In file order; a CIDR address gives several. At least one. */
  readonly keys: readonly BlockKey[];
  /** Zones of all keys, without repetition. */
  readonly zones: readonly string[];
  /** One entry a word, in the order of first occurrences. */
  readonly directives: readonly LoadedDirective[];
  /** Shared by the readers of its directives. */
  readonly known: ReaderBlock;
  readonly file: string;
  /** Line of the first address. */
  readonly line: number;
}

export interface LoadedDirective {
  readonly name: string;
  readonly reader: DirectiveReader;
  /** Place of the first occurrence. */
  readonly file: string;
  readonly line: number;
}

export interface LoadOptions {
  /** Words of the directives this server has. */
  readonly knownDirectives: readonly string[];
  /** Port of addresses without one. */
  readonly defaultPort: number;
  /** Usually process.env. */
  readonly environment: Environment;
}

/** Reads and parses. Throws UserError when the file cannot be read and CorefileError when it is wrong. */
export function loadCorefile(source: CorefileSource, options: LoadOptions): LoadedCorefile {
  const { blocks: parsed, warnings } = parseSource(source, options);
  const blocks = parsed.map((block) => loadBlock(block, options.defaultPort));
  return { file: source.file, blocks, hash: hashOf(parsed), warnings };
}

/**
 * Hash of the text as it is now, for polling; undefined when it cannot be read, a fault when its structure is broken. A
 * directive that does not exist changes the hash like any other change: applying it then says what is wrong.
 */
export function readCorefileHash(
  source: CorefileSource,
  options: Pick<LoadOptions, 'environment' | 'defaultPort'>,
): { readonly hash: string } | { readonly fault: string } | undefined {
  try {
    return { hash: hashOf(parseSource(source, options).blocks) };
  } catch (error) {
    if (error instanceof CorefileError) return { fault: error.message };
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

function parseSource(
  source: CorefileSource,
  options: Pick<LoadOptions, 'environment' | 'defaultPort'> & Partial<LoadOptions>,
): ReturnType<typeof parseCorefile> {
  const { environment, knownDirectives } = options;
  const parseOptions =
    knownDirectives === undefined
      ? { environment }
      : { environment, checkDirective: (name: string, at: Token) => refuseUnknown(name, at, knownDirectives) };
  const parsed = parseCorefile(source.read(), source.file, parseOptions);
  if (parsed.blocks.length > 0) return parsed;
  // Nothing but comments, white space and snippets: the built-in configuration serves.
  const builtIn = parseCorefile(defaultText(options.defaultPort), source.file, { environment });
  return { blocks: builtIn.blocks, warnings: parsed.warnings };
}

function refuseUnknown(name: string, at: Token, known: readonly string[]): void {
  if (known.includes(name)) return;
  if (COREDNS_DIRECTIVES.includes(name)) throw parsingError(at, `plugin/${name} is not supported yet`);
  throw parsingError(at, `Unknown directive '${name}'${suggestion(name, COREDNS_DIRECTIVES)}`);
}

function loadBlock(block: ParsedBlock, defaultPort: number): LoadedBlock {
  const keys = block.keys.flatMap((token) => parseKey(token, defaultPort));
  // CoreDNS puts keys together again for plugins, and does not understand one without a port
  const zones = keys.map(({ transport, zone, port }) => (port === undefined ? `${transport}://${zone}:.` : zone));
  const occurrences = Map.groupBy(block.directives, ({ name }) => name);
  const known: ReaderBlock = { zones, root: '' };
  const directives = [...occurrences].map(([name, found]) => {
    const reader = new DirectiveReader(
      name,
      known,
      found.flatMap(({ tokens }) => tokens),
    );
    return { name, reader, file: reader.word.file, line: reader.word.line };
  });
  const first = block.keys[0]!;
  return { keys, zones, directives, known, file: first.file, line: first.line };
}
