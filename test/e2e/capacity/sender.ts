/** Sends datagrams in an open loop: `node sender.ts '<Order as JSON>'` prints one Outcome as JSON. */
import { readFileSync } from 'node:fs';
import { close, connectUdp, cutInto, MSG_DONTWAIT, recvmmsg, sendmmsg, waiter } from '../../../bench/load/kernel.ts';
import { BATCH, Pool, ReceiveSlots } from '../../../bench/load/lanes.ts';
import { Samples } from '../../../bench/load/paced.ts';
import { type Question, readQuestions } from '../../../bench/load/questions.ts';
import { Tally } from '../../../bench/load/tally.ts';
import { Random } from '../support/random.ts';
import type { Lane, LaneOutcome, Order } from './order.ts';

const GARBAGE_COUNT = 4096;
const SAMPLES_MAX = 2_000_000;
const WAIT_MS = 1;
const REST_WAIT_MS = 5;

/** One socket and the ids that are outstanding on it: each stands for the question that was asked last under it. */
class Socket {
  readonly fd: number;
  readonly asked = new Uint32Array(65536);
  readonly isOut = new Uint8Array(65536);
  readonly sentMs = new Float64Array(65536);
  nextId = 0;

  constructor(port: number) {
    this.fd = connectUdp(port);
  }
}

class Sender {
  readonly lane: Lane;
  readonly sockets: readonly Socket[];
  readonly #pool: Pool;
  readonly #tally: Tally | undefined;
  readonly #samples = new Samples(SAMPLES_MAX);
  readonly #rcodes = new Float64Array(16);
  #position = 0;
  #turn = 0;
  sent = 0;
  answered = 0;
  #rightInTime = 0;
  #stray = 0;
  #slowestMs = 0;

  constructor(lane: Lane) {
    this.lane = lane;
    const questions = lane.file === undefined ? garbage(lane.garbage ?? 'random') : readQuestions(lane.file);
    this.sockets = Array.from({ length: lane.sockets }, () => new Socket(lane.port));
    this.#pool = new Pool(questions, Math.floor(performance.timeOrigin * 1000) % 9e9);
    if (lane.isJoined === true) for (const { fd } of this.sockets) cutInto(fd, lengthOf(questions));
    if (lane.file !== undefined) this.#tally = new Tally(questions, false);
  }

