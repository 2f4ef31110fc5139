// TCP by system calls. A connection that asks one question and leaves costs accept4, recv, send, epoll_ctl, recv and close.
//
// epoll tells of changes only (EPOLLET): what has arrived unread is remembered in #mayRead, so that pausing and resuming
// are no system calls.

import { EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EINVAL, EMFILE, ENFILE, SocketError } from './errno.ts';
import { keptCopy } from './kept-copy.ts';
import { AF_INET, AF_INET6, type SocketAddress, sockaddrBytes } from './socket-address.ts';
import type { NativeSockets } from './sockets.ts';
import type { OnStream, Stream, StreamListener, StreamOwner } from './stream.ts';
import { EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP } from './stream-calls.ts';
import type { Polled, StreamPoll, Unread } from './stream-poll.ts';
import { isWildcard, ListenError } from './transport.ts';

const BACKLOG = 4096;
/** Accepted in one turn of the event loop, so that newcomers do not starve everybody else. */
const ACCEPTS_MAX = 32;
/** Read of one connection in one turn, if it ends there. */
const READS_MAX = 2;
const ENDS = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
const IN6_MAPPED_AT = 20;

/** What is read, by one connection at a time; its owner keeps copies. */
const CHUNK = Buffer.allocUnsafeSlow(65536);

/** Throws ListenError. */
export function listenNative(
  sockets: NativeSockets,
  poll: StreamPoll,
  { address, port }: { readonly address: string; readonly port: number },
  onStream: OnStream,
): StreamListener {
  try {
    const fd = isWildcard(address) ? listenWild(sockets, port) : listenAt(sockets, address, port);
    return new NativeListener(sockets, poll, fd, onStream);
  } catch (error) {
    throw new ListenError('tcp', address, port, error);
  }
}

function listenAt(sockets: NativeSockets, address: string, port: number): number {
  return sockets.streams.listen(address.includes(':') ? AF_INET6 : AF_INET, address, port, BACKLOG);
}

function listenWild(sockets: NativeSockets, port: number): number {
  try {
    return listenAt(sockets, '::', port);
  } catch (error) {
    const { errno } = error as SocketError;
    if (errno !== EAFNOSUPPORT && errno !== EADDRNOTAVAIL && errno !== EINVAL) throw error;
    return listenAt(sockets, '0.0.0.0', port);
  }
}

class NativeListener implements StreamListener, Polled {
  readonly port: number;
  readonly #sockets: NativeSockets;
  readonly #poll: StreamPoll;
  readonly #onStream: OnStream;
  readonly #slot: number;
  /** -1 once closed. */
  #fd: number;

