// The Deployment's pod, run by podman from the manifest in the network of this process.

import { until } from '../support/child.ts';
import { httpStatus, isServing } from '../support/server.ts';
import { type Memory, memoryOf, pidOf, run, start } from './container.ts';

const CONTAINER = 'coredns-pod-0-coredns';
export const READY_PORT = 8181;

export class Pod {
  readonly #file: string;
  readonly pid: number;

  private constructor(file: string, pid: number) {
    this.#file = file;
    this.pid = pid;
  }

  /** Starts it and waits until it is ready. */
  static async start(file: string): Promise<Pod> {
    run('podman', 'play', 'kube', '--network', 'host', file);
    const pod = new Pod(file, pidOf(CONTAINER));
    try {
      await until('the pod is ready', 60_000, async () => (await httpStatus(READY_PORT, '/ready')) === 200, 100);
      await until('the pod answers', 10_000, () => isServing(53), 100);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${pod.log()}`);
    }
    return pod;
  }

  get memory(): Memory {
    return memoryOf(this.pid);
  }

  /** `running` or `exited`, how often it was started again, and its exit code. */
  state(): { readonly status: string; readonly restarts: number; readonly exitCode: number } {
    const format = '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}';
    const [status, restarts, exitCode] = run('podman', 'inspect', '--format', format, CONTAINER).split(' ');
    return { status: status!, restarts: Number(restarts), exitCode: Number(exitCode) };
  }

  /** SIGTERM, and SIGKILL when the grace is over; resolves when it has ended. It is not started again. */
  async stop(graceSeconds: number): Promise<void> {
    const child = start('podman', 'stop', '--time', String(graceSeconds), CONTAINER);
    await child.exited;
  }

  log(): string {
    return run('podman', 'logs', CONTAINER);
  }

  remove(): void {
    run('podman', 'play', 'kube', '--down', this.#file);
  }
}
