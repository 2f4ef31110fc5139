// The embedded cluster: file to objects, objects to the API, and the whole way to records.

import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../../host/clock.ts';
import { listenApi } from '../../../host/commands/api/api.ts';
import { startDemoCluster } from '../../../host/commands/demo/cluster.ts';
import { ManifestError, parseManifest } from '../../../host/commands/demo/manifest.ts';
import { ObjectMemory } from '../../../host/commands/demo/objects.ts';
import { UserError } from '../../../host/errors.ts';
import { API_TIMING } from '../../../host/kubernetes/backoff.ts';
import { Cluster } from '../../../host/kubernetes/cluster.ts';
import { createLog } from '../../../host/log.ts';
import { FakeStore } from '../../kubernetes/fake-store.ts';
import { PLAIN } from '../../kubernetes/model.ts';
import { NO_OBSERVER, PLAIN_WATCH } from '../../kubernetes/test-cluster.ts';

const CLUSTER_FILE = join(import.meta.dirname, '../../../deploy/demo/cluster.yaml');
const NO_POD = { host: undefined, port: undefined, root: '' };

function service(name: string, clusterIp: string): string {
  return `kind: Service\nmetadata: { name: ${name}, namespace: a }\nspec: { clusterIP: ${clusterIp}, ports: [{ name: http, port: 80 }] }\n`;
}

async function until(isSo: () => boolean, text: () => string = () => ''): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (isSo()) return;
    await delay(5);
  }
  assert.fail(`waited in vain: ${text()}`);
}

/** A cluster that watches the API at `url`. */
async function watched(t: TestContext, url: string): Promise<FakeStore> {
  const store = new FakeStore();
  const cluster = new Cluster(store, undefined, {
    access: { kind: 'endpoint', url, tls: undefined },
    pod: NO_POD,
    records: {
      ...PLAIN,
      zones: ['cluster.local.'],
      primaryZone: 'cluster.local.',
      pods: 'verified',
      localAddresses: [],
    },
    watch: PLAIN_WATCH,
    log: createLog(() => {}),
    clock: systemClock,
    timing: { ...API_TIMING, backoffMs: [5, 50] },
    observer: NO_OBSERVER,
  });
  t.after(() => cluster.stop());
  await cluster.start();
  await cluster.synced;
  assert.ok(store.isSynced);
  return store;
}

