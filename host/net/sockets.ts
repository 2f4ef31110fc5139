// The system calls of UDP with batches, and what TCP shares with it, through koffi: thin, one function a call. Nothing
// here knows DNS.
//
// Set-up calls throw SocketError; recvmmsg() and sendmmsg() return a count or the negative errno, because they stand
// on the path of every query. Every descriptor is entered in the thread's ledger (ledger.ts).

import { createRequire } from 'node:module';
import { EBADF, EINTR, SocketError } from './errno.ts';
import { type DescriptorLedger, LedgerKeeper } from './ledger.ts';
import { decodeSocketAddress, encodeSocketAddress, type SocketAddress } from './socket-address.ts';
import { StreamCalls } from './stream-calls.ts';

// Linux, asm-generic numbers
export const SOL_SOCKET = 1;
export const SO_ERROR = 4;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_REUSEPORT = 15;
export const IPPROTO_IP = 0;
export const IP_PKTINFO = 8;
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const POLLOUT = 4;
const SOCKADDR_ROOM = 32;

/** Machines whose Linux uses the numbers above and 64-bit little-endian structs. */
const ARCHITECTURES: readonly string[] = ['x64', 'arm64', 'riscv64', 'loong64'];

/** A running uv_poll; closing it does not close the descriptor. */
export interface Watch {
  close(): void;
}

export interface NativeSockets {
  readonly streams: StreamCalls;
  /** Address of a buffer in the process, the same in every thread for shared memory. */
  addressOf(octets: Uint8Array): bigint;
  /** A non-blocking UDP socket of AF_INET or AF_INET6. Throws SocketError. */
  openDatagram(family: number): number;
  /** setsockopt() of an int. Throws SocketError. */
  setOption(fd: number, level: number, name: number, value: number): void;
  /** getsockopt() of an int; SO_ERROR also clears the error. */
  option(fd: number, level: number, name: number): number;
  /** @param family of the socket: an AF_INET6 one gets IPv4 addresses in mapped form. Throws SocketError, RangeError. */
  bind(fd: number, family: number, address: string, port: number): void;
  connect(fd: number, family: number, address: string, port: number): void;
  /** getsockname() */
  localAddress(fd: number): SocketAddress;
  /**
   * Without waiting. `headers` is an array of struct mmsghdr in memory that stays where it is.
   * @returns messages read, or the negative errno (-EAGAIN: nothing there).
   */
  recvmmsg(fd: number, headers: Uint8Array, count: number): number;
  /** @returns messages sent, at least 1, or the negative errno of the first one. */
  sendmmsg(fd: number, headers: Uint8Array, count: number): number;
  /** Waits until the socket takes data again, at most `milliseconds`; false: it does not. */
  waitWritable(fd: number, milliseconds: number): boolean;
  /** Sleeps for so long and the timer slack of the thread. */
  pause(microseconds: number): void;
  close(fd: number): void;
  /** Calls back when there is something to read, as long as the Watch is open. */
  watchReadable(fd: number, onReadable: () => void): Watch;
  /** Puts a descriptor that is never readable in the place of this one. */
  mute(fd: number): void;
  /** _exit() */
  exit(code: number): void;
  /** mallopt(M_ARENA_MAX): malloc arenas of glibc from now on; does nothing where libc has no such call. */
  limitArenas(count: number): void;
  /** malloc_trim(): gives free pages back to the kernel. */
  trimHeap(): void;
  /** madvise(MADV_DONTNEED): the pages of a mapped file are mapped again when they are next used. */
  unmapPages(address: number, bytes: number): void;
  /** madvise(MADV_DONTNEED): the pages that lie wholly within cost no memory, and read 0, until they are written again. */
  discard(octets: Uint8Array): void;
}

/**
 * Closes all watches of the calling thread. A thread that is about to die of an uncaught exception must do it: koffi
 * aborts the process when a watch fires in an environment that can run no more JavaScript.
 */
export function closeWatches(): void {
  for (const watch of [...WATCHES]) watch.close();
}

/** Loads koffi; undefined with the reason where it or the platform's numbers are not available. */
export function loadSockets(ledger?: DescriptorLedger): NativeSockets | { readonly unavailable: string } {
  if (process.platform !== 'linux') return { unavailable: `no batched system calls on ${process.platform}` };
  if (!ARCHITECTURES.includes(process.arch)) return { unavailable: `no batched system calls on ${process.arch}` };
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    return new KoffiSockets(koffi, ledger);
  } catch (error) {
    return { unavailable: `koffi does not load: ${(error as Error).message.split('\n')[0]}` };
  }
}

