// Plugin forward: sends queries on to other name servers. See README.md.
//
//   forward.ts    the directive and its two faces
//   parse.ts      Corefile -> stanzas          targets.ts   TO words -> upstreams       match.ts   name -> stanza
//   relay.ts      flights and attempts         waiters.ts   who waits for a flight      flights.ts the arrays
//   udp-pool.ts   tcp-pool.ts   sockets        reply.ts     checks on replies           policy.ts  order of upstreams
//   health.ts     probe.ts      prober.ts  up or down       dialling.ts  how long a dial may take
//   limit.ts      max_concurrent                metrics.ts  rcodes.ts    counters
//   control.ts    the main thread's half        host-lookup.ts           host names among the upstreams

import { RCODE_SERVFAIL } from '../../../engine-as/shared/codes.ts';
import { turnMs } from '../../clock.ts';
import { isInZone } from '../../dns/name.ts';
import type {
  BlockProgram,
  Directive,
  ExchangeHandle,
  Next,
  Outcome,
  Plugin,
  Query,
  ShardServices,
} from '../../plugin/contract.ts';
import { ForwardControl, type SharedState } from './control.ts';
import { type Schedule, systemSchedule } from './health.ts';
import { RandomIds } from './ids.ts';
import { askRelay } from './inquiry.ts';
import { ConcurrencyLimit } from './limit.ts';
import { MessageMatcher, matchName } from './match.ts';
import { type ForwardConfig, type ForwardOptions, parseForward, type Stanza } from './parse.ts';
import { UpstreamState } from './prober.ts';
import { StanzaRelay } from './relay.ts';

/** Granularity of all timeouts while queries are under way. */
const TICK_MS = 20;
/** While sockets are open but nothing is asked: they expire. */
const IDLE_TICK_MS = 1000;
/** At stop: an attempt that began at the end of the budget may take its read timeout. */
const DRAIN_MS = 7000;

/** `forward` as the Corefile knows it. */
export const forward = createForward({ mayLackUpstreams: false });

/** @param options.mayLackUpstreams for a server without a resolv.conf worth the name: then all queries are SERVFAIL. */
export function createForward(options: ForwardOptions): Directive<ForwardConfig, ForwardControl> {
  return {
    name: 'forward',
    parse: (reader) => parseForward(reader, options),
    control: (config, block, services) => new ForwardControl(config, block, services),
    compile,
    create: (config, _block, services, shared) => new Forward(config, services, shared as SharedState),
  };
}

function compile({ stanzas }: ForwardConfig, program: BlockProgram): void {
  program.anyClass();
  if (stanzas.some(exceptsItself) || mayLeaveForward(stanzas, program.block.plugins)) program.slow();
  else for (const { from, except } of stanzas) program.relay({ zone: from, except });
}

/** FROM is forwarded even if it is excepted, names below are not: too odd for the fast face. */
function exceptsItself({ from, except }: Stanza): boolean {
  return except.some((zone) => isInZone(from, zone));
}

/** A query that `next` hands over may find no further stanza, and so come to the plugin behind forward. */
function mayLeaveForward(stanzas: readonly Stanza[], plugins: readonly string[]): boolean {
  if (plugins.at(-1) === 'forward') return false;
  return stanzas.some(
    (stanza, i) =>
      (stanza.next.length > 0 || stanza.nextOnNodata) &&
      i + 1 < stanzas.length &&
      !stanzas.slice(i + 1).some((later) => isInZone(stanza.from, later.from) && later.except.length === 0),
  );
}

/** Parts that tests replace. */
export interface ForwardParts {
  readonly now: () => number;
  readonly schedule: Schedule;
}

const SYSTEM_PARTS: ForwardParts = { now: turnMs, schedule: systemSchedule };

export class Forward implements Plugin {
  readonly name = 'forward';
  readonly #stanzas: readonly Stanza[];
  readonly #relays: readonly StanzaRelay[];
  readonly #matcher: MessageMatcher;
  readonly #services: ShardServices;
  readonly #parts: ForwardParts;
  readonly #ids = new RandomIds();
  #cancelTick: (() => void) | undefined;
  #isIdle: boolean = true;
  #isStopped: boolean = false;
  #onDrained: (() => void) | undefined;

  constructor({ stanzas }: ForwardConfig, services: ShardServices, shared: SharedState, parts = SYSTEM_PARTS) {
    this.#stanzas = stanzas;
    this.#services = services;
    this.#parts = parts;
    this.#matcher = new MessageMatcher(stanzas);
    const { words, shard } = services;
    this.#relays = stanzas.map((stanza, i) => {
      const { limitWords: indices, stateWords, slots, upstreams: targets } = shared.stanzas[i]!;
      return new StanzaRelay({
        stanza,
        targets,
        states: stateWords.map((word) => new UpstreamState(words, word, shard)),
        slots,
        exchanges: services.exchanges,
        upstreams: services.upstreams,
        counters: services.slots,
        limit: new ConcurrencyLimit({ words, indices, shard, max: stanza.maxConcurrent }),
        ids: this.#ids,
        now: parts.now,
        schedule: parts.schedule,
        handOver: i + 1 < stanzas.length ? (handle) => this.#relayFrom(handle, i + 1) : undefined,
        onBusy: () => this.#wake(),
        onRareReply: (reply) => services.notifyControl(reply),
      });
    });
  }

  relay(handle: ExchangeHandle): void {
    this.#relayFrom(handle, 0);
  }

  async answer(query: Query, next: Next): Promise<Outcome> {
    const { exchanges } = this.#services;
    // Bounds: each round takes a later stanza.
    for (let i = matchName(this.#stanzas, query.name); i >= 0; i = matchName(this.#stanzas, query.name, i + 1)) {
      const wantsAd = query.handle !== 0 && exchanges.wantsAd(query.handle);
      const outcome = await askRelay(this.#relays[i]!, query, wantsAd, exchanges);
      if (outcome !== undefined) return outcome;
    }
    return next(query);
  }

  /** Waits for the queries under way, then closes all sockets. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    if (this.#flightCount() > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#parts.schedule(DRAIN_MS, resolve);
        this.#onDrained = () => {
          cancel();
          resolve();
        };
      });
    }
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    for (const relay of this.#relays) relay.stop();
  }

  #relayFrom(handle: ExchangeHandle, first: number): void {
    const { exchanges } = this.#services;
    const stanza = this.#matcher.match(exchanges.octets, exchanges.offset(handle), first);
    if (stanza >= 0) this.#relays[stanza]!.take(handle);
    // compile() has made sure that no plugin stands behind this one where this can happen
    else exchanges.fail(handle, RCODE_SERVFAIL, 'plugin/forward: no next plugin found');
  }

  #flightCount(): number {
    return this.#relays.reduce((sum, relay) => sum + relay.flights.count, 0);
  }

  /** A flight has taken off: tick fast from now on. */
  #wake(): void {
    if (!this.#isIdle) return;
    this.#isIdle = false;
    this.#cancelTick?.();
    this.#cancelTick = this.#parts.schedule(TICK_MS, () => this.#tick());
  }

  #tick(): void {
    this.#cancelTick = undefined;
    const nowMs = this.#parts.now();
    for (const relay of this.#relays) relay.tick(nowMs);
    const flights = this.#flightCount();
    if (flights === 0) this.#onDrained?.();
    this.#isIdle = flights === 0;
    const isBusy = this.#relays.some((relay) => relay.activity > 0);
    if (isBusy) this.#cancelTick = this.#parts.schedule(this.#isIdle ? IDLE_TICK_MS : TICK_MS, () => this.#tick());
  }
}
