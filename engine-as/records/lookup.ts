// From a relative key to an owner of a store. Plain stores hold every existing name; a Kubernetes store also takes
// the underscores of `_port._proto` as optional, ignores labels left of a pod's name, and makes up pods in insecure
// mode (CoreDNS plugin kubernetes, record model).

import {
  NAME_SCRATCH,
  OWNER_FLAGS,
  RECORDS_KUBERNETES,
  RECORDS_MULTICLUSTER,
  RECORDS_PODS_INSECURE,
  RECORDS_STEP_FLAGS,
  RECORDS_STEP_SERVICES,
  RECORDS_STEP_STORE,
  RECORDS_ZONAL,
} from '../shared/layout';
import { copyOctets } from '../wire/octets';
import { area, qnameAt, qnameBytes } from '../wire/query';
import { dashedAddress, isReverseName } from './addresses';
import { tableFind } from './table';

/** put() flag: the zone part of the question must be spelt in lower case. */
export const OWNER_ZONE_CASE: u32 = 1;
/** put() flag: types that the owner lacks are NXDOMAIN. */
export const OWNER_NO_NODATA: u32 = 2;
/** put() flag: TXT is NODATA although the owner has no RRset. */
export const OWNER_HAS_TEXT_NODATA: u32 = 4;
/** put() flag: names in SRV and PTR records have an empty label in CoreDNS, which sends no reply then. */
export const OWNER_SILENT: u32 = 8;
/** put() flags: all ports of the service have this protocol. */
const OWNER_ALL_TCP: u32 = 16;
const OWNER_ALL_UDP: u32 = 32;
const OWNER_ALL_SCTP: u32 = 64;

export const KEY_AT: u32 = 512; // in NAME_SCRATCH: the key as looked up
const POD_ADDRESS_AT: u32 = 800; // in NAME_SCRATCH: 16 octets

/** Result of findOwner() for a pod that insecure mode makes up; its address stands at podAddressAt. */
export const MADE_UP: u32 = 1;
export let podAddressAt: u32 = 0;
/** 4 or 16. */
export let podAddressBytes: u32 = 0;
/** The owner found last is a pod, made up or verified. */
export let foundPod: bool = false;
/** Relative name of the pod, without labels left of it. */
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
  foundPod = false;
  if (!(flags & RECORDS_KUBERNETES)) return tableFind(store, key, keyBytes);
  const labels = walkKey(key, keyBytes);
  const services = load<u32>(step + RECORDS_STEP_SERVICES);
  let owner: u32;
  if (labels > 5) {
    owner = flags & RECORDS_ZONAL ? findZonal(services, key, keyBytes, labels) : 0;
  } else if (labels >= 3 && isLabel3(key + labelOffset(labels - 1), LABEL_POD)) {
    owner = findPod(store, flags, key, keyBytes, labels);
  } else if (labels == 5) {
    owner = findPort(services, flags, key, keyBytes);
  } else {
    const isService = labels > 0 && isLabel3(key + labelOffset(labels - 1), LABEL_SVC);
    owner = tableFind(isService ? services : store, key, keyBytes);
  }
  if (owner <= MADE_UP) return owner == MADE_UP && isQuestion && isReverseName() ? 0 : owner;
  if (isQuestion && !isVisible(owner, keyBytes, labels)) return 0;
  return owner;
}

/** Reverse zones hold no services, and ns.dns exists in the lower-case spelling of the zone only. */
function isVisible(owner: u32, keyBytes: u32, labels: u32): bool {
  const hasZoneCase = (<u32>load<u16>(owner + OWNER_FLAGS) & OWNER_ZONE_CASE) != 0; // Bounds: a live owner
  // The root zone has no ns.dns: CoreDNS looks for the first dot of that name and takes it for the zone's.
  if (hasZoneCase) return keyBytes == 0 || (qnameBytes - keyBytes > 1 && zoneIsLower(keyBytes));
  return labels < 2 || !isReverseName();
}

/** True if the question spells its zone, which begins `keyBytes` behind the qname's start, in lower case. */
export function zoneIsLower(keyBytes: u32): bool {
  // Bounds: inside the question's name
  for (let i = keyBytes; i < qnameBytes; i++) if (<u32>load<u8>(qnameAt + i) - 65 < 26) return false;
  return true;
}

/**
 * port.proto.service.namespace.svc: one leading underscore of port and proto does not count, and an underscore alone
 * stands for any. In a cluster set two labels without underscore are an endpoint and its cluster, and the keys of ports
 * begin with an empty label.
 */
function findPort(storeAt: u32, flags: u32, key: u32, keyBytes: u32): u32 {
  if (!isLabel3(key + label4, LABEL_SVC)) return 0;
  const to = area + NAME_SCRATCH + KEY_AT;
  let port = to;
  if (flags & RECORDS_MULTICLUSTER) {
    if (!isUnderscored(key + label0) && !isUnderscored(key + label1)) return tableFind(storeAt, key, keyBytes);
    store<u8>(port++, 0);
  }
  const proto = copyStripped(port, key + label0);
  const rest = copyStripped(proto, key + label1);
  const restBytes = keyBytes - label2;
  copyOctets(rest, key + label2, restBytes); // Bounds: a key has at most 255 octets, the scratch 288
  const owner = tableFind(storeAt, to, rest + restBytes - to);
  // Bounds: labels just written
  if (owner || (load<u8>(port) && load<u8>(proto))) return owner;
  const bare = tableFind(storeAt, rest, restBytes);
  if (load<u8>(port)) return findAnyProtocol(storeAt, to, proto, key + label2, restBytes);
  return bare && (!load<u8>(proto) || hasOneProtocol(bare, proto)) ? bare : 0;
}

