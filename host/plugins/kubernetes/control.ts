// The main-thread half of plugin kubernetes: one watched cluster for each distinct directive, which outlives reloads
// that do not change it.

import { systemClock } from '../../clock.ts';
import { type Access, checkAccess, podEnvironment } from '../../kubernetes/access.ts';
import { packAddress } from '../../kubernetes/addresses.ts';
import { API_TIMING } from '../../kubernetes/backoff.ts';
import { Cluster } from '../../kubernetes/cluster.ts';
import { localAddresses } from '../../kubernetes/name-servers.ts';
import type { Log } from '../../log.ts';
import type { Control, ControlServices, ServerBlock } from '../../plugin/contract.ts';
import { clusterObserver } from './metrics.ts';
import type { KubernetesConfig } from './parse.ts';

export interface KubernetesControl extends Control {
  /** Byte offset of the record store. */
  readonly records: number;
}

const WAITING_MS = 500;

export function createControl(
  config: KubernetesConfig,
  block: ServerBlock,
  services: ControlServices,
): KubernetesControl {
  const log = services.log.withPrefix('plugin/kubernetes');
  if (config.hasSpareEndpoints) {
    log.warning(
      `Multiple endpoints have been deprecated, only the first specified endpoint '${config.endpoint}' is used`,
    );
  }
  const access = accessOf(config);
  const pod = podEnvironment();
  const records = {
    zones: config.zones,
    primaryZone: config.primaryZone,
    pods: config.pods,
    localAddresses: boundAddresses(block),
  };
  const key = JSON.stringify(['kubernetes', checkAccess(access, pod), records]);
  const shared = services.shared(key, () => {
    const observer = clusterObserver(services.metrics);
    const timing = API_TIMING;
    return new Cluster(services.createRecords(), { access, pod, records, log, clock: systemClock, timing, observer });
  });
  const cluster = shared.value;
  return {
    records: cluster.recordsAddress,
    async start() {
      await cluster.start();
      await waitForSync(cluster, config.startupTimeoutMs, log);
    },
    stop: () => shared.release(),
    isReady: () => cluster.isSynced,
  };
}

/** Resolves when the cluster is synced or the time is over, with CoreDNS's lines. */
export async function waitForSync(
  cluster: Pick<Cluster, 'isSynced' | 'synced'>,
  timeoutMs: number,
  log: Log,
): Promise<void> {
  if (cluster.isSynced) return;
  const waiting = setInterval(() => log.info('waiting for Kubernetes API before starting server'), WAITING_MS);
  const { promise: timedOut, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  await Promise.race([cluster.synced, timedOut]);
  clearInterval(waiting);
  clearTimeout(timer);
  if (!cluster.isSynced) log.warning('starting server with unsynced Kubernetes API');
}

/** As CoreDNS weighs them: a kubeconfig file, an endpoint, the pod the process runs in. */
function accessOf(config: KubernetesConfig): Access {
  if (config.kubeconfig !== undefined) return { kind: 'kubeconfig', ...config.kubeconfig };
  if (config.endpoint !== undefined) return { kind: 'endpoint', url: config.endpoint, tls: config.tls };
  return { kind: 'in-cluster' };
}

/** Addresses by which the name servers of the zone are found: those the block is bound to, or the machine's. */
function boundAddresses(block: ServerBlock): string[] {
  const bound = block.keys.map((key) => /^dns:\/\/\[?([^\]]*?)\]?:\d+$/.exec(key.server)?.[1] ?? '');
  if (bound.every((address) => address === '')) return localAddresses();
  return [...new Set(bound.map((address) => packAddress(address.replace(/%.*$/, ''))))].filter(isReachable);
}

function isReachable(packed: string): boolean {
  const isLoopback = packed.length === 4 ? packed.charCodeAt(0) === 127 : packed === LOOPBACK_V6;
  return packed !== '' && !isLoopback;
}

const LOOPBACK_V6 = packAddress('::1');
