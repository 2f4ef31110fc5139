// What replicas cost the API server: how many requests come at once when hundreds of them have lost it, and what one of
// them takes in an hour. All against the simulated API; the figures stand in docs/operations.md.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Api, listenApi } from '../../host/commands/api/api.ts';
import { Churn } from '../../host/commands/simulate/churn.ts';
import { SimulatedCluster } from '../../host/commands/simulate/cluster.ts';
import { Shape } from '../../host/commands/simulate/shape.ts';
import { loadAccess } from '../../host/kubernetes/access.ts';
import { API_TIMING } from '../../host/kubernetes/backoff.ts';
import { ACCEPT_METADATA, ApiClient } from '../../host/kubernetes/client.ts';
import { parsePage } from '../../host/kubernetes/events.ts';
import { PAGE_OBJECTS } from '../../host/kubernetes/limits.ts';
import {
  endpointSlices,
  NAMESPACES,
  type Named,
  type Resource,
  SERVICES,
} from '../../host/kubernetes/objects/resources.ts';
import { ResourceWatch } from '../../host/kubernetes/resource-watch.ts';
import { createLog } from '../../host/log.ts';
import { sleep, until } from './support/child.ts';
import { freePort } from './support/ports.ts';
import { seatUnderTest, startServer } from './support/server.ts';
import { TcpProxy } from './support/tcp-proxy.ts';

const REPLICAS = 300;
const SLICES = endpointSlices({ usesPodNames: false, keepsZones: false, isImported: false });
const RESOURCES = [NAMESPACES, SERVICES, SLICES] as readonly Resource<Named>[];
const WATCHES = REPLICAS * RESOURCES.length;
/** Long enough for every watch to be back, and for the looks that follow. */
const SETTLING_MS = 9000;

const NO_POD = { host: undefined, port: undefined, root: '' };
const SILENT = { requested: () => {}, listed: () => {} };
const NO_SINK = { begin: () => {}, put: () => {}, remove: () => {}, end: () => {} };

/** An API server that can be stopped and started, and the moments of the requests to it. */
class RestartableApi {
  readonly cluster: SimulatedCluster;
  readonly churn: Churn;
  requests: { readonly at: number; readonly verb: 'list' | 'watch' }[] = [];
  readonly port: number;
  #api: Api | undefined;

  constructor(port: number, services: number, historyChanges: number) {
    const endpoints = 5 * services;
    const namespaces = Math.ceil(services / 100);
    const shape = new Shape({ services, endpoints, namespaces, headlessPercent: 10, seed: 1 });
    this.port = port;
    this.cluster = new SimulatedCluster(shape, historyChanges, 1_000_000);
    this.churn = new Churn(this.cluster, 1);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const onRequest = (verb: 'list' | 'watch') => this.requests.push({ at: performance.now(), verb });
    this.#api = await listenApi(this.cluster, { address: '127.0.0.1', port: this.port, bookmarkMs: 60_000, onRequest });
  }

  async stop(): Promise<void> {
    await this.#api?.close();
  }
}

interface Rush {
  /** Most requests in any second. */
  readonly watches: number;
  readonly lists: number;
  readonly total: number;
  readonly lastWatchMs: number;
}

function rushOf(requests: RestartableApi['requests'], since: number): Rush {
  const times = (verb?: string) =>
    requests.filter((each) => verb === undefined || each.verb === verb).map(({ at }) => at);
  const lastWatchMs = (times('watch').at(-1) ?? since) - since;
  return {
    watches: mostInASecond(times('watch')),
    lists: mostInASecond(times('list')),
    total: mostInASecond(times()),
    lastWatchMs,
  };
}

function mostInASecond(times: readonly number[]): number {
  let [most, first] = [0, 0];
  for (const [at, time] of times.entries()) {
    while (time - times[first]! > 1000) first++;
    most = Math.max(most, at - first + 1);
  }
  return most;
}

async function startReplicas(url: string): Promise<ResourceWatch<Named>[]> {
  const watches: ResourceWatch<Named>[] = [];
  const log = createLog(() => {});
  const observer = { checked: () => {}, applied: () => {} };
  for (let n = 0; n < REPLICAS; n++) {
    const config = await loadAccess({ kind: 'endpoint', url, tls: undefined }, NO_POD);
    const client = new ApiClient(config, SILENT, API_TIMING.headersMs);
    for (const resource of RESOURCES) {
      const options = { client, resource, sink: NO_SINK, onBatch: () => {}, log, timing: API_TIMING };
      watches.push(new ResourceWatch(options, observer));
    }
  }
  for (const watch of watches) watch.start();
  await until('all replicas have listed everything', 120_000, () => watches.every((watch) => watch.isSynced), 100);
  return watches;
}

