// Queries that are packed anew on their way out of the fast face.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OUTCOME_SLOW, TYPE_A } from '../../engine-as/shared/codes.ts';
import * as layout from '../../engine-as/shared/layout.ts';
import { composeName } from '../../host/dns/name.ts';
import { EngineWorld, recordsStep } from './world.ts';

const NAMES_TABLE_BYTES = 8192;

test('a query packed anew loses what stands behind it, and leaves the table of written names alone', () => {
  const world = new EngineWorld();
  const store = world.createRecords();
  world.load(['cluster.local.'], (steps) => steps.records(recordsStep(store, ['cluster.local.'])), true);
  const name = composeName('web.demo.svc.cluster.local.');
  const plain = Uint8Array.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...name, 0, TYPE_A, 0, 1]);
  const odd = new Uint8Array([...plain, ...new Uint8Array(300).fill(0xee)]);
  const table = world.area + layout.COMPRESS_SCRATCH;
  world.octets.fill(0x5a, table, table + NAMES_TABLE_BYTES);
  assert.equal(world.ask(odd).outcome, OUTCOME_SLOW);
  const large = world.area + layout.LARGE_IN;
  assert.deepEqual(world.octets.slice(large, large + plain.length), plain);
  assert.ok(world.octets.subarray(table, table + NAMES_TABLE_BYTES).every((octet) => octet === 0x5a));
});
