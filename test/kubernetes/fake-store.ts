// A record store in a Map, which checks what every caller owes the real one: SRV and NS records refer to living
// owners, and nobody removes an owner that others still refer to.

import assert from 'node:assert/strict';
import type {
  Endpoints,
  Octets,
  OwnerHandle,
  RecordName,
  RecordSet,
  RecordStore,
  ServiceRecord,
} from '../../host/plugin/contract.ts';

type PlainName = RecordName & { readonly wire: Uint8Array };
type PlainSet =
  | Extract<RecordSet, { type: 'TXT' } | { records: unknown }>
  | { readonly type: 'A' | 'AAAA'; readonly addresses: readonly Uint8Array[]; readonly ttl?: number }
  | { readonly type: 'PTR' | 'NS' | 'CNAME'; readonly names: readonly PlainName[]; readonly ttl?: number };

interface FakeOwner {
  readonly key: string;
  readonly handle: OwnerHandle;
  readonly sets: readonly PlainSet[];
  readonly flags: number;
}

export class FakeStore implements RecordStore {
  readonly address = 4096;
  isSynced = false;
  serial = 0;
  isReleased = false;
  puts = 0;
  finds = 0;
  readonly #owners = new Map<string, FakeOwner>();
  readonly #keys = new Map<OwnerHandle, string>();
  #lastHandle = 0;

  put(key: Octets, given: readonly RecordSet[], flags = 0): OwnerHandle {
    this.puts++;
    const sets = given.map(plainSet);
    const text = textOf(key);
    const handle = this.#owners.get(text)?.handle ?? ++this.#lastHandle;
    for (const set of sets) this.#checkSet(set);
    this.#owners.set(text, { key: text, handle, sets, flags });
    this.#keys.set(handle, text);
    return handle;
  }

  putEndpoints(endpoints: Endpoints, base: Octets, sets: readonly RecordSet[], flags: number): void {
    const all = endpointsOf(endpoints);
    assert.equal(new Set(all.map(([label]) => label)).size, all.length, 'a label comes twice');
    for (const [label, address] of all) {
      this.put(label + latin1(base), [{ type: 'A', addresses: address }, ...sets], flags);
    }
  }

  putReverse(endpoints: Endpoints, name: Octets): void {
    for (const [label, address] of endpointsOf(endpoints)) {
      this.put(`\xff${address}`, [{ type: 'PTR', names: [{ wire: label + latin1(name), relative: false }] }]);
    }
  }

  find(key: Octets): OwnerHandle {
    this.finds++;
    return this.#owners.get(textOf(key))?.handle ?? 0;
  }

  remove(key: Octets): void {
    const owner = this.#owners.get(textOf(key));
    assert.ok(owner !== undefined, `removed an owner that is not there: ${textOf(key)}`);
    this.#owners.delete(owner.key);
    this.#keys.delete(owner.handle);
  }

  setSynced(synced: boolean): void {
    this.isSynced = synced;
  }

  setSerial(serial: number): void {
    this.serial = serial;
  }

