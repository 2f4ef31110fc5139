/**
 * A big cluster: a real etcd and kube-apiserver whose objects are written into etcd. One object of each kind is made
 * through the API first and serves as the pattern, so that the others carry what the API server adds (managedFields,
 * defaults), and the watch streams have the size that they have in life.
 */
import { randomUUID } from 'node:crypto';
import { forEach, type KubernetesObject } from '../../test/e2e/support/api-client.ts';
import { until } from '../../test/e2e/support/child.ts';
import { ControlPlane } from '../../test/e2e/support/control-plane.ts';
import { NAMESPACES, type Service, service } from '../inventory.ts';
import { namespaceObject, serviceObject, sliceObject } from '../objects.ts';
import { confine } from '../processes.ts';

/** What a cluster holds beside its namespaces. */
export interface Content {
  readonly services: number;
  /** Services, from the first on, that have a slice of endpoints. */
  readonly withEndpoints: number;
  readonly endpointsPerService: number;
}

/** The API server takes no more in one slice. */
export const SLICE_ENDPOINTS = 1000;
export const HEADLESS_NAMESPACE = 'big';
const TXN_BYTES = 1_000_000;
const TXN_ENTRIES = 120;

export class BigCluster {
  readonly plane: ControlPlane;
  readonly content: Content;
  readonly kubeconfig: string;
  readonly #core: number | undefined;
  #patterns: Patterns | undefined;

  private constructor(plane: ControlPlane, content: Content, core: number | undefined) {
    this.plane = plane;
    this.content = content;
    this.kubeconfig = plane.writeKubeconfig();
    this.#core = core;
  }

  /** @param core that etcd and the API server are confined to; by default none. */
  static async start(content: Content, core?: number): Promise<BigCluster> {
    const plane = await ControlPlane.start();
    const cluster = new BigCluster(plane, content, core);
    await cluster.#fill();
    cluster.#confine();
    return cluster;
  }

  /**
   * Every client must list again: the API server comes back without the history of its watches, and the revision has
   * moved on since the clients' last events, so it answers their watches with 410.
   */
  async forgetWatches(): Promise<void> {
    await this.#moveRevision();
    await this.plane.stopApiServer();
    await this.#moveRevision();
    await this.plane.startApiServer();
    this.#confine();
  }