  /** Sends what is due, at most one batch. */
  send(elapsedMs: number): number {
    const due = Math.floor((elapsedMs / 1000) * this.lane.rate) - this.sent;
    if (due <= 0) return 0;
    const socket = this.sockets[this.#turn]!;
    this.#turn = (this.#turn + 1) % this.sockets.length;
    const count = Math.min(due, BATCH, this.#pool.count - this.#position);
    const nowMs = performance.now();
    for (let ahead = 0; ahead < count; ahead++) {
      const id = (socket.nextId + ahead) & 0xffff;
      socket.asked[id] = this.#pool.patch(this.#position + ahead, id);
    }
    const sent = Math.max(0, this.#sendBatch(socket, count));
    for (let ahead = 0; ahead < sent; ahead++) {
      const id = (socket.nextId + ahead) & 0xffff;
      socket.isOut[id] = 1;
      socket.sentMs[id] = nowMs;
    }
    socket.nextId = (socket.nextId + sent) & 0xffff;
    this.#position = (this.#position + sent) % this.#pool.count;
    this.sent += sent;
    return sent;
  }

  #sendBatch({ fd }: Socket, count: number): number {
    const header = this.#pool.headerAt(this.#position);
    if (this.lane.isJoined !== true) return sendmmsg(fd, header, count, MSG_DONTWAIT);
    this.#pool.join(this.#position, count);
    return sendmmsg(fd, header, 1, MSG_DONTWAIT) * count;
  }

  receive(slots: ReceiveSlots, isInTime: boolean): number {
    let received = 0;
    for (const socket of this.sockets) {
      const count = recvmmsg(socket.fd, slots.store.at, BATCH, MSG_DONTWAIT, 0);
      const nowMs = performance.now();
      for (let slot = 0; slot < count; slot++) this.#count(socket, slots, slot, nowMs, isInTime);
      received += Math.max(0, count);
    }
    return received;
  }

  #count(socket: Socket, slots: ReceiveSlots, slot: number, nowMs: number, isInTime: boolean): void {
    const { octets } = slots.store;
    const at = slots.offset(slot);
    const id = (octets[at]! << 8) | octets[at + 1]!;
    if (socket.isOut[id] === 0 || slots.bytes(slot) < 12) {
      this.#stray++;
      return;
    }
    socket.isOut[id] = 0;
    this.answered++;
    this.#rcodes[octets[at + 3]! & 15]!++;
    this.#slowestMs = Math.max(this.#slowestMs, nowMs - socket.sentMs[id]!);
    if (this.#tally?.count(octets, at, slots.bytes(slot), socket.asked[id]!) !== true) return;
    this.#samples.add(nowMs - socket.sentMs[id]!);
    if (isInTime) this.#rightInTime++;
  }

  outcome(): LaneOutcome {
    const rcodes: Record<string, number> = {};
    for (const [rcode, count] of this.#rcodes.entries()) if (count > 0) rcodes[rcode] = count;
    const { p50Micros, p99Micros } = this.#samples.summary();
    return {
      name: this.lane.name,
      sent: this.sent,
      answered: this.answered,
      right: this.#tally?.right ?? 0,
      rightInTime: this.#rightInTime,
      stray: this.#stray,
      rcodes,
      firstWrong: this.#tally?.firstWrong ?? '',
      p50Ms: p50Micros / 1000 || 0,
      p99Ms: p99Micros / 1000 || 0,
      slowestMs: this.#slowestMs,
    };
  }
}

/** Of all of them. */
function lengthOf(questions: readonly Question[]): number {
  const bytes = questions[0]!.message.length;
  if (questions.some(({ message }) => message.length !== bytes)) throw new Error('the questions differ in length');
  return bytes;
}

/** Messages that ask nothing, the same in every run. */
function garbage(kind: NonNullable<Lane['garbage']>): Question[] {
  const random = new Random(6);
  return Array.from({ length: GARBAGE_COUNT }, () => ({
    qname: kind,
    qtype: 0,
    rcode: 0,
    answers: 0,
    isFresh: false,
    message: garbageMessage(kind, random),
  }));
}

function garbageMessage(kind: NonNullable<Lane['garbage']>, random: Random): Uint8Array {
  if (kind === 'random') return Uint8Array.from({ length: random.below(300) }, () => random.below(256));
  const name = Buffer.from('\x03web\x04demo\x03svc\x07cluster\x05local\x00', 'latin1');
  const query = Buffer.concat([Buffer.from('000001000001000000000000', 'hex'), name, Buffer.from('00010001', 'hex')]);
  if (kind === 'cut') return query.subarray(0, 13 + random.below(name.length - 1));
  query[2]! |= 0x80;
  return query;
}

function run({ lanes, seconds, lingerSeconds }: Order): void {
  const senders = lanes.map((lane) => new Sender(lane));
  const slots = new ReceiveSlots();
  const poll = waiter(senders.flatMap(({ sockets }) => sockets.map(({ fd }) => fd)));
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let now = startMs;
  for (; now < endMs; now = performance.now()) {
    let moved = 0;
    for (const sender of senders) moved += sender.send(now - startMs) + sender.receive(slots, true);
    if (moved === 0) poll.wait(WAIT_MS);
  }
  const sentSeconds = (now - startMs) / 1000;
  const isAwaited = ({ lane, answered, sent }: Sender): boolean => lane.file !== undefined && answered < sent;
  const lingerEndMs = now + lingerSeconds * 1000;
  while (performance.now() < lingerEndMs && senders.some(isAwaited)) {
    let moved = 0;
    for (const sender of senders) moved += sender.receive(slots, false);
    if (moved === 0) poll.wait(REST_WAIT_MS);
  }
  for (const { sockets } of senders) for (const { fd } of sockets) close(fd);
  const waitedMs = Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[1]) / 1e6;
  const outcome = { seconds: sentSeconds, waitedMs, lanes: senders.map((sender) => sender.outcome()) };
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}

run(JSON.parse(process.argv[2] ?? '{}') as Order);
