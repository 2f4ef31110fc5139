// Names in wire form as one-byte strings: what the cluster model compares and hands to the record store.

import { LABEL_BYTES_MAX } from '../../engine-as/shared/codes.ts';
import { composeName } from '../dns/name.ts';
import { CLIENT_KEY } from './clients.ts';

/** First octet of a reverse key (engine-as/shared/layout.ts): no label is that long, so it cannot begin a name. */
export const REVERSE_KEY = 0xff;

/** Visible ASCII without a dot. */
const LABEL = /^[!-\-/-~]+$/;

/** The octet before a label of each length. */
const LENGTHS = Array.from({ length: LABEL_BYTES_MAX + 1 }, (_, bytes) => String.fromCharCode(bytes));

/**
 * Labels to the key of an owner relative to the zone: lower-case, wire form without the root label.
 * Undefined when a label is empty, longer than 63 octets or holds anything but visible ASCII without a dot: such an
 * object has no name in the DNS.
 */
export function ownerKey(...labels: readonly string[]): string | undefined {
  let key = '';
  for (const label of labels) {
    if (label.length > LABEL_BYTES_MAX || !LABEL.test(label)) return undefined;
    key += LENGTHS[label.length]! + label.toLowerCase();
  }
  return key;
}

/** Key of a port and its protocol; an empty label where one of them is left out. Undefined where they are no labels. */
export function portKey(name: string, protocol: string): string | undefined {
  const [first, second] = [name, protocol].map((label) => (label === '' ? '\0' : ownerKey(label)));
  return first === undefined || second === undefined ? undefined : first + second;
}

/** Wire form of a name that composeName() accepts, without the root label. */
export function wireOf(name: string): string {
  return Buffer.from(composeName(name)).toString('latin1').slice(0, -1);
}

/** First octet of the key of a name server's addresses: no name begins with it, so nobody can ask for them. */
const GLUE_KEY = 0xfe;

/** Key of an owner that holds what the NS records show beside the name of `key`. */
export function glueKey(key: string): string {
  return String.fromCharCode(GLUE_KEY) + key;
}

/** Key of the owner that tells who a client is. */
export function clientKey(packed: string): string {
  return String.fromCharCode(CLIENT_KEY) + packed;
}

/** Key of the reverse owner of a packed address. */
export function reverseKey(packed: string): string {
  return String.fromCharCode(REVERSE_KEY) + packed;
}

export function keyOctets(key: string): Uint8Array {
  const octets = new Uint8Array(key.length);
  for (let i = 0; i < key.length; i++) octets[i] = key.charCodeAt(i);
  return octets;
}
