// The checklist of Kubernetes DNS-Based Service Discovery 1.1.0 and of the multicluster specification (KEP-1645), row by
// row, with real objects in a real API server; and the objects that nobody expects. Each answer is also CoreDNS's.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Pair } from './dnssd/pair.ts';
import { headless, NS, name, plain, reverse, sliced, ZONE } from './dnssd/place.ts';
import type { KubernetesObject } from './support/api-client.ts';
import { until } from './support/child.ts';
import { ControlPlane } from './support/control-plane.ts';
import { namespace, service, slice, sliceEndpoints } from './support/objects.ts';
import { freePort } from './support/ports.ts';

const SET = 'set.corp.example.';
const COREFILE = `.:@PORT@ {
    ready 127.0.0.1:@READY@
    kubernetes ${ZONE} ${SET} in-addr.arpa ip6.arpa {
        kubeconfig @KUBECONFIG@
        multicluster ${SET}
        pods verified
    }
}
`;
const LONG = 'x'.repeat(63);

let plane: ControlPlane;
let pair: Pair;

before(async () => {
  plane = await ControlPlane.start();
  await plane.defineServiceImports();
  await plane.api.createAll([namespace(NS), namespace('other'), namespace(LONG)]);
  pair = await Pair.start(COREFILE, { kubeconfig: plane.writeKubeconfig() });
});

after(async () => {
  await pair?.stop();
  await plane?.stop();
});

const create = (...objects: KubernetesObject[]) => plane.api.createAll(objects);

// ------------------------------------------------------------------------------------------------- DNS-SD 1.1.0

test('1: the version of the schema', async () => {
  await pair.answers(`dns-version.${ZONE}`, 'TXT', 'NOERROR', ['"1.1.0"']);
});

test('2: addresses of a service with cluster IPs, of both families in both orders', async () => {
  const dual = { ipFamilyPolicy: 'RequireDualStack' };
  const [v4, v6] = ['10.97.1.1', 'fd00:10:96::1:1'];
  await create(
    plain('v4', { clusterIP: '10.97.1.9', clusterIPs: ['10.97.1.9'] }),
    plain('v4-first', { ...dual, ipFamilies: ['IPv4', 'IPv6'], clusterIP: v4, clusterIPs: [v4, v6] }),
    plain('v6-first', {
      ...dual,
      ipFamilies: ['IPv6', 'IPv4'],
      clusterIP: 'fd00:10:96::1:2',
      clusterIPs: ['fd00:10:96::1:2', '10.97.1.2'],
    }),
  );
  await pair.answers(name('v4'), 'A', 'NOERROR', ['10.97.1.9']);
  await pair.answers(name('v4'), 'AAAA', 'NOERROR');
  await pair.answers(name('v4-first'), 'A', 'NOERROR', [v4]);
  await pair.answers(name('v4-first'), 'AAAA', 'NOERROR', [v6]);
  await pair.answers(name('v6-first'), 'A', 'NOERROR', ['10.97.1.2']);
  await pair.answers(name('v6-first'), 'AAAA', 'NOERROR', ['fd00:10:96::1:2']);
  await pair.agree(name('V6-First').toUpperCase(), 'SRV');
});

test('3: SRV of each named port, none of an unnamed one', async () => {
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
  await create(plain('named', { ports: [...ports, { name: 'dns', port: 53, protocol: 'UDP' }] }));
  await create(plain('unnamed', { ports: [{ port: 80, protocol: 'TCP' }] }));
  await pair.answers(`_http._tcp.${name('named')}`, 'SRV', 'NOERROR', [`0 100 80 ${name('named')}`]);
  await pair.answers(`_dns._udp.${name('named')}`, 'SRV', 'NOERROR', [`0 100 53 ${name('named')}`]);
  await pair.answers(`_http._udp.${name('named')}`, 'SRV', 'NXDOMAIN');
  await pair.answers(`_http._tcp.${name('unnamed')}`, 'SRV', 'NXDOMAIN');
});

test('4: PTR of each cluster IP', async () => {
  await pair.answers(reverse('10.97.1.1'), 'PTR', 'NOERROR', [name('v4-first')]);
  const nibbles = `2.0.0.0.1.0.0.0.${'0.0.0.0.'.repeat(3)}6.9.0.0.0.1.0.0.0.0.d.f.ip6.arpa.`;
  await pair.answers(nibbles, 'PTR', 'NOERROR', [name('v6-first')]);
});

