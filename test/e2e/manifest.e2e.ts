// deploy/kubernetes.yaml against the real API server: it is accepted as it stands, and its role is what the server needs,
// no more and no less. deploy/nodelocal.yaml is accepted as well.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { corefile, only, readManifest } from './image/manifest.ts';
import { ApiError, type KubernetesObject } from './support/api-client.ts';
import { answerText, ask } from './support/ask.ts';
import { scratchDirectory, until } from './support/child.ts';
import { ControlPlane } from './support/control-plane.ts';
import { UdpClient } from './support/dns-client.ts';
import { clusterAddress, namespace, service, slice } from './support/objects.ts';
import { corefileTemplate, type DnsServer, httpStatus, startServer } from './support/server.ts';
import { Upstream } from './support/upstream.ts';

const ACCOUNT = 'system:serviceaccount:kube-system:coredns';
const POD_ADDRESS = '10.244.1.7';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface Right {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
}

const textOf = ({ group, resource, verb }: Right): string => `${verb} ${resource}${group === '' ? '' : `.${group}`}`;

/** The manifest's role, right by right. */
const rights: readonly Right[] = (only('ClusterRole')['rules'] as readonly Rule[]).flatMap(
  ({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => ({ group, resource, verb })))),
);

function roleOf(granted: readonly Right[]): KubernetesObject {
  const rules = granted.map(({ group, resource, verb }) => ({
    apiGroups: [group],
    resources: [resource],
    verbs: [verb],
  }));
  return { ...only('ClusterRole'), rules };
}

/** Every request of the service account, once. */
const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    users: ["${ACCOUNT}"]
  - level: None
