// The writer's side of the record store: RRsets as blobs in shared memory (layout in engine-as/shared/layout.ts).
// Main thread only.

import { TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_NS, TYPE_PTR, TYPE_SRV, TYPE_TXT } from '../../engine-as/shared/codes.ts';
import * as layout from '../../engine-as/shared/layout.ts';
import {
  type Addresses,
  ENDPOINTS_MAX,
  type Endpoints,
  type Octets,
  type OwnerHandle,
  type RecordSet,
  type RecordStore,
  type ServiceRun,
} from '../plugin/contract.ts';
import type { Engine } from './load.ts';

const TYPES = {
  A: TYPE_A,
  AAAA: TYPE_AAAA,
  SRV: TYPE_SRV,
  PTR: TYPE_PTR,
  NS: TYPE_NS,
  CNAME: TYPE_CNAME,
  TXT: TYPE_TXT,
};
/** More RRs than a message can carry many times over; the rest of a set is left out. */
const RECORDS_MAX = 65535;
const KEY_BYTES_MAX = 255;
const KEY_ROOM = 512;

// The scratch of many endpoints: a key, the name behind each label, the blob of one, then these.
const BLOB_ROOM_AT = 2 * KEY_ROOM;
const BLOB_ROOM = 65536;
const ADDRESSES_ROOM_AT = BLOB_ROOM_AT + BLOB_ROOM + KEY_ROOM;
const LABELS_ROOM_AT = ADDRESSES_ROOM_AT + 4 * ENDPOINTS_MAX;
const LABELS_ROOM = 64 * ENDPOINTS_MAX;

/** Shared memory ran out: the owner keeps what it had. */
export class MemoryExhausted extends Error {
  constructor() {
    super('shared memory for records is exhausted');
  }
}

/** The engine, the memory and the main thread's area: what a writer needs. */
export interface Writer {
  readonly engine: Engine;
  readonly memory: WebAssembly.Memory;
  readonly area: number;
}

export function createRecordStore(writer: Writer): RecordStore {
  const address = writer.engine.storeCreate() >>> 0;
  if (address === 0) throw new MemoryExhausted();
  return new SharedRecords(writer, address);
}

class SharedRecords implements RecordStore {
  readonly address: number;
  readonly #writer: Writer;
  #octets: Uint8Array;
  #view: DataView;

  constructor(writer: Writer, address: number) {
    this.#writer = writer;
    this.address = address;
    this.#octets = new Uint8Array(writer.memory.buffer);
    this.#view = new DataView(writer.memory.buffer);
  }

