// From a saved query to its outcome through the plugins' slow faces.
//
//   exchange ─► Query ─► chain from the step's link on ─► Outcome ─► octets in LARGE_IN ─► finish() or fail()

import {
  EDNS_VERSION_STAND_IN,
  FLAG_CD,
  FLAG_QR,
  FLAG_RD,
  FLAG_TC,
  HEADER_BYTES,
  MESSAGE_BYTES_MAX,
  OPCODE_MASK,
  RCODE_FORMERR,
  RCODE_SERVFAIL,
} from '../../engine-as/shared/codes.ts';
import { LARGE_IN } from '../../engine-as/shared/layout.ts';
import type { Edns } from '../dns/edns.ts';
import { composeMessage, OwnerPlaces, type Question, type ResourceRecord } from '../dns/message.ts';
import type { Log } from '../log.ts';
import type { SlotWriter } from '../metrics/slots.ts';
import { foldChain, PluginError, type RelayBridge, reportAbove, stumbleAbove } from '../plugin/chain.ts';
import type { Answer, ExchangeHandle, Next, Outcome, Plugin, Query, Rewritten } from '../plugin/contract.ts';
import { Labels } from '../plugin/metadata.ts';
import type { ShardArea } from './area.ts';
import type { ExchangeTable } from './exchanges.ts';
import type { BlockChain } from './generation.ts';

/** A slow face that has no outcome by then gets SERVFAIL for its query: an exchange must not be lost for ever. */
const DEADLINE_MS = 30_000;

export interface SlowPathParts {
  readonly area: ShardArea;
  readonly exchanges: ExchangeTable;
  readonly log: Log;
  readonly slots: SlotWriter;
  /** Slot of coredns_panics_total, which the last loaded configuration named. */
  panicsSlot(): number;
  readonly bridge: RelayBridge;
  /** A plugin threw on a listener that is being debugged: the process is to end. */
  onPanic(text: string): void;
}

interface Run {
  readonly startedMs: number;
}

const nothing = () => {};

export class SlowPath {
  readonly #parts: SlowPathParts;
  /** In the order of their beginning. A late outcome of a run that is not here any more is forgotten. */
  readonly #runs = new Map<ExchangeHandle, Run>();
  readonly #folded = new WeakMap<BlockChain, Map<number, Next>>();

  constructor(parts: SlowPathParts) {
    this.#parts = parts;
  }

