import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLAG_AD, FLAG_RD } from '../../../engine-as/shared/codes.ts';
import { CACHE_SLOTS } from '../../../engine-as/shared/layout.ts';
import type {
  BlockProgram,
  CacheHandle,
  CacheStep,
  ControlServices,
  Plugin,
  ServerBlock,
  ShardServices,
  Stoppable,
} from '../../../host/plugin/contract.ts';
import { cache } from '../../../host/plugins/cache/cache.ts';
import { readerOf } from '../../corefile/reader-of.ts';
import { answerOf, chainEnd, queryFor } from '../queries.ts';

const parse = (body: string) => cache.parse(readerOf('cache', body));

function blockOf(...servers: readonly string[]): ServerBlock {
  const keys = servers.map((server, i) => ({
    transport: 'dns' as const,
    zone: '.',
    address: '',
    port: 53 + i,
    server,
  }));
  return { index: 0, keys, zones: ['.'], plugins: ['cache'], file: 'Corefile', line: 1 };
}

/** What the plugin asks of the server, remembered. */
function controlWorld(slotOf: (server: string) => number) {
  const warnings: string[] = [];
  const gauges = new Map<string, () => number | undefined>();
  const caches: { success: number; denial: number; entries: [number, number][]; isReleased: boolean }[] = [];
  const things = new Map<string, Stoppable>();
  const log = { warning: (text: string) => warnings.push(text), withPrefix: () => log };
  const services = {
    log,
    metrics: {
      cacheSlots: ({ server }: { server: string }) => slotOf(server),
      reserve: (_key: string, slots: number) => 9000 + slots,
      gauge(name: string, _help: string, labels: Record<string, string>, read: () => number | undefined) {
        const key = `${name} ${labels['server']} ${labels['type']} ${labels['zones']} ${labels['view']}`;
        gauges.set(key, read);
        return () => gauges.delete(key);
      },
    },
    shared(key: string, make: () => Stoppable) {
      const value = things.get(key) ?? make();
      things.set(key, value);
      return { value, release: async () => {} };
    },
    createCache(entries: { success: number; denial: number }): CacheHandle {
      const made = { ...entries, entries: [] as [number, number][], isReleased: false };
      caches.push(made);
      return {
        address: 4096,
        entries: (server) => made.entries[server],
        release() {
          made.isReleased = true;
        },
      };
    },
  } as unknown as ControlServices;
  return { services, warnings, gauges, caches };
}

/** The step that compile() gives to the engine. */
function stepOf(config: ReturnType<typeof parse>, control: Parameters<NonNullable<typeof cache.compile>>[2]) {
  const steps: (CacheStep | 'slow')[] = [];
  const program = { cache: (step: CacheStep) => steps.push(step), slow: () => steps.push('slow') };
  cache.compile?.(config, program as unknown as BlockProgram, control);
  return steps;
}

