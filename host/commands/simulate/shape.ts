// What a simulated cluster is made of, as functions of a service's number: nothing of it is stored but a few words for
// each namespace and eight octets for each service. Numbers follow the order of the keys in etcd.

import { hash, letters } from './random.ts';

export interface ShapeOptions {
  readonly services: number;
  /** Of all services together. */
  readonly endpoints: number;
  readonly namespaces: number;
  /** Share of the services. */
  readonly headlessPercent: number;
  readonly seed: number;
}

export type ServiceKind = 'clusterIP' | 'headless' | 'externalName';

/** Address ranges: services in 10.96.0.0/12, pods in 10.128.0.0/9. */
const SERVICE_ADDRESSES = 2 ** 20;
const POD_ADDRESSES = 2 ** 23;
/** Kept free for addresses that somebody has chosen. */
const SERVICE_ADDRESSES_RESERVED = 4096;
export const SERVICES_MAX = 500_000;
export const ENDPOINTS_MAX = 1_000_000;
export const NAMESPACES_MAX = 10_000;
const EXTERNAL_PERCENT = 1;
/** The controller puts no more into one slice. */
export const SLICE_ENDPOINTS = 100;

/** Services that every cluster has, by namespace. */
const SYSTEM: Readonly<Record<string, readonly [name: string, address: string]>> = {
  default: ['kubernetes', '10.96.0.1'],
  'kube-system': ['kube-dns', '10.96.0.10'],
};
const EMPTY_NAMESPACES = ['kube-node-lease', 'kube-public'];
const TEAMS =
  'accounts analytics billing catalog checkout content crm data delivery docs edge events finance fraud growth identity insights inventory loyalty mail maps media messaging ml mobile notify orders partners payments platform pricing reports search shipping stock streaming support tax users web'.split(
    ' ',
  );
const STAGES = ['prod', 'staging', 'dev'];
/** In the order that they have before a hyphen and a digit. */
const COMPONENTS =
  'admin api audit auth backend batch cache cart chat config consumer cron db events export feed frontend gateway graphql grpc health importer index ingest jobs kafka limits loader metrics mongo mysql nats notifier outbox postgres producer proxy queue rabbitmq redis render replica router scheduler search sessions store sync tokens tracker uploads web webhooks worker'.split(
    ' ',
  );

/** What a hash is for. */
const SALT = { kind: 1, weight: 2, hostnames: 3, replicaSet: 4, pod: 5, slice: 6, node: 7 };

export class Shape {
  readonly options: ShapeOptions;
  /** Sorted. */
  readonly namespaces: readonly string[];
  /** Of services, those that every cluster has among them. */
  readonly count: number;
  readonly nodes: number;
  /** Number of the first service of each namespace; one more at the end. */
  readonly #first: Uint32Array;
  /** Endpoints of all services before this one; one more at the end. */
  readonly #endpoints: Uint32Array;
  readonly #digits: number;

  constructor(options: ShapeOptions) {
    this.options = options;
    this.namespaces = namespaceNames(options.namespaces);
    this.#first = firstServices(this.namespaces, options);
    this.count = this.#first.at(-1)!;
    this.nodes = Math.ceil(options.endpoints / 30) + 1;
    this.#digits = String(this.count).length;
    this.#endpoints = this.#shareEndpoints();
  }

