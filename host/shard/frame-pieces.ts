// A frame of a TCP stream that arrives in pieces: two octets of length, then a message.

export const LENGTH_BYTES = 2;
const MESSAGE_BYTES_MAX = 65535;
/** It gets this much first, then twice as much: a length alone reserves nothing. */
const BYTES_FIRST = 512;

export class FramePieces {
  #octets: Buffer | undefined;
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** Memory that is kept. */
  get keptBytes(): number {
    return this.#octets?.length ?? 0;
  }

  /** Adds octets of a chunk, at most to the frame's end; returns how many. */
  complete(chunk: Buffer): number {
    let at = 0;
    while (this.#bytes < LENGTH_BYTES && at < chunk.length) at += this.#append(chunk, at, at + 1);
    if (this.#bytes < LENGTH_BYTES) return at;
    const missing = LENGTH_BYTES + this.#octets!.readUInt16BE(0) - this.#bytes;
    return at + this.#append(chunk, at, Math.min(chunk.length, at + missing));
  }

  /** Adds the rest of a chunk, which must not hold the whole frame. */
  keep(chunk: Buffer, from: number): void {
    this.#append(chunk, from, chunk.length);
  }

  /** The frame with its length, if it is whole; then this is empty. The buffer may be longer. */
  take(): Buffer | undefined {
    const octets = this.#octets;
    if (octets === undefined || this.#bytes < LENGTH_BYTES) return undefined;
    if (this.#bytes < LENGTH_BYTES + octets.readUInt16BE(0)) return undefined;
    this.clear();
    return octets;
  }

  clear(): void {
    this.#octets = undefined;
    this.#bytes = 0;
  }

  #append(chunk: Buffer, from: number, to: number): number {
    const needed = this.#bytes + to - from;
    let octets = this.#octets;
    if (octets === undefined || octets.length < needed) {
      const wanted = Math.max(needed, BYTES_FIRST, 2 * (octets?.length ?? 0));
      const grown = Buffer.allocUnsafeSlow(Math.min(wanted, LENGTH_BYTES + MESSAGE_BYTES_MAX));
      octets?.copy(grown, 0, 0, this.#bytes);
      octets = grown;
      this.#octets = grown;
    }
    this.#bytes += chunk.copy(octets, this.#bytes, from, to);
    return to - from;
  }
}
