// What single objects become in the store.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterModel } from '../../host/kubernetes/model.ts';
import { NAMESPACES, SERVICES } from '../../host/kubernetes/objects/resources.ts';
import { ClusterRecords } from '../../host/kubernetes/records.ts';
import { NamespaceSink, ServiceSink } from '../../host/kubernetes/sinks.ts';
import { FakeStore } from './fake-store.ts';
import { PLAIN } from './model.ts';
import type { ApiPod, ApiService, ApiSlice } from './objects.ts';
import { feed, TestCluster } from './test-cluster.ts';

const WEB: ApiService = {
  metadata: { name: 'web', namespace: 'a' },
  spec: { type: 'ClusterIP', clusterIPs: ['10.9.9.9'], ports: [{ name: 'http', protocol: 'TCP', port: 80 }] },
};

function headless(name: string): ApiService {
  return { metadata: { name, namespace: 'a' }, spec: { type: 'ClusterIP', clusterIP: 'None' } };
}

function sliceNamed(name: string, service: string, endpoints: ApiSlice['endpoints']): ApiSlice {
  return {
    metadata: { name, namespace: 'a', labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
  };
}

test('the names that every cluster has', () => {
  const { store } = new TestCluster('insecure');
  assert.deepEqual(store.dump(), [
    '@ flags=1: ',
    'dns-version flags=2: TXT ttl=28800 \x051.1.0',
    'ns.dns flags=1: ',
    'pod: ',
    'svc: ',
  ]);
});

test('the serial moves with what the DNS shows, and with nothing else', () => {
  const cluster = new TestCluster();
  assert.equal(cluster.store.serial, 0);
  cluster.apply({ kind: 'service', object: WEB, isThere: true });
  cluster.flush();
  assert.equal(cluster.store.serial, 1000);
  cluster.seconds = 2000;
  const relabelled = { ...WEB, metadata: { ...WEB.metadata, labels: { team: 'x' }, resourceVersion: '9' } };
  cluster.apply({ kind: 'service', object: relabelled, isThere: true });
  // Namespaces decide what is answered, but CoreDNS does not count them.
  cluster.apply({ kind: 'namespace', name: 'a', isThere: true });
  cluster.flush();
  assert.equal(cluster.store.serial, 1000);
  const endpoints = [{ addresses: ['10.0.0.1'], conditions: { ready: true } }];
  cluster.apply({ kind: 'slice', object: sliceNamed('s', 'web', endpoints), isThere: true });
  cluster.flush();
  assert.equal(cluster.store.serial, 2000);
  cluster.seconds = 3000;
  const unready = [...endpoints, { addresses: ['10.0.0.2'], conditions: { ready: false } }];
  cluster.apply({ kind: 'slice', object: sliceNamed('s', 'web', unready), isThere: true });
  cluster.flush();
  assert.equal(cluster.store.serial, 2000);
  // As CoreDNS has it: neither the cluster's address, nor the service of a slice, nor the name of a pod counts.
  const elsewhere = { ...WEB, spec: { ...WEB.spec, clusterIPs: ['10.9.9.8'] } };
  cluster.apply({ kind: 'service', object: elsewhere, isThere: true });
  cluster.apply({ kind: 'slice', object: sliceNamed('s', 'other', unready), isThere: true });
  cluster.flush();
  assert.equal(cluster.store.at('web.a.svc'), 'A 0a090908; SRV 0/100/80/@');
  assert.equal(cluster.store.serial, 2000);
  cluster.apply({ kind: 'service', object: WEB, isThere: false });
  cluster.flush();
  assert.equal(cluster.store.serial, 3000);
  // A slice without a service counts too, although it has no name.
  cluster.seconds = 4000;
  cluster.apply({ kind: 'slice', object: sliceNamed('t', '', endpoints), isThere: true });
  cluster.flush();
  assert.equal(cluster.store.serial, 4000);
});

test('the name of a pod moves the serial no more than it does in CoreDNS', () => {
  const cluster = new TestCluster('disabled', [], { usesPodNames: true });
  const named = (pod: string, more: object = {}) =>
    sliceNamed('s', 'web', [
      { addresses: ['10.0.0.1'], conditions: {}, targetRef: { kind: 'Pod', name: pod }, ...more },
    ]);
  cluster.apply({ kind: 'namespace', name: 'a', isThere: true });
  cluster.apply({ kind: 'service', object: WEB, isThere: true });
  cluster.apply({ kind: 'slice', object: named('p-1'), isThere: true });
  cluster.flush();
  assert.equal(cluster.store.at('p-1.web.a.svc'), 'A 0a000001; SRV 0/100/80/@');
  assert.equal(cluster.store.at('10-0-0-1.web.a.svc'), undefined);
  assert.equal(cluster.store.at('ptr-0a000001'), 'PTR p-1.web.a.svc.cluster.local.');
  cluster.seconds = 2000;
  cluster.apply({ kind: 'slice', object: named('p-2'), isThere: true });
  cluster.flush();
  assert.equal(cluster.store.at('p-2.web.a.svc'), 'A 0a000001; SRV 0/100/80/@');
  assert.equal(cluster.store.serial, 1000);
  cluster.apply({ kind: 'slice', object: named('p-2', { hostname: 'h' }), isThere: true });
  cluster.flush();
  assert.equal(cluster.store.serial, 2000);
});

test('a slice of names instead of addresses has no records', () => {
  const cluster = new TestCluster();
  cluster.apply({ kind: 'namespace', name: 'a', isThere: true });
  cluster.apply({ kind: 'service', object: headless('names'), isThere: true });
  const slice = sliceNamed('s', 'names', [{ addresses: ['db.example.org'], conditions: { ready: true } }]);
  cluster.apply({ kind: 'slice', object: { ...slice, addressType: 'FQDN' }, isThere: true });
  cluster.flush();
  assert.equal(cluster.store.at('names.a.svc'), undefined);
  assert.equal(cluster.store.at('db-example-org.names.a.svc'), undefined);
});

test('an update writes what it changes and no more', () => {
  const cluster = new TestCluster();
  cluster.apply({ kind: 'namespace', name: 'a', isThere: true });
  const endpoints = Array.from({ length: 100 }, (_, i) => ({ addresses: [`10.1.0.${i}`], conditions: {} }));
  for (let i = 0; i < 50; i++) {
    cluster.apply({ kind: 'service', object: headless(`s${i}`), isThere: true });
    const own = endpoints.map((endpoint) => ({
      ...endpoint,
      addresses: [endpoint.addresses[0]!.replace('.1.', `.${i}.`)],
    }));
    cluster.apply({ kind: 'slice', object: sliceNamed(`s${i}`, `s${i}`, own), isThere: true });
  }
  cluster.flush();
  cluster.store.puts = 0;
  const moved = [...endpoints.slice(1), { addresses: ['10.77.0.1'], conditions: {} }];
  cluster.apply({ kind: 'slice', object: sliceNamed('s1', 's1', moved), isThere: true });
  cluster.flush();
  // The new endpoint and its PTR, the service, and its port.
  assert.equal(cluster.store.puts, 4);
});

test('another port of a service with an address writes its own names, and no endpoint or address of it', () => {
  const cluster = new TestCluster();
  cluster.apply({ kind: 'namespace', name: 'a', isThere: true });
  cluster.apply({ kind: 'service', object: WEB, isThere: true });
  const endpoints = Array.from({ length: 100 }, (_, i) => ({ addresses: [`10.1.0.${i}`], conditions: {} }));
  cluster.apply({ kind: 'slice', object: sliceNamed('s', 'web', endpoints), isThere: true });
  cluster.flush();
  cluster.store.puts = 0;
  cluster.store.finds = 0;
  const ports = [{ name: 'http', protocol: 'TCP', port: 81 }];
  cluster.apply({ kind: 'service', object: { ...WEB, spec: { ...WEB.spec, ports } }, isThere: true });
  cluster.flush();
  assert.equal(cluster.store.puts, 2);
  // The target of the port's SRV record.
  assert.equal(cluster.store.finds, 1);
  assert.equal(cluster.store.at('http.tcp.web.a.svc'), 'A 0a090909; SRV 0/100/81/web.a.svc');
});

test('an endpoint without a hostname is named by its address', () => {
  const cluster = new TestCluster();
  cluster.apply({ kind: 'namespace', name: 'a', isThere: true });
  cluster.apply({ kind: 'service', object: headless('db'), isThere: true });
  const endpoints = [
    { addresses: ['10.0.0.1'], conditions: {}, hostname: 'DB-0' },
    { addresses: ['10.0.0.2'], conditions: {} },
    { addresses: ['10.0.0.3'], conditions: {}, hostname: 'db-0' },
  ];
  cluster.apply({ kind: 'slice', object: sliceNamed('s', 'db', endpoints), isThere: true });
  cluster.flush();
  assert.equal(cluster.store.at('db-0.db.a.svc'), 'A 0a000001 0a000003; SRV 0/50/80/@');
  assert.equal(cluster.store.at('10-0-0-2.db.a.svc'), 'A 0a000002; SRV 0/100/80/@');
  assert.equal(cluster.store.at('ptr-0a000003'), 'PTR db-0.db.a.svc.cluster.local.');
  assert.equal(
    cluster.store.at('db.a.svc'),
    'A 0a000001 0a000002 0a000003; SRV 0/33/80/10-0-0-2.db.a.svc 0/33/80/db-0.db.a.svc',
  );
});

test('a service whose addresses are not given out yet exists, without addresses', () => {
  const cluster = new TestCluster();
  cluster.apply({ kind: 'namespace', name: 'a', isThere: true });
  const object = { ...WEB, spec: { ...WEB.spec, clusterIPs: [''] } };
  cluster.apply({ kind: 'service', object, isThere: true });
  cluster.flush();
  assert.equal(cluster.store.at('web.a.svc'), '');
});

test('objects that make no names are passed over', () => {
  const cluster = new TestCluster();
  cluster.apply({ kind: 'namespace', name: 'a', isThere: true });
  const long = 'x'.repeat(64);
  cluster.apply({ kind: 'service', object: { ...WEB, metadata: { name: long, namespace: 'a' } }, isThere: true });
  cluster.apply({
    kind: 'service',
    object: { ...WEB, metadata: { name: 'dotted.name', namespace: 'a' } },
    isThere: true,
  });
  cluster.apply({ kind: 'service', object: headless('db'), isThere: true });
  const alias = { metadata: { name: 'ip', namespace: 'a' }, spec: { type: 'ExternalName', externalName: '192.0.2.1' } };
  cluster.apply({ kind: 'service', object: alias, isThere: true });
  const endpoints = [{ addresses: ['10.0.0.1'], conditions: {}, hostname: long }];
  cluster.apply({ kind: 'slice', object: sliceNamed('s', 'db', endpoints), isThere: true });
  cluster.flush();
  const owners = cluster.store.dump().map((line) => line.split(':')[0]);
  assert.deepEqual(owners, [
    '@ flags=1',
    'a.pod',
    'a.svc',
    'db.a.svc flags=16',
    'dns-version flags=2',
    'http.tcp.db.a.svc',
    'ns.dns flags=1',
    'pod',
    'svc',
  ]);
  assert.equal(cluster.store.at('db.a.svc'), 'A 0a000001');
});

test('the name servers are the services that have this process as an endpoint', () => {
  const cluster = new TestCluster('disabled', ['10.0.0.1', '2001:db8::5']);
  assert.equal(cluster.store.at('@'), 'NS ns.dns>glue-ns.dns');
  assert.equal(cluster.store.at('ns.dns'), 'A 0a000001; AAAA 20010db8000000000000000000000005');
  const endpoints = [{ addresses: ['10.0.0.1'], conditions: {} }];
  cluster.apply({ kind: 'slice', object: sliceNamed('s', 'web', endpoints), isThere: true });
  cluster.flush();
  // The slice says that there is a service, and the service is not known yet.
  assert.equal(cluster.store.at('@'), '');
  assert.equal(cluster.store.at('ns.dns'), '');
  cluster.apply({ kind: 'namespace', name: 'a', isThere: true });
  cluster.apply({ kind: 'service', object: WEB, isThere: true });
  cluster.flush();
  assert.equal(cluster.store.at('@'), 'NS web.a.svc>glue-web.a.svc');
  assert.equal(cluster.store.at('ns.dns'), 'A 0a090909');
  cluster.apply({ kind: 'service', object: headless('web'), isThere: true });
  cluster.flush();
  assert.equal(cluster.store.at('@'), 'NS 10-0-0-1.web.a.svc>glue-10-0-0-1.web.a.svc');
  cluster.apply({ kind: 'slice', object: sliceNamed('s', 'web', endpoints), isThere: false });
  cluster.flush();
  assert.equal(cluster.store.at('@'), 'NS ns.dns>glue-ns.dns');
});

test('a slice without a service: CoreDNS cannot write the PTR of its addresses, and sends nothing', () => {
  const cluster = new TestCluster();
  cluster.apply({ kind: 'namespace', name: 'a', isThere: true });
  cluster.apply({ kind: 'service', object: headless('db'), isThere: true });
  const endpoints = [{ addresses: ['10.0.0.1'], conditions: {} }];
  cluster.apply({ kind: 'slice', object: sliceNamed('s', '', endpoints), isThere: true });
  cluster.flush();
  assert.equal(cluster.store.at('ptr-0a000001'), '');
  cluster.apply({ kind: 'slice', object: sliceNamed('t', 'db', endpoints), isThere: true });
  cluster.flush();
  assert.equal(cluster.store.at('ptr-0a000001'), '');
  cluster.apply({ kind: 'slice', object: sliceNamed('s', '', endpoints), isThere: false });
  cluster.flush();
  assert.equal(cluster.store.at('ptr-0a000001'), 'PTR 10-0-0-1.db.a.svc.cluster.local.');
});

test('NS shows an address as often as CoreDNS finds it', () => {
  const cluster = new TestCluster('disabled', ['10.0.0.1', '10.0.0.2']);
  cluster.apply({ kind: 'namespace', name: 'a', isThere: true });
  cluster.apply({ kind: 'service', object: WEB, isThere: true });
  for (const address of ['10.0.0.1', '10.0.0.2']) {
    const endpoints = [{ addresses: [address], conditions: {} }];
    cluster.apply({ kind: 'slice', object: sliceNamed(`s-${address}`, 'web', endpoints), isThere: true });
  }
  cluster.flush();
  assert.equal(cluster.store.at('glue-web.a.svc'), 'A 0a090909 0a090909');
  assert.equal(cluster.store.at('ns.dns'), 'A 0a090909');
});

test('only the namespaces of the option are shown, spelt as they are', () => {
  const cluster = new TestCluster('verified', [], { namespaces: ['a', 'B'] });
  for (const name of ['a', 'b']) {
    cluster.apply({ kind: 'namespace', name, isThere: true });
    const object = { ...WEB, metadata: { name: 'web', namespace: name } };
    cluster.apply({ kind: 'service', object, isThere: true });
  }
  cluster.flush();
  assert.equal(cluster.store.at('web.a.svc'), 'A 0a090909; SRV 0/100/80/@');
  assert.equal(cluster.store.at('b.svc'), undefined);
  assert.equal(cluster.store.at('web.b.svc'), undefined);
  assert.equal(cluster.store.at('ptr-0a090909'), 'PTR web.a.svc.cluster.local.');
  cluster.apply({ kind: 'namespace', name: 'a', isThere: false });
  cluster.flush();
  assert.equal(cluster.store.at('ptr-0a090909'), undefined);
});

test('two pods with one address: the name stays until both are gone', () => {
  const cluster = new TestCluster();
  const pod = (name: string): ApiPod => ({
    metadata: { name, namespace: 'a' },
    status: { phase: 'Running', podIP: '10.0.0.1' },
  });
  cluster.apply({ kind: 'namespace', name: 'a', isThere: true });
  cluster.apply({ kind: 'pod', object: pod('p'), isThere: true });
  cluster.apply({ kind: 'pod', object: pod('q'), isThere: true });
  cluster.flush();
  assert.equal(cluster.store.at('10-0-0-1.a.pod'), 'A 0a000001; SRV 0/50/0/@');
  cluster.apply({ kind: 'pod', object: pod('p'), isThere: false });
  cluster.flush();
  assert.equal(cluster.store.at('10-0-0-1.a.pod'), 'A 0a000001');
  // A pod that is ending is still there; one that begins by ending never was.
  const ending = { ...pod('q'), metadata: { ...pod('q').metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
  const late = {
    ...ending,
    metadata: { ...ending.metadata, name: 'r' },
    status: { phase: 'Running', podIP: '10.0.0.2' },
  };
  cluster.apply({ kind: 'pod', object: ending, isThere: true });
  cluster.apply({ kind: 'pod', object: late, isThere: true });
  cluster.flush();
  assert.equal(cluster.store.at('10-0-0-1.a.pod'), 'A 0a000001');
  assert.equal(cluster.store.at('10-0-0-2.a.pod'), undefined);
  cluster.apply({ kind: 'pod', object: pod('q'), isThere: false });
  cluster.flush();
  assert.equal(cluster.store.at('10-0-0-1.a.pod'), undefined);
});

test('names that would be too long with their zone are left out', () => {
  const zone = `${Array.from({ length: 4 }, () => 'z'.repeat(50)).join('.')}.`;
  const model = new ClusterModel();
  const store = new FakeStore();
  const options = { ...PLAIN, zones: [zone], primaryZone: zone, localAddresses: [], wall: () => 0 };
  const records = new ClusterRecords(model, store, options);
  feed(new NamespaceSink(model), NAMESPACES, { metadata: { name: 'a' } }, true);
  const sink = new ServiceSink(model);
  for (const name of ['short', 'y'.repeat(60)])
    feed(sink, SERVICES, { ...WEB, metadata: { name, namespace: 'a' } }, true);
  records.flush();
  const owners = store.dump().map((line) => line.split(/[: ]/)[0]);
  assert.ok(owners.includes('short.a.svc'));
  assert.ok(!owners.some((owner) => owner?.includes('yyy')));
});
