import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Holder, StreamBudget } from '../../host/shard/stream-budget.ts';

function holders(budget: StreamBudget, kept: Readonly<Record<string, readonly [bytes: number, movedMs: number]>>) {
  const closed: string[] = [];
  const all = Object.entries(kept).map(([name, [chargedBytes, movedMs]]): Holder => {
    budget.chargedBytes += chargedBytes;
    const destroy = (): void => {
      closed.push(name);
      budget.chargedBytes -= chargedBytes;
    };
    return { chargedBytes, movedMs, destroy };
  });
  return { all, closed };
}

test('who has kept most for longest goes first, until an eighth is free', () => {
  const budget = new StreamBudget(1000);
  const { all, closed } = holders(budget, {
    large: [600, 990],
    old: [150, 0],
    older: [150, -500],
    idle: [0, -9000],
    small: [50, 900],
    late: [100, 999],
  });
  assert.equal(budget.isExceeded, true);
  budget.makeRoom(all, 1000);
  assert.deepEqual(closed, ['older', 'old']);
  assert.equal(budget.chargedBytes, 750);
  assert.equal(budget.isExceeded, false);
});

test('of those that moved at the same time the largest goes', () => {
  const budget = new StreamBudget(100);
  const { all, closed } = holders(budget, { a: [20, 5], b: [60, 5], c: [30, 5] });
  budget.makeRoom(all, 5);
  assert.deepEqual(closed, ['b']);
});
