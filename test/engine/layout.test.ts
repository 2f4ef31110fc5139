import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as codes from '../../engine-as/shared/codes.ts';
import * as layout from '../../engine-as/shared/layout.ts';
import * as rules from '../../engine-as/shared/rules.ts';
import { areaAt, planMemory } from '../../host/engine/memory.ts';
import { compileEntry } from './compile.ts';
import { createMemory } from './image-engine.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const constants: Record<string, number> = { ...codes, ...layout, ...rules };

test('asc and tsc read the same numbers from the shared files', () => {
  const names = Object.keys(constants);
  const lines = names.map((name, i) => `  if (i == ${i}) return <u32>${name};`);
  const imports = Object.entries({ codes, layout, rules }).map(
    ([file, exported]) => `import { ${Object.keys(exported).join(', ')} } from 'engine-as/shared/${file}';`,
  );
  const source = `${imports.join('\n')}\nexport function value(i: u32): u32 {\n${lines.join('\n')}\n  return 0;\n}\n`;
  const instance = new WebAssembly.Instance(new WebAssembly.Module(compileEntry(source)), {
    env: { memory: createMemory() },
  });
  const value = instance.exports['value'] as (i: number) => number;
  names.forEach((name, i) => {
    assert.equal(value(i) >>> 0, constants[name]! >>> 0, name);
  });
});

test('what rewrite keeps lies inside its scratch, and the question as it was asked inside the exchange', () => {
  assert.ok(layout.REWRITE_LEFT >= layout.ASKED_BYTES - layout.ASKED_NAME, 'the new name');
  assert.ok(layout.REWRITE_LEFT + layout.LEFT_MAX * layout.LEFT_STRIDE <= layout.REWRITE_TEXTS, 'response rules');
  assert.ok(layout.REWRITE_TEXTS + layout.REWRITE_TEXTS_BYTES <= layout.REWRITE_MESSAGE, 'texts of names');
  assert.ok(layout.EXCHANGE_MESSAGE + layout.EXCHANGE_MESSAGE_MAX <= layout.EXCHANGE_ASKED, 'message');
  assert.ok(layout.EXCHANGE_ASKED + layout.ASKED_BYTES <= layout.EXCHANGE_STRIDE, 'question');
});

test('the regions of a shard area follow each other without overlap', () => {
  const regions: [string, number, number][] = [
    ['words', 0, layout.SHARD_TOUCHED + layout.TOUCHED_MAX * 8],
    ['receive headers', layout.RECEIVE_HEADERS, layout.BATCH * layout.MMSGHDR_STRIDE],
    ['receive iovecs', layout.RECEIVE_IOVECS, layout.BATCH * layout.IOVEC_STRIDE],
    ['receive names', layout.RECEIVE_NAMES, layout.BATCH * layout.SOCKADDR_STRIDE],
    ['receive controls', layout.RECEIVE_CONTROLS, layout.BATCH * layout.CONTROL_MESSAGE_STRIDE],
    ['send headers', layout.SEND_HEADERS, layout.BATCH * layout.MMSGHDR_STRIDE],
    ['send iovecs', layout.SEND_IOVECS, layout.BATCH * layout.IOVEC_STRIDE],
    ['handoffs', layout.HANDOFFS, layout.BATCH * layout.HANDOFF_STRIDE],
    ['receive slots', layout.RECEIVE_SLOTS, layout.BATCH * layout.RECEIVE_STRIDE],
    ['send slots', layout.SEND_SLOTS, layout.BATCH * layout.SEND_BYTES_MAX],
    ['log records', layout.LOG_RECORDS, layout.LOG_MAX * layout.LOG_STRIDE],
    ['large in', layout.LARGE_IN, codes.MESSAGE_BYTES_MAX + 1],
    ['large out', layout.LARGE_OUT, codes.MESSAGE_BYTES_MAX + 1],
    ['image scratch', layout.IMAGE_SCRATCH, layout.IMAGE_BYTES_MAX],
    ['name scratch', layout.NAME_SCRATCH, 16384],
    ['compress scratch', layout.COMPRESS_SCRATCH, 16384],
    ['upstream slots', layout.UPSTREAM_SLOTS, layout.BATCH * layout.UPSTREAM_STRIDE],
    ['upstream headers', layout.UPSTREAM_HEADERS, layout.UPSTREAM_HEADERS_BYTES],
    ['slots', layout.SLOTS, layout.SLOT_COUNT * 8],
    ['writer scratch', layout.WRITER_SCRATCH, 262144],
    ['rewrite scratch', layout.REWRITE_SCRATCH, layout.REWRITE_MESSAGE + codes.MESSAGE_BYTES_MAX + 1],
    ['exchanges', layout.EXCHANGES, layout.EXCHANGE_STRIDE],
  ];
  let end = 0;
  for (const [name, at, bytes] of regions) {
    assert.ok(at >= end, `${name} begins at ${at}, inside the region before it (ends at ${end})`);
    assert.equal(at % 8, 0, `${name} is 8-aligned`);
    end = at + bytes;
  }
});

test('the control page holds its parts', () => {
  assert.ok(layout.CONTROL_FREE_LISTS + layout.ARENA_CLASSES * 4 <= layout.CONTROL_ARENA_BYTES_USED);
  assert.ok(layout.CONTROL_WORDS + layout.CONTROL_WORD_COUNT * 4 <= layout.EPOCHS_AT);
  assert.ok(layout.EPOCHS_AT + layout.SHARDS_MAX * layout.EPOCH_STRIDE <= layout.SHARDS_AT);
  assert.ok(layout.SCOPE_RESPONSES + 2 * layout.RCODE_SLOTS <= layout.SCOPE_SLOTS);
  assert.ok(layout.LOG_NAME + codes.NAME_BYTES_MAX <= layout.LOG_DURATION_MS);
  assert.ok(layout.EXCHANGE_MESSAGE + layout.EXCHANGE_MESSAGE_MAX <= layout.EXCHANGE_STRIDE);
});

