/** bench/results.md (rewritten by a full run, but for the profiles) and bench/history.csv (grows). */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Machine } from './machine.ts';
import type { Measurement } from './measure.ts';
import { figuresTable, LEGEND, type Row, ratiosTable } from './summary.ts';

const HISTORY_HEAD =
  'date,commit,processor,kernel,set,peer,run,qps,cpu_us,core_share,p50_us,p99_us,rss_mb,wrong_share,lost_share\n';

/** Everything from this line on is kept. */
export const PROFILES_HEAD = '## Profiles under load';

const PROFILES_TEMPLATE = `${PROFILES_HEAD}

Kept by a bench run; written from \`npm run bench:profile\`, which prints this table and the hottest places. Times in
microseconds a query, of all threads of the process: \`perf\` sees where the samples fall, counting in the engine's column.
Octets allocated: on V8's heaps, by its own account of the collections during the run.

| query set     | us/query | kernel | koffi | engine (wasm) | JavaScript | Node, V8, libc | octets allocated |
| ------------- | -------- | -----: | ----: | ------------: | ---------: | -------------: | ---------------: |
| not taken yet | -        |      - |     - |             - |          - |              - |                - |
`;

export function renderResults(rows: readonly Row[], machine: Machine, command: string, profiles: string): string {
  return `# Bench results

Written by \`${command}\` on ${machine.date} UTC, commit ${machine.commit || 'unknown'}: ${machine.cores} cores of
${machine.processor}, ${machine.memoryGigabytes} GB, Linux ${machine.kernel}, Node ${machine.node}. The server had one
core, the load generator (and the forwarders' upstream) another. [README.md](README.md) says how to read this.

## Figures

${figuresTable(rows)}
${LEGEND}

## wasmdns beside the others

qps ratio / ratio of the CPU time per query.

${ratiosTable(rows, 'wasmdns') || 'wasmdns was not measured in this run.\n'}
${profiles}`;
}

/** The profiles of an earlier file, or the template for it. */
export function profilesPart(text: string): string {
  const start = text.indexOf(PROFILES_HEAD);
  return start < 0 ? PROFILES_TEMPLATE : text.slice(start);
}

export function writeResults(file: string, rows: readonly Row[], machine: Machine, command: string): void {
  const earlier = existsSync(file) ? readFileSync(file, 'utf8') : '';
  writeFileSync(file, renderResults(rows, machine, command, profilesPart(earlier)));
}

export function appendHistory(file: string, measurements: readonly Measurement[], machine: Machine): void {
  if (!existsSync(file)) writeFileSync(file, HISTORY_HEAD);
  appendFileSync(file, measurements.map((one) => historyRow(one, machine)).join(''));
}

export function historyRow(one: Measurement, machine: Machine): string {
  const fixed = (value: number | undefined, digits: number): string =>
    value === undefined || !Number.isFinite(value) ? '' : value.toFixed(digits);
  const cells = [
    machine.date,
    machine.commit,
    machine.processor.replaceAll(',', ' '),
    machine.kernel,
    one.set,
    one.peer,
    String(one.run),
    fixed(one.qps, 0),
    fixed(one.cpuMicros, 3),
    fixed(one.cpuShare, 4),
    fixed(one.latency?.p50Micros, 1),
    fixed(one.latency?.p99Micros, 1),
    fixed(one.residentBytes / 2 ** 20, 1),
    fixed(one.wrongShare, 5),
    fixed(one.lostShare, 5),
  ];
  return `${cells.join(',')}\n`;
}
