// The protocol of the embedded API, over a simulated cluster.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type ApiOptions, listenApi } from '../../../host/commands/api/api.ts';
import type { ResourceName } from '../../../host/commands/api/source.ts';
import { Churn } from '../../../host/commands/simulate/churn.ts';
import { SimulatedCluster } from '../../../host/commands/simulate/cluster.ts';
import { Shape } from '../../../host/commands/simulate/shape.ts';
import { type ApiList, type ApiObject, listed, Watching } from './client.ts';

const SHAPE = { services: 60, endpoints: 200, namespaces: 4, headlessPercent: 10, seed: 7 };
const SLICES = '/apis/discovery.k8s.io/v1/endpointslices';
const WATCH_LIST = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';

interface Served {
  readonly cluster: SimulatedCluster;
  readonly url: string;
  /** Makes so many changes, and tells. */
  change(count: number): void;
}

async function serve(t: TestContext, options: Partial<ApiOptions> = {}, historyChanges = 1000): Promise<Served> {
  const cluster = new SimulatedCluster(new Shape(SHAPE), historyChanges, 5000);
  const churn = new Churn(cluster, 3);
  const api = await listenApi(cluster, { address: '127.0.0.1', port: 0, bookmarkMs: 60_000, ...options });
  t.after(() => api.close());
  const change = (count: number) => {
    for (let n = 0; n < count; n++) churn.step();
    cluster.tell();
  };
  return { cluster, url: api.url, change };
}

async function watch(t: TestContext, url: string): Promise<Watching> {
  const watching = await Watching.open(url);
  t.after(() => watching.close());
  return watching;
}

const nameOf = ({ metadata }: ApiObject) => `${metadata.namespace ?? ''}/${metadata.name}`;

