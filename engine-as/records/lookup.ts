// From a relative key to an owner of a store. Plain stores hold every existing name; a Kubernetes store also takes
// the underscores of `_port._proto` as optional, ignores labels left of a pod's name, and makes up pods in insecure
// mode (CoreDNS plugin kubernetes, record model).

import { NAME_SCRATCH, OWNER_FLAGS, RECORDS_KUBERNETES, RECORDS_PODS_INSECURE, RECORDS_STEP_FLAGS, RECORDS_STEP_STORE } from '../shared/layout';
import { area, qnameAt, qnameBytes } from '../wire/query';
import { dashedAddress, isReverseName } from './addresses';
import { tableFind } from './table';

/** put() flag: the zone part of the question must be spelt in lower case. */
export const OWNER_ZONE_CASE: u32 = 1;
/** put() flag: types that the owner lacks are NXDOMAIN. */
export const OWNER_NO_NODATA: u32 = 2;

const KEY_AT: u32 = 512; // in NAME_SCRATCH: the key as looked up
const POD_ADDRESS_AT: u32 = 800; // in NAME_SCRATCH: 16 octets

/** Result of findOwner() for a pod that insecure mode makes up; its address stands at podAddressAt. */
export const MADE_UP: u32 = 1;
export let podAddressAt: u32 = 0;
/** 4 or 16. */
export let podAddressBytes: u32 = 0;
/** Relative name of the made-up pod, without labels left of it. */
export let podNameAt: u32 = 0;
export let podNameBytes: u32 = 0;

// Label offsets of the key walked last, relative to the key: at most five are kept.
let label0: u32 = 0;
let label1: u32 = 0;
let label2: u32 = 0;
let label3: u32 = 0;
let label4: u32 = 0;

/** Labels of a key without root label; remembers where the first five begin. */
function walkKey(key: u32, bytes: u32): u32 {
  let p: u32 = 0;
  let labels: u32 = 0;
  while (p < bytes) {
    if (labels == 0) label0 = p;
    else if (labels == 1) label1 = p;
    else if (labels == 2) label2 = p;
    else if (labels == 3) label3 = p;
    else if (labels == 4) label4 = p;
    labels++;
    p += <u32>load<u8>(key + p) + 1; // Bounds: p < bytes
  }
  return labels;
}

/** Offset of label `index` of the key walked last; index < 5. */
function labelOffset(index: u32): u32 {
  if (index == 0) return label0;
  if (index == 1) return label1;
  if (index == 2) return label2;
  return index == 3 ? label3 : label4;
}

function isLabel3(at: u32, word: u32): bool {
  return load<u32>(at) == word; // Bounds: the key has four octets here
}
const LABEL_POD: u32 = 0x646f7003; // \3pod
const LABEL_SVC: u32 = 0x63767303; // \3svc

/**
 * Owner of the lower-case key of `keyBytes` octets (no root label), MADE_UP, or 0 = there is no such name.
 * `isQuestion` is false for targets of an alias, whose zone part is not spelt by the client.
 */
export function findOwner(step: u32, key: u32, keyBytes: u32, isQuestion: bool): u32 {
  const store = load<u32>(step + RECORDS_STEP_STORE);
  const flags = load<u32>(step + RECORDS_STEP_FLAGS);
  if (!(flags & RECORDS_KUBERNETES)) return tableFind(store, key, keyBytes);
  const labels = walkKey(key, keyBytes);
  if (labels > 5) return 0;
  let owner: u32;
  if (labels >= 3 && isLabel3(key + labelOffset(labels - 1), LABEL_POD)) {
    owner = findPod(store, flags, key, keyBytes, labels);
  } else if (labels == 5) {
    owner = findPort(store, key, keyBytes);
  } else {
    owner = tableFind(store, key, keyBytes);
  }
  if (owner <= MADE_UP) return owner == MADE_UP && isQuestion && isReverseName() ? 0 : owner;
  if (isQuestion && !isVisible(owner, keyBytes, labels)) return 0;
  return owner;
}

/** Reverse zones hold no services, and ns.dns exists in the lower-case spelling of the zone only. */
function isVisible(owner: u32, keyBytes: u32, labels: u32): bool {
  const hasZoneCase = (<u32>load<u16>(owner + OWNER_FLAGS) & OWNER_ZONE_CASE) != 0; // Bounds: a live owner
  if (hasZoneCase) return keyBytes == 0 || zoneIsLower(keyBytes);
  return labels < 2 || !isReverseName();
}

/** True if the question spells its zone, which begins `keyBytes` behind the qname's start, in lower case. */
export function zoneIsLower(keyBytes: u32): bool {
  // Bounds: inside the question's name
  for (let i = keyBytes; i < qnameBytes; i++) if (<u32>load<u8>(qnameAt + i) - 65 < 26) return false;
  return true;
}

/** port.proto.service.namespace.svc: one leading underscore of port and proto does not count. */
function findPort(store: u32, key: u32, keyBytes: u32): u32 {
  if (!isLabel3(key + label4, LABEL_SVC)) return 0;
  const to = area + NAME_SCRATCH + KEY_AT;
  let p = to;
  p = copyStripped(p, key + label0);
  p = copyStripped(p, key + label1);
  const rest = keyBytes - label2;
  memory.copy(p, key + label2, rest); // Bounds: a key has at most 255 octets, the scratch 288
  return tableFind(store, to, p + rest - to);
}

function copyStripped(to: u32, label: u32): u32 {
  const bytes: u32 = load<u8>(label); // Bounds: a label of the key
  const skip: u32 = bytes && load<u8>(label + 1) == 95 ? 1 : 0;
  store<u8>(to, <u8>(bytes - skip));
  memory.copy(to + 1, label + 1 + skip, bytes - skip);
  return to + 1 + bytes - skip;
}

/** [ignored labels.]name.namespace.pod */
function findPod(store: u32, flags: u32, key: u32, keyBytes: u32, labels: u32): u32 {
  const name = labelOffset(labels - 3);
  const namespace = labelOffset(labels - 2);
  podNameAt = key + name;
  podNameBytes = keyBytes - name;
  if (!(flags & RECORDS_PODS_INSECURE)) return tableFind(store, podNameAt, podNameBytes);
  if (!tableFind(store, key + namespace, keyBytes - namespace)) return 0;
  podAddressAt = area + NAME_SCRATCH + POD_ADDRESS_AT;
  podAddressBytes = dashedAddress(podNameAt + 1, load<u8>(podNameAt), podAddressAt); // Bounds: a label of the key
  return podAddressBytes ? MADE_UP : 0;
}