/** Text of the lines that a watch sends until the server ends it or `lines` have come. */
async function watchLines(url: string, lines: number): Promise<Record<string, unknown>[]> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const request = get(url, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
      if (text.split('\n').length > lines) resolve(text);
    });
    response.on('end', () => resolve(text));
  });
  request.on('error', reject);
  const text = await promise;
  request.destroy();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function listed(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function api(t: TestContext, text: string, changesMax?: number): Promise<{ memory: ObjectMemory; url: string }> {
  const memory = new ObjectMemory(changesMax);
  memory.replace(parseManifest(text));
  const { url, close } = await listenApi(memory, { address: '127.0.0.1', port: 0, bookmarkMs: 20 });
  t.after(close);
  return { memory, url };
}

test('the demo cluster answers for every kind of service', async (t) => {
  const lines: string[] = [];
  const demo = await startDemoCluster({ file: CLUSTER_FILE, log: createLog((line) => lines.push(line)) });
  t.after(() => demo.close());
  const store = await watched(t, demo.url);
  const expected: Record<string, string> = {
    'kubernetes.default.svc': 'A 0a600001; SRV 0/100/443/@',
    'web.shop.svc': 'A 0a600150; SRV 0/50/443/@ 0/50/80/@',
    'http.tcp.web.shop.svc': 'A 0a600150; SRV 0/100/80/web.shop.svc',
    '10-244-2-11.web.shop.svc': 'A 0af4020b; SRV 0/50/8080/@ 0/50/8443/@',
    'checkout.shop.svc': 'A 0a600152; AAAA fd000010009600000000000000010082; SRV 0/50/443/@',
    'db-1.db.data.svc': 'A 0af40214; SRV 0/100/5432/@',
    'gossip.data.svc': 'A 0af40129 0af40229',
    '2001-db8-30--0.cache.data.svc': 'AAAA 20010db8003000000000000000000000; SRV 0/100/6379/@',
    'payments.partners.svc': 'CNAME www.example.org.',
    'front.partners.svc': 'CNAME shop.partners.svc.cluster.local.',
    'sip.udp.sip.media.svc': 'A 0a60033c; SRV 0/100/5060/sip.media.svc',
    '10-244-1-20.data.pod': 'A 0af40114',
    'empty.svc': '',
    'ptr-0af40214': 'PTR db-1.db.data.svc.cluster.local.',
  };
  for (const [name, sets] of Object.entries(expected)) assert.equal(store.at(name), sets, name);
  assert.equal(store.at('archive.data.svc'), undefined, 'a headless service without endpoints is unknown');
  assert.equal(store.at('10-244-3-11.web.shop.svc'), undefined, 'an endpoint that is not ready is unknown');
  assert.match(lines[0]!, /^\[INFO\] .*cluster\.yaml: \d+ objects added, 0 changed, 0 removed\n$/);
});

test('the answers follow the file; a mistake in it changes nothing and is told', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'wasmdns-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'cluster.yaml');
  const save = (text: string) => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  save(service('web', '10.0.0.1'));
  const lines: string[] = [];
  const demo = await startDemoCluster({ file, log: createLog((line) => lines.push(line.trimEnd())), pollMs: 10 });
  t.after(() => demo.close());
  const store = await watched(t, demo.url);
  assert.equal(store.at('web.a.svc'), 'A 0a000001; SRV 0/100/80/@');
  save(`${service('web', '10.0.0.2')}---\n${service('db', '10.0.0.3')}`);
  await until(() => store.at('db.a.svc') !== undefined && store.at('web.a.svc') === 'A 0a000002; SRV 0/100/80/@');
  assert.equal(lines.at(-1), `[INFO] ${file}: 1 objects added, 1 changed, 0 removed`);
  save(`${service('web', '10.0.0.9')}---\nkind: [\n`);
  await until(() => lines.at(-1)?.startsWith('[WARNING]') ?? false);
  assert.match(lines.at(-1)!, /^\[WARNING\] .*cluster\.yaml:\d+: /);
  assert.equal(store.at('web.a.svc'), 'A 0a000002; SRV 0/100/80/@');
  rmSync(file);
  await until(() => lines.at(-1)?.includes('no such file') ?? false);
  save(service('web', '10.0.0.2'));
  await until(() => store.at('db.a.svc') === undefined);
  assert.equal(store.at('web.a.svc'), 'A 0a000002; SRV 0/100/80/@');
});

test('a file that is no cluster refuses the start', async () => {
  const log = createLog(() => {});
  await assert.rejects(startDemoCluster({ file: '/nosuch/cluster.yaml', log }), UserError);
});

test('mistakes in the file, with their lines', () => {
  const table: readonly (readonly [string, number, RegExp])[] = [
    ['kind: [', 1, /flow/i],
    [`${service('a', '10.0.0.1')}---\nkind: Deployment\nmetadata: { name: x }\n`, 5, /got kind "Deployment"/],
    ['hello\n', 1, /got kind undefined/],
    ['---\n- 1\n', 2, /got kind undefined/],
    ['\n\nkind: Service\nspec: {}\n', 3, /without metadata\.name/],
    [`${service('a', '10.0.0.1')}---\n${service('a', '10.0.0.2')}`, 5, /Service a\/a stands in the file twice/],
    ['kind: Service\nmetadata: { name: a, namespace: 3 }\n', 1, /namespace is no text/],
    ['kind: Service\nmetadata: *nobody\n', 1, /alias/i],
  ];
  for (const [text, line, message] of table) {
    assert.throws(
      () => parseManifest(text),
      (error: unknown) => error instanceof ManifestError && message.test(error.message) && error.line === line,
      text,
    );
  }
});

test('an empty file is an empty cluster', () => {
  const empty = { namespaces: [], services: [], endpointslices: [], pods: [], serviceimports: [] };
  for (const text of ['', '---\n', '# nothing\n---\n---\n']) assert.deepEqual(parseManifest(text), empty);
});

test('services without an address get one that nobody has', () => {
  const taken = service('a', '10.96.1.0');
  const free = ['b', 'c'].map((name) => `kind: Service\nmetadata: { name: ${name}, namespace: a }\nspec: {}\n`);
  const manifest = parseManifest([taken, ...free].join('---\n'));
  const addresses = manifest.services.map((object) => (object['spec'] as { clusterIP: string }).clusterIP);
  assert.deepEqual(addresses, ['10.96.1.0', '10.96.1.1', '10.96.1.2']);
});

