// The cache step of a program, as the engine reads it (engine-as/shared/layout.ts).

import * as layout from '../../engine-as/shared/layout.ts';
import type { CacheStep } from '../plugin/contract.ts';
import type { Octets } from './octets.ts';

export function fillCache(out: Octets, at: number, step: CacheStep): void {
  out.u32(at + layout.CACHE_STEP_ADDRESS, step.address);
  out.u32(at + layout.CACHE_STEP_ZONES, out.zoneList(step.zones));
  out.u32(at + layout.CACHE_STEP_DISABLE_SUCCESS, out.zoneList(step.disableSuccess));
  out.u32(at + layout.CACHE_STEP_DISABLE_DENIAL, out.zoneList(step.disableDenial));
  out.u32(at + layout.CACHE_STEP_SUCCESS_MIN, step.successTtl[0]);
  out.u32(at + layout.CACHE_STEP_SUCCESS_MAX, step.successTtl[1]);
  out.u32(at + layout.CACHE_STEP_DENIAL_MIN, step.denialTtl[0]);
  out.u32(at + layout.CACHE_STEP_DENIAL_MAX, step.denialTtl[1]);
  out.u32(at + layout.CACHE_STEP_SERVFAIL, Math.floor(step.servfailMs / 1000));
  fillRefreshes(out, at, step);
  const slots = out.reserve(step.slots.length * 4);
  step.slots.forEach((slot, i) => {
    out.u32(slots + i * 4, slot);
  });
  out.u32(at + layout.CACHE_STEP_SLOTS, step.slots.length === 0 ? 0 : out.address(slots));
}

function fillRefreshes(out: Octets, at: number, { keepTtl, prefetch, servfailMs, stale }: CacheStep): void {
  const flags =
    (keepTtl ? layout.CACHE_KEEP_TTL : 0) |
    (stale.verifies ? layout.CACHE_VERIFY : 0) |
    (stale.prefersPositive ? layout.CACHE_PREFER_POSITIVE : 0) |
    (servfailMs > 0 ? layout.CACHE_SERVFAIL : 0) |
    (prefetch.amount > 0 || stale.seconds > 0 ? layout.CACHE_REFRESHES : 0);
  out.u32(at + layout.CACHE_STEP_FLAGS, flags);
  out.u32(at + layout.CACHE_STEP_STALE, stale.seconds);
  out.u32(at + layout.CACHE_STEP_STALE_TTL, stale.ttlSeconds);
  out.u32(at + layout.CACHE_STEP_RECHECK_MS, Math.ceil(stale.recheckMs));
  out.u32(at + layout.CACHE_STEP_PREFETCH, prefetch.amount);
  out.u32(at + layout.CACHE_STEP_PREFETCH_PERCENT, prefetch.percent);
  out.u32(at + layout.CACHE_STEP_PREFETCH_WINDOW_MS, prefetch.windowMs);
}
