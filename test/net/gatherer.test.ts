// A busy socket's reads wait for more, where that costs its clients nothing: a socket, its clients and a server in
// simulated time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BATCH } from '../../engine-as/shared/layout.ts';
import { DECISION_MS, Gatherer, PAIRS, RATE_MIN, SPAN_MS } from '../../host/net/gatherer.ts';
import { loadSockets, type NativeSockets } from '../../host/net/sockets.ts';
import { openUdpBatch } from '../../host/net/udp-batch.ts';
import { TestArea } from './area.ts';

/** What the server needs: to wake up and read, for each datagram, and for a wait. */
const READ_MS = 0.005;
const MESSAGE_MS = 0.002;
const WAIT_MS = 0.06;
/** From a reply to the client's next query. */
const CLIENT_MS = 0.02;
const TRIAL_MS = 2 * PAIRS * SPAN_MS;

/** Datagrams that arrive at a socket. */
interface Clients {
  /** How many came until then, and nobody read. */
  arrived(nowMs: number): number;
  /** When the next one comes, if none is there. */
  next(nowMs: number): number;
  read(count: number, nowMs: number): void;
}

/** So many a millisecond, whatever the server does. */
class Steady implements Clients {
  readonly rate: number;
  #read = 0;

  constructor(rate: number) {
    this.rate = rate;
  }

  arrived(nowMs: number): number {
    return Math.floor(nowMs * this.rate) - this.#read;
  }

