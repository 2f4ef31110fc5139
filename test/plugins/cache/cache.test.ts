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
  const caches: { key: string; success: number; denial: number; entries: [number, number]; isReleased: boolean }[] = [];
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
    createCache(key: string, entries: { success: number; denial: number }): CacheHandle {
      const made = { key, ...entries, entries: [0, 0] as [number, number], isReleased: false };
      caches.push(made);
      return {
        address: 4096,
        entries: () => made.entries,
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
  const config = parse(' cache 30 example.org {\n denial 2000 60 1\n servfail 10s\n disable success a.example.org\n }');
  const control = cache.control!(config, blockOf('dns://:53', 'dns://:54', 'dns://:53'), world.services);
  assert.deepEqual(stepOf(config, control), [
    {
      address: 4096,
      zones: ['example.org.'],
      successTtl: [5, 30],
      denialTtl: [1, 60],
      servfailSeconds: 10,
      disableSuccess: ['a.example.org.'],
      disableDenial: [],
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
  world.caches[0]!.entries = [0, 3];
  assert.deepEqual(shown(), [0, 3, 0, 3]);
  world.caches[0]!.entries = [0, 0];
  assert.deepEqual(shown(), [0, 0, 0, 0], 'once there, the series stay');
  await control.stop!();
  assert.equal(world.gauges.size, 0);
  assert.equal(world.caches[0]?.isReleased, true);
  assert.deepEqual(world.warnings, []);
});

test('blocks that differ in address or configuration have different caches', () => {
  const world = controlWorld(() => 0);
  const make = (body: string, server: string) => cache.control!(parse(body), blockOf(server), world.services);
  make(' cache 30', 'dns://:53');
  make(' cache 30', 'dns://:53');
  make(' cache 31', 'dns://:53');
  make(' cache 30', 'dns://:54');
  const keys = world.caches.map(({ key }) => key);
  assert.equal(keys[0], keys[1]);
  assert.equal(new Set(keys).size, 3);
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
    cacheGet: () => hit,
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
