// The API server without TLS and without a token: a way in for `endpoint http://...`, which has neither.

import { createServer, type Server } from 'node:http';
import { Agent, request } from 'node:https';
import { freePort } from './ports.ts';

export class PlainApi {
  readonly port: number;
  private readonly server: Server;
  private readonly agent: Agent;

  private constructor(port: number, server: Server, agent: Agent) {
    this.port = port;
    this.server = server;
    this.agent = agent;
  }

  /** @param target port of the API server. */
  static async start(target: number, token: string): Promise<PlainApi> {
    const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
    const server = createServer((query, reply) => {
      const headers = { ...query.headers, authorization: `Bearer ${token}` };
      const sent = request(
        { host: '127.0.0.1', port: target, method: query.method, path: query.url, headers, agent },
        (response) => {
          reply.writeHead(response.statusCode!, response.headers);
          reply.flushHeaders();
          response.pipe(reply);
          response.on('error', () => reply.destroy());
        },
      );
      sent.on('error', () => reply.destroy());
      reply.on('close', () => sent.destroy());
      query.pipe(sent);
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return new PlainApi(port, server, agent);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.agent.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}
