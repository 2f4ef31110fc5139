// Words of a Corefile -> server blocks with their directives: braces, snippets, imports, environment variables.
// What a directive's words mean is for its plugin; here only their extent matters.

import { type Environment, replaceEnvironment } from './environment.ts';
import { Imports, snippetLoop } from './import.ts';
import { lex } from './lexer.ts';
import { isSameLine, lastLine, parsingError, syntaxError, type Token } from './token.ts';

export interface ParsedCorefile {
  readonly blocks: readonly ParsedBlock[];
  readonly warnings: readonly string[];
}

export interface ParsedBlock {
  /** Addresses, without commas. */
  readonly keys: readonly Token[];
  /** In file order, one entry an occurrence. */
  readonly directives: readonly ParsedDirective[];
}

export interface ParsedDirective {
  readonly name: string;
  /** The directive's word and everything up to the end of its line or of the block it opens, braces included. */
  readonly tokens: readonly Token[];
}

export interface ParseOptions {
  readonly environment: Environment;
  /** Refuses a directive by throwing; called with each directive's word in file order. */
  readonly checkDirective?: (name: string, at: Token) => void;
}

/** Words in all imports together; snippets that import each other grow exponentially before their own limit ends them. */
export const TOKENS_MAX = 1_000_000;

/** Throws CorefileError, and nothing else. */
export function parseCorefile(text: string, file: string, options: ParseOptions): ParsedCorefile {
  return new Parser(lex(text, file), options).parse();
}

/** `Wrong argument count or unexpected line ending after 'WORD'` */
function argumentError(at: Token): Error {
  if (at.text === '{') return parsingError(at, "Unexpected token '{', expecting argument");
  return parsingError(at, `Wrong argument count or unexpected line ending after '${at.text}'`);
}

class Parser {
  readonly #tokens: TokenStream;
  readonly #environment: Environment;
  readonly #checkDirective: ((name: string, at: Token) => void) | undefined;
  readonly #imports = new Imports();
  readonly #warnings: string[] = [];

  constructor(tokens: readonly Token[], options: ParseOptions) {
    this.#tokens = new TokenStream(tokens);
    this.#environment = options.environment;
    this.#checkDirective = options.checkDirective;
  }

