// A whole data plane in one thread: memory, engine, records, a cache and a program, asked with octets. For tests.

import { fileURLToPath } from 'node:url';
import { OUTCOME_ANSWER, PROTO_TCP, PROTO_UDP } from '../../engine-as/shared/codes.ts';
import * as layout from '../../engine-as/shared/layout.ts';
import { compileEngine, type Engine, instantiateEngine } from '../../host/engine/load.ts';
import { areaAt, createMemory, type MemoryPlan, planMemory } from '../../host/engine/memory.ts';
import { BlockSteps, type Program, writeProgram } from '../../host/engine/program.ts';
import { createRecordStore, type Writer } from '../../host/engine/records.ts';
import type { CacheStep, RecordStore, RecordsStep, ServerBlock } from '../../host/plugin/contract.ts';

const ENGINE = fileURLToPath(new URL('../../dist/engine.wasm', import.meta.url));

/** The kubeadm SOA and TTL of a cluster zone. */
export function recordsStep(
  store: RecordStore,
  zones: readonly string[],
  more: Partial<RecordsStep> = {},
): RecordsStep {
  return {
    address: store.address,
    zones,
    ttl: 30,
    soa: { mname: 'ns.dns', rname: 'hostmaster', refresh: 7200, retry: 1800, expire: 86400, minimum: 30, ttl: 30 },
    pods: 'insecure',
    fallthrough: undefined,
    kubernetes: true,
    ...more,
  };
}

export function cacheStep(address: number, more: Partial<CacheStep> = {}): CacheStep {
  return {
    address,
    zones: ['.'],
    successTtl: [5, 30],
    denialTtl: [5, 30],
    servfailMs: 5000,
    keepTtl: false,
    prefetch: { amount: 0, windowMs: 60_000, percent: 10 },
    stale: { seconds: 0, verifies: false, ttlSeconds: 0, recheckMs: 0, prefersPositive: false },
    disableSuccess: ['cluster.local.'],
    disableDenial: ['cluster.local.'],
    slots: [],
    ...more,
  };
}

export interface Outcome {
  readonly outcome: number;
  readonly reply: Uint8Array | undefined;
}

export interface AskOptions {
  readonly tcp?: boolean;
  /** struct sockaddr of the client; IPv4 127.0.0.1:4711 by default. */
  readonly sockaddr?: Uint8Array;
  readonly listener?: number;
}

const IPV4_CLIENT = new Uint8Array([2, 0, 0x12, 0x67, 127, 0, 0, 1]);

export class EngineWorld {
  readonly plan: MemoryPlan;
  readonly memory: WebAssembly.Memory;
  readonly engine: Engine;
  readonly writer: Writer;
  readonly area: number;
  program: Program | undefined;

  constructor(shardCount = 1) {
    this.plan = planMemory(shardCount);
    this.memory = createMemory(this.plan, () => 0n);
    this.engine = instantiateEngine(compileEngine(ENGINE), this.memory);
    this.writer = { engine: this.engine, memory: this.memory, area: areaAt(this.plan, shardCount) };
    this.area = areaAt(this.plan, 0);
    this.engine.prepareShard(this.area);
    this.setSeconds(1000);
  }

  get octets(): Uint8Array {
    return new Uint8Array(this.memory.buffer);
  }

  get view(): DataView {
    return new DataView(this.memory.buffer);
  }

  setSeconds(seconds: number, area = this.area): void {
    this.view.setUint32(area + layout.SHARD_NOW_SECONDS, seconds, true);
    this.view.setFloat64(area + layout.SHARD_NOW_MS, seconds * 1000, true);
  }

  createRecords(): RecordStore {
    return createRecordStore(this.writer);
  }

  createCache(success = 9984, denial = 9984): number {
    return this.engine.cacheCreate(success, denial) >>> 0;
  }

  /** One listener, one block for these zones; `build` adds the steps. */
  load(zones: readonly string[], build: (steps: BlockSteps) => void, isForcedSlow = false): void {
    const steps = new BlockSteps(blockOf(zones));
    build(steps);
    const listener = {
      port: 53,
      droppedScope: undefined,
      zones: zones.map((zone) => ({ zone, block: 0, scope: undefined, serverOrdinal: 0 })),
    };
    this.program = writeProgram(this.writer, { blocks: [steps], listeners: [listener], generation: 1, isForcedSlow });
  }

  ask(message: Uint8Array, options: AskOptions = {}): Outcome {
    const { area, engine } = this;
    const sockaddrAt = area + layout.RECEIVE_NAMES;
    this.octets.set(message, area + layout.LARGE_IN);
    this.octets.fill(0, sockaddrAt, sockaddrAt + layout.SOCKADDR_STRIDE);
    this.octets.set(options.sockaddr ?? IPV4_CLIENT, sockaddrAt);
    const listener = this.program!.listeners[options.listener ?? 0]!;
    const proto = options.tcp ? PROTO_TCP : PROTO_UDP;
    const out = area + layout.LARGE_OUT;
    const outcome = engine.serveOne(
      area,
      listener,
      area + layout.LARGE_IN,
      message.length,
      sockaddrAt,
      proto,
      out,
      65535,
    );
    const bytes = this.view.getUint32(area + layout.SHARD_REPLY_BYTES, true);
    return { outcome, reply: outcome === OUTCOME_ANSWER ? this.octets.slice(out, out + bytes) : undefined };
  }
}

export function blockOf(zones: readonly string[]): ServerBlock {
  const keys = zones.map((zone) => ({ transport: 'dns' as const, zone, address: '', port: 53, server: 'dns://:53' }));
  return { index: 0, keys, zones, plugins: ['test'], file: 'Corefile', line: 1 };
}
