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

function decimal(text: string): number {
  return /^(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
}

/** Digits may be separated by single underscores, the exponent is one of two and must be there. */
function hexadecimal(text: string): number {
  const match = /^_?([\da-f]+(?:_[\da-f]+)*)?(?:\.([\da-f]+(?:_[\da-f]+)*)?)?p([-+]?\d+)$/i.exec(text);
  const [whole = '', fraction = ''] = [match?.[1], match?.[2]].map((part) => part?.replaceAll('_', ''));
  if (match === null || whole + fraction === '') return Number.NaN;
  const mantissa = Number(BigInt(`0x${whole}${fraction}`));
  return mantissa * 2 ** (Number(match[3]) - 4 * fraction.length);
}
