// The names of endpoints: labels of a slice, and keys below a service.

import { dashedLabel } from './addresses.ts';
import { addressAt, type SliceAddresses, type SliceRecords } from './collector.ts';
import { ownerKey } from './names.ts';
import { POD_NAME } from './objects/endpoint-slice.ts';

/** Label of each endpoint: its hostname, its pod's name where that is asked for, or its address with dashes. */
export function endpointLabels(slice: SliceAddresses): string[] {
  const hostnames = slice.hostnames === '' ? [] : slice.hostnames.split('\n');
  const labels: string[] = [];
  for (let i = 0; i * slice.family < slice.addresses.length; i++) {
    labels.push(endpointLabel(hostnames[i] ?? '', () => addressAt(slice, i)));
  }
  return labels;
}

/** Label of an endpoint by its line among a slice's hostnames. */
export function endpointLabel(hostname: string, address: () => string): string {
  if (hostname === '') return dashedLabel(address());
  return hostname.startsWith(POD_NAME) ? hostname.slice(POD_NAME.length) : hostname;
}

/** Keys of a slice's endpoints, made once for each slice; undefined where a label or the name is too long. */
export class EndpointNames {
  readonly #made = new Map<SliceRecords, readonly (string | undefined)[]>();
  readonly #base: string;
  readonly #keyBytesMax: number;

  constructor(base: string, keyBytesMax: number) {
    this.#base = base;
    this.#keyBytesMax = keyBytesMax;
  }

  keys(slice: SliceRecords): readonly (string | undefined)[] {
    const known = this.#made.get(slice);
    if (known !== undefined) return known;
    // A cluster's name may hold dots: the endpoint is then named in SRV records, and nobody can ask for it.
    const cluster = slice.cluster === '' ? '' : ownerKey(...slice.cluster.split('.'));
    const keys = endpointLabels(slice).map((label) => {
      const key = ownerKey(label);
      if (key === undefined || cluster === undefined) return undefined;
      const whole = key + cluster + this.#base;
      return whole.length > this.#keyBytesMax ? undefined : whole;
    });
    this.#made.set(slice, keys);
    return keys;
  }
}
