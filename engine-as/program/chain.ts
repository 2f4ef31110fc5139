// What the steps above the one that answers ask for. A query walks down the block's steps; each step that it passes
// leaves its wish here, and the answer is finished by them: counted, logged, shuffled, given the cache's TTLs.

import {
  BLOCK_STEPS,
  CACHE_STEP_ZONES,
  ORDER_SHUFFLE,
  ROTATE_STEP_ORDER,
  SLOT_NONE,
  STEP_BUFSIZE,
  STEP_CACHE,
  STEP_COUNT,
  STEP_LOG,
  STEP_OP,
  STEP_REWRITE,
  STEP_ROTATE,
  STEP_STRIDE,
  ZONE_BLOCK,
  ZONE_DEEPER,
  ZONE_DEEPER_SCOPES,
  ZONE_LIST_ENTRIES,
  ZONE_LIST_STRIDE,
  ZONE_SCOPE,
} from '../shared/layout';
import { findLogRule } from '../metrics/log';
import { clampPayload } from '../wire/query';
import { applyRules, forgetRules } from './rewrite';
import { longestZone } from './zones';

/** Zone entry that routed the question; 0 before routing. */
export let zoneAt: u32 = 0;
/** Scope to count in, SLOT_NONE without plugin prometheus; set by enterZone(). */
export let scope: u32 = 0;
export let logRules: u32 = 0;
export let logRule: i32 = -1;
/** What the answer's order is to be: 0 = as it is, 1 = shuffled, else the rotate step (answer/order.ts). */
export let order: u32 = 0;
/** The cache step that was passed, 0 without one. */
export let cacheStep: u32 = 0;

export function enterZone(zone: u32): void {
  zoneAt = zone;
  scope = SLOT_NONE;
  logRules = 0;
  logRule = -1;
  order = 0;
  cacheStep = 0;
  forgetRules();
}

/** The query leaves at the cache step itself: its slow face does all that follows. */
export function forgetCache(): void {
  cacheStep = 0;
}

export function blockOfZone(): u32 {
  return load<u32>(zoneAt + ZONE_BLOCK); // Bounds: compiled by the host
}

export function stepAt(index: u32): u32 {
  return blockOfZone() + BLOCK_STEPS + index * STEP_STRIDE;
}

/** CoreDNS counts for the longest zone of the whole block, on whatever listener it has the zone. */
function scopeOfQuestion(): u32 {
  const list = load<u32>(zoneAt + ZONE_DEEPER); // Bounds: compiled by the host
  const entry = longestZone(list);
  if (!entry) return load<u32>(zoneAt + ZONE_SCOPE);
  const index = (entry - list - ZONE_LIST_ENTRIES) / ZONE_LIST_STRIDE;
  return load<u32>(load<u32>(zoneAt + ZONE_DEEPER_SCOPES) + index * 4); // Bounds: one for each entry of the list
}

/** Notes what a step above the answer wants; true if the step is of that kind. */
export function passStep(step: u32): bool {
  const op = load<u32>(step + STEP_OP); // Bounds: compiled by the host
  if (op == STEP_COUNT) scope = scopeOfQuestion();
  else if (op == STEP_ROTATE) order = load<u32>(step + ROTATE_STEP_ORDER) == ORDER_SHUFFLE ? 1 : step;
  else if (op == STEP_LOG) {
    logRules = load<u32>(step + 8);
    logRule = findLogRule(logRules, load<u32>(step + 12));
  } else if (op == STEP_CACHE) {
    if (longestZone(load<u32>(step + CACHE_STEP_ZONES))) cacheStep = step;
  } else if (op == STEP_BUFSIZE) clampPayload(load<u32>(step + 8));
  else if (op == STEP_REWRITE) applyRules(step);
  else return false;
  return true;
}
