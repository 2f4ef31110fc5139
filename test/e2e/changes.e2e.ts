// How long a change of the cluster takes to reach the answers: from the API server's acknowledgement of a random
// create, change or delete to the first answer that shows it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { KubernetesObject } from './support/api-client.ts';
import { answerText, ask, percentile, summary } from './support/ask.ts';
import { sleep } from './support/child.ts';
import { ControlPlane } from './support/control-plane.ts';
import { UdpClient } from './support/dns-client.ts';
import { clusterAddress, namespace, service, slice, sliceEndpoints } from './support/objects.ts';
import { Random } from './support/random.ts';
import { corefileTemplate, type DnsServer, seatUnderTest, startServer } from './support/server.ts';
import { Upstream } from './support/upstream.ts';

const CHANGES = 200;
const P99_MAX_MS = 500;
/** After this a change counts as lost. */
const LOST_MS = 10_000;
/** Time between two looks at the answer. */
const STEP_MS = 1;
const ZONE = 'svc.cluster.local.';

let plane: ControlPlane;
let upstream: Upstream;
const servers: DnsServer[] = [];
const random = new Random();

before(async () => {
  plane = await ControlPlane.start();
  upstream = await Upstream.start();
  await plane.api.createAll([namespace('changes')]);
  const kubeconfig = plane.writeKubeconfig();
  const options = { kubeconfig, upstreamPort: upstream.port, shards: 2 };
  servers.push(await startServer(seatUnderTest, corefileTemplate('kubeadm'), options));
  servers.push(await startServer('coredns', corefileTemplate('kubeadm'), options));
});

after(async () => {
  for (const server of servers) await server.stop();
  await upstream.stop();
  await plane.stop();
});

/** A question and the answer that must appear. */
interface Effect {
  readonly name: string;
  readonly type: 'A' | 'SRV';
  readonly answer: string;
}

/** Services of this suite that exist, and a way to change each. */
class Cluster {
  private readonly plain = new Map<string, KubernetesObject>();
  private readonly headless = new Map<string, string[]>();
  private count = 0;

  /** Makes one change; resolves when the API server has acknowledged it. */
  change(): Promise<Effect> {
    const ways = [() => this.createService(), () => this.createHeadless()];
    if (this.plain.size > 0)
      ways.push(
        () => this.deleteService(),
        () => this.changePort(),
      );
    if (this.headless.size > 0)
      ways.push(
        () => this.changeEndpoints(),
        () => this.changeEndpoints(),
      );
    return random.pick(ways)();
  }

  private async createService(): Promise<Effect> {
    const name = `plain-${this.count++}`;
    const created = await plane.api.create(service({ namespace: 'changes', name }));
    this.plain.set(name, created);
    return { name: `${name}.changes.${ZONE}`, type: 'A', answer: answerText('NOERROR', [clusterAddress(created)]) };
  }

  private async deleteService(): Promise<Effect> {
    const [name, object] = random.pick([...this.plain]);
    await plane.api.delete(object);
    this.plain.delete(name);
    return { name: `${name}.changes.${ZONE}`, type: 'A', answer: 'NXDOMAIN' };
  }

  private async changePort(): Promise<Effect> {
    const [name, object] = random.pick([...this.plain]);
    const port = 10_000 + random.below(50_000);
    await plane.api.patch(object, { spec: { ports: [{ name: 'http', port, protocol: 'TCP' }] } });
    const target = `${name}.changes.${ZONE}`;
    return { name: `_http._tcp.${target}`, type: 'SRV', answer: answerText('NOERROR', [`0 100 ${port} ${target}`]) };
  }

  private async createHeadless(): Promise<Effect> {
    const name = `headless-${this.count++}`;
    const addresses = this.addresses();
    await plane.api.create(service({ namespace: 'changes', name }, { clusterIP: 'None' }));
    await plane.api.create(this.slice(name, addresses));
    this.headless.set(name, addresses);
    return { name: `${name}.changes.${ZONE}`, type: 'A', answer: answerText('NOERROR', addresses) };
  }

  /** Other addresses, now and then none at all: then the name does not exist. */
  private async changeEndpoints(): Promise<Effect> {
    const [name] = random.pick([...this.headless]);
    const addresses = random.chance(0.15) ? [] : this.addresses();
    const endpoints = sliceEndpoints(addresses.map((address) => ({ address })));
    await plane.api.patch(this.slice(name, []), { endpoints });
    this.headless.set(name, addresses);
    const answer = addresses.length === 0 ? 'NXDOMAIN' : answerText('NOERROR', addresses);
    return { name: `${name}.changes.${ZONE}`, type: 'A', answer };
  }

  private slice(name: string, addresses: readonly string[]): KubernetesObject {
    const endpoints = addresses.map((address) => ({ address }));
    return slice({ namespace: 'changes', name: `${name}-1`, service: name }, endpoints);
  }

  /** Never the same ones again, so that an old answer cannot pass for the new one. */
  private addresses(): string[] {
    const first = this.count++;
    const count = 1 + random.below(5);
    return Array.from({ length: count }, (_, at) => `10.${128 + (first >> 8)}.${first & 255}.${at + 1}`);
  }
}

/** Milliseconds from `since` until the server gives the answer. */
async function delayMs(client: UdpClient, effect: Effect, since: number): Promise<number> {
  for (;;) {
    const answer = await ask(client, effect.name, effect.type);
    const elapsed = performance.now() - since;
    if (answer === effect.answer) return elapsed;
    assert.ok(elapsed < LOST_MS, `${effect.name} ${effect.type}: expected ${effect.answer}, still ${answer}`);
    await sleep(STEP_MS);
  }
}

test(`${CHANGES} random changes reach the answers`, async () => {
  const cluster = new Cluster();
  const clients = servers.map((server) => new UdpClient(server.port));
  const delays: number[][] = servers.map(() => []);
  process.stdout.write(`seed ${random.seed}\n`);
  for (let n = 0; n < CHANGES; n++) {
    const effect = await cluster.change();
    const acknowledged = performance.now();
    const measured = await Promise.all(clients.map((client) => delayMs(client, effect, acknowledged)));
    for (const [at, ms] of measured.entries()) delays[at]!.push(ms);
  }
  for (const client of clients) client.close();
  for (const [at, server] of servers.entries()) process.stdout.write(`${summary(server.seat, delays[at]!)}\n`);
  const p99 = percentile(delays[0]!, 0.99);
  assert.ok(p99 < P99_MAX_MS, `p99 is ${p99.toFixed(1)} ms, ${P99_MAX_MS} ms are allowed`);
});
