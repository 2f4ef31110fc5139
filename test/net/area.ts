// One shard area with its headers laid out, and no program: what transports work on.

import { fileURLToPath } from 'node:url';
import {
  CONTROL_MESSAGE_STRIDE,
  CONTROL_NATIVE_BASE,
  MMSGHDR_LEN,
  MMSGHDR_STRIDE,
  RECEIVE_CONTROLS,
  RECEIVE_HEADERS,
  RECEIVE_NAMES,
  RECEIVE_SLOTS,
  RECEIVE_STRIDE,
  SOCKADDR_STRIDE,
} from '../../engine-as/shared/layout.ts';
import { compileEngine, type Engine, instantiateEngine } from '../../host/engine/load.ts';
import { areaAt, createMemory, planMemory } from '../../host/engine/memory.ts';
import { decodeSocketAddress, type SocketAddress, sockaddrBytes } from '../../host/net/socket-address.ts';
import { nativeBaseOf } from '../../host/net/sockets.ts';
import { type BatchViews, batchViews, type QueuedReply, type UdpTransport } from '../../host/net/transport.ts';

const ENGINE = fileURLToPath(new URL('../../dist/engine.wasm', import.meta.url));

export class TestArea {
  readonly views: BatchViews;
  readonly nativeBase: bigint;
  readonly engine: Engine;
  readonly at: number;

  constructor() {
    const plan = planMemory(1);
    const memory = createMemory(plan, nativeBaseOf);
    this.at = areaAt(plan, 0);
    this.engine = instantiateEngine(compileEngine(ENGINE), memory);
    this.engine.prepareShard(this.at);
    this.views = batchViews(memory.buffer as SharedArrayBuffer, this.at);
    this.nativeBase = new DataView(memory.buffer).getBigUint64(CONTROL_NATIVE_BASE, true);
  }

  bytes(slot: number): number {
    return this.views.words[(this.at + RECEIVE_HEADERS + slot * MMSGHDR_STRIDE + MMSGHDR_LEN) >>> 2]!;
  }

  octets(slot: number): Uint8Array {
    const at = this.at + RECEIVE_SLOTS + slot * RECEIVE_STRIDE;
    return new Uint8Array(this.views.memory.subarray(at, at + this.bytes(slot)));
  }

  sender(slot: number): SocketAddress {
    return decodeSocketAddress(this.views.memory, this.at + RECEIVE_NAMES + slot * SOCKADDR_STRIDE);
  }

  /** The message of a slot as a reply to whoever sent it. */
  echo(slot: number, transport: UdpTransport): QueuedReply {
    const sockaddrAt = this.at + RECEIVE_NAMES + slot * SOCKADDR_STRIDE;
    return {
      messageAt: this.at + RECEIVE_SLOTS + slot * RECEIVE_STRIDE,
      bytes: this.bytes(slot),
      sockaddrAt,
      sockaddrBytes: sockaddrBytes(this.views.memory, sockaddrAt),
      controlAt: this.at + RECEIVE_CONTROLS + slot * CONTROL_MESSAGE_STRIDE,
      controlBytes: transport.controlBytes,
    };
  }

  /** What serve() does with the receive headers after a batch: with no listener in the program, count 0 arms none. */
  rearm(): void {
    this.engine.prepareShard(this.at);
  }
}
