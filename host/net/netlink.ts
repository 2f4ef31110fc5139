// Netlink sockets (RFC 3549 §2) and TUN devices, through koffi: what it takes to make an interface and rules of nf_tables
// without a program. For the main thread: the kernel answers a request at once, so the calls wait.
//
//   message    0 u32 length · 4 u16 type · 6 u16 flags · 8 u32 sequence · 12 u32 port · 16 body       (host order)
//   attribute  0 u16 length · 2 u16 type · 4 payload, padded to a multiple of 4

import { closeSync, mkdirSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { UserError } from '../errors.ts';
import { SocketError } from './errno.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
/** In an attribute's type: its payload is attributes. */
const NLA_F_NESTED = 0x8000;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const HEADER_BYTES = 16;
/** More than the kernel puts into one datagram of a dump. */
const RECEIVE_BYTES = 65536;
/** The kernel that answers later than this has lost the request. */
const RECEIVE_SECONDS = 5;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;

const TUN_FILE = '/dev/net/tun';
/** Character device 10, 200 (Documentation/admin-guide/devices.txt), as mknod() wants it. */
const TUN_DEVICE = (10 << 8) | 200;
const S_IFCHR = 0o020000;
const TUNSETIFF = 0x400454ca;
const IFF_TUN = 1;
const IFF_NO_PI = 0x1000;
const IFREQ_BYTES = 40;
const NAME_BYTES_MAX = 15;

/** A message that the kernel has sent. */
export interface NetlinkMessage {
  readonly type: number;
  readonly body: Uint8Array;
}

/** A message to send, all but its sequence number. */
export interface NetlinkRequest {
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array;
}

/** What a socket owns (an nf_tables table with an owner) the kernel removes when it is closed, by whatever end of the process. */
export class NetlinkSocket {
  readonly #calls: Calls;
  readonly #fd: number;
  #sequence = 0;

  /** Throws SocketError. */
  constructor(protocol: number) {
    this.#calls = calls();
    this.#fd = this.#calls.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (this.#fd < 0) throw new SocketError('socket', this.#calls.errno());
    // struct timeval
    const seconds = new BigInt64Array([BigInt(RECEIVE_SECONDS), 0n]);
    this.#calls.setsockopt(this.#fd, SOL_SOCKET, SO_RCVTIMEO, seconds, 16);
  }

  /** Sends the requests as one datagram and reads until each one that asks for it is answered. Throws SocketError. */
  exchange(call: string, requests: readonly NetlinkRequest[]): NetlinkMessage[] {
    const waiting = new Set<number>();
    const octets = requests.map((request) => {
      const sequence = ++this.#sequence;
      if ((request.flags & (NLM_F_ACK | NLM_F_DUMP)) !== 0) waiting.add(sequence);
      return compose(request, sequence);
    });
    const datagram = Buffer.concat(octets);
    if (this.#calls.send(this.#fd, datagram, datagram.length, 0) < 0) throw this.#error(call);
    const found: NetlinkMessage[] = [];
    let failure = 0;
    while (waiting.size > 0) {
      for (const { type, sequence, body } of this.#receive(call)) {
        // Of an exchange that failed
        if (!waiting.has(sequence)) continue;
        const isEnd = type === NLMSG_ERROR || type === NLMSG_DONE;
        if (!isEnd) found.push({ type, body });
        else {
          if (type === NLMSG_ERROR) failure ||= -body.readInt32LE(0);
          waiting.delete(sequence);
        }
        // A batch that is refused as a whole has one answer
        if (failure !== 0) throw new SocketError(call, failure);
      }
    }
    return found;
  }

  close(): void {
    this.#calls.close(this.#fd);
  }

  #receive(call: string): { type: number; sequence: number; body: Buffer }[] {
    const datagram = Buffer.alloc(RECEIVE_BYTES);
    const bytes = this.#calls.recv(this.#fd, datagram, datagram.length, 0);
    if (bytes < 0) throw this.#error(call);
    const messages = [];
    for (let at = 0; at + HEADER_BYTES <= bytes; ) {
      const length = datagram.readUInt32LE(at);
      if (length < HEADER_BYTES || at + length > bytes) break;
      messages.push({
        type: datagram.readUInt16LE(at + 4),
        sequence: datagram.readUInt32LE(at + 8),
        body: datagram.subarray(at + HEADER_BYTES, at + length),
      });
      at += align(length);
    }
    return messages;
  }

  #error(call: string): SocketError {
    return new SocketError(call, this.#calls.errno());
  }
}

/** An attribute; with a list, one that holds attributes. */
export function attribute(type: number, payload: Uint8Array | readonly Uint8Array[]): Uint8Array {
  const isNested = !(payload instanceof Uint8Array);
  const inner = isNested ? Buffer.concat(payload) : payload;
  const octets = Buffer.alloc(align(4 + inner.length));
  octets.writeUInt16LE(4 + inner.length, 0);
  octets.writeUInt16LE(isNested ? type | NLA_F_NESTED : type, 2);
  octets.set(inner, 4);
  return octets;
}

/** Text with a zero behind it. */
export function textAttribute(type: number, text: string): Uint8Array {
  return attribute(type, Buffer.from(`${text}\0`));
}

/** Payload of the first attribute of a type, behind `at` octets of a body; undefined: there is none. */
export function findAttribute(octets: Uint8Array, at: number, type: number): Buffer | undefined {
  const view = Buffer.from(octets.buffer, octets.byteOffset, octets.length);
  for (let offset = at; offset + 4 <= view.length; ) {
    const length = view.readUInt16LE(offset);
    if (length < 4 || offset + length > view.length) return undefined;
    if ((view.readUInt16LE(offset + 2) & 0x3fff) === type) return view.subarray(offset + 4, offset + length);
    offset += align(length);
  }
  return undefined;
}

/**
 * Makes a TUN device that lives as long as the descriptor is open: until closeTun(), or the end of the process whatever it is.
 * Where the device file is missing, as in a container, it is made if that is allowed. Throws SocketError.
 */
export function openTun(name: string): number {
  const { mknod, ioctl, errno } = calls();
  const fd = openTunFile(mknod);
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write(name, 0, NAME_BYTES_MAX, 'latin1');
  request.writeUInt16LE(IFF_TUN | IFF_NO_PI, 16);
  if (ioctl(fd, TUNSETIFF, request) === 0) return fd;
  const error = new SocketError('ioctl', errno());
  closeSync(fd);
  throw error;
}

export function closeTun(fd: number): void {
  closeSync(fd);
}

function openTunFile(mknod: Calls['mknod']): number {
  try {
    return openSync(TUN_FILE, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw openError(error);
  }
  try {
    mkdirSync(dirname(TUN_FILE), { recursive: true });
    mknod(TUN_FILE, S_IFCHR | 0o600, TUN_DEVICE);
    return openSync(TUN_FILE, 'r+');
  } catch (error) {
    throw openError(error);
  }
}

function openError(error: unknown): unknown {
  const { errno } = error as NodeJS.ErrnoException;
  return errno === undefined ? error : new SocketError(`open ${TUN_FILE}`, -errno);
}

function compose({ type, flags, body }: NetlinkRequest, sequence: number): Uint8Array {
  const octets = Buffer.alloc(align(HEADER_BYTES + body.length));
  octets.writeUInt32LE(HEADER_BYTES + body.length, 0);
  octets.writeUInt16LE(type, 4);
  octets.writeUInt16LE(NLM_F_REQUEST | flags, 6);
  octets.writeUInt32LE(sequence, 8);
  octets.set(body, HEADER_BYTES);
  return octets;
}

function align(bytes: number): number {
  return (bytes + 3) & ~3;
}

interface Calls {
  socket(family: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, name: number, value: BigInt64Array, bytes: number): number;
  send(fd: number, octets: Uint8Array, bytes: number, flags: number): number;
  recv(fd: number, octets: Uint8Array, bytes: number, flags: number): number;
  close(fd: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  mknod(path: string, mode: number, device: number): number;
  errno(): number;
}

let bound: Calls | undefined;

/** Throws UserError where koffi does not load. */
function calls(): Calls {
  bound ??= bindCalls();
  return bound;
}

function bindCalls(): Calls {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const libc = koffi.load(null);
    return {
      socket: libc.func('int socket(int, int, int)'),
      setsockopt: libc.func('int setsockopt(int, int, int, void *, uint32_t)'),
      send: libc.func('long send(int, void *, size_t, int)'),
      recv: libc.func('long recv(int, void *, size_t, int)'),
      close: libc.func('int close(int)'),
      ioctl: libc.func('int ioctl(int, unsigned long, void *)'),
      mknod: libc.func('int mknod(const char *, unsigned int, unsigned long)'),
      errno: () => koffi.errno(),
    };
  } catch (error) {
    throw new UserError(`no system calls: koffi does not load: ${(error as Error).message}`, { cause: error });
  }
}
