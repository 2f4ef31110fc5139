import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { median, ratio, spread } from '../../bench/statistics.ts';

test('the median is the middle, or the mean of the two in the middle', () => {
  assert.equal(median([3]), 3);
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([10, 9, 100]), 10);
  assert.ok(Number.isNaN(median([])));
});

test('half of the values lie on each side of the median, in any order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
      const middle = median(values);
      const below = values.filter((value) => value < middle).length;
      const above = values.filter((value) => value > middle).length;
      assert.ok(below <= values.length / 2 && above <= values.length / 2);
      assert.equal(median(values.toReversed()), middle);
    }),
  );
});

test('the spread is the range as a share of the median', () => {
  assert.equal(spread([100]), 0);
  assert.equal(spread([90, 110, 100]), 0.2);
  assert.ok(Number.isNaN(spread([])));
});

test('there is no ratio to nothing', () => {
  assert.equal(ratio(30, 10), 3);
  assert.ok(Number.isNaN(ratio(30, undefined)));
  assert.ok(Number.isNaN(ratio(30, 0)));
});
