import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/e2e/support/ports.ts';
import { directoryOf, fillTemplate, launch, type Peer, type Room, type Running } from './peer.ts';

const knotd: Peer = {
  name: 'upstream',
  title: 'the upstream (Knot DNS)',
  abilities: [],
  command: () => '/usr/sbin/knotd',
  install: 'test/e2e/install.sh apt',
  start: startUpstream,
};

/** Whom the forwarders ask, on the load's core: any name below example. exists, none below internal. does. */
export async function startUpstream(room: Room): Promise<Running> {
  const directory = directoryOf(room, 'upstream');
  const port = await freePort();
  for (const zone of ['example.zone', 'internal.zone']) {
    copyFileSync(join(import.meta.dirname, zone), join(directory, zone));
  }
  writeFileSync(join(directory, 'conf'), fillTemplate('upstream.conf', { PORT: port, DIRECTORY: directory }));
  const words = ['-c', join(directory, 'conf')];
  const proof = 'proof.example. A NOERROR 1';
  return launch({ peer: knotd, room, directory, port, words, core: room.loadCore, proof });
}
