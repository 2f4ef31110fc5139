// `cache [TTL] [ZONES...] { ... }` -> CacheConfig.

import type { DirectiveReader, Line, PropertyTable, Token } from '../../corefile/reader.ts';
import { NameError, normalName } from '../../dns/name.ts';
import type { CacheStale } from '../../plugin/contract.ts';
import {
  NO_STALE,
  type PrefetchConfig,
  parsePolicy,
  parsePrefetch,
  parseServeStale,
  type StaleConfig,
} from './refresh.ts';

/** Plain data: it crosses to every shard. */
export type CacheConfig = {
  readonly zones: readonly string[];
  readonly success: StoreConfig;
  readonly denial: StoreConfig;
  /** How long SERVFAIL and NOTIMP are kept, 0 to five minutes; 0 = not at all. */
  readonly servfailMs: number;
  /** Zones whose names are not stored as success or denial. */
  readonly disableSuccess: readonly string[];
  readonly disableDenial: readonly string[];
  /** Hits show the TTL that was stored. */
  readonly keepTtl: boolean;
  readonly prefetch: PrefetchConfig;
  readonly stale: CacheStale;
  /** How long an expired answer waits for a better one (serve_stale verify); 0 = as long as it takes. */
  readonly verifyTimeoutMs: number;
};

export type StoreConfig = {
  /** Entries that fit; see entriesOf(). */
  readonly entries: number;
  readonly minSeconds: number;
  readonly maxSeconds: number;
};

const DEFAULT_CAPACITY = 10_000;
const DEFAULT_MIN_SECONDS = 5;
const DEFAULT_SUCCESS_SECONDS = 3600;
const DEFAULT_DENIAL_SECONDS = 1800;
/** RFC 2308 §7.1: a server failure must not be cached for longer. */
const SERVFAIL_MS_MAX = 300_000;
/** Larger TTLs (RFC 2181 §8), capacities, numbers of hits and times mean no more than this. */
const NUMBER_MAX = 2 ** 31 - 1;

export function parseCache(reader: DirectiveReader): CacheConfig {
  return reader.once(({ args }) => parseStanza(reader, args));
}

function parseStanza(reader: DirectiveReader, args: readonly Token[]): CacheConfig {
  // A number that is too large is none, and so a zone
  const ttlToken = args[0] !== undefined && isInt64(args[0].text) ? args[0] : undefined;
  const ttl = ttlToken && maxSeconds(reader, ttlToken);
  const config = {
    zones: reader.zones(ttlToken === undefined ? args : args.slice(1)),
    success: store(DEFAULT_CAPACITY, ttl ?? DEFAULT_SUCCESS_SECONDS),
    denial: store(DEFAULT_CAPACITY, ttl ?? DEFAULT_DENIAL_SECONDS),
    servfailMs: DEFAULT_MIN_SECONDS * 1000,
    disableSuccess: [] as readonly string[],
    disableDenial: [] as readonly string[],
    keepTtl: false,
    prefetch: { amount: 0, windowMs: 60_000, percent: 10 } as PrefetchConfig,
  };
  let stale: StaleConfig | undefined;
  let policy: Token | undefined;
  const table: PropertyTable = {
    success: (property) => {
      config.success = parseStore(reader, property, config.success);
    },
    denial: (property) => {
      config.denial = parseStore(reader, property, config.denial);
    },
    servfail: (property) => {
      config.servfailMs = parseServfail(reader, property);
    },
    disable: (property) => {
      const { kind, zones } = parseDisable(reader, property);
      if (kind === 'success') config.disableSuccess = zones;
      else config.disableDenial = zones;
    },
    prefetch: (property) => {
      config.prefetch = parsePrefetch(reader, property, config.prefetch);
    },
    serve_stale: (property) => {
      stale = parseServeStale(reader, property);
    },
    serve_stale_policy: (property) => {
      if (policy !== undefined) throw reader.error(property.word, 'serve_stale_policy can only be specified once');
      policy = parsePolicy(reader, property);
    },
    keepttl: (property) => {
      reader.arguments(property, 0, 0);
      config.keepTtl = true;
    },
  };
  reader.properties(table, (word, known) => reader.argumentError(word, known));
  if (policy !== undefined && stale === undefined)
    throw reader.error(policy, 'serve_stale_policy requires serve_stale');
  const { verifyTimeoutMs, ...served } = stale ?? NO_STALE;
  return { ...config, stale: { ...served, prefersPositive: policy !== undefined }, verifyTimeoutMs };
}

/** CoreDNS spreads the capacity over 256 shards of equal size with at least 4 entries each: 10000 gives 9984. */
function entriesOf(capacity: number): number {
  return Math.max(Math.trunc(capacity / 256), 4) * 256;
}

function store(capacity: number, maxSeconds: number): StoreConfig {
  return { entries: entriesOf(capacity), minSeconds: DEFAULT_MIN_SECONDS, maxSeconds };
}

/** `success CAPACITY [TTL [MINTTL]]`; what is not given stays, and CoreDNS does not mind further words. */
function parseStore(reader: DirectiveReader, property: Line, before: StoreConfig): StoreConfig {
  const [capacityToken, ttlToken, minToken] = reader.arguments(property, 1);
  return {
    entries: entriesOf(Math.min(reader.integer(capacityToken!), NUMBER_MAX)),
    maxSeconds: ttlToken === undefined ? before.maxSeconds : maxSeconds(reader, ttlToken),
    minSeconds: minToken === undefined ? before.minSeconds : minSeconds(reader, minToken),
  };
}

function isInt64(text: string): boolean {
  if (!/^[-+]?\d+$/.test(text)) return false;
  const value = BigInt(text.replace(/^\+/, ''));
  return BigInt.asIntN(64, value) === value;
}

function maxSeconds(reader: DirectiveReader, token: Token): number {
  const seconds = reader.integer(token);
  if (seconds <= 0) throw reader.error(token, `cache TTL can not be zero or negative: ${seconds}`);
  return Math.min(seconds, NUMBER_MAX);
}

function minSeconds(reader: DirectiveReader, token: Token): number {
  const seconds = reader.integer(token);
  if (seconds < 0) throw reader.error(token, `cache min TTL can not be negative: ${seconds}`);
  return Math.min(seconds, NUMBER_MAX);
}

/** `servfail DURATION` */
function parseServfail(reader: DirectiveReader, property: Line): number {
  const token = reader.argument(property);
  const ms = reader.durationMs(token);
  if (ms < 0) throw reader.error(token, `invalid negative ttl for servfail: '${token.text}'`);
  if (ms > SERVFAIL_MS_MAX) {
    throw reader.error(token, `caching SERVFAIL responses over 5 minutes is not permitted: '${token.text}'`);
  }
  return ms;
}

/** `disable success|denial [ZONES...]`; without zones everything. A later one of the same kind replaces it. */
function parseDisable(reader: DirectiveReader, property: Line): { kind: 'success' | 'denial'; zones: string[] } {
  const [kindToken, ...zoneTokens] = reader.arguments(property, 1);
  const kind = kindToken!.text;
  if (kind !== 'success' && kind !== 'denial') {
    throw reader.error(kindToken!, `cache type for disable must be "success" or "denial": '${kind}'`);
  }
  return { kind, zones: zoneTokens.length === 0 ? ['.'] : zoneTokens.flatMap(disabledZone) };
}

/** A word that is no name is accepted, and no name lies in it. */
function disabledZone(token: Token): string[] {
  try {
    return [normalName(token.text)];
  } catch (error) {
    if (error instanceof NameError) return [];
    throw error;
  }
}
