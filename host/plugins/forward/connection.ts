// What the sockets of a stanza tell the relay, and what they need to know of it.

import type { Upstreams } from '../../plugin/contract.ts';
import type { FlightTable } from './flights.ts';
import type { RandomIds } from './ids.ts';
import type { UpstreamTarget } from './targets.ts';

export const PROTOCOL_UDP = 0;
export const PROTOCOL_TCP = 1;

/** Where a flight's message stands: in shared memory, or as octets of its own (slow face). Filled by messageOf(). */
export interface FlightMessage {
  offset: number;
  bytes: number;
  /** Header word: flags of the query, AD included if the cache asked for it. */
  flags: number;
  octets: Uint8Array | undefined;
}

export interface RelayCore {
  readonly flights: FlightTable;
  readonly ids: RandomIds;
  readonly upstreams: Upstreams;
  readonly readTimeoutMs: number;
  readonly expireMs: number;
  readonly maxAgeMs: number;
  /** 0 = no limit */
  readonly maxIdleConns: number;
  /** The memory that replies stand in. */
  readonly octets: Uint8Array;
  now(): number;
  messageOf(flight: number): FlightMessage;
  /** Whether the message is a reply to the flight's question. */
  repeatsQuestion(flight: number, offset: number, bytes: number): boolean;
  /** The reply with the id of the flight's running attempt. */
  onReply(flight: number, offset: number, bytes: number, protocol: number): void;
  /** The running attempt has failed; `text` in CoreDNS's words. */
  onFailure(flight: number, text: string): void;
  /** TCP: the pooled connection was already closed by the peer; another one is due, at once. */
  onStale(flight: number): void;
  /** A connection was taken from the pool, or had to be opened. */
  countConnection(upstream: number, protocol: number, isPooled: boolean): void;
}

/** An upstream as the sockets see it. */
export interface PoolTarget {
  readonly index: number;
  readonly target: UpstreamTarget;
}
