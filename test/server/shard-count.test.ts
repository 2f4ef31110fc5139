import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { cpuQuota, defaultShardCount } from '../../host/server/shard-count.ts';

type Files = Readonly<Record<string, string>>;

const reading = (files: Files) => (path: string) => files[path];
const GROUP = '/proc/self/cgroup';
const V2 = '/sys/fs/cgroup';
const V1 = '/sys/fs/cgroup/cpu';

const QUOTAS: readonly (readonly [what: string, files: Files, quota: number | undefined])[] = [
  ['no cgroup at all', {}, undefined],
  ['v2: no limit', { [GROUP]: '0::/\n', [`${V2}/cpu.max`]: 'max 100000\n' }, undefined],
  ['v2: a container', { [GROUP]: '0::/\n', [`${V2}/cpu.max`]: '250000 100000\n' }, 2.5],
  ['v2: half a CPU', { [`${V2}/cpu.max`]: '50000 100000\n' }, 0.5],
  ['v2: a slice', { [GROUP]: '0::/a/b\n', [`${V2}/a/b/cpu.max`]: '300000 100000\n' }, 3],
  [
    'v2: the tightest ancestor counts',
    {
      [GROUP]: '0::/a/b\n',
      [`${V2}/a/cpu.max`]: '200000 100000\n',
      [`${V2}/a/b/cpu.max`]: '300000 100000\n',
    },
    2,
  ],
  ['v2: an ancestor alone', { [GROUP]: '0::/a/b\n', [`${V2}/a/cpu.max`]: '100000 100000\n' }, 1],
  ['v2: nonsense', { [`${V2}/cpu.max`]: 'what ever\n' }, undefined],
  ['v2: nothing in it', { [`${V2}/cpu.max`]: '' }, undefined],
  ['v2: zeros', { [`${V2}/cpu.max`]: '0 0\n' }, undefined],
  [
    'v1: a limit',
    {
      [GROUP]: '5:cpuset:/x\n4:cpu,cpuacct:/kubepods/pod1\n',
      [`${V1}/kubepods/pod1/cpu.cfs_quota_us`]: '150000\n',
      [`${V1}/kubepods/pod1/cpu.cfs_period_us`]: '100000\n',
    },
    1.5,
  ],
  [
    "v1: a container that sees its host's path",
    {
      [GROUP]: '4:cpuacct,cpu:/docker/abc\n',
      [`${V1}/cpu.cfs_quota_us`]: '400000\n',
      [`${V1}/cpu.cfs_period_us`]: '100000\n',
    },
    4,
  ],
  ['v1: no limit', { [`${V1}/cpu.cfs_quota_us`]: '-1\n', [`${V1}/cpu.cfs_period_us`]: '100000\n' }, undefined],
];

for (const [what, files, quota] of QUOTAS) {
  test(`CPU quota: ${what}`, () => assert.equal(cpuQuota(reading(files)), quota));
}

const limited = (cpus: number) => reading({ [`${V2}/cpu.max`]: `${cpus * 100_000} 100000\n` });

test('as many shards as the quota grants, rounded up, within cores and limits', () => {
  assert.equal(defaultShardCount(reading({}), 8), 8);
  assert.equal(defaultShardCount(limited(2), 8), 2);
  assert.equal(defaultShardCount(limited(2.1), 8), 3);
  assert.equal(defaultShardCount(limited(0.1), 8), 1);
  assert.equal(defaultShardCount(limited(16), 8), 8);
  assert.equal(defaultShardCount(reading({}), 512), 64);
});

test('this machine', () => {
  const shards = defaultShardCount();
  assert.ok(shards >= 1 && shards <= availableParallelism(), String(shards));
});
