// A large cluster: 10,000 services and 50,000 endpoints from a real API server. Every name of every object is asked
// over UDP and must be answered right.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { forEach, type KubernetesObject } from './support/api-client.ts';
import { answerText, ask } from './support/ask.ts';
import { ControlPlane } from './support/control-plane.ts';
import { UdpClient } from './support/dns-client.ts';
import { reverseName } from './support/name.ts';
import { clusterAddress, namespace, type Port, service, slice } from './support/objects.ts';
import { corefileTemplate, type DnsServer, type Seat, seatUnderTest, startServer } from './support/server.ts';
import { Upstream } from './support/upstream.ts';

const SERVICES = 10_000;
const ENDPOINTS_PER_SERVICE = 5;
const NAMESPACES = 100;
const PORTS: readonly Port[] = [
  { name: 'http', port: 80 },
  { name: 'metrics', port: 9100 },
];
/** Questions in flight on each of the sockets. */
const IN_FLIGHT = 16;
const SOCKETS = 4;

let plane: ControlPlane;
let upstream: Upstream;
const services: BigService[] = [];

/** One in ten is headless with hostnames, one in a hundred an ExternalName, the others have a cluster address. */
interface BigService {
  readonly name: string;
  readonly namespace: string;
  readonly kind: 'plain' | 'headless' | 'external';
  readonly endpoints: readonly { readonly address: string; readonly hostname?: string }[];
  address: string;
}

before(async () => {
  plane = await ControlPlane.start();
  upstream = await Upstream.start();
  const since = performance.now();
  const namespaces = Array.from({ length: NAMESPACES }, (_, n) => namespace(`ns-${n}`));
  await plane.api.createAll(namespaces);
  for (let n = 0; n < SERVICES; n++) services.push(describeService(n));
  await forEach(services, 24, createService);
  const seconds = ((performance.now() - since) / 1000).toFixed(1);
  process.stdout.write(`${SERVICES} services and ${SERVICES * ENDPOINTS_PER_SERVICE} endpoints made in ${seconds} s\n`);
});

after(async () => {
  await upstream.stop();
  await plane.stop();
});

