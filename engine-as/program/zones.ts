// Zone lists of a program and the routing of a question to a server block (CoreDNS core, A4 point 9).

import { TYPE_DS } from '../shared/codes';
import {
  LISTENER_ZONES,
  LISTENER_ZONE_COUNT,
  ZONE_LABELS,
  ZONE_LIST_ENTRIES,
  ZONE_LIST_STRIDE,
  ZONE_NAME,
  ZONE_NAME_BYTES,
  ZONE_STRIDE,
} from '../shared/layout';
import { sameOctets } from '../wire/name';
import { labelsAt, lowerAt, qnameBytes, qnameLabels, qtype } from '../wire/query';

/** True if the question lies at or below this lower-case zone; a suffix must begin at a label. */
export function isBelow(zone: u32, zoneBytes: u32, zoneLabels: u32): bool {
  return nameIsBelow(lowerAt, qnameBytes, labelsAt, qnameLabels, zone, zoneBytes, zoneLabels);
}

/** @param offsets where the name's labels begin, as flatName() leaves them */
@inline
export function nameIsBelow(
  name: u32, bytes: u32, offsets: u32, labels: u32, zone: u32, zoneBytes: u32, zoneLabels: u32,
): bool {
  if (zoneLabels == 0) return true;
  if (labels < zoneLabels) return false;
  // Bounds: labels of the name, and the suffix lies inside it
  const start: u32 = load<u8>(offsets + labels - zoneLabels);
  return start + zoneBytes == bytes && sameOctets(name + start, zone, zoneBytes);
}

/** Entry of the list with the longest zone that holds the question, or 0. */
export function longestZone(list: u32): u32 {
  if (!list) return 0;
  const count = load<u32>(list); // Bounds: lists are compiled by the host
  let best: u32 = 0;
  let bestLabels: i32 = -1;
  for (let i: u32 = 0; i < count; i++) {
    const entry = list + ZONE_LIST_ENTRIES + i * ZONE_LIST_STRIDE;
    const labels = load<u32>(entry + 8);
    if (<i32>labels > bestLabels && isBelow(load<u32>(entry), load<u32>(entry + 4), labels)) {
      best = entry;
      bestLabels = <i32>labels;
    }
  }
  return best;
}

/** The listener's zone entry that serves the question, or 0. Entries stand longest first, the root zone last. */
export function routeQuestion(listener: u32): u32 {
  const count = load<u32>(listener + LISTENER_ZONE_COUNT); // Bounds: compiled by the host
  const first = load<u32>(listener + LISTENER_ZONES);
  let parent: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const zone = first + i * ZONE_STRIDE;
    const labels = load<u32>(zone + ZONE_LABELS);
    if (!isBelow(load<u32>(zone + ZONE_NAME), load<u32>(zone + ZONE_NAME_BYTES), labels)) continue;
    if (qtype != TYPE_DS) return zone;
    // DS belongs to the parent side: the shortest match, the root only if nothing else matched.
    if (labels || !parent) parent = zone;
  }
  return parent;
}
