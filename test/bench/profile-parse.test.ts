import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocatedBytes, budgetOf } from '../../bench/profile-parse.ts';

test('a perf report is split into parts', () => {
  const report = [
    '    41.50%  [kernel.kallsyms]     [k] copy_user_generic_string',
    '     8.25%  perf-4711.map         [.] Function:wasm-function[12]-turbofan',
    '     4.00%  perf-4711.map         [.] JS:*#drain file:///dist/shard.js:1:2',
    '     2.00%  koffi.node            [.] 0x00000000000123',
    '     1.25%  node                  [.] uv__io_poll',
    '',
  ].join('\n');
  const { shares, hottest } = budgetOf(report);
  assert.deepEqual(shares, { kernel: 41.5, engine: 8.25, script: 4, koffi: 2, runtime: 1.25 });
  assert.match(hottest[0]!, /41\.50 % {2}kernel .*copy_user_generic_string/);
});

test('a report without samples is an error', () => {
  assert.throws(() => budgetOf('# nothing\n'), /perf saw nothing/);
});

test('what was allocated between collections counts, for each isolate by itself', () => {
  const log = [
    '[7:0x10]      100 ms: Scavenge 5.0 (9.0) -> 3.0 (9.0) MB, pooled: 0.0 MB, 0.5 / 0.0 ms',
    '[7:0x20]      110 ms: Scavenge 50.0 (90.0) -> 40.0 (90.0) MB, pooled: 0.0 MB, 0.5 / 0.0 ms',
    'some other line',
    '[7:0x10]      200 ms: Mark-Compact (reduce) 4.5 (9.0) -> 2.0 (9.0) MB, pooled: 0.0 MB, 0.5 / 0.0 ms',
    '[7:0x10]      300 ms: Scavenge 3.0 (9.0) -> 2.0 (9.0) MB, pooled: 0.0 MB, 0.5 / 0.0 ms',
  ].join('\n');
  assert.equal(allocatedBytes(log), 2.5 * 2 ** 20);
  assert.equal(allocatedBytes(''), 0);
});
