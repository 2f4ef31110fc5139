// Compares what two servers tell on /metrics: which series there are, and the counters of queries and replies.

import { sleep } from '../support/child.ts';
import { httpGet } from '../support/server.ts';
import type { Side } from './pair.ts';

/** Both servers count a query after they have answered it. */
const SETTLE_MS = 150;
const TRIES = 4;

/** One line for each series that only one server has, and for each counter that differs. */
export async function compareSeries(left: Side, right: Side, leeway: Leeway = NO_LEEWAY): Promise<string[]> {
  let differences = await compareOnce(left, right, leeway);
  for (let n = 1; n < TRIES && differences.length > 0; n++) {
    await sleep(SETTLE_MS * n);
    differences = await compareOnce(left, right, leeway);
  }
  return differences;
}

/** What allowed differences and chance do to metrics. */
export interface Leeway {
  /** Questions whose answers were allowed to differ: so much may replies by rcode. */
  readonly replies: number;
  /** Of several upstreams, which one is asked is up to a policy and to what it said before. */
  readonly hasManyUpstreams: boolean;
}

const NO_LEEWAY: Leeway = { replies: 0, hasManyUpstreams: false };

async function compareOnce(left: Side, right: Side, leeway: Leeway): Promise<string[]> {
  const [a, b] = await Promise.all([left, right].map(seriesOf));
  if (a === undefined || b === undefined)
    return a === b ? [] : [`/metrics: ${a ? 'there' : 'none'} / ${b ? 'there' : 'none'}`];
  const differences: string[] = [];
  const isOpen = (name: string, count: number) =>
    (name.startsWith('coredns_proxy_') && leeway.hasManyUpstreams) ||
    (name.startsWith('coredns_dns_responses_total') && count <= leeway.replies);
  for (const [name, value] of a)
    if (!b.has(name) && !isOpen(name, value)) differences.push(`series only on the left: ${name}`);
  for (const [name, value] of b)
    if (!a.has(name) && !isOpen(name, value)) differences.push(`series only on the right: ${name}`);
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other !== undefined && isDefinedCounter(name) && other !== value)
      differences.push(`${name}: ${value} / ${other}`);
  }
  return differences;
}

/** Counters of which each query of a session has its part, whatever the clock does. */
function isDefinedCounter(name: string): boolean {
  return /^coredns_dns_(?:requests|responses|do_requests)_total|^coredns_plugin_enabled|_size_bytes_count/.test(name);
}

/** Series by name and labels, ports as words; undefined when there is no /metrics. */
async function seriesOf(side: Side): Promise<Map<string, number> | undefined> {
  const response = await httpGet(side.ports['METRICS']!, '/metrics').catch(() => undefined);
  if (response?.status !== 200) return undefined;
  const series = new Map<string, number>();
  for (const line of response.body.split('\n')) {
    const [, name, value] = /^(coredns_\w+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
    if (name === undefined || name.startsWith('coredns_build_info')) continue;
    let neutral = inOrder(name).replaceAll(/"[^"]*\/(?:coredns|wasmdns)-\w{6}(?=[/"])/g, '"@FILES@');
    const ports = { ...side.ports, PORT: side.ownPort ?? side.ports['PORT']! };
    for (const [word, port] of Object.entries(ports)) neutral = neutral.replaceAll(`:${port}"`, `:@${word}@"`);
    series.set(neutral, Number(value));
  }
  return series;
}

/** Labels by their names: their order means nothing. */
function inOrder(series: string): string {
  const [, name, labels] = /^(\w+)\{(.*)\}$/.exec(series) ?? [];
  if (labels === undefined) return series;
  return `${name}{${[...labels.matchAll(/\w+="(?:[^"\\]|\\.)*"/g)]
    .map(([label]) => label)
    .sort()
    .join(',')}}`;
}
