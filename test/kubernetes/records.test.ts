// Whatever happened to the cluster, the store says what the plain model says, and what a store that was filled at
// once says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, packAddress } from '../../host/kubernetes/addresses.ts';
import { ClusterModel } from '../../host/kubernetes/model.ts';
import { metadataOfJson } from '../../host/kubernetes/objects/metadata.ts';
import {
  ENDPOINT_SLICES,
  NAMESPACES,
  type Named,
  PODS,
  type Resource,
  SERVICES,
} from '../../host/kubernetes/objects/resources.ts';
import { ClusterRecords } from '../../host/kubernetes/records.ts';
import { NamespaceSink, type ObjectSink, PodSink, ServiceSink, SliceSink } from '../../host/kubernetes/sinks.ts';
import { FakeStore } from './fake-store.ts';
import { answer, type ModelObjects, type PodMode, reverse } from './model.ts';
import type { ApiPod, ApiPort, ApiService, ApiSlice } from './objects.ts';

const ZONES = ['cluster.local.', 'in-addr.arpa.', 'ip6.arpa.'];
const NAMESPACE_NAMES = ['a', 'b'];
const SERVICE_NAMES = ['web', 'db', 'ext'];
const V4 = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.9.9.9'];
const V6 = ['2001:db8::1', '2001:db8:1::'];
const HOSTNAMES = ['h-0', 'h-1'];

/** One change of the cluster. */
type Step =
  | { readonly kind: 'namespace'; readonly name: string; readonly isThere: boolean }
  | { readonly kind: 'service'; readonly object: ApiService; readonly isThere: boolean }
  | { readonly kind: 'slice'; readonly object: ApiSlice; readonly isThere: boolean }
  | { readonly kind: 'pod'; readonly object: ApiPod; readonly isThere: boolean }
  | { readonly kind: 'flush' };

const port: fc.Arbitrary<ApiPort> = fc.record({
  name: fc.constantFrom('http', 'dns', ''),
  protocol: fc.constantFrom('TCP', 'UDP'),
  port: fc.constantFrom(53, 80),
});
const spec: fc.Arbitrary<ApiService['spec']> = fc.oneof<fc.Arbitrary<ApiService['spec']>[]>(
  fc.record({
    type: fc.constant('ClusterIP'),
    clusterIPs: fc.constantFrom<string[]>(['10.9.9.9'], ['10.0.0.3', '2001:db8::1'], ['2001:db8:1::']),
    ports: fc.array(port, { maxLength: 2 }),
  }),
  fc.record({
    type: fc.constant('ClusterIP'),
    clusterIP: fc.constant('None'),
    ports: fc.array(port, { maxLength: 1 }),
  }),
  fc.record({
    type: fc.constant('ExternalName'),
    externalName: fc.constantFrom('www.example.org', 'web.a.svc.cluster.local'),
  }),
);
const inNamespace = fc.constantFrom(...NAMESPACE_NAMES);

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('namespace' as const), name: inNamespace, isThere: mostly() }),
  fc.tuple(inNamespace, fc.constantFrom(...SERVICE_NAMES), spec, mostly()).map(([namespace, name, made, isThere]) => ({
    kind: 'service' as const,
    object: { metadata: { name, namespace }, spec: made },
    isThere,
  })),
  slice(),
  fc
    .tuple(inNamespace, fc.constantFrom('p', 'q'), fc.constantFrom(...V4, ...V6), mostly())
    .map(([namespace, name, podIP, isThere]) => ({
      kind: 'pod' as const,
      object: { metadata: { name, namespace }, status: { phase: 'Running', podIP } },
      isThere,
    })),
  fc.constant({ kind: 'flush' as const }),
);

function mostly(): fc.Arbitrary<boolean> {
  return fc.integer({ min: 0, max: 3 }).map((number) => number > 0);
}

