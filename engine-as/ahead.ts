// Looking ahead: before a batch is served, the lines of memory that its names' records stand on are asked for, those of
// all messages at once. One message after the other would wait two or three times for memory, and the larger the
// cluster the longer: the entry of the name table leads to the owner, and the owner to its RRsets. Here every load of a
// pass stands for itself, and the processor has many of them under way. What it finds is looked at again when the
// message is served; a wrong guess costs time and nothing else.

import { KEY_AT, copyStripped } from './records/lookup';
import { hashOfKey, ownerAhead } from './records/table';
import { HEADER_BYTES, LABEL_BYTES_MAX, NAME_BYTES_MAX } from './shared/codes';
import {
  BLOCK_STEPS,
  BLOCK_STEP_COUNT,
  CONTROL_ARENA_TOP,
  CONTROL_TABLE,
  LISTENER_ZONES,
  LISTENER_ZONE_COUNT,
  MMSGHDR_LEN,
  MMSGHDR_STRIDE,
  NAME_SCRATCH,
  OWNER_SETS,
  RECEIVE_HEADERS,
  RECEIVE_SLOTS,
  RECEIVE_STRIDE,
  RECORDS_STEP_SERVICES,
  RECORDS_STEP_ZONES,
  STEP_OP,
  STEP_RECORDS,
  STEP_STRIDE,
  TABLE_MASK,
  ZONE_BLOCK,
  ZONE_LIST_ENTRIES,
  ZONE_STRIDE,
} from './shared/layout';
import { sameLower } from './wire/name';
import { copyOctets } from './wire/octets';
import { area, takeHash } from './wire/query';

/** In NAME_SCRATCH, for each message of the batch: */
const AHEAD: u32 = 14848;
const AHEAD_STRIDE: u32 = 16;
const KEY_BYTES: u32 = 0; // u32: of the name in front of the zone, 0 = not expected in the store
const KEY_HASH: u32 = 4; // u32
const OWNER: u32 = 8; // u32: address that is read as an owner
const SETS: u32 = 12; // u32: and as a blob of RRsets
/** Fewer messages are served as soon as they would have been looked at; so is a batch whose first ones lie in no zone. */
const MESSAGES_MIN: u32 = 4;
/** A smaller table, with all that it leads to, stays in the second-level cache anyway. */
const ENTRIES_MIN: u32 = 1 << 16;
const UNDERSCORE: u32 = 95;
const ZONES_MAX: u32 = 4;
/** Most keys end in the line behind that of the owner's first octet. */
const KEY_TOUCHED: u32 = 40;

/** The store of the batch, 0 = none is known, and the zone whose names it holds. */
let storeAhead: u32 = 0;
let zoneName: u32 = 0;
let zoneBytes: u32 = 0;
/** Keeps the loads from being left out. */
let sum: u32 = 0;

/** Looks ahead for the messages in the first receive slots, which came to this listener. */
export function lookAhead(listener: u32, messages: u32): void {
  storeAhead = 0;
  const table = atomic.load<u32>(CONTROL_TABLE);
  if (messages < MESSAGES_MIN || !table || load<u32>(table + TABLE_MASK) < ENTRIES_MIN - 1) return;
  if (!findStore(listener)) return;
  const first = area + NAME_SCRATCH + AHEAD;
  const end = first + messages * AHEAD_STRIDE;
  let expected: u32 = 0;
  for (let i: u32 = 0; i < messages; i++) {
    if (i == MESSAGES_MIN && !expected) {
      storeAhead = 0; // the batch asks for other names
      return;
    }
    // Bounds: i < BATCH, as in all passes
    const bytes = load<u32>(area + RECEIVE_HEADERS + i * MMSGHDR_STRIDE + MMSGHDR_LEN);
    if (hashKey(area + RECEIVE_SLOTS + i * RECEIVE_STRIDE, bytes, first + i * AHEAD_STRIDE)) expected++;
  }
  // An owner is never freed while a batch is being served; the table itself may stand in for one.
  for (let at = first; at < end; at += AHEAD_STRIDE) store<u32>(at + OWNER, ownerAhead(table, load<u32>(at + KEY_HASH)));
  const last = load<u32>(CONTROL_ARENA_TOP) - 1;
  let read: u32 = 0;
  for (let at = first; at < end; at += AHEAD_STRIDE) {
    const owner = load<u32>(at + OWNER);
    const sets = load<u32>(owner + OWNER_SETS);
    read += load<u8>(min<u32>(owner + KEY_TOUCHED, last));
    store<u32>(at + SETS, owner == table ? table : sets);
  }
  for (let at = first; at < end; at += AHEAD_STRIDE) read += load<u32>(load<u32>(at + SETS));
  sum += read;
}

