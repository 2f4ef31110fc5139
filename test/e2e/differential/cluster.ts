// The cluster of the differential suite: every kind of service, with the names and addresses that questions are made of.

import { readObjects } from '../../cases/objects.ts';
import type { KubernetesObject } from '../support/api-client.ts';
import { type Endpoint, namespace, type Port, service, slice } from '../support/objects.ts';
import type { Random } from '../support/random.ts';

export interface Cluster {
  readonly objects: readonly KubernetesObject[];
  /** Names below cluster.local that exist, without a final dot. */
  readonly names: readonly string[];
  /** ExternalName services: their targets are cached, so each is asked once. */
  readonly externalNames: readonly string[];
  /** Addresses of endpoints; cluster addresses are added when the API server has given them. */
  readonly addresses: readonly string[];
  readonly namespaces: readonly string[];
  /** Names of the cluster set, of topology zones and of pods that exist: for Corefiles whose options serve them. */
  readonly setNames: readonly string[];
  readonly zoneNames: readonly string[];
  readonly podNames: readonly string[];
}

const PLAIN = 160;
const HEADLESS = 120;
const EXTERNAL = 500;
const NAMESPACES = 12;
const IMPORTS = 12;
const PODS = 24;
const PORT_SETS: readonly (readonly Port[])[] = [
  [{ name: 'http', port: 80 }],
  [
    { name: 'http', port: 80 },
    { name: 'https', port: 443 },
  ],
  [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53 },
  ],
  [
    { name: 'a', port: 1 },
    { name: 'b', port: 2, protocol: 'UDP' },
    { name: 'c', port: 50000 },
  ],
];

const SET = 'multicluster.kubernetes.io';

export function describeCluster(random: Random): Cluster {
  const draft = new Draft(random);
  for (let n = 0; n < PLAIN; n++) draft.addPlain(n);
  for (let n = 0; n < HEADLESS; n++) draft.addHeadless(n);
  for (let n = 0; n < EXTERNAL; n++) draft.addExternal(n);
  draft.addDemo();
  for (let n = 0; n < IMPORTS; n++) draft.addImport(n);
  for (let n = 0; n < PODS; n++) draft.addPod(n);
  return draft;
}

class Draft implements Cluster {
  readonly objects: KubernetesObject[] = [];
  readonly names: string[] = ['cluster.local', 'svc.cluster.local', 'pod.cluster.local', 'dns-version.cluster.local'];
  readonly externalNames: string[] = [];
  readonly addresses: string[] = [];
  readonly namespaces: string[] = [];
  readonly setNames: string[] = ['clusterset.local', 'svc.clusterset.local', 'dns-version.clusterset.local'];
  readonly zoneNames: string[] = [];
  readonly podNames: string[] = [];
  private readonly random: Random;
  private endpointCount = 0;

  constructor(random: Random) {
    this.random = random;
    for (let n = 0; n < NAMESPACES; n++) {
      this.namespaces.push(`space-${n}`);
      this.objects.push(labelled(namespace(`space-${n}`), n % 3 === 2 ? {} : { team: n % 3 === 0 ? 'a' : 'b' }));
      this.names.push(`space-${n}.svc.cluster.local`, `space-${n}.pod.cluster.local`);
    }
  }

  addPlain(n: number): void {
    const place = this.place(n % 40 === 7 ? `long-${'x'.repeat(54)}${String(n).padStart(4, '0')}` : `plain-${n}`);
    const families =
      n % 3 === 0
        ? { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'RequireDualStack' }
        : n % 7 === 0
          ? { ipFamilies: ['IPv6'] }
          : {};
    const ports = this.random.pick(PORT_SETS);
    this.objects.push(labelled(service(place, families, ports), tierOf(n)));
    this.addNames(place, ports);
    if (n % 4 !== 0) this.addSlice(place, 1, this.endpoints(1 + (n % 4), 'v4', false), ports, tierOf(n + (n % 10)));
  }