test('5: addresses of a headless service are those of its ready endpoints', async () => {
  await create(headless('hl'), sliced('hl', [{ address: '10.1.0.1' }, { address: '10.1.0.2', ready: false }]));
  await create(headless('none'), sliced('none', [{ address: '10.1.0.3', ready: false }]), headless('bare'));
  await pair.answers(name('hl'), 'A', 'NOERROR', ['10.1.0.1']);
  await pair.answers(name('none'), 'A', 'NXDOMAIN');
  await pair.answers(name('bare'), 'SRV', 'NXDOMAIN');
});

test('6: names of endpoints; several addresses of one hostname', async () => {
  const endpoints = [
    { address: '10.1.1.1', hostname: 'a' },
    { address: '10.1.1.2', hostname: 'b' },
    { address: '10.1.1.3', hostname: 'a' },
    { address: '10.1.1.4' },
  ];
  await create(headless('named-hl'), sliced('named-hl', endpoints));
  await create(sliced('named-hl', [{ address: '2001:db8::1', hostname: 'a' }], '6'));
  await pair.answers(`a.${name('named-hl')}`, 'AAAA', 'NOERROR', ['2001:db8::1']);
  await pair.answers(`a.${name('named-hl')}`, 'A', 'NOERROR', ['10.1.1.1', '10.1.1.3']);
  await pair.answers(`b.${name('named-hl')}`, 'A', 'NOERROR', ['10.1.1.2']);
  await pair.answers(`10-1-1-4.${name('named-hl')}`, 'A', 'NOERROR', ['10.1.1.4']);
  await pair.answers(`10-1-1-1.${name('named-hl')}`, 'A', 'NXDOMAIN');
});

test('7: ready is what the slice says, whatever publishNotReadyAddresses is', async () => {
  await create(plain('pnr', { clusterIP: 'None', publishNotReadyAddresses: true }));
  const terminating = { conditions: { ready: true, serving: true, terminating: true } };
  const object = sliced('pnr', [{ address: '10.1.2.1' }, { address: '10.1.2.2', ready: false }]);
  const [first, second] = object['endpoints'] as object[];
  const serving = { addresses: ['10.1.2.4'], conditions: { ready: false, serving: true, terminating: true } };
  await create({ ...object, endpoints: [first, second, { addresses: ['10.1.2.3'], ...terminating }, serving] });
  await pair.answers(name('pnr'), 'A', 'NOERROR', ['10.1.2.1', '10.1.2.3']);
});

test('8: SRV of a headless service: each endpoint and port', async () => {
  const targets = ['a', 'b'].map((label) => `0 50 8080 ${label}.${name('srv')}`);
  await create(headless('srv'));
  await create(
    sliced('srv', [
      { address: '10.1.3.1', hostname: 'a' },
      { address: '10.1.3.2', hostname: 'b' },
    ]),
  );
  await pair.answers(`_http._tcp.${name('srv')}`, 'SRV', 'NOERROR', targets);
  await pair.answers(
    `_metrics._tcp.${name('srv')}`,
    'SRV',
    'NOERROR',
    targets.map((text) => text.replace('8080', '17100')),
  );
  await pair.agree(name('srv'), 'SRV');
});

test('9: PTR of each endpoint', async () => {
  await pair.answers(reverse('10.1.3.1'), 'PTR', 'NOERROR', [`a.${name('srv')}`]);
  await pair.answers(reverse('10.1.1.4'), 'PTR', 'NOERROR', [`10-1-1-4.${name('named-hl')}`]);
  await pair.answers(reverse('10.1.0.2'), 'PTR', 'NXDOMAIN');
});

test('10: an external name; changes of target and of type take effect', async () => {
  const object = plain('ext', { type: 'ExternalName', externalName: 'one.example.org' });
  await create(object);
  await pair.answers(name('ext'), 'CNAME', 'NOERROR', ['one.example.org.']);
  await plane.api.patch(object, { spec: { externalName: `v4.${NS}.svc.${ZONE}`.slice(0, -1) } });
  await pair.answers(name('ext'), 'A', 'NOERROR', [name('v4'), '10.97.1.9']);
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
  await plane.api.patch(object, { spec: { type: 'ClusterIP', externalName: null, clusterIP: '10.97.2.1', ports } });
  await pair.answers(name('ext'), 'A', 'NOERROR', ['10.97.2.1']);
  await pair.answers(reverse('10.97.2.1'), 'PTR', 'NOERROR', [name('ext')]);
  const target = { type: 'ExternalName', externalName: 'two.example.org', clusterIP: null, clusterIPs: null };
  await plane.api.patch(object, { spec: target });
  await pair.answers(name('ext'), 'CNAME', 'NOERROR', ['two.example.org.']);
  await pair.answers(reverse('10.97.2.1'), 'PTR', 'NXDOMAIN');
  await plane.api.delete(object);
  await pair.answers(name('ext'), 'CNAME', 'NXDOMAIN');
  await create(headless('ext'), sliced('ext', [{ address: '10.1.4.1' }]));
  await pair.answers(name('ext'), 'A', 'NOERROR', ['10.1.4.1']);
});