function describeService(n: number): BigService {
  const kind = n % 10 === 9 ? 'headless' : n % 100 === 50 ? 'external' : 'plain';
  const endpoints = Array.from({ length: ENDPOINTS_PER_SERVICE }, (_, e) => {
    const number = n * ENDPOINTS_PER_SERVICE + e;
    const address = `10.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
    return kind === 'headless' ? { address, hostname: `svc-${n}-${e}` } : { address };
  });
  return { name: `svc-${n}`, namespace: `ns-${n % NAMESPACES}`, kind, endpoints, address: '' };
}

async function createService(big: BigService): Promise<void> {
  const place = { namespace: big.namespace, name: big.name };
  const created = await plane.api.create(service(place, specOf(big), PORTS));
  if (big.kind === 'plain') big.address = clusterAddress(created);
  // An ExternalName has no slice of its own; its five endpoints belong to the service behind it.
  const owner = big.kind === 'external' ? services[services.indexOf(big) + 1]! : big;
  await plane.api.create(sliceOf(big, owner));
}

function specOf(big: BigService): Readonly<Record<string, unknown>> {
  if (big.kind === 'external') return { type: 'ExternalName', externalName: `target.${big.name}.example.org` };
  return big.kind === 'headless' ? { clusterIP: 'None' } : {};
}

function sliceOf(big: BigService, owner: BigService): KubernetesObject {
  const place = { namespace: owner.namespace, name: `${big.name}-abcde`, service: owner.name };
  return slice(place, big.endpoints, PORTS);
}

interface Probe {
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'SRV' | 'PTR' | 'CNAME';
  readonly answer: string;
}

/** Every question that has an answer because of this service. */
function probesOf(big: BigService, at: number): Probe[] {
  const name = `${big.name}.${big.namespace}.svc.cluster.local.`;
  if (big.kind === 'external') {
    return [{ name, type: 'CNAME', answer: answerText('NOERROR', [`target.${big.name}.example.org.`]) }];
  }
  const guests = services[at - 1]?.kind === 'external' ? services[at - 1]!.endpoints : [];
  const endpoints = [...big.endpoints, ...guests];
  const labelled = endpoints.map((each) => `${each.hostname ?? each.address.replaceAll('.', '-')}.${name}`);
  const perEndpoint = endpoints.flatMap<Probe>((endpoint, n) => [
    { name: labelled[n]!, type: 'A', answer: answerText('NOERROR', [endpoint.address]) },
    { name: reverseName(endpoint.address), type: 'PTR', answer: answerText('NOERROR', [labelled[n]!]) },
  ]);
  const own = big.kind === 'plain' ? plainProbes(big, name) : headlessProbes(big, name, labelled);
  return [...own, ...perEndpoint, { name, type: 'AAAA', answer: 'NOERROR' }];
}

function plainProbes(big: BigService, name: string): Probe[] {
  const all = PORTS.map((port) => `0 50 ${port.port} ${name}`);
  return [
    { name, type: 'A', answer: answerText('NOERROR', [big.address]) },
    { name, type: 'SRV', answer: answerText('NOERROR', all) },
    { name: `_http._tcp.${name}`, type: 'SRV', answer: answerText('NOERROR', [`0 100 80 ${name}`]) },
    { name: reverseName(big.address), type: 'PTR', answer: answerText('NOERROR', [name]) },
  ];
}

function headlessProbes(big: BigService, name: string, targets: readonly string[]): Probe[] {
  const weight = Math.floor(100 / targets.length);
  const metrics = targets.map((target) => `0 ${weight} 17100 ${target}`);
  const addresses = big.endpoints.map((endpoint) => endpoint.address);
  return [
    { name, type: 'A', answer: answerText('NOERROR', addresses) },
    { name: `_metrics._tcp.${name}`, type: 'SRV', answer: answerText('NOERROR', metrics) },
  ];
}

/** Asks everything; resolves with the number of questions and the wrong answers. */
async function askAll(server: DnsServer): Promise<{ count: number; wrong: string[]; qps: number }> {
  const probes = services.flatMap(probesOf);
  const clients = Array.from({ length: SOCKETS }, () => new UdpClient(server.port));
  const wrong: string[] = [];
  const since = performance.now();
  await forEach(probes, IN_FLIGHT * SOCKETS, async (probe, at) => {
    const client = clients[at % SOCKETS]!;
    let is = await ask(client, probe.name, probe.type, 5000);
    // A datagram may be lost on a busy machine; an answer must not be wrong.
    if (is === 'silence') is = await ask(client, probe.name, probe.type, 5000);
    if (is !== probe.answer) wrong.push(`${probe.name} ${probe.type}: expected ${probe.answer}, got ${is}`);
  });
  const qps = probes.length / ((performance.now() - since) / 1000);
  for (const client of clients) client.close();
  return { count: probes.length, wrong, qps };
}

async function syncAndAsk(seat: Seat): Promise<void> {
  const kubeconfig = plane.writeKubeconfig();
  const since = performance.now();
  const server = await startServer(seat, corefileTemplate('kubeadm'), { kubeconfig, upstreamPort: upstream.port });
  const syncedMs = performance.now() - since;
  const idle = server.child.residentBytes();
  const { count, wrong, qps } = await askAll(server);
  const loaded = server.child.residentBytes();
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  process.stdout.write(
    `${server.seat}: ready after ${(syncedMs / 1000).toFixed(2)} s, RSS ${megabytes(idle)} MB, ` +
      `${count} questions (${qps.toFixed(0)}/s with the asking), RSS then ${megabytes(loaded)} MB, ${wrong.length} wrong\n`,
  );
  await server.stop();
  assert.equal(wrong.length, 0, wrong.slice(0, 10).join('\n'));
}

test('every name is answered right', () => syncAndAsk(seatUnderTest));

test('CoreDNS in comparison', () => syncAndAsk('coredns'));
