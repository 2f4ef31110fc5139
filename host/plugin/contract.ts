// The plugin contract: types only. A plugin sees this file, `host/dns`, `host/corefile/reader.ts` and the leaves
// (log, clock, errors, metrics), and nothing else of the house; `server`, `shard` and `engine` see plugins only
// through it.
//
// One Corefile word is one `Directive`. Its life:
//
//   parse     pure, main thread          tokens of one block  -> Config (plain data: it crosses to every shard)
//   control   main thread, once a block  Config               -> Control: watches, files, HTTP listeners, metrics
//   compile   main thread, once a block  Config + Control     -> steps of the block's program (the fast face)
//   create    each shard, once a block   Config + Control's shared data -> Plugin (the slow face)

import type { DirectiveReader } from '../corefile/reader.ts';
import type { Message, ResourceRecord } from '../dns/message.ts';
import type { Log } from '../log.ts';
import type { Metrics, SlotReader } from '../metrics/registry.ts';

/** Plain data that structured clone accepts: what may cross a thread. */
export type Plain = string | number | boolean | null | undefined | Uint8Array | readonly Plain[] | { readonly [key: string]: Plain };

export interface Directive<Config = unknown, ControlOf extends Control = Control> {
  readonly name: string;
  /** A second occurrence in the same block is a configuration error. */
  readonly oncePerBlock: boolean;
  /** Takes all occurrences of the word in one block. Throws `reader.error(...)`. */
  parse(reader: DirectiveReader): Config;
  control?(config: Config, block: ServerBlock, services: ControlServices): ControlOf;
  compile?(config: Config, program: BlockProgram, control: ControlOf | undefined): void;
  create?(config: Config, block: ServerBlock, services: ShardServices, shared: Plain): Plugin;
}

/** One server block of the loaded Corefile, as both threads know it. */
export interface ServerBlock {
  /** Position in the Corefile, from 0; the same number in every thread. */
  readonly index: number;
  /** The keys, in file order. `zone` is lower-case and fully qualified. */
  readonly keys: readonly ServerKey[];
  /** Zones of all keys, without repetition. */
  readonly zones: readonly string[];
  /** Words of the directives in use, in chain order. */
  readonly plugins: readonly string[];
  /** Corefile path and line of the block's first key, for messages. */
  readonly file: string;
  readonly line: number;
}

export interface ServerKey {
  readonly transport: 'dns';
  readonly zone: string;
  /** 0 = ephemeral. */
  readonly port: number;
  /** The metric label of the listener: `dns://:53`, with a bound address `dns://127.0.0.1:53`. */
  readonly server: string;
}

// ---------------------------------------------------------------------------------------------- main thread

/** The main-thread half of a plugin. All of it is optional. */
export interface Control {
  /** Given to create() in every shard. */
  readonly shared?: Plain;
  /** Resolves when the server may begin to answer (bounded by the plugin itself). A rejection refuses the configuration. */
  start?(): Promise<void>;
  /** Ends watches, timers and listeners. Called when another configuration has taken over, or at exit. */
  stop?(): Promise<void>;
  /** Only plugins that have an opinion implement it (CoreDNS plugin ready). */
  isReady?(): boolean;
  /** Final shutdown only, in chain order, while queries are still answered: `ready` closes, `health` waits its lameduck. */
  beforeExit?(signal: AbortSignal): Promise<void>;
}

export interface ControlServices {
  readonly log: Log;
  readonly metrics: Metrics;
  /** A new, empty set of records in shared memory; given back by `release()`. */
  createRecords(): RecordStore;
  /** A new cache in shared memory, or the one an identical block of the previous configuration had. */
  createCache(key: string, entries: CacheCapacity): CacheHandle;
  /**
   * A process-wide thing that outlives reloads: `make` runs if nothing with this key is alive, otherwise the living
   * one is returned and its use count raised. `release()` of the last user stops it, after the new configuration runs.
   */
  shared<T extends Stoppable>(key: string, make: () => T): Shared<T>;
  /** All plugins of the configuration that say whether they are ready, by name (plugin `ready`). */
  readiness(): ReadonlyMap<string, boolean>;
  /** Asks the server to re-read its Corefile; resolves with the outcome (plugin `reload`). */
  reload: ReloadService;
  /** Shared 32-bit words for process-wide limits and flags (use Atomics); the same array as ShardServices.words. */
  readonly words: Int32Array;
  /** Index of a word of its own, 0 at first; the same key gets the same word again. */
  claimWord(key: string): number;
  /** Ends the process with this exit code after printing `[FATAL] text` (plugin `loop`). */
  fatal(text: string): void;
}

