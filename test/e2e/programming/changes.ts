// Changes of a big cluster, one at a time or many at once, each with the answer that must follow from it.

import { type Service, service } from '../../../bench/inventory.ts';
import { serviceObject, sliceObject } from '../../../bench/objects.ts';
import type { ApiClient, KubernetesObject } from '../support/api-client.ts';
import { answerText } from '../support/ask.ts';
import { clusterAddress } from '../support/objects.ts';
import type { Random } from '../support/random.ts';

/** A question, and the answer that must appear. */
export interface Effect {
  readonly name: string;
  readonly type: 'A' | 'CNAME' | 'SRV';
  readonly answer: string;
}

export interface Change {
  readonly kind: string;
  /** Resolves when the API server has acknowledged it. */
  make(): Promise<Effect>;
  /** Every server shows it: its service may be changed again. */
  settled(): void;
}

/** As the slices of the inventory have them. */
interface Endpoint {
  readonly addresses: readonly [string];
  readonly conditions: { readonly ready: boolean };
  readonly hostname?: string;
}

const TARGET = 'target.example.org.';

export class Changes {
  readonly #api: ApiClient;
  readonly #random: Random;
  readonly #free: Readonly<Record<Service['kind'], Service[]>> = { clusterIP: [], headless: [], externalName: [] };
  readonly #endpoints = new Map<number, readonly Endpoint[]>();
  #made: number;

  /** @param services of the inventory that the cluster holds, with their endpoints. */
  constructor(api: ApiClient, random: Random, services: number) {
    this.#api = api;
    this.#random = random;
    this.#made = services;
    // The inventory's own ExternalNames have no slice: they could not become what has one.
    const all = Array.from({ length: services }, (_, number) => service(number));
    for (const one of all) if (one.kind !== 'externalName') this.#free[one.kind].push(one);
  }

  next(): Change {
    const kinds: readonly (() => Change)[] = [
      () => this.#createService(),
      () => this.#deleteService(),
      () => this.#changePort(),
      () => (this.#free.externalName.length > 0 ? this.#giveAddress() : this.#takeAddress()),
      () => this.#createHeadless(),
      () => this.#deleteSlice(),
      () => this.#changeEndpoints('headless'),
      () => this.#changeEndpoints('headless'),
      () => this.#changeEndpoints('clusterIP'),
      () => this.#changeEndpoints('clusterIP'),
    ];
    return this.#random.pick(kinds)();
  }

  #createService(): Change {
    const one = this.#newService('clusterIP');
    const make = async () => {
      const created = await this.#api.create(withoutAddress(serviceObject(one)));
      return { name: one.owner, type: 'A', answer: answerText('NOERROR', [clusterAddress(created)]) } as const;
    };
    return { kind: 'service created', make, settled: () => {} };
  }

