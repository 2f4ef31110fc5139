// docs/differences.md: few rows, and each with a test that shows it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { OUTCOME_ANSWER, TYPE_A } from '../engine-as/shared/codes.ts';
import { composeName } from '../host/dns/name.ts';
import { ALLOWED } from './e2e/differential/allowed.ts';
import { fillDemo } from './engine/demo-records.ts';
import { EngineWorld, recordsStep } from './engine/world.ts';

const ROOT = join(import.meta.dirname, '..');
const ROWS_MAX = 25;
/** Rows that no test shows yet: none may be added. */
const UNSHOWN_MAX = 4;

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
  const unshown = rows.filter(({ shownBy }) => shownBy === '');
  assert.ok(unshown.length <= UNSHOWN_MAX, unshown.map(({ what }) => what).join('; '));
  for (const { what, shownBy } of rows) {
    if (shownBy === '') continue;
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