test('11: beyond the specification: what CoreDNS and kube-dns answer', async () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: NS },
    spec: { containers: [{ name: 'c', image: 'none' }], nodeName: 'n' },
    status: { phase: 'Running', podIP: '10.1.5.1', podIPs: [{ ip: '10.1.5.1' }] },
  };
  await create(pod, plain('0day'), { ...plain('noports', { clusterIP: 'None', ports: [] }) });
  await create({ ...sliced('noports', [{ address: '10.1.5.2' }]), ports: [] });
  await pair.answers(`10-1-5-1.${NS}.pod.${ZONE}`, 'A', 'NOERROR', ['10.1.5.1']);
  await pair.answers(`10-1-5-9.${NS}.pod.${ZONE}`, 'A', 'NXDOMAIN');
  await pair.answers(name('noports'), 'A', 'NOERROR', ['10.1.5.2']);
  await pair.answers(name('noports'), 'SRV', 'NOERROR');
  for (const empty of [ZONE, `svc.${ZONE}`, `${NS}.svc.${ZONE}`, `pod.${ZONE}`])
    await pair.answers(empty, 'A', 'NOERROR');
  await pair.answers(`nosuch.svc.${ZONE}`, 'A', 'NXDOMAIN');
  for (const type of ['SOA', 'NS', 'TXT', 'HTTPS', 'MX'] as const) await pair.agree(ZONE, type);
  await pair.agree(name('0day'), 'SRV');
});

// ------------------------------------------------------------------------------------------------- multicluster

const imported = (text: string, spec: Record<string, unknown>): KubernetesObject => ({
  apiVersion: 'multicluster.x-k8s.io/v1alpha1',
  kind: 'ServiceImport',
  metadata: { name: text, namespace: NS },
  spec: { ports: [{ name: 'http', protocol: 'TCP', port: 80 }], ...spec },
});
const importedSlice = (text: string, cluster: string, endpoints: Parameters<typeof slice>[1]): KubernetesObject => {
  const object = sliced(text, endpoints, `set-${cluster}`);
  const prefix = 'multicluster.kubernetes.io';
  const labels = { [`${prefix}/service-name`]: text, [`${prefix}/source-cluster`]: cluster };
  return { ...object, metadata: { ...object.metadata, labels } };
};
const setName = (text: string) => `${text}.${NS}.svc.${SET}`;

test('12: a cluster set: version, clusterset IPs, SRV, and no name of a cluster', async () => {
  // CoreDNS gives the version of the cluster's own schema; the specification says "1.0.0".
  await pair.answers(`dns-version.${SET}`, 'TXT', 'NOERROR', ['"1.1.0"']);
  const object = imported('set', { type: 'ClusterSetIP', ips: ['10.112.0.1', 'fd00:10:112::1'] });
  await create(object, importedSlice('set', 'c1', [{ address: '10.3.0.1', hostname: 'a' }]));
  await pair.answers(setName('set'), 'A', 'NOERROR', ['10.112.0.1']);
  await pair.answers(setName('set'), 'AAAA', 'NOERROR', ['fd00:10:112::1']);
  await pair.answers(`_http._tcp.${setName('set')}`, 'SRV', 'NOERROR', [`0 50 80 ${setName('set')}`]);
  await pair.answers(`c1.${setName('set')}`, 'A', 'NXDOMAIN');
  await pair.answers(reverse('10.112.0.1'), 'PTR', 'NXDOMAIN');
  await plane.api.patch(object, { spec: { ips: ['10.112.0.2'] } });
  await pair.answers(setName('set'), 'A', 'NOERROR', ['10.112.0.2']);
  await pair.answers(setName('set'), 'AAAA', 'NOERROR');
});

