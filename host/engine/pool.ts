// The shards as the main thread sees them: a piscina pool of endless tasks, one a worker. A shard that crashes or stands
// still is replaced while the others go on serving; a configuration reaches all shards or none.

import { Piscina } from 'piscina';
import type { Log } from '../log.ts';
import { loadSockets, type NativeSockets } from '../net/sockets.ts';
import { HangWatch } from './hang-watch.ts';
import { type MemoryPlan, markAbsent } from './memory.ts';
import type { Configuration, Loaded, Notice, ShardSettings } from './messages.ts';
import { pause, ShardHandle } from './shard-handle.ts';

export interface PoolOptions {
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly plan: MemoryPlan;
  readonly log: Log;
  /** SHARD_SETTINGS, or what a configuration and tests make of them. */
  readonly settings: ShardSettings;
  /** The worker's module; workerEntry() by default. */
  readonly entry?: URL;
  /** A shard was replaced (wasmdns_shard_restarts_total). */
  onRestart(shard: number, reason: RestartReason): void;
  /** A message of a plugin's shard half to its main-thread half. */
  onNotice(notice: Notice): void;
  /** No shard refers to this generation any more: its program and shared data may go. */
  onReleased(generation: number): void;
  /** A plugin threw where CoreDNS would not recover (plugin debug): the process is to end. */
  onPanic(text: string): void;
  /** The shards cannot be kept alive: the process should end, so that whoever runs it sees it. */
  onFatal(text: string): void;
  readonly limits?: Partial<PoolLimits>;
}

export type RestartReason = 'crash' | 'hang';

export interface PoolLimits {
  /** A heartbeat that stands still this long is a hang. */
  readonly hangMs: number;
  /** From the start of a worker to its first heartbeat, and for each request. */
  readonly requestMs: number;
  /** Pause before a replacement, doubled with each further death. */
  readonly pauseMs: number;
  readonly pauseMaxMs: number;
  /** A shard that lived this long was healthy: its deaths are counted anew. */
  readonly healthyMs: number;
  /** Deaths in a row of one shard that are too many. */
  readonly deathsMax: number;
}

export const POOL_LIMITS: PoolLimits = {
  hangMs: 2000,
  requestMs: 30_000,
  pauseMs: 50,
  pauseMaxMs: 1000,
  healthyMs: 60_000,
  deathsMax: 20,
};

/** The shard's module: beside the sources, or beside the bundle. */
export function workerEntry(): URL {
  const path = import.meta.url.endsWith('.ts') ? '../shard/worker.ts' : './shard.js';
  return new URL(path, import.meta.url);
}

/** Beyond the grace that the shards themselves give, before they are terminated. */
const STOP_EXTRA_MS = 2000;

