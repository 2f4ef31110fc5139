// Answers follow the cluster: what real controllers make of Deployments and StatefulSets, asked through the real
// kube-proxy, from a pod with the resolv.conf that the kubelet wrote. deploy/kubernetes.yaml as it stands.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { until } from '../e2e/support/child.ts';
import { repository } from '../e2e/support/tools.ts';
import { apply, DNS_ADDRESS, exec, isReady, kubectl, pods, read } from './support/cluster.ts';
import { deploy, dnsPods, ownManifest, resolve } from './support/dns-service.ts';

const DOMAIN = 'default.svc.cluster.local';
/** Scheduler, kubelet, container and readiness probe have their turn. */
const FOLLOW_MS = 90_000;

/** Addresses of the ready pods behind a label, as the API has them. */
async function readyAddresses(selector: string): Promise<readonly string[]> {
  const ready = (await pods(selector)).filter(isReady);
  return ready.map(({ status }) => status.podIP!).sort();
}

async function addressesOf(name: string): Promise<readonly string[]> {
  return [...(await resolve(name, 'A')).records].sort();
}

/** Until `count` pods are ready and the name has exactly their addresses. */
async function follows(name: string, selector: string, count: number): Promise<void> {
  const seen = { ready: [] as readonly string[], answered: [] as readonly string[] };
  const agree = async () => {
    seen.ready = await readyAddresses(selector);
    seen.answered = await addressesOf(name);
    return seen.ready.length === count && seen.answered.join() === seen.ready.join();
  };
  await until(`${name} has the addresses of ${count} ready pods`, FOLLOW_MS, agree, 300).catch((error: unknown) => {
    throw new Error(`${(error as Error).message}: ${JSON.stringify(seen)}`);
  });
}

before(async () => {
  await deploy(ownManifest());
  await apply(readFileSync(join(repository, 'test/cluster/manifests/workloads.yaml'), 'utf8'));
  await kubectl(['wait', 'pod/client', '--for=condition=Ready', '--timeout=60s']);
});

test('the DNS pods of deploy/kubernetes.yaml are Ready, two of them, never restarted', async () => {
  const all = await dnsPods();
  assert.equal(all.length, 2);
  for (const pod of all) {
    assert(isReady(pod), pod.metadata.name);
    assert.equal(pod.status.containerStatuses?.[0]?.restartCount, 0);
  }
});

test("nslookup in a busybox pod, with the kubelet's own resolv.conf", async () => {
  const resolvConf = await exec('client', 'cat', '/etc/resolv.conf');
  assert.match(resolvConf, /^nameserver 10\.96\.0\.10$/m);
  assert.match(resolvConf, /^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local$/m);
  const service = await read<{ spec: { clusterIP: string } }>('service', 'my-service');
  for (const name of [`my-service.${DOMAIN}`, 'my-service']) {
    // busybox asks for a short name in every search domain, and fails for those that do not have it.
    const said = await exec('client', 'sh', '-c', `nslookup ${name}; true`);
    assert.match(said, new RegExp(`Server:\\s+${DNS_ADDRESS}`));
    assert.match(said, new RegExp(`Name:\\s+my-service.${DOMAIN}\\s+Address(?: 1)?: ${service.spec.clusterIP}`));
  }
  await assert.rejects(exec('client', 'nslookup', `no-such-service.${DOMAIN}`), /NXDOMAIN/);
});

test('a Deployment scaled up and down: its headless name follows', async () => {
  await follows(`web-headless.${DOMAIN}`, 'app=web', 2);
  await kubectl(['scale', 'deployment/web', '--replicas=5']);
  await follows(`web-headless.${DOMAIN}`, 'app=web', 5);
  await kubectl(['scale', 'deployment/web', '--replicas=1']);
  await follows(`web-headless.${DOMAIN}`, 'app=web', 1);
  await kubectl(['scale', 'deployment/web', '--replicas=0']);
  await until(
    'no pod, no name',
    FOLLOW_MS,
    async () => (await resolve(`web-headless.${DOMAIN}`, 'A')).rcode === 'NXDOMAIN',
  );
  await kubectl(['scale', 'deployment/web', '--replicas=2']);
  await follows(`web-headless.${DOMAIN}`, 'app=web', 2);
});

