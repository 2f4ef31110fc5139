// Go's fmt.Sprintf for the values that templates have.

import { typeOfValue, type Value, valueText, withExponent } from './values.ts';

/** Wider or more precise than this is an error text in Go as well (it allows 1e6; no record needs more than this). */
const WIDTH_MAX = 65_536;

interface Verb {
  readonly verb: string;
  readonly flags: string;
  width: number | undefined;
  precision: number | undefined;
}

const DIRECTIVE = /%([-+# 0]*)(\*|\d+)?(?:(\.)(\*|\d+)?)?(?:\[(\d+)\])?([\s\S]?)/y;

export function sprintf(format: string, values: readonly Value[]): string {
  let text = '';
  let at = 0;
  let used = 0;
  let isReordered = false;
  const take = () => values[used++];
  while (at < format.length) {
    const next = format.indexOf('%', at);
    if (next < 0) return finished(text + format.slice(at), values, used, isReordered);
    text += format.slice(at, next);
    DIRECTIVE.lastIndex = next;
    const match = DIRECTIVE.exec(format)!;
    at = DIRECTIVE.lastIndex;
    const [, flags = '', width, point, precision, index, verb = ''] = match;
    const directive: Verb = { verb, flags, width: undefined, precision: undefined };
    if (width !== undefined) directive.width = width === '*' ? starNumber(take()) : Number(width);
    if (point !== undefined) directive.precision = precision === '*' ? starNumber(take()) : Number(precision ?? 0);
    if (index !== undefined) {
      used = Number(index) - 1;
      isReordered = true;
    }
    if (verb === '') text += '%!(NOVERB)';
    else if (verb === '%') text += '%';
    else if (directive.width !== undefined && directive.width > WIDTH_MAX) text += '%!(BADWIDTH)';
    else if (used >= values.length || used < 0)
      text += index === undefined ? `%!${verb}(MISSING)` : `%!${verb}(BADINDEX)`;
    else text += formatted(directive, take());
  }
  return finished(text, values, used, isReordered);
}

function finished(text: string, values: readonly Value[], used: number, isReordered: boolean): string {
  if (isReordered || used >= values.length) return text;
  const extra = values.slice(used).map((value) => (value === undefined ? '<nil>' : typed(value)));
  return `${text}%!(EXTRA ${extra.join(', ')})`;
}

function typed(value: Value): string {
  return value === undefined ? '<nil>' : `${typeOfValue(value)}=${valueText(value)}`;
}

function starNumber(value: Value): number | undefined {
  return typeof value === 'object' && value.kind === 'integer' ? Number(value.value) : undefined;
}

function formatted(directive: Verb, value: Value): string {
  const { verb } = directive;
  if (verb === 'T') return padded(directive, value === undefined ? '<nil>' : typeOfValue(value));
  if (typeof value === 'object' && value.kind === 'list' && verb !== 'T') {
    return `[${value.items.map((item) => formatted(directive, item)).join(' ')}]`;
  }
  if (typeof value === 'object' && value.kind === 'map') {
    const entries = [...value.entries].sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${entries.map((pair) => pair.map((part) => formatted(directive, part)).join(':')).join(' ')}]`;
  }
  if (verb === 'v' && value === undefined) return padded(directive, '<nil>');
  return formattedPlain(directive, value) ?? `%!${verb}(${typed(value)})`;
}

/** undefined: the verb does not fit the value. */
function formattedPlain(directive: Verb, value: Value): string | undefined {
  const { verb } = directive;
  if (value === undefined) return undefined;
  if (typeof value === 'string') return stringVerb(directive, value);
  if (typeof value === 'boolean') return 'tv'.includes(verb) ? padded(directive, String(value)) : undefined;
  if (value.kind === 'integer') return integerVerb(directive, value.value);
  if (value.kind === 'float') return floatVerb(directive, value.value);
  return 'vs'.includes(verb) ? padded(directive, valueText(value)) : undefined;
}

function stringVerb(directive: Verb, value: string): string | undefined {
  const { verb, flags, precision } = directive;
  const cut = precision === undefined ? value : cutCharacters(value, precision);
  switch (verb) {
    case 'v':
      return padded(directive, flags.includes('#') ? quoted(value) : cut);
    case 's':
      return padded(directive, cut);
    case 'q':
      if (flags.includes('#') && isRawQuotable(cut)) return padded(directive, `\`${cut}\``);
      return padded(directive, quoted(cut));
    case 'x':
    case 'X': {
      const hex = Buffer.from(value.slice(0, precision), 'latin1').toString('hex');
      const spaced = flags.includes(' ') ? hex.replace(/..(?=.)/g, '$& ') : hex;
      const marked = flags.includes('#') && hex !== '' ? `0x${spaced}` : spaced;
      return padded(directive, verb === 'x' ? marked : marked.toUpperCase());
    }
    default:
      return undefined;
  }
}

