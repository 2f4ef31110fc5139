import { createRequire } from 'node:module';
import { join } from 'node:path';
import { CLUSTER_PROOF, writeCorefile } from './corefile.ts';
import { directoryOf, launch, type Peer, type Room } from './peer.ts';

/** This project, as it is shipped: the bundle of `npm run build`, one shard. */
export const wasmdns: Peer = {
  name: 'wasmdns',
  title: 'wasmdns',
  abilities: ['cluster', 'forward', 'hosts'],
  command: nodeOf,
  install: 'npm ci && npm run build',
  async start(room) {
    const directory = directoryOf(room, 'wasmdns');
    const { file, port } = await writeCorefile(room, directory);
    const bundle = join(room.repository, 'dist', 'wasmdns.js');
    const words = [...room.nodeFlags, bundle, '-conf', file, '--shards', '1'];
    return launch({ peer: wasmdns, room, directory, port, words, core: room.serverCore, proof: CLUSTER_PROOF });
  },
};

/** Another build of it, by the directory of its bundle (`dist`): did a change cost anything? */
export function earlierBuild(dist: string): Peer {
  const peer: Peer = {
    name: 'before',
    title: `wasmdns of ${dist}`,
    abilities: ['cluster', 'forward'],
    command: nodeOf,
    install: `a build whose bundle is ${join(dist, 'wasmdns.js')}`,
    async start(room) {
      requireSockets(dist);
      const directory = directoryOf(room, 'before');
      const { file, port } = await writeCorefile(room, directory, false);
      const words = [join(dist, 'wasmdns.js'), '-conf', file, '--shards', '1'];
      return launch({ peer, room, directory, port, words, core: room.serverCore, proof: CLUSTER_PROOF });
    },
  };
  return peer;
}

/** Without koffi the build would serve by node:dgram, and lose by far. */
function requireSockets(dist: string): void {
  try {
    createRequire(join(dist, 'wasmdns.js')).resolve('koffi');
  } catch {
    throw new Error(`no node_modules with koffi stand at or above ${dist}: its batched system calls would be missing`);
  }
}

function nodeOf(room: Room): string {
  return join(room.repository, 'node_modules', '.bin', 'node');
}
