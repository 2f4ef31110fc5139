// The simulated cluster: what it holds, and that its history tells the truth.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Change, ForgottenError, keyOf, type ResourceName } from '../../../host/commands/api/source.ts';
import { record, records } from '../../../host/commands/api/values.ts';
import { Churn } from '../../../host/commands/simulate/churn.ts';
import { SimulatedCluster } from '../../../host/commands/simulate/cluster.ts';
import { Shape, type ShapeOptions } from '../../../host/commands/simulate/shape.ts';

const SHAPE: ShapeOptions = { services: 500, endpoints: 4000, namespaces: 130, headlessPercent: 20, seed: 11 };
const CHANGING = ['services', 'endpointslices', 'pods'] as const;

function clusterOf(shape: Partial<ShapeOptions> = {}, historyChanges = 100_000): SimulatedCluster {
  return new SimulatedCluster(new Shape({ ...SHAPE, ...shape }), historyChanges, 1000);
}

function contentOf(cluster: SimulatedCluster, resource: ResourceName, version = cluster.version): Map<string, string> {
  const listed = [...cluster.list(resource, version, '')];
  return new Map(listed.map(({ key, object }) => [key, JSON.stringify(object)]));
}

/** Cluster addresses, and addresses of endpoints, each as often as it is used. */
function addressesOf(cluster: SimulatedCluster): { services: string[]; endpoints: string[] } {
  const services = [...cluster.list('services', cluster.version, '')].flatMap(({ object }) => {
    const ip = record(object['spec'])['clusterIP'];
    return typeof ip === 'string' && ip !== 'None' ? [ip] : [];
  });
  const slices = [...cluster.list('endpointslices', cluster.version, '')];
  const endpoints = slices.flatMap(({ object }) => records(object['endpoints']).flatMap((each) => each['addresses']));
  return { services, endpoints: endpoints as string[] };
}

function assertDistinct(values: readonly unknown[]): void {
  assert.equal(new Set(values).size, values.length);
}

test('as many of everything as asked for, all different', () => {
  const cluster = clusterOf();
  // kubernetes and kube-dns; default, kube-system, kube-public, kube-node-lease.
  assert.equal(contentOf(cluster, 'services').size, SHAPE.services + 2);
  assert.equal(contentOf(cluster, 'namespaces').size, SHAPE.namespaces + 4);
  assert.equal(contentOf(cluster, 'pods').size, SHAPE.endpoints);
  const { services, endpoints } = addressesOf(cluster);
  assert.equal(endpoints.length, SHAPE.endpoints);
  assertDistinct(endpoints);
  assertDistinct(services);
  assert.ok(services.every((ip) => /^10\.(9[6-9]|10\d|11[01])\./.test(ip)));
  assert.ok(endpoints.every((ip) => /^10\.(12[89]|1[3-9]\d|2\d\d)\./.test(ip)));
});

test('a hundred endpoints a slice, and every slice belongs to its service', () => {
  const cluster = clusterOf({ services: 5, endpoints: 1234 });
  const names = new Set(contentOf(cluster, 'services').keys());
  let largest = 0;
  for (const { object } of cluster.list('endpointslices', cluster.version, '')) {
    largest = Math.max(largest, records(object['endpoints']).length);
    const service = record(object.metadata['labels'])['kubernetes.io/service-name'];
    assert.ok(names.has(`${object.metadata.namespace}/${service}`));
  }
  assert.equal(largest, 100);
});

test('kinds of services as asked for', () => {
  const shape = new Shape({ ...SHAPE, services: 10_000 });
  const kinds = { clusterIP: 0, headless: 0, externalName: 0 };
  for (let number = 0; number < shape.count; number++) kinds[shape.kindOf(number)]++;
  assert.ok(Math.abs(kinds.headless - 2000) < 200, `${kinds.headless} headless`);
  assert.ok(Math.abs(kinds.externalName - 100) < 50, `${kinds.externalName} external`);
});

test('the seed decides', () => {
  const churned = (seed: number) => {
    const cluster = clusterOf({ seed });
    const churn = new Churn(cluster, seed);
    for (let n = 0; n < 50; n++) churn.step();
    return [...contentOf(cluster, 'endpointslices').values()]
      .join('\n')
      .replaceAll(/"(?:time|creationTimestamp|[^"]*trigger-time)":"[^"]*"/g, '');
  };
  assert.equal(churned(5), churned(5));
  assert.notEqual(churned(5), churned(6));
});

for (const resource of ['services', 'endpointslices', 'pods', 'namespaces'] as const) {
  test(`${resource} are counted`, () => {
    const cluster = clusterOf({ services: 120, namespaces: 9 });
    const churn = new Churn(cluster, 5);
    for (let n = 0; n < 300; n++) {
      if (n % 100 === 0) assert.equal(cluster.countOf(resource), contentOf(cluster, resource).size);
      churn.step();
    }
    assert.equal(cluster.countOf(resource), contentOf(cluster, resource).size);
  });

  test(`${resource} are in the order of their keys, and any page begins where the last ended`, () => {
    const cluster = clusterOf({ services: 120, namespaces: 9 });
    const keys = [...contentOf(cluster, resource).keys()];
    assert.deepEqual(
      keys,
      [...keys].sort((a, b) => (a < b ? -1 : 1)),
    );
    for (const [at, key] of keys.entries()) {
      const [next] = cluster.list(resource, cluster.version, key);
      assert.equal(next?.key, keys[at + 1]);
    }
  });
}

