// What one replica costs the real API server, beside CoreDNS: octets on the wire (TLS and all) and requests, for the first
// load, while nothing changes, and with 50 changes a second. The figures stand in docs/operations.md.
//
//   WASMDNS_E2E_SERVICES=N        services of the cluster, five endpoints each (1000)
//   WASMDNS_E2E_IDLE_SECONDS=N    how long it is looked at while nothing changes (40)

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { loadAccess } from '../../host/kubernetes/access.ts';
import { ACCEPT_METADATA, ApiClient, isProtobuf, targetOf } from '../../host/kubernetes/client.ts';
import { parsePage } from '../../host/kubernetes/events.ts';
import { MESSAGE_BYTES_MAX, PAGE_OBJECTS } from '../../host/kubernetes/limits.ts';
import {
  endpointSlices,
  NAMESPACES,
  type Named,
  type Resource,
  SERVICES,
} from '../../host/kubernetes/objects/resources.ts';
import { readBody } from '../../host/kubernetes/response-body.ts';
import { forEach } from './support/api-client.ts';
import { sleep, until } from './support/child.ts';
import { ControlPlane } from './support/control-plane.ts';
import { namespace, service, slice } from './support/objects.ts';
import { type DnsServer, httpGet, type Seat, seatUnderTest, startServer } from './support/server.ts';
import { TcpProxy } from './support/tcp-proxy.ts';

const COUNT = Number(process.env['WASMDNS_E2E_SERVICES'] ?? 1000);
const IDLE_SECONDS = Number(process.env['WASMDNS_E2E_IDLE_SECONDS'] ?? 40);
const ENDPOINTS = 5;
const SERVICES_PER_NAMESPACE = 100;
const CHANGES_PER_SECOND = 50;
const CHURN_SECONDS = 20;
/** A comparison may fall into anything. */
const COMPARISON_BYTES = 2 * COUNT * 700;
/** What a watch is behind with may still come. */
const SETTLING_MS = 1000;
const SLICES = endpointSlices({ usesPodNames: false, keepsZones: false, isImported: false });
const RESOURCES = [NAMESPACES, SERVICES, SLICES] as readonly Resource<Named>[];
const NO_POD = { host: undefined, port: undefined, root: '' };

const COREFILE = `.:@PORT@ {
    errors
    ready 127.0.0.1:@READY@
    prometheus 127.0.0.1:@METRICS@
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig @KUBECONFIG@
    }
}
`;

interface Seated {
  readonly seat: Seat;
  readonly proxy: TcpProxy;
  readonly server: DnsServer;
}

interface Spent {
  readonly bytes: number;
  readonly requests: number;
}

let plane: ControlPlane;
const seated: Seated[] = [];

before(async () => {
  plane = await ControlPlane.start();
  const namespaces = Math.ceil(COUNT / SERVICES_PER_NAMESPACE);
  await plane.api.createAll(Array.from({ length: namespaces }, (_, n) => namespace(`ns-${n}`)));
  const numbers = Array.from({ length: COUNT }, (_, n) => n);
  await forEach(numbers, 24, async (n) => {
    await plane.api.create(service(placeOf(n)));
    await plane.api.create(sliceOf(n, 0));
  });
});

after(async () => {
  for (const { server, proxy } of seated) {
    await server.stop();
    await proxy.stop();
  }
  await plane?.stop();
});

function placeOf(n: number): { namespace: string; name: string; service: string } {
  return { namespace: `ns-${Math.floor(n / SERVICES_PER_NAMESPACE)}`, name: `svc-${n}`, service: `svc-${n}` };
}

/** The service's slice after so many changes, each of which replaces a pod. */
function sliceOf(n: number, changes: number) {
  const endpoints = Array.from({ length: ENDPOINTS }, (_, e) => ({
    address: `10.${128 + (n >> 12)}.${(n >> 4) & 255}.${((n & 15) << 4) + ((e + changes) % 16)}`,
  }));
  return slice({ ...placeOf(n), name: `svc-${n}-abcde` }, endpoints);
}

/** What each seat has cost so far: octets that the API server sent, requests by the server's own metric. */
function spentBySeat(): Promise<Spent[]> {
  return Promise.all(
    seated.map(async ({ server, proxy }) => {
      const { body } = await httpGet(server.ports.metrics, '/metrics');
      const lines = body.split('\n').filter((line) => line.startsWith('coredns_kubernetes_rest_client_requests_total'));
      const requests = lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
      return { bytes: proxy.sentBytes, requests };
    }),
  );
}

