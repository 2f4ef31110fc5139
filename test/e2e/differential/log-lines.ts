// Compares what two servers have logged of the same questions: lines of plugins log and errors, as multisets.

import { sleep } from '../support/child.ts';
import type { Trial } from './corefile/trial.ts';

export type Logging = { readonly child: Pick<Trial['child'], 'output'>; readonly ports: Trial['ports'] };

/** Lines come after the replies that they tell of. */
const SETTLE_MS = 200;
const TRIES = 4;

export interface LogLeeway {
  /** So many lines may differ. */
  readonly lines: number;
  /** Why a query has failed depends on the upstream that a policy has chosen. */
  readonly hasManyUpstreams: boolean;
  /** `errors { consolidate ... show_first }` tells the failure that happened to come first. */
  readonly showsFirst: boolean;
  /** Lines with one of these texts are not compared. */
  readonly skipped: readonly string[];
}

/** One line for each that only one server has printed, if they are more than may differ. */
export async function compareLogs(left: Logging, right: Logging, leeway: LogLeeway): Promise<string[]> {
  let differences = compareOnce(left, right, leeway);
  for (let n = 1; n < TRIES && differences.length > leeway.lines; n++) {
    await sleep(SETTLE_MS * n);
    differences = compareOnce(left, right, leeway);
  }
  return differences.length > leeway.lines ? differences : [];
}

function compareOnce(left: Logging, right: Logging, { hasManyUpstreams, showsFirst, skipped }: LogLeeway): string[] {
  const counts = new Map<string, number>();
  const add = (line: string, by: number) => {
    if (skipped.some((text) => line.includes(text))) return;
    if (!hasManyUpstreams || line.startsWith('[INFO] ')) counts.set(line, (counts.get(line) ?? 0) + by);
  };
  const told = (logging: Logging) => (showsFirst ? withOneFirst(linesOf(logging)) : linesOf(logging));
  for (const line of told(left)) add(line, 1);
  for (const line of told(right)) add(line, -1);
  const differences: string[] = [];
  for (const [line, count] of counts) {
    const side = count > 0 ? 'left' : 'right';
    for (let n = 0; n < Math.abs(count); n++) differences.push(`line only on the ${side}: ${line}`);
  }
  // Lines of one query stand together: what is alike in them comes first
  const words = (text: string) => text.slice(text.indexOf('"'));
  return differences.sort((a, b) => (words(a) < words(b) ? -1 : 1));
}

/** All lines of errors as one: which failure is shown, and how often, depends on when it came. */
function withOneFirst(lines: readonly string[]): string[] {
  const shown = lines.map((line) => line.replace(/(?<= plugin\/errors: ).*/, '@FIRST@'));
  return shown.filter((line, at) => !line.endsWith('@FIRST@') || shown.indexOf(line) === at);
}

function linesOf({ child, ports }: Logging): string[] {
  return child
    .output()
    .split('\n')
    .filter(isOfQuery)
    .map((line) => neutral(line, ports));
}

/** How many failures are told in one line depends on the moment at which it is due. */
function isOfQuery(line: string): boolean {
  if (/^\[(?:ERROR|WARNING|INFO|DEBUG)\] plugin\/errors: /.test(line)) return !/ errors like /.test(line);
  return line.startsWith('[INFO] ') && !/^\[INFO\] (?:plugin\/|Reloading|SIG|Shutting)/.test(line);
}

/** `{duration}`, whatever stands beside it in the format; names may have labels like `5s`. */
const DURATION = /(?<![\w.])[0-9]+(?:\.[0-9]+)?(?:e-[0-9]+)?s(?![\w.])|[0-9]+\.[0-9]{4,9}s/g;
/** `{port}`: a port that the system has chosen (32768 to 60999). */
const EPHEMERAL = /(?<![0-9.])(?:3(?:2[7-9]|[3-9][0-9])|[45][0-9]{2}|60[0-9])[0-9]{2}(?![0-9.])/g;

/** Without what two servers and two clients never share: ports and durations. */
function neutral(line: string, ports: Readonly<Record<string, number>>): string {
  let text = line.replace(DURATION, '@DURATION@');
  for (const [word, port] of Object.entries(ports)) text = text.replaceAll(`:${port}`, `:@${word}@`);
  return text.replace(/(127\.0\.0\.[0-9]+|\[::1\]):[0-9]+/g, '$1:@CLIENT@').replace(EPHEMERAL, '@CLIENT@');
}
