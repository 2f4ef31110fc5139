// A shard: one thread that is a whole server, steered by the messages of host/engine/messages.ts.

import { RCODE_SERVFAIL } from '../../engine-as/shared/codes.ts';
import {
  CONTROL_NATIVE_BASE,
  CONTROL_WORD_COUNT,
  CONTROL_WORDS,
  HEARTBEAT_MS,
  SHARD_DRAINING,
  SHARD_HEARTBEAT,
  SHARD_SERVING,
  SHARD_STARTING,
  SHARD_STATE,
  SHARD_STOPPED,
} from '../../engine-as/shared/layout.ts';
import { isEchoed } from '../engine/echoes.ts';
import type { Engine } from '../engine/load.ts';
import type { FromShard, Load, ShardTask, ToShard } from '../engine/messages.ts';
import type { Log } from '../log.ts';
import { closeWatches, type NativeSockets } from '../net/sockets.ts';
import { batchViews } from '../net/transport.ts';
import type { Directive, ServerBlock, ShardServices, Upstreams } from '../plugin/contract.ts';
import type { ShardArea } from './area.ts';
import { Configurations } from './configurations.ts';
import { createDataPlane, type DataPlane } from './data-plane.ts';
import type { Generation } from './generation.ts';
import { StepLookup } from './lookup.ts';
import { ReplyFlusher } from './udp.ts';

/** After the last reply was made: for clients that read slowly. */
const WRITTEN_MS = 500;

/** What the worker's entry brings along; tests bring their own. */
export interface ShardMake {
  readonly directives: ReadonlyMap<string, Directive>;
  instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Engine;
  createUpstreams(parts: UpstreamParts): Upstreams;
  createLog(): Log;
}

export interface UpstreamParts {
  readonly area: ShardArea;
  /** Absent: only node:dgram. */
  readonly sockets: NativeSockets | undefined;
}

/**
 * Runs until Stop, or until the main thread is gone. Anything that goes wrong ends the thread, so that nothing of a
 * broken shard stays behind; the main thread starts another one.
 */
export async function runShard(task: ShardTask, make: ShardMake): Promise<void> {
  process.on('uncaughtExceptionMonitor', closeWatches);
  try {
    await new Shard(task, make).run();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
    await new Promise(() => {});
  }
}

class Shard {
  readonly #task: ShardTask;
  readonly #plane: DataPlane;
  readonly #upstreams: Upstreams;
  readonly #words: Int32Array;
  readonly #configurations: Configurations;
  /** Requests are worked off one after the other. */
  #requests: Promise<void> = Promise.resolve();

