// A reader of the Prometheus text format 0.0.4, strict enough to notice a broken page.

import assert from 'node:assert/strict';

export interface PageFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}
export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export function familiesOf(page: string): PageFamily[] {
  const helps = new Map([...page.matchAll(/^# HELP (\S+) (.*)$/gm)].map((match) => [match[1]!, match[2]!]));
  return [...page.matchAll(/^# TYPE (\S+) (counter|gauge|histogram|summary)$/gm)].map((match) => {
    const help = helps.get(match[1]!);
    assert(help !== undefined, `${match[1]} has no HELP`);
    return { name: match[1]!, type: match[2]!, help };
  });
}

export function seriesOf(page: string): Series[] {
  assert(page.endsWith('\n'));
  return page
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)$/.exec(line);
      assert(match !== null, `not a sample: ${line}`);
      const labels = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((pair) => [pair[1]!, pair[2]!]);
      const value = match[3] === '+Inf' ? Number.POSITIVE_INFINITY : Number(match[3]);
      assert(!Number.isNaN(value), `no number: ${line}`);
      return { name: match[1]!, labels: Object.fromEntries(labels) as Record<string, string>, value };
    });
}
