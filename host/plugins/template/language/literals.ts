// Numbers and quoted strings of the template language: Go's literals.

import type { NumberWord } from './nodes.ts';

/** Reads `10`, `0x1f`, `1_000`, `1.5e3`; for anything else the text of the error. */
export function parseNumber(source: string, at: number): NumberWord | string {
  const text = source.replace(/(?<=[0-9a-fA-F]|^[+-]?0[xXoObB])_(?=[0-9a-fA-F])/g, '');
  if (text.includes('_')) return `illegal number syntax: ${JSON.stringify(source)}`;
  const integer = parseInteger(text);
  const isFloat = !/^[+-]?0[xX][0-9a-fA-F]+$/.test(text) && /[.eEpP]/.test(text);
  const float = integer !== undefined ? Number(integer) : parseFloatText(text);
  const isTooLarge =
    integer !== undefined && BigInt.asIntN(64, integer) !== integer && BigInt.asUintN(64, integer) !== integer;
  if (isTooLarge || /^[+-]?0\d*[89]\d*$/.test(text)) return `integer overflow: ${JSON.stringify(source)}`;
  if (float === undefined) return `illegal number syntax: ${JSON.stringify(source)}`;
  const isIntegral = integer === undefined && Number.isSafeInteger(float);
  return { node: 'number', source, at, integer: isIntegral ? BigInt(float) : integer, float, isFloat };
}

function parseInteger(text: string): bigint | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]*|[1-9]\d*)$/.exec(text);
  if (match === null) return undefined;
  const digits = /^0\d+$/.test(match[2]!) ? `0o${match[2]!.slice(1)}` : match[2]!;
  const value = BigInt(digits);
  return match[1] === '-' ? -value : value;
}

function parseFloatText(text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

/** `'x'` as the number of its character; for anything else the text of the error. */
export function parseRune(source: string, at: number): NumberWord | string {
  const octets = unquote(
    `"${source
      .slice(1, -1)
      .replace(/(?<!\\)"/g, '\\"')
      .replace(/\\'/g, "'")}"`,
  );
  if (octets === undefined) return `malformed character constant: ${source}`;
  const characters = [...Buffer.from(octets, 'latin1').toString('utf8')];
  if (characters.length !== 1) return `malformed character constant: ${source}`;
  const code = characters[0]!.codePointAt(0)!;
  return { node: 'number', source, at, integer: BigInt(code), float: code, isFloat: false };
}

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};

/** Octets of a string in double quotes or backquotes; undefined if an escape is wrong. */
export function unquote(source: string): string | undefined {
  const body = source.slice(1, -1);
  if (source[0] === '`') return body.replaceAll('\r', '');
  let isWrong: boolean = false;
  const text = body.replace(
    /\\(?:([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]?))/g,
    (_all, octal?: string, hex?: string, short?: string, long?: string, simple?: string) => {
      if (octal !== undefined && Number.parseInt(octal, 8) < 256) return String.fromCharCode(Number.parseInt(octal, 8));
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      const code = Number.parseInt(short ?? long ?? 'x', 16);
      const isCharacter = code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000);
      if (isCharacter) return Buffer.from(String.fromCodePoint(code), 'utf8').toString('latin1');
      const plain = simple === undefined ? undefined : SIMPLE[simple];
      isWrong ||= plain === undefined;
      return plain ?? '';
    },
  );
  return isWrong ? undefined : text;
}
