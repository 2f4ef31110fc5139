// What forward needs of the house beyond the contract's general part.

import { SHARDS_MAX } from '../../../engine-as/shared/layout.ts';
import type { ControlServices, TcpUpstream, UdpUpstream } from '../../plugin/contract.ts';

/** Sockets that also take a message that is not in shared memory (health probes, the slow face). */
export interface MessageSender {
  /** Copies the message and sends it with another id and header word. False: not sent. */
  sendOctets(octets: Uint8Array, id: number, flags: number): boolean;
}

export type UdpSender = UdpUpstream & MessageSender;
export type TcpSender = TcpUpstream & MessageSender;

/** How many shards there may be; a server that does not say gets words for all that are possible. */
export function shardCountOf(services: ControlServices & { readonly shardCount?: number }): number {
  return services.shardCount ?? SHARDS_MAX;
}