const BASES: Readonly<Record<string, number>> = { d: 10, v: 10, b: 2, o: 8, O: 8, x: 16, X: 16 };

function integerVerb(directive: Verb, value: bigint): string | undefined {
  const { verb, flags, precision, width } = directive;
  if (verb === 'c') return padded(directive, characterOf(value));
  if (verb === 'q') return padded(directive, `'${characterOf(value)}'`);
  if (verb === 'U') return padded(directive, `U+${value.toString(16).toUpperCase().padStart(4, '0')}`);
  const base = BASES[verb];
  if (base === undefined) return undefined;
  const isNegative = value < 0n;
  let digits = (isNegative ? -value : value).toString(base);
  if (verb === 'X') digits = digits.toUpperCase();
  const sign = isNegative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  const prefix = integerPrefix(verb, flags, digits);
  const isZeroPadded = flags.includes('0') && !flags.includes('-') && precision === undefined && width !== undefined;
  if (precision !== undefined) digits = precision === 0 && value === 0n ? '' : digits.padStart(precision, '0');
  else if (isZeroPadded) digits = digits.padStart(width - sign.length, '0');
  return padded({ ...directive, flags: flags.replaceAll('0', '') }, sign + prefix + digits);
}

function integerPrefix(verb: string, flags: string, digits: string): string {
  if (verb === 'O') return '0o';
  if (!flags.includes('#')) return '';
  if (verb === 'o') return digits.startsWith('0') ? '' : '0';
  return { x: '0x', X: '0X', b: '0b' }[verb] ?? '';
}

function floatVerb(directive: Verb, value: number): string | undefined {
  const { verb, flags, precision } = directive;
  let text: string;
  if (verb === 'f' || verb === 'F') text = value.toFixed(Math.min(precision ?? 6, 100));
  else if (verb === 'e' || verb === 'E') text = withExponent(value.toExponential(Math.min(precision ?? 6, 100)));
  else if (verb === 'v' || verb === 'g' || verb === 'G') {
    text = precision === undefined ? valueText({ kind: 'float', value }) : shortFloat(value, precision);
  } else return undefined;
  if (verb === 'E' || verb === 'G') text = text.toUpperCase();
  const isNegative = text.startsWith('-');
  const sign = isNegative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  const digits = isNegative ? text.slice(1) : text;
  if (flags.includes('0') && !flags.includes('-') && directive.width !== undefined) {
    return sign + digits.padStart(directive.width - sign.length, '0');
  }
  return padded(directive, sign + digits);
}

/** `%.3g` */
function shortFloat(value: number, precision: number): string {
  const digits = Math.min(Math.max(precision, 1), 100);
  const [mantissa, exponent] = value.toExponential(digits - 1).split('e') as [string, string];
  const power = Number(exponent);
  const trimmed = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
  if (power < -4 || power >= digits) return withExponent(`${trimmed}e${exponent}`);
  const fixed = value.toFixed(Math.max(0, digits - 1 - power));
  return fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed;
}

function padded({ flags, width }: Verb, text: string): string {
  if (width === undefined) return text;
  const missing = width - [...Buffer.from(text, 'latin1').toString('utf8')].length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  return (flags.includes('0') ? '0' : ' ').repeat(missing) + text;
}

/** The first characters of UTF-8 octets. */
function cutCharacters(octets: string, count: number): string {
  const text = Buffer.from(octets, 'latin1').toString('utf8');
  return Buffer.from([...text].slice(0, count).join(''), 'utf8').toString('latin1');
}

function characterOf(value: bigint): string {
  const isCharacter = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value < 0xe000n);
  return Buffer.from(String.fromCodePoint(isCharacter ? Number(value) : 0xfffd), 'utf8').toString('latin1');
}

function isRawQuotable(text: string): boolean {
  return [...text].every(
    (character) => character !== '`' && character !== '\x7f' && (character >= ' ' || character === '\t'),
  );
}

/** strconv.Quote of UTF-8 octets. */
export function quoted(octets: string): string {
  const names: Readonly<Record<string, string>> = {
    '\x07': '\\a',
    '\b': '\\b',
    '\f': '\\f',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\v': '\\v',
    '"': '\\"',
    '\\': '\\\\',
  };
  const text = Buffer.from(octets, 'latin1').toString('utf8');
  const inner = [...text]
    .map((character) => {
      if (names[character] !== undefined) return names[character];
      if (character < ' ' || character === '\x7f') return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
      return character;
    })
    .join('');
  return `"${Buffer.from(inner, 'utf8').toString('latin1')}"`;
}
