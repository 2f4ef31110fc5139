import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyOf, type Holder, SLAB_BYTES, StreamBudget } from '../../host/shard/stream-budget.ts';

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

test('a copy keeps a slab, or itself', () => {
  const octets = Uint8Array.from({ length: 100 }, (_, n) => n);
  const copies = Array.from({ length: 100 }, () => copyOf(octets, false));
  for (const copy of copies) {
    assert.deepEqual(new Uint8Array(copy), octets);
    assert.equal(copy.buffer.byteLength, SLAB_BYTES);
  }
  assert.equal(new Set(copies.map(({ buffer }) => buffer)).size, 3);
  assert.equal(copyOf(octets, true).buffer.byteLength, 100);
  const large = new Uint8Array(5000).fill(7);
  const copy = copyOf(large, false);
  large.fill(8);
  assert.equal(copy.buffer.byteLength, 5000);
  assert.ok(copy.every((octet) => octet === 7));
});
