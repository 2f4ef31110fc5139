// Cuts the octets of a watch into events. A frame that stands whole in one chunk is read where it stands; one that is
// spread over chunks is collected first, up to a bound.

import { parseJsonEvent, parseProtobufEvent, type WatchEvent } from './events.ts';
import type { Named, Resource } from './objects/resources.ts';
import { ProtocolError } from './protobuf.ts';

export interface EventSource<T> {
  /**
   * Takes the next octets, and hands over the events that are whole now; what the stream may end within is not missed.
   * @throws ProtocolError on garbage.
   */
  push(chunk: Buffer, emit: (event: WatchEvent<T>) => void): void;
}

export function eventSource<T extends Named>(
  isProtobuf: boolean,
  resource: Resource<T>,
  bytesMax: number,
): EventSource<T> {
  return isProtobuf ? new ProtobufEvents(resource, bytesMax) : new JsonEvents(resource, bytesMax);
}

const LENGTH_BYTES = 4;

class ProtobufEvents<T extends Named> implements EventSource<T> {
  readonly #resource: Resource<T>;
  readonly #collected: Collected;

  constructor(resource: Resource<T>, bytesMax: number) {
    this.#resource = resource;
    this.#collected = new Collected(bytesMax);
  }

  push(chunk: Buffer, emit: (event: WatchEvent<T>) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#collected.bytes > 0) {
        at += this.#collect(chunk, at, emit);
        continue;
      }
      const end = at + LENGTH_BYTES + (chunk.length - at >= LENGTH_BYTES ? chunk.readUInt32BE(at) : 0);
      if (chunk.length - at >= LENGTH_BYTES && end <= chunk.length) {
        this.#read(chunk, at + LENGTH_BYTES, end, emit);
        at = end;
      } else {
        this.#collected.add(chunk.subarray(at, Math.min(chunk.length, at + LENGTH_BYTES)));
        at = Math.min(chunk.length, at + LENGTH_BYTES);
        if (this.#collected.bytes === LENGTH_BYTES) this.#checkLength();
      }
    }
  }

  /** Adds what the started frame still lacks; returns the octets taken. */
  #collect(chunk: Buffer, at: number, emit: (event: WatchEvent<T>) => void): number {
    const had = this.#collected.bytes;
    const wanted = had < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + this.#collected.octets.readUInt32BE(0);
    const taken = Math.min(wanted - had, chunk.length - at);
    this.#collected.add(chunk.subarray(at, at + taken));
    if (this.#collected.bytes < wanted) return taken;
    const length = this.#checkLength();
    if (this.#collected.bytes === LENGTH_BYTES + length) {
      const octets = this.#collected.take();
      this.#read(octets, LENGTH_BYTES, octets.length, emit);
    }
    return taken;
  }

  #checkLength(): number {
    const length = this.#collected.octets.readUInt32BE(0);
    this.#collected.checkRoom(length);
    return length;
  }

  #read(octets: Buffer, at: number, end: number, emit: (event: WatchEvent<T>) => void): void {
    const event = parseProtobufEvent(octets, at, end, this.#resource);
    if (event !== undefined) emit(event);
  }
}

const NEWLINE = 0x0a;

class JsonEvents<T extends Named> implements EventSource<T> {
  readonly #resource: Resource<T>;
  readonly #collected: Collected;

  constructor(resource: Resource<T>, bytesMax: number) {
    this.#resource = resource;
    this.#collected = new Collected(bytesMax);
  }

  push(chunk: Buffer, emit: (event: WatchEvent<T>) => void): void {
    let at = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, at)) {
      const rest = chunk.subarray(at, end);
      let line = rest;
      if (this.#collected.bytes > 0) {
        this.#collected.add(rest);
        line = this.#collected.take();
      }
      at = end + 1;
      const event = line.length > 0 ? parseJsonEvent(line.toString('utf8'), this.#resource) : undefined;
      if (event !== undefined) emit(event);
    }
    if (at < chunk.length) this.#collected.add(chunk.subarray(at));
  }
}

/** Octets of an event that is not whole yet. Grows by doubling, so that many small chunks cost no more than one. */
class Collected {
  octets: Buffer = Buffer.alloc(0);
  bytes = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(part: Buffer): void {
    this.checkRoom(part.length);
    const needed = this.bytes + part.length;
    if (needed > this.octets.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.octets.length, 1024));
      this.octets.copy(larger, 0, 0, this.bytes);
      this.octets = larger;
    }
    part.copy(this.octets, this.bytes);
    this.bytes = needed;
  }

  /** Hands the octets over and starts again; the next event gets its own memory. */
  take(): Buffer {
    const taken = this.octets.subarray(0, this.bytes);
    this.octets = Buffer.alloc(0);
    this.bytes = 0;
    return taken;
  }

  checkRoom(more: number): void {
    if (this.bytes + more > this.#bytesMax) {
      throw new ProtocolError(`an event is larger than ${this.#bytesMax} octets`);
    }
  }
}