  addHeadless(n: number): void {
    const place = this.place(`headless-${n}`);
    const ports = n % 9 === 0 ? [] : this.random.pick(PORT_SETS);
    const isPublished = n % 11 === 0 ? { publishNotReadyAddresses: true } : {};
    this.objects.push(labelled(service(place, { clusterIP: 'None', ...isPublished }, ports), tierOf(n)));
    this.addNames(place, ports);
    const hasHostnames = n % 2 === 0;
    const count = n % 40 === 5 ? 90 : n % 13 === 0 ? 0 : 1 + (n % 6);
    this.addSlice(place, 1, this.endpoints(count, 'v4', hasHostnames), ports, tierOf(n));
    for (const word of ['zone-a.pin', 'zone-b.prefer', 'eu.west-1.pin', 'zone-c.prefer', 'zone-a.other']) {
      if (n % 6 === 0) this.zoneNames.push(`${word}._zone.${place.name}.${place.namespace}.svc.cluster.local`);
    }
    if (n % 5 === 0) this.addSlice(place, 2, this.endpoints(1 + (n % 3), 'v6', hasHostnames), ports);
    if (n % 8 === 0) this.addSlice(place, 3, this.endpoints(2, 'v4', false), PORT_SETS[0]!);
  }

  /** A service of the cluster set: with addresses of its own, or headless in one or two clusters. */
  addImport(n: number): void {
    const place = this.place(`import-${n}`);
    const isHeadless = n % 2 === 0;
    const ports = (n % 3 === 0 ? PORT_SETS[1]! : PORT_SETS[0]!).map((port) => ({ protocol: 'TCP', ...port }));
    const ips = n % 4 === 1 ? [`10.112.0.${n}`, `fd00:10:112::${n}`] : [`10.112.0.${n}`];
    const spec = isHeadless ? { type: 'Headless', ports } : { type: 'ClusterSetIP', ips, ports };
    const apiVersion = 'multicluster.x-k8s.io/v1alpha1';
    this.objects.push({ apiVersion, kind: 'ServiceImport', metadata: place, spec });
    const name = `${place.name}.${place.namespace}.svc.clusterset.local`;
    this.setNames.push(name, ...ports.map((port) => `_${port.name}._tcp.${name}`), `x.${name}`);
    for (const cluster of n % 3 === 0 ? ['c1', 'c2'] : ['c1']) {
      const endpoints = this.endpoints(2, 'v4', n % 4 === 0);
      const labels = { [`${SET}/service-name`]: place.name, [`${SET}/source-cluster`]: cluster };
      const imported = slice(
        { ...place, name: `set-${n}-${cluster}`, service: place.name },
        endpoints,
        ports as Port[],
      );
      this.objects.push({ ...imported, metadata: { ...imported.metadata, labels } });
      for (const { hostname, address } of endpoints) {
        this.setNames.push(`${hostname ?? address.replaceAll('.', '-')}.${cluster}.${name}`);
      }
    }
  }

  addPod(n: number): void {
    const place = this.place(`pod-${n}`);
    const address = n % 6 === 5 ? `2001:db8:34::${n}` : `10.34.0.${n}`;
    const spec = { containers: [{ name: 'c', image: 'none' }], nodeName: 'n1' };
    const status = { phase: n % 8 === 7 ? 'Succeeded' : 'Running', podIP: address, podIPs: [{ ip: address }] };
    this.objects.push({ apiVersion: 'v1', kind: 'Pod', metadata: place, spec, status });
    const name = `${address.replaceAll(/[.:]/g, '-')}.${place.namespace}.pod.cluster.local`;
    this.podNames.push(name, `x.${name}`, name.replace(/space-[0-9]+/, 'space-0'));
  }

