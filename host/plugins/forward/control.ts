// The main-thread half of plugin forward: looks up host names, hands out counters and shared words.

import type { Control, ControlServices, Plain, ServerBlock } from '../../plugin/contract.ts';
import { lookUpHost } from './host-lookup.ts';
import { RandomIds } from './ids.ts';
import { createSlots, observeRare, type StanzaSlots } from './metrics.ts';
import type { ForwardConfig, Stanza } from './parse.ts';
import { nameserverTarget, resolvedTarget, type UpstreamTarget, withoutRepetition } from './targets.ts';

/** What the main thread tells the shards of one stanza. */
export type SharedStanza = {
  readonly upstreams: readonly UpstreamTarget[];
  readonly slots: StanzaSlots;
  /** With max_concurrent the words that the shards count in. */
  readonly limitWords: readonly number[];
  /** For each upstream the word of its state; negative: none is left. */
  readonly stateWords: readonly number[];
};

export type SharedState = { readonly stanzas: readonly SharedStanza[] };

/** A shard's message: a reply with an rcode that has no slots yet. */
export type RareReply = { readonly to: string; readonly rcode: number; readonly seconds: number };

export class ForwardControl implements Control {
  /** Given to the shards; complete when start() has resolved. */
  shared: SharedState | undefined;
  readonly #stanzas: readonly Stanza[];
  readonly #block: ServerBlock;
  readonly #services: ControlServices;
  /** Settled when all host names are looked up; undefined without any. */
  readonly #lookUps: Promise<PromiseSettledResult<readonly UpstreamTarget[]>[]> | undefined;

  constructor({ stanzas }: ForwardConfig, block: ServerBlock, services: ControlServices) {
    this.#stanzas = stanzas;
    this.#block = block;
    this.#services = services;
    const log = services.log.withPrefix('plugin/forward');
    for (const { warnings } of stanzas) for (const text of warnings) log.warning(text);
    const known = stanzas.map(({ to }) => to.filter((target): target is UpstreamTarget => 'text' in target));
    if (stanzas.every(({ to }, i) => to.length === known[i]!.length)) this.#share(known);
    // At once, though start() waits for others: a name that is not known refuses the configuration
    else this.#lookUps = Promise.allSettled(stanzas.map((stanza) => lookUpAll(stanza)));
  }

  async start(): Promise<void> {
    const results = await this.#lookUps;
    if (results === undefined) return;
    const upstreams = results.map((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
    this.#share(upstreams);
  }

  onNotice(message: Plain): void {
    const { to, rcode, seconds } = message as RareReply;
    observeRare(this.#services.metrics, to, rcode, seconds);
  }

  #share(upstreams: readonly (readonly UpstreamTarget[])[]): void {
    this.shared = { stanzas: this.#stanzas.map((stanza, i) => this.#shareStanza(stanza, i, upstreams[i]!)) };
  }

  #shareStanza(stanza: Stanza, number: number, targets: readonly UpstreamTarget[]): SharedStanza {
    const { shardCount, metrics, claimWord } = this.#services;
    const { sourceAddress, maxConcurrent } = stanza;
    const key = `forward ${this.#block.index} ${number}`;
    const upstreams = targets.map((each) => (sourceAddress === undefined ? each : { ...each, source: sourceAddress }));
    return {
      upstreams,
      slots: createSlots(metrics, upstreams),
      limitWords:
        maxConcurrent === 0 ? [] : Array.from({ length: shardCount }, (_, shard) => claimWord(`${key} ${shard}`)),
      stateWords: upstreams.map((_, i) => this.#stateWord(`${key} upstream ${i}`)),
    };
  }

  /** A word for an upstream's state, which begins anew; negative: none is left. */
  #stateWord(key: string): number {
    try {
      const word = this.#services.claimWord(key);
      Atomics.store(this.#services.words, word, 0);
      return word;
    } catch (error) {
      if (error instanceof RangeError) return -1;
      throw error;
    }
  }
}

async function lookUpAll({ to, resolvers }: Stanza): Promise<readonly UpstreamTarget[]> {
  const ids = new RandomIds();
  const found: UpstreamTarget[] = [];
  // One after the other, as they stand
  for (const target of to) {
    if ('text' in target) found.push(target);
    else if (target.isNameserver === true) {
      const addresses = await lookUpHost(target.host, [], ids).catch(() => []);
      found.push(nameserverTarget(target, addresses[0]));
    } else
      for (const address of await lookUpHost(target.host, resolvers, ids))
        found.push(resolvedTarget(address, target.portText));
  }
  return withoutRepetition(found);
}
