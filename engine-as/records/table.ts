// The name table: open addressing with linear probing, one writer, lock-free readers (drawing in shared/layout.ts).
// A reader that meets a half-written entry only misses it: hash and key are compared before an owner is believed.

import { hashLower, hashOctets, sameOctets } from '../wire/name';
import { hashedBytes, hashedKey, hashedStore, lowerAt } from '../wire/query';
import {
  CONTROL_HASH_SEED,
  CONTROL_TABLE,
  OWNER_FLAGS,
  OWNER_HASH,
  OWNER_KEY,
  OWNER_KEY_BYTES,
  OWNER_SETS,
  OWNER_STORE,
  STORE_BYTES,
  STORE_HEADER_BYTES,
  STORE_OWNERS,
  STORE_SERIAL,
  STORE_SYNCED,
  TABLE_ENTRIES,
  TABLE_ENTRY_STRIDE,
  TABLE_LIVE,
  TABLE_MASK,
  TABLE_USED,
} from '../shared/layout';
import { arenaAllocate, arenaFree, arenaRetire } from './arena';

const FIRST_ENTRIES: u32 = 1024;

function keyHash(storeAt: u32, key: u32, bytes: u32): u32 {
  return ofStore(storeAt, hashOctets(key, bytes, load<u32>(CONTROL_HASH_SEED)));
}

@inline
function ofStore(storeAt: u32, nameHash: u32): u32 {
  const hash = nameHash ^ (storeAt * 0x9e3779b1);
  return hash ? hash : 1;
}

// Looking ahead, see ahead.ts.

/** Hash under which these octets, in any case, are looked up. */
export function hashOfKey(storeAt: u32, key: u32, bytes: u32): u32 {
  return ofStore(storeAt, hashLower(key, bytes, load<u32>(CONTROL_HASH_SEED)));
}

/** What the place of this hash holds: an owner, or another address that may be read as one. */
export function ownerAhead(table: u32, hash: u32): u32 {
  const entry = table + TABLE_ENTRIES + (hash & load<u32>(table + TABLE_MASK)) * TABLE_ENTRY_STRIDE;
  const word = load<u64>(entry); // Bounds: an entry of the table
  const owner = <u32>(word >> 32);
  return select<u32>(owner, table, <u32>word == hash && owner != 0);
}

/** Owner with this key in the store, or 0. Any thread. */
export function tableFind(storeAt: u32, key: u32, bytes: u32): u32 {
  const table = atomic.load<u32>(CONTROL_TABLE);
  if (!table) return 0;
  const isHashed = storeAt == hashedStore && bytes == hashedBytes && key == lowerAt;
  const hash = isHashed ? hashedKey : keyHash(storeAt, key, bytes);
  const mask = load<u32>(table + TABLE_MASK);
  let slot = hash & mask;
  for (let probes: u32 = 0; probes <= mask; probes++) {
    const entry = table + TABLE_ENTRIES + slot * TABLE_ENTRY_STRIDE; // Bounds: slot <= mask
    const found = atomic.load<u32>(entry);
    if (!found) return 0;
    if (found == hash) {
      const owner = atomic.load<u32>(entry + 4);
      if (owner && isOwner(owner, storeAt, key, bytes)) return owner;
    }
    slot = (slot + 1) & mask;
  }
  return 0;
}

function isOwner(owner: u32, storeAt: u32, key: u32, bytes: u32): bool {
  // Bounds: an owner is never freed while a shard may hold it
  return (
    load<u32>(owner + OWNER_STORE) == storeAt &&
    <u32>load<u16>(owner + OWNER_KEY_BYTES) == bytes &&
    sameOctets(owner + OWNER_KEY, key, bytes)
  );
}

/** A new, empty, unsynced store; 0 when memory is exhausted. Main thread. */
export function storeCreate(): u32 {
  const at = arenaAllocate(STORE_HEADER_BYTES);
  if (!at) return 0;
  store<u32>(at + STORE_SYNCED, 0);
  store<u32>(at + STORE_SERIAL, 0);
  store<u32>(at + STORE_OWNERS, 0);
  store<u32>(at + STORE_BYTES, 0);
  if (!load<u32>(CONTROL_TABLE)) {
    const table = tableAllocate(FIRST_ENTRIES);
    if (!table) return 0;
    atomic.store<u32>(CONTROL_TABLE, table);
  }
  return at;
}

function tableAllocate(entries: u32): u32 {
  const bytes = TABLE_ENTRIES + entries * TABLE_ENTRY_STRIDE;
  const table = arenaAllocate(bytes);
  if (!table) return 0;
  memory.fill(table, 0, bytes);
  store<u32>(table + TABLE_MASK, entries - 1);
  return table;
}

/**
 * Publishes the sets blob of `blobBytes` octets for a key: replaces what the owner had. Returns the owner's address,
 * 0 when memory is exhausted (then nothing has changed). Main thread.
 */