/**
 * Ends the process without unwinding its threads: a shard inside one of the calls above would abort it otherwise. Nothing
 * is flushed; what was written to stdout and stderr is out already.
 */
export function exitAtOnce(code: number): never {
  const sockets = loadSockets();
  if (!('unavailable' in sockets)) sockets.exit(code);
  process.exit(code);
}

/** Address of a WebAssembly memory in this process; 0n where native calls are not available. */
export function nativeBaseOf(memory: WebAssembly.Memory): bigint {
  const sockets = loadSockets();
  return 'unavailable' in sockets ? 0n : sockets.addressOf(new Uint8Array(memory.buffer));
}

type Koffi = typeof import('koffi');

const M_ARENA_MAX = -8;
const MADV_DONTNEED = 4;
/** The largest page that Linux has on these machines. */
const PAGE_BYTES = 65536n;
const EFD_CLOEXEC = 0o2000000;
/** uv_poll handles that must not be collected: a collected one silences its socket. */
const WATCHES = new Set<Watch>();

class KoffiSockets implements NativeSockets {
  readonly streams: StreamCalls;
  readonly #koffi: Koffi;
  readonly #ledger: LedgerKeeper | undefined;
  readonly #calls: Calls;
  readonly #scratch = new Uint8Array(SOCKADDR_ROOM);
  readonly #word = new Int32Array(2);

