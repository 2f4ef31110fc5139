// Whatever happened to the cluster, the store says what the plain model says, and what a store that was filled at
// once says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, packAddress } from '../../host/kubernetes/addresses.ts';
import { OWNER_ALL_TCP, OWNER_ALL_UDP } from '../../host/plugin/contract.ts';
import type { FakeStore } from './fake-store.ts';
import { answer, type ModelObjects, type ModelOptions, reverse } from './model.ts';
import { options, possibleNames, step, V4, V6 } from './steps.ts';
import { fill, finalObjects, TestCluster } from './test-cluster.ts';

/** Where a reader of the store finds a name (engine-as/records/lookup.ts); the apex is `@` there. */
function storedKey(contents: ReadonlyMap<string, string>, flags: ReadonlyMap<string, number>, name: string): string {
  const labels = name.split('.');
  if (labels.length > 5) return contents.has(name) ? name : `.${labels.slice(-5).join('.')}`;
  if (labels.length !== 5) return name === '' ? '@' : name;
  const [port, protocol] = labels.map((label) => label.replace(/^_/, ''));
  const bare = labels.slice(2).join('.');
  const whole = `${port}.${protocol}.${bare}`;
  if (contents.has(whole) || (port !== '' && protocol !== '')) return whole;
  if (port !== '')
    return ['tcp', 'udp', 'sctp'].map((each) => `${port}.${each}.${bare}`).find((key) => contents.has(key)) ?? '';
  const flag = { tcp: OWNER_ALL_TCP, udp: OWNER_ALL_UDP, '': 0xff }[protocol!] ?? 0;
  return protocol === '' || ((flags.get(bare) ?? 0) & flag) !== 0 ? bare : '';
}

/** What a reader of the store sees. */
function storedAnswer(
  contents: ReadonlyMap<string, string>,
  flags: ReadonlyMap<string, number>,
  name: string,
  type: string,
): readonly string[] | 'nxdomain' {
  const key = storedKey(contents, flags, name);
  const sets = contents.get(key);
  if (sets === undefined) return 'nxdomain';
  const set = sets.split('; ').find((text) => text.startsWith(`${type} `));
  // The engine makes it of a pod's address (engine-as/answer/records.ts).
  if (set === undefined && type === 'SRV' && /\..*\.pod$/.test(name)) return [`SRV 0 100 0 ${name}`];
  const values = set?.slice(type.length + 1).split(' ') ?? [];
  const texts = values.map((value) => {
    if (type === 'CNAME') return `CNAME ${value.replace(/\.$/, '')}`;
    if (type !== 'SRV') return `${type} ${formatAddress(Buffer.from(value, 'hex').toString('latin1'))}`;
    const [priority, weight, number, target] = value.split('/');
    return `SRV ${priority} ${weight} ${number} ${target === '@' ? key : target}`;
  });
  return texts.sort((a, b) => (a < b ? -1 : 1));
}

function contentsOf(store: FakeStore): Map<string, string> {
  return new Map(
    store.dump().map((line) => {
      const [head, ...rest] = line.split(': ');
      return [head!.replace(/ flags=\d+$/, ''), rest.join(': ')] as const;
    }),
  );
}

function flagsOf(store: FakeStore): Map<string, number> {
  return new Map(
    store.dump().map((line) => {
      const [, key, flags] = /^(\S*?)(?: flags=(\d+))?: /.exec(line)!;
      return [key!, Number(flags ?? 0)] as const;
    }),
  );
}

test('after any history the store says what the plain model says', () => {
  const names = possibleNames();
  fc.assert(
    fc.property(fc.array(step, { size: 'max', maxLength: 40 }), options, (steps, shape) => {
      const cluster = new TestCluster(shape.pods, [], shape);
      // Without `pods verified` nobody watches pods.
      const seen = steps.filter((change) => shape.pods === 'verified' || change.kind !== 'pod');
      for (const change of seen) cluster.apply(change);
      cluster.flush();
      const objects = finalObjects(seen);
      const contents = contentsOf(cluster.store);
      const flags = flagsOf(cluster.store);
      for (const name of names) {
        for (const type of ['A', 'AAAA', 'SRV', 'CNAME'] as const) {
          const expected = answer(objects, shape, name, type);
          assert.deepEqual(storedAnswer(contents, flags, name, type), expected, `${name} ${type}`);
        }
      }
      for (const address of [...V4, ...V6]) checkReverse(contents, objects, shape, address);
    }),
    { numRuns: 300 },
  );
});

function checkReverse(
  contents: ReadonlyMap<string, string>,
  objects: ModelObjects,
  shape: ModelOptions,
  address: string,
): void {
  const key = `ptr-${Buffer.from(packAddress(address), 'latin1').toString('hex')}`;
  const stored = contents.get(key)?.replace(/^PTR /, '').split(' ') ?? [];
  const expected = reverse(objects, shape, address, 'cluster.local.');
  const isExposed = (name: string) =>
    shape.namespaces.length === 0 || (shape.namespaces.includes(name) && objects.namespaces.includes(name));
  const isService = objects.services.some(
    ({ metadata, spec }) => spec.clusterIPs?.includes(address) && isExposed(metadata.namespace!),
  );
  if (expected === undefined) assert.equal(contents.get(key), '', address);
  else if (isService) assert.ok(stored.length === 1 && expected.includes(stored[0]!), `${address}: ${stored}`);
  else
    assert.deepEqual(
      stored.sort((a, b) => (a < b ? -1 : 1)),
      expected,
      address,
    );
}

test('after any history the store equals one that was filled at once', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), options, (steps, shape) => {
      const cluster = new TestCluster('verified', ['10.0.0.1'], shape);
      for (const change of steps) cluster.apply(change);
      cluster.flush();
      const other = new TestCluster('verified', ['10.0.0.1'], shape);
      fill(other, finalObjects(steps));
      assert.deepEqual(cluster.store.dump(), other.store.dump());
    }),
    { numRuns: 300 },
  );
});

test('a list that replaces another leaves nothing of what it does not show', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.array(step, { maxLength: 40 }),
      fc.nat(40),
      (first, second, broken) => {
        const cluster = new TestCluster();
        fill(cluster, finalObjects(first));
        const objects = finalObjects(second);
        // A list that breaks off is followed by a whole one.
        begin(cluster);
        for (const change of second.slice(0, broken))
          if (change.kind !== 'flush' && change.isThere) cluster.apply(change);
        cluster.flush();
        begin(cluster);
        fill(cluster, objects);
        for (const sink of [cluster.namespaces, cluster.services, cluster.slices, cluster.pods]) sink.end();
        cluster.flush();
        const other = new TestCluster();
        fill(other, objects);
        assert.deepEqual(cluster.store.dump(), other.store.dump());
        assert.equal(cluster.model.namespaces.size, other.model.namespaces.size);
      },
    ),
    { numRuns: 200 },
  );
});

function begin(cluster: TestCluster): void {
  for (const sink of [cluster.namespaces, cluster.services, cluster.slices, cluster.pods]) sink.begin();
}

test('an empty cluster leaves nothing behind', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), options, (steps, shape) => {
      const cluster = new TestCluster('verified', ['10.0.0.1'], shape);
      const before = cluster.store.dump();
      for (const change of steps) cluster.apply(change);
      cluster.flush();
      for (const change of steps) if (change.kind !== 'flush') cluster.apply({ ...change, isThere: false });
      cluster.flush();
      assert.deepEqual(cluster.store.dump(), before);
      assert.equal(cluster.model.namespaces.size, 0);
    }),
    { numRuns: 200 },
  );
});
