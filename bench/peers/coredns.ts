import { join } from 'node:path';
import { CLUSTER_PROOF, writeCorefile } from './corefile.ts';
import { directoryOf, launch, type Peer } from './peer.ts';

/** The reference: CoreDNS 1.14.7 built from its published Go module. */
export const coredns: Peer = {
  name: 'coredns',
  title: 'CoreDNS',
  abilities: ['cluster', 'forward', 'hosts'],
  command: (room) => join(room.tools, 'bin', 'coredns'),
  install: 'test/e2e/install.sh coredns',
  async start(room) {
    const directory = directoryOf(room, 'coredns');
    const { file, port } = await writeCorefile(room, directory);
    const words = ['-conf', file];
    return launch({ peer: coredns, room, directory, port, words, core: room.serverCore, proof: CLUSTER_PROOF });
  },
};
