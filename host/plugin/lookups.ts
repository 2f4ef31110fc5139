// Part of the plugin contract: what the engine looks up for a plugin's slow face.

import type { Answer, Outcome, Query } from './contract.ts';

export interface EngineLookup {
  /**
   * Runs the records steps of the calling plugin, nothing else of the block's program, until one has something to say.
   * `miss`: go on with next().
   */
  records(query: Query): Answer | 'miss' | 'chase' | 'servfail';
  /** The same for its hosts step. */
  hosts(query: Query): Answer | 'miss';
  /** The answer with its records in the order of the plugin's rotate step. */
  arrange(query: Query, answer: Answer): Answer;
  /** Texts of the TXT set of an owner of a record store, as put() took them; undefined if there is none. */
  texts(store: number, key: Uint8Array): readonly string[] | undefined;
  /** Looks the query up. A refresh that the hit asks for runs by itself. */
  cacheGet(query: Query): CacheFound;
  /** Stores the answer if it may be stored, and returns it as the client is to see it (TTLs clamped). */
  cachePut(query: Query, answer: Answer): Answer;
  /**
   * Ends a verification with what the plugins below have said; the answer as the client is to see it, undefined: it
   * may not replace the expired one.
   */
  cacheVerify(query: Query, entry: CacheEntryRef, outcome: Outcome): Answer | undefined;
  /** The whole verification, in an exchange of its own that may outlast the query's. */
  cacheAsk(query: Query, entry: CacheEntryRef): Promise<Answer | undefined>;
  /** The expired answer is served after all: counts it. */
  cacheServedStale(query: Query): void;
}

export type CacheFound =
  | { readonly kind: 'miss' }
  | { readonly kind: 'hit'; readonly answer: Answer }
  /** Expired, and the plugins below have to be asked first. Ended by exactly one of cacheVerify() and cacheAsk(). */
  | { readonly kind: 'verify'; readonly stale: Answer; readonly entry: CacheEntryRef };

/** An entry of the cache and how it is asked for again; words of the engine. */
export interface CacheEntryRef {
  readonly block: number;
  readonly seq: number;
  readonly lastMs: number;
  readonly bits: number;
  /** The step below the cache that takes the question, and the hash of the message. */
  readonly below: number;
  readonly hash: number;
}
