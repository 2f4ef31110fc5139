/**
 * The Corefile that CoreDNS and wasmdns are both given: kubeadm's default with ports of its own, and two blocks beside
 * it that cost the others nothing: a zone answered from a hosts file, and one that is rewritten to it.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/e2e/support/ports.ts';
import { hostsFile, service } from '../inventory.ts';
import { fillTemplate, type Room } from './peer.ts';

/** Writes it to `directory`; the port is where DNS is served. `isWhole` false: kubeadm's block alone. */
export async function writeCorefile(
  room: Room,
  directory: string,
  isWhole = true,
): Promise<{ file: string; port: number }> {
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
  const text = fillTemplate('Corefile', words);
  writeFileSync(file, isWhole ? text : text.slice(0, text.indexOf('\n}') + 3));
  return { file, port };
}

/** Answered only when services and endpoints are synchronised. */
export const CLUSTER_PROOF = `${service(0).owner} A NOERROR 1`;
