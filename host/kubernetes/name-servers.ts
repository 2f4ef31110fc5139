// Which names the zone calls its name servers. CoreDNS looks for itself in the cluster: the services whose endpoints
// carry an address of this process; when there are none, ns.dns with the process's own addresses.

import { networkInterfaces } from 'node:os';
import { packAddress } from './addresses.ts';
import type { ClusterModel, ServiceEntry, SliceEntry } from './model.ts';
import { ownerKey } from './names.ts';
import { addressAt, endpointLabels } from './owners.ts';
import { isSliceWith } from './reverse-names.ts';

export const NS_DNS = ownerKey('ns', 'dns')!;

export interface NameServers {
  /** Keys of the owners that the NS records name, each once. */
  readonly keys: readonly string[];
  /** Packed addresses of ns.dns, each once. */
  readonly addresses: readonly string[];
  /** Services that the answer depends on. */
  readonly services: ReadonlySet<ServiceEntry>;
}

/** @param local packed addresses of this process. */
export function nameServers(model: ClusterModel, local: readonly string[]): NameServers {
  const keys = new Set<string>();
  const addresses = new Set<string>();
  const services = new Set<ServiceEntry>();
  for (const slice of local.flatMap((address) => slicesWith(model, address))) {
    services.add(slice.service);
    collect(slice, keys, addresses);
  }
  if (services.size > 0 || local.length === 0) return { keys: [...keys], addresses: [...addresses], services };
  return { keys: [NS_DNS], addresses: local, services };
}

/** Packed addresses of this machine's interfaces, without loopback. */
export function localAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => !address.internal)
    .map((address) => packAddress(address.address.replace(/%.*$/, '')))
    .filter((packed) => packed !== '');
}

function slicesWith(model: ClusterModel, address: string): SliceEntry[] {
  return [...model.addresses.candidates(address)].filter((holder) => isSliceWith(holder, address));
}

/** A headless service is named by its endpoints, any other by itself. */
function collect(slice: SliceEntry, keys: Set<string>, addresses: Set<string>): void {
  const { service, namespace, name } = slice.service;
  const base = ownerKey(name, namespace.name, 'svc');
  if (service === undefined || base === undefined) return;
  if (service.kind === 'headless') {
    for (const [i, label] of endpointLabels(slice).entries()) {
      const key = ownerKey(label);
      if (key === undefined) continue;
      keys.add(key + base);
      addresses.add(addressAt(slice, i));
    }
    return;
  }
  for (let at = 0; at < service.v4.length; at += 4) addresses.add(service.v4.slice(at, at + 4));
  for (let at = 0; at < service.v6.length; at += 16) addresses.add(service.v6.slice(at, at + 16));
  if (service.v4 + service.v6 !== '') keys.add(base);
}
