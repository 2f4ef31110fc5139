import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShardArea } from '../../host/shard/area.ts';

test('what lies in memory that has grown is reached through new views', () => {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 16, shared: true });
  const area = new ShardArea(memory as { buffer: SharedArrayBuffer }, 0);
  memory.grow(8);
  const at = 6 * 65536;
  new Uint32Array(memory.buffer)[at >>> 2] = 7;
  assert.equal(area.words[at >>> 2], undefined);
  area.reach(at);
  assert.equal(area.words[at >>> 2], 7);
});
