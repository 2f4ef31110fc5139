// The engine's image, emit and cache functions in one small module of their own, so that tests reach them directly.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import * as layout from '../../engine-as/shared/layout.ts';
import { compileOnce } from './compile.ts';

const ENTRY = `
export { nameHash, parseQuery, setArea } from 'engine-as/wire/query';
export { imageFromMessage, respellReply } from 'engine-as/answer/image';
export { cachedFlags, emitImage, emittedFlags, emittedPlainBytes, emittedRcode, relayedFlags } from 'engine-as/answer/emit';
export { cacheCreate, cacheEntries, keyOf, setOf } from 'engine-as/cache/table';
export { cacheLookup, foundBlock, foundSeq, hitIsStale, hitKind, hitTtl } from 'engine-as/cache/lookup';
export { cacheStore } from 'engine-as/cache/insert';
export { beginVerify, endRefresh, hitServed, mustVerify, refreshBits, refreshLastMs, takeRefreshed } from 'engine-as/cache/refresh';
`;

interface Exports {
  setArea(area: number): void;
  parseQuery(at: number, bytes: number, transport: number, sockaddr: number): number;
  respellReply(): void;
  imageFromMessage(at: number, bytes: number, canonicalOrder: number, keepOpt: number): number;
  emitImage(imageAt: number, out: number, outMax: number, ttl: number, headerWord: number, rotate: number): number;
  relayedFlags(imageAt: number, viaCache: number): number;
  cachedFlags(imageAt: number): number;
  cacheCreate(success: number, denial: number): number;
  cacheEntries(cache: number, kind: number): number;
  cacheLookup(step: number): number;
  cacheStore(step: number): number;
  mustVerify(step: number): number;
  beginVerify(step: number): number;
  hitServed(step: number): number;
  takeRefreshed(step: number, image: number, block: number, seq: number, bits: number, lastMs: number): number;
  endRefresh(step: number, block: number, seq: number, bits: number, isFailed: number): void;
  readonly foundBlock: WebAssembly.Global;
  readonly foundSeq: WebAssembly.Global;
  readonly hitIsStale: WebAssembly.Global;
  readonly refreshBits: WebAssembly.Global;
  readonly refreshLastMs: WebAssembly.Global;
  keyOf(nameHash: number, type: number, bits: number): bigint;
  setOf(table: number, key: bigint): number;
  readonly nameHash: WebAssembly.Global;
  readonly emittedFlags: WebAssembly.Global;
  readonly emittedPlainBytes: WebAssembly.Global;
  readonly emittedRcode: WebAssembly.Global;
  readonly hitKind: WebAssembly.Global;
  readonly hitTtl: WebAssembly.Global;
}

export const PARSED = 0x100;
export const IMAGE_OK = 0;
export const IMAGE_MISMATCH = 1;
export const IMAGE_BAD = 2;
export const SUCCESS = 0;
export const DENIAL = 1;
const AREA_BYTES = layout.EXCHANGES;
const AREAS = 3;
const BUFFERS = layout.SHARDS_AT + AREAS * AREA_BYTES;
/** One area's buffers: query, reply, out, step and zone lists, each with room around it. */
const BUFFER_STRIDE = 524288;
const OUT_OFFSET = 196608;
const STEP_OFFSET = 393216;
export const OUT_BYTES = 70000;
const PAGES = 1024;

/** One for all test files. */
export function compileEngine(): WebAssembly.Module {
  const makers = [fileURLToPath(import.meta.url)];
  return new WebAssembly.Module(compileOnce('image-engine', ENTRY, { optimizeLevel: 3 }, makers));
}

export interface QueryOptions {
  readonly flags?: number;
  readonly type?: number;
  readonly class?: number;
  /** EDNS payload size; undefined = no OPT. */
  readonly edns?: number | undefined;
  readonly isDo?: boolean;
  readonly options?: Uint8Array;
  readonly tcp?: boolean;
}

