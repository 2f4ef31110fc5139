// docs/differences.md: few rows, and each with a test that shows it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { OUTCOME_ANSWER, TYPE_A } from '../engine-as/shared/codes.ts';
import * as layout from '../engine-as/shared/layout.ts';
import { composeName } from '../host/dns/name.ts';
import { BlockSteps, writeProgram } from '../host/engine/program.ts';
import { ALLOWED } from './e2e/differential/allowed.ts';
import { fillDemo } from './engine/demo-records.ts';
import { blockOf, EngineWorld, recordsStep } from './engine/world.ts';

const ROOT = join(import.meta.dirname, '..');
const ROWS_MAX = 25;

interface Row {
  readonly what: string;
  readonly shownBy: string;
}

function readRows(): Row[] {
  const lines = readFileSync(join(ROOT, 'docs/differences.md'), 'utf8').split('\n');
  const cells = lines.filter((line) => line.startsWith('|')).map((line) => line.split('|').map((cell) => cell.trim()));
  assert.deepEqual(cells[0]!.slice(1, -1), ['what', 'CoreDNS', 'wasmdns', 'why', 'shown by']);
  return cells.slice(2).map((row) => ({ what: row[1]!, shownBy: row[5]! }));
}

test('the table is short, and each row names a test that is there', () => {
  const rows = readRows();
  assert.ok(rows.length <= ROWS_MAX, `${rows.length} rows`);
  for (const { what, shownBy } of rows) {
    const [, file, title] = /^`([^`]+)`: (.+)$/.exec(shownBy) ?? [];
    assert.ok(file !== undefined && title !== undefined, `${what}: "${shownBy}" is no \`FILE\`: TITLE`);
    assert.ok(
      readFileSync(join(ROOT, 'test', file), 'utf8').includes(title),
      `${what}: ${file} has no test "${title}"`,
    );
  }
});

test('differences that the differential suite allows stand in the table', () => {
  const rows = new Set(readRows().map(({ what }) => what));
  for (const { row } of ALLOWED) if (row !== undefined) assert.ok(rows.has(row), row);
});

test('name compression: a reply that would fit without is compressed all the same', () => {
  const world = new EngineWorld();
  const store = fillDemo(world);
  const zone = 'cluster.local.';
  world.load([zone], (steps) => steps.records(recordsStep(store, [zone])));
  const name = composeName('web.demo.svc.cluster.local.');
  const query = Uint8Array.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, TYPE_A, 0, 1]);
  const { outcome, reply } = world.ask(query);
  assert.equal(outcome, OUTCOME_ANSWER);
  // The owner of the first record behind the question points to it.
  assert.deepEqual([...reply!.subarray(query.length, query.length + 2)], [0xc0, 12]);
});

test('duration of a query answered by the fast face: what its whole batch took', () => {
  const world = new EngineWorld();
  const store = fillDemo(world);
  const steps = new BlockSteps(blockOf(['cluster.local.']));
  steps.count('test');
  steps.records(recordsStep(store, ['cluster.local.']));
  const zones = [{ zone: 'cluster.local.', block: 0, scope: 0, serverOrdinal: 0 }];
  const listeners = [{ port: 53, droppedScope: undefined, zones }];
  const { listeners: addresses } = writeProgram(world.writer, {
    ...{ blocks: [steps], listeners, generation: 1, isForcedSlow: false },
  });
  const name = composeName('web.demo.svc.cluster.local.');
  const query = Uint8Array.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, TYPE_A, 0, 1]);
  const { area, engine, octets, view } = world;
  for (let i = 0; i < 3; i++) {
    octets.set(query, area + layout.RECEIVE_SLOTS + i * layout.RECEIVE_STRIDE);
    const header = area + layout.RECEIVE_HEADERS + i * layout.MMSGHDR_STRIDE;
    view.setUint32(header + layout.MMSGHDR_LEN, query.length, true);
    octets.set([2, 0, 0x12, 0x67, 127, 0, 0, 1], area + layout.RECEIVE_NAMES + i * layout.SOCKADDR_STRIDE);
  }
  engine.serve(area, addresses[0]!, 3);
  engine.settle(area, 3);
  const slot = (at: number): number => view.getFloat64(area + layout.SLOTS + (layout.SCOPE_DURATION + at) * 8, true);
  // 3 ms: the bucket up to 4 ms, three times
  const buckets = Array.from({ length: layout.DURATION_BUCKETS }, (_, at) => slot(at));
  assert.deepEqual(buckets.map((count, at) => (count === 0 ? '' : `${at}: ${count}`)).filter(Boolean), ['4: 3']);
  assert.ok(Math.abs(slot(layout.DURATION_BUCKETS) - 0.009) < 1e-9);
});