test('control makes the cache and its metrics, compile describes it to the engine', async () => {
  const world = controlWorld((server) => (server === 'dns://:53' ? 16 : 16 + CACHE_SLOTS));
  const lines = ['denial 2000 60 1', 'servfail 10s', 'disable success a.example.org', 'keepttl', 'prefetch 2 1m 20%'];
  const stale = ['serve_stale 1m verify', 'serve_stale_policy prefer_positive'];
  const config = parse(` cache 30 example.org {\n${[...lines, ...stale].join('\n')}\n }`);
  const control = cache.control!(config, blockOf('dns://:53', 'dns://:54', 'dns://:53'), world.services);
  assert.deepEqual(stepOf(config, control), [
    {
      address: 4096,
      zones: ['example.org.'],
      successTtl: [5, 30],
      denialTtl: [1, 60],
      servfailMs: 10_000,
      disableSuccess: ['a.example.org.'],
      disableDenial: [],
      keepTtl: true,
      prefetch: { amount: 2, windowMs: 60_000, percent: 20 },
      stale: { seconds: 60, verifies: true, ttlSeconds: 0, recheckMs: 0, prefersPositive: true },
      slots: [16, 16 + CACHE_SLOTS],
    },
  ]);
  assert.deepEqual([world.caches[0]?.success, world.caches[0]?.denial], [9984, 1792]);
  const names = ['dns://:53 success', 'dns://:53 denial', 'dns://:54 success', 'dns://:54 denial'];
  assert.deepEqual(
    [...world.gauges.keys()],
    names.map((name) => `coredns_cache_entries ${name} example.org. `),
  );
  const shown = () => [...world.gauges.values()].map((read) => read());
  assert.deepEqual(shown(), [undefined, undefined, undefined, undefined]);
  world.caches[0]!.entries[1] = [0, 3];
  assert.deepEqual(shown(), [undefined, undefined, 0, 3], 'each server label has its own beginning');
  world.caches[0]!.entries[0] = [0, 3];
  assert.deepEqual(shown(), [0, 3, 0, 3]);
  world.caches[0]!.entries = [
    [0, 0],
    [0, 0],
  ];
  assert.deepEqual(shown(), [0, 0, 0, 0], 'once there, the series stay');
  await control.stop!();
  assert.equal(world.gauges.size, 0);
  assert.equal(world.caches[0]?.isReleased, true);
  assert.deepEqual(world.warnings, []);
});

test('a reload begins with an empty cache, and its gauges stay until something is stored', async () => {
  const world = controlWorld(() => 0);
  const before = cache.control!(parse(' cache 30'), blockOf('dns://:53'), world.services);
  world.caches[0]!.entries = [[4, 1]];
  const shown = () => [...world.gauges.values()].map((read) => read());
  assert.deepEqual(shown(), [4, 1]);
  await before.stop!();
  cache.control!(parse(' cache 30'), blockOf('dns://:53'), world.services);
  assert.equal(world.caches.length, 2);
  assert.deepEqual(shown(), [4, 1]);
  world.caches[1]!.entries = [[0, 1]];
  assert.deepEqual(shown(), [0, 1]);
});

test('each server label has its own counters, wherever they lie', () => {
  const world = controlWorld((server) => (server === 'dns://:53' ? 40 : 16));
  const config = parse(' cache');
  const control = cache.control!(config, blockOf('dns://:53', 'dns://:54'), world.services);
  const step = stepOf(config, control)[0];
  assert.ok(step !== undefined && step !== 'slow');
  assert.deepEqual(step.slots, [40, 16]);
  assert.equal(world.warnings.length, 0);
});

test('without its control half the cache is a slow step', () => {
  assert.deepEqual(stepOf(parse(' cache'), undefined), ['slow']);
});

/** A shard whose engine holds `hit`. */
function pluginWith(body: string, hit?: ReturnType<typeof answerOf>): { plugin: Plugin; puts: string[] } {
  const puts: string[] = [];
  const lookup = {
    cacheGet: () => (hit === undefined ? { kind: 'miss' } : { kind: 'hit', answer: hit }),
    cachePut(query: { name: string; message: { flags: number } }, answer: ReturnType<typeof answerOf>) {
      puts.push(`${query.name} ${query.message.flags & FLAG_AD}`);
      return { ...answer, from: 'stored' };
    },
  };
  const services = { lookup } as unknown as ShardServices;
  return { plugin: cache.create!(parse(body), blockOf('dns://:53'), services, undefined), puts };
}

test('slow face: a hit ends the chain', async () => {
  const { plugin } = pluginWith(' cache', answerOf({ from: 'hit' }));
  const { next, asked } = chainEnd(answerOf());
  const outcome = await plugin.answer!(queryFor('www.example.org.'), next);
  assert.equal(outcome.kind === 'answer' && outcome.from, 'hit');
  assert.equal(asked.length, 0);
});