test('a pod that is not ready leaves, and comes back when it is', async () => {
  await follows(`web-headless.${DOMAIN}`, 'app=web', 2);
  const [pod] = (await pods('app=web')).filter(isReady);
  await exec(pod!.metadata.name, 'rm', '/tmp/ready');
  await follows(`web-headless.${DOMAIN}`, 'app=web', 1);
  assert(!(await addressesOf(`web-headless.${DOMAIN}`)).includes(pod!.status.podIP!));
  await exec(pod!.metadata.name, 'touch', '/tmp/ready');
  await follows(`web-headless.${DOMAIN}`, 'app=web', 2);
});

test('a rolling update: the name has always an address, and in the end those of the new pods', async () => {
  const before = await readyAddresses('app=web');
  await kubectl(['set', 'env', 'deployment/web', `GENERATION=${Date.now()}`]);
  const rolled = kubectl(['rollout', 'status', 'deployment/web', '--timeout=90s']);
  let isRolled = false;
  const watched = rolled.finally(() => {
    isRolled = true;
  });
  while (!isRolled) {
    assert.notDeepEqual(
      await addressesOf(`web-headless.${DOMAIN}`),
      [],
      'without any address in the middle of a rollout',
    );
  }
  await watched;
  await follows(`web-headless.${DOMAIN}`, 'app=web', 2);
  const after = await addressesOf(`web-headless.${DOMAIN}`);
  assert(!after.some((address) => before.includes(address)), `${before} and then ${after}`);
});

test('a StatefulSet: each pod has its name, SRV and PTR agree, scaling follows', async () => {
  await follows(`db.${DOMAIN}`, 'app=db', 2);
  for (const ordinal of [0, 1]) {
    const pod = await read<{ status: { podIP: string } }>('pod', `db-${ordinal}`);
    assert.deepEqual(await addressesOf(`db-${ordinal}.db.${DOMAIN}`), [pod.status.podIP]);
    const reversed = pod.status.podIP.split('.').reverse().join('.');
    assert.deepEqual((await resolve(`${reversed}.in-addr.arpa`, 'PTR')).records, [`db-${ordinal}.db.${DOMAIN}`]);
  }
  const services = await resolve(`_sql._tcp.db.${DOMAIN}`, 'SRV');
  const targets = services.records.map((record) => JSON.parse(record) as { name: string; port: number });
  assert.deepEqual(targets.map(({ name, port }) => `${name}:${port}`).sort(), [
    `db-0.db.${DOMAIN}:5432`,
    `db-1.db.${DOMAIN}:5432`,
  ]);
  await kubectl(['scale', 'statefulset/db', '--replicas=3']);
  await follows(`db.${DOMAIN}`, 'app=db', 3);
  await kubectl(['scale', 'statefulset/db', '--replicas=1']);
  await follows(`db.${DOMAIN}`, 'app=db', 1);
  assert.equal((await resolve(`db-1.db.${DOMAIN}`, 'A')).rcode, 'NXDOMAIN');
});

test('a service that is made and deleted: its name comes and goes', async () => {
  await kubectl(['create', 'service', 'clusterip', 'passing', '--tcp=80:80']);
  const service = await read<{ spec: { clusterIP: string } }>('service', 'passing');
  await until('it is known', FOLLOW_MS, async () => (await addressesOf(`passing.${DOMAIN}`)).length > 0);
  assert.deepEqual(await addressesOf(`passing.${DOMAIN}`), [service.spec.clusterIP]);
  await kubectl(['delete', 'service', 'passing']);
  await until('it is forgotten', FOLLOW_MS, async () => (await resolve(`passing.${DOMAIN}`, 'A')).rcode === 'NXDOMAIN');
});
