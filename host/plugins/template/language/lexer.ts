// Items of Go's template language (text/template): text between actions, and the words inside `{{ ... }}`.
// Texts are octet strings (one character an octet), as Go's strings are.

export type ItemKind =
  | 'text'
  | 'left'
  | 'right'
  | 'space'
  | '='
  | ':='
  | '|'
  | '('
  | ')'
  | 'string'
  | 'raw'
  | 'rune'
  | 'number'
  | 'variable'
  | 'field'
  | 'dot'
  | 'bool'
  | 'keyword'
  | 'identifier'
  | 'character'
  /** The text is no template from here on; `text` says why. */
  | 'error'
  | 'end';

export interface Item {
  readonly kind: ItemKind;
  readonly text: string;
  /** Offset in the template. */
  readonly at: number;
}

/** A template that is none; the parser puts the place in front. */
export class TemplateSyntaxError extends Error {
  override name = 'TemplateSyntaxError';
}

const KEYWORDS = new Set('break continue define block else end if nil range template with'.split(' '));
const SPACES = ' \t\r\n';

/** All items; the last is `end` or `error`. */
export function templateItems(text: string): Item[] {
  return new Lexer(text).run();
}

class LexicalError extends Error {}

class Lexer {
  readonly #text: string;
  readonly #items: Item[] = [];
  #at = 0;
  #parentheses = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): Item[] {
    try {
      this.#scan();
    } catch (error) {
      if (!(error instanceof LexicalError)) throw error;
      this.#items.push({ kind: 'error', text: error.message, at: Math.min(this.#at, this.#text.length) });
    }
    return this.#items;
  }

  #scan(): void {
    let textAt = 0;
    for (;;) {
      const open = this.#text.indexOf('{{', textAt);
      if (open < 0) break;
      const isTrimmed = isLeftTrim(this.#text, open + 2);
      const before = this.#text.slice(textAt, open);
      this.#push('text', isTrimmed ? before.replace(/[ \t\r\n]+$/, '') : before, textAt);
      this.#at = open + (isTrimmed ? 3 : 2);
      textAt = this.#text.startsWith('/*', this.#at + (isTrimmed ? 1 : 0))
        ? this.#comment(isTrimmed)
        : this.#action(open);
    }
    this.#push('text', this.#text.slice(textAt), textAt);
    this.#items.push({ kind: 'end', text: 'EOF', at: this.#text.length });
  }

  #fail(text: string): never {
    throw new LexicalError(text);
  }

  #push(kind: ItemKind, text: string, at: number): void {
    if (text !== '') this.#items.push({ kind, text, at });
  }

  /** Returns where the text goes on. */
  #comment(isTrimmed: boolean): number {
    const at = this.#at + (isTrimmed ? 1 : 0);
    const close = this.#text.indexOf('*/', at + 2);
    if (close < 0) this.#fail('unclosed comment');
    const end = this.#rightDelimiter(close + 2);
    if (end === undefined) this.#fail('comment ends before closing delimiter');
    return end!;
  }

  #action(open: number): number {
    this.#items.push({ kind: 'left', text: '{{', at: open });
    if (this.#at === open + 3) this.#at++; // the space behind the trim marker
    this.#parentheses = 0;
    // Bounds: every turn takes a character or throws
    for (;;) {
      const end = this.#rightDelimiter(this.#at);
      if (end !== undefined) {
        if (this.#parentheses !== 0) this.#fail('unclosed left paren');
        this.#items.push({ kind: 'right', text: '}}', at: this.#at });
        return end;
      }
      this.#word();
    }
  }

  /** Where the text goes on behind `}}` or ` -}}` at this place; undefined if there is none. */
  #rightDelimiter(at: number): number | undefined {
    if (this.#text.startsWith('}}', at)) return at + 2;
    if (!SPACES.includes(this.#text[at] ?? 'x') || !this.#text.startsWith('-}}', at + 1)) return undefined;
    const behind = at + 4;
    return behind + /^[ \t\r\n]*/.exec(this.#text.slice(behind))![0].length;
  }

  #word(): void {
    const at = this.#at;
    const character = this.#text[at];
    if (character === undefined) this.#fail('unclosed action');
    else if (SPACES.includes(character)) this.#space();
    else if (character === '"' || character === "'") this.#quoted(character);
    else if (character === '`') this.#rawQuoted();
    else if (character === '$' || (character === '.' && !/\d/.test(this.#text[at + 1] ?? ''))) this.#name(character);
    else if (/[+\-.\d]/.test(character)) this.#number();
    else if (isAlphanumeric(character)) this.#identifier();
    else this.#sign(character);
  }

  #take(kind: ItemKind, end: number): void {
    this.#items.push({ kind, text: this.#text.slice(this.#at, end), at: this.#at });
    this.#at = end;
  }

  #space(): void {
    let end = this.#at + 1;
    while (SPACES.includes(this.#text[end] ?? 'x')) end++;
    // The last space may belong to a trim marker
    if (this.#text.startsWith('-}}', end)) end--;
    if (end > this.#at) this.#take('space', end);
  }

  #quoted(quote: string): void {
    let end = this.#at + 1;
    for (; this.#text[end] !== quote; end++) {
      if (this.#text[end] === '\\') end++;
      if (end >= this.#text.length || this.#text[end] === '\n') {
        this.#fail(`unterminated ${quote === '"' ? 'quoted string' : 'character constant'}`);
      }
    }
    this.#take(quote === '"' ? 'string' : 'rune', end + 1);
  }

  #rawQuoted(): void {
    const close = this.#text.indexOf('`', this.#at + 1);
    if (close < 0) this.#fail('unterminated raw quoted string');
    this.#take('raw', close + 1);
  }

  /** `.field`, `.`, `$name`, `$`. */
  #name(first: string): void {
    const end = this.#alphanumericEnd(this.#at + 1);
    this.#expectTerminator(end);
    const isBare = end === this.#at + 1;
    if (first === '$') this.#take('variable', end);
    else this.#take(isBare ? 'dot' : 'field', end);
  }

  #identifier(): void {
    const end = this.#alphanumericEnd(this.#at);
    this.#expectTerminator(end);
    const word = this.#text.slice(this.#at, end);
    if (KEYWORDS.has(word)) this.#take('keyword', end);
    else this.#take(word === 'true' || word === 'false' ? 'bool' : 'identifier', end);
  }

  #alphanumericEnd(from: number): number {
    let end = from;
    while (isAlphanumeric(this.#text[end])) end++;
    return end;
  }

  #expectTerminator(at: number): void {
    const character = this.#text[at];
    if (character === undefined || `${SPACES}.,|:)(`.includes(character) || this.#text.startsWith('}}', at)) return;
    this.#fail(`bad character ${unicode(character)}`);
  }

  #number(): void {
    const rest = this.#text.slice(this.#at);
    const match =
      /^[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[\d_]*)?|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?|[\d_]*(?:\.[\d_]*)?(?:[eE][+-]?[\d_]*)?)/.exec(
        rest,
      )![0];
    const next = rest[match.length];
    if (isAlphanumeric(next) || next === '+' || next === '-' || match === '') {
      this.#fail(`bad number syntax: ${JSON.stringify(rest.slice(0, match.length + 1))}`);
    }
    this.#take('number', this.#at + match.length);
  }

  #sign(character: string): void {
    if (character === ':') {
      if (this.#text[this.#at + 1] !== '=') this.#fail('expected :=');
      this.#take(':=', this.#at + 2);
      return;
    }
    if (character === '(') this.#parentheses++;
    if (character === ')' && --this.#parentheses < 0) this.#fail('unexpected right paren');
    if (character < ' ' || character > '~') {
      this.#fail(`unrecognized character in action: ${unicode(character)}`);
    }
    this.#take('=|()'.includes(character) ? (character as ItemKind) : 'character', this.#at + 1);
  }
}

function isLeftTrim(text: string, at: number): boolean {
  return text[at] === '-' && SPACES.includes(text[at + 1] ?? 'x');
}

/** Octets beyond ASCII count as letters: they are parts of UTF-8 sequences. */
function isAlphanumeric(character: string | undefined): boolean {
  return character !== undefined && /[\w\u0080-\u00ff]/.test(character);
}

function unicode(character: string): string {
  return `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')} '${character}'`;
}
