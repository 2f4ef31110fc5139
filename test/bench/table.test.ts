import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatNumber, formatPercent, formatRate, formatRatio, renderTable } from '../../bench/table.ts';

test('columns are as wide as their widest cell, text left, numbers right', () => {
  const table = renderTable(
    ['set', 'server', 'qps'],
    [
      ['a', 'coredns', '14.0k'],
      ['longer', 'nsd', '9'],
    ],
  );
  assert.equal(
    table,
    [
      '| set    | server  |   qps |',
      '| ------ | ------- | ----: |',
      '| a      | coredns | 14.0k |',
      '| longer | nsd     |     9 |',
      '',
    ].join('\n'),
  );
});

test('a table without rows is its head; a short row is a mistake', () => {
  assert.equal(renderTable(['one', 'two'], []), '| one | two |\n| --- | --- |\n');
  assert.throws(() => renderTable(['one', 'two'], [['x']]), /a row of 1 cells in a table of 2/);
});

test('figures keep three digits or so', () => {
  assert.deepEqual([12, 999, 1000, 13_749, 99_999, 248_400].map(formatRate), [
    '12',
    '999',
    '1.0k',
    '13.7k',
    '100.0k',
    '248k',
  ]);
  assert.deepEqual([0.049, 4.126, 41.26, 412.6].map(formatNumber), ['0.05', '4.13', '41.3', '413']);
  assert.deepEqual([0.004, 0.0999, 0.5, 1.01].map(formatPercent), ['0.4%', '10.0%', '50%', '101%']);
  assert.equal(formatRatio(10.44), '10.4x');
});

test('what was not measured is a dash', () => {
  assert.deepEqual(
    [formatRate(Number.NaN), formatNumber(Number.NaN), formatRatio(Number.NaN), formatPercent(Number.NaN)],
    ['-', '-', '-', '-'],
  );
});
