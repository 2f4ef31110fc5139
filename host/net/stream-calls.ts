// The system calls of TCP connections, through koffi, and epoll(7), by which thousands of them cost the event loop one
// descriptor. On the path of each connection: results are a count, or the negative errno.

import { EINTR, EMFILE, SocketError } from './errno.ts';
import type { LedgerKeeper } from './ledger.ts';
import { AF_INET6, encodeSocketAddress } from './socket-address.ts';

export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
export const EPOLLET = 0x8000_0000;
/** Events of one look. */
export const EVENTS = 128;

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const EFD_CLOEXEC = 0o2000000;
const EPOLL_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_MOD = 3;
const SOCKADDR_ROOM = 32;
/** struct epoll_event { u32 events; u64 data; } is packed on x64 only. */
const DATA_AT = process.arch === 'x64' ? 4 : 8;
const EVENT_BYTES = DATA_AT + 8;

type Koffi = typeof import('koffi');

export class StreamCalls {
  /** The client's sockaddr, as the last accept() left it. */
  readonly peer: Uint8Array = new Uint8Array(SOCKADDR_ROOM);
  readonly #koffi: Koffi;
  readonly #ledger: LedgerKeeper | undefined;
  readonly #calls: Calls;
  readonly #word = new Int32Array(1);
  readonly #event = new DataView(new ArrayBuffer(EVENT_BYTES));
  readonly #events = new DataView(new ArrayBuffer(EVENT_BYTES * EVENTS));

  constructor(koffi: Koffi, ledger: LedgerKeeper | undefined) {
    this.#koffi = koffi;
    this.#ledger = ledger;
    this.#calls = bindCalls(koffi);
  }

  /** A listening socket, whose connections send at once what they are given. Throws SocketError, RangeError. */
  listen(family: number, address: string, port: number, backlog: number): number {
    const fd = this.#calls.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) throw this.#error('socket');
    try {
      const name = new Uint8Array(SOCKADDR_ROOM);
      const bytes = encodeSocketAddress(name, 0, address, port, family === AF_INET6);
      this.#option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
      this.#option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
      this.#option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
      if (family === AF_INET6) this.#option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
      if (this.#calls.bind(fd, name, bytes) < 0) throw this.#error('bind');
      if (this.#calls.listen(fd, backlog) < 0) throw this.#error('listen');
    } catch (error) {
      this.#calls.close(fd);
      throw error;
    }
    this.#enter(fd);
    return fd;
  }

  /** The next connection's descriptor; its client is told in `peer`. */
  accept(listening: number): number {
    this.#word[0] = SOCKADDR_ROOM;
    const fd = this.#calls.accept4(listening, this.peer, this.#word, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return -this.#koffi.errno();
    if (this.#ledger === undefined || this.#ledger.enter(fd)) return fd;
    this.#calls.close(fd);
    return -EMFILE;
  }

  /** @returns 0: the client sends no more. */
  recv(fd: number, octets: Uint8Array): number {
    for (;;) {
      const bytes = this.#calls.recv(fd, octets, octets.length, MSG_DONTWAIT);
      if (bytes >= 0) return bytes;
      const errno = this.#koffi.errno();
      if (errno !== EINTR) return -errno;
    }
  }

  send(fd: number, octets: Uint8Array): number {
    for (;;) {
      const bytes = this.#calls.send(fd, octets, octets.length, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (bytes >= 0) return bytes;
      const errno = this.#koffi.errno();
      if (errno !== EINTR) return -errno;
    }
  }

  /** Sends no more. */
  shutdown(fd: number): void {
    this.#calls.shutdown(fd, SHUT_WR);
  }

  /** epoll_create1(). Throws SocketError. */
  openPoll(): number {
    const fd = this.#calls.epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) throw this.#error('epoll_create1');
    this.#enter(fd);
    return fd;
  }

  /** A descriptor that stands for nothing; negative: there is none. */
  openSpare(): number {
    const fd = this.#calls.eventfd(0, EFD_CLOEXEC);
    if (fd >= 0) this.#enter(fd);
    return fd;
  }

  /** Looks out for `events` of a descriptor from now on; 0, or the negative errno. */
  pollAdd(poll: number, fd: number, events: number, slot: number, turn: number): number {
    return this.#control(poll, EPOLL_CTL_ADD, fd, events, slot, turn);
  }

  pollChange(poll: number, fd: number, events: number, slot: number, turn: number): number {
    return this.#control(poll, EPOLL_CTL_MOD, fd, events, slot, turn);
  }

  /** Without waiting: how many events there are, at most EVENTS. */
  pollEvents(poll: number): number {
    const count = this.#calls.epoll_wait(poll, this.#events, EVENTS, 0);
    return count < 0 ? 0 : count;
  }

  eventFlags(index: number): number {
    return this.#events.getUint32(index * EVENT_BYTES, true);
  }

  eventSlot(index: number): number {
    return this.#events.getUint32(index * EVENT_BYTES + DATA_AT, true);
  }

  eventTurn(index: number): number {
    return this.#events.getUint32(index * EVENT_BYTES + DATA_AT + 4, true);
  }

  #control(poll: number, operation: number, fd: number, events: number, slot: number, turn: number): number {
    this.#event.setUint32(0, events, true);
    this.#event.setUint32(DATA_AT, slot, true);
    this.#event.setUint32(DATA_AT + 4, turn, true);
    return this.#calls.epoll_ctl(poll, operation, fd, this.#event) < 0 ? -this.#koffi.errno() : 0;
  }

  #option(fd: number, level: number, name: number, value: number): void {
    this.#word[0] = value;
    if (this.#calls.setsockopt(fd, level, name, this.#word, 4) < 0) throw this.#error('setsockopt');
  }

  #enter(fd: number): void {
    this.#ledger?.enterOrClose(fd, this.#calls.close);
  }

  #error(call: string): SocketError {
    return new SocketError(call, this.#koffi.errno());
  }
}

interface Calls {
  socket(family: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, name: number, value: Int32Array, bytes: number): number;
  bind(fd: number, address: Uint8Array, bytes: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: Uint8Array, bytes: Int32Array, flags: number): number;
  recv(fd: number, octets: Uint8Array, bytes: number, flags: number): number;
  send(fd: number, octets: Uint8Array, bytes: number, flags: number): number;
  shutdown(fd: number, how: number): number;
  close(fd: number): number;
  eventfd(value: number, flags: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(poll: number, operation: number, fd: number, event: DataView): number;
  epoll_wait(poll: number, events: DataView, count: number, milliseconds: number): number;
}

function bindCalls(koffi: Koffi): Calls {
  const libc = koffi.load(null);
  return {
    socket: libc.func('int socket(int, int, int)'),
    setsockopt: libc.func('int setsockopt(int, int, int, void *, uint32_t)'),
    bind: libc.func('int bind(int, void *, uint32_t)'),
    listen: libc.func('int listen(int, int)'),
    accept4: libc.func('int accept4(int, void *, void *, int)'),
    recv: libc.func('long recv(int, void *, unsigned long, int)'),
    send: libc.func('long send(int, void *, unsigned long, int)'),
    shutdown: libc.func('int shutdown(int, int)'),
    close: libc.func('int close(int)'),
    eventfd: libc.func('int eventfd(unsigned int, int)'),
    epoll_create1: libc.func('int epoll_create1(int)'),
    epoll_ctl: libc.func('int epoll_ctl(int, int, int, void *)'),
    epoll_wait: libc.func('int epoll_wait(int, void *, int, int)'),
  };
}