test('13: a headless service of the set: endpoints by cluster, SRV targets with the cluster', async () => {
  await create(imported('hl', { type: 'Headless' }));
  await create(
    importedSlice('hl', 'c1', [
      { address: '10.3.1.1', hostname: 'a' },
      { address: '10.3.1.2', ready: false },
    ]),
  );
  const second = importedSlice('hl', 'c2', [{ address: '10.3.1.3', hostname: 'a' }]);
  await create(second);
  await pair.answers(setName('hl'), 'A', 'NOERROR', ['10.3.1.1', '10.3.1.3']);
  await pair.answers(`a.c1.${setName('hl')}`, 'A', 'NOERROR', ['10.3.1.1']);
  await pair.answers(`a.c2.${setName('hl')}`, 'A', 'NOERROR', ['10.3.1.3']);
  await pair.answers(`a.${setName('hl')}`, 'A', 'NXDOMAIN');
  const targets = ['c1', 'c2'].map((cluster) => `0 50 8080 a.${cluster}.${setName('hl')}`);
  await pair.answers(`_http._tcp.${setName('hl')}`, 'SRV', 'NOERROR', targets);
  await plane.api.patch(second, { endpoints: sliceEndpoints([]) });
  await pair.answers(setName('hl'), 'A', 'NOERROR', ['10.3.1.1']);
  await pair.answers(`a.c2.${setName('hl')}`, 'A', 'NXDOMAIN');
});

// -------------------------------------------------------------------------------------------------- odd objects

test('duplicated addresses, in one slice and in two', async () => {
  await create(headless('twice'), sliced('twice', [{ address: '10.1.6.1' }, { address: '10.1.6.1', hostname: 'h' }]));
  await create(sliced('twice', [{ address: '10.1.6.1' }, { address: '10.1.6.2' }], '2'));
  await pair.answers(name('twice'), 'A', 'NOERROR', ['10.1.6.1', '10.1.6.2']);
  await pair.agree(name('twice'), 'SRV');
  await pair.answers(reverse('10.1.6.1'), 'PTR', 'NOERROR', [`10-1-6-1.${name('twice')}`, `h.${name('twice')}`]);
});

test('1,000 endpoints', async () => {
  await create(headless('many'));
  const address = (n: number) => `10.2.${n >> 8}.${n & 255}`;
  const all = Array.from({ length: 1000 }, (_, n) => ({ address: address(n + 1), hostname: `h-${n}` }));
  const slices = Array.from({ length: 10 }, (_, n) => sliced('many', all.slice(100 * n, 100 * n + 100), String(n)));
  await create(...slices);
  await pair.answers(
    name('many'),
    'A',
    'NOERROR',
    all.map((endpoint) => endpoint.address),
  );
  await pair.answers(`h-999.${name('many')}`, 'A', 'NOERROR', [address(1000)]);
  await pair.answers(`_http._tcp.h-0.${name('many')}`, 'SRV', 'NXDOMAIN');
  await plane.api.patch(slices[3]!, { endpoints: sliceEndpoints(all.slice(300, 399)) });
  await pair.answers(`h-399.${name('many')}`, 'A', 'NXDOMAIN');
  await pair.answers(reverse(address(400)), 'PTR', 'NXDOMAIN');
});

test('a slice moves from one service to another', async () => {
  const object = sliced('from', [{ address: '10.1.7.1', hostname: 'h' }]);
  await create(headless('from'), headless('to'), object);
  await pair.answers(`h.${name('from')}`, 'A', 'NOERROR', ['10.1.7.1']);
  await plane.api.patch(object, { metadata: { labels: { 'kubernetes.io/service-name': 'to' } } });
  await pair.answers(`h.${name('to')}`, 'A', 'NOERROR', ['10.1.7.1']);
  await pair.answers(name('from'), 'A', 'NXDOMAIN');
  await pair.answers(reverse('10.1.7.1'), 'PTR', 'NOERROR', [`h.${name('to')}`]);
});

test('a slice whose service does not exist, and one that names none', async () => {
  const loose = sliced('loose', [{ address: '10.1.8.2' }]);
  await create(sliced('orphan', [{ address: '10.1.8.1', hostname: 'h' }]));
  await create({ ...loose, metadata: { name: 'loose', namespace: NS } });
  await pair.answers(reverse('10.1.8.1'), 'PTR', 'NOERROR', [`h.${name('orphan')}`]);
  await pair.answers(`h.${name('orphan')}`, 'A', 'NXDOMAIN');
  await pair.answers(reverse('10.1.8.2'), 'PTR', 'silence');
});

test('names of 63 characters', async () => {
  const place = { namespace: LONG, name: `a${LONG.slice(1)}` };
  await create(service(place, { clusterIP: 'None' }));
  await create(slice({ ...place, name: 's', service: place.name }, [{ address: '10.1.9.1', hostname: LONG }]));
  const owner = `${place.name}.${LONG}.svc.${ZONE}`;
  await pair.answers(`${LONG}.${owner}`, 'A', 'NOERROR', ['10.1.9.1']);
  await pair.answers(owner, 'SRV', 'NOERROR', [`0 50 8080 ${LONG}.${owner}`, `0 50 17100 ${LONG}.${owner}`]);
  await pair.answers(reverse('10.1.9.1'), 'PTR', 'NOERROR', [`${LONG}.${owner}`]);
});

