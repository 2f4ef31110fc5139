// The functions that CoreDNS's templates have: Go's own and parseInt.

import { quoted, sprintf } from './format.ts';
import { integer, isTrue, sprint, typeOfValue, type Value, valueText } from './values.ts';

/** A call that fails; the text is Go's. */
export class CallError extends Error {
  override name = 'CallError';
}

export interface TemplateFunction {
  /** Types of the parameters; `any` takes everything, `value` also nothing. */
  readonly parameters: readonly ParameterType[];
  /** Type of all further arguments, if there may be any. */
  readonly rest?: ParameterType;
  call(args: readonly Value[]): Value;
}

export type ParameterType = 'value' | 'any' | 'string' | 'int';

export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ['parseInt', { parameters: ['string', 'int', 'int'], call: parseUnsigned }],
  // and, or: evaluated one argument after the other by the interpreter
  ['and', { parameters: ['value'], rest: 'value', call: (args) => args.at(-1) }],
  ['or', { parameters: ['value'], rest: 'value', call: (args) => args.at(-1) }],
  ['not', { parameters: ['value'], call: ([value]) => !isTrue(value) }],
  // refused by the interpreter: no value is a function
  ['call', { parameters: ['value'], rest: 'value', call: () => undefined }],
  ['html', { parameters: [], rest: 'any', call: (args) => htmlEscaped(sprint(args)) }],
  ['js', { parameters: [], rest: 'any', call: (args) => jsEscaped(sprint(args)) }],
  ['urlquery', { parameters: [], rest: 'any', call: (args) => queryEscaped(sprint(args)) }],
  ['print', { parameters: [], rest: 'any', call: sprint }],
  ['println', { parameters: [], rest: 'any', call: (args) => `${args.map(valueText).join(' ')}\n` }],
  ['printf', { parameters: ['string'], rest: 'any', call: ([format, ...args]) => sprintf(format as string, args) }],
  ['len', { parameters: ['value'], call: ([value]) => length(value) }],
  ['index', { parameters: ['value'], rest: 'value', call: ([value, ...indexes]) => indexed(value, indexes) }],
  ['slice', { parameters: ['value'], rest: 'value', call: ([value, ...indexes]) => sliced(value, indexes) }],
  ['eq', { parameters: ['value'], rest: 'value', call: ([first, ...others]) => equal(first, others) }],
  ['ne', { parameters: ['value', 'value'], call: ([a, b]) => !equal(a, [b]) }],
  ['lt', { parameters: ['value', 'value'], call: ([a, b]) => isLess(a, b) }],
  ['le', { parameters: ['value', 'value'], call: ([a, b]) => isLess(a, b) || equal(a, [b]) }],
  ['gt', { parameters: ['value', 'value'], call: ([a, b]) => !(isLess(a, b) || equal(a, [b])) }],
  ['ge', { parameters: ['value', 'value'], call: ([a, b]) => !isLess(a, b) }],
]);

// --------------------------------------------------------------------------------------------------------- parseInt

/** strconv.ParseUint */
function parseUnsigned(args: readonly Value[]): Value {
  const text = args[0] as string;
  const base = intOf(args[1]);
  const bits = intOf(args[2]);
  const fail = (reason: string) => new CallError(`strconv.ParseUint: parsing ${quoted(text)}: ${reason}`);
  if (text === '') throw fail('invalid syntax');
  const { digits, radix } = base === 0 ? prefixed(text) : { digits: text, radix: base };
  if (base !== 0 && (base < 2 || base > 36)) throw fail(`invalid base ${base}`);
  if (bits < 0 || bits > 64) throw fail(`invalid bit size ${bits}`);
  let value = 0n;
  if (digits === '') throw fail('invalid syntax');
  for (const character of digits.toLowerCase()) {
    const digit = /[0-9a-z]/.test(character) ? Number.parseInt(character, 36) : 36;
    if (digit >= radix) throw fail('invalid syntax');
    value = value * BigInt(radix) + BigInt(digit);
    if (value >> BigInt(bits === 0 ? 64 : bits) !== 0n) throw fail('value out of range');
  }
  return integer(value, 'uint64');
}

/** Base 0: `0x`, `0o`, `0b`, `0`, and underscores between digits. */
function prefixed(text: string): { digits: string; radix: number } {
  const plain = /(^_|__|_$)/.test(text) ? text : text.replaceAll('_', '');
  const prefix = /^0([xXoObB])(.*)$/.exec(plain);
  if (prefix !== null) {
    return { digits: prefix[2]!, radix: { x: 16, o: 8, b: 2 }[prefix[1]!.toLowerCase()]! };
  }
  return plain.length > 1 && plain.startsWith('0')
    ? { digits: plain.slice(1), radix: 8 }
    : { digits: plain, radix: 10 };
}

function intOf(value: Value): number {
  return typeof value === 'object' && value.kind === 'integer' ? Number(value.value) : 0;
}

// --------------------------------------------------------------------------------------------- lists, maps, strings

function length(value: Value): Value {
  if (typeof value === 'string') return integer(value.length);
  if (typeof value === 'object' && value.kind === 'list') return integer(value.items.length);
  if (typeof value === 'object' && value.kind === 'map') return integer(value.entries.size);
  if (typeof value === 'object' && value.kind === 'nil') throw new CallError('len of nil pointer');
  throw new CallError(value === undefined ? 'len of nil pointer' : `len of type ${typeOfValue(value)}`);
}

