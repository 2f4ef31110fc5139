// Terminates shards whose heartbeat stands still.

import { SHARD_HEARTBEAT } from '../../engine-as/shared/layout.ts';
import { areaAt, type MemoryPlan } from './memory.ts';

/** A still heartbeat is believed after so many looks: a main thread that was itself held up looks only once. */
const LOOKS = 4;

interface Watched {
  readonly shard: number;
  readonly isRunning: boolean;
  /** 0 = it does not serve yet. */
  readonly generation: number;
  terminate(reason: string): void;
}

interface Pulse {
  beat: number;
  stillLooks: number;
  /** Has beaten or served since its start; loading the worker's code takes longer than a hang. */
  isAlive: boolean;
  wasRunning: boolean;
}

export class HangWatch {
  readonly #timer: NodeJS.Timeout;

  constructor(
    memory: WebAssembly.Memory,
    plan: MemoryPlan,
    shards: readonly Watched[],
    limits: { readonly hangMs: number; readonly requestMs: number },
  ) {
    const lookMs = limits.hangMs / LOOKS;
    const startLooks = Math.ceil(limits.requestMs / lookMs);
    const words = new Int32Array(memory.buffer);
    const pulses = shards.map((): Pulse => ({ beat: 0, stillLooks: 0, isAlive: false, wasRunning: false }));
    this.#timer = setInterval(() => {
      for (const [i, shard] of shards.entries()) {
        const pulse = pulses[i]!;
        const beat = Atomics.load(words, (areaAt(plan, shard.shard) + SHARD_HEARTBEAT) >>> 2);
        if (look(pulse, shard, beat, startLooks)) shard.terminate('it stood still');
      }
    }, lookMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

/** True = the shard hangs. */
function look(pulse: Pulse, { isRunning, generation }: Watched, beat: number, startLooks: number): boolean {
  if (!isRunning || !pulse.wasRunning) {
    pulse.wasRunning = isRunning;
    pulse.isAlive = false;
    pulse.stillLooks = 0;
    pulse.beat = beat;
    return false;
  }
  if (beat !== pulse.beat) {
    pulse.beat = beat;
    pulse.isAlive = true;
    pulse.stillLooks = 0;
    return false;
  }
  // It may hang in its first query, before it has beaten once
  if (generation !== 0) pulse.isAlive = true;
  pulse.stillLooks++;
  return pulse.stillLooks === (pulse.isAlive ? LOOKS : startLooks);
}
