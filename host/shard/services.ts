// What a plugin's slow face may ask of its shard.

import {
  FLAG_AA,
  FLAG_AD,
  FLAG_CD,
  FLAG_RA,
  FLAG_RD,
  FLAG_TC,
  FLAG_Z,
  OUTCOME_ANSWER,
  OUTCOME_RELAY,
  OUTCOME_SLOW,
  RCODE_SERVFAIL,
  TYPE_TSIG,
} from '../../engine-as/shared/codes.ts';
import * as layout from '../../engine-as/shared/layout.ts';
import { composeMessage, type Message, parseMessage, rcodeOf } from '../dns/message.ts';
import { composeName } from '../dns/name.ts';
import type { Engine } from '../engine/load.ts';
import { errorAnswer } from '../plugin/chain.ts';
import type { Answer, Endpoint, ExchangeHandle, Outcome, Plugin, Query } from '../plugin/contract.ts';
import type { ShardArea } from './area.ts';
import type { ExchangeTable } from './exchanges.ts';
import type { Listening, RawReply, ReplyPath } from './generation.ts';
import type { Handoff } from './handoff.ts';

/** Look-ups within look-ups: CoreDNS bounds the length of alias chains, not the nesting; the number is its limit there. */
export const RESOLVE_DEPTH_MAX = 8;
const REPLY_BYTES_MAX = 65535;
const ANSWER_FLAGS = FLAG_AA | FLAG_TC | FLAG_RA | FLAG_AD | FLAG_Z | FLAG_RD | FLAG_CD;

export interface InnerQueryParts {
  readonly area: ShardArea;
  readonly engine: Pick<Engine, 'serveOne' | 'settle'>;
  readonly exchanges: ExchangeTable;
  readonly handoff: Handoff;
  /** Log records may be waiting. */
  onRecords(path: ReplyPath, elapsedMs: number): void;
}

/** Queries that the server asks itself. */
export class InnerQueries {
  readonly #parts: InnerQueryParts;

  constructor(parts: InnerQueryParts) {
    this.#parts = parts;
  }

  /** See ShardServices.resolve(). Failures are answers with `error`; never rejects. */
  resolve(origin: Query, name: string, type: number): Promise<Answer> {
    const { exchanges } = this.#parts;
    if (!exchanges.isOpen(origin.handle)) return Promise.resolve(failed('its query has ended'));
    const path = exchanges.path(origin.handle);
    const depth = path instanceof InnerPath ? path.depth + 1 : 1;
    if (depth > RESOLVE_DEPTH_MAX)
      return Promise.resolve(failed(`more than ${RESOLVE_DEPTH_MAX} look-ups within each other`));
    return new Promise((resolve) => {
      const inner = new InnerPath(path, depth, (octets) => resolve(toAnswer(octets)), this.#parts.area);
      try {
        this.#ask(origin, questionMessage(origin, name, type), inner);
      } catch (error) {
        resolve(failed((error as Error).message));
      }
    });
  }

  /** Answers for a plugin that can only relay octets: its reply as it came, before the engine's finish(). */
  relay(plugin: Plugin, query: Query): Promise<Outcome> {
    const { area, exchanges } = this.#parts;
    if (!exchanges.isOpen(query.handle)) return Promise.resolve(failed('its query has ended'));
    return new Promise((resolve, reject) => {
      const octets = composeMessage(query.message);
      const messageAt = area.at + layout.LARGE_IN;
      area.octets.set(octets, messageAt);
      const handoffAt = area.at + layout.HANDOFFS;
      const record = handoffAt >>> 2;
      area.words[record + (layout.HANDOFF_ZONE >>> 2)] = exchanges.zoneEntry(query.handle);
      area.words[record + (layout.HANDOFF_STEP >>> 2)] = exchanges.step(query.handle);
      area.words[record + (layout.HANDOFF_HASH >>> 2)] = hashOf(octets);
      area.words[record + (layout.HANDOFF_FLAGS >>> 2)] = 0;
      const path = new RelayPath(exchanges.path(query.handle), (reply) => resolve(toOutcome(reply)));
      const handle = exchanges.open({
        path,
        messageAt,
        bytes: octets.length,
        ...addressingOf(area, exchanges, query.handle),
        startedMs: performance.now(),
        handoffAt,
      });
      if (handle === 0) return;
      exchanges.keepMetadata(handle, query.metadata);
      try {
        plugin.relay!(handle);
      } catch (error) {
        if (exchanges.isOpen(handle)) exchanges.drop(handle);
        reject(error as Error);
      }
    });
  }

  #ask(origin: Query, message: Message, path: InnerPath): void {
    const { area, engine, exchanges, handoff } = this.#parts;
    const octets = composeMessage(message);
    const messageAt = area.at + layout.LARGE_IN;
    const outAt = area.at + layout.LARGE_OUT;
    const addressing = addressingOf(area, exchanges, origin.handle);
    const startedMs = performance.now();
    area.octets.set(octets, messageAt);
    area.stamp(startedMs);
    const outcome = engine.serveOne(
      area.at,
      path.listening.program,
      messageAt,
      octets.length,
      addressing.sockaddrAt,
      path.proto,
      outAt,
      REPLY_BYTES_MAX,
    );
    if (outcome === OUTCOME_RELAY || outcome === OUTCOME_SLOW) {
      handoff.take({
        path,
        messageAt,
        bytes: octets.length,
        ...addressing,
        startedMs,
        handoffAt: area.at + layout.HANDOFFS,
      });
      return;
    }
    const bytes = outcome === OUTCOME_ANSWER ? area.word(layout.SHARD_REPLY_BYTES) : 0;
    path.reply(0, 0, outAt, bytes);
    if (area.word(layout.SHARD_HANDOFF_COUNT) !== 0) {
      const handoffAt = area.at + layout.HANDOFFS;
      handoff.take({ path, messageAt, bytes: octets.length, ...addressing, startedMs, handoffAt });
    }
    const elapsedMs = performance.now() - startedMs;
    engine.settle(area.at, elapsedMs);
    this.#parts.onRecords(path, elapsedMs);
  }
}

