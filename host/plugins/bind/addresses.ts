// From words to addresses: an interface stands for all that it has.

import { existsSync } from 'node:fs';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { addressOctets } from '../../dns/address.ts';
import { UserError } from '../../errors.ts';
import type { BindConfig } from './parse.ts';

/** Addresses by interface, IPv6 link-local ones with their zone. */
export type InterfaceAddresses = (name: string) => readonly string[] | undefined;

/** In file order; what is named twice is there twice. Throws UserError. */
export function boundAddresses(config: BindConfig, addressesOf: InterfaceAddresses = systemAddresses): string[] {
  return config.lists.flatMap(({ words, except }) => {
    const excepted = new Set(expanded(except, addressesOf));
    return expanded(words, addressesOf).filter((address) => !excepted.has(address));
  });
}

function expanded(words: readonly string[], addressesOf: InterfaceAddresses): string[] {
  return words.flatMap((word) => {
    const addresses = addressesOf(word);
    if (addresses !== undefined) return [...addresses];
    if (addressOctets(word) !== undefined) return [word];
    throw new UserError(`not a valid IP address or interface name: ${JSON.stringify(word)}`);
  });
}

function systemAddresses(name: string): readonly string[] | undefined {
  const entries = networkInterfaces()[name];
  if (entries !== undefined) return entries.map((entry) => addressOf(name, entry));
  // The system's list leaves out what is down or has no address
  const isName = /^[^/\s]+$/.test(name) && name !== '.' && name !== '..';
  return isName && existsSync(`/sys/class/net/${name}`) ? [] : undefined;
}

function addressOf(name: string, { address, family }: NetworkInterfaceInfo): string {
  const isLinkLocal = family === 'IPv6' && (addressOctets(address)?.[0] ?? 0) === 0xfe && /^fe[89ab]/i.test(address);
  return isLinkLocal ? `${address}%${name}` : address;
}
