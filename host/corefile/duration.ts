// Durations as Go writes them (time.ParseDuration): `300ms`, `1.5h`, `2h45m`, `-1s`, `0`.

const UNIT_NS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['µs', 1_000n], // U+00B5, micro sign
  ['μs', 1_000n], // U+03BC, Greek mu
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);

const INT64_MAX = 2n ** 63n - 1n;

/** A text that is no duration; the message is Go's. */
export class DurationError extends Error {
  override name = 'DurationError';
}

/** Milliseconds, exact to the nanosecond as far as a double goes. Throws DurationError. */
export function parseDurationMs(text: string): number {
  const unsigned = /^[-+]/.test(text) ? text.slice(1) : text;
  const isNegative = text.startsWith('-');
  if (unsigned === '0') return 0;
  if (unsigned === '') throw invalid(text);
  let ns = 0n;
  let rest = unsigned;
  while (rest !== '') {
    const part = /^(\d*)(?:\.(\d*))?([^.\d]*)/.exec(rest)!;
    const [whole, , fraction, unit] = [part[0], part[1], part[2] ?? '', part[3]!];
    if (part[1] === '' && fraction === '') throw invalid(text);
    const integer = BigInt(part[1]!.slice(0, 30) || '0');
    if (integer > INT64_MAX + 1n) throw invalid(text);
    if (unit === '') throw new DurationError(`time: missing unit in duration ${quoted(text)}`);
    const unitNs = UNIT_NS.get(unit);
    if (unitNs === undefined) throw new DurationError(`time: unknown unit ${quoted(unit)} in duration ${quoted(text)}`);
    ns += integer * unitNs;
    // Digits beyond a nanosecond of the largest unit change nothing.
    if (fraction !== '') ns += (BigInt(fraction.slice(0, 18)) * unitNs) / 10n ** BigInt(Math.min(18, fraction.length));
    if (ns > INT64_MAX + (isNegative ? 1n : 0n)) throw invalid(text);
    rest = rest.slice(whole.length);
  }
  const ms = Number(ns) / 1e6;
  return isNegative ? -ms : ms;
}

function invalid(text: string): DurationError {
  return new DurationError(`time: invalid duration ${quoted(text)}`);
}

/** Go's package time quotes in its own way: octets that are no printable ASCII as `\\xNN`. */
function quoted(text: string): string {
  const octets = Buffer.from(text).toString('latin1').replace(/["\\]/g, '\\$&');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  return `"${octets.replace(/[\x00-\x1f\x80-\xff]/g, (octet) => `\\x${octet.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`;
}
