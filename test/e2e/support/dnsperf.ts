// dnsperf as a source of load: a fixed rate, and how many queries were lost.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child, scratchDirectory } from './child.ts';

export interface Load {
  readonly port: number;
  readonly seconds: number;
  readonly queriesPerSecond: number;
  /** `NAME TYPE` each. */
  readonly questions: readonly string[];
}

export interface LoadResult {
  readonly sent: number;
  readonly completed: number;
  readonly lost: number;
  readonly rcodes: string;
}

/** Starts dnsperf; `finished` rejects when it could not run. */
export function startLoad(load: Load): { readonly child: Child; readonly finished: Promise<LoadResult> } {
  const path = join(scratchDirectory(), `questions.${load.port}.${Date.now()}`);
  writeFileSync(path, `${load.questions.join('\n')}\n`);
  const child = new Child('dnsperf', 'dnsperf', [
    ...['-s', '127.0.0.1', '-p', String(load.port), '-d', path, '-l', String(load.seconds)],
    ...['-Q', String(load.queriesPerSecond), '-c', '16', '-t', '3'],
  ]);
  const finished = child.exited.then((exit) => {
    const output = child.output();
    if (exit.code !== 0) throw new Error(`dnsperf failed:\n${output.slice(-1000)}`);
    const count = (what: string) => Number(new RegExp(`Queries ${what}: +([0-9]+)`).exec(output)?.[1] ?? Number.NaN);
    const rcodes = /Response codes: +(.*)/.exec(output)?.[1] ?? '';
    return { sent: count('sent'), completed: count('completed'), lost: count('lost'), rcodes };
  });
  return { child, finished };
}
