// EDNS options that replies echo beside those that CoreDNS's core knows: one bit for each code in shared memory, made
// when the first plugin asks for it and never taken back.

import {
  OPTION_COOKIE,
  OPTION_EXPIRE,
  OPTION_KEEPALIVE,
  OPTION_NSID,
  OPTION_PADDING,
} from '../../engine-as/shared/codes.ts';
import { CONTROL_ECHOES, ECHO_BYTES } from '../../engine-as/shared/layout.ts';
import { MemoryExhausted, type Writer } from './records.ts';

const ALWAYS: ReadonlySet<number> = new Set([
  ...[OPTION_NSID, OPTION_EXPIRE, OPTION_COOKIE, OPTION_KEEPALIVE, OPTION_PADDING],
]);

/** Main thread only. */
export function echoOption({ engine, memory }: Writer, code: number): void {
  let at = echoesAt(memory);
  if (at === 0) {
    at = engine.arenaAllocate(ECHO_BYTES) >>> 0;
    if (at === 0) throw new MemoryExhausted();
    new Uint8Array(memory.buffer, at, ECHO_BYTES).fill(0);
    Atomics.store(new Uint32Array(memory.buffer, 0, CONTROL_ECHOES / 4 + 1), CONTROL_ECHOES / 4, at);
  }
  Atomics.or(new Uint8Array(memory.buffer, at, ECHO_BYTES), code >> 3, 1 << (code & 7));
}

export function isEchoed(memory: WebAssembly.Memory, code: number): boolean {
  if (ALWAYS.has(code)) return true;
  const at = echoesAt(memory);
  return at !== 0 && (new Uint8Array(memory.buffer, at, ECHO_BYTES)[code >> 3]! & (1 << (code & 7))) !== 0;
}

function echoesAt(memory: WebAssembly.Memory): number {
  return Atomics.load(new Uint32Array(memory.buffer, 0, CONTROL_ECHOES / 4 + 1), CONTROL_ECHOES / 4);
}
