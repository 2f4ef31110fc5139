// The watched cluster against a real kube-apiserver, for running by hand:
//
//   WASMDNS_API_PORT=16443 WASMDNS_API_TOKEN=secrettoken node --test test/kubernetes/real-api.e2e.ts
//
// It makes the namespace `wasmdns-test` and removes it again.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../host/clock.ts';
import { type Access, loadAccess } from '../../host/kubernetes/access.ts';
import { API_TIMING } from '../../host/kubernetes/backoff.ts';
import { ApiClient as WatchClient } from '../../host/kubernetes/client.ts';
import { Cluster } from '../../host/kubernetes/cluster.ts';
import { createLog } from '../../host/log.ts';
import { ApiClient, type KubernetesObject } from '../e2e/support/api-client.ts';
import { FakeStore } from './fake-store.ts';
import { PLAIN } from './model.ts';
import { NO_OBSERVER, PLAIN_WATCH } from './test-cluster.ts';

const PORT = Number(process.env['WASMDNS_API_PORT'] ?? 6443);
const TOKEN = process.env['WASMDNS_API_TOKEN'] ?? 'secrettoken';
const NAMESPACE = 'wasmdns-test';
const NO_POD = { host: undefined, port: undefined, root: '' };

function access(t: TestContext, token: string): Access {
  const directory = mkdtempSync(join(tmpdir(), 'wasmdns-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'kubeconfig');
  const cluster = `{ server: "https://127.0.0.1:${PORT}", insecure-skip-tls-verify: true }`;
  writeFileSync(
    file,
    `clusters: [{ name: c, cluster: ${cluster} }]\nusers: [{ name: u, user: { token: ${token} } }]\ncontexts: [{ name: x, context: { cluster: c, user: u } }]\ncurrent-context: x\n`,
  );
  return { kind: 'kubeconfig', file, context: undefined };
}

function start(
  t: TestContext,
  token: string,
): { cluster: Cluster; store: FakeStore; lines: string[]; codes: string[] } {
  const store = new FakeStore();
  const lines: string[] = [];
  const codes: string[] = [];
  const cluster = new Cluster(store, undefined, {
    access: access(t, token),
    pod: NO_POD,
    records: {
      ...PLAIN,
      zones: ['cluster.local.'],
      primaryZone: 'cluster.local.',
      pods: 'verified',
      localAddresses: [],
    },
    watch: PLAIN_WATCH,
    log: createLog((line) => lines.push(line.trimEnd()), 'plugin/kubernetes'),
    clock: systemClock,
    timing: { ...API_TIMING, backoffMs: [100, 1000] },
    observer: { ...NO_OBSERVER, requested: (code) => void codes.push(code) },
  });
  t.after(() => cluster.stop());
  return { cluster, store, lines, codes };
}

async function until(isSo: () => boolean, text: () => string): Promise<void> {
  for (let i = 0; i < 1500; i++) {
    if (isSo()) return;
    await delay(20);
  }
  assert.fail(`waited in vain: ${text()}`);
}

function service(spec: object): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 'db', namespace: NAMESPACE }, spec };
}

function slice(addresses: readonly string[]): KubernetesObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'db-x', namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': 'db' } },
    addressType: 'IPv4',
    ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }],
    endpoints: addresses.map((address, i) => ({
      addresses: [address],
      hostname: `db-${i}`,
      conditions: { ready: true },
    })),
  };
}

test('the server speaks protobuf to us', async (t) => {
  const config = await loadAccess(access(t, TOKEN), NO_POD);
  const client = new WatchClient(config, { requested: () => {}, listed: () => {} }, 30_000);
  t.after(() => client.close());
  const stopping = new AbortController();
  const accept = 'application/vnd.kubernetes.protobuf;stream=watch, application/json;stream=watch';
  const response = await client.open('/api/v1/services?watch=true&timeoutSeconds=5', accept, stopping.signal);
  response.on('error', () => {});
  assert.equal(response.headers['content-type'], 'application/vnd.kubernetes.protobuf;stream=watch');
  stopping.abort();
});

test('changes of the cluster become records', async (t) => {
  const api = new ApiClient(PORT, TOKEN);
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } };
  t.after(async () => {
    await api.delete(namespace);
    api.close();
  });
  const { cluster, store, lines, codes } = start(t, TOKEN);
  await cluster.start();
  await cluster.synced;
  assert.ok(codes.every((code) => code === '200'));
  const at = (name: string) => store.at(name);
  await api.createAll([
    namespace,
    service({ clusterIP: 'None', ports: [{ name: 'pg', port: 5432 }] }),
    slice(['10.1.0.20']),
  ]);
  await until(
    () => at(`db.${NAMESPACE}.svc`) === `A 0a010014; SRV 0/100/5432/db-0.db.${NAMESPACE}.svc`,
    () => String(at(`db.${NAMESPACE}.svc`)),
  );
  assert.equal(at('ptr-0a010014'), `PTR db-0.db.${NAMESPACE}.svc.cluster.local.`);
  await api.patch(slice([]), { endpoints: slice(['10.1.0.20', '10.1.0.21'])['endpoints'] });
  await until(
    () => at(`db-1.db.${NAMESPACE}.svc`) === 'A 0a010015; SRV 0/100/5432/@',
    () => store.dump().join('\n'),
  );
  await api.delete(slice([]));
  await until(
    () => at(`db.${NAMESPACE}.svc`) === undefined && at('ptr-0a010014') === undefined,
    () => 'slice',
  );
  await api.delete(service({}));
  await api.create(service({ type: 'ExternalName', externalName: 'www.example.org' }));
  await until(
    () => at(`db.${NAMESPACE}.svc`) === 'CNAME www.example.org.',
    () => 'external name',
  );
  assert.deepEqual(lines, []);
});

test('a wrong token is told in one clear line for each resource', async (t) => {
  const { cluster, lines } = start(t, 'wrong');
  await cluster.start();
  await until(
    () => lines.length >= 4,
    () => lines.join('\n'),
  );
  for (const line of lines) {
    assert.match(line, /^\[ERROR\] plugin\/kubernetes: Failed to watch: failed to list \*v1\.\w+: Unauthorized$/);
  }
});