const LINE = 64;
/** Of a cache table's words that look-ups read: they stand first. */
const HEADER_WORDS_BYTES = 32;
const lineOf = (at: number): number => Math.floor(at / LINE);

test('what different shards write stands on lines of their own: epoch words and areas', () => {
  assert.equal(layout.EPOCH_STRIDE % LINE, 0);
  assert.equal(layout.EPOCHS_AT % LINE, 0);
  for (const shardCount of [1, 2, 3, 7, 64]) {
    const plan = planMemory(shardCount);
    const used = layout.EXCHANGES + (plan.exchangesPerShard + 1) * layout.EXCHANGE_STRIDE;
    for (let shard = 0; shard <= shardCount; shard++) {
      const at = areaAt(plan, shard);
      assert.equal(at % LINE, 0, `area ${shard} of ${shardCount}`);
      const next = shard < shardCount ? areaAt(plan, shard + 1) : plan.arenaAt;
      const bytes = shard < shardCount ? used : layout.EXCHANGES;
      assert.ok(lineOf(at + bytes - 1) < lineOf(next), `area ${shard} of ${shardCount} ends before what follows`);
    }
  }
});

test('what every query reads of the control page does not share a line with what each record changes', () => {
  const written = ['ARENA_TOP', 'RETIRED', 'WAITING', 'ARENA_BYTES_USED', 'FREE_LISTS'];
  const read = ['TABLE', 'EPOCH', 'HASH_SEED', 'ECHOES', 'WORDS', 'NATIVE_BASE'];
  const line = (name: string): number => lineOf(constants[`CONTROL_${name}`]!);
  const busy = new Set(written.map(line));
  for (let at = layout.CONTROL_FREE_LISTS; at < layout.CONTROL_FREE_LISTS + layout.ARENA_CLASSES * 4; at += LINE) {
    busy.add(lineOf(at));
  }
  for (const name of read) assert.ok(!busy.has(line(name)), `CONTROL_${name}`);
});

test('the words of a cache that all shards write have lines of their own, wherever the cache lies', () => {
  const memory = createMemory();
  const names = ['TABLE_FREE', 'TABLE_FRESH', 'TABLE_BYTES', 'BLOCK_BYTES', 'TABLE_SLOTS', 'TABLE_BLOCKS'];
  const { exports } = new WebAssembly.Instance(
    new WebAssembly.Module(
      compileEntry(
        `import { ${names.join(', ')} } from 'engine-as/cache/table';\n` +
          `export { cacheCreate, cacheRelease } from 'engine-as/cache/table';\n` +
          `export { arenaAllocate, arenaReclaim } from 'engine-as/records/arena';\n` +
          names.map((name) => `export function ${name.toLowerCase()}(): u32 { return ${name}; }\n`).join(''),
      ),
    ),
    { env: { memory } },
  );
  const call = exports as Record<string, (...words: number[]) => number>;
  const [free, fresh, tableBytes, blockBytes, slots, blocks] = names.map((name) => call[name.toLowerCase()]!());
  const word = (at: number): number => new DataView(memory.buffer).getUint32(at, true);
  const places = new Set<number>();
  // Blocks of the arena stand 8 octets behind their header: any place on a line may come
  for (let turn = 0; turn < 40; turn++) {
    places.add(call['arenaAllocate']!(32 + 8 * (turn % 5)) % LINE);
    const cache = call['cacheCreate']!(64, 64);
    const read: number[] = [];
    const written: number[] = [];
    for (const table of [cache, cache + tableBytes!]) {
      read.push(lineOf(table), lineOf(table + HEADER_WORDS_BYTES - 1), lineOf(word(table + slots!)));
      written.push(lineOf(table + free!), lineOf(table + fresh!));
      assert.equal((word(table + blocks!) + blockBytes!) % LINE, 0, 'blocks begin with a line');
      assert.equal(word(table + slots!) % LINE, 0, 'slots begin with a line');
    }
    const shared = written.filter((line) => read.includes(line));
    assert.deepEqual(shared, [], `cache at ${cache}`);
    assert.equal(new Set(written).size, written.length, `cache at ${cache}`);
    if (turn % 2) call['cacheRelease']!(cache);
    call['arenaReclaim']!();
  }
  assert.ok(places.size > 2, 'the arena gave blocks of several places');
});

test('engine.wasm imports the memory alone and has neither data nor a start function', () => {
  const octets = readFileSync(join(ROOT, 'dist/engine.wasm'));
  const module = new WebAssembly.Module(octets);
  assert.deepEqual(WebAssembly.Module.imports(module), [{ module: 'env', name: 'memory', kind: 'memory' }]);
  assert.deepEqual(
    sectionsOf(octets).filter((id) => id === 8 || id === 11),
    [],
  );
});

/** Section ids of a wasm binary, in order. */
function sectionsOf(octets: Uint8Array): number[] {
  const ids: number[] = [];
  for (let at = 8; at < octets.length; ) {
    ids.push(octets[at++]!);
    let bytes = 0;
    for (let shift = 0; ; shift += 7) {
      const octet = octets[at++]!;
      bytes |= (octet & 127) << shift;
      if (octet < 128) break;
    }
    at += bytes;
  }
  return ids;
}
