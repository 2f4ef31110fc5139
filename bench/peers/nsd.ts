import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/e2e/support/ports.ts';
import { askedClusterIps } from '../inventory.ts';
import { directoryOf, fillTemplate, launch, type Peer } from './peer.ts';
import { writeStaticZones } from './static-zones.ts';

/** NSD serving a static zone of the names asked. It answers from a forked child: CPU and RSS are of the whole tree. */
export const nsd: Peer = {
  name: 'nsd',
  title: 'NSD',
  abilities: ['zone'],
  command: () => '/usr/sbin/nsd',
  install: 'test/e2e/install.sh apt',
  async start(room) {
    const directory = directoryOf(room, 'nsd');
    const port = await freePort();
    writeStaticZones(directory, room.services);
    writeFileSync(join(directory, 'conf'), fillTemplate('nsd.conf', { PORT: port, DIRECTORY: directory }));
    const words = ['-d', '-c', join(directory, 'conf')];
    const proof = `${askedClusterIps(room.services)[0]!.owner} A NOERROR 1`;
    return launch({ peer: nsd, room, directory, port, words, core: room.serverCore, proof });
  },
};
