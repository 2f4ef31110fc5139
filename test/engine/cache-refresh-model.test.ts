import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as layout from '../../engine-as/shared/layout.ts';
import { CacheClient } from './cache-client.ts';
import { type Item, type Kind, Model, type Options } from './cache-refresh-model.ts';
import { compileEngine, createMemory, DENIAL, SUCCESS } from './image-engine.ts';
import { a, composeReply, type Reply, soa } from './image-messages.ts';
import { parseReply } from './image-reader.ts';

const module = compileEngine();
const memory = createMemory();

interface Step {
  /** Milliseconds, even: the engine's words are odd. */
  readonly wait: number;
  readonly name: string;
  readonly kind: Kind;
  readonly ttl: number;
  /** Ends the refresh of this place in the list of those under way, if there is one, instead of asking. */
  readonly ends: number | undefined;
}

const KINDS: readonly Kind[] = ['answer', 'nxdomain', 'nodata', 'empty', 'servfail', 'refused', 'truncated', 'none'];

const step = fc.record<Step>({
  wait: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(0, 2, 500, 1000) },
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 2500 }).map((n) => n * 2) },
    fc.constantFrom(20_000, 44_500, 46_000),
  ),
  name: fc.constantFrom('a.example.org.', 'A.Example.org.', 'b.example.org.'),
  kind: fc.constantFrom(...Array.from({ length: 8 }, () => 'answer' as const), ...KINDS),
  ttl: fc.constantFrom(0, 3, 7, 20),
  ends: fc.constantFrom(undefined, undefined, 0, 0, 1),
});

const options = fc.record<Options>({
  stale: fc.constantFrom(0, 3, 30, 3600),
  verifies: fc.boolean(),
  prefersPositive: fc.boolean(),
  keepTtl: fc.boolean(),
  staleTtl: fc.constantFrom(0, 9),
  recheckMs: fc.constantFrom(0, 5000),
  prefetch: fc.constantFrom(
    [0, 60_000, 10],
    [1, 60_000, 90],
    [2, 3000, 50],
    [3, -1000, 90],
    [2, 60_000, 90],
    [2, 60_000, 10],
  ),
});

function reply(one: Step, address: number): Reply {
  const rr = a(one.name, one.ttl, 10, 0, address >> 8, address & 255);
  const flags = {
    answer: 0x8180,
    truncated: 0x8380,
    nxdomain: 0x8183,
    nodata: 0x8180,
    empty: 0x8180,
    servfail: 0x8182,
  };
  const common = { question: one.name, type: 1, flags: one.kind in flags ? flags[one.kind as 'answer'] : 0x8185 };
  const mark = { ...rr, name: 'mark.' };
  if (one.kind === 'answer' || one.kind === 'truncated') return { ...common, sections: [[rr], [], []] };
  const hasSoa = one.kind === 'nxdomain' || one.kind === 'nodata';
  return { ...common, sections: [[], hasSoa ? [soa('zone.', one.ttl)] : [], [mark]] };
}

interface Pending {
  readonly name: string;
  readonly item: Item;
  readonly begunAt: number;
  readonly words: readonly [block: number, seq: number, bits: number, lastMs: number];
}

class Game {
  readonly client: CacheClient;
  readonly model: Model;
  readonly step: number;
  readonly pending: Pending[] = [];
  now = 5_000_000;

  constructor(chosen: Options) {
    const words = new Uint32Array(memory.buffer);
    words[layout.CONTROL_ARENA_TOP / 4] = words[layout.CONTROL_ARENA_START / 4] ?? 0;
    this.client = new CacheClient(module, 1024, 1024, memory);
    this.model = new Model(chosen);
    const flags =
      (chosen.keepTtl ? layout.CACHE_KEEP_TTL : 0) |
      (chosen.verifies ? layout.CACHE_VERIFY : 0) |
      (chosen.prefersPositive ? layout.CACHE_PREFER_POSITIVE : 0);
    const { stale, staleTtl, recheckMs, prefetch } = chosen;
    const limits = { success: [2, 60], denial: [1, 10], servfail: 4 } as const;
    const cache = this.client.cache;
    this.step = this.client.engine.step({ cache, ...limits, flags, stale, staleTtl, recheckMs, prefetch });
  }

