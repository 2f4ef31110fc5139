// The resolvers of real programs, in a network namespace with a pod's /etc/resolv.conf: short and full names, headless
// services, SRV, aliases, names outside, large answers, names that do not exist. All of them find the same through wasmdns
// and through CoreDNS, and none waits for a retry (5 s in most of them).
//
// test/e2e/run.sh resolvers makes the namespaces: the servers listen on port 53 there.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { buildClients, buildServiceClient, type Client, type Found, look, output } from './resolvers/clients.ts';
import { ControlPlane } from './support/control-plane.ts';
import { namespace, service, slice } from './support/objects.ts';
import { type DnsServer, type Seat, startServer } from './support/server.ts';
import { Upstream } from './support/upstream.ts';

/** Most resolvers ask again after 5 s, Go's too: whoever is slower has lost a reply. Processes of a busy machine start slowly. */
const PATIENCE_MS = 3000;
const ENDPOINTS = 400;

const COREFILE = `.:@PORT@ .:53 {
    errors
    ready 127.0.0.1:@READY@
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig @KUBECONFIG@
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    forward . 127.0.0.1:@UPSTREAM@
    cache 30 {
        disable success cluster.local
        disable denial cluster.local
    }
    loadbalance
}
`;

const crowd = Array.from({ length: ENDPOINTS }, (_, n) => `10.77.${n >> 8}.${n & 0xff}`);
/** What each name leads to; undefined: to nothing. */
const NAMES: readonly (readonly [string, readonly string[] | undefined])[] = [
  ['web', ['10.96.10.1', 'fd00:10:96::a01']],
  ['web.shop', ['10.96.10.1', 'fd00:10:96::a01']],
  ['web.shop.svc', ['10.96.10.1', 'fd00:10:96::a01']],
  ['web.shop.svc.cluster.local', ['10.96.10.1', 'fd00:10:96::a01']],
  ['web.shop.svc.cluster.local.', ['10.96.10.1', 'fd00:10:96::a01']],
  ['db', ['10.244.1.1', '10.244.1.2', '10.244.1.3']],
  ['db-1.db', ['10.244.1.2']],
  ['crowd', crowd],
  ['outside', ['192.0.2.1', '2001:db8::1']],
  ['www-a.example.org', ['192.0.2.1', '2001:db8::1']],
  ['www-b.example.org.', ['192.0.2.1', '2001:db8::1']],
  ['alias.example.org', ['192.0.2.1', '2001:db8::1']],
  ['10-244-9-9.shop.pod.cluster.local', ['10.244.9.9']],
  ['nosuch', undefined],
  ['nosuch.shop.svc.cluster.local.', undefined],
  ['nx-a.example.org', undefined],
];

let plane: ControlPlane;
let upstream: Upstream;
let clients: readonly Client[];
let serviceClient: string;

before(async () => {
  assert.match(readFileSync('/etc/resolv.conf', 'utf8'), /ndots:5/, 'run it by test/e2e/run.sh resolvers');
  plane = await ControlPlane.start();
  upstream = await Upstream.start();
  const at = (name: string) => ({ namespace: 'shop', name });
  await plane.api.createAll([
    namespace('shop'),
    service(at('web'), {
      clusterIPs: ['10.96.10.1', 'fd00:10:96::a01'],
      clusterIP: '10.96.10.1',
      ipFamilyPolicy: 'RequireDualStack',
      ipFamilies: ['IPv4', 'IPv6'],
    }),
    service(at('db'), { clusterIP: 'None' }),
    slice(
      { ...at('db-1'), service: 'db' },
      ['10.244.1.1', '10.244.1.2', '10.244.1.3'].map((address, n) => ({ address, hostname: `db-${n}` })),
    ),
    service(at('crowd'), { clusterIP: 'None' }),
    slice(
      { ...at('crowd-1'), service: 'crowd' },
      crowd.map((address) => ({ address })),
    ),
    service(at('outside'), { type: 'ExternalName', externalName: 'www-c.example.org' }),
  ]);
  clients = buildClients();
  serviceClient = buildServiceClient();
});

after(async () => {
  await upstream?.stop();
  await plane?.stop();
});

const seats: readonly Seat[] = ['wasmdns', 'coredns'];
/** What each client has found through each server. */
const seen = new Map<string, Found>();

for (const seat of seats) {
  describe(seat, () => {
    let server: DnsServer;
    before(async () => {
      const options = { kubeconfig: plane.writeKubeconfig(), upstreamPort: upstream.port };
      server = await startServer(seat, COREFILE, options);
    });
    after(() => server.stop());

    for (const [name, expected] of NAMES) {
      test(name, async () => {
        for (const client of clients) {
          const isAsItIs = name.endsWith('.') || name.endsWith('.local') || name.endsWith('.org');
          // What cannot be found without the search list is not asked
          if (!isAsItIs && !client.searches(name)) continue;
          const found = await look(client, name);
          seen.set(`${seat} ${client.title} ${name}`, found);
          if (name === 'crowd' && client.isCut) assertSome(found.addresses, client.title);
          else assert.deepEqual(found.addresses, expected && [...expected].sort(), client.title);
          assert.ok(found.elapsedMs < PATIENCE_MS, `${client.title} took ${Math.round(found.elapsedMs)} ms`);
        }
      });
    }

    test('SRV records, more than fit into a datagram', async () => {
      const { code, text } = await output(serviceClient, ['_http._tcp.crowd']);
      assert.equal(code, 0, text);
      assert.equal(Number(text), ENDPOINTS);
    });
  });
}

function isCut(key: string): boolean {
  return clients.some((client) => client.isCut && key.endsWith(` ${client.title} crowd`));
}

/** Some of a large answer, as many as a datagram holds. */
function assertSome(addresses: readonly string[] = [], title: string): void {
  assert.ok(addresses.length >= 20, `${title}: ${addresses.length} addresses`);
  assert.deepEqual(
    addresses.filter((address) => !crowd.includes(address)),
    [],
    title,
  );
}

test('both give every client the same', () => {
  let compared = 0;
  for (const [key, ours] of seen) {
    if (!key.startsWith('wasmdns ')) continue;
    const theirs = seen.get(key.replace(/^wasmdns/, 'coredns'));
    // Which ones stand in a cut reply is chance
    if (isCut(key)) assert.equal(ours.addresses?.length, theirs?.addresses?.length, key);
    else assert.deepEqual(ours.addresses, theirs?.addresses, key);
    compared++;
  }
  assert.ok(compared >= NAMES.length * 6, `${compared} look-ups compared`);
  for (const client of clients) {
    const times = seats.map((seat) => {
      const own = [...seen]
        .filter(([key]) => key.startsWith(`${seat} ${client.title} `))
        .map(([, found]) => found.elapsedMs);
      return `${seat} ${Math.round(Math.max(...own))} ms`;
    });
    process.stdout.write(`${client.title}: slowest look-up beyond its start ${times.join(', ')}\n`);
  }
});
