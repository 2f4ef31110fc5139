// TCP by node:net: where koffi does not load (another system). The same calls, at the cost of Node's objects.

import { createServer, type Server, type Socket } from 'node:net';
import { keptCopy } from './kept-copy.ts';
import { decodeSocketAddress, encodeSocketAddress, SOCKADDR_IN6_BYTES, type SocketAddress } from './socket-address.ts';
import type { OnStream, Stream, StreamListener, StreamOwner } from './stream.ts';
import { isWildcard, ListenError } from './transport.ts';

const BACKLOG = 4096;

/** Rejects with ListenError. */
export async function listenNode(address: string, port: number, onStream: OnStream): Promise<StreamListener> {
  const hosts = isWildcard(address) ? ['::', '0.0.0.0'] : [address];
  for (;;) {
    const host = hosts.shift()!;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => take(socket, onStream));
    try {
      await listenOn(server, host, port);
      return new NodeListener(server, port);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const isIpv6Missing = code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL' || code === 'EINVAL';
      if (!isIpv6Missing || hosts.length === 0) throw new ListenError('tcp', address, port, error);
    }
  }
}

class NodeListener implements StreamListener {
  readonly port: number;
  readonly #server: Server;

  constructor(server: Server, port: number) {
    const address = server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : port;
    this.#server = server;
  }

  close(): void {
    this.#server.close();
  }
}

function take(socket: Socket, onStream: OnStream): void {
  const { remoteAddress, remotePort } = socket;
  // Gone already
  if (remoteAddress === undefined || remotePort === undefined) {
    socket.destroy();
    return;
  }
  const peer = new Uint8Array(SOCKADDR_IN6_BYTES);
  const bytes = encodeSocketAddress(peer, 0, unmapped(remoteAddress), remotePort);
  const stream = new NodeStream(socket, peer.subarray(0, bytes));
  const owner = onStream(stream);
  if (owner !== undefined) stream.start(owner);
}

class NodeStream implements Stream {
  readonly peer: Uint8Array;
  unsentWrites = 0;
  readonly #socket: Socket;
  #owner: StreamOwner | undefined;

  constructor(socket: Socket, peer: Uint8Array) {
    this.#socket = socket;
    this.peer = peer;
    // Resets and timeouts: 'close' follows
    socket.on('error', () => {});
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  get unreadBytes(): number {
    return this.#socket.readableLength;
  }

  start(owner: StreamOwner): void {
    this.#owner = owner;
    this.#socket.on('data', (chunk: Buffer) => owner.onData(chunk));
    this.#socket.on('end', () => owner.onEnd());
    this.#socket.on('close', () => owner.onClose());
  }

  local(): SocketAddress | undefined {
    const { localAddress, localPort } = this.#socket;
    if (localAddress === undefined || localPort === undefined) return undefined;
    const name = new Uint8Array(SOCKADDR_IN6_BYTES);
    encodeSocketAddress(name, 0, unmapped(localAddress), localPort);
    return decodeSocketAddress(name, 0);
  }

  write(octets: Uint8Array): void {
    this.unsentWrites++;
    this.#socket.write(keptCopy(octets), this.#written);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #written = (): void => {
    this.unsentWrites--;
    this.#owner?.onSent();
  };
}

function unmapped(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

function listenOn(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG, reusePort: hasReusePort(), ipv6Only: false, exclusive: true }, () => {
      server.off('error', reject);
      // A failed accept (descriptors used up) concerns one connection; the listener goes on
      server.on('error', () => {});
      resolve();
    });
  });
}

function hasReusePort(): boolean {
  return ['linux', 'freebsd', 'dragonfly', 'aix', 'sunos'].includes(process.platform);
}