  play(one: Step, index: number): void {
    this.now += one.wait;
    this.client.engine.setNow(this.now);
    const ended = one.ends === undefined ? undefined : this.pending.splice(one.ends, 1)[0];
    if (ended !== undefined) this.end({ ...one, name: ended.name }, ended, index);
    else this.ask(one, index);
  }

  ask(one: Step, index: number): void {
    const { exports } = this.client.engine;
    const found = this.model.find(one.name, this.now);
    this.client.engine.ask(one.name, { tcp: true });
    const image = exports.cacheLookup(this.step);
    assert.equal(image !== 0, found !== undefined, `step ${index}: hit`);
    if (found === undefined) {
      if (one.kind !== 'none') this.take(one, index, () => Number(exports.cacheStore(this.step)));
      return;
    }
    assert.equal(exports.hitKind.value, this.model.isDenial(found) ? DENIAL : SUCCESS, `step ${index}: table`);
    assert.equal(mark(this.client.engine.emit()), found.address, `step ${index}: entry`);
    assert.equal(Number(exports.hitTtl.value) >>> 0, this.model.shownTtl(found, this.now), `step ${index}: ttl`);
    const verifies = this.model.beginsVerify(found, this.now);
    assert.equal(
      exports.mustVerify(this.step) !== 0 && exports.beginVerify(this.step) !== 0,
      verifies,
      `step ${index}`,
    );
    if (verifies) {
      this.end(one, this.entry(one.name, found), index);
      return;
    }
    const begins = this.model.served(found, this.now);
    assert.equal(exports.hitServed(this.step) !== 0, begins, `step ${index}: refresh`);
    if (begins) this.pending.push(this.entry(one.name, found));
  }

  entry(name: string, item: Item): Pending {
    const { exports } = this.client.engine;
    const words = [exports.foundBlock, exports.foundSeq, exports.refreshBits, exports.refreshLastMs] as const;
    const [block, seq, bits, lastMs] = words.map((word) => Number(word.value)) as [number, number, number, number];
    return { name, item, begunAt: this.now, words: [block, seq, bits, lastMs] };
  }

  /** The reply to a refresh or a verification. */
  end(one: Step, { item, begunAt, words }: Pending, index: number): void {
    const { engine } = this.client;
    const [block, seq, bits, lastMs] = words;
    const expected = this.model.refreshed(one, index, item, begunAt, this.now, (bits & layout.REFRESH_REMOVES) !== 0);
    engine.ask(one.name, { tcp: true });
    let ttl = -1;
    if (one.kind !== 'none') {
      assert.equal(engine.take(composeReply(reply(one, index), 'standard')), 0);
      ttl = engine.exports.takeRefreshed(this.step, engine.imageAt, block, seq, bits, lastMs);
    }
    const isFailed = ttl < 0 && (bits & layout.REFRESH_STALE) !== 0;
    engine.exports.endRefresh(this.step, block, seq, bits, isFailed ? 1 : 0);
    assert.equal(ttl, expected, `step ${index}: refreshed`);
  }

  take(one: Step, index: number, store: () => number): void {
    assert.equal(this.client.engine.take(composeReply(reply(one, index), 'standard')), 0);
    const expected = this.model.store(one, index, this.now);
    assert.equal(store(), expected, `step ${index}: stored ttl`);
  }
}

function mark(octets: Uint8Array | undefined): number | undefined {
  const records = parseReply(octets ?? new Uint8Array()).sections.flat();
  const rdata = records.find((rr) => rr.type === 1)?.rdata[0] as readonly number[] | undefined;
  return rdata === undefined ? undefined : ((rdata[2] ?? 0) << 8) | (rdata[3] ?? 0);
}

test('prefetch, serve_stale, its policy, keepttl: hits, TTLs, refreshes and what they leave, as the model has it', () => {
  const games = fc.property(options, fc.array(step, { minLength: 1, maxLength: 80 }), (chosen, all) => {
    const game = new Game(chosen);
    for (const [index, one] of all.entries()) game.play(one, index);
    assert.equal(game.client.entries(SUCCESS), game.model.success.size);
    assert.equal(game.client.entries(DENIAL), game.model.denial.size);
  });
  fc.assert(games, { numRuns: 3000 });
});
