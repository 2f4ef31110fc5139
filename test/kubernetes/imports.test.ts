// Service imports in the store of a cluster set, and pods as clients.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClientTable } from '../../host/kubernetes/clients.ts';
import { ClusterModel } from '../../host/kubernetes/model.ts';
import { MulticlusterRecords } from '../../host/kubernetes/multicluster-records.ts';
import { endpointSlices, NAMESPACES, PODS, SERVICE_IMPORTS } from '../../host/kubernetes/objects/resources.ts';
import { movesSetSerial, NamespaceSink, ServiceSink, SliceSink } from '../../host/kubernetes/sinks.ts';
import { FakeStore } from './fake-store.ts';
import { PLAIN } from './model.ts';
import { feed, TestCluster } from './test-cluster.ts';

test('a cluster set: endpoints are named by their cluster, ports by an empty label before them', () => {
  const home = new ClusterModel();
  const model = new ClusterModel(home);
  const store = new FakeStore();
  let seconds = 1000;
  const records = new MulticlusterRecords(model, store, {
    ...PLAIN,
    zones: ['clusterset.local.'],
    primaryZone: 'clusterset.local.',
    localAddresses: [],
    wall: () => seconds * 1000,
  });
  const imports = new ServiceSink(model, movesSetSerial);
  const slices = new SliceSink(model);
  const resource = endpointSlices({ usesPodNames: false, keepsZones: false, isImported: true });
  const port = { name: 'http', protocol: 'TCP', port: 80 };
  const put = (name: string, spec: object) =>
    feed(imports, SERVICE_IMPORTS, { metadata: { name, namespace: 'a' }, spec }, true);
  const slice = (cluster: string, hostname: string, address: string) => ({
    metadata: {
      name: `s-${cluster}`,
      namespace: 'a',
      labels: {
        'multicluster.kubernetes.io/service-name': 'hl',
        ...(cluster !== '' && { 'multicluster.kubernetes.io/source-cluster': cluster }),
      },
    },
    ports: [port],
    endpoints: [{ addresses: [address], hostname }],
  });
  feed(new NamespaceSink(model), NAMESPACES, { metadata: { name: 'a' } }, true);
  put('set', { type: 'ClusterSetIP', ips: ['10.1.0.1'], ports: [port] });
  put('noport', { type: 'ClusterSetIP', ips: ['10.1.0.2'], ports: [] });
  put('noip', { type: 'ClusterSetIP', ports: [port] });
  put('hl', { type: 'Headless', ports: [port] });
  for (const [cluster, hostname, address] of [
    ['c1', 'h', '10.2.0.1'],
    ['c2', 'h', '10.2.0.2'],
    ['a.b', 'h', '10.2.0.3'],
    ['', 'x', '10.2.0.4'],
  ] as const) {
    feed(slices, resource, slice(cluster, hostname, address), true);
  }
  records.flush();
  assert.deepEqual(store.dump(), [
    '.http.tcp.hl.a.svc flags=8: A 0a020001 0a020002 0a020003 0a020004; SRV 0/25/80/h.a.b.hl.a.svc 0/25/80/h.c1.hl.a.svc 0/25/80/h.c2.hl.a.svc 0/25/80/x.hl.a.svc',
    '.http.tcp.noip.a.svc: ',
    '.http.tcp.set.a.svc: A 0a010001; SRV 0/100/80/set.a.svc',
    'a.svc: ',
    'h.a.b.hl.a.svc: A 0a020003; SRV 0/100/80/@',
    'h.c1.hl.a.svc: A 0a020001; SRV 0/100/80/@',
    'h.c2.hl.a.svc: A 0a020002; SRV 0/100/80/@',
    'hl.a.svc flags=24: A 0a020001 0a020002 0a020003 0a020004; SRV 0/25/80/h.a.b.hl.a.svc 0/25/80/h.c1.hl.a.svc 0/25/80/h.c2.hl.a.svc 0/25/80/x.hl.a.svc',
    'noip.a.svc: ',
    'set.a.svc flags=16: A 0a010001; SRV 0/100/80/@',
    'svc: ',
    // Without a cluster there is no name that an SRV record could lead to, and no reply.
    'x.hl.a.svc flags=8: A 0a020004; SRV 0/100/80/@',
  ]);
  // What is new moves the serial of the cluster's own zones; only a change moves that of the set.
  assert.equal(store.serial, 0);
  assert.ok(home.isSerialStale);
  seconds = 2000;
  put('set', { type: 'ClusterSetIP', ips: ['10.1.0.9'], ports: [port] });
  records.flush();
  assert.equal(store.serial, 0);
  put('set', { type: 'ClusterSetIP', ips: ['10.1.0.9'], ports: [{ ...port, port: 81 }] });
  records.flush();
  assert.equal(store.serial, 2000);
});

