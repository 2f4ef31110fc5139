// The end of a pod. Queries go on coming after the signal, until whoever routes them has learnt that the pod ends: a node's
// connection tracking keeps a client's UDP flow on a pod that was not yet seen to be unready, however new the endpoints
// are. So the server serves on after the lameduck while queries come:
//
//   signal ──lameduck──► have queries come in the last QUIET_MS? ─no─► the end
//                          └─yes─► ask again, until the limit
//
// Connections would keep their clients here for as long as they ask: after the lameduck each ends behind its next reply,
// and the client's next one is routed to another pod.
//
// Only in a pod: elsewhere nobody takes the traffic away, and the end is CoreDNS's. A pod that nobody asks ends with its
// lameduck, if that is not shorter than QUIET_MS.

import { SHARD_QUERIES } from '../../engine-as/shared/layout.ts';
import { type Clock, systemClock } from '../clock.ts';
import { UserError } from '../errors.ts';
import type { Log } from '../log.ts';

/** Longer than kube-proxy takes to move the flows of a pod that became unready (its own pause is 1 s). */
const QUIET_MS = 3000;
const LOOK_MS = 100;
/** Looks, not time: a process that was stopped for a while has not seen that nobody came. */
const QUIET_LOOKS = QUIET_MS / LOOK_MS;
/** Of the 30 s that a pod has to end by default, the rest is for the servers' own end. */
const POD_SECONDS = 28;
const SECONDS_MAX = 86_400;
const VARIABLE = 'WASMDNS_DRAIN_SECONDS';

export interface DrainParts {
  /** Since the signal: when the process ends although queries come; 0 = it does not wait for them. */
  readonly limitMs: number;
  readonly log: Log;
  /** Changes with every query of a client. */
  read(): number;
  /** Clients with a connection are to ask elsewhere from now on. */
  letGo(): void;
  readonly clock?: Clock;
}

export class Drain {
  readonly #parts: DrainParts;
  readonly #clock: Clock;
  #timer: NodeJS.Timeout | undefined;
  #beganMs = 0;
  #seen = 0;
  /** Looks since queries were last seen to have come. */
  #quietLooks = 0;
  #over: Promise<void> | undefined;

  constructor(parts: DrainParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
  }

  /** The signal has come: looks for queries from now on. */
  begin(): void {
    if (this.#parts.limitMs === 0 || this.#timer !== undefined) return;
    this.#beganMs = this.#clock.now();
    this.#seen = this.#parts.read();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Resolves when no more queries come, at the limit, or with the signal. The same end for all who ask. */
  over(signal: AbortSignal): Promise<void> {
    this.#over ??= this.#wait(signal);
    return this.#over;
  }

  end(): void {
    clearInterval(this.#timer);
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { limitMs, log, letGo } = this.#parts;
    if (limitMs === 0 || this.#isQuiet() || this.#leftMs() <= 0) return;
    letGo();
    const seconds = Math.ceil(this.#leftMs() / 1000);
    log.info(`Serving on until no more queries come, for ${seconds}s at most`);
    while (!this.#isQuiet() && this.#leftMs() > 0 && !signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_MS, this.#leftMs())));
    }
    if (this.#isQuiet()) log.info('No more queries come');
    else log.warning(`Ending although queries still come, ${limitMs / 1000}s after the signal (${VARIABLE})`);
  }

  #look(): void {
    const queries = this.#parts.read();
    this.#quietLooks = queries === this.#seen ? this.#quietLooks + 1 : 0;
    this.#seen = queries;
  }

  #isQuiet(): boolean {
    return this.#quietLooks >= QUIET_LOOKS;
  }

  #leftMs(): number {
    return this.#beganMs + this.#parts.limitMs - this.#clock.now();
  }
}

/** Sum of what all shards were asked; the addresses are those of their areas. */
export function queryReader(memory: WebAssembly.Memory, areas: readonly number[]): () => number {
  // Views stay good when the memory grows: areas lie below everything that moves
  const words = areas.map((area) => new Int32Array(memory.buffer, area + SHARD_QUERIES, 1));
  return () => words.reduce((sum, word) => (sum + Atomics.load(word, 0)) | 0, 0);
}

/** The limit for this process. Throws UserError for a variable that is no number of seconds. */
export function drainMsMax(environment: Readonly<Record<string, string | undefined>>): number {
  const text = environment[VARIABLE];
  if (text === undefined || text === '') {
    return environment['KUBERNETES_SERVICE_HOST'] === undefined ? 0 : POD_SECONDS * 1000;
  }
  const seconds = Number(text);
  if (!/^\d+$/.test(text) || seconds > SECONDS_MAX) {
    throw new UserError(`${VARIABLE}: '${text}' is no number of seconds between 0 and ${SECONDS_MAX}`);
  }
  return seconds * 1000;
}