`;

class Cluster {
  readonly plane: ControlPlane;
  readonly #auditLog: string;
  #kubeconfig = '';
  webAddress = '';

  private constructor(plane: ControlPlane, auditLog: string) {
    this.plane = plane;
    this.#auditLog = auditLog;
  }

  static async start(name: string, more: readonly string[]): Promise<Cluster> {
    const policy = join(scratchDirectory(), `${name}.audit.yaml`);
    const auditLog = join(scratchDirectory(), `${name}.audit.log`);
    writeFileSync(policy, AUDIT_POLICY);
    const audit = [`--audit-policy-file=${policy}`, `--audit-log-path=${auditLog}`, '--audit-log-mode=blocking'];
    return new Cluster(await ControlPlane.start([...audit, ...more]), auditLog);
  }

  /** Applies the manifest and makes a few objects. */
  async fill(): Promise<void> {
    const { api } = this.plane;
    for (const object of readManifest()) await api.apply(object);
    await api.create(namespace('shop'));
    const web = await api.create(service({ namespace: 'shop', name: 'web' }, {}, [{ name: 'http', port: 80 }]));
    this.webAddress = clusterAddress(web);
    await api.create(service({ namespace: 'shop', name: 'db' }, { clusterIP: 'None' }, [{ name: 'sql', port: 5432 }]));
    const place = { namespace: 'shop', name: 'db-1', service: 'db' };
    await api.create(slice(place, [{ address: '10.244.1.9', hostname: 'db-0' }], [{ name: 'sql', port: 5432 }]));
    const spec = { containers: [{ name: 'c', image: 'none' }], nodeName: 'n1' };
    const status = { phase: 'Running', podIP: POD_ADDRESS, podIPs: [{ ip: POD_ADDRESS }] };
    await api.createAll([{ apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name: 'p' }, spec, status }]);
    this.#kubeconfig = this.plane.writeKubeconfig({ token: await api.serviceAccountToken('kube-system', 'coredns') });
  }

  serve(upstream: Upstream): Promise<DnsServer> {
    const options = { kubeconfig: this.#kubeconfig, upstreamPort: upstream.port, isUnsynced: true };
    return startServer('wasmdns', corefileTemplate('pods-verified'), options);
  }

  /** What the service account has asked for. */
  used(): Set<string> {
    const events = readFileSync(this.#auditLog, 'utf8').trim().split('\n');
    return new Set(
      events.map((line) => {
        const { verb, objectRef } = JSON.parse(line) as {
          readonly verb: string;
          readonly objectRef?: { readonly resource: string; readonly apiGroup?: string };
        };
        return textOf({ verb, resource: objectRef?.resource ?? '?', group: objectRef?.apiGroup ?? '' });
      }),
    );
  }
}

/** Lines in which the API server refuses a right. */
const refusal = ({ group, resource, verb }: Right): string =>
  `cannot ${verb} resource "${resource}" in API group "${group}"`;
const refusals = (server: DnsServer): string[] =>
  server.child
    .output()
    .split('\n')
    .filter((line) => line.includes('is forbidden'));

async function answersAll(server: DnsServer, cluster: Cluster): Promise<void> {
  await until('it is ready', 20_000, async () => (await httpStatus(server.ports.ready, '/ready')) === 200, 50);
  const client = new UdpClient(server.port);
  const expected = [
    ['web.shop.svc.cluster.local.', [cluster.webAddress]],
    ['db-0.db.shop.svc.cluster.local.', ['10.244.1.9']],
    [`${POD_ADDRESS.replaceAll('.', '-')}.shop.pod.cluster.local.`, [POD_ADDRESS]],
  ] as const;
  const answers = await Promise.all(expected.map(([name]) => ask(client, name, 'A')));
  client.close();
  assert.deepEqual(
    answers,
    expected.map(([, rdata]) => answerText('NOERROR', rdata)),
  );
}

let upstream: Upstream;
before(async () => {
  upstream = await Upstream.start();
});
after(() => upstream.stop());

test("its Corefile is kubeadm's", () => {
  const words = (text: string) => text.split(/\s+/).filter((word) => word !== '');
  const template = corefileTemplate('kubeadm')
    .replace('.:@PORT@', '.:53')
    .replace('prometheus 127.0.0.1:@METRICS@', 'prometheus :9153')
    .replace('forward . 127.0.0.1:@UPSTREAM@', 'forward . /etc/resolv.conf')
    .replace('kubeconfig @KUBECONFIG@', '')
    .replace(/ 127\.0\.0\.1:@\w+@/g, '');
  assert.deepEqual(words(corefile()), words(template));
});

/** The way of API servers from 1.32 on, which stream the first state, and the way of those before. */
const ways: readonly { readonly name: string; readonly more: readonly string[]; readonly unused: readonly Right[] }[] =
  [
    { name: 'streamed', more: [], unused: rights.filter(({ verb }) => verb === 'list') },
    { name: 'listed', more: ['--feature-gates=WatchList=false'], unused: [] },
  ];

for (const { name, more, unused } of ways) {
  describe(`an API server whose first state is ${name}`, () => {
    let cluster: Cluster;
    before(async () => {
      cluster = await Cluster.start(name, more);
    });
    after(() => cluster?.plane.stop());

    test('the manifest is accepted: strictly, without doing it, then doing it, and again', async () => {
      const { api } = cluster.plane;
      for (const object of readManifest()) await api.apply(object, { isDryRun: true });
      await assert.rejects(api.get('/apis/apps/v1/namespaces/kube-system/deployments/coredns'), ApiError);
      const wrong = structuredClone(only('Deployment')) as KubernetesObject & { spec: Record<string, unknown> };
      wrong.spec['replicaz'] = 2;
      await assert.rejects(api.apply(wrong, { isDryRun: true }), /replicaz/);
      await cluster.fill();
      for (const object of readManifest()) await api.apply(object);
      const dns = (await api.get('/api/v1/namespaces/kube-system/services/kube-dns')) as KubernetesObject;
      assert.equal(clusterAddress(dns), '10.96.0.10');
    });

    test("so is that of the nodes' cache", async () => {
      const { api } = cluster.plane;
      const objects = readManifest('nodelocal.yaml');
      for (const object of objects) await api.apply(object, { isDryRun: true });
      const wrong = structuredClone(objects.find(({ kind }) => kind === 'DaemonSet')!) as KubernetesObject & {
        spec: Record<string, unknown>;
      };
      wrong.spec['updateStrateg'] = {};
      await assert.rejects(api.apply(wrong, { isDryRun: true }), /updateStrateg/);
      for (const object of [...objects, ...objects]) await api.apply(object);
    });

    test('the role is enough, and what it grants is used', async () => {
      const server = await cluster.serve(upstream);
      await answersAll(server, cluster);
      assert.deepEqual(refusals(server), []);
      await server.stop();
      const granted = rights.map(textOf);
      const used = [...cluster.used()];
      assert.deepEqual(
        used.filter((each) => !granted.includes(each)),
        [],
      );
      const unasked = granted.filter((each) => !used.includes(each) && !unused.map(textOf).includes(each));
      assert.deepEqual(unasked, []);
    });

    for (const right of rights.filter((each) => !unused.includes(each))) {
      test(`without the right to ${textOf(right)} it says what it lacks`, async () => {
        await cluster.plane.api.apply(roleOf(rights.filter((each) => each !== right)));
        const server = await cluster.serve(upstream);
        const lacks = () => refusals(server).some((line) => line.replaceAll('\\', '').includes(refusal(right)));
        await until(`the log says: ${refusal(right)}`, 20_000, lacks, 50).finally(() => server.stop());
        await cluster.plane.api.apply(roleOf(rights));
      });
    }
  });
}