  next(nowMs: number): number {
    return Math.max(nowMs, (this.#read + 1) / this.rate);
  }

  read(count: number): void {
    this.#read += count;
  }
}

/** So many in flight: the next query is sent when a reply has come. */
class Window implements Clients {
  readonly #due: number[];

  constructor(inFlight: number) {
    this.#due = Array.from({ length: inFlight }, () => 0);
  }

  arrived(nowMs: number): number {
    return this.#due.filter((due) => due <= nowMs).length;
  }

  next(nowMs: number): number {
    return Math.max(nowMs, this.#due[0]!);
  }

  read(count: number, nowMs: number): void {
    this.#due.splice(0, count);
    for (let i = 1; i <= count; i++) this.#due.push(nowMs + i * MESSAGE_MS + CLIENT_MS);
  }
}

interface Served {
  readonly reads: number;
  readonly waits: number;
  readonly datagrams: number;
}

class Server {
  readonly #gatherer: Pick<Gatherer, 'isDue' | 'note'>;
  nowMs = 0;

  constructor(gatherer: Pick<Gatherer, 'isDue' | 'note'> = new Gatherer()) {
    this.#gatherer = gatherer;
  }

  /** @param isStolen whether something else has the processor then, for a whole span */
  serve(clients: Clients, milliseconds: number, isStolen: (nowMs: number) => boolean = () => false): Served {
    let reads = 0;
    let waits = 0;
    let datagrams = 0;
    for (const end = this.nowMs + milliseconds; this.nowMs < end; ) {
      this.nowMs = clients.next(this.nowMs);
      if (isStolen(this.nowMs)) this.nowMs += SPAN_MS;
      if (this.#gatherer.isDue) {
        this.nowMs += WAIT_MS;
        waits++;
      }
      this.nowMs += READ_MS;
      const count = Math.min(BATCH, clients.arrived(this.nowMs));
      this.#gatherer.note(count, this.nowMs);
      clients.read(count, this.nowMs);
      this.nowMs += count * MESSAGE_MS;
      reads++;
      datagrams += count;
    }
    return { reads, waits, datagrams };
  }
}

const neverWaiting = { isDue: false, note: (): void => undefined };

test('below the rate no read waits', () => {
  const server = new Server();
  const { waits } = server.serve(new Steady(RATE_MIN * 0.8), 3 * DECISION_MS);
  assert.equal(waits, 0);
});

test('many datagrams from clients that do not wait for us: reads wait and find many', () => {
  const server = new Server();
  const clients = new Steady(1.3 * RATE_MIN);
  server.serve(clients, TRIAL_MS + 4 * SPAN_MS);
  const gathered = server.serve(clients, DECISION_MS - 8 * SPAN_MS);
  assert.equal(gathered.waits, gathered.reads);
  const alone = new Server(neverWaiting).serve(new Steady(1.3 * RATE_MIN), DECISION_MS - 8 * SPAN_MS);
  assert.ok(gathered.datagrams >= alone.datagrams - BATCH);
  assert.ok(gathered.reads * 3 < alone.reads, `${gathered.reads} reads, ${alone.reads} without waiting`);
});

test('the waits end with the load, and begin again with it', () => {
  const server = new Server();
  server.serve(new Steady(1.3 * RATE_MIN), TRIAL_MS + 4 * SPAN_MS);
  server.nowMs += 100;
  const start = server.nowMs;
  const quiet = new Window(1);
  quiet.read(1, start);
  assert.ok(server.serve(quiet, 100).waits <= 1);
  const busy = new Steady(1.3 * RATE_MIN);
  busy.read(busy.arrived(server.nowMs));
  const { reads, waits } = server.serve(busy, DECISION_MS);
  assert.ok(waits * 2 > reads, `${waits} of ${reads}`);
});

for (const inFlight of [16, 32, 64]) {
  test(`${inFlight} queries in flight, whose clients wait for us: as many are answered as without waits`, () => {
    const ms = 5 * DECISION_MS;
    const { datagrams, waits } = new Server().serve(new Window(inFlight), ms);
    const alone = new Server(neverWaiting).serve(new Window(inFlight), ms);
    assert.ok(waits > 0, 'no trial');
    assert.ok(datagrams >= 0.95 * alone.datagrams, `${datagrams}, ${alone.datagrams} without waiting`);
  });
}

test('a read that left something is not waited after', () => {
  const gatherer = new Gatherer();
  for (let nowMs = 0; nowMs < 3 * TRIAL_MS; nowMs += 0.2) {
    gatherer.note(BATCH, nowMs);
    assert.equal(gatherer.isDue, false);
  }
});

test('a trial bears that something else has the processor in some spans', () => {
  const server = new Server();
  const clients = new Steady(1.3 * RATE_MIN);
  const stolenAt = [1.2, 5.5, 9.1].map((spans) => spans * SPAN_MS);
  server.serve(clients, TRIAL_MS + 20 * SPAN_MS, (nowMs) => {
    const isNow = nowMs >= (stolenAt[0] ?? Number.POSITIVE_INFINITY);
    if (isNow) stolenAt.shift();
    return isNow;
  });
  assert.equal(stolenAt.length, 0);
  const { reads, waits } = server.serve(clients, DECISION_MS / 2);
  assert.ok(waits > reads * 0.9, `${waits} of ${reads}`);
});

test('what a trial said holds for a second: other clients get another answer', () => {
  const server = new Server();
  const few = new Window(16);
  server.serve(few, TRIAL_MS + 4 * SPAN_MS);
  assert.equal(server.serve(few, DECISION_MS / 2).waits, 0);
  const many = new Steady(1.3 * RATE_MIN);
  many.read(many.arrived(server.nowMs));
  server.serve(many, DECISION_MS);
  const { reads, waits } = server.serve(many, DECISION_MS / 4);
  assert.ok(waits > reads * 0.9, `${waits} of ${reads}`);
});

const loaded = loadSockets();
const skip = 'unavailable' in loaded ? 'no native sockets on this machine' : false;

for (const [count, isWaiting] of [
  [BATCH / 2, true],
  [BATCH, false],
] as const) {
  test(`a socket whose reads find ${count}: ${isWaiting ? 'waits' : 'never waits'}`, { skip }, () => {
    const sockets = loaded as NativeSockets;
    const calls: string[] = [];
    const counting = new Proxy(sockets, {
      get: (target, name) => {
        if (name === 'pause') return () => void calls.push('pause');
        if (name === 'recvmmsg') {
          return () => {
            calls.push('recvmmsg');
            return count;
          };
        }
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const transport = openUdpBatch(counting, new TestArea().views, { address: '127.0.0.1', port: 0 });
    try {
      // A machine that has other work may need long for three spans without a stall
      const end = performance.now() + (isWaiting ? 30_000 : 10 * SPAN_MS);
      while (performance.now() < end && !calls.includes('pause')) assert.equal(transport.receive(), count);
      assert.equal(transport.receive(), count);
    } finally {
      transport.close();
    }
    assert.equal(calls.includes('pause'), isWaiting);
    if (isWaiting) assert.equal(calls[calls.indexOf('pause') + 1], 'recvmmsg');
  });
}
