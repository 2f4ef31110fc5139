/** dnsperf's own figure for the sets it can ask: an independent client, which itself ends near 100k qps over UDP. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { FRESH_LABEL } from './load/questions.ts';
import type { Options } from './options.ts';
import type { QuerySet } from './sets.ts';

const run = promisify(execFile);
/** dnsperf has no fresh labels: a file of this many new names, more than any server answers in a run. */
const FRESH_NAMES = 500_000;
const SECONDS_MAX = 3;
let freshStart = Math.floor(performance.timeOrigin) % 1e9;

/** NaN for sets it has no mode for. @throws Error when dnsperf prints no rate */
export async function askDnsperf(set: QuerySet, port: number, file: string, options: Options): Promise<number> {
  if (set.mode !== 'closed' && (set.mode !== 'tcp' || set.window === 1)) return Number.NaN;
  const questions = `${file}.dnsperf`;
  writeFileSync(questions, dnsperfFile(set.lines(options.services)));
  const transport = set.mode === 'tcp' ? ['-m', 'tcp'] : [];
  const { stdout } = await run(
    'taskset',
    [
      ...['-c', String(options.loadCore), 'dnsperf', '-s', '127.0.0.1', '-p', String(port), '-d', questions],
      ...['-l', String(Math.min(SECONDS_MAX, options.seconds)), '-T', '1', '-c', String(set.sockets)],
      ...['-q', String(Math.min(2000, set.sockets * set.window)), ...transport],
    ],
    { maxBuffer: 1 << 24 },
  );
  return parseDnsperf(stdout);
}

export function parseDnsperf(text: string): number {
  const rate = /^\s*Queries per second:\s+([0-9.]+)/m.exec(text)?.[1];
  if (rate === undefined) throw new Error(`dnsperf prints no rate:\n${text.slice(-500)}`);
  return Number(rate);
}

/** Name and type of each line; a line with a fresh label becomes FRESH_NAMES lines with names never asked before. */
export function dnsperfFile(lines: readonly string[]): string {
  const pairs = lines.map((line) => line.split(' ').slice(0, 2).join(' '));
  if (!pairs[0]?.startsWith(FRESH_LABEL)) return `${pairs.join('\n')}\n`;
  let text = '';
  for (let name = 0; name < FRESH_NAMES; name++) {
    text += `${pairs[0].replace(FRESH_LABEL, String(freshStart++).padStart(FRESH_LABEL.length, 'n'))}\n`;
  }
  return text;
}
