import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DurationError, parseDurationMs } from '../../host/corefile/duration.ts';

test('durations', () => {
  const cases: readonly (readonly [string, number])[] = [
    ['0', 0],
    ['+0', 0],
    ['5s', 5000],
    ['300ms', 300],
    ['1.5h', 5_400_000],
    ['2h45m', 9_900_000],
    ['.5s', 500],
    ['1.s', 1000],
    ['-1m', -60_000],
    ['+5s', 5000],
    ['100us', 0.1],
    ['100µs', 0.1],
    ['100μs', 0.1],
    ['1ns', 0.000001],
    ['1h1m1s1ms', 3_661_001],
    ['0.000000001h', 0.0036],
    ['1.00000000000000000000000000001s', 1000],
    ['2540400h10m10s', 9_145_440_610_000],
  ];
  for (const [text, ms] of cases) assert.equal(parseDurationMs(text), ms, text);
});

test("wrong durations, in Go's words", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['', 'time: invalid duration ""'],
    ['5', 'time: missing unit in duration "5"'],
    ['5s3', 'time: missing unit in duration "5s3"'],
    ['3.', 'time: missing unit in duration "3."'],
    ['-', 'time: invalid duration "-"'],
    ['s', 'time: invalid duration "s"'],
    ['.s', 'time: invalid duration ".s"'],
    ['abc', 'time: invalid duration "abc"'],
    ['5d', 'time: unknown unit "d" in duration "5d"'],
    ['5 s', 'time: unknown unit " s" in duration "5 s"'],
    ['1e3s', 'time: unknown unit "e" in duration "1e3s"'],
    ['9999999h', 'time: invalid duration "9999999h"'],
    ['99999999999999999999999999999999s', 'time: invalid duration "99999999999999999999999999999999s"'],
    ['--5s', 'time: invalid duration "--5s"'],
    ['99999999999999999999', 'time: invalid duration "99999999999999999999"'],
    ['9223372036854775807', 'time: missing unit in duration "9223372036854775807"'],
    ['1é', String.raw`time: unknown unit "\xc3\xa9" in duration "1\xc3\xa9"`],
    ['a"\\\n', String.raw`time: invalid duration "a\"\\\x0a"`],
  ];
  for (const [text, message] of cases) assert.throws(() => parseDurationMs(text), { name: 'DurationError', message });
});

test('property: parts add up', () => {
  const parts = fc.tuple(fc.nat(100), fc.nat(100), fc.nat(100), fc.nat(999));
  fc.assert(
    fc.property(parts, fc.boolean(), ([hours, minutes, seconds, ms], isNegative) => {
      const text = `${isNegative ? '-' : ''}${hours}h${minutes}m${seconds}.${String(ms).padStart(3, '0')}s`;
      const total = hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + ms;
      assert.equal(parseDurationMs(text), isNegative ? -total : total);
    }),
  );
});

test('property: any text is a duration or a DurationError', () => {
  const text = fc
    .array(fc.constantFrom('1', '9', '.', '-', '+', 's', 'm', 'h', 'µs', 'x', ' ', '0'))
    .map((list) => list.join(''));
  fc.assert(
    fc.property(text, (candidate) => {
      try {
        assert.ok(Number.isFinite(parseDurationMs(candidate)));
      } catch (error) {
        assert.ok(error instanceof DurationError, String(error));
      }
    }),
  );
});