export interface Stoppable {
  stop(): Promise<void>;
}
export interface Shared<T> {
  readonly value: T;
  release(): Promise<void>;
}

export interface ReloadService {
  /** SHA-512 (hex) of the running configuration's tokens. */
  readonly runningHash: string;
  /** Re-reads the Corefile without applying it; undefined when it cannot be read or parsed. */
  readHash(): string | undefined;
  /** Reads, parses and applies. Never throws: a refused configuration leaves the old one running. */
  restart(): Promise<{ readonly applied: boolean; readonly error?: string }>;
}

export interface CacheCapacity {
  readonly success: number;
  readonly denial: number;
}
export interface CacheHandle {
  /** Byte offset of the cache's header in shared memory. */
  readonly address: number;
  /** Entries now held: [success, denial]. */
  entries(): readonly [number, number];
  release(): void;
}

/** Names and RRsets in shared memory: one writer (the main thread), lock-free readers in every shard. */
export interface RecordStore {
  /** Byte offset of the store's header in shared memory. */
  readonly address: number;
  /**
   * Publishes all RRsets of one owner, replacing what it had. An owner with no RRset exists (NODATA).
   * @param key relative owner in wire form without the root label, lower-case (`\3web\4demo\3svc`), or a reverse key.
   * @returns the owner's handle, valid until remove(); SRV sets refer to target owners by it.
   */
  put(key: Uint8Array, sets: readonly RecordSet[], flags?: number): OwnerHandle;
  /** Returns the handle of an owner, or 0. */
  find(key: Uint8Array): OwnerHandle;
  /** Removes the owner; SRV sets that refer to it must have been replaced before. */
  remove(key: Uint8Array): void;
  /** Until told so, would-be NXDOMAIN is SERVFAIL (CoreDNS plugin kubernetes). */
  setSynced(synced: boolean): void;
  /** SOA serial of the store's zones. */
  setSerial(serial: number): void;
  /** Bytes and owners in use. */
  usage(): { readonly owners: number; readonly bytes: number };
  release(): void;
}
export type OwnerHandle = number;

/** Flag of put(): the zone part of the question must be lower-case, as CoreDNS compares NS and ns.dns. */
export const OWNER_ZONE_CASE = 1;
/** Flag of put(): a type the owner lacks is NXDOMAIN instead of NODATA (dns-version in plugin kubernetes). */
export const OWNER_NO_NODATA = 2;

export type RecordSet =
  | { readonly type: 'A'; /** 4 octets each */ readonly addresses: readonly Uint8Array[]; readonly ttl?: number }
  | { readonly type: 'AAAA'; /** 16 octets each */ readonly addresses: readonly Uint8Array[]; readonly ttl?: number }
  | { readonly type: 'SRV'; readonly records: readonly ServiceRecord[]; readonly ttl?: number }
  /** Names in wire form; `relative` ones lack the root label and end in the question's zone, in the question's spelling. */
  | { readonly type: 'PTR' | 'NS' | 'CNAME'; readonly names: readonly RecordName[]; readonly ttl?: number }
  | { readonly type: 'TXT'; /** rdata octets, character-strings included */ readonly rdata: readonly Uint8Array[]; readonly ttl?: number };

export interface ServiceRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** The owner whose name is the target and whose addresses go into the additional section; 0 = the owner itself. */
  readonly target: OwnerHandle;
}
export interface RecordName {
  readonly wire: Uint8Array;
  readonly relative: boolean;
  /** NS only: the owner whose addresses go into the additional section, 0 = none. */
  readonly target?: OwnerHandle;
}

/**
 * Collects the steps of one block, in chain order. Only data: a step that the fast face cannot take leads to the
 * plugin's slow face. A plugin without compile() whose create() exists gets `slow()` by itself.
 */
export interface BlockProgram {
  readonly block: ServerBlock;
  /** Count the query in the coredns_dns_* families; `plugin` is the label of replies written below (CoreDNS plugin prometheus). */
  count(plugin: string): void;
  /** Hand a log line's words to the shard for these rules; the first whose scope holds decides (CoreDNS plugin log). */
  log(rules: readonly LogRule[]): void;
  /** Shuffle addresses (CoreDNS plugin loadbalance, round_robin). */
  rotate(): void;
  cache(step: CacheStep): void;
  records(step: RecordsStep): void;
  /** Queries of this type go to the slow face at this step while words[word] is not 0 (plugin loop). */
  watchType(type: number, word: number): void;
  /** Octets go to Plugin.relay() (plugin forward). */
  relay(step: RelayStep): void;
  /** Describes the client (CoreDNS plugin whoami). */
  whoami(): void;
  /** Every query that comes this far goes to the slow face. */
  slow(): void;
}

