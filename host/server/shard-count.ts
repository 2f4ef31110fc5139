// How many shards: the CPU quota of the cgroup, else the cores this process may run on.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { SHARDS_MAX } from '../../engine-as/shared/layout.ts';

/** @param read gives a file's text, or undefined where there is none */
export function defaultShardCount(
  read: (path: string) => string | undefined = readText,
  cores = availableParallelism(),
): number {
  const quota = cpuQuota(read);
  const wanted = quota === undefined ? cores : Math.min(cores, Math.ceil(quota));
  return Math.max(1, Math.min(wanted, SHARDS_MAX));
}

/** CPUs' worth of time the cgroup grants; undefined = no limit. Version 2 first, then version 1. */
export function cpuQuota(read: (path: string) => string | undefined): number | undefined {
  const path = /^0::(\/.*)$/m.exec(read('/proc/self/cgroup') ?? '')?.[1] ?? '/';
  for (const folder of new Set([path, '/'])) {
    const max = read(`/sys/fs/cgroup${folder === '/' ? '' : folder}/cpu.max`)
      ?.trim()
      .split(' ');
    if (max !== undefined && max[0] !== 'max') return Number(max[0]) / Number(max[1]);
  }
  const ownPath = /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(\/.*)$/m.exec(read('/proc/self/cgroup') ?? '')?.[1] ?? '/';
  for (const folder of new Set([ownPath, '/'])) {
    const base = `/sys/fs/cgroup/cpu${folder === '/' ? '' : folder}`;
    const quota = Number(read(`${base}/cpu.cfs_quota_us`));
    const period = Number(read(`${base}/cpu.cfs_period_us`));
    if (quota > 0 && period > 0) return quota / period;
  }
  return undefined;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
