// One record from its text (RFC 1035 §5.1), as CoreDNS's DNS library reads it: owner, TTL and class in either order,
// type, data; $TTL and $ORIGIN may stand before it. Missing: TTL 3600, class IN, origin the root.

import { CLASS_IN } from '../../engine-as/shared/codes.ts';
import type { ResourceRecord } from './message.ts';
import { spelledText } from './name.ts';
import { absoluteName, RecordWords, ttlSeconds, UnwritableRecord, ZoneFileError } from './zone-fields.ts';
import { type ZoneWord, zoneWords } from './zone-lexer.ts';
import { parseRdata } from './zone-rdata.ts';

export { UnwritableRecord, ZoneFileError };

const DEFAULT_TTL_SECONDS = 3600;

interface Heading {
  owner: Uint8Array;
  ttl: number;
  class: number;
}

/**
 * The first record of an octet string (one character an octet); undefined when it holds none. Throws ZoneFileError
 * for a text that is no record, UnwritableRecord for a record that no message can carry.
 */
export function parseRecord(octets: string): ResourceRecord | undefined {
  return new ZoneFile(zoneWords(octets.endsWith('\n') || octets === '' ? octets : `${octets}\n`)).record();
}

class ZoneFile {
  readonly #words: readonly ZoneWord[];
  #at = 0;
  #origin = '.';
  #ttl = DEFAULT_TTL_SECONDS;

  constructor(words: readonly ZoneWord[]) {
    this.#words = words;
  }

  record(): ResourceRecord | undefined {
    let owner = new Uint8Array(0);
    // Bounds: every turn takes at least one word
    for (;;) {
      const word = this.#next();
      if (word.kind === 'end') return undefined;
      if (word.kind === 'blank' || word.kind === 'newline') continue;
      if (word.kind === '$TTL' || word.kind === '$ORIGIN') this.#directive(word);
      else if (word.kind === 'owner') {
        const name = absoluteName(word.text, this.#origin);
        if (name === undefined) throw new ZoneFileError('bad owner name', word);
        owner = Uint8Array.from(name);
        this.#expectBlank('no blank after owner');
        return this.#behindOwner({ owner, ttl: this.#ttl, class: CLASS_IN }, true);
      } else if (word.kind === '$INCLUDE') throw new ZoneFileError('$INCLUDE directive not allowed', word);
      else if (word.kind === '$GENERATE') throw new ZoneFileError('$GENERATE directive not allowed', word);
      else {
        this.#at--;
        return this.#behindOwner({ owner, ttl: this.#ttl, class: CLASS_IN }, false);
      }
    }
  }

  #directive({ kind }: ZoneWord): void {
    const directive = kind as string;
    this.#expectBlank(`no blank after ${directive}-directive`);
    const word = this.#next();
    const wrong = `expecting ${directive} value, not this...`;
    if (word.kind !== 'string') throw new ZoneFileError(wrong, word);
    const rest = new RecordWords(this.#words, this.#at, this.#origin);
    rest.endOfLine();
    while (this.#words[this.#at - 1]?.kind !== 'newline' && this.#at < this.#words.length - 1) this.#at++;
    if (directive === '$TTL') {
      const ttl = ttlSeconds(word.text);
      if (ttl === undefined) throw new ZoneFileError(wrong, word);
      this.#ttl = ttl;
      return;
    }
    const origin = absoluteName(word.text, this.#origin);
    if (origin === undefined) throw new ZoneFileError('bad origin name', word);
    this.#origin = spelledText(origin);
  }

  /** TTL and class, each at most once, in either order; then the type. */
  #behindOwner(heading: Heading, hasOwner: boolean): ResourceRecord {
    let isTtlRead = false;
    let isClassRead = false;
    for (;;) {
      const word = this.#next();
      if (word.kind === 'error') throw new ZoneFileError(word.text, word);
      if (word.kind === 'type') {
        return this.#behindType(heading, word.number);
      }
      const isBoth = isTtlRead && isClassRead;
      if (word.kind === 'class' && !isClassRead) {
        heading.class = word.number;
        isClassRead = true;
        this.#expectBlank(isTtlRead ? 'no blank before RR type' : 'no blank before class');
      } else if (word.kind === 'string' && !isTtlRead) {
        const ttl = ttlSeconds(word.text);
        if (ttl === undefined) throw new ZoneFileError('not a TTL', word);
        heading.ttl = ttl;
        isTtlRead = true;
        this.#expectBlank(isClassRead ? 'no blank before RR type' : 'no blank before TTL');
      } else if (isBoth) throw new ZoneFileError('unknown RR type', word);
      else throw new ZoneFileError(wrongWord(isTtlRead, isClassRead, hasOwner), word);
    }
  }

  #behindType(heading: Heading, type: number): ResourceRecord {
    const rdata = this.#rdata(type);
    if (rdata.length > 0xffff) throw new UnwritableRecord('the data exceeds 65535 octets');
    if (heading.owner.length === 0) throw new UnwritableRecord('the record has no owner');
    const spelled = spelledText(heading.owner);
    const name = spelled.toLowerCase();
    const record = { name, type, class: heading.class, ttl: heading.ttl, rdata };
    return spelled === name ? record : { ...record, wire: heading.owner };
  }

  #rdata(type: number): Uint8Array {
    const behind = this.#next();
    if (this.#words[this.#at]?.kind === 'end') return new Uint8Array(0);
    if (behind.kind === 'newline') throw new ZoneFileError('unexpected newline', behind);
    try {
      return parseRdata(type, new RecordWords(this.#words, this.#at, this.#origin));
    } catch (error) {
      // CoreDNS's library names no word when the line ends too early
      if (error instanceof ZoneFileError && error.word.kind === 'end') throw new ZoneFileError(error.reason, behind);
      throw error;
    }
  }

  #expectBlank(error: string): void {
    const word = this.#next();
    if (word.kind !== 'blank') throw new ZoneFileError(error, word);
  }

  #next(): ZoneWord {
    const word = this.#words[this.#at]!;
    if (this.#at < this.#words.length) this.#at++;
    if (this.#at === this.#words.length && word.kind !== 'end' && word.kind !== 'error') this.#at--;
    if (word.kind === 'error') throw new ZoneFileError(word.text, word);
    return word;
  }
}

function wrongWord(isTtlRead: boolean, isClassRead: boolean, hasOwner: boolean): string {
  if (isTtlRead) return 'expecting RR type or class, not this...';
  if (isClassRead) return 'expecting RR type or TTL, not this...';
  return hasOwner ? 'expecting RR type, TTL or class, not this...' : 'syntax error at beginning';
}