export interface LogRule {
  /** Lower-case zone; `.` for all. */
  readonly scope: string;
  readonly classes: readonly ('success' | 'denial' | 'error')[];
}

export interface CacheStep {
  readonly address: number;
  readonly zones: readonly string[];
  readonly successTtl: readonly [minSeconds: number, maxSeconds: number];
  readonly denialTtl: readonly [minSeconds: number, maxSeconds: number];
  /** TTL of SERVFAIL and NOTIMP answers, 0 = not cached. */
  readonly servfailSeconds: number;
  readonly disableSuccess: readonly string[];
  readonly disableDenial: readonly string[];
  /** First of CACHE_SLOTS counters in the slot area, see engine-as/shared/layout.ts. */
  readonly slot: number;
}

export interface RecordsStep {
  readonly address: number;
  readonly zones: readonly string[];
  readonly ttl: number;
  readonly soa: { readonly mname: string; readonly rname: string; readonly refresh: number; readonly retry: number; readonly expire: number; readonly minimum: number; readonly ttl: number };
  /** Synthesise `a-b-c-d.NAMESPACE.pod` for namespaces that the store holds as `NAMESPACE.pod` (pods insecure). */
  readonly pods: 'disabled' | 'insecure' | 'verified';
  /** undefined = never, [] = all names. */
  readonly fallthrough: readonly string[] | undefined;
  /** Kubernetes names: optional underscores in `_port._proto`, SOA never NXDOMAIN, reverse keys for PTR. */
  readonly kubernetes: boolean;
}

export interface RelayStep {
  readonly zone: string;
  readonly except: readonly string[];
}

// -------------------------------------------------------------------------------------------------- shards

/** The slow face and the relay of one directive in one block and one shard. */
export interface Plugin {
  readonly name: string;
  /** Always right, may be slow. Never writes to a socket: the outcome is the answer. */
  answer?(query: Query, next: Next): Promise<Outcome>;
  /** Takes over the octets of exchange `handle`; must end it by exactly one of finish() or fail(). */
  relay?(handle: ExchangeHandle): void;
  /** Hears of every failed query of the block below this plugin (plugin errors). */
  onError?(query: Query, rcode: number, text: string): void;
  /** One formatted line for each logged query; called in batches (plugin log). */
  onLog?(entry: LogEntry): void;
  start?(): Promise<void>;
  stop?(): Promise<void>;
}

export type Next = (query: Query) => Promise<Outcome>;
export type Outcome = Answer | Drop;

export interface Answer {
  readonly kind: 'answer';
  readonly rcode: number;
  /** FLAG_ bits of engine-as/shared/codes.ts: AA, TC, RA, AD and Z; QR, RD, CD and the opcode come from the query. */
  readonly flags: number;
  readonly answer: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  /** Without OPT: the server adds the client's own (CoreDNS core, A5). */
  readonly additional: readonly ResourceRecord[];
  /** Name of the plugin that made it. */
  readonly from: string;
  /** A server-made error (SERVFAIL, REFUSED...): question and rcode only; the text is for plugin errors. */
  readonly error?: string;
}
export interface Drop {
  readonly kind: 'drop';
}

/** One query on the slow path. */
export interface Query {
  /** As received; its first question is the question. */
  readonly message: Message;
  /** Lower-case, fully qualified. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly proto: 'udp' | 'tcp';
  readonly remote: Endpoint;
  readonly local: Endpoint;
  /** Zone of the block's key that was matched. */
  readonly zone: string;
  /** The exchange behind it; 0 for an internal query (resolve()). */
  readonly handle: ExchangeHandle;
  /** Bytes of the query message as parsed. */
  readonly bytes: number;
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
}

/** A saved query in the shard's part of shared memory. Small positive integer, reused. */
export type ExchangeHandle = number;

/** What a logged query was and became; the words of CoreDNS's plugin log. */
export interface LogEntry {
  /** Index into the rules given to BlockProgram.log(). */
  readonly rule: number;
  readonly remote: Endpoint;
  readonly id: number;
  readonly opcode: number;
  readonly type: number;
  readonly class: number;
  /** Lower-case, presentation form, fully qualified. */
  readonly name: string;
  readonly proto: 'udp' | 'tcp';
  readonly queryBytes: number;
  readonly isDo: boolean;
  /** Effective UDP payload size; 65535 on TCP. */
  readonly payloadBytes: number;
  readonly rcode: number;
  /** Header word at octet 2 of the reply. */
  readonly flags: number;
  /** Size before truncation and before the OPT was added. */
  readonly replyBytes: number;
  readonly durationSeconds: number;
}

