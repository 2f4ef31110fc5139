// engine.wasm: compiled once, instantiated in every thread over the one shared memory.

import { readFileSync } from 'node:fs';
import { CONTROL_VERSION, LAYOUT_VERSION } from '../../engine-as/shared/layout.ts';

/** A step's look-up for its slow face. */
type LookUp = (
  area: number,
  zone: number,
  step: number,
  messageAt: number,
  bytes: number,
  sockaddrAt: number,
  outAt: number,
) => number;

/** What a step makes of a reply, for its slow face. */
type TurnReply = (
  area: number,
  zone: number,
  step: number,
  messageAt: number,
  bytes: number,
  sockaddrAt: number,
  replyAt: number,
  replyBytes: number,
  outAt: number,
) => number;

/** What engine-as/main.ts exports. Addresses and sizes are byte counts in the shared memory. */
export interface Engine {
  prepareShard(area: number): void;
  serve(area: number, listener: number, count: number): void;
  serveOne(
    area: number,
    listener: number,
    messageAt: number,
    bytes: number,
    sockaddrAt: number,
    proto: number,
    outAt: number,
    outMax: number,
  ): number;
  finish(
    area: number,
    exchangeAt: number,
    messageAt: number,
    bytes: number,
    replyAt: number,
    replyBytes: number,
    outAt: number,
    outMax: number,
    elapsedMs: number,
  ): number;
  fail(
    area: number,
    exchangeAt: number,
    messageAt: number,
    bytes: number,
    rcode: number,
    outAt: number,
    elapsedMs: number,
  ): number;
  drop(area: number, exchangeAt: number, messageAt: number, bytes: number, elapsedMs: number): void;
  failPanicked(
    area: number,
    exchangeAt: number,
    messageAt: number,
    bytes: number,
    listener: number,
    outAt: number,
  ): number;
  settle(area: number, elapsedMs: number): void;
  quiesce(shard: number): void;
  runRecords: LookUp;
  runCacheGet: LookUp;
  rewriteSaved(area: number, exchange: number, messageAt: number, bytes: number, outAt: number, outMax: number): number;
  runCachePut: TurnReply;
  runArrange: TurnReply;
  runCacheRefresh(
    area: number,
    zone: number,
    below: number,
    messageAt: number,
    messageBytes: number,
    replyAt: number,
    replyBytes: number,
    outAt: number,
    block: number,
    seq: number,
    lastMs: number,
    bits: number,
  ): number;
  // Main thread only: the single writer.
  arenaAllocate(bytes: number): number;
  arenaFree(block: number): void;
  arenaRetire(block: number): void;
  arenaReclaim(): boolean;
  storeCreate(): number;
  storeRelease(store: number): void;
  ownerPut(store: number, key: number, keyBytes: number, blob: number, blobBytes: number, flags: number): number;
  endpointsPut(
    store: number,
    addresses: number,
    count: number,
    labels: number,
    keyAt: number,
    base: number,
    baseBytes: number,
    blob: number,
    blobBytes: number,
    addressAt: number,
    flags: number,
  ): boolean;
  reversePut(
    store: number,
    addresses: number,
    count: number,
    labels: number,
    keyAt: number,
    name: number,
    nameBytes: number,
    blob: number,
    nameAt: number,
  ): boolean;
  ownerFind(store: number, key: number, keyBytes: number): number;
  ownerRemove(store: number, key: number, keyBytes: number): boolean;
  cacheCreate(success: number, denial: number): number;
  cacheRelease(cache: number): void;
  cacheIsOffered(cache: number, server: number): number;
  /** The reply of the next finish() or runCachePut() is not sent: 1 more than the octets that CoreDNS's form is longer. */
  withhold(mark: number): void;
  /** That mark of the last look-up's reply, 0 = it can be sent. */
  replyWithheld(): number;
  cacheEntries(cache: number, kind: number): number;
}

export function compileEngine(path: string | URL): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(path));
}

/** One instance for the calling thread. Throws if the memory was laid out by another version of the layout. */
export function instantiateEngine(module: WebAssembly.Module, memory: WebAssembly.Memory): Engine {
  // A memory that grew while it was on its way to this thread has its old length here, and keeps it: V8 tells of growth
  // only the threads that have arrived. Growth by nothing looks the length up.
  memory.grow(0);
  const version = new DataView(memory.buffer).getUint32(CONTROL_VERSION, true);
  if (version !== LAYOUT_VERSION)
    throw new Error(`engine: layout version ${version} in memory, ${LAYOUT_VERSION} in the host`);
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Engine;
}