  /** Targets outside, in the cluster, missing, and chains of such services. */
  addExternal(n: number): void {
    const place = this.place(`external-${n}`);
    const inside = `plain-${this.random.below(PLAIN)}.space-${this.random.below(NAMESPACES)}.svc.cluster.local`;
    const outside = this.random.pick([
      'www',
      'alias',
      'nx',
      'nodata',
      'multi',
      'half',
      'servfail',
      'dangle',
      'big',
      'ttl0',
    ]);
    const targets = [
      `${outside}-external${n}.example.org`,
      inside,
      `headless-${n % HEADLESS}.${place.namespace}.svc.cluster.local`,
    ];
    const target = n % 5 === 1 ? targets[1]! : n % 5 === 2 ? targets[2]! : targets[0]!;
    this.objects.push(service(place, { type: 'ExternalName', externalName: target }));
    this.externalNames.push(`${place.name}.${place.namespace}.svc.cluster.local`);
  }

  /** The objects of the cases too, but for their ExternalName services, which many questions would meet. */
  addDemo(): void {
    for (const object of readObjects('demo.yaml')) {
      const spec = object['spec'] as { type?: string } | undefined;
      if (spec?.type === 'ExternalName') continue;
      this.objects.push(object);
      const { name, namespace: space } = object.metadata;
      if (object.kind === 'Service') this.names.push(`${name}.${space}.svc.cluster.local`);
      if (object.kind === 'Namespace') this.names.push(`${name}.svc.cluster.local`);
    }
    this.names.push('ns.dns.cluster.local', 'db-0.db.demo.svc.cluster.local', 'same.mixed.demo.svc.cluster.local');
  }

  private place(name: string): { namespace: string; name: string } {
    return { namespace: this.random.pick(this.namespaces), name };
  }

  private addNames(place: { namespace: string; name: string }, ports: readonly Port[]): void {
    const name = `${place.name}.${place.namespace}.svc.cluster.local`;
    this.names.push(name);
    for (const port of ports) this.names.push(`_${port.name}._${(port.protocol ?? 'TCP').toLowerCase()}.${name}`);
  }

  private endpoints(count: number, family: 'v4' | 'v6', hasHostnames: boolean): Endpoint[] {
    return Array.from({ length: count }, (_, at) => {
      const n = this.endpointCount++;
      const address = family === 'v4' ? `10.33.${n >> 8}.${n & 255}` : `2001:db8:33::${(n * 16).toString(16)}`;
      const hostname = hasHostnames && at % 3 !== 2 ? { hostname: `pod-${String(at).padStart(2, '0')}` } : {};
      const zone = [{ zone: 'zone-a' }, { zone: 'zone-b' }, { zone: 'eu.west-1' }, {}][n % 4];
      return { address, ready: this.random.chance(0.9), ...hostname, ...zone };
    });
  }

  private addSlice(
    place: { namespace: string; name: string },
    at: number,
    endpoints: readonly Endpoint[],
    ports: readonly Port[],
    labels: Readonly<Record<string, string>> = {},
  ): void {
    const sliceName = `${place.name.slice(0, 50)}-${place.name.slice(-4)}-${at}`;
    const object = slice({ namespace: place.namespace, name: sliceName, service: place.name }, endpoints, ports);
    this.objects.push(labelled(object, labels));
    for (const endpoint of endpoints) {
      const label = endpoint.hostname ?? endpoint.address.replaceAll(/[.:]/g, '-');
      this.names.push(`${label}.${place.name}.${place.namespace}.svc.cluster.local`);
      this.addresses.push(endpoint.address);
    }
  }
}

/** For label selectors: two tiers, and objects without one. */
function tierOf(n: number): Readonly<Record<string, string>> {
  return n % 3 === 2 ? {} : { tier: n % 3 === 0 ? 'gold' : 'silver' };
}

function labelled(object: KubernetesObject, labels: Readonly<Record<string, string>>): KubernetesObject {
  return { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, ...labels } } };
}
