// Floating-point numbers as Go's strconv.ParseFloat takes them.

/** Largest finite number of 32 bits, and the half step above it that still rounds down to it. */
const FLOAT32_LIMIT = 2 ** 128 - 2 ** 103;

/** The number, or Go's word for what is wrong with it. */
export function goFloat(text: string, bits: 32 | 64): number | 'invalid syntax' | 'value out of range' {
  const sign = text.startsWith('-') ? -1 : 1;
  const unsigned = text.replace(/^[-+]/, '');
  if (/^inf(inity)?$/i.test(unsigned)) return sign * Number.POSITIVE_INFINITY;
  if (/^nan$/i.test(text)) return Number.NaN;
  const value = sign * (/^0x/i.test(unsigned) ? hexadecimal(unsigned.slice(2)) : decimal(unsigned));
  if (Number.isNaN(value)) return 'invalid syntax';
  const isTooLarge = bits === 32 ? Math.abs(value) >= FLOAT32_LIMIT : !Number.isFinite(value);
  return isTooLarge ? 'value out of range' : value;
}

// Digits may be separated by single underscores.
const DIGITS = '\\d+(?:_\\d+)*';
const HEX_DIGITS = '[\\da-f]+(?:_[\\da-f]+)*';
const DECIMAL = new RegExp(`^(?:${DIGITS}\\.?(?:${DIGITS})?|\\.${DIGITS})(?:e[-+]?${DIGITS})?$`, 'i');
const HEXADECIMAL = new RegExp(`^_?(${HEX_DIGITS})?(?:\\.(${HEX_DIGITS})?)?p([-+]?${DIGITS})$`, 'i');

function decimal(text: string): number {
  return DECIMAL.test(text) ? Number(text.replaceAll('_', '')) : Number.NaN;
}

/** The exponent is one of two and must be there. */
function hexadecimal(text: string): number {
  const match = HEXADECIMAL.exec(text);
  const [whole = '', fraction = ''] = [match?.[1], match?.[2]].map((part) => part?.replaceAll('_', ''));
  if (match === null || whole + fraction === '') return Number.NaN;
  const mantissa = Number(BigInt(`0x${whole}${fraction}`));
  return mantissa * 2 ** (Number(match[3]!.replaceAll('_', '')) - 4 * fraction.length);
}
