// Free ports on loopback, below the range from which the kernel takes ephemeral ones. A port that was given out stays
// claimed until this process ends, by a socket in the abstract name space: servers under test set SO_REUSEPORT, so two
// test runs that picked one port in the same moment would answer each other's queries without an error.

import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const FIRST = 20000;
const COUNT = 12000;

/** A port that is free for UDP and TCP now and that no process that asks here is given again. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if ((await claim(port)) && (await isTcpFree(port)) && (await isUdpFree(port))) return port;
  }
  throw new Error('no free port found in 200 attempts');
}

function claim(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ path: `\0wasmdns-test-port-${port}`, exclusive: true }, () => resolve(true));
    server.unref();
  });
}

function isTcpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '::', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function isUdpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp6');
    socket.once('error', () => socket.close(() => resolve(false)));
    socket.bind({ port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}
