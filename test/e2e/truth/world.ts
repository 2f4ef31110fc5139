// A cluster that changes, and the one truth about it: what the API server says.

import type { ApiClient, KubernetesObject } from '../support/api-client.ts';
import { ApiError, forEach } from '../support/api-client.ts';
import { answerText, ask } from '../support/ask.ts';
import { sleep } from '../support/child.ts';
import type { UdpClient } from '../support/dns-client.ts';
import { clusterAddress, namespace, service, slice } from '../support/objects.ts';
import type { Random } from '../support/random.ts';

const ZONE = 'cluster.local.';
const NAMESPACE = 'truth';
/** Objects that never change. */
const STABLE = 12;
const CHANGE_PAUSE_MS = 40;
const LIVE_MAX = 160;
const ASKED_AT_ONCE = 16;

export class World {
  /** Names that no change touches now, and that must be answered: name -> answer, '' for any but NXDOMAIN. */
  readonly alive = new Map<string, string>();
  changes = 0;
  private readonly api: ApiClient;
  private readonly client: UdpClient;
  private readonly random: Random;
  private readonly objects = new Map<string, KubernetesObject>();
  /** All names that ever were, with the type that is asked for. */
  private readonly names = new Set<string>();
  private count = 0;

  constructor(api: ApiClient, client: UdpClient, random: Random) {
    this.api = api;
    this.client = client;
    this.random = random;
  }

  /** @param connect the server, once it is there. */
  async fill(): Promise<void> {
    await this.api.createAll([namespace(NAMESPACE), namespace('stable')]);
    const place = (name: string) => ({ namespace: 'stable', name });
    for (let n = 0; n < STABLE; n++) {
      const created = await this.api.create(service(place(`c-${n}`)));
      this.alive.set(`c-${n}.stable.svc.${ZONE}`, answerText('NOERROR', [clusterAddress(created)]));
      const address = `10.200.0.${n + 1}`;
      await this.api.create(service(place(`h-${n}`), { clusterIP: 'None' }));
      await this.api.create(slice({ ...place(`h-${n}-x`), service: `h-${n}` }, [{ address, hostname: 'one' }]));
      for (const name of [`h-${n}`, `one.h-${n}`])
        this.alive.set(`${name}.stable.svc.${ZONE}`, answerText('NOERROR', [address]));
    }
    for (const name of this.alive.keys()) this.names.add(name);
    for (let n = 0; n < 60; n++) await this.create();
  }