  #deleteService(): Change {
    const one = this.#take('clusterIP');
    const make = async () => {
      await this.#api.delete(serviceObject(one));
      return { name: one.owner, type: 'A', answer: 'NXDOMAIN' } as const;
    };
    return { kind: 'service deleted', make, settled: () => {} };
  }

  #changePort(): Change {
    const one = this.#take('clusterIP');
    const port = 10_000 + this.#random.below(50_000);
    const make = async () => {
      await this.#api.patch(serviceObject(one), { spec: { ports: [{ name: 'http', port, protocol: 'TCP' }] } });
      const answer = answerText('NOERROR', [`0 100 ${port} ${one.owner}`]);
      return { name: `_http._tcp.${one.owner}`, type: 'SRV', answer } as const;
    };
    return { kind: 'port changed', make, settled: () => this.#give(one) };
  }

  /** A ClusterIP service becomes an ExternalName. */
  #takeAddress(): Change {
    const one = this.#take('clusterIP');
    const make = async () => {
      const spec = { type: 'ExternalName', externalName: TARGET.slice(0, -1), clusterIP: null, clusterIPs: null };
      await this.#api.patch(serviceObject(one), { spec });
      return { name: one.owner, type: 'CNAME', answer: answerText('NOERROR', [TARGET]) } as const;
    };
    return { kind: 'address taken', make, settled: () => this.#give({ ...one, kind: 'externalName' }) };
  }

  /** An ExternalName becomes a ClusterIP service, whose address the API server chooses. */
  #giveAddress(): Change {
    const one = this.#take('externalName');
    const make = async () => {
      const spec = { type: 'ClusterIP', externalName: null, ports: [{ name: 'http', port: 80, protocol: 'TCP' }] };
      const patched = await this.#api.patch(serviceObject(one), { spec });
      return { name: one.owner, type: 'A', answer: answerText('NOERROR', [clusterAddress(patched)]) } as const;
    };
    return { kind: 'address given', make, settled: () => this.#give({ ...one, kind: 'clusterIP' }) };
  }

  /** The service first: it is shown when its slice is acknowledged. */
  #createHeadless(): Change {
    const one = this.#newService('headless');
    const make = async () => {
      await this.#api.create(serviceObject(one));
      await this.#api.create(sliceObject(one));
      return headlessEffect(one, this.#endpointsOf(one));
    };
    return { kind: 'headless created', make, settled: () => this.#give(one) };
  }

  /** The last endpoints of a headless service go: so does its name. */
  #deleteSlice(): Change {
    const one = this.#take('headless');
    const make = async () => {
      await this.#api.delete(sliceObject(one));
      return headlessEffect(one, []);
    };
    return { kind: 'slice deleted', make, settled: () => {} };
  }

  /** One endpoint more, less, or one that is ready no more or again. */
  #changeEndpoints(kind: 'headless' | 'clusterIP'): Change {
    const one = this.#take(kind);
    const [word, endpoints, endpoint] = this.#otherEndpoints(one);
    const make = async () => {
      await this.#api.patch(sliceObject(one), { endpoints });
      return kind === 'headless' ? headlessEffect(one, endpoints) : endpointEffect(one, endpoint);
    };
    const settled = () => {
      this.#endpoints.set(one.number, endpoints);
      this.#give(one);
    };
    return { kind: `endpoint ${word}`, make, settled };
  }

  /** What has been done, the endpoints then, and the one that it was done to, as it is then. */
  #otherEndpoints(one: Service): [string, readonly Endpoint[], Endpoint] {
    const endpoints = this.#endpointsOf(one);
    const at = this.#random.below(endpoints.length);
    const picked = endpoints[at]!;
    const without = endpoints.filter((endpoint) => endpoint !== picked);
    const way = this.#random.below(3);
    const isLast = !without.some(({ conditions }) => conditions.ready);
    if (way === 0 || isLast) {
      const added = this.#newEndpoint(one);
      return ['added', [...endpoints, added], added];
    }
    if (way === 1) return ['removed', without, { ...picked, conditions: { ready: false } }];
    const isReady = !picked.conditions.ready;
    const other = { ...picked, conditions: { ready: isReady } };
    return [isReady ? 'ready again' : 'not ready', endpoints.with(at, other), other];
  }

  /** An address that no endpoint has had. */
  #newEndpoint({ kind }: Service): Endpoint {
    const number = this.#made++;
    const address = `10.${200 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
    const hostname = kind === 'headless' ? { hostname: `added-${number}` } : {};
    return { addresses: [address], conditions: { ready: true }, ...hostname };
  }

  #endpointsOf(one: Service): readonly Endpoint[] {
    return this.#endpoints.get(one.number) ?? (sliceObject(one)['endpoints'] as Endpoint[]);
  }

  #newService(kind: 'clusterIP' | 'headless'): Service {
    return { ...service(this.#made++), kind };
  }

  /** Nobody else changes it until it is given back. */
  #take(kind: Service['kind']): Service {
    const all = this.#free[kind];
    const at = this.#random.below(all.length);
    const taken = all[at];
    if (taken === undefined) throw new Error(`no service of kind ${kind} is left`);
    all[at] = all.at(-1)!;
    all.pop();
    return taken;
  }

  #give(one: Service): void {
    this.#free[one.kind].push(one);
  }
}

/** The API server chooses the address: the inventory's may be taken. */
function withoutAddress(object: KubernetesObject): KubernetesObject {
  const { clusterIP: _, ...spec } = object['spec'] as Record<string, unknown>;
  return { ...object, spec };
}

function headlessEffect({ owner }: Service, endpoints: readonly Endpoint[]): Effect {
  const addresses = endpoints.filter(({ conditions }) => conditions.ready).map((endpoint) => endpoint.addresses[0]);
  const answer = addresses.length === 0 ? 'NXDOMAIN' : answerText('NOERROR', addresses);
  return { name: owner, type: 'A', answer };
}

/** Endpoints of a service with an address have names of their own. */
function endpointEffect({ owner }: Service, { addresses: [address], conditions }: Endpoint): Effect {
  const answer = conditions.ready ? answerText('NOERROR', [address]) : 'NXDOMAIN';
  return { name: `${address.replaceAll('.', '-')}.${owner}`, type: 'A', answer };
}
