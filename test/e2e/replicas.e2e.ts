// How many requests come at once when hundreds of replicas have lost the API server, against the simulated API; the figures
// stand in docs/operations.md.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Api, listenApi } from '../../host/commands/api/api.ts';
import { Churn } from '../../host/commands/simulate/churn.ts';
import { SimulatedCluster } from '../../host/commands/simulate/cluster.ts';
import { Shape } from '../../host/commands/simulate/shape.ts';
import { loadAccess } from '../../host/kubernetes/access.ts';
import { API_TIMING } from '../../host/kubernetes/backoff.ts';
import { ApiClient } from '../../host/kubernetes/client.ts';
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

const REPLICAS = 300;
const SLICES = endpointSlices({ usesPodNames: false, keepsZones: false, isImported: false });
const RESOURCES = [NAMESPACES, SERVICES, SLICES] as readonly Resource<Named>[];
const WATCHES = REPLICAS * RESOURCES.length;
/** Watches are back within eight seconds; the rest is for a busy machine. */
const BACK_MAX_MS = 60_000;
/** Longer than the longest wait before another attempt; looks come within a second. */
const REST_MS = 4500;

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

interface Case {
  readonly what: string;
  readonly downMs: number;
  readonly changes: number;
  /** An expired version takes two requests: the watch that is refused, and the list. */
  readonly perWatch: number;
}

const CASES: readonly Case[] = [
  { what: 'back at once', downMs: 0, changes: 1, perWatch: 1 },
  { what: 'back after 10 s', downMs: 10_000, changes: 1, perWatch: 1 },
  { what: 'back at once, all versions expired', downMs: 0, changes: 300, perWatch: 2 },
  { what: 'back after 10 s, all versions expired', downMs: 10_000, changes: 300, perWatch: 2 },
];

/** The API goes away and comes back; what is wrong with the requests that this brings. */
async function restart(
  api: RestartableApi,
  watches: readonly ResourceWatch<Named>[],
  { what, downMs, changes, perWatch }: Case,
): Promise<string[]> {
  await api.stop();
  for (let n = 0; n < changes; n++) api.churn.step();
  await sleep(downMs);
  api.requests = [];
  await api.start();
  const since = performance.now();
  const isBack = () => watches.every(({ contactAt }) => contactAt > since);
  const lastWatchAt = () => api.requests.findLast(({ verb }) => verb === 'watch')?.at ?? since;
  await until(`${what}: all watches`, BACK_MAX_MS, isBack, 100);
  await until(`${what}: rest`, BACK_MAX_MS, () => performance.now() - lastWatchAt() > REST_MS, 100);
  const back = api.requests.filter(({ verb }) => verb === 'watch').length;
  const rush = rushOf(api.requests, since);
  process.stdout.write(
    `${what}: ${back} watches, at most ${rush.watches} in a second, ${rush.lists} looks, ${rush.total} in all; ` +
      `the last watch after ${(rush.lastWatchMs / 1000).toFixed(1)} s\n`,
  );
  const wrong: string[] = [];
  if (back >= 1.1 * perWatch * WATCHES) wrong.push(`${back} requests for ${WATCHES} watches`);
  if (rush.watches >= 0.95 * perWatch * WATCHES) wrong.push(`${rush.watches} watches of ${back} in one second`);
  if (rush.total >= 1.8 * WATCHES) wrong.push(`${rush.total} requests in one second`);
  return wrong;
}

test(`${REPLICAS} replicas after a restart of the API server`, async (t) => {
  const api = new RestartableApi(await freePort(), 20, 100);
  await api.start();
  t.after(() => api.stop());
  const watches = await startReplicas(api.url);
  t.after(() => Promise.all(watches.map((watch) => watch.stop())));
  for (const each of CASES) {
    let wrong = await restart(api, watches, each);
    // All replicas are one process: where that stands still for a second, a second's requests come at once. Not twice.
    if (wrong.length > 0) wrong = await restart(api, watches, each);
    assert.deepEqual(wrong, [], each.what);
  }
});