  /** Changes at random until `isOver`. */
  async changeUntil(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.change();
      await sleep(CHANGE_PAUSE_MS);
    }
  }

  /** Asks for names that exist all the time until `isOver`; returns what was answered wrongly. */
  async watchUntil(isOver: () => boolean): Promise<string[]> {
    const wrong: string[] = [];
    let asked = 0;
    while (!isOver()) {
      const [name] = this.random.pick([...this.alive]);
      const is = await ask(this.client, name, 'A');
      // It may have been given up while it was asked for
      const must = this.alive.get(name);
      asked++;
      if (must !== undefined && (must === '' ? is === 'NXDOMAIN' : is !== must)) wrong.push(`${name}: ${is}`);
      if (asked % 8 === 0) await sleep(2);
    }
    return wrong;
  }

  /** Names that are not answered as the API has them. */
  async wrongNames(truth: ReadonlyMap<string, string>): Promise<string[]> {
    const wrong: string[] = [];
    await forEach([...this.names], ASKED_AT_ONCE, async (name) => {
      const must = truth.get(name) ?? 'NXDOMAIN';
      const is = await ask(this.client, name, 'A');
      if (is !== must) wrong.push(`${name}: expected ${must}, got ${is}`);
    });
    return wrong;
  }

  /** What is answered must be so for whatever exists now, until it is deleted. */
  settle(truth: ReadonlyMap<string, string>): void {
    for (const name of truth.keys()) if (!this.alive.has(name)) this.alive.set(name, '');
  }

  /** Of the API server alone: every name that exists, with its answer. */
  async truth(): Promise<Map<string, string>> {
    const list = async (path: string) => ((await this.api.get(path)) as { items: KubernetesObject[] }).items;
    const [namespaces, services, slices, pods] = await Promise.all(
      ['/api/v1/namespaces', '/api/v1/services', '/apis/discovery.k8s.io/v1/endpointslices', '/api/v1/pods'].map(list),
    );
    const known = new Set(namespaces!.map(({ metadata }) => metadata.name));
    const truth = new Map<string, string>();
    for (const object of services!) {
      const { name, namespace = '' } = object.metadata;
      if (!known.has(namespace)) continue;
      const owner = `${name}.${namespace}.svc.${ZONE}`;
      const address = clusterAddress(object);
      if (address !== '') truth.set(owner, answerText('NOERROR', [address]));
      else
        addEndpoints(
          truth,
          owner,
          slices!.filter((each) => isOf(each, namespace, name)),
        );
    }
    for (const { metadata, ...pod } of pods!) {
      const { podIP } = (pod['status'] ?? {}) as { podIP?: string };
      if (podIP === undefined || !known.has(metadata.namespace ?? '')) continue;
      const name = `${podIP.replaceAll('.', '-')}.${metadata.namespace}.pod.${ZONE}`;
      truth.set(name, answerText('NOERROR', [podIP]));
    }
    return truth;
  }

  /** What was undone behind its back is forgotten: objects are those that the API has. */
  async reread(): Promise<void> {
    this.objects.clear();
    for (const path of ['/api/v1/services', '/api/v1/pods']) {
      const { items } = (await this.api.get(path)) as { items: KubernetesObject[] };
      const kind = path.endsWith('pods') ? 'Pod' : 'Service';
      for (const item of items) {
        const object = { ...item, apiVersion: 'v1', kind };
        if (item.metadata.namespace === NAMESPACE) this.objects.set(`${kind} ${item.metadata.name}`, object);
      }
    }
  }

  private async change(): Promise<void> {
    this.changes++;
    try {
      const way = this.random.below(4);
      if (way === 0 || this.objects.size < 40) await this.create();
      else if (way === 1 || this.objects.size > LIVE_MAX) await this.remove();
      else await this.move();
    } catch (error) {
      // The API server may be one of the things that are broken, and what it had may have been undone
      const status = error instanceof ApiError ? error.status : 500;
      if (status < 500 && status !== 404 && status !== 409) throw error;
      await sleep(100);
    }
  }

  private async create(): Promise<void> {
    const name = `s-${this.count++}`;
    const place = { namespace: NAMESPACE, name };
    const address = `10.${201 + (this.count >> 16)}.${(this.count >> 8) & 255}.${this.count & 255}`;
    const way = this.count % 5;
    if (way === 0) {
      const object = pod(place, address);
      this.names.add(`${address.replaceAll('.', '-')}.${NAMESPACE}.pod.${ZONE}`);
      await this.api.createAll([object]);
      this.objects.set(`Pod ${name}`, object);
      return;
    }
    const owner = `${name}.${NAMESPACE}.svc.${ZONE}`;
    this.names.add(owner);
    if (way === 1) {
      this.objects.set(`Service ${name}`, await this.api.create(service(place)));
      return;
    }
    this.names.add(`one.${owner}`);
    await this.api.create(slice({ ...place, name: `${name}-x`, service: name }, [{ address, hostname: 'one' }]));
    this.objects.set(`Service ${name}`, await this.api.create(service(place, { clusterIP: 'None' })));
  }

  private async remove(): Promise<void> {
    const [key, object] = this.random.pick([...this.objects]);
    this.forget(object);
    this.objects.delete(key);
    await this.api.delete(object);
  }

  /** Another address for a headless service. */
  private async move(): Promise<void> {
    const headless = [...this.objects.values()].filter(
      (each) => each.kind === 'Service' && clusterAddress(each) === '',
    );
    if (headless.length === 0) return;
    const { name } = this.random.pick(headless).metadata;
    const address = `10.220.${this.random.below(256)}.${1 + this.random.below(250)}`;
    const changed = slice({ namespace: NAMESPACE, name: `${name}-x`, service: name }, [{ address, hostname: 'one' }]);
    await this.api.patch(changed, { endpoints: changed['endpoints'] });
  }

  private forget(object: KubernetesObject): void {
    const { name } = object.metadata;
    for (const owner of [name, `one.${name}`]) this.alive.delete(`${owner}.${NAMESPACE}.svc.${ZONE}`);
    const { podIP = '' } = (object['status'] ?? {}) as { podIP?: string };
    this.alive.delete(`${podIP.replaceAll('.', '-')}.${NAMESPACE}.pod.${ZONE}`);
  }
}

function pod(place: { readonly namespace: string; readonly name: string }, podIP: string): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: place,
    spec: {
      containers: [{ name: 'c', image: 'none' }],
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
    },
    status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] },
  };
}

function isOf(object: KubernetesObject, namespace: string, name: string): boolean {
  return object.metadata.namespace === namespace && object.metadata.labels?.['kubernetes.io/service-name'] === name;
}

function addEndpoints(truth: Map<string, string>, owner: string, slices: readonly KubernetesObject[]): void {
  const addresses: string[] = [];
  for (const each of slices) {
    for (const { addresses: all, hostname } of each['endpoints'] as { addresses: string[]; hostname?: string }[]) {
      addresses.push(...all);
      if (hostname !== undefined) truth.set(`${hostname}.${owner}`, answerText('NOERROR', all));
    }
  }
  if (addresses.length > 0) truth.set(owner, answerText('NOERROR', addresses));
}
