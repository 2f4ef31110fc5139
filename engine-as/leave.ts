// Leaving the fast face: what the shard has to know of a query that goes on elsewhere, or that a cached entry is to be
// asked for again while its client is served.

import { foundBlock, foundSeq } from './cache/lookup';
import { endRefresh, refreshBits, refreshLastMs } from './cache/refresh';
import { blockOfZone, cacheStep, stepAt } from './program/chain';
import { relays, watches } from './program/steps';
import { MESSAGE_BYTES_MAX, OUTCOME_REFRESH, PROTO_TCP } from './shared/codes';
import {
  BLOCK_STEP_COUNT,
  HANDOFF_BYTES,
  HANDOFF_ENTRY,
  HANDOFF_FLAGS,
  HANDOFF_HASH,
  HANDOFF_LAST_MS,
  HANDOFF_OUTCOME,
  HANDOFF_REFRESH,
  HANDOFF_REWRITTEN,
  HANDOFF_SEQ,
  HANDOFF_STEP,
  HANDOFF_WANTS_AD,
  HANDOFF_ZONE,
  RECEIVE_STRIDE,
  REFRESH_RELAY,
  STEP_COUNT,
  STEP_LOG,
  STEP_OP,
  STEP_PASS,
  STEP_RELAY,
  STEP_ROTATE,
  STEP_WATCH,
} from './shared/layout';
import { hashOctets } from './wire/name';
import { repackQuery } from './wire/repack';
import { askAgain, isRewritten, messageAt, proto } from './wire/query';

/** Fills the record; false: the query cannot be packed for other parsers. */
export function fillHandoff(handoff: u32, outcome: u32, zone: u32, index: u32): bool {
  // Bounds: a handoff record of the shard's area
  store<u32>(handoff + HANDOFF_OUTCOME, outcome);
  store<u32>(handoff + HANDOFF_ZONE, zone);
  store<u32>(handoff + HANDOFF_STEP, index);
  store<u32>(handoff + HANDOFF_FLAGS, (cacheStep ? HANDOFF_WANTS_AD : 0) | (isRewritten ? HANDOFF_REWRITTEN : 0));
  // The message is saved as it came; the question that rules have made is put into the saved one.
  if (isRewritten) askAgain();
  const length = repackQuery(proto == PROTO_TCP ? <u32>MESSAGE_BYTES_MAX : <u32>RECEIVE_STRIDE);
  if (!length) return false;
  store<u32>(handoff + HANDOFF_BYTES, length);
  store<u32>(handoff + HANDOFF_HASH, hashOctets(messageAt + 2, length - 2, 0));
  return true;
}

/** Tells of the refresh that the last hit of the step began, from step `below` on; false: it cannot be done. */
export function leaveRefresh(step: u32, zone: u32, below: u32, handoff: u32): bool {
  if (!fillHandoff(handoff, OUTCOME_REFRESH, zone, below)) {
    endRefresh(step, foundBlock, foundSeq, refreshBits, false);
    return false;
  }
  const isRelay = load<u32>(stepAt(below) + STEP_OP) == STEP_RELAY; // Bounds: a step of the block
  // Bounds: a handoff record of the shard's area
  store<u32>(handoff + HANDOFF_ENTRY, foundBlock);
  store<u32>(handoff + HANDOFF_SEQ, foundSeq);
  store<u32>(handoff + HANDOFF_LAST_MS, refreshLastMs);
  store<u32>(handoff + HANDOFF_REFRESH, refreshBits | (isRelay ? REFRESH_RELAY : 0));
  return true;
}

/**
 * The first step below `index` that may take the question, which must still be the one that the cache saw. Every block
 * ends with one that does.
 */
export function firstBelow(index: u32): u32 {
  const last = load<u32>(blockOfZone() + BLOCK_STEP_COUNT) - 1; // Bounds: compiled by the host
  for (let i = index + 1; i < last; i++) {
    const step = stepAt(i);
    const op = load<u32>(step + STEP_OP);
    if (op == STEP_PASS || op == STEP_COUNT || op == STEP_LOG || op == STEP_ROTATE) continue;
    if ((op == STEP_RELAY && !relays(step)) || (op == STEP_WATCH && !watches(step))) continue;
    return i;
  }
  return last;
}