export interface ShardServices {
  readonly shard: number;
  readonly shardCount: number;
  readonly log: Log;
  /** This shard's counters; indices come from Metrics on the main thread, through Control.shared. */
  readonly slots: SlotWriter;
  readonly exchanges: Exchanges;
  readonly upstreams: Upstreams;
  /** The engine's own look-ups, for slow faces that must agree with it. */
  readonly lookup: EngineLookup;
  /**
   * An upstream look-up (CoreDNS core, A8): the question enters the same listener from the very top, with the
   * EDNS of `origin`, and the answer is captured. Depth is bounded.
   */
  resolve(origin: Query, name: string, type: number): Promise<Answer>;
  /** A message to the main-thread half of the same directive in the same block. */
  notifyControl(message: Plain): void;
  /** Shared 32-bit words; indices come from ControlServices.claimWord() through Control.shared. */
  readonly words: Int32Array;
}

export interface SlotWriter {
  add(slot: number, amount: number): void;
  /** Observes a value in a histogram whose first slot and bounds Metrics.histogram() returned. */
  observe(slot: number, bounds: readonly number[], value: number): void;
}

export interface Exchanges {
  /** Byte offset of the saved message in shared memory, valid until the exchange ends. */
  offset(handle: ExchangeHandle): number;
  bytes(handle: ExchangeHandle): number;
  /** 32-bit hash of the message's octets from octet 2 on: equal questions share it (compare the octets as well). */
  hash(handle: ExchangeHandle): number;
  isStream(handle: ExchangeHandle): boolean;
  /** Milliseconds (performance.now()) at which the query was read. */
  startedAtMs(handle: ExchangeHandle): number;
  /** True if a `cache` step above asked for AD=1 towards the backends. */
  wantsAd(handle: ExchangeHandle): boolean;
  /** Whole shared memory of the process, for reading messages. */
  readonly octets: Uint8Array;
  query(handle: ExchangeHandle): Query;
  /**
   * Ends the exchange with the reply message at `offset`; the engine checks, stores, rotates, truncates and counts it.
   * False: the reply does not parse, nothing was sent and the exchange is still open (try again, or fail()).
   */
  finish(handle: ExchangeHandle, offset: number, bytes: number): boolean;
  /** Ends the exchange with a server-made error reply; `text` goes to plugin errors. */
  fail(handle: ExchangeHandle, rcode: number, text: string): void;
  /** Ends it without any reply. */
  drop(handle: ExchangeHandle): void;
}

export interface Upstreams {
  /** A connected UDP socket on a random port; replies arrive in batches. Throws on an unusable address. */
  connectUdp(remote: UpstreamAddress, listener: UpstreamListener): UdpUpstream;
  /** One TCP connection; at most one message in flight is the caller's rule, not this socket's. */
  connectTcp(remote: UpstreamAddress, timeoutMs: number, listener: UpstreamListener): TcpUpstream;
}
export interface UpstreamAddress {
  readonly address: string;
  readonly port: number;
}
export interface UpstreamListener {
  /** One reply message in shared memory, valid during the call. */
  onMessage(offset: number, bytes: number): void;
  /** errno text as Go prints it: `connection refused`, `i/o timeout`. */
  onError(text: string): void;
  /** TCP: connected. */
  onOpen?(): void;
  /** TCP: the peer closed. */
  onClose?(): void;
}
export interface UdpUpstream {
  /** `127.0.0.1:49303` */
  readonly localAddress: string;
  /** Queues the message at offset with another id and header word; flushed with the batch. False: not sent. */
  send(offset: number, bytes: number, id: number, flags: number): boolean;
  close(): void;
}
export interface TcpUpstream {
  readonly localAddress: string;
  send(offset: number, bytes: number, id: number, flags: number): void;
  close(): void;
}

export interface EngineLookup {
  /** Runs only step `step` of the block's program that belongs to the calling plugin; undefined = go on with next(). */
  records(query: Query): Answer | 'miss' | 'chase' | 'servfail';
  cacheGet(query: Query): Answer | undefined;
  /** Stores the answer if it may be stored, and returns it as the client is to see it (TTLs clamped). */
  cachePut(query: Query, answer: Answer): Answer;
}

export type { SlotReader };
