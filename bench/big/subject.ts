/** One server under measure: started from nothing, asked, and its memory and CPU time read from /proc. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TcpClient, UdpClient } from '../../test/e2e/support/dns-client.ts';
import { parseMessage } from '../../test/e2e/support/message.ts';
import { FLAGS, TYPES } from '../../test/e2e/support/numbers.ts';
import { composeQuery } from '../../test/e2e/support/query.ts';
import { writeCorefile } from '../peers/corefile.ts';
import type { Peer, Room } from '../peers/peer.ts';
import { Process } from '../processes.ts';

export interface Answer {
  readonly rcode: number;
  readonly records: number;
  readonly octets: number;
  readonly isTruncated: boolean;
  readonly rdata: ReadonlySet<string>;
}

const ANSWER_MS = 120_000;
const POLL_MS = 5;
/** A query that comes before the server listens is lost: soon asked again. */
const REPLY_MS = 20;

export class Subject {
  readonly name: string;
  readonly port: number;
  readonly process: Process;
  readonly #startedAt: number;
  #id = 1;

  private constructor(name: string, port: number, process: Process, startedAt: number) {
    this.name = name;
    this.port = port;
    this.process = process;
    this.#startedAt = startedAt;
  }

  static async start(peer: Peer, room: Room): Promise<Subject> {
    const directory = mkdtempSync(join(room.directory, `${peer.name}-`));
    const { file, port } = await writeCorefile(room, directory, false);
    const command = peer.command(room);
    const bundle = join(room.repository, 'dist', 'wasmdns.js');
    const words =
      peer.name === 'wasmdns' ? [...room.nodeFlags, bundle, '-conf', file, '--shards', '1'] : ['-conf', file];
    if (!existsSync(command) || !existsSync(bundle)) throw new Error(`${peer.title} is missing: ${peer.install}`);
    const startedAt = performance.now();
    const process = new Process({ command, words, core: room.serverCore, log: join(directory, 'log'), cwd: directory });
    return new Subject(peer.title, port, process, startedAt);
  }

  /** Seconds from the start of the process until `name` is answered with so many A records. */
  async firstAnswer(name: string, records: number): Promise<number> {
    await this.until(name, ({ rcode, records: found }) => rcode === 0 && found === records);
    return (performance.now() - this.#startedAt) / 1000;
  }

  /** Asks until the answer is as wished; resolves with the milliseconds that took. */
  async until(name: string, isRight: (answer: Answer) => boolean, type: keyof typeof TYPES = 'A'): Promise<number> {
    const since = performance.now();
    for (;;) {
      const answer = await this.ask(name, type, 4096, 'udp', REPLY_MS);
      if (answer !== undefined && isRight(answer)) return performance.now() - since;
      if (this.process.hasEnded) throw new Error(`${this.name} has ended:\n${this.process.logTail()}`);
      if (performance.now() - since > ANSWER_MS) throw new Error(`${this.name} does not answer ${name} right`);
      await sleep(answer === undefined || answer.rcode !== 0 ? POLL_MS : 1);
    }
  }

  /** @param size of the EDNS buffer, 0 = no EDNS. */
  async ask(
    name: string,
    type: keyof typeof TYPES,
    size: number,
    transport: 'udp' | 'tcp' = 'udp',
    timeoutMs = 5000,
  ): Promise<Answer | undefined> {
    const client = transport === 'udp' ? new UdpClient(this.port) : new TcpClient(this.port);
    this.#id = (this.#id % 0xffff) + 1;
    const form = { id: this.#id, name, type: TYPES[type]!, flags: FLAGS['rd']! };
    const query = composeQuery(size === 0 ? form : { ...form, edns: { size } });
    const octets = await client.exchange(query, timeoutMs);
    client.close();
    if (octets === undefined) return undefined;
    const reply = parseMessage(octets);
    return {
      rcode: reply.rcode,
      records: reply.answer.length,
      octets: octets.length,
      isTruncated: (reply.flags & FLAGS['tc']!) !== 0,
      rdata: new Set(reply.answer.map((record) => record.rdata)),
    };
  }

  get residentBytes(): number {
    return this.#status('VmRSS');
  }

  /** Largest resident set since forgetPeak(). */
  get peakBytes(): number {
    return this.#status('VmHWM');
  }

  forgetPeak(): void {
    writeFileSync(`/proc/${this.process.pid}/clear_refs`, '5');
  }

  /** CPU time of all its threads in milliseconds: schedstat counts nanoseconds, where stat counts ticks. */
  get cpuMs(): number {
    let nanoseconds = 0;
    for (const task of readdirSync(`/proc/${this.process.pid}/task`)) {
      const text = readFileSync(`/proc/${this.process.pid}/task/${task}/schedstat`, 'latin1');
      nanoseconds += Number(text.split(' ')[0]);
    }
    return nanoseconds / 1e6;
  }

  /** Octets it has read, from files and sockets. */
  get readBytes(): number {
    return Number(/^rchar: (\d+)/.exec(readFileSync(`/proc/${this.process.pid}/io`, 'latin1'))?.[1] ?? 0);
  }

  stop(): Promise<void> {
    return this.process.stop();
  }

  #status(word: string): number {
    const status = readFileSync(`/proc/${this.process.pid}/status`, 'latin1');
    return Number(new RegExp(`^${word}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) * 1024;
  }
}
