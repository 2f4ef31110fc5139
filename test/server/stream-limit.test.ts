import assert from 'node:assert/strict';
import { test } from 'node:test';
import { streamLimit } from '../../host/server/stream-limit.ts';

const limits = (files: string) => () =>
  `Limit                     Soft Limit           Hard Limit           Units     \n` +
  `Max processes             96000                96000                processes \n` +
  `Max open files            ${files.padEnd(20)} 1048576              files     \n`;

test('TCP connections leave descriptors for everything else', () => {
  const of = (shards: number, files: string) => streamLimit(shards, limits(files)).connectionsMax;
  assert.equal(of(1, '1048576'), 8192);
  assert.equal(of(64, '1048576'), 8192);
  assert.equal(of(1, 'unlimited'), 8192);
  assert.equal(of(1, '5120'), 4096);
  assert.equal(of(2, '5120'), 2048);
  assert.equal(of(1, '1024'), 512);
  assert.equal(of(2, '256'), 64);
  assert.equal(of(64, '20'), 1);
  assert.equal(streamLimit(1, () => undefined).connectionsMax, 8192);
});

test('a low limit of open files is told in the log', () => {
  assert.equal(streamLimit(1, limits('1024')).warning, undefined);
  assert.equal(
    streamLimit(2, limits('256')).warning,
    'at most 64 TCP connections a shard: the limit of open files is 256',
  );
});
