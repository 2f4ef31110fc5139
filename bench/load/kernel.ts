/**
 * The system calls of the load generator, through koffi: Linux on x64 and arm64 (the structs and numbers below are
 * the same on both; asm-generic/socket.h, bits/socket.h). Addresses are plain numbers: user space ends below 2^47.
 */
import koffi from 'koffi';

const libc = koffi.load(null);

export const MMSGHDR_BYTES = 64;
export const IOVEC_BYTES = 16;
/** Where the kernel writes the length of a datagram it received: mmsghdr.msg_len. */
export const MMSGHDR_LENGTH_OFFSET = 56;
export const SOCKADDR_BYTES = 16;
const POLLFD_BYTES = 8;
const TIMESPEC_BYTES = 16;

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_LINGER = 13;
const SO_REUSEPORT = 15;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const IPPROTO_TCP = 6;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const TCP_NODELAY = 1;
const PR_SET_TIMERSLACK = 29;
const POLLIN = 1;

export const MSG_DONTWAIT = 0x40;
export const MSG_WAITFORONE = 0x10000;
export const MSG_NOSIGNAL = 0x4000;
export const EAGAIN = 11;
export const EINPROGRESS = 115;
const SOCKET_BUFFER_BYTES = 4 << 20;

type Call = (...words: number[]) => number;
const call = (definition: string): Call => libc.func(definition) as unknown as Call;

const socket = call('int socket(int, int, int)');
const setsockopt = call('int setsockopt(int, int, int, uintptr_t, uint32_t)');
const bindTo = call('int bind(int, uintptr_t, uint32_t)');
const connectTo = call('int connect(int, uintptr_t, uint32_t)');
const ppoll = call('int ppoll(uintptr_t, unsigned long, uintptr_t, uintptr_t)');
const prctl = call('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
export const close = call('int close(int)');
/** (fd, address of the first mmsghdr, count, flags, timespec or 0) -> datagrams received, or -1 */
export const recvmmsg = call('int recvmmsg(int, uintptr_t, unsigned int, int, uintptr_t)');
/** (fd, address of the first mmsghdr, count, flags) -> datagrams sent, or -1 */
export const sendmmsg = call('int sendmmsg(int, uintptr_t, unsigned int, int)');
/** (fd, address, bytes, flags) -> bytes, 0 = the other side closed, -1 = see errno() */
export const recv = call('long recv(int, uintptr_t, unsigned long, int)');
export const send = call('long send(int, uintptr_t, unsigned long, int)');
export const errno = (): number => koffi.errno();

/** Octets outside the garbage collector's reach, at an address that never moves. */
export interface Region {
  readonly octets: Uint8Array;
  readonly words: Uint32Array;
  readonly view: DataView;
  readonly at: number;
}

export function region(bytes: number): Region {
  const buffer = new ArrayBuffer((bytes + 4095) & ~4095);
  const octets = new Uint8Array(buffer);
  return {
    octets,
    words: new Uint32Array(buffer),
    view: new DataView(buffer),
    at: Number(koffi.address(octets)),
  };
}

/** A 64-bit little-endian word; `value` is an address or a length below 2^53. */
export function writeWord(target: Region, offset: number, value: number): void {
  target.view.setUint32(offset, value % 0x1_0000_0000, true);
  target.view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
}

const option = region(16);
const endpoint = region(SOCKADDR_BYTES);

function setOption(fd: number, level: number, name: number, value: number): boolean {
  option.view.setInt32(0, value, true);
  return setsockopt(fd, level, name, option.at, 4) === 0;
}

/** struct sockaddr_in of 127.0.0.1: family, port (network order), address. */
function loopback(port: number): number {
  endpoint.octets.fill(0);
  endpoint.octets.set([AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1]);
  return endpoint.at;
}

function fail(what: string, port: number): never {
  throw new Error(`${what} 127.0.0.1:${port}: errno ${errno()}`);
}

/** FORCE goes past net.core.[rw]mem_max but needs CAP_NET_ADMIN; the plain option is the fallback. */
function widen(fd: number): void {
  if (!setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER_BYTES)) {
    setOption(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER_BYTES);
  }
  if (!setOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER_BYTES)) {
    setOption(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES);
  }
}

export function connectUdp(port: number): number {
  const fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) fail('socket', port);
  widen(fd);
  if (connectTo(fd, loopback(port), SOCKADDR_BYTES) !== 0) fail('connect', port);
  return fd;
}

/** What is sent from now on is cut into datagrams of `bytes` octets by the kernel: its way to the server is paid once. */
export function cutInto(fd: number, bytes: number): void {
  if (!setOption(fd, SOL_UDP, UDP_SEGMENT, bytes)) throw new Error(`UDP_SEGMENT ${bytes}: errno ${errno()}`);
}

/** A blocking socket bound to 127.0.0.1; port 0 is not useful here, the caller must know the port. */
export function bindUdp(port: number): number {
  const fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) fail('socket', port);
  setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  widen(fd);
  if (bindTo(fd, loopback(port), SOCKADDR_BYTES) !== 0) fail('bind', port);
  return fd;
}

/** Non-blocking; the connection may still be under way: send() says EAGAIN or ENOTCONN until it stands. */
export function connectTcp(port: number): number {
  const fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) fail('socket', port);
  setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (connectTo(fd, loopback(port), SOCKADDR_BYTES) !== 0 && errno() !== EINPROGRESS) fail('connect', port);
  return fd;
}

/** close() that sends RST: thousands of connections a second leave no TIME_WAIT behind to run out of ports. */
export function abort(fd: number): void {
  option.view.setInt32(0, 1, true);
  option.view.setInt32(4, 0, true);
  setsockopt(fd, SOL_SOCKET, SO_LINGER, option.at, 8);
  close(fd);
}

/** Waits for input on a fixed number of sockets; the list is laid out once and may be patched per slot. */
export interface Waiter {
  set(slot: number, fd: number): void;
  /** Returns the count of readable sockets, 0 after `milliseconds`. */
  wait(milliseconds: number): number;
  isReady(slot: number): boolean;
}

export function waiter(fds: readonly number[]): Waiter {
  const polls = region(fds.length * POLLFD_BYTES);
  const timeout = region(TIMESPEC_BYTES);
  const set = (slot: number, fd: number): void => {
    polls.view.setInt32(slot * POLLFD_BYTES, fd, true);
    polls.view.setInt16(slot * POLLFD_BYTES + 4, POLLIN, true);
  };
  for (const [slot, fd] of fds.entries()) set(slot, fd);
  return {
    set,
    wait(milliseconds) {
      const seconds = Math.floor(milliseconds / 1000);
      writeWord(timeout, 0, seconds);
      writeWord(timeout, 8, Math.max(0, Math.round((milliseconds - seconds * 1000) * 1e6)));
      return ppoll(polls.at, fds.length, timeout.at, 0);
    },
    isReady: (slot) => polls.octets[slot * POLLFD_BYTES + 6] !== 0,
  };
}

/** Short sleeps end on time instead of up to 50 us late (the kernel's default timer slack). */
export function sleepPrecisely(): void {
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}
