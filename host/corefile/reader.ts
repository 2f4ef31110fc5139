// What a plugin's parse() may ask about its directive in one server block. Every error it makes reads
// `plugin/NAME: FILE:LINE - Error during parsing: TEXT` and knows file, line and word.
//
//   parse(reader) {
//     return reader.once((line) => {
//       const zones = reader.zones(line.args);
//       let ttlSeconds = 30;
//       reader.properties({
//         ttl: (property) => {
//           ttlSeconds = reader.integer(reader.argument(property));
//         },
//       });
//       return { zones, ttlSeconds };
//     });
//   }
//
// Words are taken in the order in which they are asked for, as in CoreDNS, so that of several mistakes the same one is
// told. Text that no plugin asks for is the next occurrence.

import { isAbsolute, join } from 'node:path';
import { CorefileError } from '../errors.ts';
import { Cursor, Line } from './cursor.ts';
import { DurationError, parseDurationMs } from './duration.ts';
import { EndpointError, portNumber, splitEndpoint } from './endpoint.ts';
import { ipAddressOf, zonesOfArgument } from './keys.ts';
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
  readonly #cursor: Cursor;
  #lastRefusal: CorefileError | undefined;

  /** @param tokens the words of all occurrences in the block, in file order; at least one */
  constructor(name: string, block: ReaderBlock, tokens: readonly Token[]) {
    this.name = name;
    this.blockZones = block.zones;
    this.#block = block;
    this.#cursor = new Cursor(tokens);
  }

  /** The directive's first word. */
  get word(): Token {
    return this.#cursor.first;
  }

  // -------------------------------------------------------------------------------------------------- occurrences

  /** Every occurrence, in file order. */
  each<T>(read: (line: Line) => T): T[] {
    this.#cursor.rewind();
    const results: T[] = [];
    for (let word = this.#cursor.next(); word !== undefined; word = this.#cursor.next()) {
      results.push(read(new Line(word, this.#cursor)));
    }
    return results;
  }

  /** The first occurrence; what `read` leaves behind it is not looked at. */
  first<T>(read: (line: Line) => T): T {
    this.#cursor.rewind();
    return read(new Line(this.#cursor.next()!, this.#cursor));
  }

  /** The only occurrence. Throws when there is another one, but tells first what is wrong with this one. */
  once<T>(read: (line: Line) => T): T {
    const result = this.first(read);
    const second = this.#cursor.next();
    if (second !== undefined) throw this.error(second, 'this plugin can only be used once per Server Block');
    return result;
  }

  // ------------------------------------------------------------------------------------------------------- errors

  /** What CoreDNS fails at when it starts: refused when nothing else in the whole Corefile is wrong. */
  refuseLast(error: CorefileError): void {
    this.#lastRefusal ??= error;
  }

  get lastRefusal(): CorefileError | undefined {
    return this.#lastRefusal;
  }

  /** `plugin/NAME: FILE:LINE - Error during parsing: TEXT`; the text should repeat the word. */
  error(at: Token, text: string): CorefileError {
    return new CorefileError(`plugin/${this.name}: ${parsingError(at, text).message}`, placeOf(at));
  }

  /** `plugin/NAME: FILE:LINE - Syntax error: TEXT` */
  syntaxError(at: Token, text: string): CorefileError {
    return new CorefileError(`plugin/${this.name}: ${at.file}:${at.line} - Syntax error: ${text}`, placeOf(at));
  }

  /**
   * `Wrong argument count or unexpected line ending after 'WORD'`, which some plugins say to an unknown property too.
   * @param known words that it may have meant
   */
  argumentError(at: Token, known: readonly string[] = []): CorefileError {
    if (at.text === '{') return this.error(at, "Unexpected token '{', expecting argument");
    return this.unknownWord(at, `Wrong argument count or unexpected line ending after '${at.text}'`, known);
  }

  /** `unknown property 'WORD'`, and what it may have meant. */
  unknownProperty(at: Token, known: readonly string[]): CorefileError {
    return this.unknownWord(at, `unknown property '${at.text}'`, known);
  }

  /** A word that is none of these: the text, and what it may have meant. */
  unknownWord(at: Token, text: string, known: readonly string[]): CorefileError {
    return this.error(at, text + (at.text === '{' ? '' : suggestion(at.text, known)));
  }

  /** For options that CoreDNS has and this server does not have yet. */
  notSupported(at: Token): CorefileError {
    return this.error(at, `'${at.text}' is not supported yet`);
  }

  // -------------------------------------------------------------------------------------------------------- lines

  /** The line's arguments, between `min` and `max` of them. Throws argumentError() at the last word. */
  arguments(line: Line, min: number, max = Number.POSITIVE_INFINITY): readonly Token[] {
    const { args } = line;
    if (args.length < min || args.length > max) throw this.argumentError(args.at(-1) ?? line.word);
    return args;
  }

  /** The line's only argument. */
  argument(line: Line): Token {
    return this.arguments(line, 1, 1)[0]!;
  }

  /** The next word on the line, a brace too; words behind it stay where they are. Undefined at the line's end. */
  nextOnLine(): Token | undefined {
    return this.#cursor.nextOnLine();
  }

  /** The same. Throws argumentError() at `before` when there is none. */
  needOnLine(before: Token): Token {
    const word = this.#cursor.nextOnLine();
    if (word === undefined) throw this.argumentError(before);
    return word;
  }

  /** The words from here to the end of the line or to `{`. */
  restOfLine(): readonly Token[] {
    return this.#cursor.restOfLine();
  }

  /** Throws argumentError() at the next word, if it stands on the same line. */
  endOfLine(): void {
    const word = this.#cursor.nextOnLine();
    if (word !== undefined) throw this.argumentError(word);
  }

  /** Throws argumentError() at the next word, wherever it stands. */
  endOfAll(): void {
    const word = this.#cursor.next();
    if (word !== undefined) throw this.argumentError(word);
  }

  /** The words of the block that opens here, one after the other. */
  *wordsOfBlock(): Generator<Token> {
    for (let word = this.#cursor.nextInBlock(); word !== undefined; word = this.#cursor.nextInBlock()) yield word;
  }

  /**
   * Calls the table's function for each property of the block that opens here; returns where each stood last.
   * @param unknown the error for another word, where it is not `unknown property 'WORD'`
   */
  properties(
    table: PropertyTable,
    unknown?: (word: Token, known: readonly string[]) => Error,
  ): ReadonlyMap<string, Token> {
    const places = new Map<string, Token>();
    for (const word of this.wordsOfBlock()) {
      const read = Object.hasOwn(table, word.text) ? table[word.text] : undefined;
      if (read === undefined) {
        const known = Object.keys(table);
        throw unknown?.(word, known) ?? this.unknownProperty(word, known);
      }
      places.set(word.text, word);
      read(new Line(word, this.#cursor));
    }
    return places;
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
