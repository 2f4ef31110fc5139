// `cache [TTL] [ZONES...] { ... }` -> CacheConfig.

import type { DirectiveReader, Line, Token } from '../../corefile/reader.ts';
import { NameError, normalName } from '../../dns/name.ts';

/** Plain data: it crosses to every shard. */
export type CacheConfig = {
  readonly zones: readonly string[];
  readonly success: StoreConfig;
  readonly denial: StoreConfig;
  /** How long SERVFAIL and NOTIMP are kept, 0..300; 0 = not at all. */
  readonly servfailSeconds: number;
  /** Zones whose names are not stored as success or denial. */
  readonly disableSuccess: readonly string[];
  readonly disableDenial: readonly string[];
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
const SERVFAIL_SECONDS_MAX = 300;
/** RFC 2181 §8 */
const TTL_MAX = 2 ** 31 - 1;
/** Far beyond any memory, and still exact in 32 bits. */
const CAPACITY_MAX = 2 ** 31 - 1;

export function parseCache(reader: DirectiveReader): CacheConfig {
  const line = reader.once();
  const ttlToken =
    line.args[0] !== undefined && reader.maybeInteger(line.args[0]) !== undefined ? line.args[0] : undefined;
  const ttl = ttlToken && maxSeconds(reader, ttlToken);
  const config = {
    zones: reader.zones(ttlToken === undefined ? line.args : line.args.slice(1)),
    success: store(DEFAULT_CAPACITY, ttl ?? DEFAULT_SUCCESS_SECONDS),
    denial: store(DEFAULT_CAPACITY, ttl ?? DEFAULT_DENIAL_SECONDS),
    servfailSeconds: DEFAULT_MIN_SECONDS,
    disableSuccess: [] as readonly string[],
    disableDenial: [] as readonly string[],
  };
  const later = (property: Line): never => {
    throw reader.notSupported(property.word);
  };
  reader.properties(line, {
    success: (property) => {
      config.success = parseStore(reader, property, config.success);
    },
    denial: (property) => {
      config.denial = parseStore(reader, property, config.denial);
    },
    servfail: (property) => {
      config.servfailSeconds = parseServfail(reader, property);
    },
    disable: (property) => {
      const { kind, zones } = parseDisable(reader, property);
      if (kind === 'success') config.disableSuccess = zones;
      else config.disableDenial = zones;
    },
    prefetch: later,
    serve_stale: later,
    serve_stale_policy: later,
    keepttl: later,
  });
  return config;
}

/** CoreDNS spreads the capacity over 256 shards of equal size with at least 4 entries each: 10000 gives 9984. */
function entriesOf(capacity: number): number {
  return Math.max(Math.trunc(capacity / 256), 4) * 256;
}

function store(capacity: number, maxSeconds: number): StoreConfig {
  return { entries: entriesOf(capacity), minSeconds: DEFAULT_MIN_SECONDS, maxSeconds };
}

/** `success CAPACITY [TTL [MINTTL]]`; what is not given stays. */
function parseStore(reader: DirectiveReader, property: Line, before: StoreConfig): StoreConfig {
  const [capacityToken, ttlToken, minToken] = reader.arguments(property, 1, 3);
  reader.noProperties(property);
  const capacity = reader.integer(capacityToken!);
  if (capacity > CAPACITY_MAX)
    throw reader.error(capacityToken!, `cache capacity can not exceed ${CAPACITY_MAX}: ${capacity}`);
  return {
    entries: entriesOf(capacity),
    maxSeconds: ttlToken === undefined ? before.maxSeconds : maxSeconds(reader, ttlToken),
    minSeconds: minToken === undefined ? before.minSeconds : minSeconds(reader, minToken),
  };
}

function maxSeconds(reader: DirectiveReader, token: Token): number {
  const seconds = reader.integer(token);
  if (seconds <= 0) throw reader.error(token, `cache TTL can not be zero or negative: ${seconds}`);
  if (seconds > TTL_MAX) throw reader.error(token, `cache TTL can not exceed ${TTL_MAX}: ${seconds}`);
  return seconds;
}

function minSeconds(reader: DirectiveReader, token: Token): number {
  const seconds = reader.integer(token);
  if (seconds < 0) throw reader.error(token, `cache min TTL can not be negative: ${seconds}`);
  if (seconds > TTL_MAX) throw reader.error(token, `cache min TTL can not exceed ${TTL_MAX}: ${seconds}`);
  return seconds;
}

/** `servfail DURATION`; TTLs are whole seconds, so what is left of the last one counts for nothing. */
function parseServfail(reader: DirectiveReader, property: Line): number {
  const token = reader.argument(property);
  reader.noProperties(property);
  const ms = reader.durationMs(token);
  if (ms < 0) throw reader.error(token, `invalid negative ttl for servfail: '${token.text}'`);
  if (ms > SERVFAIL_SECONDS_MAX * 1000) {
    throw reader.error(token, `caching SERVFAIL responses over 5 minutes is not permitted: '${token.text}'`);
  }
  return Math.floor(ms / 1000);
}

/** `disable success|denial [ZONES...]`; without zones everything. A later one of the same kind replaces it. */
function parseDisable(reader: DirectiveReader, property: Line): { kind: 'success' | 'denial'; zones: string[] } {
  const [kindToken, ...zoneTokens] = reader.arguments(property, 1);
  reader.noProperties(property);
  const kind = kindToken!.text;
  if (kind !== 'success' && kind !== 'denial') {
    throw reader.error(kindToken!, `cache type for disable must be "success" or "denial": '${kind}'`);
  }
  const zones = zoneTokens.map((token) => disabledZone(reader, token));
  return { kind, zones: zones.length === 0 ? ['.'] : zones };
}

function disabledZone(reader: DirectiveReader, token: Token): string {
  try {
    return normalName(token.text);
  } catch (error) {
    if (error instanceof NameError) throw reader.error(token, `invalid disabled zone: ${token.text}`);
    throw error;
  }
}
