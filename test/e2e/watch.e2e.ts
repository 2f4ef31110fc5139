// Broken watches: whatever happens between the server and the API server, afterwards every name is answered as the
// cluster is, and while it lasts the old answers stay.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { forEach, type KubernetesObject } from './support/api-client.ts';
import { answerText, ask } from './support/ask.ts';
import { sleep } from './support/child.ts';
import { ControlPlane } from './support/control-plane.ts';
import { UdpClient } from './support/dns-client.ts';
import { clusterAddress, namespace, service, slice } from './support/objects.ts';
import { Random } from './support/random.ts';
import { corefileTemplate, type DnsServer, seatUnderTest, startServer } from './support/server.ts';
import { TcpProxy } from './support/tcp-proxy.ts';
import { Upstream } from './support/upstream.ts';

const SERVICES = 120;
/** Objects changed during each outage. */
const CHANGES = 60;
/** A client that backs off must not take longer than this when the API server is there again. */
const RECOVERY_MAX_MS = 45_000;

let plane: ControlPlane;
let upstream: Upstream;
let proxy: TcpProxy;
let server: DnsServer;
let client: UdpClient;
const random = new Random();
let count = 0;

/** What the cluster holds: name -> the answer to A. */
const expected = new Map<string, string>();
const objects = new Map<string, KubernetesObject>();

before(async () => {
  process.stdout.write(`seed ${random.seed}\n`);
  plane = await ControlPlane.start();
  upstream = await Upstream.start();
  proxy = await TcpProxy.start(plane.port);
  await plane.api.createAll([namespace('watch')]);
  for (let n = 0; n < SERVICES; n++) await createOne();
  const kubeconfig = plane.writeKubeconfig({ port: proxy.port });
  server = await startServer(seatUnderTest, corefileTemplate('kubeadm'), { kubeconfig, upstreamPort: upstream.port });
  client = new UdpClient(server.port);
});

after(async () => {
  client.close();
  await server.stop();
  await proxy.stop();
  await upstream.stop();
  await plane.stop();
});

const nameOf = (name: string) => `${name}.watch.svc.cluster.local.`;

async function createOne(): Promise<void> {
  const name = `s-${count++}`;
  const place = { namespace: 'watch', name };
  if (count % 2 === 0) {
    const created = await plane.api.create(service(place));
    objects.set(name, created);
    expected.set(nameOf(name), answerText('NOERROR', [clusterAddress(created)]));
    return;
  }
  const address = `10.140.${count >> 8}.${count & 255}`;
  objects.set(name, await plane.api.create(service(place, { clusterIP: 'None' })));
  await plane.api.create(slice({ ...place, name: `${name}-1`, service: name }, [{ address, hostname: 'one' }]));
  expected.set(nameOf(name), answerText('NOERROR', [address]));
  expected.set(`one.${nameOf(name)}`, answerText('NOERROR', [address]));
}

/** Creates and deletes at random; headless services get another endpoint. */
async function changeMany(changes: number): Promise<void> {
  for (let n = 0; n < changes; n++) {
    const live = [...objects].filter(([name]) => expected.get(nameOf(name)) !== 'NXDOMAIN');
    const way = random.below(3);
    if (way === 0) await createOne();
    else if (way === 1) await deleteOne(random.pick(live));
    else await moveOne(live);
  }
}

async function deleteOne([name, object]: readonly [string, KubernetesObject]): Promise<void> {
  await plane.api.delete(object);
  for (const each of [nameOf(name), `one.${nameOf(name)}`]) if (expected.has(each)) expected.set(each, 'NXDOMAIN');
}

async function moveOne(live: readonly (readonly [string, KubernetesObject])[]): Promise<void> {
  const [name] = random.pick(live.filter(([each]) => expected.has(`one.${nameOf(each)}`)));
  const address = `10.150.${count >> 8}.${count & 255}`;
  count++;
  const changed = slice({ namespace: 'watch', name: `${name}-1`, service: name }, [{ address, hostname: 'one' }]);
  await plane.api.patch(changed, { endpoints: changed['endpoints'] });
  expected.set(nameOf(name), answerText('NOERROR', [address]));
  expected.set(`one.${nameOf(name)}`, answerText('NOERROR', [address]));
}

/** Names that are not answered as the cluster is now. */
async function wrongNames(): Promise<string[]> {
  const wrong: string[] = [];
  await forEach([...expected], 32, async ([name, answer]) => {
    const is = await ask(client, name, 'A');
    if (is !== answer) wrong.push(`${name}: expected ${answer}, got ${is}`);
  });
  return wrong;
}

/** Waits until every name is right and stays so. */
async function expectRecovery(what: string): Promise<void> {
  const since = performance.now();
  for (;;) {
    const wrong = await wrongNames();
    const elapsed = performance.now() - since;
    if (wrong.length === 0) {
      process.stdout.write(`${what}: ${expected.size} names right after ${(elapsed / 1000).toFixed(1)} s\n`);
      break;
    }
    assert.ok(elapsed < RECOVERY_MAX_MS, `${what}: ${wrong.length} names are wrong:\n${wrong.slice(0, 5).join('\n')}`);
    await sleep(100);
  }
  await sleep(300);
  assert.deepEqual(await wrongNames(), [], `${what}: a name went wrong again`);
}

test('all names are right at first', () => expectRecovery('start'));

test('connections reset during changes', async () => {
  const changing = changeMany(CHANGES);
  for (let n = 0; n < 5; n++) {
    proxy.killConnections(n % 2 === 0 ? 'reset' : 'end');
    await sleep(150);
  }
  await changing;
  await expectRecovery('connections reset');
});

test('changes while the API server cannot be reached', async () => {
  const before = new Map(expected);
  await proxy.setMode('refuse');
  await changeMany(CHANGES);
  const sample = [...before].slice(0, 20);
  for (const [name, answer] of sample) assert.equal(await ask(client, name, 'A'), answer, 'an old answer was lost');
  await proxy.setMode('pass');
  await expectRecovery('unreachable');
});

test('a stalled stream that breaks in the end', async () => {
  await proxy.setMode('stall');
  await changeMany(CHANGES);
  await sleep(1000);
  proxy.killConnections('reset');
  await proxy.setMode('pass');
  await expectRecovery('stalled');
});

test('revisions are compacted away during an outage', async () => {
  await proxy.setMode('refuse');
  await changeMany(CHANGES);
  await plane.compact();
  await plane.stopApiServer();
  await plane.startApiServer();
  await proxy.setMode('pass');
  await changeMany(5);
  await expectRecovery('compacted (410 Gone)');
});

test('the API server is restarted in the middle of changes', async () => {
  await changeMany(CHANGES / 2);
  await plane.stopApiServer();
  await sleep(500);
  await plane.startApiServer();
  await changeMany(CHANGES / 2);
  await expectRecovery('API server restarted');
});

test('the server still runs and has said so', () => {
  assert.equal(server.child.hasExited, false, server.child.output());
  process.stdout.write(`${proxy.connectionCount} connections through the proxy\n`);
});