/** \3tcp, \3udp, \4sctp */
const LABEL_TCP: u32 = 0x70637403;
const LABEL_UDP: u32 = 0x70647503;
const LABEL_SCTP: u32 = 0x74637304;

/** True if all ports of the service have the protocol of this label. */
function hasOneProtocol(service: u32, label: u32): bool {
  const flags: u32 = load<u16>(service + OWNER_FLAGS); // Bounds: a live owner
  const first = load<u32>(label); // Bounds: the rest of the key stands behind the label
  if (first == LABEL_TCP) return (flags & OWNER_ALL_TCP) != 0;
  if (first == LABEL_UDP) return (flags & OWNER_ALL_UDP) != 0;
  return first == LABEL_SCTP && load<u8>(label + 4) == 112 && (flags & OWNER_ALL_SCTP) != 0;
}

/** The port of that name; `proto` is where the key's protocol stands, `rest` is what follows it. */
function findAnyProtocol(storeAt: u32, key: u32, proto: u32, rest: u32, restBytes: u32): u32 {
  for (let i: u32 = 0; i < 3; i++) {
    // Bounds: at most four octets more than the empty label that stood here; a key has at most 255
    store<u32>(proto, i == 0 ? LABEL_TCP : i == 1 ? LABEL_UDP : LABEL_SCTP);
    store<u8>(proto + 4, 112);
    const at = proto + (i == 2 ? 5 : 4);
    copyOctets(at, rest, restBytes);
    const owner = tableFind(storeAt, key, at + restBytes - key);
    if (owner) return owner;
  }
  return 0;
}

@inline
function isUnderscored(label: u32): bool {
  return load<u8>(label) != 0 && load<u8>(label + 1) == 95; // Bounds: a label of the key
}

/** \3pin, \6pref, \5_zon, and what follows them */
const LABEL_PIN: u32 = 0x6e697003;
const LABEL_PREF: u32 = 0x65727006;
const LABEL_ZON: u32 = 0x6f7a5f05;

/**
 * TOPOLOGY-ZONE.pin|prefer._zone.service.namespace.svc: the owner of that zone, or the one of all zones that no
 * endpoint is in, whose key has an empty label in the zone's place.
 */
function findZonal(storeAt: u32, key: u32, keyBytes: u32, labels: u32): u32 {
  let at: u32 = 0;
  for (let i: u32 = 5; i < labels; i++) at += <u32>load<u8>(key + at) + 1; // Bounds: labels of the key
  const directive = key + at;
  const isPin = load<u32>(directive) == LABEL_PIN;
  if (!isPin && !(load<u32>(directive) == LABEL_PREF && load<u32>(directive + 3) == 0x72656665)) return 0;
  const anchor = directive + (isPin ? 4 : 7);
  if (load<u32>(anchor) != LABEL_ZON || load<u16>(anchor + 4) != 0x656e) return 0;
  // Bounds: three labels follow the anchor
  let last = anchor + 6;
  for (let i: u32 = 0; i < 2; i++) last += <u32>load<u8>(last) + 1;
  if (!isLabel3(last, LABEL_SVC)) return 0;
  const owner = tableFind(storeAt, key, keyBytes);
  if (owner) return owner;
  const to = area + NAME_SCRATCH + KEY_AT;
  store<u8>(to, 0);
  copyOctets(to + 1, directive, keyBytes - at); // Bounds: a key has at most 255 octets, the scratch 288
  return tableFind(storeAt, to, 1 + keyBytes - at);
}

/** Copies a label without its leading underscore; returns the octet behind the copy. */
export function copyStripped(to: u32, label: u32): u32 {
  const bytes: u32 = load<u8>(label); // Bounds: a label of the key
  const skip: u32 = bytes && load<u8>(label + 1) == 95 ? 1 : 0;
  store<u8>(to, <u8>(bytes - skip));
  copyOctets(to + 1, label + 1 + skip, bytes - skip);
  return to + 1 + bytes - skip;
}

/** [ignored labels.]name.namespace.pod */
function findPod(store: u32, flags: u32, key: u32, keyBytes: u32, labels: u32): u32 {
  const name = labelOffset(labels - 3);
  const namespace = labelOffset(labels - 2);
  foundPod = true;
  podNameAt = key + name;
  podNameBytes = keyBytes - name;
  if (!(flags & RECORDS_PODS_INSECURE)) return tableFind(store, podNameAt, podNameBytes);
  if (!tableFind(store, key + namespace, keyBytes - namespace)) return 0;
  podAddressAt = area + NAME_SCRATCH + POD_ADDRESS_AT;
  podAddressBytes = dashedAddress(podNameAt + 1, load<u8>(podNameAt), podAddressAt); // Bounds: a label of the key
  return podAddressBytes ? MADE_UP : 0;
}
