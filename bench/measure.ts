/** One figure: one query set on one running peer, by a load process of its own on the load's core. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Latency, Order, Outcome } from './load/order.ts';
import { cpuSeconds } from './load/span.ts';
import type { Options } from './options.ts';
import type { Peer, Running } from './peers/peer.ts';
import { residentBytes } from './processes.ts';
import type { QuerySet } from './sets.ts';

export interface Measurement {
  readonly set: string;
  readonly peer: string;
  readonly run: number;
  readonly qps: number;
  /** User and system time of the server for one right answer. */
  readonly cpuMicros: number;
  /** The server's share of one core. */
  readonly cpuShare: number;
  /** The generator's share of its core: near 1 it was the limit (or it span). */
  readonly loadShare: number;
  readonly latency?: Latency;
  readonly residentBytes: number;
  /** Replies that were not the expected answer, and queries without a reply, as shares of what was sent. */
  readonly wrongShare: number;
  readonly lostShare: number;
  readonly firstWrong: string;
}

/** Latency is measured at this rate, closed loop figures say nothing about it. */
export const LATENCY_RATE = 5000;
const LOAD_LIMIT_MS = 60_000;
const run = promisify(execFile);

export async function measure(
  set: QuerySet,
  peer: Peer,
  server: Running,
  file: string,
  turn: number,
  options: Options,
): Promise<Measurement> {
  if (set.mode === 'idle') return measureIdle(set, peer, server, turn, options);
  const order: Order = {
    mode: set.mode,
    port: server.port,
    file,
    warmSeconds: options.warmSeconds,
    seconds: options.seconds,
    window: set.window,
    sockets: set.sockets,
    rate: set.rate,
    serverPids: server.pids,
    isEcho: peer.abilities.includes('echo'),
    isCoreShared: set.usesUpstream || set.mode === 'paced',
  };
  const outcome = await load(order, options);
  const latency = set.mode === 'closed' ? await measureLatency(order, options) : outcome.latency;
  return {
    set: set.name,
    peer: peer.name,
    run: turn,
    qps: outcome.qps,
    cpuMicros: (outcome.serverCpuSeconds / outcome.right) * 1e6,
    cpuShare: outcome.serverCpuSeconds / outcome.seconds,
    loadShare: outcome.loadCpuSeconds / outcome.seconds,
    residentBytes: residentBytes(server.pids),
    wrongShare: outcome.wrong / Math.max(1, outcome.sent),
    lostShare: outcome.lost / Math.max(1, outcome.sent),
    firstWrong: outcome.firstWrong,
    ...(latency && { latency }),
  };
}

async function measureLatency(order: Order, options: Options): Promise<Latency | undefined> {
  const { latency } = await load(
    { ...order, mode: 'paced', rate: LATENCY_RATE, sockets: 1, warmSeconds: 0.3, seconds: options.latencySeconds },
    options,
  );
  return latency;
}

async function measureIdle(
  set: QuerySet,
  peer: Peer,
  server: Running,
  turn: number,
  options: Options,
): Promise<Measurement> {
  const before = cpuSeconds(server.pids);
  const start = performance.now();
  await sleep(options.seconds * 1000);
  const cpuShare = ((cpuSeconds(server.pids) - before) * 1000) / (performance.now() - start);
  return {
    set: set.name,
    peer: peer.name,
    run: turn,
    qps: Number.NaN,
    cpuMicros: Number.NaN,
    cpuShare,
    loadShare: 0,
    residentBytes: residentBytes(server.pids),
    wrongShare: 0,
    lostShare: 0,
    firstWrong: '',
  };
}

/** Runs the load process; @throws Error with its message when it fails */
export async function load(order: Order, options: Pick<Options, 'loadCore'>): Promise<Outcome> {
  const words = ['-c', String(options.loadCore), process.execPath, join(import.meta.dirname, 'load', 'main.ts')];
  const { stdout } = await run('taskset', [...words, JSON.stringify(order)], {
    timeout: LOAD_LIMIT_MS + (order.seconds + order.warmSeconds) * 1000,
  });
  return JSON.parse(stdout) as Outcome;
}
