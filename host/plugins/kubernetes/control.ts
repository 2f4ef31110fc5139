// The main-thread half of plugin kubernetes: one watched cluster for each distinct directive, which outlives reloads
// that do not change it.

import { systemClock } from '../../clock.ts';
import { type Access, checkAccess, podEnvironment } from '../../kubernetes/access.ts';
import { API_TIMING, type Timing } from '../../kubernetes/backoff.ts';
import { Cluster, DEAD_MS, type WatchOptions } from '../../kubernetes/cluster.ts';
import { localAddresses as machineAddresses } from '../../kubernetes/name-servers.ts';
import type { RecordsOptions } from '../../kubernetes/records.ts';
import type { Log } from '../../log.ts';
import type { Control, ControlServices, ServerBlock } from '../../plugin/contract.ts';
import { clusterObserver } from './metrics.ts';
import type { KubernetesConfig } from './parse.ts';

export interface KubernetesControl extends Control {
  /** Byte offset of the record store. */
  readonly records: number;
  /** Byte offset of the store of a cluster set's services, where the directive has zones for them. */
  readonly imported: number | undefined;
  /** What the shards are told: where the records are, if they are to say who a client is. */
  readonly shared: ClientShare;
}

export type ClientShare = { readonly clients: number | undefined };

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
  const records = recordsOptions(config, block);
  const watch = watchOptions(config, block);
  const imports = config.multiclusterZones;
  const key = JSON.stringify(['kubernetes', checkAccess(access, pod), records, watch, imports]);
  const shared = services.shared(key, () => {
    const observer = clusterObserver(services.metrics);
    const options = { access, pod, records, watch, log, clock: systemClock, ...watchTimes(process.env), observer };
    const imported = imports.length > 0 ? services.createRecords() : undefined;
    return new Cluster(services.createRecords(), imported, options);
  });
  const cluster = shared.value;
  return {
    records: cluster.recordsAddress,
    imported: cluster.importedAddress,
    shared: { clients: watch.knowsClients ? cluster.recordsAddress : undefined },
    async start() {
      await cluster.start();
      await waitForSync(cluster, config.startupTimeoutMs, log);
    },
    stop: () => shared.release(),
    isReady: () => cluster.isSynced,
    hasFailed: () => cluster.isDead,
  };
}

/** What the environment says in seconds about the comparisons of a watch, and about when it is dead; 0 is never. */
export function watchTimes(env: NodeJS.ProcessEnv): { readonly timing: Timing; readonly deadMs: number } {
  const checkMs = milliseconds(env['WASMDNS_WATCH_CHECK_SECONDS']) ?? API_TIMING.checkMs;
  const deadMs = milliseconds(env['WASMDNS_WATCH_DEAD_SECONDS']) ?? DEAD_MS;
  const graceMs = checkMs === 0 ? API_TIMING.graceMs : Math.min(API_TIMING.graceMs, checkMs);
  return { timing: { ...API_TIMING, checkMs, graceMs }, deadMs: deadMs === 0 ? Number.POSITIVE_INFINITY : deadMs };
}

/** Undefined for what is no number of seconds. */
function milliseconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,6}(?:\.\d+)?$/.test(text) ? Number(text) * 1000 : undefined;
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
export function accessOf(config: KubernetesConfig): Access {
  if (config.kubeconfig !== undefined) return { kind: 'kubeconfig', ...config.kubeconfig };
  if (config.endpoint !== undefined) return { kind: 'endpoint', url: config.endpoint, tls: config.tls };
  return { kind: 'in-cluster' };
}

function recordsOptions(config: KubernetesConfig, block: ServerBlock): Omit<RecordsOptions, 'wall'> {
  const { zones, primaryZone, pods, namespaces, isZonal, ignoresEmptyServices } = config;
  const localAddresses = isBound(block) ? [] : machineAddresses();
  return { zones, primaryZone, pods, namespaces, isZonal, ignoresEmptyServices, localAddresses };
}

function watchOptions(config: KubernetesConfig, block: ServerBlock): WatchOptions {
  const { labels, namespaceLabels, hasEndpoints, usesPodNames } = config;
  const knowsClients = config.pods === 'verified' && block.plugins.includes('metadata');
  return { labels, namespaceLabels, hasEndpoints, usesPodNames, knowsClients };
}

/** A block that is bound to addresses does not look for itself in the cluster (CoreDNS plugin kubernetes). */
function isBound(block: ServerBlock): boolean {
  return !block.keys.some((key) => /^dns:\/\/:\d+$/.test(key.server));
}
