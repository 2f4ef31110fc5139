// What a shard needs of TCP. Two makes: stream-native (system calls, one epoll descriptor for all connections, no object of
// Node's) and stream-node (node:net, where koffi does not load).

import type { Buffer } from 'node:buffer';
import type { SocketAddress } from './socket-address.ts';

/** One connection. Every call is harmless once it is closed. */
export interface Stream {
  /** The client's sockaddr; IPv4 is never in mapped form. */
  readonly peer: Uint8Array;
  /** Written, and not yet with the kernel. */
  readonly unsentBytes: number;
  /** In so many pieces. */
  readonly unsentWrites: number;
  /** Read, and not yet with the owner, because it is paused. */
  readonly unreadBytes: number;
  /** Which of our addresses the client has asked; undefined once it is closed. */
  local(): SocketAddress | undefined;
  /** The octets are the caller's again at once. */
  write(octets: Uint8Array): void;
  pause(): void;
  resume(): void;
  /** Sends no more than what is written; closes when the client, too, sends no more. */
  end(): void;
  /** Closes without more ado. */
  destroy(): void;
}

/** Who serves a connection. */
export interface StreamOwner {
  /** The chunk is valid during the call. */
  onData(chunk: Buffer): void;
  /** The client sends no more. */
  onEnd(): void;
  /** Some of what was unsent has left. */
  onSent(): void;
  /** It is closed, whoever did it; may come within any call. */
  onClose(): void;
}

/** Takes a new connection; undefined: it has destroyed it. */
export type OnStream = (stream: Stream) => StreamOwner | undefined;

export interface StreamListener {
  readonly port: number;
  /** Takes no more connections. */
  close(): void;
}