function slice(): fc.Arbitrary<Step> {
  const endpoint = fc.record({
    v4: fc.constantFrom(...V4),
    v6: fc.constantFrom(...V6),
    ready: mostly(),
    hostname: fc.option(fc.constantFrom(...HOSTNAMES), { nil: undefined }),
  });
  return fc
    .record({
      namespace: inNamespace,
      name: fc.constantFrom('s1', 's2', 's3'),
      service: fc.constantFrom(...SERVICE_NAMES),
      isV4: mostly(),
      endpoints: fc.array(endpoint, { maxLength: 4 }),
      ports: fc.array(port, { maxLength: 2 }),
      isThere: mostly(),
    })
    .map(({ namespace, name, service, isV4, endpoints, ports, isThere }) => ({
      kind: 'slice' as const,
      isThere,
      object: {
        metadata: { name, namespace, labels: { 'kubernetes.io/service-name': service } },
        addressType: isV4 ? 'IPv4' : 'IPv6',
        ports,
        endpoints: endpoints.map(({ v4, v6, ready, hostname }) => ({
          addresses: [isV4 ? v4 : v6],
          conditions: { ready },
          ...(hostname !== undefined && { hostname }),
        })),
      },
    }));
}

/** A watched cluster without the watching. */
class TestCluster {
  readonly store = new FakeStore();
  readonly model = new ClusterModel();
  readonly records: ClusterRecords;
  readonly namespaces = new NamespaceSink(this.model);
  readonly services = new ServiceSink(this.model);
  readonly slices = new SliceSink(this.model);
  readonly pods = new PodSink(this.model);
  seconds = 1000;

  constructor(pods: PodMode = 'verified', localAddresses: readonly string[] = []) {
    this.records = new ClusterRecords(this.model, this.store, {
      zones: ZONES,
      primaryZone: 'cluster.local.',
      pods,
      localAddresses: localAddresses.map(packAddress),
      wall: () => this.seconds * 1000,
    });
  }

  apply(change: Step): void {
    if (change.kind === 'flush') this.flush();
    else if (change.kind === 'namespace') {
      feed(this.namespaces, NAMESPACES, { metadata: { name: change.name } }, change.isThere);
    } else if (change.kind === 'service') feed(this.services, SERVICES, change.object, change.isThere);
    else if (change.kind === 'slice') feed(this.slices, ENDPOINT_SLICES, change.object, change.isThere);
    else feed(this.pods, PODS, change.object, change.isThere);
  }

  flush(): void {
    this.records.flush();
    assert.deepEqual(this.store.danglers(), []);
  }
}

function feed<T extends Named>(sink: ObjectSink<T>, resource: Resource<T>, object: unknown, isThere: boolean): void {
  const reduced = resource.ofJson(object, metadataOfJson(object));
  if (isThere) sink.put(reduced);
  else sink.remove(reduced);
}

/** The objects that are left after the steps. */
function finalObjects(steps: readonly Step[]): ModelObjects {
  const namespaces = new Set<string>();
  const services = new Map<string, ApiService>();
  const slices = new Map<string, ApiSlice>();
  const pods = new Map<string, ApiPod>();
  const set = <T extends ApiService | ApiSlice | ApiPod>(map: Map<string, T>, object: T, isThere: boolean) => {
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    if (isThere) map.set(key, object);
    else map.delete(key);
  };
  for (const change of steps) {
    if (change.kind === 'namespace') {
      if (change.isThere) namespaces.add(change.name);
      else namespaces.delete(change.name);
    } else if (change.kind === 'service') set(services, change.object, change.isThere);
    else if (change.kind === 'slice') set(slices, change.object, change.isThere);
    else if (change.kind === 'pod') set(pods, change.object, change.isThere);
  }
  return {
    namespaces: [...namespaces],
    services: [...services.values()],
    slices: [...slices.values()],
    pods: [...pods.values()],
  };
}

