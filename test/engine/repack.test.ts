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

test('EDNS options leave as CoreDNS packs them', () => {
  const world = new EngineWorld();
  const store = world.createRecords();
  world.load(['cluster.local.'], (steps) => steps.records(recordsStep(store, ['cluster.local.'])), true);
  const name = composeName('web.demo.svc.cluster.local.');
  const query = (options: string) => {
    const octets = Buffer.from(options.replaceAll(' ', ''), 'hex');
    const head = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, ...name, 0, TYPE_A, 0, 1];
    return Uint8Array.from([...head, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, octets.length, ...octets]);
  };
  const packed: Readonly<Record<string, string>> = {
    // ECS: the address has the octets and the bits that its prefix needs.
    '0008 0008 00011800 c0000263': '0008 0007 00011800 c00002',
    '0008 0008 00011400 c000ff00': '0008 0007 00011400 c000f0',
    '0008 0005 00011800 c0': '0008 0007 00011800 c00000',
    '0008 0006 00000000 0102': '0008 0004 00000000',
    '0008 0006 00022000 2001': '0008 0008 00022000 20010000',
    // EXPIRE has four octets, KEEPALIVE none when it is zero, LLQ 18, an update lease without a key's four.
    '0009 0006 000102030405': '0009 0004 00010203',
    '000b 0002 0000': '000b 0000',
    '0001 0014 0102030405060708090a0b0c0d0e0f1011121314': '0001 0012 0102030405060708090a0b0c0d0e0f101112',
    '0002 0008 0000000100000000': '0002 0004 00000001',
    // A reporting agent is a name and nothing behind it.
    '0012 0005 0161 00 ffff': '0012 0003 0161 00',
    // These stay as they are.
    '0003 0002 6162 000c 0003 000000 0008 0007 00011800 c00002':
      '0003 0002 6162 000c 0003 000000 0008 0007 00011800 c00002',
  };
  for (const [received, expected] of Object.entries(packed)) {
    assert.equal(world.ask(query(received)).outcome, OUTCOME_SLOW);
    const want = query(expected);
    const large = world.area + layout.LARGE_IN;
    assert.deepEqual(Buffer.from(world.octets.slice(large, large + want.length)), Buffer.from(want), received);
  }
});
