// The query while rules work on it: its question and its EDNS, which the plugins below will see. The name is the text
// that rules have made of it, spelling kept; only `lower` is what rules look at.

import type { Edns, EdnsOption } from '../../dns/edns.ts';
import type { Message, Question } from '../../dns/message.ts';
import { composeName, NameError, nameText, spelledText } from '../../dns/name.ts';
import type { Query } from '../../plugin/contract.ts';

/** Payload size of an OPT that a rule had to make (CoreDNS's plugin rewrite). */
const NEW_OPT_BYTES = 4096;

export class Asked {
  readonly query: Query;
  name: string;
  type: number;
  class: number;
  /** Undefined without EDNS; rules replace the list of options. */
  edns: Edns | undefined;
  /** Something differs from what the client sent. */
  isChanged = false;

  constructor(query: Query) {
    const question = query.message.questions[0];
    this.query = query;
    this.name = question === undefined ? query.name : spelledText(question.wire);
    this.type = query.type;
    this.class = query.class;
    this.edns = query.message.edns;
  }

  /** The name as rules see it. */
  get lower(): string {
    return printed(this.name);
  }

  /** The options; an OPT is made where there is none, even by rules that then change nothing. */
  get options(): readonly EdnsOption[] {
    if (this.edns === undefined) {
      this.edns = { payloadBytes: NEW_OPT_BYTES, extendedRcode: 0, version: 0, flags: 0, options: [] };
      this.isChanged = true;
    }
    return this.edns.options;
  }

  set options(options: readonly EdnsOption[]) {
    this.edns = { ...this.edns!, options };
    this.isChanged = true;
  }

  /** The message as the plugins below see it. Throws NameError. */
  message(): Message {
    const { message } = this.query;
    return { ...message, questions: [this.question(), ...message.questions.slice(1)], edns: this.edns };
  }

  question(): Question {
    const wire = composeName(this.name);
    return { name: nameText(wire), type: this.type, class: this.class, wire };
  }
}

/** Lower case, escapes as CoreDNS prints them; a text that is no name stays as it is. */
function printed(name: string): string {
  if (/^[\w*{}/=+-]+(?:\.[\w*{}/=+-]+)*\.$/.test(name)) return name.toLowerCase();
  try {
    return nameText(composeName(name));
  } catch (error) {
    if (error instanceof NameError) return name.toLowerCase();
    throw error;
  }
}

/** What CoreDNS's DNS library takes for a name in presentation form. */
export function isName(text: string): boolean {
  if (text === '') return false;
  if (text === '.') return true;
  const labels = splitLabels(text.endsWith('.') ? text.slice(0, -1) : text);
  if (labels === undefined || labels.some((bytes) => bytes === 0 || bytes > 63)) return false;
  return labels.reduce((sum, bytes) => sum + 1 + bytes, 0) <= 256;
}

/**
 * Whether CoreDNS's DNS library can write a text into a message as a name: every label has 1 to 63 octets, and a dot
 * ends it. The length of the whole is nothing to it.
 */
export function isPackable(text: string): boolean {
  if (text === '.') return true;
  if (!text.endsWith('.')) return false;
  const labels = splitLabels(text);
  // The closing dot, if no backslash stands before it, leaves an empty label behind it
  return labels?.pop() === 0 && labels.every((bytes) => bytes > 0 && bytes <= 63);
}

/** Octets of a text as CoreDNS's DNS library counts it where a name should stand. */
export function textBytes(text: string): number {
  const labels = splitLabels(text) ?? [];
  return labels.reduce((sum, bytes) => sum + 1 + bytes, 0);
}

/** Octets of each label; undefined if a backslash ends the text. */
function splitLabels(text: string): number[] | undefined {
  const labels: number[] = [];
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '.') {
      labels.push(bytes);
      bytes = 0;
      continue;
    }
    if (text[i] === '\\') {
      if (i + 1 === text.length) return undefined;
      i += /^\d{3}/.test(text.slice(i + 1, i + 4)) ? 3 : 1;
    }
    bytes += text.codePointAt(i)! < 0x80 ? 1 : Buffer.byteLength(text[i]!);
  }
  return [...labels, bytes];
}
