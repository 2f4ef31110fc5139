// What Prometheus's web configuration puts before /metrics: TLS, certificates of clients, basic authentication, a rate
// limit, headers. The file and the certificates are read again as they change, for each connection and request.

import { createHash } from 'node:crypto';
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import { createServer as createPlainServer } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { compare } from 'bcryptjs';
import type { HttpFront, HttpReply } from '../../plugin/http-endpoint.ts';
import { readWebConfig, type WebConfig, type WebTls } from './web-config.ts';

/** Outcomes of password checks that are remembered; bcrypt is slow on purpose. */
const CHECKS_MAX = 100;
/** Of "fakepassword": an unknown user takes as long as a known one. */
const NOBODY = '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi';

export class WebFront implements HttpFront {
  readonly hasTls: boolean;
  readonly #path: string;
  readonly #onError: (text: string) => void;
  readonly #checks = new Map<string, Promise<boolean>>();
  readonly #first: WebConfig;
  readonly #limit: RateLimit | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  /** Throws UserError if the configuration cannot be used. */
  constructor(path: string, onError: (text: string) => void) {
    this.#path = path;
    this.#onError = onError;
    this.#first = readWebConfig(path);
    this.hasTls = this.#first.tls !== undefined;
    const { rate } = this.#first;
    this.#limit = rate === undefined ? undefined : new RateLimit(rate.intervalMs, rate.burst);
  }

  createServer(
    options: ServerOptions,
    onRequest: (request: IncomingMessage, response: ServerResponse) => void,
  ): Server {
    const { tls } = this.#first;
    if (tls === undefined) return createPlainServer(options, onRequest);
    const { clients } = tls;
    const server = createSecureServer(
      {
        ...options,
        ...tls.context,
        requestCert: clients !== 'none',
        rejectUnauthorized: clients === 'requireAndVerify',
      },
      onRequest,
    );
    let inUse = JSON.stringify(tls.context);
    server.prependListener('connection', (socket: Socket) => {
      const next = this.#nextTls(socket);
      if (next === undefined || JSON.stringify(next.context) === inUse) return;
      inUse = JSON.stringify(next.context);
      (server as SecureServer).setSecureContext(next.context);
    });
    server.on('secureConnection', (socket: TLSSocket) => {
      if (!isWelcome(socket, tls)) socket.destroy();
    });
    return server as unknown as Server;
  }

  async admit(request: IncomingMessage, response: ServerResponse): Promise<HttpReply | undefined> {
    let config: WebConfig;
    try {
      config = readWebConfig(this.#path);
    } catch (error) {
      this.#onError(`Unable to parse configuration: ${(error as Error).message}`);
      return { status: 500, body: 'Internal Server Error\n' };
    }
    if (this.#limit !== undefined && !this.#limit.take()) return { status: 429, body: 'Too Many Requests\n' };
    for (const [name, value] of Object.entries(config.headers)) response.setHeader(name, value);
    if (config.users.size === 0 || (await this.#isUser(request, config))) return undefined;
    response.setHeader('WWW-Authenticate', 'Basic');
    return { status: 401, body: 'Unauthorized\n' };
  }

  /** A configuration that has become unusable ends the connection. */
  #nextTls(socket: Socket): WebTls | undefined {
    try {
      return readWebConfig(this.#path).tls;
    } catch (error) {
      this.#onError(`Unable to parse configuration: ${(error as Error).message}`);
      socket.destroy();
      return undefined;
    }
  }

  async #isUser(request: IncomingMessage, { users }: WebConfig): Promise<boolean> {
    const [, encoded] = /^Basic +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    const [, name, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded ?? '', 'base64').toString()) ?? [];
    if (name === undefined || password === undefined) return false;
    const hash = users.get(name) ?? NOBODY;
    const key = createHash('sha256')
      .update(JSON.stringify([name, hash, password]))
      .digest('hex');
    let check = this.#checks.get(key);
    if (check === undefined) {
      // One after the other: each takes a whole core for a while
      check = this.#queue.then(() => compare(password, hash));
      this.#queue = check;
      const oldest = this.#checks.size >= CHECKS_MAX ? this.#checks.keys().next().value : undefined;
      if (oldest !== undefined) this.#checks.delete(oldest);
      this.#checks.set(key, check);
    }
    return (await check) && users.has(name);
  }
}

/** Go's crypto/tls.ClientAuthType, after the handshake. */
function isWelcome(socket: TLSSocket, { clients, allowedSans }: WebTls): boolean {
  const certificate = clients === 'none' ? undefined : socket.getPeerX509Certificate();
  if (certificate === undefined) return clients !== 'require' && clients !== 'requireAndVerify';
  if (clients === 'verify' && !socket.authorized) return false;
  if (allowedSans === undefined) return true;
  // `DNS:a.example, IP Address:192.0.2.1, URI:spiffe://x, email:a@example`
  const names = (certificate.subjectAltName ?? '').split(', ').map((name) => name.replace(/^[^:]*:/, ''));
  return names.some((name) => allowedSans.includes(name));
}

/** A token bucket. */
class RateLimit {
  readonly #intervalMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs = performance.now();

  constructor(intervalMs: number, burst: number) {
    this.#intervalMs = intervalMs;
    this.#burst = burst;
    this.#tokens = burst;
  }

  take(): boolean {
    const nowMs = performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) / this.#intervalMs);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
