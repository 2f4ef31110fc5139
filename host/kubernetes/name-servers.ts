// Which names the zone calls its name servers. CoreDNS looks for itself in the cluster: the services whose endpoints
// carry an address of this process; when no endpoint does, ns.dns with the process's own addresses.

import { networkInterfaces } from 'node:os';
import { packAddress } from './addresses.ts';
import { addressAt } from './collector.ts';
import { endpointLabels } from './endpoint-names.ts';
import type { ClusterModel, ServiceEntry, SliceEntry } from './model.ts';
import { ownerKey } from './names.ts';
import { isSliceWith } from './reverse-names.ts';

export const NS_DNS = ownerKey('ns', 'dns')!;

export interface NameServers {
  /** Packed addresses by key of the owner that an NS record names; one that is found twice stands there twice. */
  readonly names: ReadonlyMap<string, readonly string[]>;
  /** Services that the answer depends on. */
  readonly services: ReadonlySet<ServiceEntry>;
}

/** @param local packed addresses of this process. */
export function nameServers(model: ClusterModel, local: readonly string[]): NameServers {
  const names = new Map<string, string[]>();
  const services = new Set<ServiceEntry>();
  for (const slice of local.flatMap((address) => slicesWith(model, address))) {
    services.add(slice.service);
    collect(slice, names);
  }
  // Even a slice whose service does not exist counts: then there are no name servers at all.
  if (services.size === 0 && local.length > 0) names.set(NS_DNS, [...local]);
  return { names, services };
}

/** Packed addresses of this machine's interfaces, without loopback addresses. */
export function localAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .map((address) => packAddress(address.address.replace(/%.*$/, '')))
    .filter((packed) => packed !== '' && !isLoopback(packed));
}

function isLoopback(packed: string): boolean {
  return packed.length === 4 ? packed.charCodeAt(0) === 127 : packed === LOOPBACK_V6;
}

const LOOPBACK_V6 = packAddress('::1');

function slicesWith(model: ClusterModel, address: string): SliceEntry[] {
  return model.addresses.candidates(address).filter((holder) => isSliceWith(holder, address));
}

/** A headless service is named by its endpoints, any other by itself. */
function collect(slice: SliceEntry, names: Map<string, string[]>): void {
  const { service, namespace, name } = slice.service;
  const base = ownerKey(name, namespace.name, 'svc');
  if (service === undefined || base === undefined) return;
  const add = (key: string, address: string) => names.set(key, [...(names.get(key) ?? []), address]);
  if (service.kind === 'headless') {
    for (const [i, label] of endpointLabels(slice).entries()) {
      const key = ownerKey(label);
      if (key !== undefined) add(key + base, addressAt(slice, i));
    }
    return;
  }
  for (let at = 0; at < service.v4.length; at += 4) add(base, service.v4.slice(at, at + 4));
  for (let at = 0; at < service.v6.length; at += 16) add(base, service.v6.slice(at, at + 16));
}
