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
  nowMs = 0;
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
    this.resend(flight, nowMs);
    return flight;
  }

  /** Begins the flight's next attempt. */
  resend(flight: number, nowMs: number): void {
    this.nowMs = nowMs;
    this.flights.begunMs[flight] = nowMs;
    assert.equal(this.pool.send(flight, nowMs), undefined);
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
      now: () => this.nowMs,
      octets: this.octets,
      ids: { next, below: () => 0 },
      upstreams: { connectUdp },
      readTimeoutMs: TIMEOUT_MS,
      expireMs: 60_000,
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
    core.resend(flight, TIMEOUT_MS);
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
  const perRound = 125;
  let rounds = 0;
  for (; core.closed.length === 0; rounds++) {
    assert.ok(rounds < 66, 'more than 8192 burnt ids');
    const nowMs = rounds * TIMEOUT_MS;
    const heard = 60_000 + rounds;
    core.draw(heard, ...Array.from({ length: perRound }, (_, i) => rounds * perRound + i));
    const flight = core.send(nowMs);
    for (let i = 0; i < perRound; i++) core.send(nowMs);
    core.receive(0, heard);
    core.flights.release(flight);
    core.pool.tick(nowMs + TIMEOUT_MS);
  }
  assert.deepEqual([rounds, core.listeners.length], [66, 1]);
  core.draw(1);
  core.send(rounds * TIMEOUT_MS);
  assert.deepEqual(core.sent.at(-1), { socket: 1, id: 1 });
});

/** Answers everything that socket 0 has sent since `from`. */
function answerFrom(core: Core, from: number): void {
  for (const { socket, id } of core.sent.slice(from)) core.receive(socket, id);
}

function drawMany(core: Core, count: number): void {
  core.draw(...Array.from({ length: count }, (_, i) => i + 1));
}

test('no more than 128 datagrams are on their way; the rest leave in order as replies come', () => {
  const core = new Core();
  drawMany(core, 600);
  const flights = Array.from({ length: 600 }, () => core.send(0));
  assert.equal(core.sent.length, 128);
  core.receive(0, core.sent[0]!.id);
  assert.equal(core.sent.length, 129);
  for (let from = 1; from < 600; from++) {
    core.receive(0, core.sent[from]!.id);
    assert.equal(core.sent.length, Math.min(600, from + 129));
  }
  // The ids of the fake count up, and so do the flights
  assert.deepEqual(core.replied, flights);
  // The window is open again, all of it
  drawMany(core, 600);
  for (let i = 0; i < 300; i++) core.send(0);
  assert.equal(core.sent.length, 600 + 128);
});

test('one that comes late does not pass those in line', () => {
  const core = new Core();
  drawMany(core, 300);
  const flights = Array.from({ length: 300 }, () => core.send(0));
  core.receive(0, core.sent[0]!.id);
  flights.push(core.send(1));
  core.draw(...Array.from({ length: 400 }, (_, i) => i + 1000));
  for (let i = 1; i < flights.length; i++) core.receive(0, core.sent[i]!.id);
  assert.deepEqual(core.replied, flights);
});

test('a silent upstream: all leave after a quarter of the timeout at the latest, and time out as if sent at once', () => {
  const core = new Core();
  drawMany(core, 600);
  for (let i = 0; i < 600; i++) core.send(0);
  core.pool.tick(TIMEOUT_MS / 4 - 1);
  assert.equal(core.sent.length, 128);
  core.pool.tick(TIMEOUT_MS / 4);
  assert.equal(core.sent.length, 600);
  core.pool.tick(TIMEOUT_MS - 1);
  assert.deepEqual(core.failed, []);
  core.pool.tick(TIMEOUT_MS);
  assert.equal(core.failed.length, 600);
  // What was lost does not count any more
  drawMany(core, 2000);
  const before = core.sent.length;
  for (let i = 0; i < 300; i++) core.send(TIMEOUT_MS);
  assert.equal(core.sent.length, before + 128);
});

test('a far upstream gets 64 more for each millisecond of a round trip', () => {
  const core = new Core();
  drawMany(core, 5000);
  core.send(0);
  core.nowMs = 20;
  answerFrom(core, 0);
  for (let i = 0; i < 3000; i++) core.send(20);
  assert.equal(core.sent.length, 1 + 128 + 20 * 64);
});

test('replies that a full window delays do not widen it, those of a quiet time do', () => {
  const core = new Core();
  drawMany(core, 5000);
  core.send(30_000);
  core.nowMs = 30_001;
  answerFrom(core, 0);
  for (let i = 0; i < 300; i++) core.send(50_000);
  assert.equal(core.sent.length, 1 + 192);
  core.nowMs = 50_020;
  answerFrom(core, 1);
  core.nowMs = 50_021;
  answerFrom(core, 1 + 192);
  for (let i = 0; i < 300; i++) core.send(50_021);
  assert.equal(core.sent.length, 301 + 192);
  core.nowMs = 50_041;
  answerFrom(core, 301);
  core.nowMs = 50_042;
  answerFrom(core, 301 + 192);
  core.send(70_000);
  core.nowMs = 70_020;
  core.receive(0, core.sent.at(-1)!.id);
  for (let i = 0; i < 2000; i++) core.send(70_020);
  assert.equal(core.sent.length, 601 + 1 + 128 + 20 * 64);
});

test('a refused upstream: those in line leave at once, elsewhere', () => {
  const core = new Core();
  drawMany(core, 300);
  for (let i = 0; i < 200; i++) core.send(0);
  core.listeners[0]!.onError('connection refused');
  assert.equal(core.failed.length, 128);
  assert.equal(core.sent.length, 200);
  core.listeners[1]!.onError('connection refused');
  assert.equal(core.failed.length, 200);
});

test('closing forgets those in line', () => {
  const core = new Core();
  drawMany(core, 300);
  for (let i = 0; i < 300; i++) core.send(0);
  core.pool.close();
  core.pool.tick(TIMEOUT_MS);
  assert.deepEqual([core.sent.length, core.failed, core.closed], [128, [], [0]]);
});
