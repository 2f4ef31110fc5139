import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Machine } from '../../bench/machine.ts';
import type { Measurement } from '../../bench/measure.ts';
import { historyRow, PROFILES_HEAD, profilesPart, renderResults } from '../../bench/results.ts';
import { SETS } from '../../bench/sets.ts';
import { figuresTable, ratiosTable, summarise } from '../../bench/summary.ts';

const machine: Machine = {
  ...{ date: '2026-01-02 03:04', processor: 'Fast, Inc. 9', cores: 2, memoryGigabytes: 8 },
  ...{ kernel: '6.1', node: 'v26', commit: 'abc1234' },
};

function measurement(change: Partial<Measurement>): Measurement {
  return {
    ...{ set: 'clusterip', peer: 'coredns', run: 1, qps: 10_000, cpuMicros: 80, cpuShare: 1, loadShare: 0.2 },
    ...{ residentBytes: 100 * 2 ** 20, wrongShare: 0, lostShare: 0, firstWrong: '' },
    latency: { p50Micros: 100, p99Micros: 400, meanMicros: 120, maxMicros: 900 },
    ...change,
  };
}

const measurements = [
  measurement({}),
  measurement({ run: 2, qps: 12_000, wrongShare: 0.01 }),
  measurement({ run: 3, qps: 11_000 }),
  measurement({ peer: 'wasmdns', qps: 110_000, cpuMicros: 8 }),
  measurement({ peer: 'nsd', qps: 100_000, cpuMicros: 10 }),
  measurement({ set: 'cached', peer: 'wasmdns', qps: 90_000, cpuMicros: 9 }),
];
const rows = summarise(measurements, SETS, ['wasmdns', 'coredns', 'nsd'], new Map([['clusterip/coredns', 9000]]));

test('rows are medians, in the order of sets and peers, with the worst share of wrong answers', () => {
  assert.deepEqual(
    rows.map((row) => [row.set.name, row.peer, row.qps]),
    [
      ['clusterip', 'wasmdns', 110_000],
      ['clusterip', 'coredns', 11_000],
      ['clusterip', 'nsd', 100_000],
      ['cached', 'wasmdns', 90_000],
    ],
  );
  const coredns = rows[1]!;
  assert.equal(coredns.runs, 3);
  assert.equal(coredns.wrongShare, 0.01);
  assert.equal(coredns.dnsperfQps, 9000);
  assert.ok(Math.abs(coredns.qpsSpread - 2 / 11) < 1e-9);
});

test('the table shows ratios to CoreDNS, and none where CoreDNS was not measured', () => {
  const lines = figuresTable(rows).split('\n');
  assert.match(lines[2]!, /^\| ClusterIP A .*\| wasmdns \| +110k \| +0\.0% \| +10\.0x \| +8\.00 \| +0\.10x \|/);
  assert.match(lines[5]!, /^\| cached forward, 1,000 names \| wasmdns \| +90\.0k \| +0\.0% \| +- \|/);
});

test('the second table compares one server with all others', () => {
  const lines = ratiosTable(rows, 'wasmdns').split('\n');
  assert.match(lines[0]!, /\| wasmdns qps \| +\/ coredns \| +\/ nsd \|$/);
  assert.match(lines[2]!, /\| 110k +\| +10\.0x \/ 0\.10x \| +1\.10x \/ 0\.80x \|$/);
  assert.equal(ratiosTable(rows, 'bind'), '');
});

test('results.md keeps the profiles, and starts with a template', () => {
  const first = renderResults(rows, machine, 'npm run bench', profilesPart(''));
  assert.ok(first.includes(PROFILES_HEAD) && first.includes('commit abc1234'));
  const edited = first.replace('| not taken yet |', '| clusterip |');
  const second = renderResults(rows, machine, 'npm run bench', profilesPart(edited));
  assert.equal(second, edited);
});

test('a history row has a cell for each column, none with a comma of its own', () => {
  const row = historyRow(measurement({ qps: Number.NaN }), machine);
  assert.equal(
    row,
    '2026-01-02 03:04,abc1234,Fast  Inc. 9,6.1,clusterip,coredns,1,,80.000,1.0000,100.0,400.0,100.0,0.00000,0.00000\n',
  );
});
