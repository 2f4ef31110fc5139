// `forward FROM TO... { ... }`, once or more in a block -> ForwardConfig.

import type { DirectiveReader, Line, PropertyTable, Token } from '../../corefile/reader.ts';
import { addressOctets } from '../../dns/address.ts';
import { NameError, normalName } from '../../dns/name.ts';
import { POLICY_NAMES, type PolicyName } from './policy.ts';
import { rcodeOfWord } from './rcodes.ts';
import { parseTargets, resolverTarget, type Target, type UpstreamTarget } from './targets.ts';

/** Plain data: it crosses to every shard. */
export type ForwardConfig = {
  /** In file order: the first whose FROM covers the name, and which does not except it, takes the query. */
  readonly stanzas: readonly Stanza[];
};

export type Stanza = {
  readonly from: string;
  readonly except: readonly string[];
  readonly to: readonly Target[];
  /** Whom to ask for the addresses of host names; [] = the system. */
  readonly resolvers: readonly UpstreamTarget[];
  /** Local address of the sockets towards upstreams. */
  readonly sourceAddress: string | undefined;
  readonly forceTcp: boolean;
  readonly preferUdp: boolean;
  /** How long an unused connection is kept. */
  readonly expireMs: number;
  /** 0 = no limit. */
  readonly maxAgeMs: number;
  /** 0 = no limit. */
  readonly maxIdleConns: number;
  readonly readTimeoutMs: number;
  /** 0 = no health checks. */
  readonly maxFails: number;
  /** undefined = twice the number of upstreams, 0 = no limit. */
  readonly maxConnectAttempts: number | undefined;
  readonly policy: PolicyName;
  readonly healthIntervalMs: number;
  readonly healthRecursion: boolean;
  /** Lower-case, fully qualified. */
  readonly healthDomain: string;
  /** 0 = no limit. */
  readonly maxConcurrent: number;
  /** As written, for the error text. */
  readonly maxConcurrentText: string;
  /** Rcodes that hand the query to the next stanza. */
  readonly next: readonly number[];
  readonly nextOnNodata: boolean;
  /** Rcodes that send the query to the next upstream. */
  readonly failover: readonly number[];
  readonly failfast: boolean;
  /** Worth a line in the log when the configuration is taken. */
  readonly warnings: readonly string[];
};

export interface ForwardOptions {
  /** Accepts a stanza whose files name no nameserver. */
  readonly mayLackUpstreams: boolean;
}

/** While its block is read. */
type Draft = { -readonly [Key in keyof Stanza]: Stanza[Key] };

const UINT32_MAX = 2 ** 32 - 1;
/** Options that CoreDNS has for upstreams that this server does not have yet. */
const MISSING: readonly string[] = ['tls', 'tls_servername', 'doh_method'];

export function parseForward(reader: DirectiveReader, options: ForwardOptions): ForwardConfig {
  return { stanzas: reader.each(({ word }) => parseStanza(reader, word, options)) };
}

function parseStanza(reader: DirectiveReader, word: Token, { mayLackUpstreams }: ForwardOptions): Stanza {
  const fromWord = reader.needOnLine(word);
  const [from, ...others] = reader.zones([fromWord]);
  if (from === undefined) throw reader.error(fromWord, `unable to normalize '${fromWord.text}'`);
  const toWords = reader.restOfLine();
  if (toWords.length === 0) throw reader.argumentError(fromWord);
  const draft: Draft = { ...DEFAULTS, from };
  if (others.length > 0) {
    const text = `Unsupported CIDR notation: '${fromWord.text}' expands to multiple zones. Using only '${from}'.`;
    draft.warnings = [text];
  }
  reader.properties(propertyTable(reader, draft));
  if (draft.maxAgeMs > 0 && draft.maxAgeMs < draft.expireMs) {
    const [age, expire] = [goDuration(draft.maxAgeMs), goDuration(draft.expireMs)];
    throw reader.error(word, `max_age (${age}) must not be less than expire (${expire})`);
  }
  draft.to = parseTargets(reader, toWords, mayLackUpstreams);
  return draft;
}