/** What somebody holds who heard of all changes so far. */
function apply(held: Map<string, string>, change: Change): void {
  const key = keyOf(change.object);
  assert.equal(held.has(key), change.type !== 'ADDED', `${change.type} ${change.resource} ${key}`);
  if (change.type === 'DELETED') held.delete(key);
  else held.set(key, JSON.stringify(change.object));
}

test('a list and the changes since are the list of now, and old lists stay what they were', () => {
  const cluster = clusterOf({ services: 60, endpoints: 700, namespaces: 3 });
  const churn = new Churn(cluster, 2);
  const held = CHANGING.map((resource) => contentOf(cluster, resource));
  const old: [version: number, content: Map<string, string>[]][] = [];
  let told = cluster.version;
  for (let round = 0; round < 40; round++) {
    for (let n = 0; n < 50; n++) churn.step();
    while (told < cluster.version) {
      const change = cluster.changeAt(++told);
      assert.equal(change.version, told);
      assert.equal(change.object.metadata['resourceVersion'], String(told));
      apply(held[CHANGING.indexOf(change.resource as 'pods')]!, change);
    }
    const now = CHANGING.map((resource) => contentOf(cluster, resource));
    for (const [at, content] of now.entries()) assert.deepEqual(sorted(content), sorted(held[at]!));
    old.push([cluster.version, now.slice(0, 2)]);
    const [version, content] = old[(round * 7) % old.length]!;
    assert.deepEqual(
      CHANGING.slice(0, 2).map((resource) => contentOf(cluster, resource, version)),
      content,
    );
  }
});

function sorted(content: Map<string, string>): [string, string][] {
  return [...content].sort(([a], [b]) => (a < b ? -1 : 1));
}

test('every kind of change happens, and what is there stays distinct', () => {
  const cluster = clusterOf({ services: 200 });
  const churn = new Churn(cluster, 4);
  const seen = new Set<string>();
  for (let n = 0; n < 3000; n++) churn.step();
  for (let version = cluster.oldestVersion + 1; version <= cluster.version; version++) {
    const { type, resource } = cluster.changeAt(version);
    seen.add(`${type} ${resource}`);
  }
  const types = ['ADDED', 'DELETED', 'MODIFIED'];
  const all = CHANGING.flatMap((resource) => types.map((type) => `${type} ${resource}`));
  assert.deepEqual([...seen].sort(), all.filter((each) => each !== 'MODIFIED services').sort());
  const { services, endpoints } = addressesOf(cluster);
  assertDistinct(services);
  assertDistinct(endpoints);
  assert.ok(contentOf(cluster, 'services').has('default/kubernetes'));
  assert.ok(contentOf(cluster, 'services').has('kube-system/kube-dns'));
});

test('history is bounded: what is forgotten cannot be listed', () => {
  const cluster = clusterOf({}, 20);
  const churn = new Churn(cluster, 9);
  const reading = cluster.list('services', cluster.version, '')[Symbol.iterator]();
  reading.next();
  for (let n = 0; n < 100; n++) churn.step();
  assert.equal(cluster.version - cluster.oldestVersion, 20);
  assert.throws(() => reading.next(), ForgottenError);
  assert.equal(contentOf(cluster, 'services', cluster.oldestVersion).size > 0, true);
});

test('a change of an endpoint says when it happened', () => {
  const cluster = clusterOf();
  const number = Array.from({ length: cluster.shape.count }, (_, n) => n).find(
    (n) => cluster.shape.endpointsOf(n) > 0,
  )!;
  cluster.change(number, { rotation: 1, changedAt: '2026-01-02T03:04:05.678Z' });
  const { object } = cluster.changeAt(cluster.version);
  const annotation = 'endpoints.kubernetes.io/last-change-trigger-time';
  assert.equal(record(object.metadata['annotations'])[annotation], '2026-01-02T03:04:05.678Z');
});

test('a cluster of nothing but services, and the largest one', () => {
  assert.equal(contentOf(clusterOf({ endpoints: 0 }), 'endpointslices').size, 0);
  const empty = clusterOf({ endpoints: 0, services: 1, namespaces: 1 });
  const churn = new Churn(empty, 1);
  for (let n = 0; n < 20; n++) churn.step();
  const largest = new Shape({
    services: 500_000,
    endpoints: 1_000_000,
    namespaces: 10_000,
    headlessPercent: 0,
    seed: 1,
  });
  const last = largest.count - 1;
  const ip = (number: number, incarnation: number) => largest.clusterIp(number, incarnation);
  assert.match(ip(last, 1), /^10\.(9[6-9]|10\d|11[01])\./);
  assert.notEqual(ip(last, 1), ip(last, 0));
  assert.match(largest.podAddress(last, 1, 3), /^10\.(12[89]|1[3-9]\d|2[0-4]\d|25[0-5])\.\d+\.\d+$/);
});
