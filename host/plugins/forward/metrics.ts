// Counters of forward: made on the main thread, their slots cross to the shards.

import type { Metrics } from '../../metrics/registry.ts';
import type { UpstreamTarget } from './targets.ts';

const PROXY_NAME = 'forward';

/** Seconds: 0.25 ms, doubling. */
export const DURATION_BOUNDS: readonly number[] = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);

/** Label values of `rcode`, as Go's DNS library prints them; all others share the last one. */
const RCODE_LABELS: readonly string[] = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
  'BADSIG',
  'BADCOOKIE',
  'other',
];
const BADSIG = 16;
const BADCOOKIE = 23;

/** Plain data: it crosses to every shard. */
export type UpstreamSlots = {
  /** Index PROTOCOL_UDP, PROTOCOL_TCP. */
  readonly hits: readonly number[];
  readonly misses: readonly number[];
  readonly healthFailures: number;
  /** First slot of the histogram, by place in RCODE_LABELS. */
  readonly durations: readonly number[];
};

export type StanzaSlots = {
  readonly broken: number;
  readonly rejects: number;
  readonly upstreams: readonly UpstreamSlots[];
};

export function createSlots(metrics: Metrics, upstreams: readonly UpstreamTarget[]): StanzaSlots {
  return {
    broken: metrics.counter(
      'coredns_forward_healthcheck_broken_total',
      'Counter of the number of complete failures of the healthchecks.',
      {},
    ),
    rejects: metrics.counter(
      'coredns_forward_max_concurrent_rejects_total',
      'Counter of the number of queries rejected because the concurrent queries were at maximum.',
      {},
    ),
    upstreams: upstreams.map((upstream) => upstreamSlots(metrics, upstream.text)),
  };
}

/** First slot of the duration histogram for this rcode (twelve bits). */
export function durationSlot(slots: UpstreamSlots, rcode: number): number {
  if (rcode <= 10) return slots.durations[rcode]!;
  if (rcode === BADSIG) return slots.durations[11]!;
  return slots.durations[rcode === BADCOOKIE ? 12 : 13]!;
}

function upstreamSlots(metrics: Metrics, to: string): UpstreamSlots {
  const labels = { proxy_name: PROXY_NAME, to };
  const connections = (name: string, help: string) =>
    ['udp', 'tcp'].map((proto) => metrics.counter(name, help, { ...labels, proto }));
  return {
    hits: connections(
      'coredns_proxy_conn_cache_hits_total',
      'Counter of connection cache hits per upstream and protocol.',
    ),
    misses: connections(
      'coredns_proxy_conn_cache_misses_total',
      'Counter of connection cache misses per upstream and protocol.',
    ),
    healthFailures: metrics.counter(
      'coredns_proxy_healthcheck_failures_total',
      'Counter of the number of failed healthchecks.',
      labels,
    ),
    durations: RCODE_LABELS.map((rcode) =>
      metrics.histogram(
        'coredns_proxy_request_duration_seconds',
        'Histogram of the time each request took.',
        { ...labels, rcode },
        DURATION_BOUNDS,
      ),
    ),
  };
}
