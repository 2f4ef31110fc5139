// What a plugin's parse() may ask about its directive in one server block. Every error it makes reads
// `plugin/NAME: FILE:LINE - Error during parsing: TEXT` and knows file, line and word.
//
//   parse(reader) {
//     const line = reader.once();
//     const zones = reader.zones(line.args);
//     let ttlSeconds = 30;
//     reader.properties(line, {
//       ttl: (property) => {
//         ttlSeconds = reader.integer(reader.argument(property));
//       },
//     });
//     return { zones, ttlSeconds };
//   }

import { isAbsolute, join } from 'node:path';
import { CorefileError } from '../errors.ts';
import { DurationError, parseDurationMs } from './duration.ts';
import { EndpointError, portNumber, splitEndpoint } from './endpoint.ts';
import { ipAddressOf, zonesOfArgument } from './keys.ts';
import { groupLines, type Line } from './line.ts';
import { suggestion } from './suggestion.ts';
import { parsingError, placeOf, type Token } from './token.ts';

export type { Line, Token };

export interface IpEndpoint {
  /** An IP address, without brackets; a zone identifier (`%eth0`) is kept. */
  readonly address: string;
  readonly port: number;
}

/** Where an HTTP server of a plugin listens. */
export type ListenEndpoint = {
  /** A name or an address; '' = all addresses. */
  readonly address: string;
  readonly port: number;
  /** Why nobody can listen there, in Go's words. */
  readonly fault: string | undefined;
};

/** One small function for each property's word. */
export type PropertyTable = Readonly<Record<string, (property: Line) => void>>;

/** What the readers of one server block know about it. */
export interface ReaderBlock {
  /** Zones of the block's keys, lower-case and fully qualified. */
  readonly zones: readonly string[];
  /** Where relative paths begin, '' = the working directory. Set once the block's `root` has been parsed. */
  root: string;
}

export class DirectiveReader {
  readonly name: string;
  /** Zones of the server block. */
  readonly blockZones: readonly string[];
  readonly #block: ReaderBlock;
  /** All occurrences of the directive in the block, in file order; at least one. */
  readonly occurrences: readonly Line[];

  constructor(name: string, block: ReaderBlock, occurrences: readonly (readonly Token[])[]) {
    this.name = name;
    this.blockZones = block.zones;
    this.#block = block;
    this.occurrences = occurrences.map((tokens) => groupLines(tokens, (at, text) => this.error(at, text)));
  }

  /** The only occurrence. Throws when there is another one. */
  once(): Line {
    const second = this.occurrences[1];
    if (second !== undefined) throw this.error(second.word, 'this plugin can only be used once per Server Block');
    return this.occurrences[0]!;
  }

  // ------------------------------------------------------------------------------------------------------- errors

  /** `plugin/NAME: FILE:LINE - Error during parsing: TEXT`; the text should repeat the word. */
  error(at: Token, text: string): CorefileError {
    return new CorefileError(`plugin/${this.name}: ${parsingError(at, text).message}`, placeOf(at));
  }

  /** `plugin/NAME: FILE:LINE - Syntax error: TEXT` */
  syntaxError(at: Token, text: string): CorefileError {
    return new CorefileError(`plugin/${this.name}: ${at.file}:${at.line} - Syntax error: ${text}`, placeOf(at));
  }

  /** `Wrong argument count or unexpected line ending after 'WORD'` */
  argumentError(at: Token): CorefileError {
    if (at.text === '{') return this.error(at, "Unexpected token '{', expecting argument");
    return this.error(at, `Wrong argument count or unexpected line ending after '${at.text}'`);
  }

  /** `unknown property 'WORD'`, and what it may have meant. */
  unknownProperty(at: Token, known: readonly string[] = []): CorefileError {
    return this.unknownWord(at, `unknown property '${at.text}'`, known);
  }

  /** A word that is none of these: the text, and what it may have meant. */
  unknownWord(at: Token, text: string, known: readonly string[]): CorefileError {
    return this.error(at, text + suggestion(at.text, known));
  }

  /** For options that CoreDNS has and this server does not have yet. */
  notSupported(at: Token): CorefileError {
    return this.error(at, `'${at.text}' is not supported yet`);
  }

  // -------------------------------------------------------------------------------------------------------- lines

  /** The line's arguments, between `min` and `max` of them. Throws argumentError() at the word that is wrong. */
  arguments(line: Line, min: number, max = Number.POSITIVE_INFINITY): readonly Token[] {
    if (line.args.length < min) throw this.argumentError(line.args.at(-1) ?? line.word);
    if (line.args.length > max) throw this.argumentError(line.args[max]!);
    return line.args;
  }

  /** The line's only argument. */
  argument(line: Line): Token {
    return this.arguments(line, 1, 1)[0]!;
  }

