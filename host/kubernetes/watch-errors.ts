// What is logged about a watch that fails, as client-go logs it for CoreDNS:
//
//   nobody listens, the stream breaks, time is up, 429, 410    nothing: it is tried again
//   refused, or no way to the server, while a list is needed   Failed to watch: failed to list *v1.Service: TEXT
//   the same, the first time after all was well                Failed to watch: TEXT
//   a stream that says ERROR, is garbage or ends at once       Warning: watch ended with error
//
// client-go waits up to 30 s between attempts. Attempts here follow each other faster (backoff.ts); of those that would
// be too many in the log only every seventh is told.

import type { Log } from '../log.ts';
import type { Status } from './events.ts';

/** How one list or one stream came to its end. */
export type Ending =
  | { readonly kind: 'listed' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'refused'; readonly status: Status; readonly isEvent: boolean; readonly retryAfterMs: number }
  /** `text` undefined: nothing is said about it. */
  | { readonly kind: 'unreachable'; readonly text: string | undefined }
  | { readonly kind: 'garbage'; readonly text: string };

export interface WatchPlace {
  /** As log lines name the resource. */
  readonly goType: string;
  /** URLs of the requests, as log lines show them. */
  readonly listUrl: string;
  readonly watchUrl: string;
}

/** In a row: that is how many attempts client-go makes in the time of as many here. */
const TOLD_FIRST = 4;
const TOLD_EACH = 7;

const TOO_MANY_REQUESTS = 429;
const GONE = 410;

export class WatchErrors {
  readonly #log: Log;
  readonly #place: () => WatchPlace;
  #isFailing: boolean = false;
  /** Refused requests in a row. */
  #refusals = 0;

  constructor(log: Log, place: () => WatchPlace) {
    this.#log = log;
    this.#place = place;
  }

  /** Something has come through: the next failure is the first. */
  recover(): void {
    this.#isFailing = false;
    this.#refusals = 0;
  }

  /** @param isShort a watch that ended as soon as it began, without an event. */
  report(ending: Ending, wasLoading: boolean, isShort: boolean): void {
    if (ending.kind === 'listed' || (ending.kind === 'closed' && (wasLoading || !isShort))) return;
    const isStream = ending.kind === 'closed' || ending.kind === 'garbage' || this.#isEvent(ending);
    if (isStream && !wasLoading) this.#log.info('Warning: watch ended with error');
    else this.#reportRequest(ending, wasLoading || this.#isFailing);
    this.#isFailing = true;
  }

  #isEvent(ending: Ending): boolean {
    return ending.kind === 'refused' && ending.isEvent;
  }

  #reportRequest(ending: Ending, isList: boolean): void {
    const { goType, listUrl, watchUrl } = this.#place();
    const text = this.#textOf(ending, isList ? listUrl : watchUrl);
    if (text === undefined) return;
    const count = this.#refusals++;
    if (count < TOLD_FIRST || count % TOLD_EACH === 0)
      this.#log.error(`Failed to watch: ${isList ? `failed to list ${goType}: ` : ''}${text}`);
  }

  #textOf(ending: Ending, url: string): string | undefined {
    if (ending.kind === 'garbage') return ending.text;
    if (ending.kind === 'unreachable') return ending.text === undefined ? undefined : `Get "${url}": ${ending.text}`;
    if (ending.kind !== 'refused') return undefined;
    const { code, message } = ending.status;
    if (code === TOO_MANY_REQUESTS || code === GONE) return undefined;
    return message || `the server answered with status ${code}`;
  }
}
