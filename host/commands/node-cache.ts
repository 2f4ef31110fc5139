// wasmdns node-cache: the DNS cache of a node (NodeLocal DNSCache). Fills in the Corefile's template and keeps it up to date,
// gives the node an interface with the addresses, serves, and then takes the queries over.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { portNumber, splitEndpoint } from '../corefile/endpoint.ts';
import { corefileSource } from '../corefile/source.ts';
import { addressOctets } from '../dns/address.ts';
import { UserError } from '../errors.ts';
import { type Log, stdoutLog } from '../log.ts';
import { fillTemplate } from '../nodelocal/corefile-template.ts';
import { type KubeDnsConfig, NO_CONFIG, readKubeDnsConfig } from '../nodelocal/kube-dns-config.ts';
import { Network, type SetupError } from '../nodelocal/network.ts';
import { HttpEndpoint } from '../plugin/http-endpoint.ts';
import type { Server } from '../server/server.ts';
import { defaultShardCount } from '../server/shard-count.ts';
import type { NodeCacheArguments } from './node-cache/arguments.ts';
import { type ServeOptions, serve } from './serve.ts';

export interface NodeCacheOptions extends Pick<ServeOptions, 'version' | 'exit'> {
  readonly settings: NodeCacheArguments;
}

const KUBE_DNS_FOLDER = '/etc/kube-dns';
const CONFIG_POLL_MS = 10_000;
/** A node has other work for its cores; one thread answers more than its pods ask. */
const SHARDS_MAX = 2;
const METRIC = 'coredns_nodecache_setup_errors_total';
const METRIC_HELP = 'The number of errors during periodic network setup for node-cache';
const ERRORS: readonly SetupError[] = ['iptables', 'iptables_lock', 'interface_add', 'interface_check', 'configmap'];
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores';

/** Throws UserError with one clear line; everything it made is removed then. */
export async function serveNodeCache({ settings, version, exit }: NodeCacheOptions): Promise<void> {
  const log = stdoutLog();
  const counts = new Map<SetupError, number>(ERRORS.map((kind) => [kind, 0]));
  const count = (kind: SetupError) => counts.set(kind, counts.get(kind)! + 1);
  const network = new Network(settings.network, log, count);
  const fault = network.fault();
  if (fault !== undefined) throw new UserError(fault);
  const config = new NodeConfig(settings, log, () => count('configmap'));
  config.update();
  network.raise();
  // Before those of the server, so that no query comes while it ends
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => network.leave());
  const end = (code: number) => {
    network.remove();
    exit(code);
  };
  const { dnsPort } = settings.network;
  try {
    const isServing = await serve({
      source: corefileSource(settings.corefile, dnsPort),
      defaultPort: dnsPort,
      shardCount: settings.shards ?? Math.min(defaultShardCount(), SHARDS_MAX),
      pidFile: settings.pidFile,
      isQuiet: settings.isQuiet,
      version,
      address: '',
      exit: end,
      prepare: (server) => showErrors(server, counts, settings.metricsAddress, log),
    });
    if (!isServing) return;
  } catch (error) {
    network.remove();
    throw error;
  }
  network.take();
  setInterval(() => network.check(), settings.syncMs);
  setInterval(() => config.update(), CONFIG_POLL_MS);
}

/** The Corefile that is loaded, made of its template and the ConfigMap kube-dns. */
class NodeConfig {
  readonly #settings: NodeCacheArguments;
  readonly #log: Log;
  readonly #onError: () => void;
  readonly #clusterDns: string | undefined;
  readonly #folder: string | undefined;
  #config: KubeDnsConfig = NO_CONFIG;
  #written: string | undefined;
  /** What was told last, so that one fault is one line. */
  #fault: string | undefined;

  constructor(settings: NodeCacheArguments, log: Log, onError: () => void) {
    this.#settings = settings;
    this.#log = log;
    this.#onError = onError;
    this.#folder = settings.kubeDnsFolder ?? (isFolder(KUBE_DNS_FOLDER) ? KUBE_DNS_FOLDER : undefined);
    if (this.#folder === undefined) log.info('Skipping kube-dns configmap sync as no directory was specified');
    const name = `${settings.upstreamService.replaceAll('-', '_').toUpperCase()}_SERVICE_HOST`;
    const address = process.env[name] ?? '';
    this.#clusterDns = addressOctets(address) === undefined ? undefined : address;
    if (this.#clusterDns !== undefined) return;
    const service = settings.upstreamService;
    log.warning(`Unable to lookup IP address of Upstream service ${service}, env ${name} \`${address}\``);
  }

  /** Writes the file anew if there is something new; a fault leaves it as it is. */
  update(): void {
    try {
      this.#tryUpdate();
      this.#fault = undefined;
    } catch (error) {
      const text = (error as Error).message;
      if (text === this.#fault) return;
      this.#fault = text;
      this.#log.error(text);
      this.#onError();
    }
  }

  #tryUpdate(): void {
    const { baseCorefile, corefile, network, isReloadedBySignal } = this.#settings;
    if (this.#folder !== undefined) {
      this.#config = attempt('Invalid configuration, ignoring update', () => readKubeDnsConfig(this.#folder!));
    }
    const base = attempt(`Failed to read node-cache coreFile ${baseCorefile}`, () =>
      readFileSync(baseCorefile, 'utf8'),
    );
    const { addresses, dnsPort } = network;
    const text = fillTemplate(base, { addresses, dnsPort, clusterDns: this.#clusterDns }, this.#config);
    if (text === this.#written) return;
    attempt(`Failed to write config file ${corefile}`, () => writeFileSync(corefile, text));
    const isFirst = this.#written === undefined;
    this.#written = text;
    const { stubDomains, upstreamNameservers } = this.#config;
    const upstream = upstreamNameservers.length === 0 ? '/etc/resolv.conf' : upstreamNameservers.join(' ');
    this.#log.info(`Updated Corefile with ${stubDomains.length} custom stubdomains and upstream servers ${upstream}`);
    this.#log.info('Using config file:');
    for (const line of text.split('\n')) this.#log.plain(line);
    if (isReloadedBySignal && !isFirst) process.kill(process.pid, 'SIGUSR1');
  }
}

/** On plugin prometheus's pages, and on one of its own. */
function showErrors(server: Server, counts: ReadonlyMap<SetupError, number>, address: string, log: Log): void {
  const { metrics } = server.plane;
  for (const [errortype] of counts) {
    metrics.readCounter(METRIC, METRIC_HELP, { errortype }, () => counts.get(errortype));
  }
  const failed = (error: unknown) => log.error(`Failed to start metrics handler: ${(error as Error).message}`);
  try {
    const at = splitEndpoint(address);
    const port = portNumber(at.port);
    if (port === undefined) throw new Error(`address ${at.port}: invalid port`);
    const answer = async () => ({ status: 200, body: await metrics.expose(), contentType: METRICS_TYPE });
    const endpoint = new HttpEndpoint({ address: at.address, port }, '/metrics', answer, (text) => log.error(text));
    endpoint.listening().catch(failed);
  } catch (error) {
    failed(error);
  }
}

function attempt<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
