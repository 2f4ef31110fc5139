// A forward plugin in a shard that has nothing else: real sockets, exchanges that the test fills and reads.

import { EXCHANGE_STRIDE, EXCHANGES } from '../../../engine-as/shared/layout.ts';
import { loadSockets, type NativeSockets } from '../../../host/net/sockets.ts';
import type { ControlServices, Plain, ServerBlock, ShardServices } from '../../../host/plugin/contract.ts';
import { createForward, Forward } from '../../../host/plugins/forward/forward.ts';
import { systemSchedule } from '../../../host/plugins/forward/health.ts';
import { ShardArea } from '../../../host/shard/area.ts';
import { UpstreamSockets } from '../../../host/shard/upstream.ts';
import { readerOf } from '../../corefile/reader-of.ts';
import { type Ended, FakeExchanges } from './fake-exchanges.ts';
import type { ManualClock } from './manual-clock.ts';

export type { Ended };

const EXCHANGES_MAX = 8192;
export const NATIVE = loadSockets();

export interface WorldOptions {
  readonly useNative?: boolean;
  /** The system's time by default. */
  readonly clock?: ManualClock;
  readonly plugins?: readonly string[];
}

export class World {
  readonly exchanges: FakeExchanges;
  readonly counters = new Counters();
  readonly plugin: Forward;
  readonly words = new Int32Array(new SharedArrayBuffer(64 * 4));

  /** @param body lines of the server block */
  constructor(body: string, options: WorldOptions = {}) {
    const pages = Math.ceil((EXCHANGES + EXCHANGES_MAX * EXCHANGE_STRIDE) / 65536);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const area = new ShardArea(memory as { buffer: SharedArrayBuffer }, 0);
    this.exchanges = new FakeExchanges(area.octets, EXCHANGES_MAX);
    const useNative = options.useNative ?? true;
    const sockets = useNative && !('unavailable' in NATIVE) ? (NATIVE as NativeSockets) : undefined;
    const directive = createForward({ mayLackUpstreams: true });
    const config = directive.parse(readerOf('forward', body));
    const block = { index: 0, zones: ['.'], plugins: options.plugins ?? ['forward'] } as unknown as ServerBlock;
    let wordCount = 0;
    const control = directive.control!(config, block, {
      shardCount: 2,
      metrics: this.counters.metrics,
      claimWord: () => wordCount++,
      words: this.words,
      log: { withPrefix: () => ({ warning: () => undefined }) },
    } as unknown as ControlServices);
    const services = {
      shard: 0,
      shardCount: 2,
      slots: this.counters,
      exchanges: this.exchanges,
      upstreams: new UpstreamSockets({ area, sockets }),
      words: this.words,
      notifyControl: (message: Plain) => control.onNotice(message),
    } as unknown as ShardServices;
    const parts = options.clock ?? { now: () => performance.now(), schedule: systemSchedule };
    this.plugin = new Forward(config, services, control.shared as never, parts);
  }

  /** Relays one query and resolves with how it ended. */
  ask(name: string, fields: Parameters<FakeExchanges['open']>[1] = {}): Promise<Ended> {
    return this.exchanges.ended(this.relay(name, fields));
  }

  relay(name: string, fields: Parameters<FakeExchanges['open']>[1] = {}): number {
    const handle = this.exchanges.open(name, fields);
    this.plugin.relay(handle);
    return handle;
  }
}

/** Counts by name and labels. */
export class Counters {
  readonly #keys: string[] = [];
  readonly #values = new Map<number, number>();

  readonly metrics = {
    slots: {
      observe: (slot: number, bounds: readonly number[], value: number) => this.observe(slot, bounds, value),
    },
    counter: (name: string, _help: string, labels: Record<string, string>) => this.#slot(name, labels),
    histogram: (name: string, _help: string, labels: Record<string, string>) => this.#slot(name, labels),
  };

  add(slot: number, amount: number): void {
    this.#values.set(slot, (this.#values.get(slot) ?? 0) + amount);
  }

  observe(slot: number, _bounds: readonly number[], value: number): void {
    if (!(value >= 0 && value < 100)) throw new Error(`a duration of ${value} s`);
    this.add(slot, 1);
  }

  /** Sum of all series whose key contains every part. */
  get(...parts: readonly string[]): number {
    let sum = 0;
    this.#keys.forEach((key, slot) => {
      if (parts.every((part) => key.includes(part))) sum += this.#values.get(slot) ?? 0;
    });
    return sum;
  }

  #slot(name: string, labels: Record<string, string>): number {
    const key = `${name} ${JSON.stringify(labels)}`;
    const known = this.#keys.indexOf(key);
    return known >= 0 ? known : this.#keys.push(key) - 1;
  }
}

/** Resolves when the condition holds; rejects after ten seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
