import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goFloat } from '../../../host/plugins/kubernetes/go-float.ts';

test('numbers as strconv.ParseFloat reads them', () => {
  const table: readonly (readonly [string, number | string])[] = [
    ['5', 5],
    ['+.5', 0.5],
    ['5.', 5],
    ['-1e-3', -0.001],
    ['1e38', 1e38],
    ['0x1p4', 16],
    ['-0x_1.8p1', -3],
    ['0x1_0p0', 16],
    ['inf', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['3.4028235e38', 3.4028235e38],
    ['3.4028236e38', 'value out of range'],
    ['1e39', 'value out of range'],
    ['1e400', 'value out of range'],
    ['', 'invalid syntax'],
    ['.', 'invalid syntax'],
    ['1_0.5_0e1_0', 10.5e10],
    ['1__0', 'invalid syntax'],
    ['1_', 'invalid syntax'],
    ['._1', 'invalid syntax'],
    ['0x1', 'invalid syntax'],
    ['0xp1', 'invalid syntax'],
    ['1e', 'invalid syntax'],
    ['+nan', 'invalid syntax'],
    ['five', 'invalid syntax'],
    [' 1', 'invalid syntax'],
  ];
  for (const [text, expected] of table) assert.equal(goFloat(text, 32), expected, text);
  assert.ok(Number.isNaN(goFloat('NaN', 32)));
  assert.equal(goFloat('1e39', 64), 1e39);
  assert.equal(goFloat('1e309', 64), 'value out of range');
});
