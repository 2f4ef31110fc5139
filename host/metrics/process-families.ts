// process_* families, those of Prometheus's Go client (what CoreDNS shows), and nodejs_* of prom-client.

import { readFileSync } from 'node:fs';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import processMaxFileDescriptors from 'prom-client/lib/metrics/processMaxFileDescriptors.js';
import processOpenFileDescriptors from 'prom-client/lib/metrics/processOpenFileDescriptors.js';
import processStartTime from 'prom-client/lib/metrics/processStartTime.js';
import type { ProcessFamilies } from './registry.ts';

const PROCESS_PARTS = [processStartTime, processOpenFileDescriptors, processMaxFileDescriptors];
/** What the Go client says where there is no limit. */
const UNLIMITED = 2 ** 64;

export function createProcessFamilies(): ProcessFamilies {
  const registry = new Registry();
  let runtime: Registry | undefined;
  for (const collect of PROCESS_PARTS) collect(registry);
  showCpu(registry);
  showMemory(registry);
  showNetwork(registry);
  return {
    expose: async () => `${await registry.metrics()}${runtime === undefined ? '' : await runtime.metrics()}`,
    enableRuntimeMetrics: () => {
      // Runtime families come with observers that cost a little all the time: only when asked for.
      runtime ??= runtimeRegistry();
    },
  };
}

/** nodejs_* alone: prom-client brings a process_* of its own with it. */
function runtimeRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const { name } of registry.getMetricsAsArray()) {
    if (!name.startsWith('nodejs_')) registry.removeSingleMetric(name);
  }
  return registry;
}

function showCpu(registry: Registry): void {
  counter(registry, 'process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
}

function showMemory(registry: Registry): void {
  gauge(registry, 'process_resident_memory_bytes', 'Resident memory size in bytes.', () => statusBytes('VmRSS'));
  gauge(registry, 'process_virtual_memory_bytes', 'Virtual memory size in bytes.', () => statusBytes('VmSize'));
  const help = 'Maximum amount of virtual memory available in bytes.';
  gauge(registry, 'process_virtual_memory_max_bytes', help, () => {
    const limit = /^Max address space +(\S+)/m.exec(procText('limits'))?.[1];
    return limit === 'unlimited' ? UNLIMITED : Number(limit ?? 0);
  });
}

/** Of the network namespace, as the Go client counts: all processes of a pod together. */
function showNetwork(registry: Registry): void {
  const received = 'Number of bytes received by the process over the network.';
  counter(registry, 'process_network_receive_bytes_total', received, () => netstat('IpExt', 'InOctets'));
  const sent = 'Number of bytes sent by the process over the network.';
  counter(registry, 'process_network_transmit_bytes_total', sent, () => netstat('IpExt', 'OutOctets'));
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

function counter(registry: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

function statusBytes(field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(procText('status'))?.[1] ?? 0) * 1024;
}

/** A field of `net/netstat`: a line of names, then a line of values. */
function netstat(group: string, field: string): number {
  const lines = procText('net/netstat').split('\n');
  const [names = [], values = []] = lines.filter((line) => line.startsWith(`${group}:`)).map((line) => line.split(' '));
  return Number(values[names.indexOf(field)] ?? 0);
}

/** Empty where there is no /proc. The files are the kernel's data: reading them waits for nothing. */
function procText(name: string): string {
  try {
    return readFileSync(`/proc/self/${name}`, 'utf8');
  } catch {
    return '';
  }
}