test('WatchList: every object, the bookmark that ends them, then changes', async (t) => {
  const { cluster, url, change } = await serve(t);
  const whole = (await listed(url + SLICES)).body;
  const watching = await watch(t, `${url}${SLICES}?${WATCH_LIST}`);
  await watching.has(whole.items.length + 1);
  const initial = watching.events.slice(0, -1);
  assert.ok(initial.every(({ type, object }) => type === 'ADDED' && object.kind === 'EndpointSlice'));
  assert.deepEqual(
    initial.map(({ object }) => nameOf(object)),
    whole.items.map(nameOf),
  );
  const end = watching.events.at(-1)!;
  assert.equal(end.type, 'BOOKMARK');
  assert.deepEqual(end.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
  assert.equal(end.object.metadata.resourceVersion, '5000');
  change(20);
  await watching.has(whole.items.length + 5);
  const changes = watching.events.slice(whole.items.length + 1);
  for (const { type, object } of changes) {
    const change = cluster.changeAt(Number(object.metadata.resourceVersion));
    assert.equal(change.type, type);
    assert.equal(change.resource, 'endpointslices');
  }
});

test('WatchList is refused as the API server refuses it', async (t) => {
  const { url } = await serve(t);
  const refused = await listed(`${url}${SLICES}?watch=true&sendInitialEvents=true`);
  assert.equal(refused.status, 422);
  assert.match(refused.body.message!, /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan$/);
  assert.equal((await listed(`${url}${SLICES}?watch=true&resourceVersionMatch=NotOlderThan`)).status, 422);
  const older = await serve(t, { hasWatchList: false });
  const disabled = await listed(`${older.url}${SLICES}?${WATCH_LIST}`);
  assert.equal(disabled.status, 422);
  assert.match(disabled.body.message!, /unless the WatchList feature gate is enabled$/);
});

/** All pages of a list, with changes in between. */
async function pagesOf({ url, change }: Served, path: string, limit: number): Promise<ApiList[]> {
  const pages: ApiList[] = [];
  for (let token = ''; ; ) {
    const { status, body } = await listed(`${url}${path}?limit=${limit}&continue=${encodeURIComponent(token)}`);
    assert.equal(status, 200, JSON.stringify(body));
    pages.push(body);
    token = body.metadata.continue ?? '';
    if (token === '') return pages;
    change(7);
  }
}

for (const [path, resource] of [
  ['/api/v1/services', 'services'],
  [SLICES, 'endpointslices'],
  ['/api/v1/pods', 'pods'],
  ['/api/v1/namespaces', 'namespaces'],
] as const) {
  test(`a list of ${resource} in pages shows one version, in the order of keys`, async (t) => {
    const served = await serve(t, {}, 10_000);
    served.change(100);
    const { version } = served.cluster;
    const before = (await listed(served.url + path)).body.items;
    const pages = await pagesOf(served, path, 7);
    const items = pages.flatMap((page) => page.items);
    assert.ok(pages.length > 1 && pages.slice(0, -1).every((page) => page.items.length === 7));
    assert.ok(pages.every(({ metadata }) => metadata.resourceVersion === String(version)));
    assert.deepEqual(items.map(nameOf), before.map(nameOf));
    assert.deepEqual(items.map(nameOf), items.map(nameOf).sort());
    if (resource !== 'pods') assert.deepEqual(items, before);
  });
}

test('410 as a status: a page token and an exact version that are forgotten', async (t) => {
  const { url, change } = await serve(t, {}, 50);
  const first = (await listed(`${url}/api/v1/services?limit=3`)).body;
  const exact = `${url}/api/v1/services?resourceVersion=5000&resourceVersionMatch=Exact`;
  assert.equal((await listed(exact)).status, 200);
  change(100);
  const second = await listed(`${url}/api/v1/services?limit=3&continue=${first.metadata.continue}`);
  assert.equal(second.status, 410);
  assert.equal(second.body.reason, 'Expired');
  assert.equal((await listed(exact)).status, 410);
});

test('410 in the stream: a watch from a version that is forgotten', async (t) => {
  const { url, change, cluster } = await serve(t, {}, 50);
  change(100);
  const watching = await watch(t, `${url}/api/v1/services?watch=true&resourceVersion=5000`);
  await watching.ended();
  assert.equal(watching.events.length, 1);
  const { type, object } = watching.events[0]!;
  assert.equal(type, 'ERROR');
  assert.equal(object.code, 410);
  assert.equal(object.message, `too old resource version: 5000 (${cluster.version})`);
});

test('410 in the stream: a client that does not read, at no cost of memory', async (t) => {
  const { url, change } = await serve(t, {}, 500);
  const watching = await watch(t, `${url}${SLICES}?watch=true&resourceVersion=5000`);
  watching.pause();
  for (let n = 0; n < 200; n++) {
    change(50);
    await new Promise((resolve) => setImmediate(resolve));
  }
  watching.resume();
  await watching.ended();
  assert.equal(watching.events.at(-1)!.object.code, 410);
  // The socket's buffers hold a few megabytes; 10,000 changes are more than ten.
  assert.ok(watching.events.length < 9000, `${watching.events.length} events`);
});

test('a watch from a version tells what happened since', async (t) => {
  const { url, change, cluster } = await serve(t);
  change(30);
  const watching = await watch(t, `${url}${SLICES}?watch=true&resourceVersion=5000`);
  const versions: number[] = [];
  for (let version = 5001; version <= cluster.version; version++) {
    if (cluster.changeAt(version).resource === 'endpointslices') versions.push(version);
  }
  await watching.has(versions.length);
  assert.deepEqual(
    watching.events.map(({ object }) => Number(object.metadata.resourceVersion)),
    versions,
  );
});

test('a version that is still to come', async (t) => {
  const { url } = await serve(t);
  const { status, body } = await listed(`${url}/api/v1/services?resourceVersion=6000`);
  assert.equal(status, 504);
  assert.equal(body.message, 'Too large resource version: 6000, current: 5000');
});

test('bookmarks tell the version, and only who asks for them hears them', async (t) => {
  const { url, change, cluster } = await serve(t, { bookmarkMs: 20 });
  const path = `${url}/api/v1/services?watch=true&resourceVersion=5000`;
  const [plain, marked] = [await watch(t, path), await watch(t, `${path}&allowWatchBookmarks=true`)];
  await marked.has(1);
  assert.equal(marked.events[0]!.object.metadata.resourceVersion, '5000');
  change(10);
  await marked.has(marked.events.length + 20);
  const last = marked.events.at(-1)!;
  assert.equal(last.type, 'BOOKMARK');
  assert.equal(last.object.metadata.resourceVersion, String(cluster.version));
  assert.ok(plain.events.every(({ type }) => type !== 'BOOKMARK'));
});

test('a watch ends when it has asked to', async (t) => {
  const { url } = await serve(t);
  const watching = await watch(t, `${url}/api/v1/pods?watch=true&resourceVersion=5000&timeoutSeconds=1`);
  await watching.ended();
  assert.deepEqual(watching.events, []);
});

test('resourceVersion=0: the whole list, whatever the limit', async (t) => {
  const { url } = await serve(t);
  const { body } = await listed(`${url}/api/v1/services?limit=5&resourceVersion=0`);
  assert.equal(body.items.length, SHAPE.services + 2);
  assert.equal(body.metadata.continue, undefined);
});

test('the first page says how many are left', async (t) => {
  const { url, cluster } = await serve(t);
  const first = (await listed(`${url}/api/v1/services?limit=5`)).body.metadata;
  assert.equal(first.remainingItemCount, cluster.countOf('services') - 5);
  const last = (await listed(`${url}/api/v1/services?limit=500`)).body.metadata;
  assert.equal(last.remainingItemCount, undefined);
});

test('who is there, and nothing more', async (t) => {
  const { url } = await serve(t);
  const accept = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io, application/json';
  const { body } = await listed(`${url}/api/v1/services?limit=5`, { accept });
  assert.equal(body.kind, 'PartialObjectMetadataList');
  assert.deepEqual(Object.keys(body.items[0]!), ['apiVersion', 'kind', 'metadata']);
});

test('what this API does not do', async (t) => {
  const { url } = await serve(t);
  const refusals: readonly (readonly [target: string, status: number])[] = [
    ['/api/v1/secrets', 404],
    ['/api/v1/services?fieldSelector=metadata.name=x', 400],
    ['/api/v1/services?resourceVersion=x', 400],
    ['/api/v1/services?continue=!', 400],
    ['/api/v1/services?watch=true&resourceVersion=x', 400],
  ];
  for (const [target, status] of refusals) assert.equal((await listed(url + target)).status, status, target);
  assert.equal((await listed(`${url}/api/v1/services`, { accept: 'application/yaml' })).status, 406);
});

test('requests are counted', async (t) => {
  const heard: [string, ResourceName][] = [];
  const { url } = await serve(t, { onRequest: (verb, resource) => heard.push([verb, resource]) });
  await listed(`${url}/api/v1/services`);
  await watch(t, `${url}/api/v1/namespaces?watch=true`);
  assert.deepEqual(heard, [
    ['list', 'services'],
    ['watch', 'namespaces'],
  ]);
});
