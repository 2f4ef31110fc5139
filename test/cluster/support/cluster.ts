// The cluster that test/cluster/up.sh started: kubectl, commands in its network namespace, its containers' processes.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { repository } from '../../e2e/support/tools.ts';

/** Where up.sh keeps it (test/cluster/run.sh says so). */
export const clusterDirectory = process.env['WASMDNS_CLUSTER_DIR'] ?? '/tmp/wasmdns-cluster';

/** ClusterIP of the DNS service, as kubelets tell their pods. */
export const DNS_ADDRESS = '10.96.0.10';

export class CommandFailed extends Error {}

/** Standard output of kubectl; throws CommandFailed with what it said. */
export function kubectl(args: readonly string[], input = ''): Promise<string> {
  return run(join(clusterDirectory, 'kubectl'), args, input);
}

/** Standard output of a command in the cluster's network namespace, once it has ended. */
export function inside(command: readonly string[]): Promise<string> {
  return run(join(clusterDirectory, 'inside'), command);
}

export function apply(manifest: string): Promise<string> {
  return kubectl(['apply', '-f', '-'], manifest);
}

/** A JSON object of the API. */
export async function read<T>(...args: string[]): Promise<T> {
  return JSON.parse(await kubectl(['get', ...args, '-o', 'json'])) as T;
}

/** Standard output of a command in a pod's first container. */
export function exec(pod: string, ...command: string[]): Promise<string> {
  return kubectl(['exec', pod, '--', ...command]);
}

export interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly containerID?: string; readonly restartCount: number }[];
  };
}

export async function pods(selector: string, namespace = 'default'): Promise<readonly Pod[]> {
  return (await read<{ items: Pod[] }>('pods', '-l', selector, '-n', namespace)).items;
}

export function isReady({ metadata, status }: Pod): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  return status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}

/** Process id, on this machine, of the first process of the pod's container. */
export async function processOf(pod: Pod): Promise<number> {
  const id = pod.status.containerStatuses?.[0]?.containerID?.replace('containerd://', '');
  const tasks = await run('ctr', ['-a', join(clusterDirectory, 'containerd.sock'), '-n', 'k8s.io', 'tasks', 'list']);
  const line = tasks.split('\n').find((text) => id !== undefined && text.startsWith(id));
  if (line === undefined) throw new Error(`${pod.metadata.name} has no running container`);
  return Number(line.split(/\s+/)[1]);
}

function run(file: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, { maxBuffer: 1 << 26, cwd: repository }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new CommandFailed(`${file} ${args.join(' ')}: ${stderr}${stdout}`.trim(), { cause: error }));
    });
    // Who needs no input may end before it has come.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}