/** Message `index` of the batch is served next. */
export function takeAhead(index: u32): void {
  if (!storeAhead) return;
  const at = area + NAME_SCRATCH + AHEAD + index * AHEAD_STRIDE; // Bounds: index < BATCH
  const bytes = load<u32>(at + KEY_BYTES);
  takeHash(bytes ? storeAhead : 0, bytes, load<u32>(at + KEY_HASH));
}

/** The first step of the listener that answers from records, with the first of its zones. */
function findStore(listener: u32): bool {
  // Bounds: compiled by the host
  const zones = load<u32>(listener + LISTENER_ZONE_COUNT);
  for (let i: u32 = 0; i < zones && i < ZONES_MAX; i++) {
    const block = load<u32>(load<u32>(listener + LISTENER_ZONES) + i * ZONE_STRIDE + ZONE_BLOCK);
    const steps = load<u32>(block + BLOCK_STEP_COUNT);
    for (let k: u32 = 0; k < steps; k++) {
      const step = block + BLOCK_STEPS + k * STEP_STRIDE;
      if (load<u32>(step + STEP_OP) != STEP_RECORDS) continue;
      const zone = load<u32>(step + RECORDS_STEP_ZONES) + ZONE_LIST_ENTRIES;
      storeAhead = load<u32>(step + RECORDS_STEP_SERVICES);
      zoneName = load<u32>(zone);
      zoneBytes = load<u32>(zone + 4);
      return true;
    }
  }
  return false;
}

/** Fills the record with the key of the message's name; false: it does not lie in the zone. */
function hashKey(message: u32, bytes: u32, record: u32): bool {
  const name = message + HEADER_BYTES;
  const end = message + bytes;
  let p = name;
  store<u32>(record + KEY_BYTES, 0);
  store<u32>(record + KEY_HASH, 0);
  while (p < end) {
    const octet: u32 = load<u8>(p); // Bounds: p < end
    p += octet + 1;
    if (octet == 0) break;
    if (octet > <u32>LABEL_BYTES_MAX) return false;
  }
  const total = p - name;
  // Bounds: a message fits its slot, behind which there are others
  if (p > end || total > <u32>NAME_BYTES_MAX || total <= zoneBytes) return false;
  if (!sameLower(p - zoneBytes, zoneName, zoneBytes)) return false;
  const keyBytes = total - zoneBytes;
  if (load<u8>(name + 1) == UNDERSCORE) {
    store<u32>(record + KEY_HASH, hashOfPort(name, keyBytes));
    return true;
  }
  store<u32>(record + KEY_BYTES, keyBytes);
  store<u32>(record + KEY_HASH, hashOfKey(storeAhead, name, keyBytes));
  return true;
}

/** Of `_port._proto` and what follows: the key has no underscores (records/lookup.ts). */
function hashOfPort(name: u32, keyBytes: u32): u32 {
  const key = area + NAME_SCRATCH + KEY_AT; // Bounds: a key has at most 255 octets, the scratch 288
  const second = name + <u32>load<u8>(name) + 1;
  const end = name + keyBytes;
  if (second >= end) return 0;
  const third = second + <u32>load<u8>(second) + 1;
  if (third >= end) return 0;
  const rest = copyStripped(copyStripped(key, name), second);
  copyOctets(rest, third, end - third);
  return hashOfKey(storeAhead, key, rest + (end - third) - key);
}
