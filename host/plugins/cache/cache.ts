// Plugin cache: answers from earlier replies. Storage and look-up are the engine's, for both faces; this file makes the
// cache, shows its metrics and puts it into the chain.

import { FLAG_AD } from '../../../engine-as/shared/codes.ts';
import { TIMER_MS_MAX } from '../../clock.ts';
import { longestZone } from '../../dns/name.ts';
import type { CacheLabels } from '../../metrics/registry.ts';
import type {
  BlockProgram,
  CacheHandle,
  Control,
  ControlServices,
  Directive,
  Next,
  Outcome,
  Plugin,
  Query,
  ServerBlock,
  ShardServices,
} from '../../plugin/contract.ts';
import { type CacheConfig, parseCache } from './parse.ts';

const ENTRIES = 'coredns_cache_entries';
const ENTRIES_HELP = 'The number of elements in the cache.';

interface CacheControl extends Control {
  readonly address: number;
  /** First of CACHE_SLOTS counters for each server label, in the order of the labels. */
  readonly slots: readonly number[];
}

export const cache: Directive<CacheConfig, CacheControl> = {
  name: 'cache',
  parse: parseCache,
  control: createControl,
  compile,
  create: (config, _block, services) => createPlugin(config, services),
};

function createControl(config: CacheConfig, block: ServerBlock, services: ControlServices): CacheControl {
  const handle = services.createCache({ success: config.success.entries, denial: config.denial.entries });
  const zones = config.zones.join(',');
  const servers = [...new Set(block.keys.map((key) => key.server))];
  const removals = servers.map((server, ordinal) =>
    showEntries({ server, zones, view: '' }, () => handle.entries(ordinal), services),
  );
  return {
    address: handle.address,
    slots: servers.map((server) => services.metrics.cacheSlots({ server, zones, view: '' })),
    async stop() {
      for (const remove of removals) await remove();
      handle.release();
    },
  };
}

/** What the gauges show: two numbers of entries, in the order of KINDS. */
interface Shown {
  counts: readonly [number, number] | undefined;
  stop(): Promise<void>;
}

const KINDS = ['success', 'denial'] as const;

/**
 * Both series of a server label appear together, with its first reply that could be stored. A reload begins with an empty cache, but until
 * then the series stay as they are.
 */
function showEntries(
  labels: CacheLabels,
  entries: () => ReturnType<CacheHandle['entries']>,
  services: ControlServices,
): () => Promise<void> {
  const make = (): Shown => ({ counts: undefined, async stop() {} });
  const shown = services.shared(JSON.stringify([ENTRIES, labels]), make);
  const removals = KINDS.map((type, kind) =>
    services.metrics.gauge(ENTRIES, ENTRIES_HELP, { ...labels, type }, () => {
      shown.value.counts = entries() ?? shown.value.counts;
      return shown.value.counts?.[kind];
    }),
  );
  return async () => {
    for (const remove of removals) remove();
    await shown.release();
  };
}

function compile(config: CacheConfig, program: BlockProgram, control: CacheControl | undefined): void {
  if (control === undefined) {
    program.slow();
    return;
  }
  program.cache({
    address: control.address,
    zones: config.zones,
    successTtl: [config.success.minSeconds, config.success.maxSeconds],
    denialTtl: [config.denial.minSeconds, config.denial.maxSeconds],
    servfailMs: config.servfailMs,
    disableSuccess: config.disableSuccess,
    disableDenial: config.disableDenial,
    keepTtl: config.keepTtl,
    prefetch: config.prefetch,
    stale: config.stale,
    slots: control.slots,
  });
}

function createPlugin(config: CacheConfig, { lookup }: ShardServices): Plugin {
  return {
    name: 'cache',
    looksAt: (query) => longestZone(config.zones, query.name) !== undefined,
    async answer(query: Query, next: Next): Promise<Outcome> {
      if (longestZone(config.zones, query.name) === undefined) return next(query);
      const found = lookup.cacheGet(query);
      if (found.kind === 'hit') return found.answer;
      if (found.kind === 'verify') {
        const verified =
          config.verifyTimeoutMs === 0
            ? lookup.cacheVerify(query, found.entry, await next(withAd(query)))
            : await within(config.verifyTimeoutMs, lookup.cacheAsk(query, found.entry));
        if (verified === undefined) lookup.cacheServedStale(query);
        return verified ?? found.stale;
      }
      const outcome = await next(withAd(query));
      // Nothing was written for a server-made error, so there is nothing to keep.
      if (outcome.kind !== 'answer' || outcome.error !== undefined) return outcome;
      return lookup.cachePut(query, outcome);
    },
  };
}

/** What the promise brings, undefined if that takes longer. */
function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), Math.min(ms, TIMER_MS_MAX));
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** AD asks the backends to say whether they validated (RFC 6840 §5.7), whatever the client asked. */
function withAd(query: Query): Query {
  return { ...query, message: { ...query.message, flags: query.message.flags | FLAG_AD } };
}
