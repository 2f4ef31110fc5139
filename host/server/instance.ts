// One loaded Corefile: its plugins' configurations and main-thread halves, and its program in shared memory. An instance
// is made, started, handed to the shards, and stopped when no shard refers to it any more.

import type { LoadedCorefile, LoadedDirective } from '../corefile/loader.ts';
import type { Configuration, PluginPlan } from '../engine/messages.ts';
import { BlockSteps, type Program, type ProgramListener, writeProgram } from '../engine/program.ts';
import { CorefileError, UserError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Control, ControlServices, Plain, Readiness, ServerBlock } from '../plugin/contract.ts';
import { directives } from '../plugins/order.ts';
import { type Parsed, parseBlocks } from './blocks.ts';
import type { DataPlane } from './data-plane.ts';
import { type Listener, listenersOf, serverBlocks, zonesBelow } from './zones.ts';

export interface InstanceParts {
  readonly loaded: LoadedCorefile;
  readonly plane: DataPlane;
  readonly generation: number;
  /** Address of blocks that name none; '' = all. */
  readonly address: string;
  readonly log: Log;
  /** Tests: every query takes the slow face. */
  readonly isForcedSlow: boolean;
  services(instance: Instance): ControlServices;
}

interface Placed extends Parsed {
  readonly block: ServerBlock;
  readonly control: Control | undefined;
}

const ORDER = directives.map(({ name }) => name);

export class Instance {
  readonly loaded: LoadedCorefile;
  readonly generation: number;
  readonly blocks: readonly ServerBlock[];
  readonly listeners: readonly Listener[];
  readonly #parts: InstanceParts;
  readonly #placed: Placed[] = [];
  readonly #isDebug: boolean;
  #program: Program | undefined;

  /** Parses every directive and makes the control halves; on an error what was made is stopped again. */
  constructor(parts: InstanceParts) {
    this.#parts = parts;
    this.loaded = parts.loaded;
    this.generation = parts.generation;
    const all = parseBlocks(parts);
    const plans = all.map(({ plan }) => plan);
    const settings = plans.map((plan) => plan.settings);
    this.blocks = serverBlocks(plans);
    this.listeners = listenersOf(this.blocks, settings, parts.plane.plan.shardCount);
    this.#isDebug = settings.some(({ isDebugging }) => isDebugging);
    const services = parts.services(this);
    try {
      for (const [i, block] of this.blocks.entries()) {
        for (const each of all[i]!.parsed) {
          const control = locally(each, () => each.directive.control?.(each.config, block, services));
          this.#placed.push({ ...each, block, control });
        }
      }
    } catch (error) {
      void this.stop();
      throw error;
    }
  }

  /**
   * Starts the control halves, plugin by plugin in chain order, those of all blocks together: what is refused at once
   * (health's port) is refused before anybody waits (kubernetes for its API server), and no block waits for another's.
   */
  async start(): Promise<void> {
    for (const name of ORDER) {
      const placed = this.#placed.filter(({ directive }) => directive.name === name);
      await Promise.all(placed.map((each) => locallyAsync(each, async () => each.control?.start?.())));
    }
  }