async function spentDuring(work: () => Promise<void>): Promise<Spent[]> {
  const earlier = await spentBySeat();
  await work();
  await sleep(SETTLING_MS);
  const later = await spentBySeat();
  return later.map(({ bytes, requests }, n) => ({
    bytes: bytes - earlier[n]!.bytes,
    requests: requests - earlier[n]!.requests,
  }));
}

function tell(what: string, spent: readonly Spent[], seconds?: number): void {
  for (const [n, { bytes, requests }] of spent.entries()) {
    const hour = seconds === undefined ? '' : `, an hour ${megabytes((bytes * 3600) / seconds)} MB`;
    const asked = seconds === undefined ? '' : ` and ${((requests * 3600) / seconds).toFixed(0)} requests`;
    process.stdout.write(
      `${what}, ${seated[n]!.seat}: ${megabytes(bytes)} MB in ${requests} requests${hour}${asked}\n`,
    );
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(2);
}

test(`first load of ${COUNT} services`, async () => {
  for (const seat of [seatUnderTest, 'coredns'] as const) {
    const proxy = await TcpProxy.start(plane.port);
    const kubeconfig = plane.writeKubeconfig({ port: proxy.port });
    seated.push({ seat, proxy, server: await startServer(seat, COREFILE, { kubeconfig, withinMs: 300_000 }) });
  }
  await until('every list has come', 60_000, async () => {
    const before = seated.map(({ proxy }) => proxy.sentBytes);
    await sleep(SETTLING_MS);
    return seated.every(({ proxy }, n) => proxy.sentBytes === before[n]);
  });
  const spent = await spentBySeat();
  tell('first load', spent);
  const [ours, theirs] = spent as [Spent, Spent];
  assert.ok(ours.bytes < 1.1 * theirs.bytes + COMPARISON_BYTES, `${ours.bytes} octets, CoreDNS ${theirs.bytes}`);
});

test(`${IDLE_SECONDS} seconds without a change`, async () => {
  const spent = await spentDuring(() => sleep(IDLE_SECONDS * 1000));
  tell('idle', spent, IDLE_SECONDS + SETTLING_MS / 1000);
  // Glances of three resources at most each 7.5 s, some of them before pages of a comparison.
  const requestsMax = 3 * (IDLE_SECONDS / 7.5 + 2) + (3 * COUNT) / PAGE_OBJECTS;
  assert.ok(spent[0]!.requests <= requestsMax, `${spent[0]!.requests} requests`);
});

test(`${CHANGES_PER_SECOND} changes a second`, async () => {
  let changes = 0;
  const since = performance.now();
  const spent = await spentDuring(async () => {
    const due = () => ((performance.now() - since) / 1000) * CHANGES_PER_SECOND;
    await forEach(Array.from({ length: CHURN_SECONDS * CHANGES_PER_SECOND }), 8, async (_, n) => {
      while (due() < n) await sleep(10);
      const changed = sliceOf((n * 7919) % COUNT, n + 1);
      await plane.api.patch(changed, { endpoints: changed['endpoints'] });
      changes++;
    });
  });
  const seconds = (performance.now() - since) / 1000;
  process.stdout.write(`${changes} changes in ${seconds.toFixed(1)} s\n`);
  tell('changes', spent, seconds);
  const [ours, theirs] = spent as [Spent, Spent];
  assert.ok(theirs.bytes > 100 * changes, `${theirs.bytes} octets for CoreDNS: the changes did not pass here`);
  assert.ok(ours.bytes < 1.1 * theirs.bytes + COMPARISON_BYTES, `${ours.bytes} octets, CoreDNS ${theirs.bytes}`);
});

test('one comparison of all versions', async () => {
  const config = await loadAccess(
    { kind: 'kubeconfig', file: plane.writeKubeconfig(), context: undefined } as const,
    NO_POD,
  );
  const client = new ApiClient(config, { requested: () => {}, listed: () => {} }, 60_000);
  let [bytes, requests, objects] = [0, 0, 0];
  for (const resource of RESOURCES) {
    for (let next: string | undefined = ''; next !== undefined; requests++) {
      const target = targetOf(resource, { continue: next, limit: String(PAGE_OBJECTS) });
      const response = await client.open(target, ACCEPT_METADATA, AbortSignal.timeout(60_000));
      const octets = await readBody(response, 60_000, MESSAGE_BYTES_MAX);
      bytes += octets.length;
      const page = parsePage(octets, isProtobuf(response), NAMESPACES);
      objects += page.objects.length;
      next = page.next || undefined;
    }
  }
  client.close();
  process.stdout.write(`one comparison: ${objects} objects, ${megabytes(bytes)} MB in ${requests} requests\n`);
  assert.ok(objects > 2 * COUNT, `${objects} objects`);
  assert.ok(bytes < 700 * objects, `${bytes} octets`);
});