  constructor(task: ShardTask, make: ShardMake) {
    this.#task = task;
    const engine = make.instantiate(task.module, task.memory);
    const plane = createDataPlane(task, engine, make.createLog(), (text) => this.#say({ kind: 'panicked', text }));
    this.#plane = plane;
    this.#setState(SHARD_STARTING);
    const { area, sockets, handoff, streams } = plane;
    this.#upstreams = make.createUpstreams({ area, sockets });
    this.#words = area.signed.subarray(CONTROL_WORDS >>> 2, (CONTROL_WORDS >>> 2) + CONTROL_WORD_COUNT);
    const nativeBase = area.octets.readBigUInt64LE(CONTROL_NATIVE_BASE);
    this.#configurations = new Configurations({
      directives: make.directives,
      log: plane.log,
      listener: {
        opening: { sockets, views: batchViews(task.memory.buffer as SharedArrayBuffer, area.at), nativeBase },
        udp: { shard: task.shard, area, engine, handoff, flusher: new ReplyFlusher() },
        streams,
      },
      services: (generation, block, plugin, link) => this.#services(generation, block, plugin, link),
      endExchanges: (generation) => this.#endExchanges(generation),
      onReleased: (generation) => this.#say({ kind: 'released', generation }),
    });
  }

  run(): Promise<void> {
    const { port } = this.#task;
    return new Promise((resolve, reject) => {
      const heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
      const end = (): void => {
        clearInterval(heartbeat);
        this.#plane.streams.close();
        this.#setState(SHARD_STOPPED);
        port.close();
        resolve();
      };
      port.on('message', (message: ToShard) => {
        this.#requests = this.#requests.then(() => this.#obey(message, end)).catch(reject);
      });
      // The main thread has gone: nobody steers this shard any more
      port.on('close', () => {
        this.#requests = this.#requests.then(() => this.#configurations.stop(0)).then(end, reject);
      });
      this.#beat();
      this.#setState(SHARD_SERVING);
    });
  }

  async #obey(message: ToShard, end: () => void): Promise<void> {
    const { id } = message;
    try {
      if (message.kind === 'load') {
        const ports = await this.#load(message);
        this.#say({ kind: 'loaded', id, ports, fallback: this.#plane.fallback });
        return;
      }
      if (message.kind === 'switch') this.#switch();
      else if (message.kind === 'discard') await this.#configurations.discard();
      else if (message.kind === 'drain') this.#setState(SHARD_DRAINING);
      else if (message.kind === 'let go') this.#plane.streams.letGo();
      else {
        await this.#configurations.stop(message.graceMs);
        await this.#plane.streams.written(WRITTEN_MS);
      }
      this.#say({ kind: 'done', id });
      if (message.kind === 'stop') end();
    } catch (error) {
      this.#say({ kind: 'failed', id, message: (error as Error).message });
    }
  }

  async #load(message: Load): Promise<number[]> {
    // The arena may have grown since
    this.#plane.area.refresh();
    return this.#configurations.load(message);
  }

  #switch(): void {
    this.#configurations.switch();
    this.#plane.panicsSlot = this.#configurations.current!.slots.panics;
  }

  #services(generation: number, block: ServerBlock, plugin: string, link: number): ShardServices {
    const { area, engine, exchanges, inner, log, refresher, slots } = this.#plane;
    const { memory, shard, plan } = this.#task;
    return {
      shard,
      shardCount: plan.shardCount,
      log,
      slots,
      exchanges,
      upstreams: this.#upstreams,
      lookup: new StepLookup({ area, engine, exchanges, refresher, slots }, plugin, link),
      resolve: (origin, name, type) => inner.resolve(origin, name, type),
      notifyControl: (message) => this.#say({ kind: 'notice', shard, generation, block: block.index, plugin, message }),
      isEchoed: (code) => isEchoed(memory, code),
      words: this.#words,
    };
  }

  /** An old generation has had its time: what is left of it fails. */
  #endExchanges(generation: Generation): void {
    const { exchanges, slowPath } = this.#plane;
    for (const handle of exchanges.handlesOf(generation)) {
      slowPath.abandon(handle);
      // A look-up of its own may have ended with the one it was made for
      if (exchanges.isOpen(handle)) exchanges.fail(handle, RCODE_SERVFAIL, '');
    }
  }

  #beat(): void {
    const { area, engine, exchanges, slowPath, streams } = this.#plane;
    const nowMs = performance.now();
    area.stamp(nowMs);
    engine.quiesce(this.#task.shard);
    streams.sweep(nowMs);
    slowPath.sweep(nowMs);
    exchanges.sweep(nowMs);
    this.#count();
    Atomics.add(area.signed, (area.at + SHARD_HEARTBEAT) >>> 2, 1);
  }

  /** Moves what the loops have counted for themselves to the shard's counters. */
  #count(): void {
    const { exchanges, slots } = this.#plane;
    const counted = this.#configurations.current?.slots;
    if (counted === undefined) return;
    if (exchanges.refusedCount !== 0) slots.add(counted.refused, exchanges.refusedCount);
    exchanges.refusedCount = 0;
    for (const { udp } of this.#configurations.listeners) {
      if (udp.transport.unsentCount !== 0) slots.add(counted.unsent, udp.transport.unsentCount);
      udp.transport.unsentCount = 0;
    }
  }

  #say(message: FromShard): void {
    this.#task.port.postMessage(message);
  }

  #setState(state: number): void {
    const { area } = this.#plane;
    Atomics.store(area.signed, (area.at + SHARD_STATE) >>> 2, state);
  }
}