  /** Writes the program; what the shards are to be told. */
  configuration(): Configuration {
    const { plane, generation, isForcedSlow } = this.#parts;
    const blocks = this.blocks.map((block) => this.#compile(block));
    const { metrics } = plane;
    const listeners = this.listeners.map((listener) => this.#programListener(listener, blocks));
    const program = writeProgram(plane.writer, { blocks, listeners, generation, isForcedSlow });
    this.#program = program;
    return {
      generation,
      isDebug: this.#isDebug,
      listeners: this.listeners.map(({ address, port, server, isDebugging, showsStack }, i) => ({
        ...{ address, port, server, isDebugging, showsStack },
        program: program.listeners[i]!,
      })),
      blocks: this.blocks.map((block) => ({ block, plugins: this.#pluginPlans(block) })),
      slots: {
        panics: metrics.counter('coredns_panics_total', 'A metrics that counts the number of panics.', {}),
        unsent: metrics.counter('wasmdns_udp_unsent_total', 'Counter of UDP replies that the kernel did not take.', {}),
        refused: metrics.counter(
          'wasmdns_exchanges_refused_total',
          'Counter of queries refused because too many were waiting for an answer from elsewhere.',
          {},
        ),
      },
    };
  }

  /** The shards answer. What a plugin does then is no reason to end. */
  announce(log: Log): void {
    for (const { directive, control } of this.#placed) {
      try {
        control?.serving?.();
      } catch (error) {
        log.withPrefix(`plugin/${directive.name}`).error((error as Error).message);
      }
    }
  }

  /** By plugin name; of several blocks with the same plugin the last one counts, as in CoreDNS. */
  readiness(blocks: ReadonlySet<number>): ReadonlyMap<string, Readiness> {
    const ready = new Map<string, Readiness>();
    for (const { block, directive, control } of this.#placed) {
      if (!blocks.has(block.index) || control?.isReady === undefined) continue;
      ready.set(directive.name, control.hasFailed?.() ? 'failed' : control.isReady());
    }
    return ready;
  }

  notify(block: number, plugin: string, message: Plain, shard: number): void {
    const placed = this.#placed.find((each) => each.block.index === block && each.directive.name === plugin);
    placed?.control?.onNotice?.(message, shard);
  }

  /**
   * Final shutdown, in chain order (CoreDNS core, A6): ready closes, health waits its lameduck, prometheus closes.
   * Resolves with what went wrong; one that fails does not keep the others from their turn.
   */
  async beforeExit(signal: AbortSignal): Promise<readonly unknown[]> {
    const failures: unknown[] = [];
    for (const name of ORDER) {
      const placed = this.#placed.filter(({ directive }) => directive.name === name);
      const results = await Promise.allSettled(placed.map(async ({ control }) => control?.beforeExit?.(signal)));
      for (const result of results) if (result.status === 'rejected') failures.push(result.reason);
    }
    return failures;
  }

  /** Ends the control halves and gives the program's memory back. No shard may refer to this instance any more. */
  async stop(): Promise<void> {
    await Promise.allSettled(this.#placed.map(async ({ control }) => control?.stop?.()));
    if (this.#program !== undefined) this.#parts.plane.engine.arenaRetire(this.#program.address);
    this.#program = undefined;
  }

  #compile(block: ServerBlock): BlockSteps {
    const steps = new BlockSteps(block);
    for (const [index, { directive, config, control }] of this.#placedIn(block).entries()) {
      steps.enterPlugin(index);
      const before = steps.steps.length;
      directive.compile?.(config, steps, control);
      if (steps.steps.length > before) continue;
      if (directive.create !== undefined) steps.hasChain = true;
      if (directive.create === undefined || directive.compile !== undefined) steps.pass();
      else steps.slow();
    }
    return steps;
  }

  #placedIn(block: ServerBlock): Placed[] {
    return this.#placed.filter((each) => each.block === block);
  }

  #pluginPlans(block: ServerBlock): PluginPlan[] {
    return this.#placedIn(block).map(({ directive, config, control }) => ({
      name: directive.name,
      config: config as Plain,
      shared: control?.shared,
    }));
  }

  #programListener(listener: Listener, blocks: readonly BlockSteps[]): ProgramListener {
    const { metrics } = this.#parts.plane;
    const { server, port } = listener;
    const isCounted = blocks.some((steps) => steps.isCounting);
    const droppedScope = isCounted ? metrics.scope({ server, zone: 'dropped', view: '' }, '') : undefined;
    const zones = listener.zones.map(({ zone, block, serverOrdinal }) => {
      const steps = blocks[block]!;
      if (!steps.isCounting) return { zone, block, serverOrdinal, scope: undefined };
      const scopeOf = (counted: string) => metrics.scope({ server, zone: counted, view: '' }, steps.countedPlugin);
      const deeper = zonesBelow(zone, steps.block.zones).map((each) => ({ zone: each, scope: scopeOf(each) }));
      return { zone, block, serverOrdinal, scope: scopeOf(zone), deeper };
    });
    return { port, droppedScope, zones };
  }
}

/** What a control half refuses gets the place of its directive: an operator has to find it. */
function locally<T>({ loaded }: Parsed, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw placedError(error, loaded);
  }
}

async function locallyAsync<T>({ loaded }: Parsed, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw placedError(error, loaded);
  }
}

function placedError(error: unknown, { name, file, line }: LoadedDirective): unknown {
  if (error instanceof CorefileError || !(error instanceof UserError)) return error;
  const head = `plugin/${name}: `;
  const text = error.message.startsWith(head) ? error.message.slice(head.length) : error.message;
  return new CorefileError(`${head}${file}:${line} - ${text}`, { file, line, word: name }, { cause: error });
}
