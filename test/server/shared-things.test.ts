import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTROL_WORD_COUNT } from '../../engine-as/shared/layout.ts';
import { SharedThings, SharedWords } from '../../host/server/shared-things.ts';

function counted() {
  const counts = { made: 0, stopped: 0 };
  const make = () => {
    counts.made++;
    return { stop: async () => void counts.stopped++ };
  };
  return { counts, make };
}

test('a thing lives as long as its last user', async () => {
  const things = new SharedThings();
  const { counts, make } = counted();
  const first = things.use('a', make);
  const second = things.use('a', make);
  assert.equal(first.value, second.value);
  assert.deepEqual(counts, { made: 1, stopped: 0 });
  await first.release();
  await first.release();
  assert.deepEqual(counts, { made: 1, stopped: 0 });
  await second.release();
  assert.deepEqual(counts, { made: 1, stopped: 1 });
});

test('behind its end the key makes a new one, even while the old one is stopping', async () => {
  const things = new SharedThings();
  const { counts, make } = counted();
  const first = things.use('a', make);
  const released = first.release();
  const second = things.use('a', make);
  assert.notEqual(first.value, second.value);
  await released;
  const third = things.use('a', make);
  assert.equal(third.value, second.value);
  assert.deepEqual(counts, { made: 2, stopped: 1 });
});

test('a thing that cannot be made leaves nothing behind', () => {
  const things = new SharedThings();
  const fail = () => {
    throw new Error('no');
  };
  assert.throws(() => things.use('a', fail), /no/);
  const { counts, make } = counted();
  things.use('a', make);
  assert.equal(counts.made, 1);
});

test('words are given out once each, until there are no more', () => {
  const words = new SharedWords(new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true }));
  assert.equal(words.words.length, CONTROL_WORD_COUNT);
  const indices = Array.from({ length: CONTROL_WORD_COUNT }, (_, i) => words.claim(`key ${i}`));
  assert.equal(new Set(indices).size, CONTROL_WORD_COUNT);
  assert.equal(words.claim('key 3'), indices[3]);
  assert.throws(() => words.claim('one too many'), RangeError);
});
