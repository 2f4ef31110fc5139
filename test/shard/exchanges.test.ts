import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as layout from '../../engine-as/shared/layout.ts';
import { ShardArea } from '../../host/shard/area.ts';
import { ExchangeTable } from '../../host/shard/exchanges.ts';
import type { Generation, RawReply, ReplyPath } from '../../host/shard/generation.ts';
import type { LeavingQuery } from '../../host/shard/leaving.ts';

const AREA = 65536;

interface Sent {
  readonly handle: number;
  readonly octets: string;
  readonly sockaddr: string;
}

/** A table whose engine says the saved message back: `finish` with an F in front, `fail` with the rcode. */
function createTable(capacity: number) {
  const pages = Math.ceil((AREA + layout.EXCHANGES + (capacity + 1) * layout.EXCHANGE_STRIDE) / 65536) + 1;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const area = new ShardArea(memory as unknown as { buffer: SharedArrayBuffer }, AREA);
  const failures: string[] = [];
  const sent: Sent[] = [];
  const order: string[] = [];
  const forgotten: number[] = [];
  const generation: Generation = { number: 1, blocks: new Map(), openCount: 0, onIdle: undefined, onPanic: () => {} };
  const table = new ExchangeTable({
    area,
    capacity,
    engine: {
      finish: (_area, _at, messageAt, bytes, replyAt, replyBytes, outAt) => {
        if (replyBytes === 0) return -1;
        const text = `F${area.octets.toString('latin1', messageAt, messageAt + bytes)}${area.octets.toString('latin1', replyAt, replyAt + replyBytes)}`;
        return area.octets.write(text, outAt, 'latin1');
      },
      withhold: () => undefined,
      failPanicked: () => assert.fail('no plugin panics'),
      drop: () => order.push('dropped'),
      rewriteSaved: () => 0,
      fail: (_area, _at, messageAt, bytes, rcode, outAt) =>
        area.octets.write(`${rcode}${area.octets.toString('latin1', messageAt, messageAt + bytes)}`, outAt, 'latin1'),
    },
    onFailure: (handle, rcode, text) => {
      order.push('error');
      failures.push(`${handle} ${rcode} ${text}`);
    },
    onRecords: () => order.push('log'),
    onForgotten: (at, bytes) => {
      area.octets.fill(0, at, at + bytes);
      forgotten.push(bytes);
    },
  });
  const path: ReplyPath = {
    listening: { address: '', port: 53, server: '', program: 0, isDebugging: false, showsStack: false, generation },
    proto: 0,
    localAddress: '::',
    reply: (handle, at, messageAt, bytes) => {
      const sockaddrAt = at + layout.EXCHANGE_SOCKADDR;
      sent.push({
        handle,
        octets: area.octets.toString('latin1', messageAt, messageAt + bytes),
        sockaddr: area.octets.toString('latin1', sockaddrAt, sockaddrAt + 16),
      });
    },
    local: () => ({ address: '::', port: 53, family: 6 }),
  };
  const messageAt = AREA + layout.LARGE_IN;
  const open = (message: string, more: Partial<LeavingQuery> = {}): number => {
    const sockaddrAt = AREA + layout.RECEIVE_NAMES;
    area.octets.write(message, messageAt, 'latin1');
    area.octets.write(`from ${message}`.padEnd(16).slice(0, 16), sockaddrAt, 'latin1');
    return table.open({
      path,
      messageAt,
      bytes: message.length,
      sockaddrAt,
      sockaddrBytes: 16,
      controlAt: sockaddrAt,
      controlBytes: 0,
      startedMs: 1,
      handoffAt: AREA + layout.HANDOFFS,
      ...more,
    });
  };
  const saved = (handle: number): string =>
    area.octets.toString('latin1', table.offset(handle), table.offset(handle) + table.bytes(handle));
  return { table, area, open, saved, sent, failures, order, forgotten, generation, path };
}