  constructor(sockets: NativeSockets, poll: StreamPoll, fd: number, onStream: OnStream) {
    this.#sockets = sockets;
    this.#poll = poll;
    this.#fd = fd;
    this.#onStream = onStream;
    this.port = sockets.localAddress(fd).port;
    this.#slot = poll.add(fd, this, EPOLLIN);
    if (this.#slot >= 0) return;
    sockets.close(fd);
    throw new SocketError('epoll_ctl', -this.#slot);
  }

  onEvents(): void {
    const { streams } = this.#sockets;
    // An owner may close the listener
    for (let n = 0; n < ACCEPTS_MAX && this.#fd >= 0; n++) {
      const fd = streams.accept(this.#fd);
      if (fd >= 0) this.#take(fd);
      else if (fd === -EMFILE || fd === -ENFILE) {
        this.#poll.refuse(this.#fd);
        return;
      } else if (fd === -EAGAIN) return;
      // Else a connection that is gone already
    }
  }

  close(): void {
    if (this.#fd < 0) return;
    this.#poll.remove(this.#slot);
    this.#sockets.close(this.#fd);
    this.#fd = -1;
  }

  #take(fd: number): void {
    const stream = new NativeStream(this.#sockets, this.#poll, fd, peerOf(this.#sockets.streams.peer));
    const owner = this.#onStream(stream);
    if (owner !== undefined) stream.start(owner);
  }
}

/** A copy of a client's sockaddr as it is logged and matched: an IPv4 one in its own form. */
function peerOf(name: Uint8Array): Uint8Array {
  if (name[0] === AF_INET) return name.slice(0, sockaddrBytes(name, 0));
  for (let i = 8; i < 20; i++) {
    if (name[i] !== (i < 18 ? 0 : 0xff)) return name.slice(0, sockaddrBytes(name, 0));
  }
  const peer = new Uint8Array(16);
  peer[0] = AF_INET;
  peer[2] = name[2]!;
  peer[3] = name[3]!;
  peer.set(name.subarray(IN6_MAPPED_AT, IN6_MAPPED_AT + 4), 4);
  return peer;
}

class NativeStream implements Stream, Polled, Unread {
  readonly peer: Uint8Array;
  readonly unreadBytes = 0;
  unsentBytes = 0;
  readonly #sockets: NativeSockets;
  readonly #poll: StreamPoll;
  /** -1 once closed. */
  #fd: number;
  /** -1 before its first read. */
  #slot: number;
  #owner: StreamOwner | undefined;
  /** Undefined: nothing waits. */
  #unsent: Uint8Array[] | undefined;
  #isPaused: boolean;
  /** There may be something to read, of which no event will tell. */
  #mayRead: boolean;
  /** It is in line for the next turn. */
  #isInLine: boolean;
  /** The client has ended or broken the connection: behind what has arrived stands its end. */
  #isOver: boolean;
  #hasEnded: boolean;
  #isEnding: boolean;

  constructor(sockets: NativeSockets, poll: StreamPoll, fd: number, peer: Uint8Array) {
    this.#sockets = sockets;
    this.#poll = poll;
    this.#fd = fd;
    this.peer = peer;
    this.#slot = -1;
    this.#isPaused = false;
    this.#mayRead = true;
    this.#isInLine = false;
    this.#isOver = false;
    this.#hasEnded = false;
    this.#isEnding = false;
  }

  get unsentWrites(): number {
    return this.#unsent?.length ?? 0;
  }

  /** Reads what may be there already, then waits for more. */
  start(owner: StreamOwner): void {
    this.#owner = owner;
    this.#read();
    if (this.#fd < 0) return;
    const slot = this.#poll.add(this.#fd, this, this.#events());
    // No memory for one more: a connection that nobody listens to must not stay
    if (slot < 0) this.destroy();
    else this.#slot = slot;
  }

  onEvents(flags: number): void {
    if ((flags & ENDS) !== 0) this.#isOver = true;
    if ((flags & (EPOLLIN | ENDS)) !== 0) {
      this.#mayRead = true;
      if (!this.#isPaused && !this.#isInLine) this.#read();
    }
    if (this.#unsent !== undefined && (flags & (EPOLLOUT | EPOLLHUP | EPOLLERR)) !== 0) this.#sendMore();
  }

  readMore(): void {
    this.#isInLine = false;
    if (!this.#isPaused) this.#read();
  }

  local(): SocketAddress | undefined {
    return this.#fd < 0 ? undefined : decodedLocal(this.#sockets, this.#fd);
  }

  write(octets: Uint8Array): void {
    if (this.#fd < 0 || this.#isEnding) return;
    let sent = 0;
    if (this.#unsent === undefined) {
      sent = this.#sockets.streams.send(this.#fd, octets);
      if (sent === octets.length) return;
      if (sent < 0 && sent !== -EAGAIN) {
        this.destroy();
        return;
      }
      sent = Math.max(0, sent);
    }
    const rest = keptCopy(sent === 0 ? octets : octets.subarray(sent));
    this.unsentBytes += rest.length;
    if (this.#unsent !== undefined) {
      this.#unsent.push(rest);
      return;
    }
    this.#unsent = [rest];
    if (this.#slot >= 0 && !this.#poll.change(this.#fd, this.#slot, this.#events())) this.destroy();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#mayRead && this.#slot >= 0) this.#readLater();
  }

  end(): void {
    if (this.#fd < 0 || this.#isEnding) return;
    this.#isEnding = true;
    if (this.#unsent === undefined) this.#finish();
  }

  destroy(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    if (this.#slot >= 0) this.#poll.remove(this.#slot);
    this.#sockets.close(fd);
    this.#unsent = undefined;
    this.unsentBytes = 0;
    this.#owner?.onClose();
  }

  #events(): number {
    return EPOLLIN | EPOLLRDHUP | EPOLLET | (this.#unsent === undefined ? 0 : EPOLLOUT);
  }

  #read(): void {
    for (let n = 0; n < READS_MAX; n++) {
      if (this.#fd < 0 || this.#isPaused || this.#hasEnded) return;
      const bytes = this.#sockets.streams.recv(this.#fd, CHUNK);
      if (bytes > 0) {
        this.#mayRead = this.#isOver || bytes === CHUNK.length;
        this.#owner!.onData(CHUNK.subarray(0, bytes));
        if (!this.#mayRead) return;
      } else {
        this.#mayRead = false;
        if (bytes === 0) this.#endReading();
        else if (bytes !== -EAGAIN) this.destroy();
        return;
      }
    }
    if (this.#fd >= 0 && !this.#isPaused) this.#readLater();
  }

  #readLater(): void {
    if (this.#isInLine) return;
    this.#isInLine = true;
    this.#poll.readLater(this);
  }

  #endReading(): void {
    this.#hasEnded = true;
    if (this.#isEnding && this.#unsent === undefined) this.destroy();
    else this.#owner!.onEnd();
  }

  #sendMore(): void {
    const unsent = this.#unsent!;
    const before = this.unsentBytes;
    let done = 0;
    while (done < unsent.length) {
      const octets = unsent[done]!;
      const sent = this.#sockets.streams.send(this.#fd, octets);
      if (sent < 0) {
        if (sent === -EAGAIN) break;
        this.destroy();
        return;
      }
      this.unsentBytes -= sent;
      if (sent < octets.length) {
        unsent[done] = octets.subarray(sent);
        break;
      }
      done++;
    }
    if (done === unsent.length) this.#unsent = undefined;
    else unsent.splice(0, done);
    if (this.unsentBytes === before) return;
    this.#owner!.onSent();
    if (this.#isEnding && this.#fd >= 0 && this.#unsent === undefined) this.#finish();
  }

  /** All replies have left: closes, or says that no more will come. */
  #finish(): void {
    if (this.#hasEnded) this.destroy();
    else this.#sockets.streams.shutdown(this.#fd);
  }
}

function decodedLocal(sockets: NativeSockets, fd: number): SocketAddress | undefined {
  try {
    return sockets.localAddress(fd);
  } catch (error) {
    if (error instanceof SocketError) return undefined;
    throw error;
  }
}
