// Label selectors as the Corefile writes them (k8s.io/apimachinery, label selector syntax), with the API machinery's
// own words for what is wrong with one:
//
//   selector     requirement *( "," requirement )
//   requirement  KEY | "!" KEY | KEY ("=" | "==") VALUE | KEY ("in" | "notin") "(" VALUE *( "," VALUE ) ")"

/** One requirement; the selector that the API gets is their texts joined by commas, in the order of the keys. */
export type Requirement = { readonly key: string; readonly text: string };

/** A text that is no label selector. */
export class SelectorError extends Error {}

type TokenKind = 'identifier' | 'end' | ')' | '(' | ',' | '!' | '==' | '=' | '>' | '<' | '!=' | 'in' | 'notin';
interface SelectorToken {
  readonly kind: TokenKind;
  readonly text: string;
}

const SYMBOLS: readonly string[] = [')', ',', '!', '==', '=', '>', '<', '!=', '('];
const OPERATORS = 'in, notin, =, ==, !=, gt, lt';

/** Requirements in the order of their keys, equality before sets. @throws SelectorError */
export function parseSelector(text: string): readonly Requirement[] {
  try {
    return new Parser(tokensOf(text)).selector();
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    throw new SelectorError(`couldn't parse the selector string "${text}": ${error.message}`);
  }
}

/** `labelSelector` of a request. */
export function selectorText(requirements: readonly Requirement[]): string {
  return requirements.map(({ text }) => text).join(',');
}

/** The selector with one requirement more: that the label exists. */
export function withLabel(requirements: readonly Requirement[], key: string): readonly Requirement[] {
  return byKey([...requirements, { key, text: key }]);
}

function byKey(requirements: readonly Requirement[]): readonly Requirement[] {
  return requirements.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

class SyntaxFault extends Error {}

function tokensOf(text: string): SelectorToken[] {
  const tokens: SelectorToken[] = [];
  const pattern = /[ \t\r\n]+|[=!(),><]+|[^=!(),>< \t\r\n]+/g;
  for (const [piece] of text.matchAll(pattern)) {
    if (/^[ \t\r\n]/.test(piece)) continue;
    if (/^[=!(),><]/.test(piece)) tokens.push(...symbolsOf(piece));
    else tokens.push({ kind: piece === 'in' || piece === 'notin' ? piece : 'identifier', text: piece });
  }
  tokens.push({ kind: 'end', text: '' });
  return tokens;
}

/** The longest symbol each time, as `!=` and `==` begin with others. */
function symbolsOf(run: string): SelectorToken[] {
  const tokens: SelectorToken[] = [];
  for (let at = 0; at < run.length; ) {
    const pair = run.slice(at, at + 2);
    const symbol = SYMBOLS.includes(pair) ? pair : run[at]!;
    tokens.push({ kind: symbol as TokenKind, text: symbol });
    at += symbol.length;
  }
  return tokens;
}

class Parser {
  readonly #tokens: readonly SelectorToken[];
  #at = 0;

  constructor(tokens: readonly SelectorToken[]) {
    this.#tokens = tokens;
  }

  selector(): readonly Requirement[] {
    const equalities = new Map<string, Requirement>();
    const others: Requirement[] = [];
    const unsupported: Requirement[] = [];
    while (this.#peek().kind !== 'end') {
      const { kind, text } = this.#peek();
      if (!isIdentifier(kind) && kind !== '!') {
        throw new SyntaxFault(`found '${text}', expected: !, identifier, or 'end of string'`);
      }
      const { requirement, operator } = this.#requirement();
      if (operator === '=') equalities.set(requirement.key, requirement);
      else others.push(requirement);
      if (operator !== '=' && operator !== 'set') unsupported.push({ key: requirement.key, text: operator });
      this.#separator();
    }
    // Only a selector that parses is looked at for what CoreDNS cannot ask for.
    if (unsupported.length > 0) throw new SelectorError(unsupportedText(byKey(unsupported)[0]!.text));
    return byKey([...byKey([...equalities.values()]), ...others]);
  }

  #separator(): void {
    const { kind, text } = this.#take();
    if (kind === 'end') {
      this.#at--;
      return;
    }
    if (kind !== ',') throw new SyntaxFault(`found '${text}', expected: ',' or 'end of string'`);
    const next = this.#peek();
    if (!isIdentifier(next.kind) && next.kind !== '!') {
      throw new SyntaxFault(`found '${next.text}', expected: identifier after ','`);
    }
  }

  #requirement(): { requirement: Requirement; operator: string } {
    try {
      return this.#requirementOf();
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error;
      throw new SyntaxFault(`unable to parse requirement: ${error.message}`);
    }
  }

  #requirementOf(): { requirement: Requirement; operator: string } {
    const isAbsent = this.#peek().kind === '!';
    if (isAbsent) this.#at++;
    const { kind, text: key } = this.#take();
    if (!isIdentifier(kind)) throw new SyntaxFault(`found '${key}', expected: identifier`);
    checkKey(key);
    const next = this.#peek().kind;
    if (next === 'end' || next === ',' || isAbsent) {
      return { requirement: { key, text: isAbsent ? `!${key}` : key }, operator: 'set' };
    }
    const operator = this.#operator();
    const isSet = operator === 'in' || operator === 'notin';
    const values = isSet ? this.#values() : [this.#value()];
    checkValues(key, values, operator);
    if (isSet) return { requirement: { key, text: `${key} ${operator} (${values.join(',')})` }, operator: 'set' };
    const kindOf = operator === '=' || operator === '==' ? '=' : operator;
    return { requirement: { key, text: `${key}=${values[0]}` }, operator: kindOf };
  }

  #operator(): string {
    const { kind, text } = this.#take();
    const names: Partial<Record<TokenKind, string>> = { '>': 'gt', '<': 'lt' };
    if (['in', 'notin', '=', '==', '!=', '>', '<'].includes(kind)) return names[kind] ?? kind;
    throw new SyntaxFault(`found '${text}', expected: ${OPERATORS}`);
  }

  #value(): string {
    const { kind } = this.#peek();
    if (kind === 'end' || kind === ',') return '';
    const { text } = this.#take();
    if (!isIdentifier(kind)) throw new SyntaxFault(`found '${text}', expected: identifier`);
    return text;
  }

  /** Sorted, each once; an empty place in the list is the empty value. */
  #values(): string[] {
    const open = this.#take();
    if (open.kind !== '(') throw new SyntaxFault(`found '${open.text}' expected: '('`);
    const first = this.#peek();
    if (first.kind === ')') {
      this.#at++;
      return [''];
    }
    if (!isIdentifier(first.kind) && first.kind !== ',') {
      throw new SyntaxFault(`found '${first.text}', expected: ',', ')' or identifier`);
    }
    const values = new Set<string>();
    for (;;) {
      const { kind, text } = this.#take();
      const next = this.#peek();
      if (isIdentifier(kind)) {
        values.add(text);
        if (next.kind !== ',' && next.kind !== ')') {
          throw new SyntaxFault(`found '${next.text}', expected: ',' or ')'`);
        }
      } else if (kind === ',') {
        if (values.size === 0 || next.kind === ',' || next.kind === ')') values.add('');
      } else throw new SyntaxFault(`found '${text}', expected: ',', or identifier`);
      if (next.kind === ')') break;
    }
    this.#at++;
    return [...values].sort();
  }

  #peek(): SelectorToken {
    return this.#tokens[Math.min(this.#at, this.#tokens.length - 1)]!;
  }

  #take(): SelectorToken {
    const token = this.#peek();
    this.#at++;
    return token;
  }
}

