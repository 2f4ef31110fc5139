// Queries lost while DNS pods come and go: 1,000 a second to the service's address from 20 sockets that keep their ports,
// which is the hard case, since connection tracking keeps a port on its pod. Ours with deploy/kubernetes.yaml as it
// stands, and CoreDNS beside it as kubeadm installs it. The printed lines are docs/operations.md's figures.
//
//   WASMDNS_ROLLOUT_ROUNDS=N         rounds of each event (1)
//   WASMDNS_ROLLOUT_QPS=N            queries a second (1000)
//   WASMDNS_ROLLOUT_REPLICAS=N       other than the manifest's
//   WASMDNS_ROLLOUT_SETUPS=TEXT,...  only setups whose name has one of the texts: `wasmdns with own manifest`,
//                                    `wasmdns with kubeadm's manifest`, `CoreDNS with kubeadm's manifest`
//   WASMDNS_ROLLOUT_EVENTS=TEXT,...  of rollout, deletion, reload, kill -9
//   WASMDNS_ROLLOUT_SOCKETS=N        sockets (20); 0 = a new port for each query
//   WASMDNS_ROLLOUT_PROTOCOL=tcp     connections in the place of sockets

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '../e2e/support/child.ts';
import { DNS_ADDRESS, inside, kubectl, type Pod, processOf } from './support/cluster.ts';
import { deploy, dnsPods, kubeadmManifest, NODE, ownManifest, settled } from './support/dns-service.ts';
import type { LoadOrder, LoadResult } from './support/load.ts';

const ROUNDS = Number(process.env['WASMDNS_ROLLOUT_ROUNDS'] ?? 1);
const QUERIES_PER_SECOND = Number(process.env['WASMDNS_ROLLOUT_QPS'] ?? 1000);
const SOCKETS = Number(process.env['WASMDNS_ROLLOUT_SOCKETS'] ?? 20);
const PROTOCOL = process.env['WASMDNS_ROLLOUT_PROTOCOL'] === 'tcp' ? 'tcp' : 'udp';
const REPLICAS = process.env['WASMDNS_ROLLOUT_REPLICAS'];
const ONLY_SETUPS = process.env['WASMDNS_ROLLOUT_SETUPS'] ?? '';
const ONLY_EVENTS = process.env['WASMDNS_ROLLOUT_EVENTS'] ?? '';
const TIMEOUT_MS = 3000;
/** No server can help it: as many as are under way in one moment. Replies that take 30 ms. */
const STRAYED_MAX = 0.03 * QUERIES_PER_SECOND;
/** The load is steady before anything happens. */
const LEAD_MS = 3000;

interface Setup {
  readonly name: string;
  manifest(): string;
  /** Events that may not cost a single query. */
  readonly losesNothingIn: readonly string[];
}

const SETUPS: readonly Setup[] = [
  { name: 'wasmdns with own manifest', manifest: ownManifest, losesNothingIn: ['rollout', 'deletion', 'reload'] },
  {
    name: "wasmdns with kubeadm's manifest",
    manifest: () => kubeadmManifest('localhost/wasmdns:dev'),
    losesNothingIn: ['reload'],
  },
  {
    name: "CoreDNS with kubeadm's manifest",
    manifest: () => kubeadmManifest('localhost/coredns:test'),
    losesNothingIn: [],
  },
];

interface Event {
  readonly name: string;
  /** Of load, which outlasts what the event sets off: with our own manifest, and with kubeadm's. */
  readonly seconds: readonly [own: number, kubeadm: number];
  happen(): Promise<unknown>;
}

/** With kubeadm's probes an ending pod keeps its flows for up to its whole grace period of 30 s. */
const EVENTS: readonly Event[] = [
  {
    name: 'rollout',
    seconds: [45, 60],
    happen: () => kubectl(['rollout', 'restart', 'deployment/coredns', '-n', 'kube-system']),
  },
  {
    name: 'deletion',
    seconds: [25, 45],
    happen: async () => kubectl(['delete', 'pod', (await anyPod()).metadata.name, '-n', 'kube-system', '--wait=false']),
  },
  { name: 'reload', seconds: [15, 15], happen: reload },
  { name: 'kill -9', seconds: [20, 20], happen: async () => process.kill(await processOf(await anyPod()), 'SIGKILL') },
];

for (const setup of SETUPS.filter(({ name }) => isWanted(name, ONLY_SETUPS))) {
  test(setup.name, async (t) => {
    await deploy(setup.manifest());
    if (REPLICAS !== undefined) {
      await kubectl(['scale', 'deployment/coredns', '-n', 'kube-system', `--replicas=${REPLICAS}`]);
      await settled();
    }
    for (const event of EVENTS.filter(({ name }) => isWanted(name, ONLY_EVENTS))) {
      for (let round = 1; round <= ROUNDS; round++) {
        await t.test(`${event.name}, round ${round}`, async () => {
          const seconds = event.seconds[setup.manifest === ownManifest ? 0 : 1];
          const result = await underLoad(event, seconds);
          process.stdout.write(`${rowOf(setup, event, result)}\n`);
          assert(result.sent > QUERIES_PER_SECOND * seconds * 0.9, `only ${result.sent} queries were sent`);
          assert.equal(result.wrong, 0, 'replies that are no answers');
          if (!setup.losesNothingIn.includes(event.name)) return;
          assert.equal(result.lost, 0, JSON.stringify(result));
          assert(result.strayed <= STRAYED_MAX, JSON.stringify(result));
        });
        await settled();
      }
    }
  });
}

/** Whether the name has one of the texts, with commas between. */
function isWanted(name: string, texts: string): boolean {
  return texts.split(',').some((text) => name.includes(text));
}

async function underLoad(event: Event, seconds: number): Promise<LoadResult> {
  const order: LoadOrder = {
    address: DNS_ADDRESS,
    port: 53,
    name: 'kubernetes.default.svc.cluster.local',
    queriesPerSecond: QUERIES_PER_SECOND,
    seconds,
    protocol: PROTOCOL,
    sockets: SOCKETS,
    timeoutMs: TIMEOUT_MS,
  };
  const load = inside([NODE, 'test/cluster/support/load.ts', JSON.stringify(order)]);
  // It may fail before it is waited for
  load.catch(() => {});
  await sleep(LEAD_MS);
  await event.happen();
  return JSON.parse(await load) as LoadResult;
}

async function anyPod(): Promise<Pod> {
  const [pod] = await dnsPods();
  assert(pod !== undefined, 'there is no DNS pod');
  return pod;
}

/** All replicas at once, which is what an edit of the ConfigMap comes to. */
async function reload(): Promise<void> {
  for (const pod of await dnsPods()) process.kill(await processOf(pod), 'SIGUSR1');
}

function rowOf({ name }: Setup, event: Event, result: LoadResult): string {
  const { sent, lost, late, strayed, lostBetween, slowestMs } = result;
  const when =
    lostBetween === undefined ? '' : `, ${late} of them late, sent between ${lostBetween[0]} s and ${lostBetween[1]} s`;
  return `${name}: ${event.name}: ${lost} of ${sent} lost${when}, ${strayed} strayed; slowest reply ${slowestMs} ms`;
}
