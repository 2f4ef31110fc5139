// CoreDNS plugin prometheus: /metrics, and the step of the chain where queries are counted. The counting itself is the
// engine's; the slow face only passes queries on, for the engine counts their answers as well.

import { existsSync } from 'node:fs';
import type { Log } from '../../log.ts';
import { CONTENT_TYPE, type Metrics } from '../../metrics/registry.ts';
import type {
  BlockProgram,
  Control,
  ControlServices,
  Directive,
  Plugin,
  ServerBlock,
  Shared,
  Stoppable,
} from '../../plugin/contract.ts';
import { HttpEndpoint } from '../../plugin/http-endpoint.ts';
import { type PrometheusConfig, parsePrometheus } from './parse.ts';

export const prometheus: Directive<PrometheusConfig> = {
  name: 'prometheus',
  parse: parsePrometheus,
  control: createControl,
  compile: (_config: PrometheusConfig, program: BlockProgram) => program.count(writerLabel(program.block)),
  create: (): Plugin => ({ name: 'prometheus', answer: (query, next) => next(query) }),
};

/** Directives that configure the server and never see a query (CoreDNS core, A7). */
const OUTSIDE_CHAIN: ReadonlySet<string> = new Set([
  ...['root', 'proxyproto', 'quic', 'grpc_server', 'https', 'https3', 'timeouts', 'multisocket', 'reload', 'bind'],
  ...['debug', 'ready', 'health', 'pprof', 'on', 'sign', 'tls'],
]);

/**
 * The `plugin` label of replies that the chain wrote. CoreDNS means the plugin that wrote the reply and shows the one
 * directly below prometheus, whoever wrote it; dashboards know it so.
 */
function writerLabel(block: ServerBlock): string {
  const chain = chainOf(block);
  return chain[chain.indexOf('prometheus') + 1] ?? '';
}

function chainOf(block: ServerBlock): string[] {
  return block.plugins.filter((name) => !OUTSIDE_CHAIN.has(name));
}

function createControl(config: PrometheusConfig, block: ServerBlock, services: ControlServices): Control {
  const log = services.log.withPrefix('');
  const { metrics } = services;
  // Process-wide from then on, as in CoreDNS.
  if (config.hasRuntimeMetrics) metrics.enableRuntimeMetrics();
  const hidePlugins = showPlugins(metrics, block);
  let endpoint: Shared<HttpEndpoint & Stoppable> | undefined;
  let released: Promise<void> | undefined;
  const release = () => {
    released ??= endpoint?.release() ?? Promise.resolve();
    return released;
  };
  return {
    start: async () => {
      try {
        endpoint = await openEndpoint(config, services, log);
      } catch (error) {
        // As in CoreDNS, the server runs without its metrics.
        log.error(
          `Failed to start ${isSecured(config) ? 'HTTPS metrics server' : 'metrics handler'}: ${(error as Error).message}`,
        );
      }
    },
    stop: () => {
      hidePlugins();
      return release();
    },
    beforeExit: release,
  };
}

function isSecured({ webConfigFile, fault }: PrometheusConfig): boolean {
  return webConfigFile !== '' && fault === undefined;
}

/** Blocks with the same address and file share one endpoint, and so do a configuration and its successor. */
async function openEndpoint(
  config: PrometheusConfig,
  services: ControlServices,
  log: Log,
): Promise<Shared<HttpEndpoint & Stoppable> | undefined> {
  const { webConfigFile, address, port, fault } = config;
  if (isSecured(config) && !existsSync(webConfigFile)) {
    log.error(`TLS config file does not exist: ${webConfigFile}`);
    return undefined;
  }
  const onError = (text: string) => log.error(text);
  // Loaded where it is needed only: most have no such file
  const front = isSecured(config) ? new (await import('./web-front.ts')).WebFront(webConfigFile, onError) : undefined;
  const key = `prometheus ${address}:${port} ${fault ?? ''} ${webConfigFile}`;
  const make = () => new HttpEndpoint(config, '/metrics', () => page(services.metrics), onError, front);
  const endpoint = services.shared<HttpEndpoint & Stoppable>(key, make);
  try {
    await endpoint.value.listening();
  } catch (error) {
    await endpoint.release();
    if (front === undefined) throw error;
    log.error(`Failed to start metrics handler: ${(error as Error).message}`);
    return undefined;
  }
  if (front !== undefined) log.info('Server is ready and accepting connections');
  return endpoint;
}

async function page(metrics: Metrics): Promise<{ status: number; body: string; contentType: string }> {
  return { status: 200, body: await metrics.expose(), contentType: CONTENT_TYPE };
}

/** coredns_plugin_enabled for the block's first zone, on each address it is served; returns what removes the series. */
function showPlugins(metrics: Metrics, block: ServerBlock): () => void {
  const first = block.keys[0];
  if (first === undefined) return () => {};
  const servers = new Set(
    block.keys.filter(({ zone, port }) => zone === first.zone && port === first.port).map(({ server }) => server),
  );
  const help = 'A metric that indicates whether a plugin is enabled on per server and zone basis.';
  const removals = [...servers].flatMap((server) =>
    chainOf(block).map((name) => {
      const labels = { server, zone: first.zone, view: '', name };
      return metrics.gauge('coredns_plugin_enabled', help, labels, () => 1);
    }),
  );
  return () => {
    for (const remove of removals) remove();
  };
}
