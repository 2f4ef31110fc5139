// Free ports on loopback, below the range from which the kernel takes ephemeral ones.

import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const FIRST = 20000;
const COUNT = 12000;
const given = new Set<number>();

/** A port that is free for UDP and TCP now and that this process does not give out twice. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (given.has(port)) continue;
    if ((await isTcpFree(port)) && (await isUdpFree(port))) {
      given.add(port);
      return port;
    }
  }
  throw new Error('no free port found in 200 attempts');
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
