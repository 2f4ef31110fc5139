// A whole server without a Corefile: memory, engine, a program of test directives, a pool of shards. For tests.

import { fileURLToPath } from 'node:url';
import { SLOT_NONE } from '../../engine-as/shared/layout.ts';
import { compileEngine, type Engine, instantiateEngine } from '../../host/engine/load.ts';
import { areaAt, createMemory, type MemoryPlan, planMemory } from '../../host/engine/memory.ts';
import { type Configuration, type Notice, SHARD_SETTINGS, type ShardSettings } from '../../host/engine/messages.ts';
import { type PoolOptions, ShardPool } from '../../host/engine/pool.ts';
import { BlockSteps, writeProgram } from '../../host/engine/program.ts';
import { createLog } from '../../host/log.ts';
import { nativeBaseOf } from '../../host/net/sockets.ts';
import type { Plain, ServerBlock } from '../../host/plugin/contract.ts';

const ENGINE = fileURLToPath(new URL('../../dist/engine.wasm', import.meta.url));
const ENTRY = new URL('./entry.ts', import.meta.url);

export interface ServerOptions {
  readonly shards?: number;
  readonly tcp?: Partial<ShardSettings['tcp']>;
  readonly useNative?: boolean;
  readonly exchangesPerShard?: number;
  readonly limits?: PoolOptions['limits'];
}

export interface LoadOptions {
  readonly addresses?: readonly { readonly address: string; readonly port: number }[];
  readonly config?: { readonly [key: string]: Plain };
  /** The step of directive `ask`; whoami stays in the fast face. */
  readonly step?: 'slow' | 'relay' | 'whoami';
  readonly isLogging?: boolean;
  /** Directive `above` keeps labels, as plugin metadata does. */
  readonly keepsLabels?: boolean;
  readonly isDebugging?: boolean;
  readonly showsStack?: boolean;
}

export class TestServer {
  readonly lines: string[] = [];
  readonly notices: Notice[] = [];
  readonly restarts: string[] = [];
  readonly released: number[] = [];
  readonly fatals: string[] = [];
  readonly panics: string[] = [];
  readonly plan: MemoryPlan;
  readonly memory: WebAssembly.Memory;
  readonly pool: ShardPool;
  ports: readonly number[] = [];
  readonly #engine: Engine;
  #generation = 0;

  constructor(options: ServerOptions = {}) {
    const plan = planMemory(options.shards ?? 1);
    this.plan = { ...plan, exchangesPerShard: options.exchangesPerShard ?? plan.exchangesPerShard };
    this.memory = createMemory(this.plan, nativeBaseOf);
    const module = compileEngine(ENGINE);
    this.#engine = instantiateEngine(module, this.memory);
    this.pool = new ShardPool({
      memory: this.memory,
      module,
      plan: this.plan,
      log: createLog((line) => this.lines.push(line.trimEnd())),
      settings: {
        ...SHARD_SETTINGS,
        useNative: options.useNative ?? true,
        tcp: { ...SHARD_SETTINGS.tcp, ...options.tcp },
      },
      entry: ENTRY,
      onRestart: (shard, reason) => this.restarts.push(`${shard} ${reason}`),
      onNotice: (notice) => this.notices.push(notice),
      onReleased: (generation) => this.released.push(generation),
      onFatal: (text) => this.fatals.push(text),
      onPanic: (text) => this.panics.push(text),
      ...(options.limits && { limits: options.limits }),
    });
  }

  get generation(): number {
    return this.#generation;
  }

  /** Plain messages of the plugins, the newest last. */
  get messages(): readonly Plain[] {
    return this.notices.map(({ message }) => message);
  }

  async load(options: LoadOptions = {}): Promise<readonly number[]> {
    this.ports = await this.pool.load(this.configuration(options));
    return this.ports;
  }

  configuration(options: LoadOptions = {}): Configuration {
    const generation = ++this.#generation;
    const addresses = options.addresses ?? [{ address: '127.0.0.1', port: 0 }];
    const config = { address: '192.0.2.1', ...options.config };
    const words = ['above', 'ask'];
    const block: ServerBlock = {
      index: 0,
      keys: [{ transport: 'dns', zone: '.', address: '', port: 53, server: 'dns://:53' }],
      zones: ['.'],
      plugins: words,

      file: 'Corefile',
      line: 1,
    };
    const steps = new BlockSteps(block);
    steps.enterPlugin(0);
    if (options.isLogging) steps.log([{ scope: '.', classes: ['success', 'denial', 'error'] }]);
    else steps.pass();
    steps.enterPlugin(1);
    if (options.step === 'relay') {
      steps.anyClass();
      steps.relay({ zone: '.', except: [] });
    } else if (options.step === 'whoami') steps.whoami();
    else steps.slow();
    const zones = [{ zone: '.', block: 0, scope: undefined, serverOrdinal: 0 }];
    const program = writeProgram(
      { engine: this.#engine, memory: this.memory, area: areaAt(this.plan, this.plan.shardCount) },
      {
        blocks: [steps],
        listeners: addresses.map(({ port }) => ({ port, zones, droppedScope: undefined })),
        generation,
        isForcedSlow: false,
      },
    );
    return {
      generation,
      isDebug: options.isDebugging ?? false,
      listeners: addresses.map(({ address, port }, i) => ({
        address,
        port,
        program: program.listeners[i]!,
        server: 'dns://:53',
        isDebugging: options.isDebugging ?? false,
        showsStack: options.showsStack ?? false,
      })),
      blocks: [
        {
          block,
          plugins: words.map((name) => ({
            name,
            config: name === 'ask' ? config : { keepsLabels: options.keepsLabels ?? false },
            shared: null,
          })),
        },
      ],
      slots: { panics: 0, unsent: SLOT_NONE, refused: 1 },
    };
  }

  async close(graceMs = 500): Promise<void> {
    await this.pool.stop(graceMs);
  }
}

/** Waits until the condition holds; says what it waited for when it never does. */
export async function until(what: string, holds: () => boolean, withinMs = 15_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}
