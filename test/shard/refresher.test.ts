import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as layout from '../../engine-as/shared/layout.ts';
import { ShardArea } from '../../host/shard/area.ts';
import { ExchangeTable } from '../../host/shard/exchanges.ts';
import type { Generation, ReplyPath } from '../../host/shard/generation.ts';
import type { Handoff } from '../../host/shard/handoff.ts';
import { REFRESHES_MAX, Refresher } from '../../host/shard/refresher.ts';

const AREA = 65536;
const ZONE = 4096;

/** A refresher whose engine notes what it is given, and takes replies that begin with `ok`. */
function createWorld(capacity: number, shardCount: number) {
  const pages = Math.ceil((AREA + layout.EXCHANGES + (capacity + 1) * layout.EXCHANGE_STRIDE) / 65536) + 1;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const area = new ShardArea(memory as unknown as { buffer: SharedArrayBuffer }, AREA);
  const idle: number[] = [];
  const generation: Generation = {
    number: 1,
    blocks: new Map(),
    openCount: 0,
    onIdle: () => idle.push(generation.openCount),
    onPanic: () => {},
  };
  const text = (at: number, bytes: number): string => area.octets.toString('latin1', at, at + bytes);
  const exchanges = new ExchangeTable({
    area,
    capacity,
    engine: {
      finish: () => assert.fail(),
      fail: () => assert.fail(),
      failPanicked: () => assert.fail(),
      drop: () => assert.fail(),
      withhold: () => undefined,
      rewriteSaved: () => 0,
    },
    onFailure: () => assert.fail('nobody hears of it'),
    onRecords: () => assert.fail(),
    onForgotten: () => assert.fail(),
  });
  const ended: string[] = [];
  const left: { handle: number; way: 'relay' | 'slow' }[] = [];
  const refresher = new Refresher({
    area,
    exchanges,
    shardCount,
    engine: {
      runCacheRefresh: (_area, zone, below, at, bytes, replyAt, replyBytes, outAt, block, seq, lastMs, bits) => {
        const reply = text(replyAt, replyBytes);
        ended.push(`${text(at, bytes)} ${reply} ${zone} ${below} ${block} ${seq} ${lastMs} ${bits}`);
        area.setWord(layout.SHARD_REPLY_BYTES, area.octets.write(`seen ${reply}`, outAt, 'latin1'));
        return reply.startsWith('ok') ? 1 : 0;
      },
    },
    handoff: { relay: (handle: number) => left.push({ handle, way: 'relay' }) } as unknown as Handoff,
    runSlow: (handle) => left.push({ handle, way: 'slow' }),
  });
  const listening = {
    address: '',
    port: 53,
    server: '',
    program: 0,
    isDebugging: false,
    showsStack: false,
    generation,
  };
  const path: ReplyPath = {
    listening,
    proto: 0,
    localAddress: '::1',
    reply: () => assert.fail('there is no client'),
    local: () => ({ address: '::1', port: 53, family: 6 }),
  };
  const leaving = (message: string, bits: number) => {
    const handoffAt = AREA + layout.HANDOFFS;
    const messageAt = AREA + layout.LARGE_IN;
    const words: [number, number][] = [
      [layout.HANDOFF_ZONE, ZONE],
      [layout.HANDOFF_STEP, 7],
      [layout.HANDOFF_FLAGS, layout.HANDOFF_WANTS_AD],
      [layout.HANDOFF_ENTRY, 512],
      [layout.HANDOFF_SEQ, 3],
      [layout.HANDOFF_LAST_MS, 99],
      [layout.HANDOFF_REFRESH, bits],
    ];
    for (const [offset, value] of words) area.words[(handoffAt + offset) >>> 2] = value;
    area.octets.write(message, messageAt, 'latin1');
    const sockaddr = { sockaddrAt: AREA + layout.RECEIVE_NAMES, sockaddrBytes: 16, controlAt: 0, controlBytes: 0 };
    return { path, messageAt, bytes: message.length, ...sockaddr, startedMs: 0, handoffAt };
  };
  const answer = (handle: number, reply: string) => {
    const at = AREA + layout.LARGE_OUT;
    assert.equal(exchanges.finish(handle, at, area.octets.write(reply, at, 'latin1')), true);
  };
  return { area, answer, ended, exchanges, generation, idle, leaving, left, refresher };
}

test('a refresh leaves as a query of a stream from nobody; its reply and its failure go to the entry', async () => {
  const { answer, area, ended, exchanges, generation, idle, leaving, left, refresher } = createWorld(8, 1);
  refresher.begin(leaving('first', layout.REFRESH_HELD));
  refresher.begin(leaving('second', layout.REFRESH_HELD | layout.REFRESH_RELAY));
  assert.deepEqual(
    left.map(({ way }) => way),
    ['slow', 'relay'],
  );
  const [first, second] = left.map(({ handle }) => handle) as [number, number];
  assert.equal(exchanges.isStream(first), true);
  assert.equal(exchanges.wantsAd(first), true);
  const sockaddrAt = exchanges.at(first) + layout.EXCHANGE_SOCKADDR;
  assert.deepEqual([...area.octets.subarray(sockaddrAt, sockaddrAt + 8)], [2, 0, 0, 0, 0, 0, 0, 0]);
  answer(second, 'ok two');
  exchanges.fail(first, 2, 'no upstream');
  assert.deepEqual(idle, [], 'the program is still needed');
  await Promise.resolve();
  const held = layout.REFRESH_HELD;
  assert.deepEqual(ended, [
    `second ok two ${ZONE} 7 512 3 99 ${held | layout.REFRESH_RELAY}`,
    `first  ${ZONE} 7 512 3 99 ${held}`,
  ]);
  assert.deepEqual([generation.openCount, refresher.openCount, idle], [0, 0, [0]]);
});

test('a verification goes the way of its client and brings what the client is to see', async () => {
  const { answer, exchanges, leaving, left, refresher } = createWorld(8, 1);
  const taken = refresher.verify(leaving('one', layout.REFRESH_STALE));
  const refused = refresher.verify(leaving('two', layout.REFRESH_STALE));
  assert.equal(exchanges.isStream(left[0]!.handle), false);
  answer(left[0]!.handle, 'ok new');
  answer(left[1]!.handle, 'no');
  assert.equal(Buffer.from((await taken)!).toString(), 'seen ok new');
  assert.equal(await refused, undefined);
});

test('bounded: what is too much ends at once, without a reply and without an exchange', () => {
  const full = createWorld(2, 1);
  for (let i = 0; i < 3; i++) full.refresher.begin(full.leaving(`q${i}`, layout.REFRESH_HELD));
  assert.equal(full.left.length, 2);
  assert.deepEqual(full.ended, [`q2  ${ZONE} 7 512 3 99 ${layout.REFRESH_HELD}`]);
  assert.equal(full.exchanges.refusedCount, 0, 'no client was refused');
  const many = createWorld(8, REFRESHES_MAX / 4);
  for (let i = 0; i < 6; i++) many.refresher.begin(many.leaving(`q${i}`, layout.REFRESH_HELD));
  assert.equal(many.left.length, 4);
  assert.deepEqual([many.ended.length, many.refresher.openCount], [2, 4]);
});
