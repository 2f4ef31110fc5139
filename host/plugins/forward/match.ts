// Which stanza takes a query: the first whose FROM covers the name and which does not except it.

import { HEADER_BYTES } from '../../../engine-as/shared/codes.ts';
import { composeName, isInZone } from '../../dns/name.ts';
import type { Stanza } from './parse.ts';

/** Index of the first such stanza from `first` on; negative: none. @param name lower-case, fully qualified */
export function matchName(stanzas: readonly Stanza[], name: string, first = 0): number {
  for (let i = first; i < stanzas.length; i++) {
    const { from, except } = stanzas[i]!;
    if (!isInZone(name, from)) continue;
    // FROM itself is forwarded even if it is excepted
    if (name === from || !except.some((zone) => isInZone(name, zone))) return i;
  }
  return -1;
}

/** The same for messages in memory, without allocating anything. */
export class MessageMatcher {
  readonly #stanzas: readonly WireStanza[];

  constructor(stanzas: readonly Stanza[]) {
    this.#stanzas = stanzas.map(({ from, except }) => ({
      from: composeName(from),
      except: except.map((zone) => composeName(zone)),
    }));
  }

  /** @param at of a query that was checked: one question, its name uncompressed. */
  match(octets: Uint8Array, at: number, first = 0): number {
    for (let i = first; i < this.#stanzas.length; i++) {
      const { from, except } = this.#stanzas[i]!;
      const nameAt = at + HEADER_BYTES;
      const covered = coverage(octets, nameAt, from);
      if (covered === OUTSIDE) continue;
      if (covered === EQUAL) return i;
      let isExcepted = false;
      for (let k = 0; k < except.length && !isExcepted; k++) {
        isExcepted = coverage(octets, nameAt, except[k]!) !== OUTSIDE;
      }
      if (!isExcepted) return i;
    }
    return -1;
  }
}

interface WireStanza {
  readonly from: Uint8Array;
  readonly except: readonly Uint8Array[];
}

const OUTSIDE = 0;
const BELOW = 1;
const EQUAL = 2;

/** How the name at `at` stands to the zone, which is in lower-case wire form. */
function coverage(octets: Uint8Array, at: number, zone: Uint8Array): number {
  let end = at;
  // Bounds: the query's name ends in the root label within the message.
  while (octets[end] !== 0) end += octets[end]! + 1;
  const start = end + 1 - zone.length;
  if (start < at) return OUTSIDE;
  let label = at;
  while (label < start) label += octets[label]! + 1;
  if (label !== start) return OUTSIDE;
  for (let i = 0; i < zone.length; i++) if (folded(octets[start + i]!) !== zone[i]) return OUTSIDE;
  return start === at ? EQUAL : BELOW;
}

function folded(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet;
}