test('a list comes in pages, all of one version until that is forgotten', async (t) => {
  const text = ['a', 'b', 'c'].map((name, i) => service(name, `10.0.0.${i}`)).join('---\n');
  const { memory, url } = await api(t, text, 6);
  const path = `${url}/api/v1/services`;
  const first = await listed(`${path}?limit=2`);
  const metadata = first.body['metadata'] as Record<string, string>;
  assert.equal(first.body['kind'], 'ServiceList');
  assert.equal((first.body['items'] as unknown[]).length, 2);
  const next = `${path}?limit=2&continue=${metadata['continue']}`;
  const second = await listed(next);
  assert.equal((second.body['items'] as unknown[]).length, 1);
  assert.deepEqual(second.body['metadata'], { resourceVersion: metadata['resourceVersion'] });
  memory.replace(parseManifest(service('a', '10.0.0.9')));
  assert.deepEqual((await listed(next)).body['items'], second.body['items']);
  for (let i = 0; i < 4; i++) memory.replace(parseManifest(service('a', `10.0.1.${i}`)));
  assert.equal((await listed(next)).status, 410);
});

test('a watch begins with everything, with a version, or not at all', async (t) => {
  const { memory, url } = await api(t, service('a', '10.0.0.1'), 3);
  const path = `${url}/api/v1/services?watch=true`;
  const types = (events: Record<string, unknown>[]) => events.map((event) => event['type']);
  const initial = await watchLines(
    `${path}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
    2,
  );
  assert.deepEqual(types(initial).slice(0, 2), ['ADDED', 'BOOKMARK']);
  const end = initial[1]!['object'] as { metadata: { annotations: object; resourceVersion: string } };
  assert.deepEqual(end.metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
  const version = end.metadata.resourceVersion;
  memory.replace(parseManifest(`${service('a', '10.0.0.2')}---\n${service('b', '10.0.0.3')}`));
  assert.deepEqual(types(await watchLines(`${path}&resourceVersion=${version}`, 2)), ['MODIFIED', 'ADDED']);
  for (let i = 0; i < 5; i++) memory.replace(parseManifest(service('a', `10.0.1.${i}`)));
  const late = await watchLines(`${path}&resourceVersion=${version}`, 1);
  assert.deepEqual(types(late), ['ERROR']);
  assert.equal((late[0]!['object'] as { code: number }).code, 410);
});

test('bookmarks tell how far the cluster is', async (t) => {
  const { memory, url } = await api(t, service('a', '10.0.0.1'));
  const path = `${url}/api/v1/pods?watch=true&allowWatchBookmarks=true&resourceVersion=${memory.version}`;
  const [mark] = await watchLines(path, 1);
  assert.equal(mark?.['type'], 'BOOKMARK');
  const { metadata } = mark['object'] as { metadata: { resourceVersion: string } };
  assert.equal(metadata.resourceVersion, String(memory.version));
});

test('requests that the demo does not answer', async (t) => {
  const { url } = await api(t, '');
  assert.equal((await listed(`${url}/api/v1/secrets`)).status, 404);
  assert.equal((await listed(`${url}/api/v1/pods?fieldSelector=spec.nodeName=x`)).status, 400);
  const posted = await fetch(`${url}/api/v1/services`, { method: 'POST', body: '{}' });
  assert.equal(posted.status, 405);
});

test('a pod that has ended is not in the selection', async (t) => {
  const pod = (phase: string) => `kind: Pod\nmetadata: { name: p }\nstatus: { phase: ${phase}, podIP: 10.0.0.1 }\n`;
  const { memory, url } = await api(t, pod('Running'));
  const selector = 'fieldSelector=status.phase!=Succeeded,status.phase!=Failed';
  assert.equal(((await listed(`${url}/api/v1/pods?${selector}`)).body['items'] as unknown[]).length, 1);
  const version = memory.version;
  memory.replace(parseManifest(pod('Succeeded')));
  assert.equal(((await listed(`${url}/api/v1/pods?${selector}`)).body['items'] as unknown[]).length, 0);
  const [event] = await watchLines(`${url}/api/v1/pods?watch=true&resourceVersion=${version}&${selector}`, 1);
  assert.equal(event?.['type'], 'DELETED');
});