export class ShardPool {
  readonly #options: PoolOptions;
  readonly #limits: PoolLimits;
  readonly #piscina: Piscina;
  readonly #sockets: NativeSockets | undefined;
  readonly #handles: readonly ShardHandle[];
  readonly #watch: HangWatch;
  /** Shards that may still refer to a generation. */
  readonly #holders = new Map<number, Set<number>>();
  /** Ports the kernel chose, by address. */
  readonly #chosenPorts = new Map<string, number>();
  #lives: Promise<unknown> = Promise.resolve();
  #current: Configuration | undefined;
  #loading = 0;
  #isStopping: boolean;
  /** Loads, and the replacement of shards, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Starts the workers; they serve nothing before load(). */
  constructor(options: PoolOptions) {
    const { plan, memory, module, settings, log } = options;
    this.#options = options;
    this.#isStopping = false;
    this.#limits = { ...POOL_LIMITS, ...options.limits };
    const sockets = loadSockets();
    this.#sockets = 'unavailable' in sockets ? undefined : sockets;
    this.#piscina = new Piscina({
      minThreads: plan.shardCount,
      maxThreads: plan.shardCount,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      // An idle worker must not be parked in Atomics.wait: its sockets would stand still
      atomics: 'disabled',
      recordTiming: false,
      trackUnmanagedFds: false,
      filename: (options.entry ?? workerEntry()).href,
    });
    this.#piscina.on('error', (error: Error) => log.error(`shard: ${error.message}`));
    this.#handles = Array.from(
      { length: plan.shardCount },
      (_, shard) =>
        new ShardHandle(shard, { plan, memory, module, settings }, (message) => {
          if (message.kind === 'notice') options.onNotice(message);
          else if (message.kind === 'panicked') options.onPanic(message.text);
          else this.#release(message.generation, shard);
        }),
    );
    this.#watch = new HangWatch(memory, plan, this.#handles, this.#limits);
    this.#lives = Promise.all(this.#handles.map((handle) => this.#live(handle)));
  }

  /** Why batched system calls are not in use; undefined = they are, or no load has answered yet. For one log line. */
  fallback: string | undefined;

  /**
   * Makes all shards serve with the configuration; rejects, leaving the old one, when one of them cannot.
   * @returns ports in use, in the order of the listeners.
   */
  load(configuration: Configuration): Promise<readonly number[]> {
    return this.#exclusively(() => this.#load(configuration));
  }

  /** Tells the shards that the process is about to end; they go on answering. */
  drain(): Promise<void> {
    return this.#tell('drain');
  }

  /** From now on connections end behind their next reply. */
  letGo(): Promise<void> {
    return this.#tell('let go');
  }

  /** Ends all shards: no more queries, `graceMs` for open ones. Resolves when all threads have ended. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#watch.close();
    const withinMs = graceMs + STOP_EXTRA_MS;
    await Promise.allSettled(
      this.#running().map(async (handle) => {
        try {
          await handle.request({ kind: 'stop', graceMs }, withinMs);
        } catch {
          handle.terminate('it did not stop');
        }
      }),
    );
    await Promise.race([this.#lives, pause(STOP_EXTRA_MS)]);
    await this.#piscina.destroy();
    await this.#lives;
  }

  async #tell(kind: 'drain' | 'let go'): Promise<void> {
    await Promise.allSettled(this.#running().map((handle) => handle.request({ kind }, this.#limits.requestMs)));
  }

  /** Runs one shard again and again. */
  async #live(handle: ShardHandle): Promise<void> {
    const { pauseMs, pauseMaxMs, healthyMs, deathsMax } = this.#limits;
    let deaths = 0;
    while (!this.#isStopping) {
      const startedMs = performance.now();
      const life = handle.run(this.#piscina, this.#sockets);
      // The first configuration of all comes through load()
      if (this.#current !== undefined || deaths > 0) void this.#bringUp(handle);
      const failure = await life;
      this.#bury(handle);
      if (this.#isStopping) return;
      deaths = performance.now() - startedMs > healthyMs ? 1 : deaths + 1;
      this.#report(handle, failure);
      if (deaths >= deathsMax) {
        this.#options.onFatal(`shard ${handle.shard} has ended ${deaths} times in a row`);
        return;
      }
      await pause(Math.min(pauseMaxMs, pauseMs * 2 ** (deaths - 1)));
    }
  }

  #report(handle: ShardHandle, failure: Error | undefined): void {
    const reason: RestartReason = handle.terminatedFor === undefined ? 'crash' : 'hang';
    const text = handle.terminatedFor ?? failure?.message ?? 'its task ended';
    this.#options.log.error(`shard ${handle.shard} is started anew: ${text}`);
    this.#options.onRestart(handle.shard, reason);
  }

  /** Gives a replacement the configuration that the others have. */
  #bringUp(handle: ShardHandle): Promise<void> {
    return this.#exclusively(async () => {
      const current = this.#current;
      if (current === undefined || !handle.isRunning) return;
      try {
        this.#hold(current.generation, handle.shard);
        await handle.request({ ...current, kind: 'load' }, this.#limits.requestMs);
        await handle.request({ kind: 'switch' }, this.#limits.requestMs);
        handle.generation = current.generation;
      } catch (error) {
        if (handle.isRunning) handle.terminate((error as Error).message);
      }
    });
  }

  async #load(configuration: Configuration): Promise<readonly number[]> {
    const isFirst = this.#current === undefined;
    // One that is down, or not up yet, gets the configuration when it comes up
    const handles = isFirst
      ? this.#handles
      : this.#handles.filter((handle) => handle.generation !== 0 && handle.isRunning);
    if (handles.length === 0) throw new Error('no shard is running');
    const { generation } = configuration;
    this.#loading = generation;
    for (const { shard } of handles) this.#hold(generation, shard);
    let resolved = this.#withChosenPorts(configuration);
    try {
      // The first one chooses the ports for all
      const ports = await this.#loadOne(handles[0]!, resolved);
      resolved = withPorts(resolved, ports);
      await allOrFirstError(handles.slice(1).map((handle) => this.#loadOne(handle, resolved)));
    } catch (error) {
      this.#loading = 0;
      await Promise.allSettled(handles.map((handle) => this.#discard(handle, generation)));
      throw error;
    }
    const old = this.#current;
    this.#current = resolved;
    this.#loading = 0;
    this.#keepChosenPorts(configuration, resolved);
    await Promise.all(handles.map((handle) => this.#switch(handle, generation)));
    if (old !== undefined) this.#tellReleased(old.generation);
    return resolved.listeners.map(({ port }) => port);
  }

  async #loadOne(handle: ShardHandle, configuration: Configuration): Promise<readonly number[]> {
    const answer = (await handle.request({ ...configuration, kind: 'load' }, this.#limits.requestMs)) as Loaded;
    this.fallback = answer.fallback;
    return answer.ports;
  }

  async #discard(handle: ShardHandle, generation: number): Promise<void> {
    try {
      if (handle.isRunning) await handle.request({ kind: 'discard' }, this.#limits.requestMs);
    } finally {
      this.#release(generation, handle.shard);
    }
  }

  async #switch(handle: ShardHandle, generation: number): Promise<void> {
    try {
      await handle.request({ kind: 'switch' }, this.#limits.requestMs);
      handle.generation = generation;
    } catch (error) {
      // Its replacement gets the new configuration
      if (handle.isRunning) handle.terminate((error as Error).message);
    }
  }

  #withChosenPorts(configuration: Configuration): Configuration {
    const ports = configuration.listeners.map(({ address, port }) => port || (this.#chosenPorts.get(address) ?? 0));
    return withPorts(configuration, ports);
  }

  #keepChosenPorts(asked: Configuration, resolved: Configuration): void {
    for (const [i, { address, port }] of asked.listeners.entries()) {
      if (port === 0) this.#chosenPorts.set(address, resolved.listeners[i]!.port);
    }
  }

  #hold(generation: number, shard: number): void {
    const holders = this.#holders.get(generation) ?? new Set();
    this.#holders.set(generation, holders.add(shard));
  }

  #release(generation: number, shard: number): void {
    this.#holders.get(generation)?.delete(shard);
    this.#tellReleased(generation);
  }

  #tellReleased(generation: number): void {
    if (generation === this.#current?.generation || generation === this.#loading) return;
    if (this.#holders.get(generation)?.size !== 0) return;
    this.#holders.delete(generation);
    this.#options.onReleased(generation);
  }

  /** A dead shard refers to nothing and must not hold the writer up. */
  #bury(handle: ShardHandle): void {
    handle.generation = 0;
    markAbsent(this.#options.memory, handle.shard);
    for (const generation of [...this.#holders.keys()]) this.#release(generation, handle.shard);
  }

  #running(): ShardHandle[] {
    return this.#handles.filter((handle) => handle.isRunning);
  }

  #exclusively<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

function withPorts(configuration: Configuration, ports: readonly number[]): Configuration {
  const listeners = configuration.listeners.map((plan, i) => ({ ...plan, port: ports[i]! }));
  return { ...configuration, listeners };
}

/** Waits for all of them, so that none is still at work when the first error is thrown. */
async function allOrFirstError(promises: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(promises)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
