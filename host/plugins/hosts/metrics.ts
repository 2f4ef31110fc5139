// Metrics of plugin hosts. They belong to the process: a series stays as it was last set, whatever configuration runs.

import type { Metrics } from '../../metrics/registry.ts';

const ENTRIES = 'coredns_hosts_entries';
const ENTRIES_HELP = 'The combined number of entries in hosts and Corefile.';
const RELOADED = 'coredns_hosts_reload_timestamp_seconds';
const RELOADED_HELP = 'The timestamp of the last reload of hosts file.';

export interface HostsMetrics {
  /** The file was read. */
  loaded(file: string, entries: number, modifiedSeconds: number): void;
}

const known = new WeakMap<Metrics, HostsMetrics>();

export function hostsMetrics(metrics: Metrics): HostsMetrics {
  const shown = known.get(metrics) ?? createMetrics(metrics);
  known.set(metrics, shown);
  return shown;
}

function createMetrics(metrics: Metrics): HostsMetrics {
  const entriesOf = new Map<string, number>();
  let reloadedSeconds = 0;
  metrics.gauge(RELOADED, RELOADED_HELP, {}, () => reloadedSeconds);
  return {
    loaded(file, entries, modifiedSeconds) {
      if (!entriesOf.has(file)) metrics.gauge(ENTRIES, ENTRIES_HELP, { hostsfile: file }, () => entriesOf.get(file));
      entriesOf.set(file, entries);
      reloadedSeconds = modifiedSeconds;
    },
  };
}
