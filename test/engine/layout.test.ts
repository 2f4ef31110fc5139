import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as codes from '../../engine-as/shared/codes.ts';
import * as layout from '../../engine-as/shared/layout.ts';
import * as rules from '../../engine-as/shared/rules.ts';
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
