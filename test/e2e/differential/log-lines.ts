// Compares what two servers have logged of the same questions: lines of plugins log and errors, as multisets.

import { sleep } from '../support/child.ts';
import type { Trial } from './corefile/trial.ts';

/** Lines come after the replies that they tell of. */
const SETTLE_MS = 200;
const TRIES = 4;

/** One line for each that only one server has printed, beyond `leeway` of them. */
export async function compareLogs(left: Trial, right: Trial, leeway: number): Promise<string[]> {
  let differences = compareOnce(left, right);
  for (let n = 1; n < TRIES && differences.length > leeway; n++) {
    await sleep(SETTLE_MS * n);
    differences = compareOnce(left, right);
  }
  return differences.length > leeway ? differences : [];
}

function compareOnce(left: Trial, right: Trial): string[] {
  const counts = new Map<string, number>();
  for (const line of linesOf(left)) counts.set(line, (counts.get(line) ?? 0) + 1);
  for (const line of linesOf(right)) counts.set(line, (counts.get(line) ?? 0) - 1);
  const differences: string[] = [];
  for (const [line, count] of counts) {
    const side = count > 0 ? 'left' : 'right';
    for (let n = 0; n < Math.abs(count); n++) differences.push(`line only on the ${side}: ${line}`);
  }
  // Lines of one query stand together: what is alike in them comes first
  const words = (text: string) => text.slice(text.indexOf('"'));
  return differences.sort((a, b) => (words(a) < words(b) ? -1 : 1));
}

function linesOf({ child, ports }: Trial): string[] {
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

/** Without what two servers and two clients never share: ports and durations. */
function neutral(line: string, ports: Readonly<Record<string, number>>): string {
  let text = line.replace(/(?<=\s|^)[0-9]+(?:\.[0-9]+)?(?:e-[0-9]+)?s(?=\s|$)/g, '@DURATION@');
  for (const [word, port] of Object.entries(ports)) text = text.replaceAll(`:${port}`, `:@${word}@`);
  return text.replace(/(127\.0\.0\.[0-9]+|\[::1\]):[0-9]+/g, '$1:@CLIENT@');
}
