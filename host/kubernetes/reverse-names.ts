// The names that PTR records of an address lead to, relative to the zone. A cluster IP wins over endpoints; whether
// the namespace or the service of an endpoint exists plays no role (CoreDNS plugin kubernetes).

import { findAddress } from './addresses.ts';
import { endpointLabel } from './endpoint-names.ts';
import type { ClusterModel, NamespaceEntry, ServiceEntry, SliceEntry } from './model.ts';
import { ownerKey } from './names.ts';

/**
 * Keys in name order; empty if nobody has the address; undefined if one of the names cannot be written, and so no reply
 * at all: that of an endpoint whose slice names no service.
 * @param isShown whether the objects of a namespace count.
 */
export function reverseTargets(
  model: ClusterModel,
  address: string,
  isShown: (namespace: NamespaceEntry) => boolean,
): string[] | undefined {
  const holders = model.addresses
    .candidates(address)
    .filter((holder) => isShown(holder.kind === 'slice' ? holder.service.namespace : holder.namespace));
  const [only] = holders;
  // The common case, and 150,000 endpoints come through here.
  if (holders.length === 1 && only!.kind === 'slice') return sliceTargets([only!], address);
  const services = holders
    .filter((holder) => isServiceWith(holder, address))
    .map((entry) => ownerKey(entry.name, entry.namespace.name, 'svc'))
    .filter((key) => key !== undefined);
  // Several services with one address: any of them would do, and the first by name is always the same.
  if (services.length > 0) return services.sort(inOctetOrder).slice(0, 1);
  return sliceTargets(
    holders.filter((holder) => holder.kind === 'slice'),
    address,
  );
}

function sliceTargets(slices: readonly SliceEntry[], address: string): string[] | undefined {
  const found: string[] = [];
  for (const slice of slices) {
    if (!isSliceWith(slice, address)) continue;
    if (slice.service.name === '') return undefined;
    found.push(...endpointKeys(slice, address));
  }
  return found.length > 1 ? [...new Set(found)].sort(inOctetOrder) : found;
}

export function isSliceWith(holder: ServiceEntry | SliceEntry, address: string): holder is SliceEntry {
  return holder.kind === 'slice' && holder.family === address.length && findAddress(holder.addresses, address) >= 0;
}

function isServiceWith(holder: ServiceEntry | SliceEntry, address: string): holder is ServiceEntry {
  if (holder.kind !== 'service' || holder.service === undefined) return false;
  return findAddress(address.length === 4 ? holder.service.v4 : holder.service.v6, address) >= 0;
}

function endpointKeys(slice: SliceEntry, address: string): string[] {
  const keys: string[] = [];
  const base = ownerKey(slice.service.name, slice.service.namespace.name, 'svc');
  if (base === undefined) return keys;
  const { addresses, family } = slice;
  for (let at = findAddress(addresses, address); at >= 0; at = findAddress(addresses, address, at + family)) {
    const label = endpointLabel(lineAt(slice.hostnames, at / family), () => address);
    const key = ownerKey(label);
    if (key !== undefined) keys.push(key + base);
  }
  return keys;
}

/** The slice has a hundred hostnames, and only one is asked for. */
function lineAt(lines: string, index: number): string {
  let start = 0;
  // Bounds: there is a line for each address, or the text is empty and every search ends at once.
  for (let i = 0; i < index && lines !== ''; i++) start = lines.indexOf('\n', start) + 1;
  const end = lines.indexOf('\n', start);
  return lines.slice(start, end < 0 ? undefined : end);
}

function inOctetOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
