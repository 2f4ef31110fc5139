// Zone-scoped names of a headless service (CoreDNS 1.14.7, option zonal): `ZONE.pin._zone.SERVICE...` for the endpoints
// of a topology zone, `ZONE.prefer._zone.SERVICE...` for the same, or for all if the zone has none. ZONE may have dots.

import { OWNER_HAS_TEXT_NODATA } from '../plugin/contract.ts';
import { addressAt, Collector, type SliceRecords } from './collector.ts';
import type { EndpointNames } from './endpoint-names.ts';
import { ownerKey } from './names.ts';

const DIRECTIVES = ['pin', 'prefer'] as const;

/**
 * One owner for each directive and zone that an endpoint has, and one for each directive in all other zones, whose key
 * begins with an empty label. They exist whatever is in them.
 */
export function collectZones(slices: readonly SliceRecords[], names: EndpointNames, base: string): Collector[] {
  const owners = new Map<string, Collector>();
  const owner = (key: string) => {
    const made = owners.get(key) ?? new Collector(key);
    made.flags |= OWNER_HAS_TEXT_NODATA;
    owners.set(key, made);
    return made;
  };
  const others = DIRECTIVES.map((directive) => owner(`\0${ownerKey(directive, '_zone')}${base}`));
  for (const slice of slices) {
    const zones = slice.zones === '' ? [] : slice.zones.split('\n');
    for (const [i, target] of names.keys(slice).entries()) {
      const key = zones[i] ? ownerKey(...zones[i].split('.')) : undefined;
      const inZone =
        key === undefined ? [] : DIRECTIVES.map((word) => owner(`${key}${ownerKey(word, '_zone')}${base}`));
      for (const port of slice.ports.list) {
        for (const each of [others[1]!, ...inZone]) each.add(addressAt(slice, i), port.port, target);
      }
    }
  }
  return [...owners.values()];
}
