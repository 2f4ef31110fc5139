// A protobuf reader that skips what nobody asked for (https://protobuf.dev/programming-guides/encoding/). It walks
// octets in place: no object is made for a field that is not wanted.
//
//   while (reader.next()) {
//     if (reader.is(1)) name = reader.text();
//     else if (reader.is(2)) { const outer = reader.enter(); ...the same loop...; reader.leave(outer); }
//     else reader.skip();
//   }

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/** Octets that cannot be what the API promised: the connection is given up and opened again. */
export class ProtocolError extends Error {}

const DOT = 0x2e;
const ZERO = 0x30;

/** As packAddress() reads it: four decimal numbers without leading zeros. -1 for anything else. */
function parseIpv4(octets: Buffer, at: number, end: number): number {
  let address = 0;
  let part = 0;
  let digits = 0;
  let dots = 0;
  for (let i = at; i < end; i++) {
    const octet = octets[i]!;
    if (octet === DOT) {
      if (digits === 0 || dots === 3) return -1;
      address = address * 256 + part;
      part = 0;
      digits = 0;
      dots++;
      continue;
    }
    if (octet < ZERO || octet > ZERO + 9 || (digits > 0 && part === 0)) return -1;
    part = part * 10 + octet - ZERO;
    digits++;
    if (part > 255) return -1;
  }
  return dots === 3 && digits > 0 ? address * 256 + part : -1;
}

export class ProtobufReader {
  readonly octets: Buffer;
  at: number;
  end: number;
  #field = 0;
  #wireType = 0;

  constructor(octets: Buffer, at = 0, end = octets.length) {
    this.octets = octets;
    this.at = at;
    this.end = end;
  }

  /** Reads the next tag; false at the end of the message. */
  next(): boolean {
    if (this.at >= this.end) return false;
    const tag = this.#varint();
    this.#field = tag >>> 3;
    this.#wireType = tag & 7;
    if (this.#field === 0) throw new ProtocolError('protobuf: field number 0');
    return true;
  }

  /** True if next() found this field number. */
  is(field: number): boolean {
    return this.#field === field;
  }

  /** Passes over the field's value. */
  skip(): void {
    if (this.#wireType === VARINT) this.#varint();
    else if (this.#wireType === FIXED64) this.#advance(8);
    else if (this.#wireType === FIXED32) this.#advance(4);
    else this.#advance(this.#length());
  }

  /** Low 32 bits of the value, as int32 and bool are read by every implementation. */
  int32(): number {
    if (this.#wireType !== VARINT) throw new ProtocolError(`protobuf: wire type ${this.#wireType} for a number`);
    return this.#varint() | 0;
  }

  text(): string {
    const bytes = this.#length();
    const start = this.at;
    this.#advance(bytes);
    return this.octets.toString('utf8', start, this.at);
  }

  /** The number of the IPv4 address that a text spells; -1, and nothing is read, where it spells none. */
  ipv4(): number {
    const start = this.at;
    const bytes = this.#length();
    const address = bytes > this.end - this.at ? -1 : parseIpv4(this.octets, this.at, this.at + bytes);
    this.at = address < 0 ? start : this.at + bytes;
    return address;
  }

  /** Narrows the reader to the sub-message and returns the outer end, for leave(). */
  enter(): number {
    const bytes = this.#length();
    const outer = this.end;
    if (bytes > outer - this.at) throw new ProtocolError('protobuf: field longer than its message');
    this.end = this.at + bytes;
    return outer;
  }

  /** Continues behind the sub-message, read to its end or not. */
  leave(outer: number): void {
    this.at = this.end;
    this.end = outer;
  }

  #length(): number {
    if (this.#wireType !== LENGTH_DELIMITED)
      throw new ProtocolError(`protobuf: unexpected wire type ${this.#wireType}`);
    return this.#varint();
  }

  #advance(bytes: number): void {
    // Bounds: `bytes` is unsigned, so the sum cannot step back.
    if (bytes > this.end - this.at) throw new ProtocolError('protobuf: truncated');
    this.at += bytes;
  }

  /** Low 32 bits of a varint of at most ten octets, unsigned. */
  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= this.end) throw new ProtocolError('protobuf: truncated');
      const octet = this.octets[this.at++]!;
      if (shift < 32) value |= (octet & 0x7f) << shift;
      if (octet < 0x80) return value >>> 0;
    }
    throw new ProtocolError('protobuf: varint too long');
  }
}