  /** Never throws; the exchange ends sooner or later. */
  run(handle: ExchangeHandle): void {
    const { exchanges } = this.#parts;
    const labels = this.#keeper(handle) === undefined ? undefined : new Labels();
    if (labels !== undefined) exchanges.keepMetadata(handle, labels);
    let query: Query;
    try {
      query = exchanges.query(handle);
    } catch {
      exchanges.fail(handle, RCODE_FORMERR, '');
      return;
    }
    const run: Run = { startedMs: performance.now() };
    this.#runs.set(handle, run);
    this.#start(handle, query, labels).then(
      (outcome) => this.#end(handle, run, query, outcome),
      (error: unknown) => this.#fail(handle, run, error),
    );
  }

  /** The exchange has been ended by somebody else; its outcome is not wanted any more. */
  abandon(handle: ExchangeHandle): void {
    this.#runs.delete(handle);
  }

  /** Ends runs that have taken too long. Called every heartbeat. */
  sweep(nowMs: number): void {
    for (const [handle, run] of this.#runs) {
      if (run.startedMs + DEADLINE_MS > nowMs) return;
      this.#runs.delete(handle);
      this.#parts.exchanges.fail(handle, RCODE_SERVFAIL, `no outcome within ${DEADLINE_MS / 1000}s`);
    }
  }

  /** CoreDNS core, A4: the log line and the counter of a plugin that threw. */
  panic(handle: ExchangeHandle, error: unknown): void {
    const { exchanges, log, slots } = this.#parts;
    const listening = exchanges.isOpen(handle) ? exchanges.path(handle).listening : undefined;
    const text = error instanceof Error ? error.message : String(error);
    const stack = stackOf(error);
    if (listening?.isDebugging === true) {
      this.#parts.onPanic([`panic: ${text}`, '', ...stack].join('\n'));
      return;
    }
    log.error(`Recovered from panic in server: "${listening?.server ?? ''}" ${text}`);
    if (listening?.showsStack === true) for (const line of stack) log.plain(line);
    slots.add(this.#parts.panicsSlot(), 1);
  }

  /** Tells the plugins above the exchange's step. */
  report(handle: ExchangeHandle, rcode: number, text: string): void {
    this.#reporter(handle, { rcode, text })();
  }

  /** The same, to be called when the exchange may be over. */
  #reporter(handle: ExchangeHandle, failure: Rewritten['reported']): () => void {
    if (failure === undefined) return nothing;
    const { exchanges } = this.#parts;
    const links = this.#block(handle)?.links ?? [];
    const below = Math.min(exchanges.linkIndex(handle), links.length);
    if (!links.slice(0, below).some((link) => link.plugin?.onError !== undefined)) return nothing;
    try {
      const query = exchanges.query(handle);
      return () => {
        try {
          reportAbove(links, below, query, failure.rcode, failure.text);
        } catch (error) {
          this.panic(handle, error);
        }
      };
    } catch (error) {
      this.panic(handle, error);
      return nothing;
    }
  }

  /** The plugin that makes the query's block keep labels. */
  #keeper(handle: ExchangeHandle): Plugin | undefined {
    return this.#block(handle)?.links.find(({ plugin }) => plugin?.collectsFor !== undefined)?.plugin;
  }

  async #start(handle: ExchangeHandle, query: Query, labels: Labels | undefined): Promise<Outcome> {
    if (labels !== undefined && this.#keeper(handle)!.collectsFor!(query)) {
      for (const { plugin } of this.#block(handle)!.links) plugin?.collectMetadata?.(query, labels);
    }
    return this.#chain(handle)(query);
  }

  #block(handle: ExchangeHandle): BlockChain | undefined {
    const { exchanges } = this.#parts;
    return exchanges.generation(handle).blocks.get(exchanges.blockIndex(handle));
  }

  #chain(handle: ExchangeHandle): Next {
    const { exchanges, bridge } = this.#parts;
    const chain = this.#block(handle);
    if (chain === undefined) return () => Promise.reject(new Error('no block belongs to this query'));
    const from = Math.min(exchanges.linkIndex(handle), chain.links.length);
    let folded = this.#folded.get(chain);
    if (folded === undefined) {
      folded = new Map();
      this.#folded.set(chain, folded);
    }
    let next = folded.get(from);
    if (next === undefined) {
      next = foldChain(chain.links, from, bridge);
      folded.set(from, next);
    }
    return next;
  }

  /** Takes the run off the list; false: its exchange has ended otherwise. */
  #isWanted(handle: ExchangeHandle, run: Run): boolean {
    if (this.#runs.get(handle) !== run) return false;
    this.#runs.delete(handle);
    return this.#parts.exchanges.isOpen(handle);
  }

  #end(handle: ExchangeHandle, run: Run, query: Query, outcome: Outcome): void {
    if (!this.#isWanted(handle, run)) return;
    const { exchanges } = this.#parts;
    if (outcome.rewritten !== undefined && !this.#isKept(handle, outcome.rewritten)) {
      exchanges.fail(handle, RCODE_SERVFAIL, '');
      return;
    }
    const stumble = outcome.kind === 'answer' ? this.#stumble(handle, query, outcome) : undefined;
    if (stumble !== undefined) {
      this.#panicked(handle, stumble);
      return;
    }
    const report = this.#reporter(handle, outcome.kind === 'answer' ? outcome.rewritten?.reported : undefined);
    if (outcome.kind === 'drop') exchanges.drop(handle);
    else if (outcome.error !== undefined) exchanges.fail(handle, outcome.rcode, outcome.error);
    else this.#finish(handle, query, outcome);
    // Behind the query's own line, as in CoreDNS
    report();
  }

  /** A plugin above the exchange's step looks at a record that is not there: CoreDNS panics. */
  #stumble(handle: ExchangeHandle, query: Query, answer: Answer): PluginError | undefined {
    if (answer.hollow === undefined) return undefined;
    const { exchanges } = this.#parts;
    if (exchanges.isWrittenAbove(handle)) return new PluginError('rewrite', new Error('a record is missing'));
    return stumbleAbove(this.#block(handle)?.links ?? [], exchanges.linkIndex(handle), query, answer);
  }

  /** Puts what the query has become in its place; false: there is no room for it. */
  #isKept(handle: ExchangeHandle, rewritten: Rewritten): boolean {
    return this.#parts.exchanges.rewrite(handle, composeMessage(rewritten.message), rewritten);
  }

  #finish(handle: ExchangeHandle, query: Query, answer: Answer): void {
    const { area, exchanges } = this.#parts;
    try {
      const octets = composeAnswer(query, answer);
      const at = area.at + LARGE_IN;
      area.octets.set(octets, at);
      if (exchanges.finish(handle, at, octets.length, answer.withheld)) return;
      throw new PluginError(answer.from, new Error('the answer is no message'));
    } catch (error) {
      this.panic(handle, error);
      if (exchanges.isOpen(handle)) exchanges.fail(handle, RCODE_SERVFAIL, '', true);
    }
  }

  #fail(handle: ExchangeHandle, run: Run, error: unknown): void {
    if (!this.#isWanted(handle, run)) return;
    this.#panicked(handle, error);
  }

  #panicked(handle: ExchangeHandle, error: unknown): void {
    this.panic(handle, error);
    this.#parts.exchanges.fail(handle, RCODE_SERVFAIL, '', true);
  }
}

