// The events of a watch as they stand on the wire, uncut: protobuf frames {u32 length, WatchEvent}, or lines of JSON.

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR' | 'unknown';

export interface Frame {
  readonly type: EventType;
  readonly octets: Buffer;
}

/** Takes the octets of one stream; hands over the frames that are whole. */
export class FrameCutter {
  private readonly isProtobuf: boolean;
  private rest: Buffer = Buffer.alloc(0);

  constructor(isProtobuf: boolean) {
    this.isProtobuf = isProtobuf;
  }

  push(chunk: Buffer): Frame[] {
    this.rest = Buffer.concat([this.rest, chunk]);
    const frames: Frame[] = [];
    for (let bytes = this.nextBytes(); bytes !== undefined; bytes = this.nextBytes()) {
      const octets = this.rest.subarray(0, bytes);
      this.rest = this.rest.subarray(bytes);
      frames.push({ octets, type: this.isProtobuf ? protobufType(octets) : jsonType(octets) });
    }
    return frames;
  }

  private nextBytes(): number | undefined {
    if (!this.isProtobuf) {
      const end = this.rest.indexOf(0x0a);
      return end < 0 ? undefined : end + 1;
    }
    if (this.rest.length < 4) return undefined;
    const bytes = 4 + this.rest.readUInt32BE(0);
    return bytes > this.rest.length ? undefined : bytes;
  }
}

/** Field 1 of WatchEvent stands first. */
function protobufType(octets: Buffer): EventType {
  if (octets[4] !== 0x0a) return 'unknown';
  return octets.toString('latin1', 6, 6 + octets[5]!) as EventType;
}

function jsonType(octets: Buffer): EventType {
  return (/^\{"type":"([A-Z]+)"/.exec(octets.toString('latin1', 0, 40))?.[1] ?? 'unknown') as EventType;
}

/** A Status that ends a watch, as an ERROR event. */
export function errorFrame(isProtobuf: boolean, code: number, reason: string, message: string): Buffer {
  if (!isProtobuf) {
    const object = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
    return Buffer.from(`${JSON.stringify({ type: 'ERROR', object })}\n`);
  }
  const status = [text(2, 'Failure'), text(3, message), text(4, reason), Buffer.from([6 << 3, ...varint(code)])];
  const kind = Buffer.concat([text(1, 'v1'), text(2, 'Status')]);
  const unknown = Buffer.concat([field(1, kind), field(2, Buffer.concat(status))]);
  const raw = field(1, Buffer.concat([Buffer.from('k8s\0', 'latin1'), unknown]));
  const event = Buffer.concat([text(1, 'ERROR'), field(2, raw)]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(event.length);
  return Buffer.concat([length, event]);
}

function text(number: number, value: string): Buffer {
  return field(number, Buffer.from(value));
}

function field(number: number, octets: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(octets.length)]), octets]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