test('a namespace goes and comes back', async () => {
  const object = service({ namespace: 'other', name: 'web' }, { clusterIP: '10.97.3.1', clusterIPs: ['10.97.3.1'] });
  const owner = `web.other.svc.${ZONE}`;
  await create(object);
  await pair.answers(owner, 'A', 'NOERROR', ['10.97.3.1']);
  await plane.api.delete(namespace('other'));
  await plane.api.finalizeNamespace(namespace('other'));
  await pair.answers(owner, 'A', 'NXDOMAIN');
  await pair.answers(`other.svc.${ZONE}`, 'A', 'NXDOMAIN');
  await pair.answers(reverse('10.97.3.1'), 'PTR', 'NOERROR', [owner]);
  await create(namespace('other'));
  await pair.answers(owner, 'A', 'NOERROR', ['10.97.3.1']);
});

// ------------------------------------------------------------------------------------------------------- labels

test('the labels of names and clients', async () => {
  const client = (text: string, podIP: string, labels: Record<string, string>): KubernetesObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: text, namespace: NS, labels },
    spec: { containers: [{ name: 'c', image: 'none' }], nodeName: 'n', hostNetwork: true },
    status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] },
  });
  await create(client('me', '127.0.0.1', { app: 'test', 'example.com/tier': '' }));
  const labels = [
    'kind',
    'namespace',
    'service',
    'endpoint',
    'protocol',
    'port-name',
    'cluster',
    'zone',
    'parse-error',
  ];
  const clients = ['namespace', 'pod-name', 'label/app', 'label/example.com/tier', 'label/nosuch'];
  const words = [...labels, ...clients.map((label) => `client-${label}`)].map((label) => `[{/kubernetes/${label}}]`);
  const template = COREFILE.replace(
    '    kubernetes',
    `    metadata\n    log . "LINE {name} ${words.join(' ')}"\n    kubernetes`,
  );
  const labelled = await Pair.start(template.replace('pods verified', 'pods verified\n        zonal'), {
    kubeconfig: plane.writeKubeconfig(),
  });
  const zonal = 'eu.west.pin._zone';
  const asked = ['', 'svc.', `${NS}.svc.`, `web.${NS}.svc.`, `ep.web.${NS}.svc.`, `_http._tcp.web.${NS}.svc.`].map(
    (text) => text + ZONE,
  );
  asked.push(`http.__tcp.web.${NS}.svc.${ZONE}`, `${zonal}.web.${NS}.svc.${ZONE}`, `a.b.c.web.${NS}.svc.${ZONE}`);
  asked.push(
    `ep.c1.hl.${NS}.svc.${SET}`,
    `10-1-5-1.${NS}.pod.${ZONE}`,
    `web.${ZONE}`,
    'www.example.org.',
    'UP.Example.',
  );
  for (const question of asked) await labelled.agree(question, 'A');
  const lines = ({ child }: { child: { output(): string } }) => child.output().match(/LINE .*/g) ?? [];
  await until('all lines', 5000, async () => labelled.servers.every((server) => lines(server).length === asked.length));
  const [ours, theirs] = labelled.servers.map(lines);
  assert.deepEqual(ours, theirs);
  assert.match(theirs![0]!, /\[spec\] \[me\] \[test\] \[.?\] \[-\]$/);
  await labelled.stop();
});

// ---------------------------------------------------------------------------------------------------- log lines

/** Lines of plugin kubernetes, each once. */
const said = ({ child }: { child: { output(): string } }) =>
  [...new Set(child.output().match(/\[[A-Z]+\] plugin\/kubernetes: .*/g) ?? [])].sort();

test('an API server that refuses, and one that is not there', async () => {
  const waiting = 'startup_timeout 3s\n        multicluster';
  const template = COREFILE.replace('multicluster', waiting);
  const ports = { closed: await freePort() };
  const kubeconfigs = [plane.writeKubeconfig({ token: 'nobody' }), plane.writeKubeconfig({ port: ports.closed })];
  for (const kubeconfig of kubeconfigs) {
    const lost = await Pair.start(template, { kubeconfig, isUnsynced: true });
    const [ours, theirs] = lost.servers.map(said);
    assert.deepEqual(ours, theirs);
    assert.ok(theirs!.some((line) => line.includes('starting server with unsynced Kubernetes API')));
    await lost.answers(`web.${NS}.svc.${ZONE}`, 'A', 'SERVFAIL');
    await lost.agree(ZONE, 'SOA');
    await lost.stop();
  }
});