test('slow face: a miss asks with AD=1, stores under the query and returns what is stored', async () => {
  const { plugin, puts } = pluginWith(' cache');
  const { next, asked } = chainEnd(answerOf());
  const query = queryFor('www.example.org.');
  const outcome = await plugin.answer!(query, next);
  assert.equal(outcome.kind === 'answer' && outcome.from, 'stored');
  assert.equal(asked[0]?.message.flags, FLAG_RD | FLAG_AD);
  assert.equal(query.message.flags, FLAG_RD, 'the query itself stays as it was');
  assert.deepEqual(puts, ['www.example.org. 0']);
});

test('slow face: outside its zones the query passes unchanged', async () => {
  const { plugin, puts } = pluginWith(' cache example.org', answerOf({ from: 'hit' }));
  const { next, asked } = chainEnd(answerOf());
  const query = queryFor('www.other.org.');
  const outcome = await plugin.answer!(query, next);
  assert.equal(outcome.kind === 'answer' && outcome.from, 'test');
  assert.equal(asked[0], query);
  assert.deepEqual(puts, []);
});

test('slow face: server-made errors and dropped queries are not stored', async () => {
  for (const end of [answerOf({ rcode: 2, error: 'no upstream' }), { kind: 'drop' as const }]) {
    const { plugin, puts } = pluginWith(' cache');
    assert.equal(await plugin.answer!(queryFor('www.'), chainEnd(end).next), end);
    assert.deepEqual(puts, []);
  }
});

/** A shard whose engine holds an expired answer that has to be verified. */
function verifying(body: string, verified: ReturnType<typeof answerOf> | undefined, isLate = false) {
  const calls: string[] = [];
  const entry = { block: 1, seq: 2, lastMs: 3, bits: 4, below: 5, hash: 6 };
  const lookup = {
    cacheGet: () => ({ kind: 'verify', stale: answerOf({ from: 'stale' }), entry }),
    cacheVerify(query: { message: { flags: number } }, given: unknown, outcome: { from: string }) {
      assert.equal(given, entry);
      calls.push(`verify ${query.message.flags & FLAG_AD} ${outcome.from}`);
      return verified;
    },
    async cacheAsk(_query: unknown, given: unknown) {
      assert.equal(given, entry);
      calls.push('ask');
      if (isLate) await new Promise(() => {});
      return verified;
    },
    cacheServedStale: () => calls.push('stale'),
  } as unknown as ShardServices['lookup'];
  const services = { lookup } as ShardServices;
  return { plugin: cache.create!(parse(body), blockOf('dns://:53'), services, undefined), calls };
}

const VERIFY = ' cache {\n serve_stale 1h verify\n }';
const VERIFY_IN_TIME = ' cache {\n serve_stale 1h verify 20ms\n }';

test('slow face: verify without a time limit asks the next plugin and gives the outcome to the cache', async () => {
  for (const verified of [answerOf({ from: 'new' }), undefined]) {
    const { plugin, calls } = verifying(VERIFY, verified);
    const { next, asked } = chainEnd(answerOf({ from: 'below' }));
    const outcome = await plugin.answer!(queryFor('www.'), next);
    assert.equal(outcome.kind === 'answer' && outcome.from, verified === undefined ? 'stale' : 'new');
    assert.equal(asked[0]?.message.flags, FLAG_RD | FLAG_AD);
    assert.deepEqual(calls, ['verify 0 below', ...(verified === undefined ? ['stale'] : [])]);
  }
});

test('slow face: verify with a time limit asks beside the query, which waits no longer than that', async () => {
  for (const [verified, isLate] of [[answerOf({ from: 'new' }), false] as const, [undefined, true] as const]) {
    const { plugin, calls } = verifying(VERIFY_IN_TIME, verified, isLate);
    const { next, asked } = chainEnd(answerOf());
    const outcome = await plugin.answer!(queryFor('www.'), next);
    assert.equal(outcome.kind === 'answer' && outcome.from, isLate ? 'stale' : 'new');
    assert.equal(asked.length, 0);
    assert.deepEqual(calls, isLate ? ['ask', 'stale'] : ['ask']);
  }
});
