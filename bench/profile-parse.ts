/** Reads what perf and V8 print about a profiled run. */

export interface Part {
  readonly name: string;
  readonly title: string;
  /** Tested in the order of PARTS; the first that holds takes the line. */
  holds(dso: string, symbol: string): boolean;
}

const isCompiled = (dso: string): boolean => /perf-\d+\.map|\[JIT\]|\[unknown\]|anon/.test(dso);

/** What a sample's place belongs to. */
export const PARTS: readonly Part[] = [
  { name: 'kernel', title: 'kernel', holds: (dso) => dso.startsWith('[kernel') || dso.startsWith('[guest') },
  { name: 'koffi', title: 'koffi', holds: (dso) => dso.includes('koffi') },
  { name: 'engine', title: 'engine (wasm)', holds: (dso, symbol) => isCompiled(dso) && /wasm/i.test(symbol) },
  { name: 'script', title: 'JavaScript', holds: (dso) => isCompiled(dso) },
  { name: 'runtime', title: 'Node, V8, libc', holds: () => true },
];

export interface Budget {
  /** Percent of all samples, by the name of the part. */
  readonly shares: Readonly<Record<string, number>>;
  /** Lines of the report, hottest first. */
  readonly hottest: readonly string[];
}

/** Of `perf report --stdio -q --sort dso,symbol`: lines `12.34%  DSO  [k] SYMBOL`. @throws Error if there is no such line */
export function budgetOf(report: string): Budget {
  const shares: Record<string, number> = Object.fromEntries(PARTS.map((part) => [part.name, 0]));
  const hottest: string[] = [];
  for (const line of report.split('\n')) {
    const match = /^\s*(\d+\.\d+)%\s+(\S.*?)\s+\[([k.])\]\s+(.*?)(?:\s+-)*\s*$/.exec(line);
    if (match === null) continue;
    const [, percent, dso, , symbol] = match as unknown as [string, string, string, string, string];
    const part = PARTS.find((one) => one.holds(dso, symbol))!;
    shares[part.name]! += Number(percent);
    hottest.push(`${percent.padStart(6)} %  ${part.title.padEnd(14)}  ${symbol}`);
  }
  if (hottest.length === 0) throw new Error('perf saw nothing');
  return { shares, hottest };
}

/**
 * Octets allocated between the first and the last collection of each isolate, of `--trace-gc` lines
 * `[PID:ISOLATE] TIME ms: Scavenge 12.3 (13.4) -> 11.2 (13.4) MB, ...`: what was there before one, less what the one
 * before had left. 0 if nothing was collected: then less than one young generation was allocated.
 */
export function allocatedBytes(log: string): number {
  const leftMegabytes = new Map<string, number>();
  let megabytes = 0;
  for (const [, isolate, before, after] of log.matchAll(
    /^\[\d+:(0x[0-9a-f]+)[^\]]*\].*? (\d+\.\d+) \(\d+\.\d+\) -> (\d+\.\d+) \(/gm,
  )) {
    const left = leftMegabytes.get(isolate!);
    if (left !== undefined) megabytes += Math.max(0, Number(before) - left);
    leftMegabytes.set(isolate!, Number(after));
  }
  return megabytes * 2 ** 20;
}
