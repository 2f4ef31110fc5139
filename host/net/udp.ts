// Which UDP transport a shard uses.

import type { NativeSockets } from './sockets.ts';
import type { BatchViews, UdpTransport } from './transport.ts';
import { openUdpBatch, type UdpAddress } from './udp-batch.ts';
import { openUdpDgram } from './udp-dgram.ts';

export interface UdpOpening {
  /** Absent: node:dgram. */
  readonly sockets: NativeSockets | undefined;
  readonly views: BatchViews;
  /** The memory's address in the process, as the engine laid out the headers with. */
  readonly nativeBase: bigint;
}

/** Rejects with ListenError. */
export async function openUdp(opening: UdpOpening, address: UdpAddress): Promise<UdpTransport> {
  const { sockets, views, nativeBase } = opening;
  return sockets === undefined ? openUdpDgram(views, address, nativeBase) : openUdpBatch(sockets, views, address);
}
