// RRsets as the record store takes them.

import type { RecordName, RecordSet } from '../plugin/contract.ts';

export function absoluteName(wire: string): RecordName {
  return { wire: `${wire}\0`, relative: false };
}

export function addressSets(v4: string, v6: string): RecordSet[] {
  const sets: RecordSet[] = [];
  if (v4 !== '') sets.push({ type: 'A', addresses: v4 });
  if (v6 !== '') sets.push({ type: 'AAAA', addresses: v6 });
  return sets;
}