const DEFAULTS: Stanza = {
  from: '.',
  except: [],
  to: [],
  resolvers: [],
  sourceAddress: undefined,
  forceTcp: false,
  preferUdp: false,
  expireMs: 10_000,
  maxAgeMs: 0,
  maxIdleConns: 0,
  readTimeoutMs: 2000,
  maxFails: 2,
  maxConnectAttempts: undefined,
  policy: 'random',
  healthIntervalMs: 500,
  healthRecursion: true,
  healthDomain: '.',
  maxConcurrent: 0,
  maxConcurrentText: '0',
  next: [],
  nextOnNodata: false,
  failover: [],
  failfast: false,
  warnings: [],
};

function propertyTable(reader: DirectiveReader, draft: Draft): PropertyTable {
  const missing = (property: Line): never => {
    throw reader.notSupported(property.word);
  };
  return {
    ...switches(reader, draft),
    ...lists(reader, draft),
    ...numbers(reader, draft),
    ...words(reader, draft),
    ...Object.fromEntries(MISSING.map((word) => [word, missing])),
    health_check: (property) => parseHealthCheck(reader, property, draft),
  };
}

/** Properties with one or more arguments. */
function lists(reader: DirectiveReader, draft: Draft): PropertyTable {
  return {
    except: (property) => {
      draft.except = [...draft.except, ...reader.zones(reader.arguments(property, 1))];
    },
    next: (property) => {
      draft.next = [...draft.next, ...rcodes(reader, property)];
    },
    failover: (property) => {
      const added = rcodes(reader, property);
      const noerror = property.args[added.indexOf(0)];
      if (noerror !== undefined) throw reader.error(noerror, 'NoError cannot be used in failover');
      draft.failover = [...draft.failover, ...added];
    },
    resolver: (property) => {
      draft.resolvers = reader.arguments(property, 1).map((word) => {
        const resolver = resolverTarget(word.text);
        if (resolver !== undefined) return resolver;
        throw reader.error(word, `resolver must be an IP address or IP:port: ${JSON.stringify(word.text)}`);
      });
    },
  };
}

/** Properties with one word; another word on the line is read as a property, as CoreDNS does. */
function words(reader: DirectiveReader, draft: Draft): PropertyTable {
  return {
    policy: (property) => {
      const word = reader.needOnLine(property.word);
      const policy = POLICY_NAMES.find((name) => name === word.text);
      if (policy === undefined) throw reader.unknownWord(word, `unknown policy '${word.text}'`, POLICY_NAMES);
      draft.policy = policy;
    },
    source_address: (property) => {
      const word = reader.needOnLine(property.word);
      if (addressOctets(word.text) === undefined) throw reader.error(word, `invalid IP address: ${word.text}`);
      draft.sourceAddress = word.text;
    },
  };
}

/** Properties without arguments. */
function switches(reader: DirectiveReader, draft: Draft): PropertyTable {
  type Switch = 'forceTcp' | 'preferUdp' | 'nextOnNodata';
  const switchOn = (key: Switch) => () => {
    reader.endOfLine();
    draft[key] = true;
  };
  return {
    force_tcp: switchOn('forceTcp'),
    prefer_udp: switchOn('preferUdp'),
    next_on_nodata: switchOn('nextOnNodata'),
    failfast_all_unhealthy_upstreams: (property) => {
      reader.arguments(property, 0, 0);
      draft.failfast = true;
    },
  };
}

