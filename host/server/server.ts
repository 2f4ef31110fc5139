// The server: the running instance, its successor during a reload, and the way to the end.

import { loadCorefile, readCorefileHash } from '../corefile/loader.ts';
import type { CorefileSource } from '../corefile/source.ts';
import { echoOption } from '../engine/echoes.ts';
import { areasOf } from '../engine/memory.ts';
import { createRecordStore } from '../engine/records.ts';
import { UserError } from '../errors.ts';
import { type Log, setDebug } from '../log.ts';
import type { ControlServices, ReloadService } from '../plugin/contract.ts';
import { directives } from '../plugins/order.ts';
import { DataPlane } from './data-plane.ts';
import { Drain, queryReader } from './drain.ts';
import { Instance } from './instance.ts';
import { createCache, SharedThings, SharedWords } from './shared-things.ts';
import { startLines } from './zones.ts';

export interface ServerOptions {
  readonly source: CorefileSource;
  readonly defaultPort: number;
  readonly shardCount: number;
  /** Address that all listeners bind to; '' = all. */
  readonly address: string;
  readonly version: string;
  readonly log: Log;
  /** No banner, no zone lines. */
  readonly isQuiet: boolean;
  /** Tests: every query takes the slow face. */
  readonly isForcedSlow: boolean;
  /** Milliseconds from the signal on, see drain.ts. */
  readonly drainMsMax: number;
  /** The process should end with exit code 1. */
  onFatal(text: string): void;
  /** A plugin threw where nobody recovers (plugin debug): the process should end with exit code 2. */
  onPanic(text: string): void;
}

/** What open queries get at the end before the sockets close. */
const STOP_GRACE_MS = 5000;

export class Server {
  readonly plane: DataPlane;
  readonly #options: ServerOptions;
  readonly #things = new SharedThings();
  readonly #words: SharedWords;
  readonly #drain: Drain;
  /** Instances by generation that some shard may still refer to. */
  readonly #instances = new Map<number, Instance>();
  #running: Instance | undefined;
  /** The shards were done with it before we knew that its successor runs. */
  #overtaken: number | undefined;
  #generation = 0;
  #isEnding: boolean = false;
  /** Start and reloads, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** A configuration on its way to the shards: from here on it cannot be called off. */
  #handover: Promise<unknown> = Promise.resolve();