test(`${REPLICAS} replicas after a restart of the API server`, async (t) => {
  const api = new RestartableApi(await freePort(), 20, 100);
  await api.start();
  t.after(() => api.stop());
  const watches = await startReplicas(api.url);
  t.after(() => Promise.all(watches.map((watch) => watch.stop())));
  for (const [what, downMs, changes] of [
    ['back at once', 0, 1],
    ['back after 10 s', 10_000, 1],
    ['back at once, all versions expired', 0, 300],
    ['back after 10 s, all versions expired', 10_000, 300],
  ] as const) {
    await api.stop();
    for (let n = 0; n < changes; n++) api.churn.step();
    await sleep(downMs);
    api.requests = [];
    await api.start();
    const since = performance.now();
    await sleep(SETTLING_MS);
    const rush = rushOf(api.requests, since);
    const back = api.requests.filter(({ verb }) => verb === 'watch').length;
    process.stdout.write(
      `${what}: ${back} watches, at most ${rush.watches} in a second, ${rush.lists} looks, ${rush.total} in all; ` +
        `the last watch after ${(rush.lastWatchMs / 1000).toFixed(1)} s\n`,
    );
    assert.ok(back >= WATCHES, `${back} of ${WATCHES} watches are back`);
    // An expired version takes two requests, and a look follows each: three or four for each watch in all.
    const perWatch = back / WATCHES;
    assert.ok(rush.watches < 0.95 * perWatch * WATCHES, `${rush.watches} watches of ${back} in one second`);
    assert.ok(rush.total < 1.8 * WATCHES, `${rush.total} requests in one second`);
  }
});

const SERVICES_OF_COST = 10_000;
const NAMESPACES_OF_COST = 104;
const CHANGES_PER_SECOND = 50;
const IDLE_SECONDS = 65;
const CHURN_SECONDS = 30;

const TEMPLATE = `.:@PORT@ {
    errors
    ready 127.0.0.1:@READY@
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       endpoint @API@
    }
}
`;

test(`one replica of a cluster of ${SERVICES_OF_COST} services: octets and requests`, async (t) => {
  const api = new RestartableApi(await freePort(), SERVICES_OF_COST, 10_000);
  await api.start();
  t.after(() => api.stop());
  for (const seat of new Set([seatUnderTest, 'coredns'] as const)) {
    const proxy = await TcpProxy.start(api.port);
    api.requests = [];
    const words = { API: `http://127.0.0.1:${proxy.port}` };
    const server = await startServer(seat, TEMPLATE, { words, withinMs: 300_000 });
    const measured = async (seconds: number) => {
      const [bytes, requests] = [proxy.sentBytes, api.requests.length];
      await sleep(seconds * 1000);
      return { bytes: proxy.sentBytes - bytes, requests: api.requests.length - requests };
    };
    const first = { bytes: proxy.sentBytes, requests: api.requests.length };
    const idle = await measured(IDLE_SECONDS);
    const { version } = api.cluster;
    const stop = api.churn.start(CHANGES_PER_SECOND);
    const busy = await measured(CHURN_SECONDS);
    stop();
    const changes = api.cluster.version - version;
    await server.stop();
    await proxy.stop();
    const perHour = (value: number, seconds: number) => (value * 3600) / seconds;
    process.stdout.write(
      `${seat}: first load ${megabytes(first.bytes)} MB in ${first.requests} requests; idle ` +
        `${(perHour(idle.bytes, IDLE_SECONDS) / 1e3).toFixed(0)} kB and ${perHour(idle.requests, IDLE_SECONDS).toFixed(0)} ` +
        `requests an hour; ${CHANGES_PER_SECOND} changes a second ${megabytes(perHour(busy.bytes, CHURN_SECONDS))} MB an hour ` +
        `(${changes} versions in ${CHURN_SECONDS} s, ${busy.requests} requests)\n`,
    );
    assert.ok(idle.bytes < 200_000, `${idle.bytes} octets in ${IDLE_SECONDS} idle seconds`);
    assert.ok(idle.requests <= 12, `${idle.requests} requests in ${IDLE_SECONDS} idle seconds`);
  }
});

test('one comparison of all versions', async (t) => {
  const api = new RestartableApi(await freePort(), SERVICES_OF_COST, 10_000);
  await api.start();
  t.after(() => api.stop());
  let [bytes, requests] = [0, 0];
  for (const { path } of RESOURCES) {
    for (let token: string | undefined = ''; token !== undefined; requests++) {
      const target = `${api.url}${path}?limit=${PAGE_OBJECTS}&continue=${token}`;
      const response = await fetch(target, { headers: { accept: ACCEPT_METADATA } });
      const octets = Buffer.from(await response.arrayBuffer());
      bytes += octets.length;
      token = parsePage(octets, true, NAMESPACES).next || undefined;
    }
  }
  const pages = [NAMESPACES_OF_COST, SERVICES_OF_COST, SERVICES_OF_COST].map((each) => Math.ceil(each / PAGE_OBJECTS));
  process.stdout.write(`one comparison: ${megabytes(bytes)} MB in ${requests} requests\n`);
  assert.ok(Math.abs(requests - pages.reduce((sum, each) => sum + each)) <= 2, `${requests} requests`);
});

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
