// What becomes of a query that left the fast face: saved, then given to the relay or the slow face of its step.

import { OUTCOME_REFRESH, OUTCOME_RELAY, RCODE_SERVFAIL } from '../../engine-as/shared/codes.ts';
import { HANDOFF_BYTES, HANDOFF_OUTCOME } from '../../engine-as/shared/layout.ts';
import { PluginError } from '../plugin/chain.ts';
import type { ExchangeHandle } from '../plugin/contract.ts';
import type { ShardArea } from './area.ts';
import type { ExchangeTable } from './exchanges.ts';
import type { LeavingQuery } from './leaving.ts';

export interface HandoffParts {
  readonly area: ShardArea;
  readonly exchanges: ExchangeTable;
  /** Runs the block's slow chain; never throws. */
  runSlow(handle: ExchangeHandle): void;
  /** Asks again for a cached entry. */
  refresh(leaving: LeavingQuery): void;
  /** Tests: sees every query that leaves the fast face. */
  onTaken?(handle: ExchangeHandle): void;
  /** A relay threw: one log line and the counter of panics. */
  onPanic(handle: ExchangeHandle, error: PluginError): void;
}

export class Handoff {
  readonly #parts: HandoffParts;

  constructor(parts: HandoffParts) {
    this.#parts = parts;
  }

  take(leaving: LeavingQuery): void {
    const { area, exchanges } = this.#parts;
    // Read before the exchange can end: a relay that fails at once may lead to another handoff
    const outcome = area.words[(leaving.handoffAt + HANDOFF_OUTCOME) >>> 2]!;
    // The engine may have packed the message anew in its place
    leaving.bytes = area.words[(leaving.handoffAt + HANDOFF_BYTES) >>> 2]!;
    if (outcome === OUTCOME_REFRESH) {
      this.#parts.refresh(leaving);
      return;
    }
    const handle = exchanges.open(leaving);
    if (handle === 0) return;
    this.#parts.onTaken?.(handle);
    if (outcome === OUTCOME_RELAY) this.relay(handle);
    else this.#parts.runSlow(handle);
  }

  /** Gives a saved query to the relay of its step. */
  relay(handle: ExchangeHandle): void {
    const { exchanges } = this.#parts;
    const links = exchanges.generation(handle).blocks.get(exchanges.blockIndex(handle))?.links;
    const link = links?.[exchanges.linkIndex(handle)];
    try {
      if (link?.plugin?.relay === undefined) throw new Error('no relay stands at this step');
      link.plugin.relay(handle);
    } catch (error) {
      this.#parts.onPanic(handle, new PluginError(link?.name ?? '', error));
      if (exchanges.isOpen(handle)) exchanges.fail(handle, RCODE_SERVFAIL, '', true);
    }
  }
}
