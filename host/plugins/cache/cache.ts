// Plugin cache: answers from earlier replies. Storage and look-up are the engine's, for both faces; this file makes the
// cache, shows its metrics and puts it into the chain.

import { FLAG_AD } from '../../../engine-as/shared/codes.ts';
import { longestZone } from '../../dns/name.ts';
import type {
  BlockProgram,
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
  oncePerBlock: true,
  parse: parseCache,
  control: createControl,
  compile,
  create: (config, _block, services) => createPlugin(config, services),
};

function createControl(config: CacheConfig, block: ServerBlock, services: ControlServices): CacheControl {
  const key = JSON.stringify(['cache', block.keys, config]);
  const handle = services.createCache(key, { success: config.success.entries, denial: config.denial.entries });
  const zones = config.zones.join(',');
  const servers = [...new Set(block.keys.map((key) => key.server))];
  const entries = entriesReader(() => handle.entries());
  const removals = servers.flatMap((server) => [
    services.metrics.gauge(ENTRIES, ENTRIES_HELP, { server, type: 'success', zones, view: '' }, () => entries(0)),
    services.metrics.gauge(ENTRIES, ENTRIES_HELP, { server, type: 'denial', zones, view: '' }, () => entries(1)),
  ]);
  return {
    address: handle.address,
    slots: servers.map((server) => services.metrics.cacheSlots({ server, zones, view: '' })),
    async stop() {
      for (const remove of removals) remove();
      handle.release();
    },
  };
}

/** Both series appear together, with the first stored reply of either kind. */
function entriesReader(read: () => readonly [number, number]): (index: 0 | 1) => number | undefined {
  let hasStored = false;
  return (index) => {
    const counts = read();
    hasStored ||= counts[0] + counts[1] > 0;
    return hasStored ? counts[index] : undefined;
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
    servfailSeconds: config.servfailSeconds,
    disableSuccess: config.disableSuccess,
    disableDenial: config.disableDenial,
    slots: control.slots,
  });
}

function createPlugin(config: CacheConfig, { lookup }: ShardServices): Plugin {
  return {
    name: 'cache',
    async answer(query: Query, next: Next): Promise<Outcome> {
      if (longestZone(config.zones, query.name) === undefined) return next(query);
      const hit = lookup.cacheGet(query);
      if (hit !== undefined) return hit;
      const outcome = await next(withAd(query));
      // Nothing was written for a server-made error, so there is nothing to keep.
      if (outcome.kind !== 'answer' || outcome.error !== undefined) return outcome;
      return lookup.cachePut(query, outcome);
    },
  };
}

/** AD asks the backends to say whether they validated (RFC 6840 §5.7), whatever the client asked. */
function withAd(query: Query): Query {
  return { ...query, message: { ...query.message, flags: query.message.flags | FLAG_AD } };
}