/**
 * The reply message to a query; an OPT only for an rcode that needs one. Records beyond 65535 octets (names in rdata
 * counted uncompressed) are left out from the end, with TC set. Throws MessageError for records that cannot be written.
 */
export function composeAnswer(query: Query, answer: Answer): Uint8Array {
  const { message } = query;
  // CoreDNS copies RD and CD for opcode QUERY only
  const opcode = message.flags & OPCODE_MASK;
  const copied = opcode === 0 ? message.flags & (FLAG_RD | FLAG_CD) : opcode; // a relayed reply keeps its own
  const asked = answer.rewritten?.isRestored === false ? answer.rewritten.message : message;
  const questions = spelledQuestions(asked.questions.slice(0, 1), answer.question);
  const room = new Room(questions[0]);
  const sections = {
    answer: room.fit(answer.answer),
    authority: room.fit(answer.authority),
    additional: room.fit(answer.additional),
  };
  const reply = {
    id: message.id,
    flags:
      FLAG_QR |
      copied |
      (answer.flags & (opcode === 0 ? ~(FLAG_RD | FLAG_CD) : ~0)) |
      (room.isFull ? FLAG_TC : 0) |
      (answer.rcode & 0xf),
    questions,
    ...sections,
    edns: replyOpt(answer),
  };
  return composeMessage(reply, new OwnerPlaces());
}

/** An upstream may spell the question in another way; an answer to another question lends nothing. */
function spelledQuestions(asked: readonly Question[], spelt: Question | undefined): readonly Question[] {
  const question = asked[0];
  if (spelt === undefined || question === undefined) return asked;
  const isSame = spelt.name === question.name && spelt.type === question.type && spelt.class === question.class;
  return isSame ? [spelt] : asked;
}

const OPT_BYTES = 11;
/** Type, class, TTL and length of an RR. */
const RECORD_FIXED_BYTES = 10;

/** Counts octets as composeMessage() writes them; once a record did not fit, no later one does. */
class Room {
  isFull: boolean = false;
  readonly #places = new OwnerPlaces();
  #bytes: number;

  constructor(question: Question | undefined) {
    if (question !== undefined) this.#places.take(question, HEADER_BYTES);
    this.#bytes = HEADER_BYTES + (question === undefined ? 0 : question.wire.length + 4);
  }

  fit(records: readonly ResourceRecord[]): readonly ResourceRecord[] {
    const count = records.findIndex((record) => {
      const owner = this.#places.take(record, this.#bytes);
      this.#bytes += owner.length + RECORD_FIXED_BYTES + record.rdata.length;
      this.isFull ||= this.#bytes > MESSAGE_BYTES_MAX - OPT_BYTES;
      return this.isFull;
    });
    return count < 0 ? records : records.slice(0, count);
  }
}

/**
 * Rcodes above 15 need an OPT (RFC 6891 §6.1.3); where no plugin made one, the engine takes the client's. An OPT has the
 * reply's rcode, whatever its TTL was made to.
 */
function replyOpt({ edns, rcode }: Answer): Edns | undefined {
  if (edns === undefined && rcode <= 0xf) return undefined;
  const opt = edns ?? { payloadBytes: 0, version: EDNS_VERSION_STAND_IN, flags: 0, options: [] };
  return { ...opt, extendedRcode: rcode >> 4 };
}

/** Where the plugin threw, a line each. */
function stackOf(error: unknown): string[] {
  const thrown = error instanceof PluginError ? error.cause : error;
  const lines = thrown instanceof Error ? (thrown.stack ?? '').split('\n') : [];
  return lines.filter((line) => /^\s+at /.test(line));
}