function fill(cluster: TestCluster, objects: ModelObjects): void {
  for (const name of objects.namespaces) cluster.apply({ kind: 'namespace', name, isThere: true });
  for (const object of objects.services) cluster.apply({ kind: 'service', object, isThere: true });
  for (const object of objects.slices) cluster.apply({ kind: 'slice', object, isThere: true });
  for (const object of objects.pods) cluster.apply({ kind: 'pod', object, isThere: true });
  cluster.flush();
}

/** Every name that could mean something in this small world. */
function possibleNames(): string[] {
  const dashed = [...V4, ...V6].map((address) => address.replaceAll(/[.:]/g, '-'));
  const endpoints = [...HOSTNAMES, ...dashed, ...dashed.map((name) => `${name}0`), 'nosuch'];
  const left = ['', ...endpoints.map((name) => `${name}.`)];
  for (const name of ['http', 'dns', 'nosuch']) for (const proto of ['tcp', 'udp']) left.push(`${name}.${proto}.`);
  const names = ['', 'svc', 'pod', 'nosuch'];
  for (const namespace of [...NAMESPACE_NAMES, 'c']) {
    names.push(`${namespace}.svc`, `${namespace}.pod`, ...dashed.map((name) => `${name}.${namespace}.pod`));
    for (const service of SERVICE_NAMES) for (const part of left) names.push(`${part}${service}.${namespace}.svc`);
  }
  return names;
}

/** What a reader of the store sees; the apex is `@` there. */
function storedAnswer(
  contents: ReadonlyMap<string, string>,
  name: string,
  type: string,
): readonly string[] | 'nxdomain' {
  const sets = contents.get(name === '' ? '@' : name);
  if (sets === undefined) return 'nxdomain';
  const set = sets.split('; ').find((text) => text.startsWith(`${type} `));
  const values = set?.slice(type.length + 1).split(' ') ?? [];
  const texts = values.map((value) => {
    if (type === 'CNAME') return `CNAME ${value.replace(/\.$/, '')}`;
    if (type !== 'SRV') return `${type} ${formatAddress(Buffer.from(value, 'hex').toString('latin1'))}`;
    const [priority, weight, number, target] = value.split('/');
    return `SRV ${priority} ${weight} ${number} ${target === '@' ? name : target}`;
  });
  return texts.sort((a, b) => (a < b ? -1 : 1));
}

function contentsOf(store: FakeStore): Map<string, string> {
  return new Map(
    store.dump().map((line) => {
      const [head, ...rest] = line.split(': ');
      return [head!.replace(/ flags=\d+$/, ''), rest.join(': ')] as const;
    }),
  );
}

test('after any history the store says what the plain model says', () => {
  const names = possibleNames();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom<PodMode>('disabled', 'verified'), (steps, pods) => {
      const cluster = new TestCluster(pods);
      // Without `pods verified` nobody watches pods.
      const seen = steps.filter((change) => pods === 'verified' || change.kind !== 'pod');
      for (const change of seen) cluster.apply(change);
      cluster.flush();
      const objects = finalObjects(seen);
      const contents = contentsOf(cluster.store);
      for (const name of names) {
        for (const type of ['A', 'AAAA', 'SRV', 'CNAME'] as const) {
          assert.deepEqual(storedAnswer(contents, name, type), answer(objects, pods, name, type), `${name} ${type}`);
        }
      }
      for (const address of [...V4, ...V6]) checkReverse(contents, objects, address);
    }),
    { numRuns: 300 },
  );
});

function checkReverse(contents: ReadonlyMap<string, string>, objects: ModelObjects, address: string): void {
  const key = `ptr-${Buffer.from(packAddress(address), 'latin1').toString('hex')}`;
  const stored = contents.get(key)?.replace(/^PTR /, '').split(' ') ?? [];
  const expected = reverse(objects, address, 'cluster.local.');
  const isService = objects.services.some(({ spec }) => spec.clusterIPs?.includes(address));
  if (isService) assert.ok(stored.length === 1 && expected.includes(stored[0]!), `${address}: ${stored}`);
  else
    assert.deepEqual(
      stored.sort((a, b) => (a < b ? -1 : 1)),
      expected,
      address,
    );
}

