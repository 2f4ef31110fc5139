// The coredns_cache_* counters of one server label and one zone list, as the engine counts them: names and HELP texts
// are CoreDNS's (plugin/cache/metrics.go).

import {
  CACHE_EVICTIONS_DENIAL,
  CACHE_EVICTIONS_SUCCESS,
  CACHE_HITS_DENIAL,
  CACHE_HITS_SUCCESS,
  CACHE_MISSES,
  CACHE_PREFETCHES,
  CACHE_REQUESTS,
  CACHE_SERVED_STALE,
} from '../../engine-as/shared/layout.ts';
import { counterSource } from './families.ts';
import type { FamilySource } from './scope.ts';

export interface CacheLabels {
  readonly server: string;
  /** Zones of the cache, joined by commas. */
  readonly zones: string;
  readonly view: string;
}

interface CacheCounter {
  readonly name: string;
  readonly help: string;
  readonly slot: number;
  readonly type?: 'success' | 'denial';
}

const HITS = { name: 'coredns_cache_hits_total', help: 'The count of cache hits.' };
const EVICTIONS = { name: 'coredns_cache_evictions_total', help: 'The count of cache evictions.' };

const COUNTERS: readonly CacheCounter[] = [
  { name: 'coredns_cache_requests_total', help: 'The count of cache requests.', slot: CACHE_REQUESTS },
  { ...HITS, slot: CACHE_HITS_SUCCESS, type: 'success' },
  { ...HITS, slot: CACHE_HITS_DENIAL, type: 'denial' },
  {
    name: 'coredns_cache_misses_total',
    help: 'The count of cache misses. Deprecated, derive misses from cache hits/requests counters.',
    slot: CACHE_MISSES,
  },
  {
    name: 'coredns_cache_prefetch_total',
    help: 'The number of times the cache has prefetched a cached item.',
    slot: CACHE_PREFETCHES,
  },
  {
    name: 'coredns_cache_served_stale_total',
    help: 'The number of requests served from stale cache entries.',
    slot: CACHE_SERVED_STALE,
  },
  { ...EVICTIONS, slot: CACHE_EVICTIONS_SUCCESS, type: 'success' },
  { ...EVICTIONS, slot: CACHE_EVICTIONS_DENIAL, type: 'denial' },
];

/**
 * @param slot first of CACHE_SLOTS
 */
export function cacheFamilies(slot: number, labels: CacheLabels): FamilySource[] {
  return COUNTERS.map(({ name, help, slot: offset, type }) => {
    const base = { server: labels.server, zones: labels.zones, view: labels.view };
    const source = counterSource(slot + offset, type === undefined ? base : { ...base, type });
    return { name, help, type: 'counter', source };
  });
}
