import { join } from 'node:path';
import { CLUSTER_PROOF, writeCorefile } from './corefile.ts';
import { directoryOf, launch, type Peer } from './peer.ts';

/** This project, as it is shipped: the bundle of `npm run build`, one shard. */
export const wasmdns: Peer = {
  name: 'wasmdns',
  title: 'wasmdns',
  abilities: ['cluster', 'forward'],
  command: (room) => join(room.repository, 'node_modules', '.bin', 'node'),
  install: 'npm ci && npm run build',
  async start(room) {
    const directory = directoryOf(room, 'wasmdns');
    const { file, port } = await writeCorefile(room, directory);
    const bundle = join(room.repository, 'dist', 'wasmdns.js');
    const words = [...room.nodeFlags, bundle, '-conf', file, '--shards', '1'];
    return launch({ peer: wasmdns, room, directory, port, words, core: room.serverCore, proof: CLUSTER_PROOF });
  },
};
