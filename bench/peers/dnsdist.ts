import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/e2e/support/ports.ts';
import { directoryOf, fillTemplate, launch, type Peer } from './peer.ts';

/** dnsdist with its cache of whole answers: the fastest forwarder among the packages of Debian. */
export const dnsdist: Peer = {
  name: 'dnsdist',
  title: 'dnsdist',
  abilities: ['forward'],
  command: () => '/usr/bin/dnsdist',
  install: 'test/e2e/install.sh apt',
  async start(room) {
    const directory = directoryOf(room, 'dnsdist');
    const port = await freePort();
    const values = { PORT: port, UPSTREAM: room.upstreamPort };
    writeFileSync(join(directory, 'conf'), fillTemplate('dnsdist.conf', values));
    const words = ['--supervised', '--disable-syslog', '-C', join(directory, 'conf')];
    const proof = 'proof.example. A NOERROR 1';
    return launch({ peer: dnsdist, room, directory, port, words, core: room.serverCore, proof });
  },
};
