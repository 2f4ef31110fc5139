import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as layout from '../../engine-as/shared/layout.ts';
import { CacheClient } from './cache-client.ts';
import { compileEngine, DENIAL, SUCCESS, wireName } from './image-engine.ts';
import { a, composeReply, soa } from './image-messages.ts';

const module = compileEngine();
const NAMES = 1_000_000;
const CAPACITY = 9984;
const DIGITS = 7;

/** Writes the decimal digits of `index` over those of the names in the two messages. */
function renumber(octets: Uint8Array, at: number, index: number): void {
  let rest = index;
  for (let i = DIGITS - 1; i >= 0; i--) {
    octets[at + i] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

test('a million names, half of them without answer: entries and octets stay within their bounds', {
  timeout: 300_000,
}, () => {
  const client = new CacheClient(module, CAPACITY);
  const { engine } = client;
  const { exports } = engine;
  const step = engine.step({ cache: client.cache, stale: 3600, prefetch: [1, 60_000, 90] });
  const words = new Uint32Array(engine.memory.buffer);
  const arenaTop = words[layout.CONTROL_ARENA_TOP / 4];
  const memoryBytes = engine.memory.buffer.byteLength;
  const name = `n${'0'.repeat(DIGITS)}.example.org.`;
  const replies = [
    composeReply(
      { flags: 0x8180, question: name, type: 1, sections: [[a(name, 300, 192, 0, 2, 1)], [], []] },
      'standard',
    ),
    composeReply(
      { flags: 0x8183, question: name, type: 1, sections: [[], [soa('example.org.', 300)], []] },
      'standard',
    ),
  ] as const;
  engine.ask(name, { tcp: true });
  const queryBytes = 12 + wireName(name).length + 4;
  const digitsAt = 14; // behind the header, the label's length and its first letter
  const octets = engine.octets;
  let hits = 0;
  for (let i = 0; i < NAMES; i++) {
    renumber(octets, engine.queryAt + digitsAt, i);
    exports.parseQuery(engine.queryAt, queryBytes, 1, engine.queryAt + 2048);
    if (exports.cacheLookup(step)) hits++;
    const reply = replies[i & 1]!;
    octets.set(reply, engine.replyAt);
    renumber(octets, engine.replyAt + digitsAt, i);
    exports.imageFromMessage(engine.replyAt, reply.length, 0, 0);
    exports.cacheStore(step);
    if ((i & 0xffff) === 0) {
      assert.ok(client.entries(SUCCESS) <= CAPACITY && client.entries(DENIAL) <= CAPACITY);
      engine.setNow(1_000_000 + i);
    }
  }
  assert.equal(hits, 0);
  for (const [kind, counter] of [
    [SUCCESS, layout.CACHE_EVICTIONS_SUCCESS],
    [DENIAL, layout.CACHE_EVICTIONS_DENIAL],
  ] as const) {
    const entries = client.entries(kind);
    assert.ok(entries <= CAPACITY && entries > CAPACITY * 0.9, `${entries} entries`);
    // A name whose 32-bit hash is another's takes its place without an eviction; a few in a million do.
    const replaced = NAMES / 2 - entries - engine.counter(counter);
    assert.ok(replaced >= 0 && replaced < 20, `${replaced} replaced`);
  }
  assert.equal(words[layout.CONTROL_ARENA_TOP / 4], arenaTop, 'nothing was allocated on the way');
  assert.equal(engine.memory.buffer.byteLength, memoryBytes);
  // The last ones are there.
  for (let i = NAMES - 20; i < NAMES; i++) {
    renumber(octets, engine.queryAt + digitsAt, i);
    exports.parseQuery(engine.queryAt, queryBytes, 1, engine.queryAt + 2048);
    if (exports.cacheLookup(step)) hits++;
  }
  assert.ok(hits > 15, `${hits} of the last 20`);
});
