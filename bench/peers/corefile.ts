/**
 * The Corefile that CoreDNS and wasmdns are both given: kubeadm's default with ports of its own, a rewritten suffix, and a zone that is
 * answered from a hosts file.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/e2e/support/ports.ts';
import { hostsFile, service } from '../inventory.ts';
import { fillTemplate, type Room } from './peer.ts';

/** Writes it to `directory`; the port is where DNS is served. */
export async function writeCorefile(room: Room, directory: string): Promise<{ file: string; port: number }> {
  const port = await freePort();
  const file = join(directory, 'Corefile');
  const words = {
    PORT: port,
    HEALTH: await freePort(),
    READY: await freePort(),
    METRICS: await freePort(),
    KUBECONFIG: room.kubeconfig,
    UPSTREAM: room.upstreamPort,
    HOSTS: join(directory, 'hosts'),
  };
  writeFileSync(words.HOSTS, hostsFile());
  writeFileSync(file, fillTemplate('Corefile', words));
  return { file, port };
}

/** Answered only when services and endpoints are synchronised. */
export const CLUSTER_PROOF = `${service(0).owner} A NOERROR 1`;
