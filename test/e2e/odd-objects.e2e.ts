// Objects that no controller writes and the API server takes all the same: CoreDNS and wasmdns, side by side.

import { after, before, test } from 'node:test';
import { Pair } from './dnssd/pair.ts';
import { headless, NS, name, plain, reverse, sliced, ZONE } from './dnssd/place.ts';
import type { KubernetesObject } from './support/api-client.ts';
import { ControlPlane } from './support/control-plane.ts';
import { namespace } from './support/objects.ts';

const COREFILE = `.:@PORT@ {
    ready 127.0.0.1:@READY@
    kubernetes ${ZONE} in-addr.arpa ip6.arpa {
        kubeconfig @KUBECONFIG@
        ttl 7
    }
}
`;

let plane: ControlPlane;
let pair: Pair;

before(async () => {
  plane = await ControlPlane.start();
  await plane.api.createAll([namespace(NS)]);
  pair = await Pair.start(COREFILE, { kubeconfig: plane.writeKubeconfig() });
});

after(async () => {
  await pair?.stop();
  await plane?.stop();
});

const create = (...objects: KubernetesObject[]) => plane.api.createAll(objects);

test('endpoints with several addresses, of other families and protocols, without conditions, without ports', async () => {
  await create(headless('odd'), headless('six'), plain('sctp', { clusterIP: '10.97.4.1' }));
  const base = sliced('odd', [{ address: '10.1.10.1' }]);
  const endpoints = [
    { addresses: ['10.1.10.1', '10.1.10.2', '10.1.10.3'], conditions: {}, hostname: 'many' },
    { addresses: ['10.1.10.4'], conditions: { serving: true }, zone: 'z1', nodeName: 'n' },
    { addresses: ['10.1.10.5'], hostname: 'many' },
  ];
  const ports = [
    { name: 'sctp', protocol: 'SCTP', port: 7000 },
    { name: '', protocol: 'UDP', port: 7001 },
    { name: 'any', protocol: 'TCP' },
  ];
  await create({ ...base, endpoints, ports });
  await create(sliced('six', [{ address: '2001:db8::10' }, { address: '::1:2:0' }, { address: 'fd00::' }]));
  await create(sliced('sctp', [{ address: '10.1.10.9', hostname: 'pod' }]));
  await pair.answers(`many.${name('odd')}`, 'A', 'NOERROR', ['10.1.10.1', '10.1.10.2', '10.1.10.3', '10.1.10.5']);
  await pair.answers(`pod.${name('sctp')}`, 'A', 'NOERROR', ['10.1.10.9']);
  await pair.answers(`_sctp._sctp.${name('odd')}`, 'SRV', 'NOERROR', [
    `0 20 7000 10-1-10-4.${name('odd')}`,
    `0 20 7000 many.${name('odd')}`,
  ]);
  for (const service of ['odd', 'six', 'sctp']) {
    for (const type of ['A', 'AAAA', 'SRV'] as const) {
      for (const prefix of ['', 'many.', '_sctp._sctp.', '__udp.', '_._udp.', '_any._tcp.', '_http._tcp.', 'pod.'])
        await pair.agree(prefix + name(service), type);
      for (const endpoint of ['10-1-10-4', '2001-db8--10', '--1-2-0', '1-2-0', 'fd00--', 'fd00--0'])
        await pair.agree(`${endpoint}.${name(service)}`, type);
    }
  }
  for (const last of [1, 2, 3, 4, 5, 9]) await pair.agree(reverse(`10.1.10.${last}`), 'PTR');
  await pair.agree(`0.1.${'0.0.0.0.0.0.0.'.repeat(3)}0.8.b.d.0.1.0.0.2.ip6.arpa.`, 'PTR');
});

test('services with external addresses, selectors of none, ports of both protocols and none', async () => {
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns', port: 54, protocol: 'TCP' },
  ].map((port, at) => ({ ...port, name: `dns${at || ''}` }));
  await create(
    plain('external-ips', { clusterIP: '10.97.5.1', externalIPs: ['192.0.2.80'] }),
    plain('balanced', { type: 'LoadBalancer', clusterIP: '10.97.5.2', loadBalancerIP: '192.0.2.81' }),
    plain('node', { type: 'NodePort', clusterIP: '10.97.5.3' }),
    plain('loose', { clusterIP: '10.97.5.4', selector: null }),
    plain('both', { clusterIP: '10.97.5.5', ports }),
    plain('ext-ports', { type: 'ExternalName', externalName: 'ext.example.org', ports }),
    plain('ext-loop', { type: 'ExternalName', externalName: `ext-loop.${NS}.svc.${ZONE}`.slice(0, -1) }),
  );
  await pair.answers(name('both'), 'SRV', 'NOERROR', [`0 50 53 ${name('both')}`, `0 50 54 ${name('both')}`]);
  for (const service of ['external-ips', 'balanced', 'node', 'loose', 'both', 'ext-ports', 'ext-loop']) {
    for (const type of ['A', 'AAAA', 'SRV', 'CNAME', 'TXT', 'ANY'] as const) {
      for (const prefix of ['', '_dns._udp.', '_dns1._tcp.', '_http._tcp.', 'dns.udp.', 'x.', 'x.y.z.'])
        await pair.agree(prefix + name(service), type);
    }
  }
  for (const address of ['192.0.2.80', '192.0.2.81', '10.97.5.1', '10.97.5.4'])
    await pair.agree(reverse(address), 'PTR');
});
