// The DNS service of the cluster: which server and which manifest are behind it, and what it answers.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../../e2e/support/child.ts';
import { repository } from '../../e2e/support/tools.ts';
import { apply, DNS_ADDRESS, inside, isReady, kubectl, type Pod, pods } from './cluster.ts';

export const NODE = join(repository, 'node_modules/.bin/node');
const SELECTOR = 'k8s-app=kube-dns';
const READY_MS = 120_000;

export interface Answer {
  /** NODATA: an answer without records. */
  readonly rcode: string;
  readonly records: readonly string[];
}

/** Our image behind the project's own manifest, as it stands. */
export function ownManifest(): string {
  return readFileSync(join(repository, 'deploy/kubernetes.yaml'), 'utf8');
}

/** What kubeadm installs, with this image. */
export function kubeadmManifest(image: string): string {
  return readFileSync(join(repository, 'test/cluster/manifests/kubeadm.yaml'), 'utf8').replace(
    'image: IMAGE',
    `image: ${image}`,
  );
}

/** Puts the DNS service of the manifest in the place of what is there; resolves when it answers. */
export async function deploy(manifest: string): Promise<void> {
  await kubectl(['delete', 'deployment,pdb', '--all', '-n', 'kube-system', '--grace-period=1', '--wait']);
  await settled(0);
  await apply(manifest);
  await settled();
}

/** Resolves when as many DNS pods are there and Ready as the Deployment wants, no other one, and the service answers. */
export async function settled(replicas?: number): Promise<void> {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    const wanted = replicas ?? (await wantedReplicas());
    const all = await dnsPods();
    if (all.length === wanted && all.every(isReady)) break;
    if (Date.now() > deadline) throw new Error(`${wanted} DNS pods are not Ready:\n${await report()}`);
    await sleep(500);
  }
  if (replicas === 0) return;
  while ((await resolve('kubernetes.default.svc.cluster.local', 'A')).rcode !== 'NOERROR') {
    if (Date.now() > deadline) throw new Error(`the DNS service does not answer:\n${await report()}`);
    await sleep(200);
  }
  // kube-proxy syncs once a second: now it knows of all that is ready.
  await sleep(2000);
}

export function dnsPods(): Promise<readonly Pod[]> {
  return pods(SELECTOR, 'kube-system');
}

/** What the DNS service says, asked from the node. */
export async function resolve(name: string, type: string): Promise<Answer> {
  return JSON.parse(await inside([NODE, 'test/cluster/support/resolve.ts', DNS_ADDRESS, name, type])) as Answer;
}

async function wantedReplicas(): Promise<number> {
  return Number(
    await kubectl(['get', 'deployment', 'coredns', '-n', 'kube-system', '-o', 'jsonpath={.spec.replicas}']),
  );
}

/** For a person who has to find out why. */
async function report(): Promise<string> {
  const texts = await Promise.allSettled([
    kubectl(['get', 'pods', '-A', '-o', 'wide']),
    kubectl(['describe', 'pods', '-n', 'kube-system']),
    kubectl(['logs', '-n', 'kube-system', '-l', SELECTOR, '--tail=20', '--prefix']),
  ]);
  return texts.map((text) => (text.status === 'fulfilled' ? text.value : String(text.reason))).join('\n');
}
