// What forward needs of the shard's sockets beyond the contract.

import type { TcpUpstream, UdpUpstream } from '../../plugin/contract.ts';

/** Sockets that also take a message that is not in shared memory (health probes, the slow face). */
export interface MessageSender {
  /** Copies the message and sends it with another id and header word. False: not sent. */
  sendOctets(octets: Uint8Array, id: number, flags: number): boolean;
}

export type UdpSender = UdpUpstream & MessageSender;
export type TcpSender = TcpUpstream & MessageSender;
