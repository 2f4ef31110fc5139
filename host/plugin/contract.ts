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
import type { Edns } from '../dns/edns.ts';
import type { Message, Question, ResourceRecord } from '../dns/message.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics/registry.ts';
import type { EngineLookup } from './lookups.ts';
import type { BlockProgram, CacheCapacity, CacheHandle, RecordStore } from './steps.ts';
import type { Upstreams } from './upstreams.ts';

export * from './lookups.ts';
export * from './steps.ts';
export * from './upstreams.ts';

/** Plain data that structured clone accepts: what may cross a thread. */
export type Plain =
  | string
  | number
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly Plain[]
  | { readonly [key: string]: Plain };

export interface Directive<Config = unknown, ControlOf extends Control = Control> {
  readonly name: string;
  /** Takes all occurrences of the word in one block. Throws `reader.error(...)`. */
  parse(reader: DirectiveReader): Config;
  /** Right after parse(): for words about the block itself, and for a look at what they name. Throws UserError. */
  settings?(config: Config, log: Log): Partial<BlockSettings>;
  control?(config: Config, block: ServerBlock, services: ControlServices): ControlOf;
  compile?(config: Config, program: BlockProgram, control: ControlOf | undefined): void;
  create?(config: Config, block: ServerBlock, services: ShardServices, shared: Plain): Plugin;
}

/** What some words say about their whole block; of two directives that say the same the later one counts. */
export interface BlockSettings {
  /** IP addresses to listen on, an IPv6 link-local one with its zone; absent: all addresses (plugin bind). */
  readonly addresses: readonly string[];
  /** Sockets an address, 'auto' = as many as serving threads (plugin multisocket). */
  readonly sockets: number | 'auto';
  /** Where relative paths begin (plugin root); DirectiveReader.path() knows it. */
  readonly root: string;
  /** A plugin that throws ends the process, debug lines are printed (plugin debug). */
  readonly isDebugging: boolean;
  /** The log line of a plugin that threw is followed by its stack (plugin errors). */
  readonly showsStack: boolean;
}

/** One server block of the loaded Corefile, as both threads know it. */
export interface ServerBlock {
  /** Position in the Corefile, from 0; the same number in every thread. */
  readonly index: number;
  /** The keys in file order, each once for every address that the block listens on. */
  readonly keys: readonly ServerKey[];
  /** Zones of all keys in their order; twice where it is served on two ports. */
  readonly zones: readonly string[];
  /** Words of the directives in use, in chain order. */
  readonly plugins: readonly string[];
  /** Corefile path and line of the block's first key, for messages. */
  readonly file: string;
  readonly line: number;
}

export interface ServerKey {
  readonly transport: 'dns';
  /** Lower-case, fully qualified. */
  readonly zone: string;
  /** '' = all addresses. */
  readonly address: string;
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
  /** The shards answer with this configuration; the listeners' lines are printed. */
  serving?(): void;
  /** A message of a shard's half: ShardServices.notifyControl(). */
  onNotice?(message: Plain, shard: number): void;
  /** Ends watches, timers and listeners. Called when another configuration has taken over, or at exit. */
  stop?(): Promise<void>;
  /** Only plugins that have an opinion implement it (CoreDNS plugin ready). */
  isReady?(): boolean;
  /** It was ready and is not any more, however ready it was: /ready says so even of plugins it does not ask again. */
  hasFailed?(): boolean;
  /** Final shutdown only, in chain order, while queries are still answered: `ready` closes, `health` waits its lameduck. */
  beforeExit?(signal: AbortSignal): Promise<void>;
}

/** Ready or not; `failed`: it was ready, and has been out of order for long. */
export type Readiness = boolean | 'failed';

export interface ControlServices {
  readonly log: Log;
  readonly metrics: Metrics;
  /** A new, empty set of records in shared memory; given back by `release()`. */
  createRecords(): RecordStore;
  /** A new cache in shared memory, empty. */
  createCache(entries: CacheCapacity): CacheHandle;
  /**
   * A process-wide thing that outlives reloads: `make` runs if nothing with this key is alive, otherwise the living
   * one is returned and its use count raised. `release()` of the last user stops it, after the new configuration runs.
   */
  shared<T extends Stoppable>(key: string, make: () => T): Shared<T>;
  /**
   * Plugins of these blocks (ServerBlock.index) that say whether they are ready, by name; of several with one name the
   * last block's counts (plugin `ready`).
   */
  readiness(blocks: ReadonlySet<number>): ReadonlyMap<string, Readiness>;
  /** Asks the server to re-read its Corefile; resolves with the outcome (plugin `reload`). */
  reload: ReloadService;
  readonly shardCount: number;
  /** Shared 32-bit words for process-wide limits and flags (use Atomics); the same array as ShardServices.words. */
  readonly words: Int32Array;
  /** Index of a word of its own, 0 at first; the same key gets the same word again. */
  claimWord(key: string): number;
  /** From now on replies echo the EDNS option of this code, whatever block answers (CoreDNS core, A5). */
  echoOption(code: number): void;
  /** Final shutdown, after what the plugin waits itself: resolves when no more queries come, or for long enough (a pod's end). */
  drained(signal: AbortSignal): Promise<void>;
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
  /** SHA-512 (hex) of the tokens of the configuration that runs now. */
  readonly runningHash: string;
  /** Re-reads the Corefile without applying it; undefined when it cannot be read, `fault` when it cannot be parsed. */
  readHash(): { readonly hash: string } | { readonly fault: string } | undefined;
  /**
   * Reads, parses and applies. Never throws: a refused configuration leaves the old one running.
   * @param onServing called once the new one serves, before its end is logged
   */
  restart(onServing: () => void): Promise<{ readonly applied: boolean; readonly error?: string }>;
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
  /** What CoreDNS calls it where no plugin comes after it; its own name without. */
  nameAtEnd?(query: Query): string;
  /** Whether this plugin looks at the records of a `hollow` answer from below. */
  looksAt?(query: Query, answer: Answer): boolean;
  /** One formatted line for each logged query; called in batches (plugin log). */
  onLog?(entry: LogEntry): void;
  /** Plugin metadata only. Its being there gives slow queries labels that last; true: those of plugins are collected. */
  collectsFor?(query: Query): boolean;
  /**
   * Sets labels that the query alone decides, before anything of the chain runs, in chain order; only in a block with
   * plugin metadata and for a name in its zones. It must be quick: values are functions, called when somebody asks.
   */
  collectMetadata?(query: Query, metadata: Metadata): void;
  start?(): Promise<void>;
  stop?(): Promise<void>;
}