test('who a client is: one of the pods that have its address', () => {
  const cluster = new TestCluster('verified');
  cluster.model.clients = new ClientTable();
  const pods = { ...PODS, keepsLabels: true };
  const pod = (name: string, labels: Record<string, string>, podIP = '10.0.0.1') => ({
    metadata: { name, namespace: 'a', labels },
    status: { phase: 'Running', podIP },
  });
  feed(cluster.pods, pods, pod('p', { app: 'x', tier: 'y' }), true);
  cluster.flush();
  assert.equal(cluster.store.at('client-0a000001'), 'TXT a p app x tier y');
  feed(cluster.pods, pods, pod('p', { app: 'z' }), true);
  feed(cluster.pods, pods, pod('q', {}), true);
  cluster.flush();
  assert.match(cluster.store.at('client-0a000001')!, /^TXT a (p app z|q)$/);
  feed(cluster.pods, pods, pod('p', {}), false);
  cluster.flush();
  assert.equal(cluster.store.at('client-0a000001'), 'TXT a q');
  feed(cluster.pods, pods, pod('q', {}, '10.0.0.2'), true);
  cluster.flush();
  assert.equal(cluster.store.at('client-0a000001'), undefined);
  assert.equal(cluster.store.at('client-0a000002'), 'TXT a q');
});

const importedPort = { name: 'http', protocol: 'TCP', port: 80 };
const IMPORTED_SLICES = endpointSlices({ usesPodNames: false, keepsZones: false, isImported: true });

interface Change {
  readonly kind: 'namespace' | 'import' | 'slice';
  readonly object: { readonly metadata: { readonly name: string; readonly namespace?: string } };
  readonly isThere: boolean;
}

const isThere = fc.integer({ min: 0, max: 3 }).map((number) => number > 0);
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('namespace'), object: fc.constant({ metadata: { name: 'a' } }), isThere }),
  fc
    .tuple(fc.constantFrom('set', 'hl'), fc.constantFrom('ClusterSetIP', 'Headless'), fc.nat(2), fc.boolean(), isThere)
    .map(([name, type, ips, hasPort, is]) => ({
      kind: 'import',
      object: {
        metadata: { name, namespace: 'a' },
        spec: { type, ips: ['10.1.0.1', '2001:db8::1'].slice(0, ips), ports: hasPort ? [importedPort] : [] },
      },
      isThere: is,
    })),
  fc
    .tuple(
      fc.constantFrom('s', 't'),
      fc.constantFrom('set', 'hl'),
      fc.constantFrom('c1', 'c2', ''),
      fc.subarray(['x', 'y']),
      isThere,
    )
    .map(([name, service, cluster, hostnames, is]) => ({
      kind: 'slice',
      object: {
        metadata: {
          name,
          namespace: 'a',
          labels: {
            'multicluster.kubernetes.io/service-name': service,
            'multicluster.kubernetes.io/source-cluster': cluster,
          },
        },
        ports: [importedPort],
        endpoints: hostnames.map((hostname, i) => ({ addresses: [`10.2.0.${i}`], hostname })),
      },
      isThere: is,
    })),
) as fc.Arbitrary<Change>;

/** What the set's store holds after these changes, published after each of them or once. */
function published(changes: readonly Change[], isEach: boolean): string[] {
  const model = new ClusterModel(new ClusterModel());
  const store = new FakeStore();
  const zones = ['set.local.'];
  const options = { ...PLAIN, zones, primaryZone: 'set.local.', localAddresses: [], wall: () => 0 };
  const records = new MulticlusterRecords(model, store, options);
  const namespaces = new NamespaceSink(model);
  const imports = new ServiceSink(model, movesSetSerial);
  const slices = new SliceSink(model);
  for (const { kind, object, isThere: is } of changes) {
    if (kind === 'namespace') feed(namespaces, NAMESPACES, object, is);
    else if (kind === 'import') feed(imports, SERVICE_IMPORTS, object, is);
    else feed(slices, IMPORTED_SLICES, object, is);
    if (isEach) records.flush();
    assert.deepEqual(store.danglers(), []);
  }
  records.flush();
  return store.dump();
}

test('after any history the set holds what its last objects say', () => {
  fc.assert(
    fc.property(fc.array(change, { minLength: 5, maxLength: 40 }), fc.boolean(), (changes, isEach) => {
      const last = new Map(changes.map((each) => [`${each.kind} ${each.object.metadata.name}`, each]));
      const left = [...last.values()].filter((each) => each.isThere);
      assert.deepEqual(published(changes, isEach), published(left, false));
    }),
    { numRuns: 200 },
  );
});
