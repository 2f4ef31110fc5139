/**
 * A real etcd and kube-apiserver on loopback, filled with the inventory: what CoreDNS and wasmdns watch. Once filled,
 * both keep to the load's core at lowest priority, and are stopped (SIGSTOP) while something is measured.
 */
import { ControlPlane } from '../test/e2e/support/control-plane.ts';
import { inventory } from './objects.ts';
import { confine, processTree } from './processes.ts';

export interface Cluster {
  readonly kubeconfig: string;
  /** No CPU time for etcd and the API server until thaw(); a few seconds at most, watches must not time out. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** Takes about half a minute for 10,000 services, most of it the API server's own time. */
export async function startCluster(services: number, core: number): Promise<Cluster> {
  const before = new Set(processTree(process.pid));
  const plane = await ControlPlane.start();
  const pids = processTree(process.pid).filter((pid) => !before.has(pid));
  const signal = (name: NodeJS.Signals): void => {
    for (const pid of pids) process.kill(pid, name);
  };
  await plane.api.createAll(inventory(services));
  for (const pid of pids) confine(pid, core);
  return {
    kubeconfig: plane.writeKubeconfig(),
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    stop: () => plane.stop(),
  };
}