export function ownerPut(storeAt: u32, key: u32, keyBytes: u32, blob: u32, blobBytes: u32, flags: u32): u32 {
  const sets = arenaAllocate(blobBytes);
  if (!sets) return 0;
  memory.copy(sets, blob, blobBytes);
  let owner = tableFind(storeAt, key, keyBytes);
  if (owner) {
    const old = load<u32>(owner + OWNER_SETS);
    store<u16>(owner + OWNER_FLAGS, <u16>flags);
    atomic.store<u32>(owner + OWNER_SETS, sets);
    arenaRetire(old);
    return owner;
  }
  owner = arenaAllocate(OWNER_KEY + keyBytes);
  if (!owner || !tableReserve()) {
    arenaFree(sets);
    arenaFree(owner);
    return 0;
  }
  store<u32>(owner + OWNER_SETS, sets);
  store<u32>(owner + OWNER_STORE, storeAt);
  store<u16>(owner + OWNER_FLAGS, <u16>flags);
  store<u16>(owner + OWNER_KEY_BYTES, <u16>keyBytes);
  memory.copy(owner + OWNER_KEY, key, keyBytes);
  const hash = keyHash(storeAt, owner + OWNER_KEY, keyBytes);
  store<u32>(owner + OWNER_HASH, hash);
  tableInsert(load<u32>(CONTROL_TABLE), hash, owner);
  store<u32>(storeAt + STORE_OWNERS, load<u32>(storeAt + STORE_OWNERS) + 1);
  return owner;
}

/** Room for one more entry: grows the table into a new one when it is 70 % used. */
function tableReserve(): bool {
  const table = load<u32>(CONTROL_TABLE);
  const entries = load<u32>(table + TABLE_MASK) + 1;
  if ((load<u32>(table + TABLE_USED) + 1) * 10 <= entries * 7) return true;
  let wanted = entries;
  while (wanted < (load<u32>(table + TABLE_LIVE) + 1) * 2) wanted <<= 1;
  const larger = tableAllocate(wanted);
  if (!larger) return load<u32>(table + TABLE_USED) + 1 < entries;
  for (let i: u32 = 0; i < entries; i++) {
    const entry = table + TABLE_ENTRIES + i * TABLE_ENTRY_STRIDE; // Bounds: i < entries
    const owner = load<u32>(entry + 4);
    if (owner) tableInsert(larger, load<u32>(entry), owner);
  }
  atomic.store<u32>(CONTROL_TABLE, larger);
  arenaRetire(table);
  return true;
}

/** The owner becomes visible with the store of its hash; a removed entry of the same hash is taken again. */
function tableInsert(table: u32, hash: u32, owner: u32): void {
  const mask = load<u32>(table + TABLE_MASK);
  let slot = hash & mask;
  while (true) {
    // Bounds: slot <= mask; tableReserve() keeps free entries, so the loop ends
    const entry = table + TABLE_ENTRIES + slot * TABLE_ENTRY_STRIDE;
    const found = load<u32>(entry);
    if (!found || (found == hash && !load<u32>(entry + 4))) {
      if (!found) store<u32>(table + TABLE_USED, load<u32>(table + TABLE_USED) + 1);
      atomic.store<u32>(entry + 4, owner);
      atomic.store<u32>(entry, hash);
      store<u32>(table + TABLE_LIVE, load<u32>(table + TABLE_LIVE) + 1);
      return;
    }
    slot = (slot + 1) & mask;
  }
}

/** Removes an owner and parks its memory. Main thread. */
export function ownerRemove(storeAt: u32, key: u32, keyBytes: u32): bool {
  const owner = tableFind(storeAt, key, keyBytes);
  if (!owner) return false;
  unlink(owner);
  store<u32>(storeAt + STORE_OWNERS, load<u32>(storeAt + STORE_OWNERS) - 1);
  arenaRetire(load<u32>(owner + OWNER_SETS));
  arenaRetire(owner);
  return true;
}

function unlink(owner: u32): void {
  const table = load<u32>(CONTROL_TABLE);
  const mask = load<u32>(table + TABLE_MASK);
  let slot = load<u32>(owner + OWNER_HASH) & mask;
  for (let probes: u32 = 0; probes <= mask; probes++) {
    const entry = table + TABLE_ENTRIES + slot * TABLE_ENTRY_STRIDE; // Bounds: slot <= mask
    if (load<u32>(entry + 4) == owner) {
      atomic.store<u32>(entry + 4, 0);
      store<u32>(table + TABLE_LIVE, load<u32>(table + TABLE_LIVE) - 1);
      return;
    }
    if (!load<u32>(entry)) return;
    slot = (slot + 1) & mask;
  }
}

/** Removes every owner of a store and parks the store itself. Main thread. */
export function storeRelease(storeAt: u32): void {
  const table = load<u32>(CONTROL_TABLE);
  const entries = load<u32>(table + TABLE_MASK) + 1;
  for (let i: u32 = 0; i < entries; i++) {
    const entry = table + TABLE_ENTRIES + i * TABLE_ENTRY_STRIDE; // Bounds: i < entries
    const owner = load<u32>(entry + 4);
    if (!owner || load<u32>(owner + OWNER_STORE) != storeAt) continue;
    atomic.store<u32>(entry + 4, 0);
    store<u32>(table + TABLE_LIVE, load<u32>(table + TABLE_LIVE) - 1);
    arenaRetire(load<u32>(owner + OWNER_SETS));
    arenaRetire(owner);
  }
  arenaRetire(storeAt);
}
