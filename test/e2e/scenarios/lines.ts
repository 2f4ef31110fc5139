// What a server logs, as words that two servers can have in common: no banner, no times, no ports of clients.

import { type Masks, masked } from './page.ts';

/** Lines of plugins: the banner and the list of zones have other words. */
export function logLines(output: string, masks: Masks): string[] {
  return output
    .split('\n')
    .filter((line) => /^\[(?:INFO|WARNING|ERROR|DEBUG|FATAL)\]/.test(line))
    .map((line) => neutralLine(masked(line, masks)));
}

function neutralLine(line: string): string {
  return line
    .replace(/\b\d+(?:\.\d+)?(?:e-\d+)?s$/, 'TIMEs')
    .replace(/\b(?:0\.\d{3,}|\d(?:\.\d+)?e-\d+)s\b/g, 'TIMEs')
    .replace(/(127\.0\.0\.1|\[::1\]):\d+ - /, '$1:CLIENT - ')
    .replace(/\b(?:read|write|dial) (udp|tcp) 127\.0\.0\.1:\d+->/g, (text) => text.replace(/:\d+->/, ':OWN->'))
    .replace(/SHA512 = [0-9a-f]+/, 'SHA512 = HASH');
}

/** Lines of the two logs that differ, in order. */
export function compareLines(written: readonly string[], others: readonly string[]): string[] {
  const [left, right] = [inOrder(written), inOrder(others)];
  const differences: string[] = [];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    if (left[i] !== right[i]) differences.push(`log line ${i + 1}: ${left[i] ?? 'none'} / ${right[i] ?? 'none'}`);
  }
  return differences.slice(0, 12);
}

/** Lines of queries one behind the other in the order of their ids: CoreDNS writes a line after the reply has gone. */
function inOrder(lines: readonly string[]): string[] {
  const idOf = (line: string) => Number(/:CLIENT - (\d+) "/.exec(line)?.[1]);
  const settled: string[] = [];
  for (const line of lines) {
    let at = settled.length;
    while (at > 0 && idOf(settled[at - 1]!) > idOf(line)) at--;
    settled.splice(at, 0, line);
  }
  return settled;
}
