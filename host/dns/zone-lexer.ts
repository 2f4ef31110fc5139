// Words of a zone file (RFC 1035 §5.1), as CoreDNS's DNS library cuts them: its quirks decide whether a text is a record
// (line breaks inside parentheses join words; a comment inside them that reaches the end closes them).
//
// Texts here are octet strings: every character is one octet, so that escapes and limits count what they should.

import { classNumber, isTypeMnemonic, typeNumber } from './types.ts';

export type ZoneWordKind =
  | 'owner'
  | 'string'
  | 'blank'
  | 'quote'
  | 'newline'
  | 'type'
  | 'class'
  | '$TTL'
  | '$ORIGIN'
  | '$INCLUDE'
  | '$GENERATE'
  | 'error'
  | 'end';

export interface ZoneWord {
  readonly kind: ZoneWordKind;
  /** As written, escapes included; for an error its text. */
  readonly text: string;
  /** Of a type or class. */
  readonly number: number;
  /** Where it ends: lines from 1, columns from 1. */
  readonly line: number;
  readonly column: number;
}

const DIRECTIVES: ReadonlySet<string> = new Set(['$TTL', '$ORIGIN', '$INCLUDE', '$GENERATE']);

/** All words of the text; the last is `end` or `error`. */
export function zoneWords(text: string): ZoneWord[] {
  return new ZoneLexer(text).run();
}

class ZoneLexer {
  readonly #text: string;
  readonly #words: ZoneWord[] = [];
  #line = 1;
  #column = 0;
  #word = '';
  #parentheses = 0;
  #isEscaped = false;
  #isQuoted = false;
  #isComment = false;
  /** A comment was seen since the last word; inside parentheses, also right before it. */
  #hasComment = false;
  #isCommentCarried = false;
  /** White space has been told already. */
  #isSpaceTold = false;
  #isTypeSeen = false;
  #isOwnerNext = true;
  #isFailed = false;

  constructor(text: string) {
    this.#text = text;
  }

  run(): ZoneWord[] {
    let isLineEnded = false;
    for (const character of this.#text) {
      if (isLineEnded) {
        this.#line++;
        this.#column = 0;
      }
      isLineEnded = character === '\n';
      if (!isLineEnded) this.#column++;
      this.#take(character);
      if (this.#isFailed) return this.#words;
    }
    this.#finish();
    return this.#words;
  }

  #take(character: string): void {
    const count = this.#words.length;
    this.#takeCharacter(character);
    if (this.#words.length === count) return;
    this.#hasComment = this.#isCommentCarried;
    this.#isCommentCarried = false;
  }

  #takeCharacter(character: string): void {
    if (character === '\n') this.#takeNewline();
    else if (character === '\r') this.#takeReturn();
    else if (this.#isComment) return;
    else if (character === '"') this.#takeQuote();
    else if (character === '\\') this.#takeBackslash();
    else if (' \t;()'.includes(character)) this.#takeSeparator(character);
    else {
      this.#isEscaped = false;
      this.#word += character;
      this.#isSpaceTold = false;
    }
  }

  #takeSeparator(character: string): void {
    if (this.#isEscaped || this.#isQuoted) {
      this.#word += character;
      this.#isEscaped = false;
    } else if (character === ';') this.#takeSemicolon();
    else if (character === '(') this.#parentheses++;
    else if (character === ')') {
      if (--this.#parentheses < 0) this.#fail('extra closing brace');
    } else this.#takeBlank();
  }

  #takeBlank(): void {
    const hasWord = this.#word !== '';
    if (hasWord) this.#emitWord();
    this.#isOwnerNext = false;
    if (this.#isFailed) return;
    if (!this.#isSpaceTold) {
      this.#isSpaceTold = true;
      this.#emit('blank', ' ');
    }
  }

  #takeSemicolon(): void {
    this.#isComment = true;
    this.#hasComment = true;
    this.#isCommentCarried = this.#word !== '';
    if (this.#word !== '') this.#emit('string', this.#word);
  }

  #takeReturn(): void {
    this.#isEscaped = false;
    if (this.#isQuoted) this.#word += '\r';
  }

  #takeNewline(): void {
    this.#isEscaped = false;
    if (this.#isQuoted) {
      this.#word += '\n';
    } else if (this.#isComment) {
      this.#isComment = false;
      this.#isTypeSeen = false;
      if (this.#parentheses === 0) {
        this.#isOwnerNext = true;
        this.#emit('newline', '\n');
      } else this.#isCommentCarried = true;
    } else if (this.#parentheses === 0) {
      if (this.#word !== '') this.#emitLastWord();
      this.#isCommentCarried = false;
      this.#isTypeSeen = false;
      this.#isOwnerNext = true;
      this.#emit('newline', '\n');
    }
  }

  #takeBackslash(): void {
    this.#word += '\\';
    this.#isEscaped = !this.#isEscaped;
  }

  #takeQuote(): void {
    if (this.#isEscaped) {
      this.#word += '"';
      this.#isEscaped = false;
      return;
    }
    this.#isSpaceTold = false;
    if (this.#word !== '') this.#emit('string', this.#word);
    this.#isQuoted = !this.#isQuoted;
    this.#emit('quote', '"');
  }

  #finish(): void {
    if (this.#word !== '') this.#emit('string', this.#word);
    if (this.#hasComment) this.#emit('newline', '\n');
    else if (this.#parentheses !== 0) {
      this.#fail('unbalanced brace');
      return;
    }
    this.#emit('end', '');
  }

  /** A word before white space: an owner or directive at the start of a line, else perhaps a type or class. */
  #emitWord(): void {
    const text = this.#word;
    const upper = text.toUpperCase();
    if (this.#isOwnerNext) {
      this.#emit(DIRECTIVES.has(upper) ? (upper as ZoneWordKind) : 'owner', text);
      return;
    }
    if (this.#isTypeSeen) {
      this.#emit('string', text);
      return;
    }
    const type = typeNumber(upper);
    const zoneClass = classNumber(upper);
    if (zoneClass !== undefined) {
      // TYPE and CLASS words may look alike to no one: the last rule of the two wins
      this.#isTypeSeen ||= type !== undefined;
      this.#emit('class', text, zoneClass);
    } else if (type !== undefined) {
      this.#isTypeSeen = true;
      this.#emit('type', text, type);
    } else if (upper.startsWith('TYPE')) this.#fail('unknown RR type');
    else if (upper.startsWith('CLASS')) this.#fail('unknown class');
    else this.#emit('string', text);
  }

  /** A word right before the end of a line: only mnemonics of types count. */
  #emitLastWord(): void {
    const upper = this.#word.toUpperCase();
    const type = this.#isTypeSeen || !isTypeMnemonic(upper) ? undefined : typeNumber(upper);
    if (type === undefined) this.#emit('string', this.#word);
    else this.#emit('type', this.#word, type);
  }

  #fail(text: string): void {
    this.#isFailed = true;
    this.#emit('error', text);
  }

  #emit(kind: ZoneWordKind, text: string, number = 0): void {
    this.#words.push({ kind, text, number, line: this.#line, column: this.#column });
    this.#word = '';
  }
}
