// What a server costs, and how it answers those who ask little while others ask much.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { ask, percentile } from '../support/ask.ts';
import { sleep } from '../support/child.ts';
import { TcpClient } from '../support/dns-client.ts';
import { type DnsServer, httpStatus } from '../support/server.ts';

const TICKS_PER_SECOND = 100;
const PROBE_MS = 200;
const PEAK_LOOK_MS = 50;
const PROBE_TIMEOUT_MS = 5000;

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** Memory of its own, not counting pages of files, which come and go. */
export function ownBytes({ child }: DnsServer): number {
  return statusBytes(child.pid, 'RssAnon') + statusBytes(child.pid, 'RssShmem');
}

function statusBytes(pid: number, word: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${word}:\\s+([0-9]+) kB`).exec(status)?.[1] ?? 0) * 1024;
}

/** The least of some time: what stays, not what passes with the next collections. Ends early below `enough`. */
export async function settledBytes(server: DnsServer, milliseconds: number, enough = 0): Promise<number> {
  let lowest = ownBytes(server);
  for (const endMs = performance.now() + milliseconds; performance.now() < endMs && lowest > enough; ) {
    await sleep(100);
    lowest = Math.min(lowest, ownBytes(server));
  }
  return lowest;
}

/** Watches how much memory of its own the server takes at most; call what is returned for the figure. */
export function watchPeak(server: DnsServer): () => number {
  let peak = ownBytes(server);
  const look = (): void => {
    peak = Math.max(peak, ownBytes(server));
  };
  const timer = setInterval(() => {
    // A test that fails leaves its watch behind
    if (server.child.hasExited) clearInterval(timer);
    else look();
  }, PEAK_LOOK_MS);
  timer.unref();
  return () => {
    look();
    clearInterval(timer);
    return peak;
  };
}

/** User and system time so far. */
export function cpuSeconds({ child }: DnsServer): number {
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/**
 * How long each thread of a process has waited for a core so far, in milliseconds: the machine's doing, not the
 * program's.
 */
function waits(pid: number | 'self'): Map<string, number> {
  const path = `/proc/${pid}/task`;
  const threads = existsSync(path) ? readdirSync(path) : [];
  return new Map(threads.map((thread) => [thread, waitOf(`/proc/${pid}/task/${thread}/schedstat`)]));
}

function waitOf(path: string): number {
  try {
    return Number(readFileSync(path, 'latin1').split(' ')[1]) / 1e6;
  } catch {
    return 0;
  }
}

/** Call what is returned: how long this process and the server have been kept waiting since, each by its slowest thread. */
export function watchWaits({ child }: DnsServer): () => number {
  const pids = ['self', child.pid] as const;
  const before = pids.map(waits);
  return () => {
    const waited = pids.map((pid, i) => {
      const each = [...waits(pid)].map(([thread, ms]) => ms - (before[i]!.get(thread) ?? ms));
      return Math.max(0, ...each);
    });
    return waited[0]! + waited[1]!;
  };
}

/** Datagrams that found the server's socket buffer full, so far. */
export function droppedDatagrams({ port }: DnsServer): number {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = ['udp', 'udp6'].flatMap((file) => readFileSync(`/proc/net/${file}`, 'latin1').trim().split('\n'));
  const words = lines.map((line) => line.trim().split(/\s+/));
  return words.reduce((sum, each) => (each[1]?.endsWith(suffix) ? sum + Number(each.at(-1)) : sum), 0);
}

const PROBES = ['health', 'metrics', 'tcp'] as const;
type Probe = (typeof PROBES)[number];

/**
 * How long each took, in milliseconds, less what the machine kept server and prober waiting for a core; Infinity for one
 * that failed. tcp: a new connection and a query.
 */
export type Probed = Readonly<Record<Probe, readonly number[]>>;

/** Asks from beside, a little at a time, until it is told to stop. */
export class Bystander {
  readonly #server: DnsServer;
  readonly #name: string;
  readonly #answer: string;
  readonly #probed: Record<Probe, number[]> = { health: [], metrics: [], tcp: [] };
  readonly #done: Promise<void>;
  #isStopped: boolean = false;

  /** @param answer to A of `name`, in the words of ask() */
  constructor(server: DnsServer, name: string, answer: string) {
    this.#server = server;
    this.#name = name;
    this.#answer = answer;
    this.#done = this.#run();
  }

  async stop(): Promise<Probed> {
    this.#isStopped = true;
    await this.#done;
    return this.#probed;
  }

  async #run(): Promise<void> {
    const { ports, port } = this.#server;
    while (!this.#isStopped && !this.#server.child.hasExited) {
      await this.#time('health', async () => (await httpStatus(ports.health, '/health', PROBE_TIMEOUT_MS)) === 200);
      await this.#time('metrics', async () => (await httpStatus(ports.metrics, '/metrics', PROBE_TIMEOUT_MS)) === 200);
      await this.#time('tcp', () => this.#asks(new TcpClient(port)));
      await sleep(PROBE_MS);
    }
  }

  async #asks(client: TcpClient): Promise<boolean> {
    const answer = await ask(client, this.#name, 'A', PROBE_TIMEOUT_MS);
    client.close();
    return answer === this.#answer;
  }

  async #time(what: Probe, work: () => Promise<boolean>): Promise<void> {
    const waited = watchWaits(this.#server);
    const since = performance.now();
    const isRight = await work().catch(() => false);
    const took = performance.now() - since;
    this.#probed[what].push(isRight ? Math.max(0, took - waited()) : Number.POSITIVE_INFINITY);
  }
}

export function probedText(probed: Probed): string {
  const texts = PROBES.map((what) => {
    const [p90, slowest] = [0.9, 1].map((share) => percentile(probed[what], share).toFixed(0));
    return `${what} p90 ${p90} max ${slowest}`;
  });
  return `beside, in ms: ${texts.join(', ')}`;
}

/** Most health checks, scrapes and queries over TCP wait no longer than half a second, none longer than two. */
export function assertServed(probed: Probed): void {
  for (const what of PROBES) {
    assert.ok(probed[what].length >= 3, `only ${probed[what].length} probes`);
    assert.ok(percentile(probed[what], 0.9) < 500 && percentile(probed[what], 1) < 2000, probedText(probed));
  }
}
