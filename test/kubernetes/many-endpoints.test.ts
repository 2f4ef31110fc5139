// Services with many endpoints: a change costs what has changed, and says the same as a store that was filled at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FakeStore } from './fake-store.ts';
import type { ApiEndpoint, ApiService, ApiSlice } from './objects.ts';
import { TestCluster } from './test-cluster.ts';

const HEADLESS: ApiService = {
  metadata: { name: 'db', namespace: 'a' },
  spec: { type: 'ClusterIP', clusterIP: 'None' },
};
const WITH_ADDRESS: ApiService = {
  metadata: { name: 'db', namespace: 'a' },
  spec: { type: 'ClusterIP', clusterIPs: ['10.96.0.1'], ports: [{ name: 'http', protocol: 'TCP', port: 80 }] },
};
const PORTS = [
  { name: 'dns', protocol: 'UDP', port: 53 },
  { name: 'dns', protocol: 'TCP', port: 53 },
  { name: 'metrics', protocol: 'TCP', port: 9153 },
];

function slice(number: number, endpoints: readonly ApiEndpoint[], ports = PORTS): ApiSlice {
  const metadata = { name: `s${number}`, namespace: 'a', labels: { 'kubernetes.io/service-name': 'db' } };
  return { metadata, addressType: 'IPv4', endpoints: [...endpoints], ports };
}

function endpoint(slice: number, at: number, more: Partial<ApiEndpoint> = {}): ApiEndpoint {
  return { addresses: [`10.1.${slice}.${at}`], conditions: { ready: true }, ...more };
}

function endpoints(number: number, count: number): ApiEndpoint[] {
  return Array.from({ length: count }, (_, at) => endpoint(number, at));
}

class Watched {
  readonly cluster = new TestCluster('disabled');
  readonly slices = new Map<string, ApiSlice>();
  readonly #service: ApiService;

  constructor(service: ApiService) {
    this.#service = service;
    fill(this.cluster, service, []);
  }

  get store(): FakeStore {
    return this.cluster.store;
  }

  put(...slices: readonly ApiSlice[]): void {
    for (const object of slices) {
      this.slices.set(object.metadata.name, object);
      this.cluster.apply({ kind: 'slice', object, isThere: true });
    }
    this.cluster.flush();
  }

  remove(object: ApiSlice): void {
    this.slices.delete(object.metadata.name);
    this.cluster.apply({ kind: 'slice', object, isThere: false });
    this.cluster.flush();
  }

  /** Puts and searches that the change took; afterwards the store must equal one that was filled at once. */
  cost(change: () => void): { puts: number; finds: number } {
    const { puts, finds } = this.store;
    change();
    const cost = { puts: this.store.puts - puts, finds: this.store.finds - finds };
    this.check();
    return cost;
  }

