// The configuration a shard serves with, the one it is about to serve with, and the old ones whose last queries are
// still open.
//
//   load ─► prepared ─ switch ─► current ─ next switch ─► retired ─ last exchange ends ─► released
//               └ discard ─► gone

import type { Configuration, ListenerPlan } from '../engine/messages.ts';
import { type Log, setDebug } from '../log.ts';
import { type Link, PluginError } from '../plugin/chain.ts';
import type { Directive, Plugin, ServerBlock, ShardServices } from '../plugin/contract.ts';
import type { BlockChain, Generation } from './generation.ts';
import { type ListenerParts, openListener, type ShardListener } from './listener.ts';

/** How long the last queries of an old configuration may take; CoreDNS gives its old servers as long. */
export const RETIRE_MS = 5000;

export interface ConfigurationParts {
  readonly directives: ReadonlyMap<string, Directive>;
  readonly listener: ListenerParts;
  readonly log: Log;
  services(generation: number, block: ServerBlock, plugin: string, link: number): ShardServices;
  /** Ends the exchanges that are still open under a generation. */
  endExchanges(generation: Generation): void;
  /** Nothing refers to the generation any more. */
  onReleased(generation: number): void;
}

interface Prepared {
  readonly configuration: Configuration;
  readonly generation: Generation;
  readonly listeners: readonly ShardListener[];
  /** Those of `listeners` that were opened for it. */
  readonly opened: ReadonlySet<ShardListener>;
}

export class Configurations {
  readonly #parts: ConfigurationParts;
  #current: Prepared | undefined;
  #prepared: Prepared | undefined;
  readonly #retiring = new Set<Promise<void>>();

  constructor(parts: ConfigurationParts) {
    this.#parts = parts;
  }

  get current(): Configuration | undefined {
    return this.#current?.configuration;
  }

  get listeners(): readonly ShardListener[] {
    return this.#current?.listeners ?? [];
  }

  /** Resolves with the ports in use; rejects without a trace left. */
  async load(configuration: Configuration): Promise<number[]> {
    await this.discard();
    const generation = this.#createChains(configuration);
    const listeners: ShardListener[] = [];
    const opened = new Set<ShardListener>();
    try {
      await startPlugins(generation);
      for (const plan of configuration.listeners) {
        const kept = this.listeners.find((each) => isSame(each, plan));
        const listener = kept ?? (await openListener(this.#parts.listener, plan, generation));
        if (kept === undefined) opened.add(listener);
        listeners.push(listener);
      }
    } catch (error) {
      for (const listener of opened) listener.close();
      await this.#stopPlugins(generation);
      throw error;
    }
    this.#prepared = { configuration, generation, listeners, opened };
    return listeners.map((listener) => listener.listening.port);
  }

  /** Serves with what was loaded last. */
  switch(): void {
    const prepared = this.#prepared;
    if (prepared === undefined) throw new Error('there is no loaded configuration to switch to');
    const old = this.#current;
    setDebug(prepared.configuration.isDebug);
    this.#prepared = undefined;
    this.#current = prepared;
    for (const [i, listener] of prepared.listeners.entries()) {
      const plan = prepared.configuration.listeners[i]!;
      listener.listening.program = plan.program;
      listener.listening.server = plan.server;
      listener.listening.isDebugging = plan.isDebugging;
      listener.listening.showsStack = plan.showsStack;
      listener.listening.generation = prepared.generation;
      if (prepared.opened.has(listener)) listener.start();
    }
    if (old !== undefined) {
      const removed = old.listeners.filter((listener) => !prepared.listeners.includes(listener));
      this.#keepRetiring(this.#retire(old.generation, removed, RETIRE_MS));
    }
  }

  /** Forgets what was loaded and not switched to. */
  async discard(): Promise<void> {
    const prepared = this.#prepared;
    if (prepared === undefined) return;
    this.#prepared = undefined;
    for (const listener of prepared.opened) listener.stopReading();
    // TCP was served under it from its opening on
    await this.#retire(prepared.generation, [...prepared.opened], RETIRE_MS);
  }

  /** Takes no more queries, finishes open ones within the time, stops everything. */
  async stop(graceMs: number): Promise<void> {
    await this.discard();
    const current = this.#current;
    this.#current = undefined;
    if (current !== undefined) this.#keepRetiring(this.#retire(current.generation, current.listeners, graceMs));
    await Promise.all(this.#retiring);
  }

  #keepRetiring(retiring: Promise<void>): void {
    this.#retiring.add(retiring);
    void retiring.finally(() => this.#retiring.delete(retiring));
  }

  async #retire(generation: Generation, listeners: readonly ShardListener[], graceMs: number): Promise<void> {
    for (const listener of listeners) listener.stopReading();
    await idle(generation, graceMs);
    // Plugins first: what they still hold must not be ended twice
    await this.#stopPlugins(generation);
    this.#parts.endExchanges(generation);
    for (const listener of listeners) listener.close();
    this.#parts.onReleased(generation.number);
  }

  #createChains(configuration: Configuration): Generation {
    const blocks = new Map<number, BlockChain>();
    for (const { block, plugins } of configuration.blocks) {
      const links = plugins.map(({ name, config, shared }, index): Link => {
        const directive = this.#parts.directives.get(name);
        if (directive === undefined) throw new Error(`no directive is called "${name}"`);
        const services = this.#parts.services(configuration.generation, block, name, index);
        const plugin = directive.create?.(config, block, services, shared);
        return { name, plugin, seesQueries: directive.create !== undefined || directive.compile !== undefined };
      });
      const logger = links.find((link) => link.plugin?.onLog !== undefined)?.plugin;
      blocks.set(block.index, { block, links, logger });
    }
    const { log } = this.#parts;
    return {
      number: configuration.generation,
      blocks,
      openCount: 0,
      onIdle: undefined,
      onPanic: (plugin, error) =>
        log.error(`Recovered from panic in server: ${new PluginError(plugin, error).message}`),
    };
  }

  async #stopPlugins(generation: Generation): Promise<void> {
    for (const plugin of pluginsOf(generation)) {
      try {
        await plugin.stop?.();
      } catch (error) {
        this.#parts.log.withPrefix(`plugin/${plugin.name}`).error(`stop: ${(error as Error).message}`);
      }
    }
  }
}

/** Resolves when no exchange is open under the generation, or when the time is over. */
function idle(generation: Generation, graceMs: number): Promise<void> {
  if (generation.openCount === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, graceMs);
    generation.onIdle = () => {
      generation.onIdle = undefined;
      clearTimeout(timer);
      // Not within the reply that was the last one
      setImmediate(resolve);
    };
  });
}

async function startPlugins(generation: Generation): Promise<void> {
  for (const plugin of pluginsOf(generation)) await plugin.start?.();
}

function pluginsOf(generation: Generation): Plugin[] {
  return [...generation.blocks.values()].flatMap(({ links }) => links.flatMap(({ plugin }) => plugin ?? []));
}

function isSame(listener: ShardListener, plan: ListenerPlan): boolean {
  return listener.listening.address === plan.address && listener.listening.port === plan.port;
}