test('after any history the store equals one that was filled at once', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const cluster = new TestCluster('verified', ['10.0.0.1']);
      for (const change of steps) cluster.apply(change);
      cluster.flush();
      const other = new TestCluster('verified', ['10.0.0.1']);
      fill(other, finalObjects(steps));
      assert.deepEqual(cluster.store.dump(), other.store.dump());
    }),
    { numRuns: 300 },
  );
});

test('a list that replaces another leaves nothing of what it does not show', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.array(step, { maxLength: 40 }),
      fc.nat(40),
      (first, second, broken) => {
        const cluster = new TestCluster();
        fill(cluster, finalObjects(first));
        const objects = finalObjects(second);
        // A list that breaks off is followed by a whole one.
        begin(cluster);
        for (const change of second.slice(0, broken))
          if (change.kind !== 'flush' && change.isThere) cluster.apply(change);
        cluster.flush();
        begin(cluster);
        fill(cluster, objects);
        for (const sink of [cluster.namespaces, cluster.services, cluster.slices, cluster.pods]) sink.end();
        cluster.flush();
        const other = new TestCluster();
        fill(other, objects);
        assert.deepEqual(cluster.store.dump(), other.store.dump());
        assert.equal(cluster.model.namespaces.size, other.model.namespaces.size);
      },
    ),
    { numRuns: 200 },
  );
});

function begin(cluster: TestCluster): void {
  for (const sink of [cluster.namespaces, cluster.services, cluster.slices, cluster.pods]) sink.begin();
}

test('an empty cluster leaves nothing behind', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const cluster = new TestCluster('verified', ['10.0.0.1']);
      const before = cluster.store.dump();
      for (const change of steps) cluster.apply(change);
      cluster.flush();
      for (const change of steps) if (change.kind !== 'flush') cluster.apply({ ...change, isThere: false });
      cluster.flush();
      assert.deepEqual(cluster.store.dump(), before);
      assert.equal(cluster.model.namespaces.size, 0);
    }),
    { numRuns: 200 },
  );
});

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
  cluster.apply({ kind: 'service', object: WEB, isThere: false });
  cluster.flush();
  assert.equal(cluster.store.serial, 3000);
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
    'db.a.svc',
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
  assert.equal(cluster.store.at('@'), 'NS ns.dns>ns.dns');
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
  assert.equal(cluster.store.at('@'), 'NS web.a.svc>web.a.svc');
  assert.equal(cluster.store.at('ns.dns'), 'A 0a090909');
  cluster.apply({ kind: 'service', object: headless('web'), isThere: true });
  cluster.flush();
  assert.equal(cluster.store.at('@'), 'NS 10-0-0-1.web.a.svc>10-0-0-1.web.a.svc');
  cluster.apply({ kind: 'slice', object: sliceNamed('s', 'web', endpoints), isThere: false });
  cluster.flush();
  assert.equal(cluster.store.at('@'), 'NS ns.dns>ns.dns');
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
  const options = { zones: [zone], primaryZone: zone, pods: 'disabled' as const, localAddresses: [], wall: () => 0 };
  const records = new ClusterRecords(model, store, options);
  feed(new NamespaceSink(model), NAMESPACES, { metadata: { name: 'a' } }, true);
  const sink = new ServiceSink(model);
  for (const name of ['short', 'y'.repeat(60)])
    feed(sink, SERVICES, { ...WEB, metadata: { name, namespace: 'a' } }, true);
  records.flush();
  const owners = store.dump().map((line) => line.split(':')[0]);
  assert.ok(owners.includes('short.a.svc'));
  assert.ok(!owners.some((owner) => owner?.includes('yyy')));
});
