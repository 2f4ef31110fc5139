import { join } from 'node:path';
import { freePort } from '../../test/e2e/support/ports.ts';
import { directoryOf, launch, type Peer } from './peer.ts';

/** No server: every datagram comes back with QR set. What the system calls alone allow on this machine. */
export const echo: Peer = {
  name: 'echo',
  title: 'echo (the limit)',
  abilities: ['echo'],
  command: () => process.execPath,
  install: 'npm ci',
  async start(room) {
    const directory = directoryOf(room, 'echo');
    const port = await freePort();
    const words = [join(room.repository, 'bench', 'load', 'echo.ts'), String(port)];
    return launch({ peer: echo, room, directory, port, words, core: room.serverCore, proof: 'a. A NOERROR 0' });
  },
};
