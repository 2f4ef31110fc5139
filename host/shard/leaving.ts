// Queries on their way out of the fast face, and what is kept of the question when plugin rewrite changes it.

import * as layout from '../../engine-as/shared/layout.ts';
import type { Question } from '../dns/message.ts';
import type { Rewritten } from '../plugin/contract.ts';
import type { ShardArea } from './area.ts';
import type { ReplyPath } from './generation.ts';

/** A query on its way out of the fast face. The caller reuses one object for all. */
export interface LeavingQuery {
  path: ReplyPath;
  messageAt: number;
  bytes: number;
  sockaddrAt: number;
  sockaddrBytes: number;
  controlAt: number;
  controlBytes: number;
  startedMs: number;
  /** Address of the engine's handoff record. */
  handoffAt: number;
}

/** Writes the question as it was asked, in a query of `bytes` octets, to the exchange at `exchangeAt`. */
export function writeAsked(
  { octets, words }: ShardArea,
  exchangeAt: number,
  asked: Question,
  bytes: number,
  { isRestored, loggedBytes = 0 }: Rewritten,
): void {
  const at = exchangeAt + layout.EXCHANGE_ASKED;
  words[(at + layout.ASKED_NAME_BYTES) >>> 2] = asked.wire.length;
  octets.writeUInt16LE(asked.type, at + layout.ASKED_TYPE);
  octets.writeUInt16LE(asked.class, at + layout.ASKED_CLASS);
  words[(at + layout.ASKED_PLAIN) >>> 2] = bytes;
  words[(at + layout.ASKED_FLAGS) >>> 2] =
    (isRestored ? layout.ASKED_RESTORED : 0) | (loggedBytes << layout.ASKED_LOGGED_SHIFT);
  octets.set(asked.wire, at + layout.ASKED_NAME);
}

/**
 * Plugin rewrite will write the reply to a failure of the exchange at `exchangeAt` itself; the plugins above it then hear of
 * no rcode.
 */
export function isWrittenAbove({ words }: ShardArea, exchangeAt: number): boolean {
  const asked = exchangeAt + layout.EXCHANGE_ASKED;
  if (words[(asked + layout.ASKED_NAME_BYTES) >>> 2] === 0) return false;
  const written = layout.ASKED_BY_ENGINE | layout.ASKED_RESTORED;
  return (words[(asked + layout.ASKED_FLAGS) >>> 2]! & written) === written;
}

/** Index of the link whose step this is; beyond the last link at the end of the chain. */
export function linkIndex({ words }: ShardArea, block: number, step: number): number {
  if (step >= words[(block + layout.BLOCK_STEP_COUNT) >>> 2]!) return Number.MAX_SAFE_INTEGER;
  const stepAt = block + layout.BLOCK_STEPS + step * layout.STEP_STRIDE;
  if (words[(stepAt + layout.STEP_OP) >>> 2] === layout.STEP_END) return Number.MAX_SAFE_INTEGER;
  return words[(stepAt + layout.STEP_PLUGIN) >>> 2]!;
}