  put(key: Octets, sets: readonly RecordSet[], flags = 0): OwnerHandle {
    const keyAt = this.#placeKey(key);
    const bytes = blobBytes(sets);
    const room = layout.REWRITE_SCRATCH - layout.WRITER_SCRATCH - KEY_ROOM;
    const { engine, area } = this.#writer;
    const isLarge = bytes > room;
    const blobAt = isLarge ? engine.arenaAllocate(bytes) >>> 0 : area + layout.WRITER_SCRATCH + KEY_ROOM;
    if (blobAt === 0) throw new MemoryExhausted();
    if (isLarge) this.#refresh();
    writeBlob(this.#view, this.#octets, blobAt, sets);
    const owner = engine.ownerPut(this.address, keyAt, key.length, blobAt, bytes, flags);
    if (isLarge) engine.arenaFree(blobAt);
    this.#refresh();
    if (owner === 0) throw new MemoryExhausted();
    return owner >>> 0;
  }

  putEndpoints(endpoints: Endpoints, base: Octets, sets: readonly RecordSet[], flags: number): void {
    const { engine, area } = this.#writer;
    const { keyAt, nameAt, addressesAt, labelsAt, count } = this.#placeEndpoints(endpoints, base);
    const blobAt = area + layout.WRITER_SCRATCH + BLOB_ROOM_AT;
    const whole: readonly RecordSet[] = [{ type: 'A', addresses: '\0\0\0\0' }, ...sets];
    const bytes = blobBytes(whole);
    if (bytes > BLOB_ROOM) throw new RangeError(`sets of ${bytes} octets for many owners`);
    writeBlob(this.#view, this.#octets, blobAt, whole);
    const addressAt = this.#view.getUint32(blobAt + layout.SETS_DIRECTORY + layout.SET_DATA, true);
    const names = [keyAt, nameAt, base.length] as const;
    const blob = [blobAt, bytes, addressAt] as const;
    const isPut = engine.endpointsPut(this.address, addressesAt, count, labelsAt, ...names, ...blob, flags);
    this.#refresh();
    if (!isPut) throw new MemoryExhausted();
  }

  putReverse(endpoints: Endpoints, name: Octets): void {
    const { engine, area } = this.#writer;
    const { keyAt, nameAt, addressesAt, labelsAt, count } = this.#placeEndpoints(endpoints, name);
    const blobAt = area + layout.WRITER_SCRATCH + BLOB_ROOM_AT;
    writeBlob(this.#view, this.#octets, blobAt, [{ type: 'PTR', names: [{ wire: '', relative: false }] }]);
    // Behind the length, the kind and the target of the name.
    const wireAt = this.#view.getUint32(blobAt + layout.SETS_DIRECTORY + layout.SET_DATA, true) + 8;
    const names = [keyAt, nameAt, name.length] as const;
    const isPut = engine.reversePut(this.address, addressesAt, count, labelsAt, ...names, blobAt, wireAt);
    this.#refresh();
    if (!isPut) throw new MemoryExhausted();
  }

  find(key: Octets): OwnerHandle {
    return this.#writer.engine.ownerFind(this.address, this.#placeKey(key), key.length) >>> 0;
  }

  remove(key: Octets): void {
    this.#writer.engine.ownerRemove(this.address, this.#placeKey(key), key.length);
  }

  setSynced(synced: boolean): void {
    this.#setWord(layout.STORE_SYNCED, synced ? 1 : 0);
  }

  setSerial(serial: number): void {
    this.#setWord(layout.STORE_SERIAL, serial >>> 0);
  }

  usage(): { owners: number; bytes: number } {
    this.#refresh();
    const owners = this.#view.getUint32(this.address + layout.STORE_OWNERS, true);
    return { owners, bytes: this.#view.getUint32(layout.CONTROL_ARENA_BYTES_USED, true) };
  }

  release(): void {
    this.#writer.engine.storeRelease(this.address);
  }

  #setWord(offset: number, value: number): void {
    this.#refresh();
    Atomics.store(new Uint32Array(this.#view.buffer), (this.address + offset) / 4, value);
  }

  #placeKey(key: Octets): number {
    if (key.length > KEY_BYTES_MAX)
      throw new RangeError(`a key has at most ${KEY_BYTES_MAX} octets, got ${key.length}`);
    const at = this.#writer.area + layout.WRITER_SCRATCH;
    copyOctets(this.#octets, at, key);
    this.#octets.fill(0, at + key.length, at + key.length + 8);
    return at;
  }

  #placeEndpoints({ addresses, labels }: Endpoints, name: Octets) {
    const count = addresses.length / 4;
    if (!Number.isInteger(count) || count > ENDPOINTS_MAX) throw new RangeError(`${count} endpoints at once`);
    if (name.length > KEY_BYTES_MAX) throw new RangeError(`a name of ${name.length} octets`);
    if (labels.length > LABELS_ROOM) throw new RangeError(`labels of ${labels.length} octets`);
    const keyAt = this.#writer.area + layout.WRITER_SCRATCH;
    const nameAt = keyAt + KEY_ROOM;
    const addressesAt = keyAt + ADDRESSES_ROOM_AT;
    const labelsAt = keyAt + LABELS_ROOM_AT;
    copyOctets(this.#octets, nameAt, name);
    copyOctets(this.#octets, addressesAt, addresses);
    copyOctets(this.#octets, labelsAt, labels);
    return { keyAt, nameAt, addressesAt, labelsAt: labels === '' ? 0 : labelsAt, count };
  }

  /** A grown memory has a new buffer; views on the old one end where it ended. */
  #refresh(): void {
    const { buffer } = this.#writer.memory;
    if (buffer === this.#octets.buffer) return;
    this.#octets = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }
}

function copyOctets(octets: Uint8Array, at: number, source: Octets, bytes = source.length): void {
  if (typeof source !== 'string') octets.set(source, at);
  else for (let i = 0; i < bytes; i++) octets[at + i] = source.charCodeAt(i);
}

function blobBytes(sets: readonly RecordSet[]): number {
  let bytes = layout.SETS_DIRECTORY + sets.length * layout.SET_STRIDE;
  for (const set of sets) bytes += (dataBytes(set) + 3) & ~3;
  return bytes;
}

function dataBytes(set: RecordSet): number {
  switch (set.type) {
    case 'A':
      return addressCount(set.addresses, 4) * 4;
    case 'AAAA':
      return addressCount(set.addresses, 16) * 16;
    case 'SRV': {
      if (!('runs' in set)) return targetsOf(set).size * 4 + Math.min(set.records.length, RECORDS_MAX) * 8;
      const { targets, records } = countRuns(set.runs);
      return targets * 4 + records * 8;
    }
    case 'TXT':
      return set.rdata.reduce((sum, rdata) => sum + 2 + rdata.length, 0);
    default:
      return set.names.reduce((sum, name) => sum + 8 + ((name.wire.length + 3) & ~3), 0);
  }
}

type PlainServices = Extract<RecordSet, { readonly records: readonly unknown[] }>;
type ServiceRuns = Extract<RecordSet, { readonly runs: readonly unknown[] }>;

/** The last set whose targets were asked for: each put asks three times, and endpoints of one slice share a set. */
let lastSet: PlainServices | undefined;
let lastTargets: ReadonlyMap<OwnerHandle, number> = new Map();

/** Distinct targets of an SRV set, in order of appearance, with their indices. */
function targetsOf(set: PlainServices): ReadonlyMap<OwnerHandle, number> {
  if (set === lastSet) return lastTargets;
  const targets = new Map<OwnerHandle, number>();
  const count = Math.min(set.records.length, RECORDS_MAX);
  for (let i = 0; i < count; i++) {
    const { target } = set.records[i]!;
    if (!targets.has(target)) targets.set(target, targets.size);
  }
  lastSet = set;
  lastTargets = targets;
  return targets;
}

function writeBlob(view: DataView, octets: Uint8Array, blob: number, sets: readonly RecordSet[]): void {
  view.setUint32(blob + layout.SETS_COUNT, sets.length, true);
  let data = layout.SETS_DIRECTORY + sets.length * layout.SET_STRIDE;
  sets.forEach((set, index) => {
    const entry = blob + layout.SETS_DIRECTORY + index * layout.SET_STRIDE;
    view.setUint16(entry + layout.SET_TYPE, TYPES[set.type], true);
    view.setUint32(entry + layout.SET_TTL, set.ttl ?? layout.TTL_OF_STEP, true);
    view.setUint32(entry + layout.SET_DATA, data, true);
    view.setUint32(entry + layout.SET_TARGETS, 0, true);
    view.setUint16(entry + layout.SET_RECORDS, writeData(view, octets, entry, blob + data, set), true);
    data += (dataBytes(set) + 3) & ~3;
  });
}

/** Writes the data of one set and returns its number of RRs. */
function writeData(view: DataView, octets: Uint8Array, entry: number, at: number, set: RecordSet): number {
  switch (set.type) {
    case 'A':
    case 'AAAA':
      return writeAddresses(octets, at, set.addresses, set.type === 'A' ? 4 : 16);
    case 'SRV':
      return 'runs' in set ? writeRuns(view, entry, at, set) : writeServices(view, entry, at, set);
    case 'TXT':
      return writeStrings(view, octets, at, set.rdata);
    default:
      return writeNames(view, octets, at, set);
  }
}

function addressCount(addresses: Addresses, bytes: number): number {
  return Math.min(typeof addresses === 'string' ? addresses.length / bytes : addresses.length, RECORDS_MAX);
}

function writeAddresses(octets: Uint8Array, at: number, addresses: Addresses, bytes: number): number {
  const count = addressCount(addresses, bytes);
  if (!Number.isInteger(count)) throw new RangeError(`${addresses.length} octets are no addresses of ${bytes}`);
  if (typeof addresses === 'string') {
    copyOctets(octets, at, addresses, count * bytes);
    return count;
  }
  for (let i = 0; i < count; i++) {
    const address = addresses[i]!;
    if (address.length !== bytes) throw new RangeError(`an address of ${address.length} octets where ${bytes} are due`);
    octets.set(address, at + i * bytes);
  }
  return count;
}

/** As many as a set may hold; the last target may lack some of its ports. */
function countRuns(runs: readonly ServiceRun[]): { targets: number; records: number } {
  let targets = 0;
  let records = 0;
  for (const run of runs) {
    const left = RECORDS_MAX - records;
    const perTarget = run.ports.length;
    targets += Math.min(run.targets.length, Math.ceil(left / perTarget));
    records += Math.min(run.targets.length * perTarget, left);
  }
  return { targets, records };
}

function writeRuns(view: DataView, entry: number, at: number, { runs, weight }: ServiceRuns): number {
  const { targets, records } = countRuns(runs);
  view.setUint16(entry + layout.SET_TARGETS, targets, true);
  const end = at + targets * 4;
  const recordsEnd = end + records * 8;
  let target = at;
  let record = end;
  for (const run of runs) {
    // Bounds: what countRuns() has found room for.
    for (let i = 0; i < run.targets.length && target < end; i++, target += 4) {
      view.setUint32(target, run.targets[i]!, true);
      for (let p = 0; p < run.ports.length && record < recordsEnd; p++, record += 8) {
        view.setUint16(record, 0, true);
        view.setUint16(record + 2, weight, true);
        view.setUint16(record + 4, run.ports[p]!, true);
        view.setUint16(record + 6, (target - at) / 4, true);
      }
    }
  }
  return records;
}

function writeServices(view: DataView, entry: number, at: number, set: PlainServices): number {
  const targets = targetsOf(set);
  view.setUint16(entry + layout.SET_TARGETS, targets.size, true);
  let p = at;
  for (const target of targets.keys()) {
    view.setUint32(p, target, true);
    p += 4;
  }
  const count = Math.min(set.records.length, RECORDS_MAX);
  for (let i = 0; i < count; i++, p += 8) {
    const record = set.records[i]!;
    view.setUint16(p, record.priority, true);
    view.setUint16(p + 2, record.weight, true);
    view.setUint16(p + 4, record.port, true);
    view.setUint16(p + 6, targets.get(record.target)!, true);
  }
  return count;
}

function writeStrings(view: DataView, octets: Uint8Array, at: number, strings: readonly Uint8Array[]): number {
  let p = at;
  for (const rdata of strings) {
    view.setUint16(p, rdata.length, true);
    octets.set(rdata, p + 2);
    p += 2 + rdata.length;
  }
  return strings.length;
}

function writeNames(
  view: DataView,
  octets: Uint8Array,
  at: number,
  set: RecordSet & { type: 'PTR' | 'NS' | 'CNAME' },
): number {
  let p = at;
  for (const name of set.names) {
    view.setUint16(p, name.wire.length, true);
    view.setUint16(p + 2, name.relative ? 1 : 0, true);
    view.setUint32(p + 4, name.target ?? 0, true);
    copyOctets(octets, p + 8, name.wire);
    p += 8 + ((name.wire.length + 3) & ~3);
  }
  return set.names.length;
}
