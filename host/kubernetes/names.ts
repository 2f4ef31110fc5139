// Names in wire form as one-byte strings: what the cluster model compares and hands to the record store.

import { LABEL_BYTES_MAX } from '../../engine-as/shared/codes.ts';
import { composeName } from '../dns/name.ts';

/** First octet of a reverse key (engine-as/shared/layout.ts): no label is that long, so it cannot begin a name. */
export const REVERSE_KEY = 0xff;

/**
 * Labels to the key of an owner relative to the zone: lower-case, wire form without the root label.
 * Undefined when a label is empty, longer than 63 octets or holds anything but visible ASCII without a dot: such an
 * object has no name in the DNS.
 */
export function ownerKey(...labels: readonly string[]): string | undefined {
  let key = '';
  for (const label of labels) {
    if (label.length > LABEL_BYTES_MAX || !/^[!-\-/-~]+$/.test(label)) return undefined;
    key += String.fromCharCode(label.length) + label.toLowerCase();
  }
  return key;
}

/** Wire form of a name that composeName() accepts, without the root label. */
export function wireOf(name: string): string {
  return Buffer.from(composeName(name)).toString('latin1').slice(0, -1);
}

/** Key of the reverse owner of a packed address. */
export function reverseKey(packed: string): string {
  return String.fromCharCode(REVERSE_KEY) + packed;
}

export function keyOctets(key: string): Uint8Array {
  return new Uint8Array(Buffer.from(key, 'latin1'));
}