  usage(): { owners: number; bytes: number } {
    return { owners: this.#owners.size, bytes: 0 };
  }

  release(): void {
    this.isReleased = true;
  }

  /** Everything in the store as text, sorted: equal contents give equal texts, whatever the handles are. */
  dump(): string[] {
    const lines = [...this.#owners.values()].map((owner) => {
      const sets = owner.sets.map((set) => this.#setText(set)).sort();
      return `${owner.key}${owner.flags === 0 ? '' : ` flags=${owner.flags}`}: ${sets.join('; ')}`;
    });
    return lines.sort((a, b) => (a < b ? -1 : 1));
  }

  /** RRsets of an owner by its name without zone, such as `web.demo.svc`, or by an address (reverse owner). */
  at(name: string): string | undefined {
    return this.dump()
      .find((line) => line.startsWith(`${name}: `) || line.startsWith(`${name} flags`))
      ?.replace(/^[^ ]*?( flags=\d+)?: /, '');
  }

  /** The SRV and NS records that name an owner which is gone. Empty after a flush. */
  danglers(): string[] {
    return [...this.#owners.values()]
      .filter((owner) =>
        owner.sets.some((set) => targetsOf(set).some((target) => target !== 0 && !this.#keys.has(target))),
      )
      .map((owner) => owner.key);
  }

  #checkSet(set: PlainSet): void {
    for (const target of targetsOf(set)) assert.ok(target === 0 || this.#keys.has(target), 'refers to no living owner');
    if (set.type === 'A') assert.ok(set.addresses.length > 0 && set.addresses.every((address) => address.length === 4));
    if (set.type === 'AAAA') assert.ok(set.addresses.every((address) => address.length === 16));
    if (set.type === 'SRV') assert.ok(set.records.length > 0 && set.records.every((r) => r.port >= 0 && r.weight >= 1));
  }

  #setText(set: PlainSet): string {
    const ttl = set.ttl === undefined ? '' : ` ttl=${set.ttl}`;
    if ('addresses' in set) {
      return `${set.type}${ttl} ${set.addresses
        .map((address) => Buffer.from(address).toString('hex'))
        .sort()
        .join(' ')}`;
    }
    if (set.type === 'SRV') {
      const records = set.records.map((record) => {
        const target = record.target === 0 ? '@' : this.#keys.get(record.target);
        return `${record.priority}/${record.weight}/${record.port}/${target}`;
      });
      return `SRV${ttl} ${records.sort().join(' ')}`;
    }
    if (set.type === 'TXT')
      return `TXT${ttl} ${set.rdata.map((rdata) => Buffer.from(rdata).toString('latin1')).join(' ')}`;
    return `${set.type}${ttl} ${set.names
      .map((name) => this.#nameText(name))
      .sort()
      .join(' ')}`;
  }

  #nameText(name: PlainName): string {
    const target = name.target === undefined ? '' : `>${this.#keys.get(name.target) ?? 'none'}`;
    return `${labelsOf(name.wire).join('.')}${name.relative ? '' : '.'}${target}`;
  }
}

function latin1(given: Octets): string {
  return Buffer.from(octetsOf(given)).toString('latin1');
}

/** Label in wire form and address of each. */
export function endpointsOf({ addresses, labels }: Endpoints): [label: string, address: string][] {
  const found: [string, string][] = [];
  const given = labels === '' ? [] : labelsOf(octetsOf(labels));
  for (const [i, octets] of cut(addresses, 4).entries()) {
    const label = labels === '' ? octets.join('-') : given[i]!;
    found.push([String.fromCharCode(label.length) + label, latin1(octets)]);
  }
  assert.ok(labels === '' || given.length === found.length, 'as many labels as addresses');
  return found;
}

function octetsOf(given: Octets): Uint8Array {
  return typeof given === 'string' ? Buffer.from(given, 'latin1') : given;
}

/** The store takes octets in two forms. */
function plainSet(set: RecordSet): PlainSet {
  if (set.type === 'TXT') return set;
  if (set.type === 'SRV') return 'runs' in set ? { type: 'SRV', records: recordsOf(set) } : set;
  if (set.type === 'A' || set.type === 'AAAA') {
    const { addresses } = set;
    return { ...set, addresses: typeof addresses === 'string' ? cut(addresses, set.type === 'A' ? 4 : 16) : addresses };
  }
  return { ...set, names: set.names.map((name) => ({ ...name, wire: octetsOf(name.wire) })) };
}

function recordsOf({ runs, weight }: Extract<RecordSet, { runs: unknown }>): ServiceRecord[] {
  const targets = runs.flatMap((run) => [...run.targets]);
  assert.equal(new Set(targets).size, targets.length, 'a target in two runs');
  return runs.flatMap((run) =>
    [...run.targets].flatMap((target) => run.ports.map((port) => ({ priority: 0, weight, port, target }))),
  );
}

function cut(addresses: string, bytes: number): Uint8Array[] {
  const octets = octetsOf(addresses);
  assert.equal(octets.length % bytes, 0);
  return Array.from({ length: octets.length / bytes }, (_, i) => octets.subarray(i * bytes, (i + 1) * bytes));
}

function targetsOf(set: PlainSet): OwnerHandle[] {
  if (set.type === 'SRV') return set.records.map((record) => record.target);
  return set.type === 'NS' ? set.names.map((name) => name.target ?? 0) : [];
}

/** Key as text: labels with dots, `@` for the apex, an address in hexadecimal for the key of one. */
function textOf(given: Octets): string {
  const key = octetsOf(given);
  if (key[0] === 0xff) return `ptr-${Buffer.from(key.subarray(1)).toString('hex')}`;
  if (key[0] === 0xfe) return `glue-${labelsOf(key.subarray(1)).join('.')}`;
  if (key[0] === 0xfd) return `client-${Buffer.from(key.subarray(1)).toString('hex')}`;
  return key.length === 0 ? '@' : labelsOf(key).join('.');
}

/** An empty label is one in a key, and the end of a name. */
function labelsOf(wire: Uint8Array): string[] {
  const labels: string[] = [];
  const end = wire.at(-1) === 0 ? wire.length - 1 : wire.length;
  for (let at = 0; at < end; at += 1 + wire[at]!) {
    const label = Buffer.from(wire.subarray(at + 1, at + 1 + wire[at]!)).toString('latin1');
    assert.equal(label.length, wire[at], 'a label is cut');
    labels.push(label);
  }
  return labels;
}
