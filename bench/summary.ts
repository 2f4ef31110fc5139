/** From single measurements to rows: the median of each figure over the runs, its spread, and the ratios. */
import { LATENCY_RATE, type Measurement } from './measure.ts';
import type { QuerySet } from './sets.ts';
import { median, ratio, spread } from './statistics.ts';
import { formatNumber, formatPercent, formatRate, formatRatio, renderTable } from './table.ts';

export interface Row {
  readonly set: QuerySet;
  readonly peer: string;
  readonly runs: number;
  readonly qps: number;
  /** (largest - smallest) / median of qps. */
  readonly qpsSpread: number;
  readonly cpuMicros: number;
  readonly cpuShare: number;
  readonly loadShare: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly residentMegabytes: number;
  readonly wrongShare: number;
  readonly lostShare: number;
  /** dnsperf's figure, NaN where it was not asked. */
  readonly dnsperfQps: number;
}

/** `dnsperf` is keyed by `set/peer`. Rows come in the order of `sets` and `peers`; what was not measured has none. */
export function summarise(
  measurements: readonly Measurement[],
  sets: readonly QuerySet[],
  peers: readonly string[],
  dnsperf: ReadonlyMap<string, number>,
): Row[] {
  const rows: Row[] = [];
  for (const set of sets) {
    for (const peer of peers) {
      const runs = measurements.filter((one) => one.set === set.name && one.peer === peer);
      if (runs.length === 0) continue;
      const middle = (pick: (one: Measurement) => number): number => median(runs.map(pick));
      rows.push({
        set,
        peer,
        runs: runs.length,
        qps: middle((one) => one.qps),
        qpsSpread: spread(runs.map((one) => one.qps)),
        cpuMicros: middle((one) => one.cpuMicros),
        cpuShare: middle((one) => one.cpuShare),
        loadShare: middle((one) => one.loadShare),
        p50Micros: middle((one) => one.latency?.p50Micros ?? Number.NaN),
        p99Micros: middle((one) => one.latency?.p99Micros ?? Number.NaN),
        residentMegabytes: middle((one) => one.residentBytes) / 2 ** 20,
        wrongShare: Math.max(...runs.map((one) => one.wrongShare)),
        lostShare: Math.max(...runs.map((one) => one.lostShare)),
        dnsperfQps: dnsperf.get(`${set.name}/${peer}`) ?? Number.NaN,
      });
    }
  }
  return rows;
}

const REFERENCE = 'coredns';
const HEADS = [
  'query set',
  'server',
  'qps',
  'spread',
  `x ${REFERENCE}`,
  'CPU us/query',
  `CPU x ${REFERENCE}`,
  'core',
  'p50 us',
  'p99 us',
  'RSS MB',
  'wrong',
  'lost',
  'load core',
  'dnsperf qps',
];

/** The main table; p50 and p99 are at LATENCY_RATE queries a second (at its own rate for a paced set). */
export function figuresTable(rows: readonly Row[]): string {
  return renderTable(
    HEADS,
    rows.map((row) => {
      const reference = rows.find((other) => other.set === row.set && other.peer === REFERENCE);
      return [
        row.set.title,
        row.peer,
        formatRate(row.qps),
        formatPercent(row.qpsSpread),
        formatRatio(ratio(row.qps, reference?.qps)),
        formatNumber(row.cpuMicros),
        formatRatio(ratio(row.cpuMicros, reference?.cpuMicros)),
        formatPercent(row.cpuShare),
        formatNumber(row.p50Micros),
        formatNumber(row.p99Micros),
        formatNumber(row.residentMegabytes),
        formatPercent(row.wrongShare),
        formatPercent(row.lostShare),
        formatPercent(row.loadShare),
        formatRate(row.dnsperfQps),
      ];
    }),
  );
}

/** How `subject` stands to each other peer: qps, and CPU per query behind the slash. */
export function ratiosTable(rows: readonly Row[], subject: string): string {
  const others = [...new Set(rows.map((row) => row.peer))].filter((peer) => peer !== subject);
  const sets = [...new Set(rows.map((row) => row.set))];
  const lines: string[][] = [];
  for (const set of sets) {
    const own = rows.find((row) => row.set === set && row.peer === subject);
    if (own === undefined) continue;
    const cells = others.map((peer) => {
      const other = rows.find((row) => row.set === set && row.peer === peer);
      if (other === undefined) return '-';
      return `${formatRatio(ratio(own.qps, other.qps))} / ${formatRatio(ratio(own.cpuMicros, other.cpuMicros))}`;
    });
    lines.push([set.title, formatRate(own.qps), ...cells]);
  }
  if (lines.length === 0) return '';
  return renderTable(['query set', `${subject} qps`, ...others.map((peer) => `/ ${peer}`)], lines);
}

export const LEGEND =
  'Medians over the runs; spread = (largest - smallest) / median. CPU: user and system time of the whole server ' +
  "process for one right answer; core: its share of one core, load core: the generator's. " +
  `p50 and p99 at ${LATENCY_RATE} queries a second, from due time to reply. wrong and lost: the worst run.`;
