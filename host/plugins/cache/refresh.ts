// The options that ask again for what the cache holds: prefetch, serve_stale, serve_stale_policy.

import type { DirectiveReader, Line, Token } from '../../corefile/reader.ts';
import type { CacheStale } from '../../plugin/contract.ts';

export type PrefetchConfig = {
  /** Hits; 0 = never. */
  readonly amount: number;
  /** A longer pause between two hits resets their count. */
  readonly windowMs: number;
  /** Of the TTL that is left, 10..90. */
  readonly percent: number;
};

export type StaleConfig = Omit<CacheStale, 'prefersPositive'> & { readonly verifyTimeoutMs: number };

export const NO_STALE: StaleConfig = { seconds: 0, verifies: false, ttlSeconds: 0, recheckMs: 0, verifyTimeoutMs: 0 };

const STALE_SECONDS = 3600;
const RECHECK_MS_MAX = 300_000;
const TTL_SECONDS_MAX = 2 ** 32 - 1;
const NUMBER_MAX = 2 ** 31 - 1;

/** `prefetch AMOUNT [DURATION [PERCENTAGE%]]`; what is not given stays. */
export function parsePrefetch(reader: DirectiveReader, property: Line, before: PrefetchConfig): PrefetchConfig {
  const [amountToken, windowToken, percentToken] = reader.arguments(property, 1, 3);
  const amount = reader.integer(amountToken!);
  if (amount < 0) throw reader.error(amountToken!, `prefetch amount should be positive: ${amount}`);
  const windowMs = windowToken === undefined ? before.windowMs : Math.floor(reader.durationMs(windowToken));
  return {
    amount: Math.min(amount, NUMBER_MAX),
    windowMs: Math.max(-NUMBER_MAX, Math.min(windowMs, NUMBER_MAX)),
    percent: percentToken === undefined ? before.percent : parsePercent(reader, percentToken),
  };
}

function parsePercent(reader: DirectiveReader, token: Token): number {
  // CoreDNS looks at the last octet
  const last = Buffer.from(token.text).toString('latin1').slice(-1);
  if (last !== '%') throw reader.error(token, `last character of percentage should be \`%\`, but is: '${last}'`);
  const percent = reader.integer({ ...token, text: token.text.slice(0, -1) });
  if (percent < 10 || percent > 90) throw reader.error(token, `percentage should fall in range [10, 90]: ${percent}`);
  return percent;
}

/** `serve_stale [DURATION [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]]` */
export function parseServeStale(reader: DirectiveReader, property: Line): StaleConfig {
  const [upTo, mode, ...more] = reader.arguments(property, 0, 5);
  const seconds = upTo === undefined ? STALE_SECONDS : parseUpTo(reader, upTo);
  const verifies = mode !== undefined && parseMode(reader, mode) === 'verify';
  const timeout = verifies ? more.shift() : undefined;
  const verifyTimeoutMs = timeout === undefined ? 0 : parseTimeout(reader, timeout);
  const [ttl, recheck, extra] = more;
  if (extra !== undefined) throw reader.argumentError(extra);
  return {
    seconds,
    verifies,
    verifyTimeoutMs,
    ttlSeconds: ttl === undefined ? 0 : parseTtl(reader, ttl),
    recheckMs: recheck === undefined ? 0 : parseRecheck(reader, recheck),
  };
}

/** Whole seconds: only they are compared. */
function parseUpTo(reader: DirectiveReader, token: Token): number {
  const ms = reader.durationMs(token);
  if (ms < 0) throw reader.error(token, `invalid negative duration for serve_stale: '${token.text}'`);
  return Math.min(Math.floor(ms / 1000), NUMBER_MAX);
}

function parseMode(reader: DirectiveReader, token: Token): 'immediate' | 'verify' {
  const mode = token.text.toLowerCase();
  if (mode === 'immediate' || mode === 'verify') return mode;
  throw reader.error(token, `invalid value for serve_stale refresh mode: ${mode}`);
}

function parseTimeout(reader: DirectiveReader, token: Token): number {
  const ms = reader.durationMs(token, 'invalid serve_stale verify timeout: ');
  if (ms < 0) throw reader.error(token, `invalid negative timeout for serve_stale verify: '${token.text}'`);
  return ms;
}

function parseTtl(reader: DirectiveReader, token: Token): number {
  const ms = reader.durationMs(token, 'invalid serve_stale response TTL: ');
  if (ms < 0) throw reader.error(token, `invalid negative response TTL for serve_stale: '${token.text}'`);
  if (ms % 1000 !== 0) {
    throw reader.error(token, `serve_stale response TTL must be a whole number of seconds: '${token.text}'`);
  }
  if (ms / 1000 > TTL_SECONDS_MAX) {
    throw reader.error(token, `serve_stale response TTL exceeds the DNS TTL range: '${token.text}'`);
  }
  // The largest number of all means "as it is" to the engine
  return Math.min(ms / 1000, TTL_SECONDS_MAX - 1);
}

function parseRecheck(reader: DirectiveReader, token: Token): number {
  const ms = reader.durationMs(token, 'invalid serve_stale failure recheck: ');
  if (ms < 0) throw reader.error(token, `invalid negative failure recheck for serve_stale: '${token.text}'`);
  if (ms > RECHECK_MS_MAX) {
    throw reader.error(token, `serve_stale failure recheck cannot exceed 5 minutes: '${token.text}'`);
  }
  return ms;
}

/** `serve_stale_policy prefer_positive`; returns the word, for messages. */
export function parsePolicy(reader: DirectiveReader, property: Line): Token {
  const token = reader.argument(property);
  if (token.text.toLowerCase() === 'prefer_positive') return property.word;
  throw reader.error(token, `invalid serve_stale_policy: ${token.text}`);
}
