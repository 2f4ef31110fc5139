// Counters of forward: made on the main thread, their slots cross to the shards.

import type { Metrics } from '../../metrics/registry.ts';
import { rcodeLabel } from './rcodes.ts';
import type { UpstreamTarget } from './targets.ts';

const PROXY_NAME = 'forward';

/** Seconds: 0.25 ms, doubling. */
export const DURATION_BOUNDS: readonly number[] = Array.from({ length: 16 }, (_, i) => 0.00025 * 2 ** i);

/** Rcodes whose histograms have slots from the start; others get theirs from the main thread when they appear. */
const COMMON_RCODES: readonly number[] = [0, 1, 2, 3, 4, 5];
/** Further rcodes that get a histogram of their own, in the whole process; what comes later shares one. */
const RARE_MAX = 64;
const SHARED_LABEL = 'other';

/** Plain data: it crosses to every shard. */
export type UpstreamSlots = {
  /** Index PROTOCOL_UDP, PROTOCOL_TCP. */
  readonly hits: readonly number[];
  readonly misses: readonly number[];
  readonly healthFailures: number;
  /** First slot of the histogram, by rcode. */
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

/** First slot of the duration histogram for this rcode (twelve bits); undefined for a rare one. */
export function durationSlot(slots: UpstreamSlots, rcode: number): number | undefined {
  return slots.durations[rcode];
}

const RARE_LABELS = new Set<string>();

/** Main thread: counts a reply with a rare rcode. */
export function observeRare(metrics: Metrics, to: string, rcode: number, seconds: number): void {
  const label = rcodeLabel(rcode);
  if (RARE_LABELS.size < RARE_MAX) RARE_LABELS.add(label);
  const slot = durationHistogram(metrics, to, RARE_LABELS.has(label) ? label : SHARED_LABEL);
  metrics.slots.observe(slot, DURATION_BOUNDS, seconds);
}

function durationHistogram(metrics: Metrics, to: string, rcode: string): number {
  return metrics.histogram(
    'coredns_proxy_request_duration_seconds',
    'Histogram of the time each request took.',
    { proxy_name: PROXY_NAME, to, rcode },
    DURATION_BOUNDS,
  );
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
    durations: COMMON_RCODES.map((rcode) => durationHistogram(metrics, to, rcodeLabel(rcode))),
  };
}