export type Next = (query: Query) => Promise<Outcome>;
export type Outcome = Answer | Drop;

export interface Answer {
  readonly kind: 'answer';
  readonly rcode: number;
  /** FLAG_ bits of engine-as/shared/codes.ts; QR, the opcode and, for opcode QUERY, RD and CD come from the query. */
  readonly flags: number;
  readonly answer: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  /** Without OPT: the server adds the client's own (CoreDNS core, A5). */
  readonly additional: readonly ResourceRecord[];
  /** OPT of an upstream's reply: it goes to the client where no cache stands above (CoreDNS core, A5). */
  readonly edns?: Edns | undefined;
  /** The question as an upstream has spelt it, which is how the client gets it back. */
  readonly question?: Question | undefined;
  /** Name of the plugin that made it. */
  readonly from: string;
  /** A server-made error (SERVFAIL, REFUSED...): question and rcode only; the text is for plugin errors. */
  readonly error?: string;
  /** The query was changed on its way to who answered (plugin rewrite). */
  readonly rewritten?: Rewritten;
  /** CoreDNS cannot pack it, in a form longer by these octets: it is cached, counted and logged, and not sent. */
  readonly withheld?: number;
  /** Sections with a record that is not there: whoever looks at it panics. */
  readonly hollow?: readonly Section[];
}

/** What became of a query that a plugin changed for all plugins below it. */
export interface Rewritten {
  /** The query as it is now: its type and class are counted and logged, its OPT is what the reply echoes. */
  readonly message: Message;
  /** The reply repeats the question as it was asked, not that of `message`. */
  readonly isRestored: boolean;
  readonly loggedBytes?: number; // size of the query for plugin log, if not that of `message`; without rdataPad
  /** A plugin below failed, and a reply was written all the same: for plugin errors. */
  readonly reported?: { readonly rcode: number; readonly text: string } | undefined;
}
export type Drop = { readonly kind: 'drop'; readonly rewritten?: Rewritten };
export type Section = 'answer' | 'authority' | 'additional';

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
  /** The metric label of the listener: ServerKey.server. */
  readonly server: string;
  /** The exchange behind it; 0 for an internal query (resolve()). */
  readonly handle: ExchangeHandle;
  /** Bytes of the query message as parsed. */
  readonly bytes: number;
  /** The same object for everybody who sees the query. */
  readonly metadata: Metadata;
}

/**
 * Labels of one query, `PLUGIN/NAME` (CoreDNS plugin metadata). In a block without plugin metadata, and on the fast
 * face, set() does nothing and get() finds nothing. A plugin that must find labels says BlockProgram.readMetadata().
 */
export interface Metadata {
  /** Value of the label as it is now; undefined if nobody set it. */
  get(label: string): string | undefined;
  /** Replaces what was set before. Also while the query is served: plugin forward names its upstream so. */
  set(label: string, value: () => string): void;
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
  /** Address that the query came in on, as its socket has it: `::` for a UDP socket of all addresses. */
  readonly local: string;
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
  /** Header word at octet 2 of the reply; undefined = there was none. */
  readonly flags: number | undefined;
  /** Size before truncation and before the OPT was added. */
  readonly replyBytes: number;
  readonly durationSeconds: number;
  /** What the reply is, as CoreDNS types it: `NOERROR NXDOMAIN SERVERERROR NODATA DELEGATION META UPDATE OTHERERROR`. */
  readonly replyType: string;
  readonly metadata: Metadata;
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
  /** Whether replies echo the EDNS option, see ControlServices.echoOption(). */
  isEchoed(code: number): boolean;
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
  /** 32-bit hash of the message's octets from octet 2 on: equal questions share it. */
  hash(handle: ExchangeHandle): number;
  isStream(handle: ExchangeHandle): boolean;
  /** Milliseconds (performance.now()) at which the query was read. */
  startedAtMs(handle: ExchangeHandle): number;
  /** True if a `cache` step above asked for AD=1 towards the backends. */
  wantsAd(handle: ExchangeHandle): boolean;
  /** Whole shared memory of the process, for reading messages. */
  readonly octets: Uint8Array;
  query(handle: ExchangeHandle): Query;
  metadata(handle: ExchangeHandle): Metadata;
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
