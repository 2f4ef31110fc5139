// The sockets towards one upstream by themselves: no network, ids that the test chooses.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UpstreamListener } from '../../../host/plugin/contract.ts';
import type { RelayCore } from '../../../host/plugins/forward/connection.ts';
import { Dialling } from '../../../host/plugins/forward/dialling.ts';
import { FlightTable } from '../../../host/plugins/forward/flights.ts';
import { UdpPool } from '../../../host/plugins/forward/udp-pool.ts';

const TIMEOUT_MS = 100;

interface Sent {
  readonly socket: number;
  readonly id: number;
}

/** A relay that notes what its sockets do. */
class Core {
  readonly flights = new FlightTable(1);
  readonly octets = new Uint8Array(12);
  readonly sent: Sent[] = [];
  readonly replied: number[] = [];
  readonly failed: number[] = [];
  readonly listeners: UpstreamListener[] = [];
  readonly closed: number[] = [];
  onFailed: (flight: number) => void = () => undefined;
  #ids: number[] = [];
  readonly pool = new UdpPool(
    this.#relayCore(),
    { index: 0, target: { text: '192.0.2.53:53' } as never },
    new Dialling(),
  );

  /** The ids that are drawn next. */
  draw(...ids: number[]): void {
    this.#ids = ids;
  }

  /** Sends a flight; returns its number. */
  send(nowMs: number): number {
    const flight = this.flights.claim(0);
    assert.equal(this.pool.send(flight, nowMs), undefined);
    return flight;
  }

  /** A message with the id arrives at the socket. */
  receive(socket: number, id: number): void {
    this.octets.set([id >> 8, id & 255]);
    this.listeners[socket]!.onMessage(0, this.octets.length);
  }

  #relayCore(): RelayCore {
    const next = (): number => this.#ids.shift() ?? assert.fail('an id too many was drawn');
    const connectUdp = (_target: unknown, listener: UpstreamListener) => {
      const socket = this.listeners.push(listener) - 1;
      return {
        localAddress: '192.0.2.1:1053',
        send: (_offset: number, _bytes: number, id: number) => this.sent.push({ socket, id }) > 0,
        close: () => this.closed.push(socket),
      };
    };
    return {
      flights: this.flights,
      octets: this.octets,
      ids: { next, below: () => 0 },
      upstreams: { connectUdp },
      readTimeoutMs: TIMEOUT_MS,
      expireMs: 10_000,
      maxAgeMs: 0,
      maxIdleConns: 1,
      messageOf: () => ({ offset: 0, bytes: 12, flags: 0, octets: undefined }),
      onReply: (flight: number) => this.replied.push(flight),
      onFailure: (flight: number) => {
        this.failed.push(flight);
        this.onFailed(flight);
      },
      countConnection: () => undefined,
    } as unknown as RelayCore;
  }
}

/** Flight 1 with id 7 was not answered in time, flight 2 was: without that the timeout would retire the socket. */
function withBurntId(core: Core): void {
  core.draw(7, 8);
  core.send(0);
  core.send(0);
  core.receive(0, 8);
  core.pool.tick(TIMEOUT_MS);
  assert.deepEqual([core.replied, core.failed, core.closed], [[2], [1], []]);
}

test('the id of a query that timed out is free again when its reply has come', () => {
  const core = new Core();
  withBurntId(core);
  core.draw(7, 5);
  const another = core.send(TIMEOUT_MS);
  assert.deepEqual(core.sent.at(-1), { socket: 0, id: 5 });
  core.receive(0, 7);
  assert.deepEqual(core.replied, [2]);
  core.draw(7);
  const last = core.send(TIMEOUT_MS);
  core.receive(0, 7);
  core.receive(0, 5);
  assert.deepEqual(core.replied, [2, last, another]);
});

test('the next attempt, made in the midst of the timeout, does not get the burnt id', () => {
  const core = new Core();
  core.onFailed = (flight) => {
    core.draw(7, 6);
    assert.equal(core.pool.send(flight, TIMEOUT_MS), undefined);
  };
  withBurntId(core);
  assert.deepEqual(core.sent.at(-1), { socket: 0, id: 6 });
  core.receive(0, 7);
  assert.deepEqual(core.replied, [2]);
  core.receive(0, 6);
  assert.deepEqual(core.replied, [2, 1]);
});

test('a socket with too many burnt ids is replaced', () => {
  const core = new Core();
  core.onFailed = (flight) => core.flights.release(flight);
  const perRound = 1000;
  let rounds = 0;
  for (; core.closed.length === 0; rounds++) {
    assert.ok(rounds < 9, 'nine thousand burnt ids');
    const nowMs = rounds * TIMEOUT_MS;
    const heard = 60_000 + rounds;
    core.draw(heard, ...Array.from({ length: perRound }, (_, i) => rounds * perRound + i));
    const flight = core.send(nowMs);
    for (let i = 0; i < perRound; i++) core.send(nowMs);
    core.receive(0, heard);
    core.flights.release(flight);
    core.pool.tick(nowMs + TIMEOUT_MS);
  }
  assert.deepEqual([rounds, core.listeners.length], [9, 1]);
  core.draw(1);
  core.send(rounds * TIMEOUT_MS);
  assert.deepEqual(core.sent.at(-1), { socket: 1, id: 1 });
});
