import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/e2e/support/ports.ts';
import { directoryOf, fillTemplate, launch, type Peer } from './peer.ts';

/** Unbound as a caching forwarder, one thread. */
export const unbound: Peer = {
  name: 'unbound',
  title: 'Unbound',
  abilities: ['forward'],
  command: () => '/usr/sbin/unbound',
  install: 'test/e2e/install.sh apt',
  async start(room) {
    const directory = directoryOf(room, 'unbound');
    const port = await freePort();
    const values = { PORT: port, DIRECTORY: directory, UPSTREAM: room.upstreamPort };
    writeFileSync(join(directory, 'conf'), fillTemplate('unbound.conf', values));
    const words = ['-d', '-c', join(directory, 'conf')];
    const proof = 'proof.example. A NOERROR 1';
    return launch({ peer: unbound, room, directory, port, words, core: room.serverCore, proof });
  },
};
