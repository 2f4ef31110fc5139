// Metrics of plugin kubernetes: requests to the API, and how long a change takes to be answered.

import type { ClusterObserver } from '../../kubernetes/cluster.ts';
import type { WatchObserver, WatchState } from '../../kubernetes/resource-watch.ts';
import type { Metrics } from '../../metrics/registry.ts';

/** Prometheus's default buckets, in seconds. */
const REQUEST_BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** 1 ms, doubling, to about 9 minutes. */
const PROGRAMMING_BOUNDS: readonly number[] = Array.from({ length: 20 }, (_, i) => 0.001 * 2 ** i);

export function clusterObserver(metrics: Metrics): ClusterObserver {
  return {
    requested(code, host) {
      const slot = metrics.counter(
        'coredns_kubernetes_rest_client_requests_total',
        'Number of HTTP requests, partitioned by status code, method, and host.',
        { code, host, method: 'GET' },
      );
      metrics.slots.add(slot, 1);
    },
    listed(seconds, host) {
      const labels = { host, verb: 'GET' };
      const duration = metrics.histogram(
        'coredns_kubernetes_rest_client_request_duration_seconds',
        'Request latency in seconds. Broken down by verb and host.',
        labels,
        REQUEST_BOUNDS,
      );
      metrics.slots.observe(duration, REQUEST_BOUNDS, seconds);
      const limiter = metrics.histogram(
        'coredns_kubernetes_rest_client_rate_limiter_duration_seconds',
        'Client side rate limiter latency in seconds. Broken down by verb and host.',
        labels,
        REQUEST_BOUNDS,
      );
      // Nothing limits the client: no request has ever waited.
      metrics.slots.observe(limiter, REQUEST_BOUNDS, 0);
    },
    programmed(kind, seconds) {
      const slot = metrics.histogram(
        'coredns_kubernetes_dns_programming_duration_seconds',
        'Histogram of the time (in seconds) it took to program a dns instance.',
        { service_kind: kind },
        PROGRAMMING_BOUNDS,
      );
      metrics.slots.observe(slot, PROGRAMMING_BOUNDS, seconds);
    },
    ...watchObserver(metrics),
    watching: (watches) => showAges(metrics, watches),
  };
}

function watchObserver(metrics: Metrics): WatchObserver {
  return {
    applied(resource, seconds) {
      const slot = metrics.histogram(
        'wasmdns_kubernetes_programming_duration_seconds',
        'Histogram of the time (in seconds) from the last writing of an object, which the API notes in whole seconds, until it was answered.',
        { resource },
        PROGRAMMING_BOUNDS,
      );
      metrics.slots.observe(slot, PROGRAMMING_BOUNDS, seconds);
    },
    checked(resource, result, missed) {
      const checks = metrics.counter(
        'wasmdns_kubernetes_watch_checks_total',
        'Counter of comparisons of what a watch has shown with what the API has.',
        { resource, result },
      );
      metrics.slots.add(checks, 1);
      const slot = metrics.counter(
        'wasmdns_kubernetes_watch_missed_total',
        'Counter of objects that were not as the watch had shown them, and were listed again.',
        { resource },
      );
      metrics.slots.add(slot, missed);
    },
  };
}

/** All watches of the process: several clusters may watch a resource of one name. */
const running = new WeakMap<Metrics, Set<WatchState>>();

function showAges(metrics: Metrics, watches: readonly WatchState[]): () => void {
  const all = running.get(metrics) ?? new Set();
  running.set(metrics, all);
  for (const watch of watches) {
    all.add(watch);
    const { resource } = watch;
    metrics.gauge(
      'wasmdns_kubernetes_watch_age_seconds',
      'Seconds since the last event or bookmark of a watch; of several watches of a resource the oldest.',
      { resource },
      () => oldest(all, resource),
    );
  }
  return () => {
    for (const watch of watches) all.delete(watch);
  };
}

function oldest(watches: ReadonlySet<WatchState>, resource: string): number | undefined {
  let heardAt: number | undefined;
  for (const watch of watches) {
    if (watch.resource === resource) heardAt = Math.min(heardAt ?? Number.POSITIVE_INFINITY, watch.heardAt ?? Infinity);
  }
  return heardAt === undefined || heardAt === Infinity ? undefined : (performance.now() - heardAt) / 1000;
}
