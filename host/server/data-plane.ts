// What exists once in a process whatever the configuration: the shared memory, the main thread's engine instance, the
// counters, the pool of shards.

import { existsSync } from 'node:fs';
import { compileEngine, type Engine, instantiateEngine } from '../engine/load.ts';
import { areaAt, areasOf, createMemory, type MemoryPlan, planMemory } from '../engine/memory.ts';
import { type Notice, SHARD_SETTINGS } from '../engine/messages.ts';
import { type RestartReason, ShardPool } from '../engine/pool.ts';
import type { Writer } from '../engine/records.ts';
import { UserError } from '../errors.ts';
import type { Log } from '../log.ts';
import { createProcessFamilies } from '../metrics/process-families.ts';
import { showBuild, showSlowReasons } from '../metrics/process-wide.ts';
import { createMetrics, type Metrics } from '../metrics/registry.ts';
import { slotReader, slotWriter, slowReasonReader } from '../metrics/slots.ts';
import { nativeBaseOf } from '../net/sockets.ts';
import { watchFootprint } from './footprint.ts';
import { type StreamLimit, streamLimit } from './stream-limit.ts';

/** How often retired memory is looked at. */
const RECLAIM_MS = 100;
/** More than enough for what is parked within RECLAIM_MS: each call frees one generation of blocks. */
const RECLAIM_CALLS = 2;

export interface DataPlaneEvents {
  onNotice(notice: Notice): void;
  onReleased(generation: number): void;
  onFatal(text: string): void;
  onPanic(text: string): void;
}

export class DataPlane {
  readonly plan: MemoryPlan;
  readonly memory: WebAssembly.Memory;
  readonly engine: Engine;
  readonly writer: Writer;
  readonly metrics: Metrics;
  readonly pool: ShardPool;
  readonly streamLimit: StreamLimit;
  readonly #timer: NodeJS.Timeout;
  readonly #endFootprint: () => void;

  constructor(shardCount: number, version: string, log: Log, events: DataPlaneEvents) {
    const module = compileEngine(enginePath());
    this.plan = planMemory(shardCount);
    this.memory = createMemory(this.plan, nativeBaseOf);
    this.engine = instantiateEngine(module, this.memory);
    const area = areaAt(this.plan, shardCount);
    this.writer = { engine: this.engine, memory: this.memory, area };
    const areas = areasOf(this.plan);
    this.metrics = createMetrics({
      read: slotReader(this.memory, areas),
      slots: slotWriter(this.memory, area),
      process: createProcessFamilies(),
    });
    showBuild(this.metrics, version, '');
    showSlowReasons(this.metrics, slowReasonReader(this.memory, areas));
    const restarts = (reason: RestartReason) =>
      this.metrics.counter('wasmdns_shard_restarts_total', 'Counter of shards that were replaced.', { reason });
    this.streamLimit = streamLimit(shardCount);
    const { connectionsMax } = this.streamLimit;
    this.pool = new ShardPool({
      memory: this.memory,
      module,
      plan: this.plan,
      log,
      settings: {
        ...SHARD_SETTINGS,
        hasTestHooks: process.env['WASMDNS_TEST_HOOKS'] === '1',
        tcp: { ...SHARD_SETTINGS.tcp, connectionsMax },
      },
      entry: shardEntry(),
      onRestart: (_shard, reason) => this.metrics.slots.add(restarts(reason), 1),
      ...events,
    });
    this.#timer = setInterval(() => this.reclaim(), RECLAIM_MS);
    this.#timer.unref();
    this.#endFootprint = watchFootprint();
  }

  /** Frees memory that no shard can read any more. */
  reclaim(): void {
    for (let i = 0; i < RECLAIM_CALLS; i++) if (!this.engine.arenaReclaim()) return;
  }

  async stop(graceMs: number): Promise<void> {
    await this.pool.stop(graceMs);
    clearInterval(this.#timer);
    this.#endFootprint();
  }
}

/** Beside the bundle, or in dist/ when the sources run as they are. */
function enginePath(): URL {
  const places = [new URL('engine.wasm', import.meta.url), new URL('../../dist/engine.wasm', import.meta.url)];
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw new UserError('engine.wasm is missing: run `npm run build`');
  return found;
}

function shardEntry(): URL {
  const bundled = new URL('shard.js', import.meta.url);
  return existsSync(bundled) ? bundled : new URL('../shard/worker.ts', import.meta.url);
}
