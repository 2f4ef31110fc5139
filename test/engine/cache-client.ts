// A resolver's view of one cache: ask, and on a miss answer from a backend and store.

import assert from 'node:assert/strict';
import { createMemory, IMAGE_OK, type QueryOptions, TestEngine } from './image-engine.ts';
import { composeReply, type Reply } from './image-messages.ts';

export interface Served {
  readonly hit: boolean;
  /** TTL that every RR shows. */
  readonly ttl: number;
  readonly octets: Uint8Array;
}

export class CacheClient {
  readonly engine: TestEngine;
  readonly cache: number;

  constructor(module: WebAssembly.Module, success: number, denial = success, memory = createMemory()) {
    this.engine = new TestEngine(module, memory, 0);
    this.cache = this.engine.exports.cacheCreate(success, denial);
    assert.ok(this.cache);
  }

  entries(kind: number): number {
    return this.engine.exports.cacheEntries(this.cache, kind);
  }

  /** Looks the query up; on a miss stores the backend's reply. */
  serve(step: number, name: string, backend: () => Reply, options: QueryOptions = {}): Served {
    const { engine } = this;
    const { exports } = engine;
    engine.ask(name, { tcp: true, ...options });
    const image = exports.cacheLookup(step);
    if (!image) assert.equal(engine.take(composeReply(backend(), 'standard')), IMAGE_OK);
    const ttl = Number(image ? exports.hitTtl.value : exports.cacheStore(step));
    if (!image) exports.respellReply();
    const flags = image ? exports.cachedFlags(image) : exports.relayedFlags(engine.imageAt, 1);
    const octets = engine.emit({ ttl, flags });
    assert.ok(octets);
    return { hit: image !== 0, ttl, octets };
  }
}