test('queries are saved and ended in any order, and never more than the table holds', () => {
  const action = fc.record({
    kind: fc.constantFrom('open', 'finish', 'fail', 'drop'),
    pick: fc.nat(),
    bytes: fc.integer({ min: 1, max: 640 }),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 150 }), (actions) => {
      const capacity = 12;
      const { table, open, saved, sent, generation } = createTable(capacity);
      const model = new Map<number, string>();
      let count = 0;
      for (const { kind, pick, bytes } of actions) {
        if (kind === 'open') {
          const message = String(count++).padEnd(bytes, '.');
          const handle = open(message);
          assert.equal(handle === 0, model.size === capacity);
          if (handle === 0) {
            assert.deepEqual(sent.pop(), {
              handle: 0,
              octets: `2${message}`,
              sockaddr: `from ${message}`.padEnd(16).slice(0, 16),
            });
            continue;
          }
          assert.ok(!model.has(handle));
          model.set(handle, message);
        } else if (model.size > 0) {
          const [handle, message] = [...model][pick % model.size]!;
          model.delete(handle);
          if (kind === 'drop') table.drop(handle);
          else if (kind === 'fail') table.fail(handle, 3, '');
          else assert.equal(table.finish(handle, table.offset(handle), 1), true);
          const text = kind === 'drop' ? '' : kind === 'fail' ? `3${message}` : `F${message}${message[0]}`;
          assert.equal(sent.pop()?.octets, text);
          assert.equal(table.isOpen(handle), false);
        }
        for (const [handle, message] of model) assert.equal(saved(handle), message);
        assert.equal(table.openCount, model.size);
        assert.equal(generation.openCount, model.size);
      }
    }),
    { numRuns: 60 },
  );
});

test('what a storm has left is given back, half of it at a time, and no open exchange with it', () => {
  const { table, open, saved, sent, forgotten } = createTable(11_000);
  const texts = new Map<number, string>();
  for (let n = 0; n < 9000; n++) texts.set(open(`query ${n}`), `query ${n}`);
  const kept = new Set([10, 3000, 7000]);
  table.sweep(1000);
  assert.deepEqual(forgotten, [], 'all of them are open');
  for (const handle of [...texts.keys()].filter((each) => !kept.has(each))) {
    table.fail(handle, 2, '');
    texts.delete(handle);
  }
  sent.length = 0;
  const entries = () => forgotten.splice(0).map((bytes) => bytes / layout.EXCHANGE_STRIDE);
  table.sweep(2000);
  table.sweep(2500);
  assert.deepEqual(entries(), [9000 - 7000], 'above 7000, once a second');
  // The lowest are taken first, beside those that are open
  assert.equal(open('new'), 1);
  table.drop(1);
  assert.equal(saved(7000), texts.get(7000));
  table.finish(7000, table.offset(7000), 1);
  for (const ms of [4000, 5000, 6000, 7000]) table.sweep(ms);
  assert.deepEqual(entries(), [3501, 499], 'half, then down to 3000');
  assert.equal(saved(3000), texts.get(3000));
  table.drop(3000);
  for (const ms of [8000, 9000, 10_000]) table.sweep(ms);
  assert.deepEqual(entries(), [3000 - 2048], 'and not below 2048');
  assert.equal(saved(10), texts.get(10));
  // All of the room is there again, but for 16 blocks of 64 KiB
  const handles = new Set<number>([10]);
  for (let handle = open('x'); handle !== 0; handle = open('x')) handles.add(handle);
  assert.equal(handles.size, 11_000 - 16 * Math.ceil(65536 / layout.EXCHANGE_STRIDE));
});

test('an exchange that has ended cannot be ended again', () => {
  const { table, open } = createTable(4);
  const handle = open('abc');
  table.fail(handle, 2, '');
  for (const again of [() => table.fail(handle, 2, ''), () => table.finish(handle, 0, 0), () => table.drop(handle)]) {
    assert.throws(again, /exchange 1 is not open/);
  }
});

test('a reply that is no message leaves the exchange open', () => {
  const { table, open, sent } = createTable(4);
  const handle = open('abc');
  assert.equal(table.finish(handle, 0, 0), false);
  assert.ok(table.isOpen(handle));
  assert.deepEqual(sent, []);
  table.fail(handle, 2, 'no reply came');
  assert.equal(sent.length, 1);
});

