import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Patience } from '../../host/kubernetes/patience.ts';
import { objectKey, VersionTable, versionNumber } from '../../host/kubernetes/versions.ts';

test('a table of versions is a map', () => {
  // Few keys, several of which want the same place
  const key = fc.constantFrom(1, 17, 33, 2 ** 33 + 1, 2, 18, 5, 2 ** 52 + 16, 15, 31, 47);
  const step = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), key, version: fc.nat(100) }),
    fc.record({ kind: fc.constant('delete' as const), key }),
    fc.record({ kind: fc.constant('mark' as const), key }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = new VersionTable();
      const model = new Map<number, { version: number; isMarked: boolean }>();
      table.startMarking();
      const removed = new Set<number>();
      for (const each of steps) {
        if (each.kind === 'set') {
          table.set(each.key, each.version);
          model.set(each.key, { version: each.version, isMarked: model.get(each.key)?.isMarked ?? false });
        } else if (each.kind === 'delete') {
          table.delete(each.key);
          model.delete(each.key);
          removed.add(each.key);
        } else {
          table.mark(each.key);
          if (model.has(each.key)) model.get(each.key)!.isMarked = true;
        }
        for (const [known, { version }] of model) assert.equal(table.get(known), version);
        assert.equal(table.size, model.size);
      }
      for (const known of removed) assert.ok(table.wasRemoved(known));
      const unmarked = [...model].filter(([, { version, isMarked }]) => !isMarked && version <= 50).map(([at]) => at);
      assert.deepEqual(new Set(table.unmarked(50)), new Set(unmarked));
    }),
  );
});

test('a table of versions grows, and forgets marks when a comparison begins', () => {
  const table = new VersionTable();
  const keys = Array.from({ length: 5000 }, (_, i) => objectKey('default', `service-${i}`));
  for (const [i, key] of keys.entries()) table.set(key, i);
  assert.equal(table.size, 5000);
  for (const [i, key] of keys.entries()) assert.equal(table.get(key), i);
  for (const key of keys) table.mark(key);
  assert.deepEqual(table.unmarked(Infinity), []);
  table.delete(keys[0]!);
  assert.equal(table.wasRemoved(keys[0]!), false, 'outside of a comparison removals are not kept');
  table.startMarking();
  assert.equal(table.unmarked(Infinity).length, 4999);
});

test('keys tell namespace and name apart', () => {
  const keys = [
    objectKey('a', 'bc'),
    objectKey('ab', 'c'),
    objectKey('', 'abc'),
    objectKey('abc', ''),
    objectKey('', ''),
  ];
  assert.equal(new Set(keys).size, keys.length);
  for (const key of keys) assert.ok(Number.isSafeInteger(key) && key > 0);
});

test('versions are compared as numbers, and what is none as nothing', () => {
  assert.equal(versionNumber('9') < versionNumber('10'), true);
  for (const text of ['', 'x', '-1', '1e3', '12345678901234567']) assert.ok(Number.isNaN(versionNumber(text)), text);
});

test('patience: at once, then less and less often, and anew after a rest', () => {
  const patience = new Patience();
  const spent = (from: number, to: number) => {
    const times: number[] = [];
    for (let now = from; now <= to; now += 500) if (patience.spend(now, 60_000)) times.push(now);
    return times;
  };
  assert.deepEqual(spent(0, 20_000), [0, 1000, 3000, 7000, 15_000]);
  assert.deepEqual(spent(200_000, 203_000), [200_000, 201_000, 203_000]);
});
