// Stands before a server, over UDP, TCP and HTTP, and damages what it says.

import { createSocket, type Socket } from 'node:dgram';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { frame } from '../support/dns-client.ts';
import { freePort } from '../support/ports.ts';
import { httpGet } from '../support/server.ts';
import type { Damage } from './damage.ts';
import type { Side } from './pair.ts';

export interface Faults {
  readonly damage?: Damage;
  /** Changes the text of /metrics. */
  readonly metrics?: (text: string) => string;
  /** Every UDP reply is sent twice. */
  readonly isTwice?: boolean;
}

export async function damagingProxy(side: Side, faults: Faults): Promise<{ side: Side; stop(): Promise<void> }> {
  const [dns, metrics] = [await freePort(), await freePort()];
  const stops = [
    await proxyUdp(dns, side.ports['PORT']!, faults),
    await proxyTcp(dns, side.ports['PORT']!, faults),
    await proxyMetrics(metrics, side.ports['METRICS']!, faults),
  ];
  return {
    side: {
      seat: `${side.seat} (damaged)`,
      ports: { ...side.ports, PORT: dns, METRICS: metrics },
      ownPort: side.ports['PORT']!,
    },
    stop: async () => {
      for (const stop of stops) stop();
    },
  };
}

async function proxyUdp(port: number, target: number, { damage, isTwice }: Faults): Promise<() => void> {
  const front = createSocket('udp6');
  const backs = new Map<string, Socket>();
  front.on('message', (query, { address, port: clientPort }) => {
    const key = `${address} ${clientPort}`;
    // The server counts the families of its clients.
    const isSix = !address.startsWith('::ffff:');
    const send = (back: Socket) => back.send(query, target, isSix ? '::1' : '127.0.0.1', () => {});
    const known = backs.get(key);
    if (known !== undefined) return send(known);
    const back = createSocket(isSix ? 'udp6' : 'udp4');
    backs.set(key, back);
    back.on('error', () => {});
    back.on('message', (reply) => {
      const damaged = damage === undefined ? reply : damage(reply);
      if (damaged === undefined) return;
      for (let n = isTwice === true ? 2 : 1; n > 0; n--) front.send(damaged, clientPort, address, () => {});
    });
    send(back);
  });
  await new Promise<void>((resolve) => front.bind(port, '::', resolve));
  return () => {
    front.close();
    for (const back of backs.values()) back.close();
  };
}

async function proxyTcp(port: number, target: number, { damage }: Faults): Promise<() => void> {
  const streams = new Set<{ destroy(): void }>();
  const server = createServer((client) => {
    const back = connect(target, '127.0.0.1');
    for (const stream of [client, back]) {
      streams.add(stream);
      stream.on('error', () => {});
      stream.on('close', () => {
        client.destroy();
        back.destroy();
      });
    }
    client.on('data', (octets) => back.write(octets));
    let rest: Buffer = Buffer.alloc(0);
    back.on('data', (octets: Buffer) => {
      rest = Buffer.concat([rest, octets]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const end = 2 + rest.readUInt16BE(0);
        const reply = rest.subarray(2, end);
        const damaged = damage === undefined ? reply : damage(reply);
        if (damaged !== undefined) client.write(frame(damaged));
        rest = rest.subarray(end);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '::', resolve));
  return () => {
    for (const stream of streams) stream.destroy();
    server.close();
  };
}

async function proxyMetrics(port: number, target: number, { metrics }: Faults): Promise<() => void> {
  const server = createHttpServer((request, response) => {
    httpGet(target, request.url ?? '/').then(
      ({ status, body }) => response.writeHead(status).end(metrics === undefined ? body : metrics(body)),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return () => {
    server.closeAllConnections();
    server.close();
  };
}
