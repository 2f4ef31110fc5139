// A query that leaves the engine and comes back with a reply, as the shard does it. For tests.

import { PROTO_TCP } from '../../engine-as/shared/codes.ts';
import * as layout from '../../engine-as/shared/layout.ts';
import { HANDOFF_REWRITTEN } from '../../engine-as/shared/layout.ts';
import type { EngineWorld } from './world.ts';

export interface Left {
  /** The message as it is saved. */
  readonly message: Uint8Array;
  /** Index of the step where it left. */
  readonly step: number;
  /** Ends it with this reply; undefined: the reply was none. */
  finish(reply: Uint8Array): Uint8Array | undefined;
  fail(rcode: number): Uint8Array;
}

/** Saves what the last ask() handed over, as a query over TCP. */
export function saveLast(world: EngineWorld): Left {
  const { area, engine, view } = world;
  const at = area + layout.EXCHANGES;
  const messageAt = at + layout.EXCHANGE_MESSAGE;
  const outAt = area + layout.LARGE_OUT;
  const handoff = area + layout.HANDOFFS;
  const word = (from: number) => view.getUint32(handoff + from, true);
  world.octets.fill(0, at, at + layout.EXCHANGE_STRIDE);
  view.setUint32(at + layout.EXCHANGE_PROTO, PROTO_TCP, true);
  view.setUint32(at + layout.EXCHANGE_ZONE, word(layout.HANDOFF_ZONE), true);
  view.setUint32(at + layout.EXCHANGE_STEP, word(layout.HANDOFF_STEP), true);
  world.octets.copyWithin(at + layout.EXCHANGE_SOCKADDR, area + layout.RECEIVE_NAMES, area + layout.RECEIVE_NAMES + 28);
  let bytes = word(layout.HANDOFF_BYTES);
  world.octets.copyWithin(messageAt, area + layout.LARGE_IN, area + layout.LARGE_IN + bytes);
  if (word(layout.HANDOFF_FLAGS) & HANDOFF_REWRITTEN) {
    bytes = engine.rewriteSaved(area, at, messageAt, bytes, outAt, 65535);
    world.octets.copyWithin(messageAt, outAt, outAt + bytes);
  }
  const taken = (length: number) => world.octets.slice(outAt, outAt + length);
  return {
    message: world.octets.slice(messageAt, messageAt + bytes),
    step: word(layout.HANDOFF_STEP),
    finish: (reply) => {
      world.octets.set(reply, area + layout.LARGE_IN);
      const length = engine.finish(area, at, messageAt, bytes, area + layout.LARGE_IN, reply.length, outAt, 65535, 1);
      return length >>> 0 === 0xffffffff ? undefined : taken(length);
    },
    fail: (rcode) => taken(engine.fail(area, at, messageAt, bytes, rcode, outAt, 1)),
  };
}
