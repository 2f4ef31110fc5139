// A steady load of queries, and what became of each: run in the cluster's network namespace.
//
//   node test/cluster/support/load.ts '{"address": "10.96.0.10", "port": 53, "name": ..., ...}'     prints a LoadResult
//
// A query without a reply after `timeoutMs` is lost, as is one that the kernel would not send. Nothing is asked twice. A
// reply from another address than was asked has strayed: kube-proxy let go of the flow while the reply was on its way.

import { type Lane, type Taker, TcpLane, UdpLane } from './lanes.ts';

export interface LoadOrder {
  readonly address: string;
  readonly port: number;
  /** Question, type A. */
  readonly name: string;
  readonly queriesPerSecond: number;
  readonly seconds: number;
  /** Over TCP a socket is a connection that is opened again when the server has ended it. */
  readonly protocol: 'udp' | 'tcp';
  /** Sockets that ask in turn, each from its own port all the time; 0 = a new socket and port for each query. */
  readonly sockets: number;
  readonly timeoutMs: number;
}

export interface LoadResult {
  readonly sent: number;
  readonly lost: number;
  /** Of those, with a reply that came too late: somebody stood still, nothing went astray. */
  readonly late: number;
  /** Replies that came from a pod's own address, which resolvers do not take. They are not counted as lost. */
  readonly strayed: number;
  /** Replies that are no NOERROR with an answer. */
  readonly wrong: number;
  /** When lost queries were sent, in seconds since the start: first and last of them. */
  readonly lostBetween: readonly [number, number] | undefined;
  readonly slowestMs: number;
}

const TICK_MS = 5;
/** Replies that are too late are waited for as well. */
const CLOSE_TIMEOUTS = 2;

class Load implements Taker {
  readonly #order: LoadOrder;
  readonly #message: Buffer;
  readonly #lanes: Lane[] = [];
  readonly #lostAtMs: number[] = [];
  readonly #startedMs = performance.now();
  #sent = 0;
  #strayed = 0;
  #late = 0;
  #wrong = 0;
  #slowestMs = 0;

  constructor(order: LoadOrder) {
    this.#order = order;
    this.#message = questionOf(order.name);
  }

  async run(): Promise<LoadResult> {
    const { queriesPerSecond, seconds, sockets, timeoutMs } = this.#order;
    const lanes = await Promise.all(Array.from({ length: sockets }, () => this.#open()));
    this.#lanes.push(...lanes);
    const startedMs = performance.now();
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const dueMs = Math.min(performance.now() - startedMs, seconds * 1000);
        while (this.#sent < (dueMs / 1000) * queriesPerSecond) this.#ask();
        if (dueMs < seconds * 1000) return;
        clearInterval(timer);
        resolve();
      }, TICK_MS);
    });
    await new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUTS * timeoutMs));
    for (const lane of this.#lanes) lane.close();
    const lost = this.#lostAtMs.map((ms) => Math.round(ms - this.#startedMs) / 1000).sort((a, b) => a - b);
    return {
      sent: this.#sent,
      lost: lost.length,
      late: this.#late,
      strayed: this.#strayed,
      wrong: this.#wrong,
      lostBetween: lost.length === 0 ? undefined : [lost[0]!, lost.at(-1)!],
      slowestMs: Math.round(this.#slowestMs),
    };
  }

  take(reply: Buffer, from: string, sentAtMs: number): void {
    const elapsedMs = performance.now() - sentAtMs;
    if (elapsedMs > this.#order.timeoutMs) {
      this.#late++;
      this.lose(sentAtMs);
      return;
    }
    if (from !== this.#order.address) this.#strayed++;
    this.#slowestMs = Math.max(this.#slowestMs, elapsedMs);
    if ((reply[3]! & 15) !== 0 || reply.readUInt16BE(6) === 0) this.#wrong++;
  }

  lose(sentAtMs: number): void {
    this.#lostAtMs.push(sentAtMs);
  }

  #ask(): void {
    const sequence = this.#sent++;
    const { sockets, timeoutMs } = this.#order;
    if (sockets > 0) {
      this.#send(this.#lanes[sequence % sockets]!, sequence);
      return;
    }
    void this.#open().then((lane) => {
      this.#send(lane, sequence);
      setTimeout(() => lane.close(), CLOSE_TIMEOUTS * timeoutMs);
    });
  }

  #send(lane: Lane, sequence: number): void {
    const id = sequence & 0xffff;
    const message = Buffer.from(this.#message);
    message.writeUInt16BE(id, 0);
    lane.ask(message, id);
  }

  async #open(): Promise<Lane> {
    const { protocol, timeoutMs } = this.#order;
    return protocol === 'tcp' ? new TcpLane(this.#order, this, timeoutMs) : UdpLane.open(this.#order, this);
  }
}

function questionOf(name: string): Buffer {
  const labels = name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  // RD, one question; type A, class IN
  return Buffer.concat([Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}

const order = process.argv[2];
if (order !== undefined && import.meta.main) {
  process.stdout.write(`${JSON.stringify(await new Load(JSON.parse(order) as LoadOrder).run())}\n`);
}
