// How many shards: the CPU quota of the cgroup, else the cores this process may run on.

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { SHARDS_MAX } from '../../engine-as/shared/layout.ts';

/** Text of a file, or undefined where there is none. */
export type ReadText = (path: string) => string | undefined;

export function defaultShardCount(read: ReadText = readText, cores = availableParallelism()): number {
  const quota = cpuQuota(read);
  const wanted = quota === undefined ? cores : Math.min(cores, Math.ceil(quota));
  return Math.max(1, Math.min(wanted, SHARDS_MAX));
}

/** CPUs' worth of time the cgroup grants; undefined = no limit. Version 2 first, then version 1. */
export function cpuQuota(read: ReadText): number | undefined {
  const groups = read('/proc/self/cgroup') ?? '';
  const path2 = /^0::(\/.*)$/m.exec(groups)?.[1] ?? '/';
  const path1 = /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(\/.*)$/m.exec(groups)?.[1] ?? '/';
  return (
    smallest(path2, (folder) => quota2(read, `/sys/fs/cgroup${folder}`)) ??
    smallest(path1, (folder) => quota1(read, `/sys/fs/cgroup/cpu${folder}`))
  );
}

/** A group has what the tightest of its ancestors grants. In a container `/` is the group itself. */
function smallest(path: string, quotaOf: (folder: string) => number | undefined): number | undefined {
  const words = path.split('/').filter((word) => word !== '');
  const folders = Array.from({ length: words.length + 1 }, (_, i) => words.slice(0, i).map((word) => `/${word}`));
  const quotas = folders.flatMap((folder) => quotaOf(folder.join('')) ?? []);
  return quotas.length === 0 ? undefined : Math.min(...quotas);
}

/** cgroup v2: `cpu.max` is `QUOTA PERIOD` or `max PERIOD`, in microseconds. */
function quota2(read: ReadText, folder: string): number | undefined {
  const [quota, period] = (read(`${folder}/cpu.max`) ?? '').trim().split(' ');
  return ratio(quota, period);
}

/** cgroup v1: a quota of -1 is no limit. */
function quota1(read: ReadText, folder: string): number | undefined {
  return ratio(read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`));
}

function ratio(quota: string | undefined, period: string | undefined): number | undefined {
  const value = Number(quota) / Number(period);
  return value > 0 && Number.isFinite(value) ? value : undefined;
}

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