  constructor(koffi: Koffi, ledger: DescriptorLedger | undefined) {
    this.#koffi = koffi;
    this.#ledger = ledger === undefined ? undefined : new LedgerKeeper(ledger);
    this.#calls = bindCalls(koffi);
    this.streams = new StreamCalls(koffi, this.#ledger);
  }

  addressOf(octets: Uint8Array): bigint {
    return this.#koffi.address(octets);
  }

  openDatagram(family: number): number {
    const fd = this.#calls.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) throw this.#error('socket');
    this.#enter(fd);
    return fd;
  }

  setOption(fd: number, level: number, name: number, value: number): void {
    this.#word[0] = value;
    if (this.#calls.setsockopt(fd, level, name, this.#word, 4) < 0) throw this.#error('setsockopt');
  }

  option(fd: number, level: number, name: number): number {
    this.#word[1] = 4;
    if (this.#calls.getsockopt(fd, level, name, this.#word, this.#word.subarray(1)) < 0)
      throw this.#error('getsockopt');
    return this.#word[0]!;
  }

  bind(fd: number, family: number, address: string, port: number): void {
    const bytes = encodeSocketAddress(this.#scratch, 0, address, port, family !== 2);
    if (this.#calls.bind(fd, this.#scratch, bytes) < 0) throw this.#error('bind');
  }

  connect(fd: number, family: number, address: string, port: number): void {
    const bytes = encodeSocketAddress(this.#scratch, 0, address, port, family !== 2);
    if (this.#calls.connect(fd, this.#scratch, bytes) < 0) throw this.#error('connect');
  }

  localAddress(fd: number): SocketAddress {
    this.#word[0] = SOCKADDR_ROOM;
    if (this.#calls.getsockname(fd, this.#scratch, this.#word) < 0) throw this.#error('getsockname');
    return decodeSocketAddress(this.#scratch, 0);
  }

  recvmmsg(fd: number, headers: Uint8Array, count: number): number {
    for (;;) {
      const read = this.#calls.recvmmsg(fd, headers, count, MSG_DONTWAIT, null);
      if (read >= 0) return read;
      const errno = this.#koffi.errno();
      if (errno !== EINTR) return -errno;
    }
  }

  sendmmsg(fd: number, headers: Uint8Array, count: number): number {
    for (;;) {
      const sent = this.#calls.sendmmsg(fd, headers, count, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent >= 0) return sent;
      const errno = this.#koffi.errno();
      if (errno !== EINTR) return -errno;
    }
  }

  waitWritable(fd: number, milliseconds: number): boolean {
    // struct pollfd { int fd; short events; short revents; }
    this.#word[0] = fd;
    this.#word[1] = POLLOUT;
    return this.#calls.poll(this.#word, 1, milliseconds) > 0 && this.#word[1]! >>> 16 === POLLOUT;
  }

  pause(microseconds: number): void {
    this.#calls.usleep(microseconds);
  }

  close(fd: number): void {
    // Out of the ledger first: a thread killed in between leaks one descriptor, the other order could close a stranger's
    this.#ledger?.leave(fd);
    if (this.#calls.close(fd) < 0 && this.#koffi.errno() === EBADF) throw new SocketError('close', EBADF);
  }

  watchReadable(fd: number, onReadable: () => void): Watch {
    // Work inside koffi's callback could not be terminated without aborting the process, and would leave promise jobs
    // standing: an immediate of the same turn does it. What is unread calls again.
    let isDue = false;
    const run = (): void => {
      isDue = false;
      if (WATCHES.has(watch)) onReadable();
    };
    const handle = this.#koffi.node.poll(fd, { readable: true }, () => {
      if (isDue) return;
      isDue = true;
      setImmediate(run);
    });
    const watch = {
      close: () => {
        if (!WATCHES.delete(watch)) return;
        handle.stop();
        handle.close();
      },
    };
    WATCHES.add(watch);
    return watch;
  }

  mute(fd: number): void {
    const silent = this.#calls.eventfd(0, EFD_CLOEXEC);
    if (silent < 0) return;
    this.#calls.dup2(silent, fd);
    this.#calls.close(silent);
  }

  exit(code: number): void {
    this.#calls._exit(code);
  }

  limitArenas(count: number): void {
    this.#optional('int mallopt(int, int)')?.(M_ARENA_MAX, count);
  }

  trimHeap(): void {
    this.#optional('int malloc_trim(size_t)')?.(0);
  }

  unmapPages(address: number, bytes: number): void {
    this.#optional('int madvise(uintptr_t, size_t, int)')?.(address, bytes, MADV_DONTNEED);
  }

  discard(octets: Uint8Array): void {
    const at = this.addressOf(octets);
    const first = ((at + PAGE_BYTES - 1n) / PAGE_BYTES) * PAGE_BYTES;
    const end = ((at + BigInt(octets.length)) / PAGE_BYTES) * PAGE_BYTES;
    if (end > first) this.#calls.madvise(first, end - first, MADV_DONTNEED);
  }

  /** A call that other C libraries than glibc lack. */
  #optional(prototype: string): ((...values: number[]) => number) | undefined {
    try {
      return this.#koffi.load(null).func(prototype) as (...values: number[]) => number;
    } catch {
      return undefined;
    }
  }

  #error(call: string): SocketError {
    return new SocketError(call, this.#koffi.errno());
  }

  #enter(fd: number): void {
    this.#ledger?.enterOrClose(fd, this.#calls.close);
  }
}

interface Calls {
  socket(family: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, name: number, value: Int32Array, bytes: number): number;
  getsockopt(fd: number, level: number, name: number, value: Int32Array, bytes: Int32Array): number;
  bind(fd: number, address: Uint8Array, bytes: number): number;
  connect(fd: number, address: Uint8Array, bytes: number): number;
  getsockname(fd: number, address: Uint8Array, bytes: Int32Array): number;
  recvmmsg(fd: number, headers: Uint8Array, count: number, flags: number, timeout: null): number;
  sendmmsg(fd: number, headers: Uint8Array, count: number, flags: number): number;
  poll(entries: Int32Array, count: number, milliseconds: number): number;
  usleep(microseconds: number): number;
  close(fd: number): number;
  eventfd(value: number, flags: number): number;
  dup2(from: number, to: number): number;
  _exit(code: number): void;
  madvise(address: bigint, bytes: bigint, advice: number): number;
}

function bindCalls(koffi: Koffi): Calls {
  const libc = koffi.load(null);
  return {
    socket: libc.func('int socket(int, int, int)'),
    setsockopt: libc.func('int setsockopt(int, int, int, void *, uint32_t)'),
    getsockopt: libc.func('int getsockopt(int, int, int, void *, void *)'),
    bind: libc.func('int bind(int, void *, uint32_t)'),
    connect: libc.func('int connect(int, void *, uint32_t)'),
    getsockname: libc.func('int getsockname(int, void *, void *)'),
    recvmmsg: libc.func('int recvmmsg(int, void *, uint32_t, int, void *)'),
    sendmmsg: libc.func('int sendmmsg(int, void *, uint32_t, int)'),
    poll: libc.func('int poll(void *, unsigned long, int)'),
    usleep: libc.func('int usleep(uint32_t)'),
    close: libc.func('int close(int)'),
    eventfd: libc.func('int eventfd(unsigned int, int)'),
    dup2: libc.func('int dup2(int, int)'),
    _exit: libc.func('void _exit(int)'),
    madvise: libc.func('int madvise(uintptr_t, size_t, int)'),
  };
}
