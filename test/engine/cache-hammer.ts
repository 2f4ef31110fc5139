// Shards of the thread tests, run in workers by cache-threads.test.ts. A mixed one stores and looks up answers whose
// every octet follows from the name and a version. A writer does nothing but replace one large answer, each time with
// other octets and in blocks just given back; a reader does nothing but look it up: so reads are torn all the time,
// and none may be believed.

import { parentPort, workerData } from 'node:worker_threads';
import { DENIAL, IMAGE_OK, SUCCESS, TestEngine } from './image-engine.ts';
import { composeReply, type Rr } from './image-messages.ts';
import { parseReply } from './image-reader.ts';

export interface HammerTask {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly index: number;
  readonly cache: number;
  readonly names: number;
  readonly operations: number;
  readonly role: 'mixed' | 'writer' | 'reader';
}

export interface HammerResult {
  readonly hits: number;
  readonly stores: number;
  readonly refreshes?: number;
  readonly wrong: string | undefined;
}

const TYPE = 65280;

/** Octets that only this name and version have; the length varies from one block to a dozen. */
function content(name: number, version: number): number[] {
  const bytes = 8 + ((name * 7919 + version * 104729) % 1200);
  const octets = [name >> 8, name & 255, version >> 8, version & 255];
  let state = (name << 16) ^ version ^ 0x5bd1e995;
  while (octets.length < bytes) {
    state = Math.imul(state ^ (state >>> 13), 0x5bd1e995) + octets.length;
    octets.push((state >>> 11) & 255);
  }
  return octets;
}

/** Explains what is wrong with an answer found in the cache, undefined if nothing is. */
function check(name: number, isDenial: boolean, octets: Uint8Array): string | undefined {
  let records: readonly Rr[];
  try {
    records = parseReply(octets).sections[isDenial ? 2 : 0] ?? [];
  } catch (error) {
    return `name ${name}: ${String(error)}`;
  }
  const rdata = (records[0]?.rdata[0] ?? []) as readonly number[];
  const version = ((rdata[2] ?? 0) << 8) | (rdata[3] ?? 0);
  const expected = content(name, version);
  return Buffer.from(rdata).equals(Buffer.from(expected))
    ? undefined
    : `name ${name} version ${version}: ${rdata.length} octets differ`;
}

const LARGE_BYTES = 12_000;

/** Replaces one answer of `LARGE_BYTES` octets that are all the same, without building it anew. */
function write(task: HammerTask): HammerResult {
  const engine = new TestEngine(task.module, task.memory, task.index);
  const step = engine.step({ cache: task.cache });
  const rr: Rr = {
    name: 'n0.example.',
    type: TYPE,
    class: 1,
    ttl: 300,
    rdata: [new Array<number>(LARGE_BYTES).fill(0)],
  };
  engine.ask(rr.name, { type: TYPE, tcp: true });
  const reply = composeReply({ flags: 0x8180, question: rr.name, type: TYPE, sections: [[rr], [], []] }, 'standard');
  if (engine.take(reply) !== IMAGE_OK) return { hits: 0, stores: 0, wrong: 'image refused' };
  const bytes = engine.view.getUint32(engine.imageAt, true);
  const octets = engine.octets;
  for (let i = 0; i < task.operations; i++) {
    octets.fill(i & 255, engine.imageAt + bytes - LARGE_BYTES, engine.imageAt + bytes);
    engine.exports.cacheStore(step);
  }
  return { hits: 0, stores: task.operations, wrong: undefined };
}

function read(task: HammerTask): HammerResult {
  const engine = new TestEngine(task.module, task.memory, task.index);
  const step = engine.step({ cache: task.cache });
  engine.ask('n0.example.', { type: TYPE, tcp: true });
  const octets = engine.octets;
  let hits = 0;
  // The writer may be late, or be put aside by the system with its answer taken out.
  const deadline = performance.now() + 60_000;
  while (hits < task.operations && performance.now() < deadline) {
    if (!engine.exports.cacheLookup(step)) continue;
    hits++;
    const end = engine.imageAt + engine.view.getUint32(engine.imageAt, true);
    const first = octets[end - LARGE_BYTES];
    for (let at = end - LARGE_BYTES; at < end; at += 61) {
      if (octets[at] !== first)
        return { hits, stores: 0, wrong: `octet ${at - end + LARGE_BYTES} is ${octets[at]}, the first ${first}` };
    }
  }
  return { hits, stores: 0, wrong: undefined };
}

export function hammer(task: HammerTask): HammerResult {
  const engine = new TestEngine(task.module, task.memory, task.index);
  // Every hit may begin a refresh, and positive replies remove denials.
  const step = engine.step({ cache: task.cache, servfail: 100, stale: 3600, prefetch: [1, 60_000, 100] });
  let state = 12345 + task.index * 777;
  const random = (bound: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % bound;
  };
  let hits = 0;
  let stores = 0;
  let refreshes = 0;
  for (let i = 0; i < task.operations; i++) {
    const name = random(task.names);
    engine.ask(`n${name}.example.`, { type: TYPE, tcp: true });
    if (random(4)) {
      if (!engine.exports.cacheLookup(step)) continue;
      hits++;
      const octets = engine.emit({ ttl: engine.exports.hitTtl.value });
      const kind = engine.exports.hitKind.value;
      const wrong = octets ? check(name, kind === DENIAL, octets) : `name ${name}: no reply`;
      if (wrong) return { hits, stores, wrong: `${kind === SUCCESS ? 'success' : 'denial'}, ${wrong}` };
      // Some refreshes are never ended: their shard has died.
      if (engine.exports.hitServed(step) && random(4)) refreshes += refresh(engine, step, name, random(65536));
      continue;
    }
    const isServfail = random(8) === 0;
    const rr: Rr = { name: `n${name}.example.`, type: TYPE, class: 1, ttl: 300, rdata: [content(name, random(65536))] };
    const sections = isServfail ? ([[], [], [rr]] as const) : ([[rr], [], []] as const);
    const reply = composeReply(
      { flags: isServfail ? 0x8182 : 0x8180, question: rr.name, type: TYPE, sections },
      'standard',
    );
    if (engine.take(reply) !== IMAGE_OK) return { hits, stores, wrong: 'image refused' };
    engine.exports.cacheStore(step);
    stores++;
  }
  return { hits, stores, refreshes, wrong: undefined };
}

/** Ends the refresh that the last hit has begun. */
function refresh(engine: TestEngine, step: number, name: number, version: number): number {
  const { exports } = engine;
  const words = [exports.foundBlock, exports.foundSeq, exports.refreshBits, exports.refreshLastMs] as const;
  const [block, seq, bits, lastMs] = words.map((word) => Number(word.value)) as [number, number, number, number];
  const rr: Rr = { name: `n${name}.example.`, type: TYPE, class: 1, ttl: 300, rdata: [content(name, version)] };
  const reply = composeReply({ flags: 0x8180, question: rr.name, type: TYPE, sections: [[rr], [], []] }, 'standard');
  if (engine.take(reply) !== IMAGE_OK) return 0;
  exports.takeRefreshed(step, engine.imageAt, block, seq, bits, lastMs);
  exports.endRefresh(step, block, seq, bits, 0);
  return 1;
}

if (parentPort) {
  const port = parentPort;
  port.postMessage('running');
  const task = workerData as HammerTask;
  port.postMessage({ mixed: hammer, writer: write, reader: read }[task.role](task));
}