/** Properties with one duration or number; another word on the line is read as a property, as CoreDNS does. */
function numbers(reader: DirectiveReader, draft: Draft): PropertyTable {
  return {
    expire: (property) => {
      draft.expireMs = duration(reader, property);
    },
    max_age: (property) => {
      draft.maxAgeMs = duration(reader, property);
    },
    read_timeout: (property) => {
      const word = reader.needOnLine(property.word);
      draft.readTimeoutMs = reader.durationMs(word);
      if (draft.readTimeoutMs > 0) return;
      throw reader.error(word, `read_timeout must be positive: ${goDuration(draft.readTimeoutMs)}`);
    },
    max_idle_conns: (property) => {
      draft.maxIdleConns = count(reader, property);
    },
    max_concurrent: (property) => {
      const word = reader.needOnLine(property.word);
      draft.maxConcurrent = count(reader, property, word);
      draft.maxConcurrentText = word.text;
    },
    max_fails: (property) => {
      draft.maxFails = unsigned(reader, reader.needOnLine(property.word));
    },
    max_connect_attempts: (property) => {
      draft.maxConnectAttempts = unsigned(reader, reader.needOnLine(property.word));
    },
  };
}

/** `health_check DURATION [no_rec] [domain NAME]` */
function parseHealthCheck(reader: DirectiveReader, property: Line, draft: Draft): void {
  const interval = reader.needOnLine(property.word);
  draft.healthIntervalMs = reader.durationMs(interval);
  if (draft.healthIntervalMs < 0) {
    throw reader.error(interval, `health_check can't be negative: ${Math.round(draft.healthIntervalMs * 1e6)}`);
  }
  draft.healthDomain = '.';
  for (let option = reader.nextOnLine(); option !== undefined; option = reader.nextOnLine()) {
    if (option.text === 'no_rec') {
      draft.healthRecursion = false;
    } else if (option.text === 'domain') {
      draft.healthDomain = healthDomain(reader, reader.needOnLine(option));
    } else {
      throw reader.error(option, `health_check: unknown option ${option.text}`);
    }
  }
}

function healthDomain(reader: DirectiveReader, word: Token): string {
  try {
    return normalName(word.text);
  } catch (error) {
    if (error instanceof NameError) throw reader.error(word, `health_check: invalid domain name ${word.text}`);
    throw error;
  }
}

function duration(reader: DirectiveReader, property: Line): number {
  const word = reader.needOnLine(property.word);
  const ms = reader.durationMs(word);
  if (ms < 0) throw reader.error(word, `${property.word.text} can't be negative: ${goDuration(ms)}`);
  return ms;
}

function count(reader: DirectiveReader, property: Line, word = reader.needOnLine(property.word)): number {
  const value = reader.integer(word);
  if (value < 0) throw reader.error(word, `${property.word.text} can't be negative: ${value}`);
  return value;
}

function unsigned(reader: DirectiveReader, word: Token): number {
  const problem = !/^\d+$/.test(word.text)
    ? 'invalid syntax'
    : Number(word.text) > UINT32_MAX
      ? 'value out of range'
      : undefined;
  if (problem === undefined) return Number(word.text);
  throw reader.error(word, `strconv.ParseUint: parsing ${JSON.stringify(word.text)}: ${problem}`);
}

function rcodes(reader: DirectiveReader, property: Line): number[] {
  return reader.arguments(property, 1).map((word) => {
    const rcode = rcodeOfWord(word.text);
    if (rcode === undefined) throw reader.error(word, `${word.text} is not a valid rcode`);
    return rcode;
  });
}

/** Go prints 90 s as `1m30s` and half a second as `500ms`. */
function goDuration(ms: number): string {
  const sign = ms < 0 ? '-' : '';
  const size = Math.abs(ms);
  if (size === 0) return '0s';
  if (size < 1) return size * 1000 >= 1 ? `${sign}${size * 1000}µs` : `${sign}${Math.round(size * 1e6)}ns`;
  if (size < 1000) return `${sign}${size}ms`;
  const seconds = (size / 1000) % 60;
  const minutes = Math.floor(size / 60_000) % 60;
  const hours = Math.floor(size / 3_600_000);
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}s` : `${sign}${seconds}s`;
}