/** Where a key or a value stands, `in` and `notin` are names like others. */
function isIdentifier(kind: TokenKind): boolean {
  return kind === 'identifier' || kind === 'in' || kind === 'notin';
}

function unsupportedText(operator: string): string {
  return operator === '!='
    ? '"!=" is not a valid label selector operator'
    : `"${operator}" isn't supported in label selectors`;
}

const NAME = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const NAME_CHARS_MAX = 63;
const PREFIX = '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*';
const PREFIX_CHARS_MAX = 253;
const CHARACTERS = "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

function checkKey(key: string): void {
  const faults = keyFaults(key.split('/'));
  if (faults.length > 0) throw new SyntaxFault(`<nil>: Invalid value: ${JSON.stringify(key)}: ${faults.join('; ')}`);
}

function keyFaults(parts: readonly string[]): string[] {
  const names = formText(`must consist of ${CHARACTERS}`, NAME, 'MyName', 'my.name', '123-abc');
  if (parts.length > 2) {
    return [`a valid label key ${names} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const faults: string[] = [];
  const [name, prefix] = [parts.at(-1)!, parts.at(-2)];
  if (prefix === '') faults.push('prefix part must be non-empty');
  else if (prefix !== undefined) {
    if (prefix.length > PREFIX_CHARS_MAX) faults.push(`prefix part must be no more than ${PREFIX_CHARS_MAX} bytes`);
    if (!new RegExp(`^${PREFIX}$`).test(prefix)) faults.push(`prefix part ${PREFIX_TEXT}`);
  }
  if (name === '') faults.push('name part must be non-empty');
  else if (name.length > NAME_CHARS_MAX) faults.push(`name part must be no more than ${NAME_CHARS_MAX} bytes`);
  if (!new RegExp(`^${NAME}$`).test(name)) faults.push(`name part ${names}`);
  return faults;
}

function checkValues(key: string, values: readonly string[], operator: string): void {
  const all: string[] = [];
  for (const [i, value] of values.entries()) {
    if ((operator === 'gt' || operator === 'lt') && !/^[-+]?\d+$/.test(value)) {
      const text = "for 'Gt', 'Lt' operators, the value must be an integer";
      all.push(`values[${i}]: Invalid value: ${JSON.stringify(value)}: ${text}`);
    }
  }
  for (const [i, value] of values.entries()) {
    const faults: string[] = [];
    if (value.length > NAME_CHARS_MAX) faults.push(`must be no more than ${NAME_CHARS_MAX} bytes`);
    if (!new RegExp(`^(${NAME})?$`).test(value)) {
      const text = `a valid label must be an empty string or consist of ${CHARACTERS}`;
      faults.push(formText(text, `(${NAME})?`, 'MyValue', 'my_value', '12345'));
    }
    if (faults.length > 0)
      all.push(`values[${i}][${key}]: Invalid value: ${JSON.stringify(value)}: ${faults.join('; ')}`);
  }
  if (all.length > 0) throw new SyntaxFault(all.length === 1 ? all[0]! : `[${all.join(', ')}]`);
}

function formText(text: string, pattern: string, ...examples: readonly string[]): string {
  const list = examples.map((example) => `'${example}', `).join(' or ');
  return `${text} (e.g. ${list}regex used for validation is '${pattern}')`;
}

const PREFIX_TEXT = formText(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  PREFIX,
  'example.com',
);
