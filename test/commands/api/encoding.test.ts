// Protobuf of the embedded API, read by the decoder of the watch: it says the same as JSON.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { listenApi } from '../../../host/commands/api/api.ts';
import { formOf } from '../../../host/commands/api/encoding.ts';
import { composeList } from '../../../host/commands/api/protobuf.ts';
import { Churn } from '../../../host/commands/simulate/churn.ts';
import { SimulatedCluster } from '../../../host/commands/simulate/cluster.ts';
import { Shape } from '../../../host/commands/simulate/shape.ts';
import { parsePage, type WatchEvent } from '../../../host/kubernetes/events.ts';
import { eventSource } from '../../../host/kubernetes/framing.ts';
import {
  endpointSlices,
  NAMESPACES,
  type Named,
  PODS,
  type Resource,
  SERVICES,
} from '../../../host/kubernetes/objects/resources.ts';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const BYTES_MAX = 1 << 24;
const SLICES = endpointSlices({ usesPodNames: true, keepsZones: true, isImported: false });
const RESOURCES = [NAMESPACES, SERVICES, SLICES, { ...PODS, keepsLabels: true }] as readonly Resource<Named>[];

async function serve(t: TestContext): Promise<{ url: string; cluster: SimulatedCluster }> {
  const shape = new Shape({ services: 300, endpoints: 2000, namespaces: 4, headlessPercent: 20, seed: 3 });
  const cluster = new SimulatedCluster(shape, 10_000, 5000);
  const churn = new Churn(cluster, 1);
  for (let n = 0; n < 200; n++) churn.step();
  const api = await listenApi(cluster, { address: '127.0.0.1', port: 0, bookmarkMs: 60_000 });
  t.after(() => api.close());
  return { url: api.url, cluster };
}

async function fetched(url: string, accept: string): Promise<{ type: string; octets: Buffer }> {
  const response = await fetch(url, { headers: { accept } });
  assert.equal(response.status, 200);
  return { type: response.headers.get('content-type')!, octets: Buffer.from(await response.arrayBuffer()) };
}

for (const resource of RESOURCES) {
  test(`${resource.goType}: a page`, async (t) => {
    const { url } = await serve(t);
    const target = `${url}${resource.path}?limit=150`;
    const [text, octets] = [await fetched(target, 'application/json'), await fetched(target, `${PROTOBUF}, */*`)];
    assert.equal(text.type, 'application/json');
    assert.equal(octets.type, PROTOBUF);
    const page = parsePage(octets.octets, true, resource);
    assert.ok(page.objects.length > 0);
    assert.deepEqual(page, parsePage(text.octets, false, resource));
  });

  test(`${resource.goType}: a watch`, async (t) => {
    const { url } = await serve(t);
    const initial = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
    const target = `${url}${resource.path}?watch=true&allowWatchBookmarks=true&timeoutSeconds=1&${initial}`;
    const read = async (accept: string, isProtobuf: boolean) => {
      const { type, octets } = await fetched(target, `${accept};stream=watch`);
      assert.equal(type, `${accept};stream=watch`);
      const events: WatchEvent<Named>[] = [];
      eventSource(isProtobuf, resource, BYTES_MAX).push(octets, (event) => events.push(event));
      return events;
    };
    const events = await read(PROTOBUF, true);
    assert.ok(events.length > 4);
    assert.deepEqual(events, await read('application/json', false));
  });
}

test('changes, and an expired version', async (t) => {
  const { url, cluster } = await serve(t);
  const target = `${url}${SLICES.path}?watch=true&timeoutSeconds=1&resourceVersion=`;
  for (const version of [5000, cluster.version + 1]) {
    const events: WatchEvent<Named>[][] = [[], []];
    for (const [i, accept] of ['application/json', PROTOBUF].entries()) {
      const { octets } = await fetched(target + version, accept);
      eventSource(i === 1, SLICES as Resource<Named>, BYTES_MAX).push(octets, (event) => events[i]!.push(event));
    }
    assert.ok(events[0]!.length > 0);
    assert.deepEqual(events[1], events[0]);
  }
});

test('metadata alone', async (t) => {
  const { url } = await serve(t);
  const words = 'as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
  const target = `${url}${SERVICES.path}?limit=5`;
  const part = await fetched(target, `${PROTOBUF};${words}, application/json;${words}`);
  const whole = await fetched(target, PROTOBUF);
  assert.equal(part.type, PROTOBUF);
  assert.ok(part.octets.length < whole.octets.length);
  const names = (octets: Buffer) => parsePage(octets, true, NAMESPACES).objects.map(({ name }) => name);
  assert.deepEqual(names(part.octets), names(whole.octets));
});

test('the first form that can be given', () => {
  const type = (accept: string, resource: 'services' | 'serviceimports' = 'services') =>
    formOf(accept, resource)?.encoding.contentType;
  assert.equal(type('*/*'), 'application/json');
  assert.equal(type(`${PROTOBUF},application/json`), PROTOBUF);
  assert.equal(type(`application/json, ${PROTOBUF}`), 'application/json');
  assert.equal(type(`${PROTOBUF}, */*`, 'serviceimports'), 'application/json');
  assert.equal(type(PROTOBUF, 'serviceimports'), undefined);
  assert.equal(type('application/yaml'), undefined);
  assert.equal(type('application/json;as=Table;v=v1;g=meta.k8s.io, application/json'), 'application/json');
  assert.equal(formOf('application/json;as=PartialObjectMetadataList', 'services')?.isPartial, true);
});

test('a message larger than the room it is written in', () => {
  const name = 'x'.repeat(1 << 20);
  const items = [{ metadata: { name: 'a' } }, { metadata: { name } }, { metadata: { name: 'ä€' } }];
  const octets = composeList({ apiVersion: 'v1', kind: 'Namespace' }, { resourceVersion: '7' }, items);
  const page = parsePage(octets, true, NAMESPACES);
  assert.deepEqual(
    page.objects.map((object) => object.name),
    ['a', name, 'ä€'],
  );
  assert.equal(page.version, '7');
});