/** Where the query of an exchange came from, as another exchange takes it over. */
export function addressingOf(area: ShardArea, exchanges: ExchangeTable, handle: ExchangeHandle) {
  const at = exchanges.at(handle);
  return {
    sockaddrAt: at + layout.EXCHANGE_SOCKADDR,
    sockaddrBytes: area.words[(at + layout.EXCHANGE_NAMELEN) >>> 2]!,
    controlAt: at + layout.EXCHANGE_CONTROL,
    controlBytes: area.words[(at + layout.EXCHANGE_CONTROLLEN) >>> 2]!,
  };
}

/** Leads to a promise instead of a socket. */
class InnerPath implements ReplyPath {
  readonly listening: Listening;
  readonly proto: number;
  readonly depth: number;
  readonly #origin: ReplyPath;
  readonly #settle: (octets: Uint8Array) => void;
  readonly #area: ShardArea;

  constructor(origin: ReplyPath, depth: number, settle: (octets: Uint8Array) => void, area: ShardArea) {
    this.#origin = origin;
    this.listening = origin.listening;
    this.proto = origin.proto;
    this.depth = depth;
    this.#settle = settle;
    this.#area = area;
  }

  reply(_handle: ExchangeHandle, _exchangeAt: number, messageAt: number, bytes: number): void {
    this.#settle(this.#area.copy(messageAt, bytes));
  }

  get localAddress(): string {
    return this.#origin.localAddress;
  }

  local(exchangeAt: number): Endpoint {
    return this.#origin.local(exchangeAt);
  }
}

/** Takes what a relay brings. */
class RelayPath implements ReplyPath {
  readonly listening: Listening;
  readonly proto: number;
  readonly takeRaw: (reply: RawReply) => void;
  readonly #origin: ReplyPath;

  constructor(origin: ReplyPath, takeRaw: (reply: RawReply) => void) {
    this.#origin = origin;
    this.listening = origin.listening;
    this.proto = origin.proto;
    this.takeRaw = takeRaw;
  }

  /** Only for a query that found the table of exchanges full. */
  reply(): void {
    this.takeRaw({ kind: 'failure', rcode: RCODE_SERVFAIL, text: 'too many queries wait for an answer' });
  }

  get localAddress(): string {
    return this.#origin.localAddress;
  }

  local(exchangeAt: number): Endpoint {
    return this.#origin.local(exchangeAt);
  }
}

/** The query with another question; all else stays, as in CoreDNS, whose forward takes a TSIG away in the end. */
function questionMessage({ message }: Query, name: string, type: number): Message {
  return {
    ...message,
    questions: [{ name: name.toLowerCase(), type, class: 1, wire: composeName(name) }],
    additional: message.additional.filter((record) => record.type !== TYPE_TSIG),
  };
}

function toOutcome(reply: RawReply): Outcome {
  if (reply.kind === 'drop') return { kind: 'drop' };
  if (reply.kind === 'failure') return errorAnswer(reply.rcode, '', reply.text);
  return withOpt(toAnswer(reply.octets), reply.octets);
}

/** The OPT of a relayed reply goes to the client where no cache stands above. */
function withOpt(answer: Answer, octets: Uint8Array): Answer {
  return answer.error === undefined ? { ...answer, edns: parseMessage(octets).edns } : answer;
}

/** A reply message as an Answer; no message at all is SERVFAIL. */
export function toAnswer(octets: Uint8Array, from = ''): Answer {
  if (octets.length === 0) return failed('no reply');
  try {
    const message = parseMessage(octets);
    const { answer, authority, additional } = message;
    return {
      kind: 'answer',
      rcode: rcodeOf(message),
      flags: message.flags & ANSWER_FLAGS,
      answer,
      authority,
      additional,
      question: message.questions[0],
      from,
    };
  } catch (error) {
    return failed((error as Error).message);
  }
}

function failed(text: string): Answer {
  return errorAnswer(RCODE_SERVFAIL, '', text);
}

/** FNV-1a over everything behind the id: only queries of this file share it. */
function hashOf(octets: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 2; i < octets.length; i++) hash = Math.imul(hash ^ octets[i]!, 0x01000193);
  return hash >>> 0;
}