export interface StepOptions {
  readonly cache: number;
  readonly success?: readonly [number, number];
  readonly denial?: readonly [number, number];
  readonly servfail?: number;
  readonly disableSuccess?: readonly string[];
  readonly disableDenial?: readonly string[];
  /** CACHE_ flags beside CACHE_SERVFAIL and CACHE_REFRESHES. */
  readonly flags?: number;
  readonly stale?: number;
  readonly staleTtl?: number;
  readonly recheckMs?: number;
  readonly prefetch?: readonly [amount: number, windowMs: number, percent: number];
}

export function wireName(name: string): Uint8Array {
  const labels = name === '.' ? [] : name.replace(/\.$/, '').split('.');
  return Uint8Array.from([...labels.flatMap((label) => [label.length, ...Buffer.from(label, 'latin1')]), 0]);
}

export function createMemory(): WebAssembly.Memory {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: 65536, shared: true });
  const words = new Uint32Array(memory.buffer);
  const arena = BUFFERS + AREAS * BUFFER_STRIDE;
  words[layout.CONTROL_ARENA_START / 4] = arena;
  words[layout.CONTROL_ARENA_TOP / 4] = arena;
  words[layout.CONTROL_HASH_SEED / 4] = 0x12345678;
  return memory;
}

/** One instance with an area of its own over the memory. */
export class TestEngine {
  readonly memory: WebAssembly.Memory;
  readonly exports: Exports;
  readonly area: number;
  readonly queryAt: number;
  readonly replyAt: number;
  readonly outAt: number;
  readonly stepAt: number;

  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, index: number) {
    this.memory = memory;
    const instance = new WebAssembly.Instance(module, { env: { memory } });
    this.exports = instance.exports as unknown as Exports;
    this.area = layout.SHARDS_AT + index * AREA_BYTES;
    this.queryAt = BUFFERS + index * BUFFER_STRIDE + 4096;
    this.replyAt = BUFFERS + index * BUFFER_STRIDE + 65536;
    this.outAt = BUFFERS + index * BUFFER_STRIDE + OUT_OFFSET;
    this.stepAt = BUFFERS + index * BUFFER_STRIDE + STEP_OFFSET;
    this.exports.setArea(this.area);
    this.view.setBigUint64(this.area + layout.SHARD_RANDOM, 0x9e3779b97f4a7c15n + BigInt(index), true);
    this.setNow(1_000_000);
  }

  get octets(): Uint8Array {
    return new Uint8Array(this.memory.buffer);
  }
  get view(): DataView {
    return new DataView(this.memory.buffer);
  }

  setNow(ms: number): void {
    this.view.setFloat64(this.area + layout.SHARD_NOW_MS, ms, true);
    this.view.setUint32(this.area + layout.SHARD_NOW_SECONDS, Math.floor(ms / 1000), true);
  }

  /** Makes this the query being served. */
  ask(name: string, options: QueryOptions = {}): void {
    const qname = wireName(name);
    const hasOpt = options.edns !== undefined;
    const opt = hasOpt
      ? optRecord(options.edns ?? 0, options.isDo ? 0x8000 : 0, options.options ?? new Uint8Array())
      : [];
    const query = [0x12, 0x34, ...u16(options.flags ?? 0x0100), 0, 1, 0, 0, 0, 0, 0, hasOpt ? 1 : 0];
    query.push(...qname, ...u16(options.type ?? 1), ...u16(options.class ?? 1), ...opt);
    this.octets.set(query, this.queryAt);
    const sockaddr = this.queryAt + 2048;
    assert.equal(this.exports.parseQuery(this.queryAt, query.length, options.tcp ? 1 : 0, sockaddr), PARSED);
  }

  /** Builds the image of a reply; the result is IMAGE_OK, IMAGE_MISMATCH or IMAGE_BAD. */
  take(reply: Uint8Array, options: { canonical?: boolean; keepOpt?: boolean } = {}): number {
    this.octets.set(reply, this.replyAt);
    return this.exports.imageFromMessage(
      this.replyAt,
      reply.length,
      options.canonical ? 1 : 0,
      options.keepOpt ? 1 : 0,
    );
  }

  get imageAt(): number {
    return this.area + layout.IMAGE_SCRATCH;
  }

  /** Writes the reply of the image in scratch; undefined if it needs more than `outMax` octets. */
  emit(options: { ttl?: number; flags?: number; rotate?: boolean; outMax?: number } = {}): Uint8Array | undefined {
    const flags = options.flags ?? this.exports.relayedFlags(this.imageAt, 0);
    const max = options.outMax ?? OUT_BYTES;
    const bytes = this.exports.emitImage(
      this.imageAt,
      this.outAt,
      max,
      options.ttl ?? -1,
      flags,
      options.rotate ? 1 : 0,
    );
    return bytes ? this.octets.slice(this.outAt, this.outAt + bytes) : undefined;
  }

  /** Writes a cache step and its zone lists; returns its address. Counters start at slot 0. */
  step(options: StepOptions): number {
    const view = this.view;
    const at = this.stepAt;
    const set = (offset: number, value: number): void => view.setUint32(at + offset, value, true);
    const [successMin, successMax] = options.success ?? [5, 3600];
    const [denialMin, denialMax] = options.denial ?? [5, 1800];
    set(layout.CACHE_STEP_ADDRESS, options.cache);
    set(layout.CACHE_STEP_SUCCESS_MIN, successMin);
    set(layout.CACHE_STEP_SUCCESS_MAX, successMax);
    set(layout.CACHE_STEP_DENIAL_MIN, denialMin);
    set(layout.CACHE_STEP_DENIAL_MAX, denialMax);
    set(layout.CACHE_STEP_SERVFAIL, options.servfail ?? 5);
    const [amount, windowMs, percent] = options.prefetch ?? [0, 60_000, 10];
    set(layout.CACHE_STEP_FLAGS, (options.flags ?? 0) | layout.CACHE_SERVFAIL | layout.CACHE_REFRESHES);
    set(layout.CACHE_STEP_STALE, options.stale ?? 0);
    set(layout.CACHE_STEP_STALE_TTL, options.staleTtl ?? 0);
    set(layout.CACHE_STEP_RECHECK_MS, options.recheckMs ?? 0);
    set(layout.CACHE_STEP_PREFETCH, amount);
    set(layout.CACHE_STEP_PREFETCH_WINDOW_MS, windowMs);
    set(layout.CACHE_STEP_PREFETCH_PERCENT, percent);
    set(layout.CACHE_STEP_SLOTS, at + layout.STEP_STRIDE);
    view.setUint32(at + layout.STEP_STRIDE, 0, true);
    set(layout.CACHE_STEP_DISABLE_SUCCESS, this.zoneList(at + 1024, options.disableSuccess ?? []));
    set(layout.CACHE_STEP_DISABLE_DENIAL, this.zoneList(at + 4096, options.disableDenial ?? []));
    return at;
  }

  private zoneList(at: number, zones: readonly string[]): number {
    const view = this.view;
    view.setUint32(at, zones.length, true);
    let names = at + 1024;
    for (const [i, zone] of zones.entries()) {
      const wire = wireName(zone);
      const entry = at + layout.ZONE_LIST_ENTRIES + i * layout.ZONE_LIST_STRIDE;
      this.octets.set(wire, names);
      view.setUint32(entry, names, true);
      view.setUint32(entry + 4, wire.length, true);
      view.setUint32(entry + 8, zone === '.' ? 0 : zone.replace(/\.$/, '').split('.').length, true);
      names += 256;
    }
    return at;
  }

  counter(slot: number): number {
    return this.view.getFloat64(this.area + layout.SLOTS + slot * 8, true);
  }
}

export function u16(value: number): number[] {
  return [(value >> 8) & 255, value & 255];
}
export function u32(value: number): number[] {
  return [...u16(value >>> 16), ...u16(value & 0xffff)];
}
export function optRecord(size: number, ttl: number, options: Uint8Array): number[] {
  return [0, 0, 41, ...u16(size), ...u32(ttl), ...u16(options.length), ...options];
}