  check(): void {
    const other = new TestCluster('disabled', [], { manyEndpoints: Number.POSITIVE_INFINITY });
    fill(other, this.#service, [...this.slices.values()]);
    assert.deepEqual(this.store.dump(), other.store.dump());
  }
}

function fill(cluster: TestCluster, service: ApiService, slices: readonly ApiSlice[]): void {
  cluster.apply({ kind: 'namespace', name: 'a', isThere: true });
  cluster.apply({ kind: 'service', object: service, isThere: true });
  for (const object of slices) cluster.apply({ kind: 'slice', object, isThere: true });
  cluster.flush();
}

/** The service's own name, three ports, two for a protocol left out, one for a port of two protocols left out. */
const LEADING = 7;
/** PTR records of an address that goes and of one that comes. */
const REVERSE = 1;

for (const [title, service, leading] of [
  ['headless', HEADLESS, LEADING],
  ['with an address', WITH_ADDRESS, 0],
] as const) {
  test(`one endpoint of many in a service ${title}: it and what leads to it are written`, () => {
    const watched = new Watched(service);
    watched.put(slice(0, endpoints(0, 100)), slice(1, endpoints(1, 100)));
    watched.check();
    const [first, ...rest] = endpoints(0, 100);
    const moved = watched.cost(() => watched.put(slice(0, [endpoint(7, 7), ...rest])));
    assert.equal(moved.puts, 1 + leading + REVERSE);
    assert.ok(moved.finds < 10, `${moved.finds} searches`);
    const again = watched.cost(() => watched.put(slice(0, [first!, ...rest])));
    assert.equal(again.puts, 1 + leading + REVERSE);
    const fewer = watched.cost(() => watched.put(slice(0, rest)));
    assert.equal(fewer.puts, leading);
    const named = watched.cost(() => watched.put(slice(0, [{ ...first!, hostname: 'h' }, ...rest])));
    assert.equal(named.puts, 1 + leading + REVERSE);
    // A name that stays with another address keeps its owner.
    const renumbered = watched.cost(() => watched.put(slice(0, [endpoint(7, 7, { hostname: 'h' }), ...rest])));
    assert.equal(renumbered.puts, 1 + leading + REVERSE);
    const reordered = watched.cost(() => watched.put(slice(0, [...rest, endpoint(7, 7, { hostname: 'h' })])));
    assert.equal(reordered.puts, leading);
  });

  test(`slices of a service ${title} come, move endpoints, change their ports, and go`, () => {
    const watched = new Watched(service);
    const whole = slice(0, endpoints(0, 100));
    watched.put(whole);
    const more = slice(1, endpoints(1, 50));
    watched.cost(() => watched.put(more));
    const moving = watched.cost(() => {
      watched.cluster.apply({ kind: 'slice', object: slice(0, endpoints(0, 90)), isThere: true });
      watched.slices.set('s0', slice(0, endpoints(0, 90)));
      watched.put(slice(1, [...endpoints(1, 50), ...endpoints(0, 100).slice(90)]));
    });
    assert.equal(moving.puts, 10 + leading + 10);
    assert.ok(moving.finds < 20, `${moving.finds} searches`);
    watched.cost(() => watched.put(slice(0, endpoints(0, 90), [{ name: 'web', protocol: 'TCP', port: 80 }])));
    watched.cost(() => watched.remove(more));
    watched.cost(() => watched.put(slice(0, [])));
    watched.cost(() => watched.put(whole));
    watched.cost(() => watched.remove(whole));
  });
}

test('a name or an address that is shared for a while is written right, and followed one by one afterwards', () => {
  const watched = new Watched(HEADLESS);
  watched.put(slice(0, endpoints(0, 100)));
  // While an endpoint moves from slice to slice, it may stand in both.
  watched.cost(() => watched.put(slice(1, [endpoint(0, 5)])));
  watched.cost(() => watched.put(slice(1, [endpoint(0, 5, { hostname: 'h' })])));
  watched.cost(() => watched.put(slice(1, [endpoint(1, 5, { hostname: '10-1-0-5' })])));
  watched.cost(() => watched.put(slice(1, [endpoint(1, 5, { hostname: 'no.label' })])));
  watched.cost(() => watched.put(slice(1, [endpoint(1, 5), endpoint(1, 6, { hostname: '10-1-1-5' })])));
  watched.cost(() => watched.put(slice(1, [endpoint(1, 5)])));
  const last = watched.cost(() => watched.put(slice(1, [endpoint(1, 6)])));
  assert.equal(last.puts, 1 + LEADING + REVERSE);
  assert.ok(last.finds < 10, `${last.finds} searches`);
});

test('the service or its namespace goes and comes back', () => {
  const watched = new Watched(HEADLESS);
  watched.put(slice(0, endpoints(0, 100)));
  const { cluster } = watched;
  for (const isThere of [false, true]) {
    cluster.apply({ kind: 'namespace', name: 'a', isThere });
    cluster.flush();
  }
  watched.check();
  for (const isThere of [false, true]) {
    cluster.apply({ kind: 'service', object: HEADLESS, isThere });
    cluster.flush();
  }
  watched.check();
  // Another kind of service with the same name.
  cluster.apply({ kind: 'service', object: WITH_ADDRESS, isThere: true });
  cluster.flush();
  cluster.apply({ kind: 'service', object: HEADLESS, isThere: true });
  cluster.flush();
  watched.check();
});