  namespaceOf(number: number): string {
    return this.namespaces[this.#place(number)]!;
  }

  nameOf(number: number): string {
    const place = this.#place(number);
    const system = SYSTEM[this.namespaces[place]!];
    if (system !== undefined) return system[0];
    const [first, end] = [this.#first[place]!, this.#first[place + 1]!];
    const component = COMPONENTS[Math.floor(((number - first) * COMPONENTS.length) / (end - first))]!;
    return `${component}-${String(number).padStart(this.#digits, '0')}`;
  }

  /** Nobody changes it. */
  isSystem(number: number): boolean {
    return SYSTEM[this.namespaceOf(number)] !== undefined;
  }

  /** The last service whose key is not above `key`; 0 if there is none. */
  numberBefore(key: string): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (`${this.namespaceOf(middle)}/${this.nameOf(middle)}` <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  kindOf(number: number): ServiceKind {
    if (this.isSystem(number)) return 'clusterIP';
    const chance = this.hash(SALT.kind, number) % 100;
    if (chance < this.options.headlessPercent) return 'headless';
    return chance >= 100 - EXTERNAL_PERCENT ? 'externalName' : 'clusterIP';
  }

  /** A headless service of a StatefulSet: its endpoints have hostnames. */
  hasHostnames(number: number): boolean {
    return this.kindOf(number) === 'headless' && this.hash(SALT.hostnames, number) % 3 > 0;
  }

  /** A service that was deleted and made anew has another one. */
  clusterIp(number: number, incarnation: number): string {
    const system = SYSTEM[this.namespaceOf(number)];
    if (system !== undefined) return system[1];
    const rounds = Math.max(1, Math.floor((SERVICE_ADDRESSES - SERVICE_ADDRESSES_RESERVED) / this.count));
    return address(10, 96, SERVICE_ADDRESSES_RESERVED + number + (incarnation % rounds) * this.count);
  }

  /** Endpoints that it starts with. */
  endpointsOf(number: number): number {
    return this.#endpoints[number + 1]! - this.#endpoints[number]!;
  }

  endpointsMax(number: number): number {
    return 2 * this.endpointsOf(number);
  }

  /** @param generation counts the pods that were here before. */
  podAddress(number: number, endpoint: number, generation: number): string {
    const all = 2 * Math.max(1, this.options.endpoints);
    const rounds = Math.max(1, Math.floor(POD_ADDRESSES / all));
    return address(10, 128, (generation % rounds) * all + 2 * this.#endpoints[number]! + endpoint);
  }

  podName(number: number, endpoint: number, incarnation: number, generation: number): string {
    const name = this.nameOf(number);
    if (this.hasHostnames(number)) return `${name}-${endpoint}`;
    const replicaSet = letters(this.hash(SALT.replicaSet, number, incarnation), 9);
    return `${name}-${replicaSet}-${letters(this.hash(SALT.pod, number, endpoint, generation), 5)}`;
  }

  sliceName(number: number, slice: number, incarnation: number): string {
    return `${this.nameOf(number)}-${letters(this.hash(SALT.slice, number, slice, incarnation), 5)}`;
  }

  node(number: number, endpoint: number, generation: number): number {
    return this.hash(SALT.node, number, endpoint, generation) % this.nodes;
  }

  hash(...numbers: readonly number[]): number {
    return hash(this.options.seed, ...numbers);
  }

  /** Which namespace a service lives in. */
  #place(number: number): number {
    let [low, high] = [0, this.namespaces.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#first[middle]! <= number) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Most services are small, one in fifty has twenty times as many endpoints. */
  #shareEndpoints(): Uint32Array {
    const weightOf = (number: number) => {
      if (this.kindOf(number) === 'externalName') return 0;
      const chance = this.hash(SALT.weight, number) % 100;
      return chance < 2 ? 20 : chance < 15 ? 4 : 1;
    };
    const sums = new Float64Array(this.count + 1);
    for (let number = 0; number < this.count; number++) sums[number + 1] = sums[number]! + weightOf(number);
    const scale = this.options.endpoints / Math.max(1, sums.at(-1)!);
    return Uint32Array.from(sums, (sum) => Math.round(sum * scale));
  }
}

function namespaceNames(count: number): string[] {
  const names = [...Object.keys(SYSTEM), ...EMPTY_NAMESPACES];
  for (let i = 0; i < count; i++) {
    const round = Math.floor(i / (TEAMS.length * STAGES.length));
    const name = `${TEAMS[i % TEAMS.length]}-${STAGES[Math.floor(i / TEAMS.length) % STAGES.length]}`;
    names.push(round === 0 ? name : `${name}-${round + 1}`);
  }
  return names.sort((a, b) => (`${a}/` < `${b}/` ? -1 : 1));
}

function firstServices(names: readonly string[], { services, namespaces }: ShapeOptions): Uint32Array {
  const first = new Uint32Array(names.length + 1);
  let made = 0;
  names.forEach((name, i) => {
    let count = SYSTEM[name] === undefined ? 0 : 1;
    if (count === 0 && !EMPTY_NAMESPACES.includes(name)) {
      count = Math.floor(((made + 1) * services) / namespaces) - Math.floor((made * services) / namespaces);
      made++;
    }
    first[i + 1] = first[i]! + count;
  });
  return first;
}

function address(first: number, second: number, rest: number): string {
  return `${first}.${second + (rest >> 16)}.${(rest >> 8) & 255}.${rest & 255}`;
}
