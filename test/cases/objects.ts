// Reads the fixture files of the cases: YAML of Kubernetes objects with a few words to be filled in.

import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubernetesObject } from '../e2e/support/api-client.ts';

/** The first address of this machine that is not loopback, IPv4 before IPv6. */
export function localAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const usable = all.filter((entry) => !entry.internal && !entry.address.startsWith('fe80:'));
  return (usable.find((entry) => entry.family === 'IPv4') ?? usable[0])?.address;
}

/** Text of `test/cases/objects/NAME` with its words filled in. */
export function objectsText(name: string): string {
  // A documentation address (RFC 5737) where the machine has none: the NS cases do not run there.
  const address = localAddress() ?? '192.0.2.200';
  const endpoints = Array.from(
    { length: 60 },
    (_, n) => `{ addresses: [10.1.3.${n + 1}], conditions: { ready: true } }`,
  );
  return readFileSync(join(import.meta.dirname, 'objects', name), 'utf8')
    .replaceAll('LOCAL_ADDRESS]', `'${address}']`)
    .replaceAll('LONG_POD_NAME', 'p'.repeat(64))
    .replaceAll('LOCAL_FAMILY', address.includes(':') ? 'IPv6' : 'IPv4')
    .replaceAll('MANY_ENDPOINTS', `[${endpoints.join(', ')}]`);
}

export function readObjects(name: string): KubernetesObject[] {
  return parseAllDocuments(objectsText(name)).map((document) => {
    if (document.errors.length > 0) throw new Error(`${name}: ${document.errors[0]!.message}`);
    return document.toJS() as KubernetesObject;
  });
}
