// A shard's own part of shared memory, as views that are made again after growth.

import { SHARD_NOW_MS, SHARD_NOW_SECONDS, SHARD_QUERIES } from '../../engine-as/shared/layout.ts';

/** What a shard needs of a WebAssembly.Memory; `buffer` is another object after growth, at the same native address. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

export class ShardArea {
  /** Byte address of the area in shared memory. */
  readonly at: number;
  readonly #memory: SharedMemory;
  /** Added to performance.now(), which counts from the thread's start, to get milliseconds all threads share. */
  readonly #sharedClockMs: number;
  /** The whole memory. */
  octets: Buffer;
  words: Uint32Array;
  signed: Int32Array;
  floats: Float64Array;

  constructor(memory: SharedMemory, at: number) {
    this.at = at;
    this.#memory = memory;
    const [seconds, nanoseconds] = process.hrtime();
    this.#sharedClockMs = seconds * 1000 + nanoseconds / 1e6 - performance.now();
    const { buffer } = memory;
    this.octets = Buffer.from(buffer);
    this.words = new Uint32Array(buffer);
    this.signed = new Int32Array(buffer);
    this.floats = new Float64Array(buffer);
  }

  /** Makes the views as long as the memory is now; what they showed before stays where it was. */
  refresh(): void {
    const { buffer } = this.#memory;
    if (buffer.byteLength === this.octets.length) return;
    this.octets = Buffer.from(buffer);
    this.words = new Uint32Array(buffer);
    this.signed = new Int32Array(buffer);
    this.floats = new Float64Array(buffer);
  }

  /** u32 at an offset of the area. */
  word(offset: number): number {
    return this.words[(this.at + offset) >>> 2]!;
  }

  setWord(offset: number, value: number): void {
    this.words[(this.at + offset) >>> 2] = value;
  }

  /** For whoever waits until no more come (host/server/drain.ts). */
  countQueries(count: number): void {
    this.words[(this.at + SHARD_QUERIES) >>> 2]! += count;
  }

  /** Sets the engine's clocks. @param nowMs performance.now() */
  stamp(nowMs: number): void {
    const sharedMs = nowMs + this.#sharedClockMs;
    this.floats[(this.at + SHARD_NOW_MS) >>> 3] = sharedMs;
    this.words[(this.at + SHARD_NOW_SECONDS) >>> 2] = sharedMs / 1000;
  }

  /** A copy in unshared memory, which text decoders and parsers may keep. */
  copy(at: number, bytes: number): Uint8Array {
    const copied = new Uint8Array(bytes);
    copied.set(this.octets.subarray(at, at + bytes));
    return copied;
  }
}
