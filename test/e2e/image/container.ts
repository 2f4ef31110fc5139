// Containers of the image, run by podman with runc, in the network of this process.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child, scratchDirectory } from '../support/child.ts';
import { repository } from '../support/tools.ts';

export const IMAGE = 'localhost/wasmdns:dev';
export const archive: string = join(repository, 'dist/image.tar');

// crun refuses limits where cgroups of both versions are mounted; the limits of open files must not be above our own.
const CONTAINERS_CONF = `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`;

let isConfigured = false;

export function environment(): Readonly<Record<string, string>> {
  const path = join(scratchDirectory(), 'containers.conf');
  if (!isConfigured) writeFileSync(path, CONTAINERS_CONF);
  isConfigured = true;
  return { ...(process.env as Record<string, string>), CONTAINERS_CONF: path, BUILDAH_ISOLATION: 'chroot' };
}

/** Runs podman or buildah; throws with what it said when it failed. */
export function run(command: 'podman' | 'buildah', ...args: readonly string[]): string {
  const result = attempt(command, ...args);
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.status}\n${result.output}`);
  return result.stdout.trim();
}

export interface Attempt {
  readonly status: number | null;
  readonly stdout: string;
  /** Both streams. */
  readonly output: string;
}

export function attempt(command: 'podman' | 'buildah' | 'runc', ...args: readonly string[]): Attempt {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', env: environment() });
  if (error !== undefined) throw error;
  return { status, stdout, output: stdout + stderr };
}

/** Runs podman without waiting for it. */
export function start(command: 'podman', ...args: readonly string[]): Child {
  return new Child(command, command, args, { env: environment() });
}

/** The suite tests the archive, not what a storage happens to hold. */
export function loadImage(): void {
  if (!existsSync(archive)) throw new Error(`${archive} is missing: npm run image`);
  run('podman', 'load', '--quiet', '--input', archive);
}

export function pidOf(container: string): number {
  return Number(run('podman', 'inspect', '--format', '{{.State.Pid}}', container));
}

export interface Memory {
  readonly limitBytes: number;
  readonly usageBytes: number;
  /** The most that was ever in use, with the kernel's page cache; undefined where the kernel does not tell. */
  readonly peakBytes: number | undefined;
  readonly oomKills: number;
}

/** Memory of the cgroup of a process, of either version. */
export function memoryOf(pid: number): Memory {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const path1 = /^\d+:memory:(\/.*)$/m.exec(groups)?.[1];
  const folder =
    path1 === undefined ? join('/sys/fs/cgroup', /^0::(\/.*)$/m.exec(groups)![1]!) : `/sys/fs/cgroup/memory${path1}`;
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const [limit, usage, peak, events] =
    path1 === undefined
      ? ['memory.max', 'memory.current', 'memory.peak', 'memory.events']
      : ['memory.limit_in_bytes', 'memory.usage_in_bytes', 'memory.max_usage_in_bytes', 'memory.oom_control'];
  return {
    limitBytes: Number(read(limit!)),
    usageBytes: Number(read(usage!)),
    peakBytes: existsSync(join(folder, peak!)) ? Number(read(peak!)) : undefined,
    oomKills: Number(/^oom_kill (\d+)$/m.exec(read(events!))?.[1] ?? Number.NaN),
  };
}

/** The layers of the archive as tar files, in a folder of their own. */
export function unpackArchive(): { readonly layers: readonly string[]; readonly config: ImageConfig } {
  const folder = join(scratchDirectory(), 'archive');
  execFileSync('mkdir', ['-p', folder]);
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  const [manifest] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  return {
    layers: manifest.Layers.map((name: string) => join(folder, name)),
    config: JSON.parse(readFileSync(join(folder, manifest.Config), 'utf8')).config,
  };
}

export interface ImageConfig {
  readonly User: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd?: readonly string[] | null;
  readonly WorkingDir: string;
  readonly ExposedPorts: Readonly<Record<string, unknown>>;
}