  /**
   * Calls the table's function for each property of the line's block.
   * @param unknown CoreDNS's text for another word, where it is not `unknown property 'WORD'`
   */
  properties(line: Line, table: PropertyTable, unknown?: (word: string) => string): void {
    for (const property of line.properties) {
      const { word } = property;
      const read = Object.hasOwn(table, word.text) ? table[word.text] : undefined;
      if (read === undefined) {
        throw this.unknownWord(word, unknown?.(word.text) ?? `unknown property '${word.text}'`, Object.keys(table));
      }
      read(property);
      // No option of any directive has a block of its own.
      if (property.open !== undefined) throw this.unknownProperty(property.open);
    }
  }

  /** Throws when the line opens a block, even an empty one. */
  noBlock(line: Line): void {
    if (line.open !== undefined) throw this.argumentError(line.open);
  }

  /** Throws when the line opens a block with anything in it. */
  noProperties(line: Line): void {
    this.properties(line, {});
  }

  // ------------------------------------------------------------------------------------------------------- values

  /**
   * Go's duration: `300ms`, `1.5h`, `2h45m`; may be negative. Throws with Go's words: `time: missing unit in ...`.
   * @param what goes before them
   */
  durationMs(token: Token, what = ''): number {
    try {
      return parseDurationMs(token.text);
    } catch (error) {
      if (error instanceof DurationError) throw this.error(token, what + error.message);
      throw error;
    }
  }

  /** A decimal integer, perhaps signed. Throws with Go's words: `strconv.Atoi: parsing "x": invalid syntax`. */
  integer(token: Token): number {
    const value = this.maybeInteger(token);
    if (value === undefined)
      throw this.error(token, `strconv.Atoi: parsing ${JSON.stringify(token.text)}: invalid syntax`);
    if (!Number.isSafeInteger(value)) {
      throw this.error(token, `strconv.Atoi: parsing ${JSON.stringify(token.text)}: value out of range`);
    }
    return value;
  }

  /** The same, but undefined for a word that is no integer at all. */
  maybeInteger(token: Token): number | undefined {
    return /^[-+]?\d+$/.test(token.text) ? Number(token.text) : undefined;
  }

  /**
   * `ADDRESS[:PORT]` with an IP address, IPv6 with or without brackets. Throws with CoreDNS's words:
   * ``must specify an IP address: `x'``.
   */
  ipEndpoint(token: Token, defaultPort: number): IpEndpoint {
    if (ipAddressOf(token.text) !== undefined) return { address: token.text, port: defaultPort };
    const unbracketed = /^\[([^\]]*)\]$/.exec(token.text)?.[1];
    if (unbracketed !== undefined && ipAddressOf(unbracketed) !== undefined) {
      return { address: unbracketed, port: defaultPort };
    }
    const endpoint = this.#endpointOrUndefined(token);
    if (endpoint === undefined || ipAddressOf(endpoint.address) === undefined) {
      throw this.error(token, `must specify an IP address: \`${endpoint?.address ?? token.text}'`);
    }
    return { address: endpoint.address, port: this.#port(token, endpoint.port || String(defaultPort)) };
  }

  /**
   * The address of a listener, `ADDRESS:PORT` or `:PORT` (all addresses, ''). Throws with Go's words:
   * `address x: missing port in address`. A port that is none shows when somebody listens: the fault.
   */
  listenAddress(token: Token): ListenEndpoint {
    try {
      const { address, port } = splitEndpoint(token.text);
      const number = portNumber(port || '0');
      if (number !== undefined) return { address, port: number, fault: undefined };
      const fault = /^[-+]?\d+$/.test(port) ? `address ${port}: invalid port` : `lookup tcp/${port}: unknown port`;
      return { address, port: 0, fault };
    } catch (error) {
      if (error instanceof EndpointError) throw this.error(token, error.message);
      throw error;
    }
  }

  /** A file's path: relative ones begin at the block's root (plugin root). */
  path(token: Token): string {
    const { root } = this.#block;
    return isAbsolute(token.text) || root === '' ? token.text : join(root, token.text);
  }

  /**
   * Zones of `[ZONES...]` arguments: the block's when there are none; CIDR is expanded, words that are no zone are
   * skipped as CoreDNS does.
   */
  zones(args: readonly Token[]): readonly string[] {
    if (args.length === 0) return this.blockZones;
    return args.flatMap((token) => zonesOfArgument(token.text) ?? []);
  }

  #endpointOrUndefined(token: Token): { address: string; port: string } | undefined {
    try {
      return splitEndpoint(token.text);
    } catch (error) {
      if (error instanceof EndpointError) return undefined;
      throw error;
    }
  }

  #port(token: Token, text: string): number {
    const port = portNumber(text);
    if (port === undefined) throw this.error(token, `address ${token.text}: invalid port`);
    return port;
  }
}
