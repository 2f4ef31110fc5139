import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UpstreamState } from '../../../host/plugins/forward/prober.ts';

test('one prober at a time, its findings are for all', () => {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const [one, two] = [0, 1].map((shard) => new UpstreamState(words, 1, shard, new Set()));
  assert.ok(one!.claim());
  assert.ok(!one!.claim());
  assert.ok(!two!.claim());
  for (let i = 0; i < 3; i++) one!.failed();
  assert.equal(two!.fails, 3);
  two!.yield();
  assert.ok(!two!.claim(), 'the second has nothing to yield');
  one!.yield();
  assert.equal(one!.fails, 3);
  assert.ok(two!.claim());
  two!.answered();
  assert.deepEqual([one!.fails, words[0]], [0, 0]);
  assert.ok(one!.claim());
});

test('the successor of a dead shard takes over what that one has left', () => {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const dead = new UpstreamState(words, 0, 95, new Set());
  assert.ok(dead.claim());
  dead.failed();
  const used = new Set<number>();
  const successor = new UpstreamState(words, 0, 95, used);
  assert.equal(successor.fails, 1);
  assert.ok(successor.claim());
  // A reload in the same thread leaves a running series of probes alone
  const reloaded = new UpstreamState(words, 0, 95, used);
  assert.ok(!reloaded.claim());
});

test('failures end at the largest number; without a word a shard counts for itself', () => {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const state = new UpstreamState(words, 0, 0, new Set());
  words[0] = 0xffffff;
  state.failed();
  assert.equal(words[0], 0xffffff);
  const alone = new UpstreamState(words, -1, 0, new Set());
  alone.failed();
  assert.deepEqual([alone.fails, words[0]], [1, 0xffffff]);
});