  parse(): ParsedCorefile {
    const blocks: ParsedBlock[] = [];
    while (this.#tokens.next()) {
      const block = this.#block();
      if (block !== undefined) blocks.push(block);
    }
    return { blocks, warnings: [...this.#imports.warnings, ...this.#warnings] };
  }

  /** Undefined: a snippet, or a block that serves nothing because it has no address. */
  #block(): ParsedBlock | undefined {
    const first = this.#word();
    const { keys, isAtEnd } = this.#addresses();
    const snippet = isAtEnd ? undefined : snippetName(keys);
    if (snippet !== undefined) {
      this.#imports.checkFree(snippet, this.#word());
      this.#imports.define(snippet, this.#snippetBody(snippet));
      return undefined;
    }
    const directives = isAtEnd ? [] : this.#blockContents();
    if (keys.length > 0) return { keys, directives };
    if (directives.length > 0) {
      this.#warnings.push(`${first.file}:${first.line} - a server block without an address is ignored`);
    }
    return undefined;
  }

  /** Ends on the opening brace, on the first word of the next line, or at the end of the file. */
  #addresses(): { keys: Token[]; isAtEnd: boolean } {
    const keys: Token[] = [];
    let isExpectingAnother = false;
    for (;;) {
      const token = replaceEnvironment(this.#word(), this.#environment);
      if (token.text === 'import' && this.#tokens.isNewLine()) {
        this.#import();
        if (!this.#tokens.next()) return { keys, isAtEnd: true };
        continue;
      }
      if (token.text === '{') {
        if (!isExpectingAnother) return { keys, isAtEnd: false };
        throw parsingError(token, "Expected another address but had '{' - check for extra comma");
      }
      // An unset environment variable leaves an empty word, which is no address.
      if (token.text !== '') {
        isExpectingAnother = token.text.endsWith(',');
        keys.push(isExpectingAnother ? { ...token, text: token.text.slice(0, -1) } : token);
      }
      const hasNext = this.#tokens.next();
      if (isExpectingAnother && !hasNext) throw unexpectedEnd(this.#word());
      if (!hasNext) return { keys, isAtEnd: true };
      if (!isExpectingAnother && this.#tokens.isNewLine()) return { keys, isAtEnd: false };
    }
  }

  #blockContents(): ParsedDirective[] {
    const hasBrace = this.#word().text === '{';
    // The only block of a file needs no braces: what stands here is its first directive.
    if (!hasBrace) this.#tokens.unread();
    const directives = this.#directives();
    if (hasBrace && this.#word().text !== '}') throw syntaxError(this.#word(), '}');
    return directives;
  }

  /** Ends on `}` or at the end of the file. */
  #directives(): ParsedDirective[] {
    const directives: ParsedDirective[] = [];
    while (this.#tokens.next()) {
      if (this.#word().text === '}') break;
      if (this.#word().text === 'import') this.#import();
      else directives.push(this.#directive());
    }
    return directives;
  }

  #directive(): ParsedDirective {
    const word = replaceEnvironment(this.#word(), this.#environment);
    this.#checkDirective?.(word.text, word);
    const tokens: Token[] = [word];
    let nesting = 0;
    while (this.#tokens.next()) {
      const token = this.#word();
      if (token.text === '{') nesting++;
      else if (nesting === 0 && this.#tokens.isNewLine()) {
        this.#tokens.unread();
        break;
      } else if (token.text === '}') {
        if (nesting === 0) throw parsingError(token, "Unexpected '}' because no matching opening brace");
        nesting--;
      } else if (token.text === 'import' && this.#tokens.isNewLine()) {
        this.#import();
        continue;
      }
      const replaced = replaceEnvironment(token, this.#environment);
      this.#tokens.current = replaced;
      tokens.push(replaced);
    }
    if (nesting > 0) throw unexpectedEnd(this.#word());
    return { name: word.text, tokens };
  }

  /** Takes `import` and its argument out of the stream and puts the imported words there. */
  #import(): void {
    const word = this.#word();
    const before = this.#tokens.previous;
    if (!this.#tokens.nextArgument()) throw argumentError(word);
    const pattern = replaceEnvironment(this.#word(), this.#environment);
    if (pattern.text === '') throw parsingError(pattern, 'Import requires a non-empty filepath');
    if (this.#tokens.nextArgument()) {
      throw parsingError(this.#word(), 'Import takes only one argument (glob pattern or file)');
    }
    const imported = this.#imports.expand(pattern);
    if (!this.#tokens.insert(before, imported)) {
      throw parsingError(pattern, `the configuration exceeds ${TOKENS_MAX} words with this import`);
    }
  }

  #snippetBody(name: string): Token[] {
    if (this.#word().text !== '{') throw syntaxError(this.#word(), '{');
    const body: Token[] = [];
    let depth = 1;
    while (depth > 0) {
      if (!this.#tokens.next()) throw syntaxError(this.#word(), '}');
      const text = this.#word().text;
      if (text === '{') depth++;
      if (text === '}') depth--;
      if (depth > 0) body.push(this.#word());
    }
    const importsItself = body.some(
      (token, i) =>
        token.text === 'import' &&
        (i === 0 || !isSameLine(body[i - 1]!, token)) &&
        body[i + 1] !== undefined &&
        replaceEnvironment(body[i + 1]!, this.#environment).text === name,
    );
    if (importsItself) throw snippetLoop(this.#word());
    return body;
  }

  /** The current word. */
  #word(): Token {
    // Bounds: parse() enters a block only after next() returned true, and the current word stays at the end.
    return this.#tokens.current!;
  }
}

/** A stack of words still to come, so that an import in the middle costs only what it brings. */
class TokenStream {
  readonly #coming: Token[];
  #total: number;
  current: Token | undefined;
  previous: Token | undefined;

  constructor(tokens: readonly Token[]) {
    this.#coming = tokens.toReversed();
    this.#total = tokens.length;
  }

  /** False at the end, where the current token stays. */
  next(): boolean {
    const token = this.#coming.pop();
    if (token === undefined) return false;
    this.previous = this.current;
    this.current = token;
    return true;
  }

  /** Advances only when the next word stands on the same line. */
  nextArgument(): boolean {
    const coming = this.#coming.at(-1);
    return this.current !== undefined && coming !== undefined && isSameLine(this.current, coming) && this.next();
  }

  /** Steps back by one word; only once before the next next(). */
  unread(): void {
    this.#coming.push(this.current!);
    this.current = this.previous;
    this.previous = undefined;
  }

  /** True when the current word begins a line, or a file. */
  isNewLine(): boolean {
    if (this.previous === undefined) return true;
    const { previous, current } = this;
    return previous.file !== current!.file || lastLine(previous) < current!.line;
  }

  /** Forgets the words since `before` and puts `tokens` next. False: too many words. */
  insert(before: Token | undefined, tokens: readonly Token[]): boolean {
    this.#total += tokens.length;
    if (this.#total > TOKENS_MAX) return false;
    for (let i = tokens.length - 1; i >= 0; i--) this.#coming.push(tokens[i]!);
    this.current = before;
    this.previous = undefined;
    return true;
  }
}

function snippetName(keys: readonly Token[]): string | undefined {
  const key = keys[0]?.text;
  if (keys.length !== 1 || key === undefined || !key.startsWith('(') || !key.endsWith(')')) return undefined;
  return key.slice(1, -1);
}

function unexpectedEnd(at: Token): Error {
  return parsingError(at, 'Unexpected EOF');
}
