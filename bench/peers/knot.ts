import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/e2e/support/ports.ts';
import { askedClusterIps } from '../inventory.ts';
import { directoryOf, fillTemplate, launch, type Peer } from './peer.ts';
import { writeStaticZones } from './static-zones.ts';

/** Knot DNS serving a static zone of the names asked: a fast authoritative server with nothing to watch. */
export const knot: Peer = {
  name: 'knot',
  title: 'Knot DNS',
  abilities: ['zone'],
  command: () => '/usr/sbin/knotd',
  install: 'test/e2e/install.sh apt',
  async start(room) {
    const directory = directoryOf(room, 'knot');
    const port = await freePort();
    writeStaticZones(directory, room.services);
    writeFileSync(join(directory, 'conf'), fillTemplate('knot.conf', { PORT: port, DIRECTORY: directory }));
    const words = ['-c', join(directory, 'conf')];
    const proof = `${askedClusterIps(room.services)[0]!.owner} A NOERROR 1`;
    return launch({ peer: knot, room, directory, port, words, core: room.serverCore, proof });
  },
};