test('messages of any size are saved; when their room is used up the query is refused', () => {
  const { table, open, saved, sent } = createTable(1400);
  const sizes = [641, 4096, 65535, 20000, 65535];
  const handles = sizes.map((bytes, i) => open(String(i).repeat(bytes)));
  assert.ok(handles.every((handle) => handle !== 0));
  for (const [i, handle] of handles.entries()) assert.equal(saved(handle), String(i).repeat(sizes[i]!));
  assert.equal(open('x'.repeat(700)), 0);
  assert.equal(sent.pop()?.octets, `2${'x'.repeat(700)}`);
  assert.equal(table.refusedCount, 1);
  const short = open('short');
  assert.notEqual(short, 0);
  table.fail(handles[2]!, 2, '');
  const again = open('y'.repeat(65535));
  assert.notEqual(again, 0);
  assert.equal(saved(again), 'y'.repeat(65535));
  assert.equal(saved(handles[1]!), '1'.repeat(4096));
  assert.equal(saved(short), 'short');
});

test('a generation is told when its last exchange ends', () => {
  const { table, open, generation } = createTable(8);
  const [first, second] = [open('a'), open('b')];
  let idle = 0;
  generation.onIdle = () => idle++;
  assert.deepEqual(table.handlesOf(generation), [first, second]);
  table.drop(first!);
  assert.equal(idle, 0);
  table.fail(second!, 2, '');
  assert.equal(idle, 1);
});

test('a path that wants the reply as it came gets it, and no failure is reported for it', () => {
  const { table, area, open, path, failures, order, sent } = createTable(8);
  const taken: RawReply[] = [];
  const raw: ReplyPath = { ...path, takeRaw: (reply) => taken.push(reply) };
  area.octets.write('reply', AREA + layout.LARGE_OUT, 'latin1');
  assert.equal(table.finish(open('a', { path: raw }), AREA + layout.LARGE_OUT, 5), true);
  table.fail(open('b', { path: raw }), 2, 'no route');
  table.drop(open('c', { path: raw }));
  assert.deepEqual(taken, [
    { kind: 'message', octets: new Uint8Array(Buffer.from('reply')) },
    { kind: 'failure', rcode: 2, text: 'no route' },
    { kind: 'drop' },
  ]);
  assert.deepEqual([failures, sent, table.openCount], [[], [], 0]);
  table.fail(open('d'), 2, 'no route');
  assert.deepEqual(failures, ['1 2 no route']);
  assert.deepEqual(order, ['log', 'error'], 'the line of plugin log is the first one');
});

test('a rewritten query keeps the question as it was asked, and moves where it has room', () => {
  const { table, area, open, saved, sent } = createTable(1400);
  const asked = '\0\x07\x01\0\0\x01\0\0\0\0\0\0\x01A\x02bC\0\0\x01\0\x03';
  const handles = Array.from({ length: 6 }, () => open(asked));
  const long = new Uint8Array(3000).fill(0x78);
  const message = { id: 0, flags: 0, questions: [], answer: [], authority: [], additional: [], edns: undefined };
  const unlogged = { message, isRestored: false };
  const logged = { message, isRestored: true, loggedBytes: 65_536 };
  for (const handle of handles.slice(0, 5)) assert.equal(table.rewrite(handle, long, unlogged), true);
  // Its room of large messages is used up, but small ones stay where they are
  assert.equal(table.rewrite(handles[5]!, long, unlogged), false);
  assert.equal(saved(handles[5]!), asked);
  assert.equal(table.rewrite(handles[5]!, Buffer.from('other'), logged), true);
  for (const [i, handle] of handles.entries()) {
    const at = table.at(handle) + layout.EXCHANGE_ASKED;
    assert.equal(saved(handle), i < 5 ? 'x'.repeat(3000) : 'other');
    assert.equal(area.octets.toString('latin1', at + layout.ASKED_NAME, at + layout.ASKED_NAME + 6), '\x01A\x02bC\0');
    assert.equal(area.words[(at + layout.ASKED_NAME_BYTES) >>> 2], 6);
    assert.equal(area.octets.readUInt16LE(at + layout.ASKED_TYPE), 1);
    assert.equal(area.octets.readUInt16LE(at + layout.ASKED_CLASS), 3);
    assert.equal(area.words[(at + layout.ASKED_PLAIN) >>> 2], asked.length);
    const flags = layout.ASKED_RESTORED | (65_536 << layout.ASKED_LOGGED_SHIFT);
    assert.equal(area.words[(at + layout.ASKED_FLAGS) >>> 2], i < 5 ? 0 : flags);
    table.fail(handle, 2, '');
  }
  assert.equal(sent.length, 6);
  const next = open('next');
  assert.equal(area.words[(table.at(next) + layout.EXCHANGE_ASKED + layout.ASKED_NAME_BYTES) >>> 2], 0);
});
