// A million names and an upstream that says nothing: what waits is bounded, and so is what it leaves behind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ControlServices, Exchanges, ServerBlock, ShardServices } from '../../../host/plugin/contract.ts';
import { Forward, forward } from '../../../host/plugins/forward/forward.ts';
import { readerOf } from '../../corefile/reader-of.ts';
import { ManualClock } from './manual-clock.ts';
import { Counters } from './world.ts';

const NAMES = 1_000_000;
/** Queries at a time: more than one flight table holds. */
const WAVE = 70_000;
const STRIDE = 40;

/** Queries for `NNNNNNN.x`, one behind the other in memory. */
class ManyExchanges {
  readonly octets = new Uint8Array((WAVE + 1) * STRIDE);
  open = 0;
  failures = 0;
  readonly #numbers = new Uint32Array(WAVE + 1);

  begin(handle: number, number: number): void {
    const at = this.offset(handle);
    this.octets.set([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7], at);
    let rest = number;
    for (let digit = 6; digit >= 0; digit--) {
      this.octets[at + 13 + digit] = 0x30 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.octets.set([1, 0x78, 0, 0, 1, 0, 1], at + 20);
    this.#numbers[handle] = number;
    this.open++;
  }

  offset(handle: number): number {
    return handle * STRIDE;
  }

  bytes(): number {
    return 27;
  }

  hash(handle: number): number {
    return Math.imul(this.#numbers[handle]!, 0x9e3779b1) >>> 0;
  }

  isStream(): boolean {
    return false;
  }

  wantsAd(): boolean {
    return false;
  }

  fail(): void {
    this.open--;
    this.failures++;
  }
}

test('a million names and a silent upstream leave nothing behind', async () => {
  const exchanges = new ManyExchanges();
  const clock = new ManualClock();
  const counters = new Counters();
  let sockets = 0;
  let socketsMost = 0;
  const connectUdp = () => {
    socketsMost = Math.max(socketsMost, ++sockets);
    return { localAddress: '192.0.2.1:1053', send: () => true, close: () => void sockets-- };
  };
  const config = forward.parse(readerOf('forward', 'forward . 192.0.2.53 {\nmax_connect_attempts 1\nmax_fails 0\n}'));
  const words = new Int32Array(8);
  const control = forward.control!(
    config,
    { index: 0 } as ServerBlock,
    {
      shardCount: 1,
      metrics: counters.metrics,
      words,
      claimWord: () => 0,
      log: { withPrefix: () => ({ warning: () => undefined }) },
    } as unknown as ControlServices,
  );
  const services = {
    shard: 0,
    slots: counters,
    exchanges: exchanges as unknown as Exchanges,
    upstreams: { connectUdp },
    words,
  } as unknown as ShardServices;
  const plugin = new Forward(config, services, control.shared!, clock);
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for (let first = 0; first < NAMES; first += WAVE) {
    for (let i = 0; i < WAVE; i++) {
      exchanges.begin(i + 1, first + i);
      plugin.relay(i + 1);
    }
    most = Math.max(most, process.memoryUsage().arrayBuffers);
    assert.ok(exchanges.open <= 65_534, `${exchanges.open} queries wait`);
    clock.advance(2100);
    assert.equal(exchanges.open, 0);
  }
  assert.ok(exchanges.failures >= NAMES);
  assert.ok(socketsMost <= 32, `${socketsMost} sockets`);
  // Tables of ids of the sockets, flights and waiters, which grow by doubling, with as much garbage: 32 octets a name
  const limit = 32 << 20;
  assert.ok(most - before < limit, `${most - before} octets for what waits`);
  clock.advance(20_000);
  assert.equal(sockets, 0, 'idle sockets are closed');
  await plugin.stop();
});
