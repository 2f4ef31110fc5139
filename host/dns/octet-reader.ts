// Reading a message's octets with bounds checks.

import { NAME_BYTES_MAX } from '../../engine-as/shared/codes.ts';

/** Octets that are no DNS message, or an object that cannot become one; the message says where and why. */
export class MessageError extends Error {
  override name = 'MessageError';
}

/** CoreDNS's library follows as many. */
export const POINTERS_MAX = 126;

/** A cursor over a message. Every read beyond the end throws MessageError. */
export class OctetReader {
  readonly octets: Uint8Array;
  at: number;

  constructor(octets: Uint8Array, at = 0) {
    this.octets = octets;
    this.at = at;
  }

  get isAtEnd(): boolean {
    return this.at >= this.octets.length;
  }

  u8(what: string): number {
    this.#need(1, what);
    return this.octets[this.at++]!;
  }

  u16(what: string): number {
    this.#need(2, what);
    const value = (this.octets[this.at]! << 8) | this.octets[this.at + 1]!;
    this.at += 2;
    return value;
  }

  u32(what: string): number {
    return this.u16(what) * 0x10000 + this.u16(what);
  }

  /** A copy of the next `count` octets. */
  take(count: number, what: string): Uint8Array {
    this.#need(count, what);
    const part = this.octets.slice(this.at, this.at + count);
    this.at += count;
    return part;
  }

  /** A character-string with its length octet (RFC 1035 §3.3). */
  characterString(what: string): Uint8Array {
    this.#need(1, what);
    return this.take(1 + this.octets[this.at]!, what);
  }

  /**
   * The name at the cursor in uncompressed wire form, spelling kept. Compression pointers (RFC 1035 §4.1.4) may lead
   * anywhere, as in CoreDNS's library; their number is bounded, and they cost nothing towards the limit of 255 octets.
   */
  wireName(what: string): Uint8Array {
    const name = new Uint8Array(NAME_BYTES_MAX);
    let length = 0;
    let at = this.at;
    let pointers = 0;
    let end: number | undefined;
    for (;;) {
      const head = this.octets[at];
      if (head === undefined) throw this.#cut(what);
      if (head >= 0xc0) {
        const low = this.octets[at + 1];
        if (low === undefined) throw this.#cut(what);
        end ??= at + 2;
        at = ((head & 0x3f) << 8) | low;
        if (++pointers > POINTERS_MAX) throw new MessageError(`${what}: too many compression pointers`);
        continue;
      }
      if (head > 0x3f) throw new MessageError(`${what}: unknown label type ${head >> 6}`);
      if (at + 1 + head > this.octets.length) throw this.#cut(what);
      if (length + 1 + head > NAME_BYTES_MAX)
        throw new MessageError(`${what}: the name exceeds ${NAME_BYTES_MAX} octets`);
      name.set(this.octets.subarray(at, at + 1 + head), length);
      length += 1 + head;
      at += 1 + head;
      if (head === 0) break;
    }
    this.at = end ?? at;
    return name.slice(0, length);
  }

  #need(count: number, what: string): void {
    if (this.at + count > this.octets.length) throw this.#cut(what);
  }

  #cut(what: string): MessageError {
    return new MessageError(`${what}: cut at octet ${this.octets.length}`);
  }
}