  constructor(options: ServerOptions) {
    this.#options = options;
    this.plane = new DataPlane(options.shardCount, options.version, options.log, {
      onNotice: ({ generation, block, plugin, message, shard }) =>
        this.#instances.get(generation)?.notify(block, plugin, message, shard),
      onReleased: (generation) => this.#retire(generation),
      onFatal: (text) => options.onFatal(text),
      onPanic: (text) => options.onPanic(text),
    });
    this.#words = new SharedWords(this.plane.memory);
    const { drainMsMax, log } = options;
    this.#drain = new Drain({
      limitMs: drainMsMax,
      log,
      read: queryReader(this.plane.memory, areasOf(this.plane.plan)),
      letGo: () => void this.plane.pool.letGo(),
    });
  }

  /** Loads the Corefile and serves. False = it was told to end meanwhile. Throws UserError with one clear line. */
  start(): Promise<boolean> {
    return this.#exclusively(async () => {
      try {
        const ports = await this.#apply();
        this.#tellStart(ports);
        return true;
      } catch (error) {
        if (this.#isEnding) return false;
        throw error;
      }
    });
  }

  /** False: every block was left without an address. */
  get isListening(): boolean {
    return (this.#running?.listeners.length ?? 0) > 0;
  }

  /** SIGUSR1 and plugin reload. Never throws: a refused configuration leaves the old one running. */
  restart(onServing = (): void => {}): Promise<{ readonly applied: boolean; readonly error?: string }> {
    return this.#exclusively(() => this.#restart(onServing));
  }

  /** Lameduck and what else plugins do while queries are still answered. Resolves with what went wrong. */
  async beforeExit(signal: AbortSignal): Promise<readonly unknown[]> {
    this.#isEnding = true;
    this.#drain.begin();
    await this.#handover;
    void this.plane.pool.drain();
    return (await this.#running?.beforeExit(signal)) ?? [];
  }

  /** Ends the shards and the plugins. */
  async stop(): Promise<void> {
    this.#isEnding = true;
    this.#drain.end();
    await this.plane.stop(STOP_GRACE_MS);
    await Promise.allSettled([...this.#instances.values()].map((instance) => instance.stop()));
  }

  #tellStart(ports: ReadonlyMap<string, number>): void {
    const { log, isQuiet } = this.#options;
    const instance = this.#running!;
    if (!isQuiet) for (const line of startLines(instance.listeners, ports)) log.plain(line);
    instance.announce(log);
    const { fallback } = this.plane.pool;
    const { warning } = this.plane.streamLimit;
    if (warning !== undefined) log.warning(warning);
    if (fallback !== undefined) log.warning(`UDP goes through node:dgram, one system call a message: ${fallback}`);
  }

  async #restart(onServing: () => void): Promise<{ applied: boolean; error?: string }> {
    const { log } = this.#options;
    if (this.#isEnding) return { applied: false, error: ENDING };
    log.info('Reloading');
    try {
      await this.#apply();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      log.error(`Restart failed: ${text}`);
      return { applied: false, error: text };
    }
    this.#running!.announce(log);
    onServing();
    log.info('Reloading complete');
    return { applied: true };
  }

  /**
   * Makes an instance of the Corefile as it is now the running one; resolves with the ports by server label. Throws,
   * leaving the old one.
   */
  async #apply(): Promise<ReadonlyMap<string, number>> {
    const { log, isForcedSlow } = this.#options;
    const loaded = loadCorefile(this.#options.source, {
      knownDirectives: directives.map(({ name }) => name),
      defaultPort: this.#options.defaultPort,
      environment: process.env,
    });
    for (const warning of loaded.warnings) log.warning(warning);
    const generation = ++this.#generation;
    const instance = new Instance({
      loaded,
      plane: this.plane,
      generation,
      address: this.#options.address,
      log,
      isForcedSlow,
      services: (made) => this.#services(made),
    });
    this.#instances.set(generation, instance);
    try {
      await instance.start();
      if (this.#isEnding) throw new UserError(ENDING);
      const ports = await this.#handOver(instance);
      return new Map(instance.listeners.map(({ server }, i) => [server, ports[i]!]));
    } catch (error) {
      // The shards release a generation that they were told of; otherwise nobody knows it but us.
      this.#retire(generation);
      throw error;
    }
  }

  async #handOver(instance: Instance): Promise<readonly number[]> {
    const configuration = instance.configuration();
    const loading = this.plane.pool.load(configuration);
    this.#handover = loading.catch(() => {});
    try {
      const ports = await loading;
      this.#running = instance;
      setDebug(configuration.isDebug);
      if (this.#overtaken !== undefined) this.#retire(this.#overtaken);
      this.#overtaken = undefined;
      return ports;
    } catch (error) {
      // Errors of the shards arrive as plain errors: one line for the operator all the same.
      throw new UserError((error as Error).message, { cause: error });
    }
  }

  #exclusively<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** No shard refers to this generation any more. */
  #retire(generation: number): void {
    const instance = this.#instances.get(generation);
    if (instance === undefined) return;
    if (instance === this.#running) {
      this.#overtaken = generation;
      return;
    }
    this.#instances.delete(generation);
    void instance.stop();
  }

  #services(instance: Instance): ControlServices {
    const { log } = this.#options;
    const { plane } = this;
    return {
      log,
      metrics: plane.metrics,
      createRecords: () => createRecordStore(plane.writer),
      createCache: (capacity) => createCache(this.plane, capacity),
      shared: (key, make) => this.#things.use(key, make),
      readiness: (blocks) => instance.readiness(blocks),
      reload: this.#reloadService(instance),
      words: this.#words.words,
      shardCount: plane.plan.shardCount,
      claimWord: (key) => this.#words.claim(key),
      echoOption: (code) => echoOption(plane.writer, code),
      drained: (signal) => this.#drain.over(signal),
      fatal: (text) => this.#options.onFatal(text),
    };
  }

  #reloadService(instance: Instance): ReloadService {
    const { source, defaultPort } = this.#options;
    const running = () => (this.#running ?? instance).loaded.hash;
    return {
      get runningHash() {
        return running();
      },
      readHash: () => readCorefileHash(source, { environment: process.env, defaultPort }),
      restart: (onServing) => this.restart(onServing),
    };
  }
}

const ENDING = 'the server is about to end';
