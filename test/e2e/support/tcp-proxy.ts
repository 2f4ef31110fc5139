// A TCP proxy on loopback that can break the connections through it in every way a network does.

import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './ports.ts';

/** pass: as nothing; stall: accepts and keeps silent, in both directions; refuse: nobody listens. */
export type ProxyMode = 'pass' | 'stall' | 'refuse';

export class TcpProxy {
  readonly port: number;
  connectionCount = 0;
  /** Octets to clients. */
  sentBytes = 0;
  private mode: ProxyMode = 'pass';
  private readonly target: number;
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;

  private constructor(port: number, target: number) {
    this.port = port;
    this.target = target;
  }

  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(await freePort(), target);
    await proxy.listen();
    return proxy;
  }

  /** Connections that exist stay, except in mode `refuse`; a stalled one goes on when `pass` comes back. */
  async setMode(mode: ProxyMode): Promise<void> {
    const wasRefusing = this.mode === 'refuse';
    this.mode = mode;
    for (const socket of this.sockets) {
      if (mode === 'stall') socket.pause();
      else socket.resume();
    }
    if (mode === 'refuse' && !wasRefusing) await this.close();
    if (mode !== 'refuse' && wasRefusing) await this.listen();
  }

  /** Ends all connections: with FIN, or with RST. */
  killConnections(how: 'end' | 'reset'): void {
    for (const socket of this.sockets) {
      if (how === 'reset') socket.resetAndDestroy();
      else socket.end();
    }
  }

  async stop(): Promise<void> {
    if (this.mode !== 'refuse') await this.close();
  }

  private async listen(): Promise<void> {
    const server = createServer((socket) => this.accept(socket));
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
  }

  private async close(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private accept(client: Socket): void {
    this.connectionCount++;
    const backend = connect(this.target, '127.0.0.1');
    for (const [from, to] of [
      [client, backend],
      [backend, client],
    ] as const) {
      this.sockets.add(from);
      from.on('data', (octets: Buffer) => {
        if (to === client) this.sentBytes += octets.length;
        to.write(octets);
      });
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
      if (this.mode === 'stall') from.pause();
    }
  }
}