function indexed(item: Value, indexes: readonly Value[]): Value {
  if (item === undefined) throw new CallError('index of untyped nil');
  let current: Value = item;
  for (const index of indexes) {
    if (typeof current === 'string') {
      const at = position(index, current.length);
      if (at >= current.length) throw new CallError(`reflect: string index out of range`);
      current = integer(current.charCodeAt(at), 'uint8');
    } else if (typeof current === 'object' && current.kind === 'list') {
      const at = position(index, current.items.length);
      if (at >= current.items.length) throw new CallError('reflect: slice index out of range');
      current = current.items[at];
    } else if (typeof current === 'object' && current.kind === 'map') {
      if (typeof index !== 'string') {
        throw new CallError(
          index === undefined
            ? 'value is nil; should be of type string'
            : `value has type ${typeOfValue(index)}; should be string`,
        );
      }
      current = current.entries.get(index) ?? '';
    } else if (typeof current === 'object' && current.kind === 'nil') throw new CallError('index of nil pointer');
    else throw new CallError(`can't index item of type ${typeOfValue(current)}`);
  }
  return current;
}

function sliced(item: Value, indexes: readonly Value[]): Value {
  if (item === undefined) throw new CallError('slice of untyped nil');
  if (indexes.length > 3) throw new CallError(`too many slice indexes: ${indexes.length}`);
  const isList = typeof item === 'object' && item.kind === 'list';
  if (typeof item !== 'string' && !isList) throw new CallError(`can't slice item of type ${typeOfValue(item)}`);
  if (typeof item === 'string' && indexes.length === 3) throw new CallError('cannot 3-index slice a string');
  const size = typeof item === 'string' ? item.length : item.items.length;
  const positions = indexes.map((index) => position(index, size));
  const [from = 0, to = size, cap = size] = positions;
  if (from > to) throw new CallError(`invalid slice index: ${from} > ${to}`);
  if (to > cap) throw new CallError(`invalid slice index: ${to} > ${cap}`);
  return typeof item === 'string' ? item.slice(from, to) : { ...item, items: item.items.slice(from, to) };
}

function position(index: Value, max: number): number {
  if (index === undefined) throw new CallError('cannot index slice/array with nil');
  if (typeof index !== 'object' || index.kind !== 'integer') {
    throw new CallError(`cannot index slice/array with type ${typeOfValue(index)}`);
  }
  if (index.value < 0n || index.value > BigInt(max)) throw new CallError(`index out of range: ${index.value}`);
  return Number(index.value);
}

// ------------------------------------------------------------------------------------------------------- comparisons

type Basic = 'string' | 'bool' | 'int' | 'uint' | 'float' | 'other';

function basicKind(value: Value): Basic {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (value?.kind === 'integer') return value.type === 'int' ? 'int' : 'uint';
  return value?.kind === 'float' ? 'float' : 'other';
}

function equal(first: Value, others: readonly Value[]): boolean {
  if (others.length === 0) throw new CallError('missing argument for comparison');
  return others.some((other) => isSame(first, other));
}

function isSame(a: Value, b: Value): boolean {
  const kinds = [basicKind(a), basicKind(b)];
  const isIntegral = kinds.every((kind) => kind === 'int' || kind === 'uint');
  if (kinds[0] !== kinds[1] && !isIntegral) {
    if (a === undefined || b === undefined) return false;
    throw incompatible(a, b);
  }
  if (kinds[0] === 'other') {
    if (isNil(a) || isNil(b)) return isNil(a) === isNil(b);
    if (shape(a) !== shape(b))
      throw new CallError(
        `non-comparable types ${valueText(a)}: ${typeOfValue(a)}, ${typeOfValue(b)}: ${valueText(b)}`,
      );
    if (shape(a) !== 'struct') throw new CallError(`non-comparable type ${valueText(b)}: ${typeOfValue(b)}`);
    return a === b;
  }
  return comparable(a) === comparable(b);
}

function shape(value: Value): string {
  return typeof value === 'object' ? value.kind : typeof value;
}

function isNil(value: Value): boolean {
  return value === undefined || (typeof value === 'object' && value.kind === 'nil');
}

function isLess(a: Value, b: Value): boolean {
  const kinds = [basicKind(a), basicKind(b)];
  if (kinds.includes('other')) throw new CallError('invalid type for comparison');
  const isIntegral = kinds.every((kind) => kind === 'int' || kind === 'uint');
  if (kinds[0] !== kinds[1] && !isIntegral) throw incompatible(a, b);
  if (kinds[0] === 'bool') throw new CallError('invalid type for comparison');
  return comparable(a) < comparable(b);
}

function comparable(value: Value): string | boolean | bigint | number {
  if (typeof value === 'object' && (value.kind === 'integer' || value.kind === 'float')) return value.value;
  return value as string | boolean;
}

function incompatible(a: Value, b: Value): CallError {
  return new CallError(`incompatible types for comparison: ${typeOfValue(a)} and ${typeOfValue(b)}`);
}

// ---------------------------------------------------------------------------------------------------------- escapes

const HTML: Readonly<Record<string, string>> = {
  '\0': '\xef\xbf\xbd',
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
};

function htmlEscaped(text: string): string {
  return text.replace(/[\0"'&<>]/g, (character) => HTML[character]!);
}

const SCRIPT: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '<': '\\u003C',
  '>': '\\u003E',
  '&': '\\u0026',
  '=': '\\u003D',
};

/** Octets of UTF-8 sequences stay as they are. */
function jsEscaped(text: string): string {
  return [...text]
    .map((character) => {
      if (SCRIPT[character] !== undefined) return SCRIPT[character];
      if (character >= ' ') return character;
      return `\\u00${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

function queryEscaped(text: string): string {
  return text.replace(/[^A-Za-z0-9\-_.~]/g, (character) => {
    if (character === ' ') return '+';
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  });
}
