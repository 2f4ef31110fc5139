// The processes beside the server: it has one core for itself where there are more, and they have the others.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Order as BenchOrder, Outcome as BenchOutcome } from '../../../bench/load/order.ts';
import { Child, scratchDirectory, sleep } from '../support/child.ts';
import { repository } from '../support/tools.ts';
import type { Order, Outcome } from './order.ts';

const cores = coresAllowed();

/** For ServerOptions.under. */
export const onServersCore: readonly string[] = cores.length > 1 ? ['taskset', '-c', String(cores[0])] : [];
const onOtherCores: readonly string[] = cores.length > 1 ? ['taskset', '-c', cores.slice(1).join(',')] : [];

let fileCount = 0;

/** Writes a query file of the bench: lines of `NAME TYPE [RCODE [ANSWERS]]`. */
export function questionFile(lines: readonly string[]): string {
  const path = join(scratchDirectory(), `questions.${fileCount++}`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

export function send(order: Order): Promise<Outcome> {
  return run<Outcome>('test/e2e/capacity/sender.ts', order);
}

/** The load generator of the bench. */
export function bench(
  order: Pick<BenchOrder, 'mode' | 'port' | 'file' | 'sockets' | 'seconds' | 'serverPids'>,
): Promise<BenchOutcome> {
  const rest = { warmSeconds: 1, window: 64, rate: 0, isEcho: false, isCoreShared: false };
  return run<BenchOutcome>('bench/load/main.ts', { ...order, ...rest });
}

/** @param delayMs of each reply; negative: never one */
export async function startSlowUpstream(port: number, delayMs: number): Promise<Child> {
  const script = join(repository, 'test/e2e/capacity/slow-upstream.ts');
  const child = start('slow-upstream', script, [String(port), String(delayMs)]);
  await sleep(300);
  if (child.hasExited) throw new Error(child.output());
  return child;
}

async function run<Result>(script: string, order: object): Promise<Result> {
  const child = start('sender', join(repository, script), [JSON.stringify(order)]);
  const exit = await child.exited;
  if (exit.code !== 0) throw new Error(`${script} failed:\n${child.output().slice(-2000)}`);
  return JSON.parse(child.output().trim().split('\n').at(-1)!) as Result;
}

function start(name: string, script: string, args: readonly string[]): Child {
  const [first, ...rest] = [...onOtherCores, process.execPath, script, ...args];
  return new Child(name, first!, rest);
}

function coresAllowed(): number[] {
  const list = /Cpus_allowed_list:\s+(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, n) => first + n);
  });
}
