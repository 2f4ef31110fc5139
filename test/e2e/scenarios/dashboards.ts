// What dashboards and alerts ask Prometheus for: the expressions of the Grafana boards 15762 (Kubernetes / System / CoreDNS)
// and 22574, and of the coredns-mixin, with their variables left out. Both servers must give each selector the same series.

import { type Sample, seriesKey } from './page.ts';

export const EXPRESSIONS: Readonly<Record<string, readonly string[]>> = {
  'Grafana 15762': [
    'rate(process_cpu_seconds_total{instance=~".*"}[5m])',
    'process_resident_memory_bytes{instance=~".*"}',
    'sum(rate(coredns_dns_requests_total{instance=~".*",proto="udp"}[5m]))',
    'sum(rate(coredns_dns_requests_total{instance=~".*",proto="tcp"}[5m]))',
    'sum(rate(coredns_dns_request_size_bytes_sum{proto="udp"}[5m])) by (proto) / sum(rate(coredns_dns_request_size_bytes_count{proto="udp"}[5m])) by (proto)',
    'sum(rate(coredns_dns_requests_total{instance=~".*"}[5m])) by (type)',
    'sum(rate(coredns_dns_responses_total{instance=~".*"}[5m])) by (rcode)',
    'sum(rate(coredns_proxy_request_duration_seconds_count{proxy_name="forward"}[5m]))',
    'sum(rate(coredns_proxy_request_duration_seconds_count{proxy_name="forward",rcode=~"SERVFAIL|REFUSED"}[5m])) by (rcode)',
    'sum(rate(coredns_cache_hits_total{instance=~".*"}[5m])) by (type)',
    'sum(rate(coredns_cache_misses_total{instance=~".*"}[5m])) by (type)',
    'sum(coredns_cache_entries) by (type)',
    'sum(increase(coredns_dns_request_duration_seconds_bucket{instance=~".*"}[5m])) by (le)',
    'sum(increase(coredns_dns_request_size_bytes_bucket{le!="0"}[5m])) by (le)',
    'sum(increase(coredns_dns_response_size_bytes_bucket{le!="0"}[5m])) by (le)',
    // As earlier revisions of the board and its copies have them
    'sum(rate(coredns_dns_requests_total[5m])) by (zone)',
    'sum(rate(coredns_dns_do_requests_total{instance=~".*"}[5m]))',
    'sum(rate(coredns_forward_requests_total[5m]))',
    'sum(rate(coredns_forward_responses_total{rcode=~"SERVFAIL|REFUSED"}[5m])) by (rcode)',
    'histogram_quantile(0.99, sum(rate(coredns_dns_request_size_bytes_bucket{proto="udp"}[5m])) by (le,proto))',
    'histogram_quantile(0.50, sum(rate(coredns_dns_request_size_bytes_bucket{proto="tcp"}[5m])) by (le,proto))',
    'histogram_quantile(0.99, sum(rate(coredns_dns_request_duration_seconds_bucket{instance=~".*"}[5m])) by (le, job))',
    'sum(rate(coredns_panics_total{instance=~".*"}[5m]))',
  ],
  'Grafana 22574': [
    'sum(rate(coredns_dns_requests_total[5m])) by (server, zone, proto, family, type)',
    'sum(rate(coredns_dns_responses_total{rcode="NXDOMAIN"}[5m])) by (server, zone, rcode, plugin)',
    'sum(rate(coredns_dns_responses_total{rcode=~"SERVFAIL|REFUSED|FORMERR"}[5m])) by (rcode)',
    'sum(rate(coredns_dns_request_duration_seconds_sum[5m])) / sum(rate(coredns_dns_request_duration_seconds_count[5m]))',
    'sum(rate(coredns_cache_hits_total[5m])) / sum(rate(coredns_cache_requests_total[5m]))',
    'sum(rate(coredns_cache_evictions_total[5m])) by (type)',
    'sum(rate(coredns_cache_served_stale_total[5m]))',
    'sum(rate(coredns_cache_prefetch_total[5m]))',
    'sum(rate(coredns_forward_max_concurrent_rejects_total[5m]))',
    'histogram_quantile(0.95, sum(rate(coredns_proxy_request_duration_seconds_bucket[5m])) by (le, to, rcode, proxy_name))',
    'sum(rate(coredns_proxy_conn_cache_hits_total[5m])) by (to, proto)',
    'sum(rate(coredns_proxy_conn_cache_misses_total[5m])) by (to, proto)',
    'sum(rate(coredns_proxy_healthcheck_failures_total[5m])) by (to)',
    'count(coredns_plugin_enabled) by (name)',
    'coredns_build_info',
    'coredns_hosts_entries',
    'coredns_hosts_reload_timestamp_seconds',
    'coredns_reload_failed_total',
    'coredns_local_localhost_requests_total',
  ],
  // Its alerts, then its board
  'coredns-mixin': [
    'histogram_quantile(0.99, sum(rate(coredns_dns_request_duration_seconds_bucket[5m])) by(server, zone, le)) > 4',
    'sum(rate(coredns_dns_responses_total{rcode="SERVFAIL"}[5m])) / sum(rate(coredns_dns_responses_total[5m])) > 0.03',
    'histogram_quantile(0.99, sum(rate(coredns_forward_request_duration_seconds_bucket[5m])) by(to, le)) > 4',
    'sum(rate(coredns_forward_responses_total{rcode="SERVFAIL"}[5m])) / sum(rate(coredns_forward_responses_total[5m])) > 0.01',
    'sum(rate(coredns_forward_healthcheck_failures_total[5m])) by (to) > 0',
    'sum(rate(coredns_forward_healthcheck_broken_total[5m])) > 0',
    'histogram_quantile(0.99, sum(rate(coredns_proxy_request_duration_seconds_bucket{proxy_name="forward"}[5m])) by(to, le)) > 4',
    'sum(rate(coredns_proxy_request_duration_seconds_count{rcode="SERVFAIL"}[5m])) / sum(rate(coredns_proxy_request_duration_seconds_count[5m])) > 0.01',
    'sum(coredns_panics_total)',
    'sum(rate(coredns_dns_responses_total[5m])) by (rcode)',
    'histogram_quantile(0.99, sum(rate(coredns_dns_request_duration_seconds_bucket[5m])) by (server, zone, le))',
    'sum(rate(coredns_dns_requests_total[5m])) by (zone)',
    'histogram_quantile(0.99, sum(rate(coredns_kubernetes_dns_programming_duration_seconds_bucket[5m])) by (service_kind, le))',
    'count(sum(coredns_plugin_enabled) by (name))',
    'histogram_quantile(0.99, sum(rate(coredns_dns_request_size_bytes_bucket[5m])) by (server, zone, proto, le))',
    'histogram_quantile(0.50, sum(rate(coredns_dns_response_size_bytes_bucket[5m])) by (server, zone, proto, le))',
    'sum(coredns_cache_hits_total) / (sum(coredns_cache_misses_total) + sum(coredns_cache_hits_total))',
  ],
};

export interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly text: string }[];
}

/** The selectors of an expression. */
export function selectorsOf(expression: string): Selector[] {
  return [...expression.matchAll(/\b((?:coredns|process)_\w+)(?:\{([^}]*)\})?/g)].map(([, metric, matchers = '']) => ({
    metric: metric!,
    matchers: [...matchers.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(([, label, operator, text]) => ({
      label: label!,
      operator: operator!,
      text: text!,
    })),
  }));
}

/** Keys of the samples that a selector takes; a label that is missing counts as empty. */
export function select(samples: readonly Sample[], selector: Selector): string[] {
  return samples
    .filter(({ name, labels }) => {
      if (name !== selector.metric) return false;
      return selector.matchers.every(({ label, operator, text }) => {
        const value = labels[label] ?? '';
        const isEqual = operator.includes('~') ? new RegExp(`^(?:${text})$`).test(value) : value === text;
        return isEqual !== operator.startsWith('!');
      });
    })
    .map(seriesKey)
    .sort();
}

/** Labels that an expression groups by. */
export function groupingsOf(expression: string): string[] {
  return [...expression.matchAll(/\bby\s*\(([^)]*)\)/g)].flatMap(([, labels]) =>
    labels!.split(',').map((label) => label.trim()),
  );
}