  /** Adds a headless service with so many endpoints, in slices of SLICE_ENDPOINTS. */
  async addHeadless(endpoints: number): Promise<string> {
    const { owner } = headlessService(endpoints);
    for (const batch of inBatches(headlessEntries(endpoints, this.#patterns!.made))) await this.plane.store(batch);
    return owner;
  }

  stop(): Promise<void> {
    return this.plane.stop();
  }

  #confine(): void {
    if (this.#core === undefined) return;
    for (const pid of this.plane.pids) confine(pid, this.#core);
  }

  #moveRevision(): Promise<void> {
    return this.plane.store([{ key: '/wasmdns-bench', value: randomUUID() }]);
  }

  async #fill(): Promise<void> {
    const { content, plane } = this;
    this.#patterns = await makePatterns(plane);
    const batches = inBatches(entriesOf(content, this.#patterns));
    await forEach(batches, 4, (batch) => plane.store(batch));
    // The API server's own view follows etcd's.
    const last = service(content.services - 1);
    const path = `/api/v1/namespaces/${last.namespace}/services/${last.name}?resourceVersion=0`;
    await until('the API server knows all services', 120_000, () => isThere(plane, path), 200);
  }
}

async function makePatterns({ api }: ControlPlane): Promise<Patterns> {
  const namespace = await api.create(namespaceObject('pattern'));
  const made = new Map<string, KubernetesObject>();
  const make = async (kind: string, object: KubernetesObject): Promise<void> => {
    made.set(kind, await api.create(object));
    await api.delete(object);
  };
  for (const number of [0, 9, 50]) {
    const one = { ...service(number), namespace: 'pattern' };
    await make(one.kind, serviceObject(one));
  }
  await make('plain', sliceObject({ ...service(0), namespace: 'pattern' }, 1));
  await make('hostnames', sliceObject({ ...service(9), namespace: 'pattern' }, 1));
  return { namespace, made };
}

interface Patterns {
  readonly namespace: KubernetesObject;
  readonly made: ReadonlyMap<string, KubernetesObject>;
}

interface Entry {
  readonly key: string;
  readonly value: string;
}

function* entriesOf(content: Content, { namespace, made }: Patterns): Generator<Entry> {
  const names = [...Array.from({ length: NAMESPACES }, (_, number) => `ns-${number}`), HEADLESS_NAMESPACE];
  for (const name of names) {
    yield entry(
      `/registry/namespaces/${name}`,
      like(namespace, { metadata: { name, labels: { 'kubernetes.io/metadata.name': name } } }),
    );
  }
  for (let number = 0; number < content.services; number++) {
    const one = service(number);
    yield* serviceEntries(one, made);
    if (number >= content.withEndpoints || one.kind === 'externalName') continue;
    yield sliceEntry(one, sliceObject(one, content.endpointsPerService), made);
  }
}

function* serviceEntries(one: Service, made: Patterns['made']): Generator<Entry> {
  const object = serviceObject(one);
  const pattern = made.get(one.kind)!;
  const isAddressed = one.kind === 'clusterIP';
  const spec = {
    ...(pattern['spec'] as object),
    ...(object['spec'] as object),
    ...(isAddressed && { clusterIPs: [one.clusterIp] }),
  };
  yield entry(`/registry/services/specs/${one.namespace}/${one.name}`, { ...like(pattern, object), spec });
  if (isAddressed) yield addressEntry(one);
}

/** What the API server notes of an address that it has given out: it would make one for each that it misses. */
function addressEntry({ name, namespace, clusterIp }: Service): Entry {
  const labels = {
    'ipaddress.kubernetes.io/ip-family': 'IPv4',
    'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
  };
  return entry(`/registry/ipaddresses/${clusterIp}`, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: { ...identity(), name: clusterIp, labels },
    spec: { parentRef: { resource: 'services', name, namespace } },
  });
}

function sliceEntry(one: Service, object: KubernetesObject, made: Patterns['made']): Entry {
  const pattern = made.get(one.kind === 'headless' ? 'hostnames' : 'plain')!;
  const { endpoints, ports } = object;
  const value = { ...like(pattern, object), endpoints, ports };
  return entry(`/registry/endpointslices/${one.namespace}/${object.metadata.name}`, value);
}

function* headlessEntries(endpoints: number, made: Patterns['made']): Generator<Entry> {
  const one = headlessService(endpoints);
  yield* serviceEntries(one, made);
  for (let at = 0; at < endpoints / SLICE_ENDPOINTS; at++) yield sliceEntry(one, headlessSlice(endpoints, at), made);
}

function headlessService(endpoints: number): Service {
  const name = `headless-${endpoints}`;
  const owner = `${name}.${HEADLESS_NAMESPACE}.svc.cluster.local.`;
  return { number: 0, name, namespace: HEADLESS_NAMESPACE, kind: 'headless', owner, clusterIp: '' };
}

/** Slice `at` of the headless service with so many endpoints; `moved` of its first endpoints have other addresses. */
export function headlessSlice(endpoints: number, at: number, moved = 0): KubernetesObject {
  const one = headlessService(endpoints);
  const number = (endpoint: number) => at * SLICE_ENDPOINTS + endpoint;
  const address = (n: number, isMoved: boolean) => `10.${isMoved ? 251 : 250}.${n >> 8}.${n & 255}`;
  const list = Array.from({ length: Math.min(SLICE_ENDPOINTS, endpoints - at * SLICE_ENDPOINTS) }, (_, endpoint) => ({
    addresses: [address(number(endpoint), endpoint < moved)],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: `node-${endpoint % 500}`,
    targetRef: { kind: 'Pod', namespace: one.namespace, name: `${one.name}-${number(endpoint)}` },
  }));
  const object = sliceObject(one, 0);
  return { ...object, metadata: { ...object.metadata, name: `${one.name}-${at}` }, endpoints: list };
}

/** The pattern's additions around the object's own words. */
function like(pattern: KubernetesObject, object: Pick<KubernetesObject, 'metadata'>): KubernetesObject {
  const { resourceVersion: _, deletionTimestamp: __, ...kept } = pattern.metadata;
  return { ...pattern, metadata: { ...kept, ...object.metadata, ...identity() } };
}

function identity(): { uid: string; creationTimestamp: string } {
  return { uid: randomUUID(), creationTimestamp: new Date().toISOString().replace(/\.\d+/, '') };
}

function entry(key: string, object: object): Entry {
  return { key, value: JSON.stringify(object) };
}

function inBatches(entries: Iterable<Entry>): Entry[][] {
  const batches: Entry[][] = [[]];
  let bytes = 0;
  for (const each of entries) {
    if (bytes + each.value.length > TXN_BYTES || batches.at(-1)!.length >= TXN_ENTRIES) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)!.push(each);
    bytes += each.value.length;
  }
  return batches;
}

function isThere(plane: ControlPlane, path: string): Promise<boolean> {
  return plane.api.get(path).then(
    () => true,
    () => false,
  );
}
