// A small HTTP server of a plugin (health, ready, prometheus) on the main thread: one path, short answers. It is kept
// with ControlServices.shared(), so that a reload never closes it and blocks with the same address share it.

import { lookup } from 'node:dns/promises';
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { posix } from 'node:path';
import { UserError } from '../errors.ts';

export interface HttpReply {
  readonly status: number;
  readonly body: string;
  /** `text/plain; charset=utf-8` unless told. */
  readonly contentType?: string;
}

/** What stands before an endpoint's answer: TLS, and who may ask. */
export interface HttpFront {
  createServer(options: ServerOptions, onRequest: (request: IncomingMessage, response: ServerResponse) => void): Server;
  /** Undefined: the request is answered; otherwise this is its reply. May set headers. */
  admit(request: IncomingMessage, response: ServerResponse): Promise<HttpReply | undefined>;
}

export type HttpAnswer = () => HttpReply | Promise<HttpReply>;

export interface ListenAddress {
  /** A name or an address; '' = all addresses of both families. */
  readonly address: string;
  /** 0 = ephemeral. */
  readonly port: number;
  /** Why nobody can listen there, in Go's words. */
  readonly fault?: string | undefined;
}

/** Go's http.Server in the same plugins: 5 s to read a request, to write the reply, and between requests. */
const TIMEOUT_MS = 5000;
/** Every connection costs a descriptor; scrapers and probes need a handful. */
const CONNECTIONS_MAX = 256;

export class HttpEndpoint {
  readonly path: string;
  readonly #server: Server;
  readonly #listening: Promise<AddressInfo>;
  readonly #answer: HttpAnswer;
  readonly #front: HttpFront | undefined;
  #stopped: Promise<void> | undefined;

  /**
   * Begins to listen at once.
   * @param path the only one that is answered
   * @param onFault hears of an `answer` that failed; the client gets 500
   */
  constructor(at: ListenAddress, path: string, answer: HttpAnswer, onFault: (text: string) => void, front?: HttpFront) {
    this.path = path;
    this.#answer = answer;
    this.#front = front;
    this.#server = (front === undefined ? createServer : front.createServer.bind(front))(
      {
        requestTimeout: TIMEOUT_MS,
        headersTimeout: TIMEOUT_MS,
        keepAliveTimeout: TIMEOUT_MS,
        connectionsCheckingInterval: 1000,
      },
      (request, response) => {
        this.#reply(request, response).catch((error: unknown) => {
          onFault(`${this.path}: ${String(error)}`);
          // The reply may be half written, or the client gone.
          if (response.headersSent) response.destroy();
          else respond(response, { status: 500, body: 'internal error\n' });
        });
      },
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.timeout = TIMEOUT_MS * 2;
    this.#listening = listen(this.#server, at);
    // Whoever starts the plugin asks for the outcome; until then a failure must not count as unhandled.
    this.#listening.catch(() => {});
  }

  /** Resolves with the bound address. Rejects with a UserError in Go's words: `listen tcp :8080: bind: ...`. */
  listening(): Promise<AddressInfo> {
    return this.#listening;
  }

  /** Refuses new connections at once, closes idle ones, and the busy ones after their reply (at most 5 s). */
  stop(): Promise<void> {
    this.#stopped ??= this.#close();
    return this.#stopped;
  }

  async #close(): Promise<void> {
    try {
      await this.#listening;
    } catch {
      return;
    }
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), TIMEOUT_MS);
    await closed;
    clearTimeout(timer);
  }

  async #reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const refusal = await this.#front?.admit(request, response);
    if (refusal !== undefined) {
      respond(response, refusal);
      return;
    }
    const [path = '', query] = (request.url ?? '').split(/\?(.*)/s, 2);
    const clean = cleanPath(path);
    if (clean !== path) {
      redirect(response, request.method, query === undefined ? clean : `${clean}?${query}`);
      return;
    }
    if (path !== this.path) {
      response.setHeader('X-Content-Type-Options', 'nosniff');
      respond(response, { status: 404, body: '404 page not found\n' });
      return;
    }
    const reply = await this.#answer();
    // A kept-alive connection would hold stop() up.
    if (this.#stopped !== undefined) response.setHeader('Connection', 'close');
    respond(response, reply);
  }
}

/** As Go's ServeMux: no empty and no dotted segments; a slash at the end stays. */
function cleanPath(path: string): string {
  if (path === '') return '/';
  return posix.normalize(path.startsWith('/') ? path : `/${path}`);
}

function redirect(response: ServerResponse, method: string | undefined, location: string): void {
  const hasBody = method === 'GET' || method === 'HEAD';
  response.setHeader('Location', location);
  const link = location
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&#34;');
  const body = hasBody ? `<a href="${link}">Temporary Redirect</a>.\n\n` : '';
  respond(response, { status: 307, body, contentType: 'text/html; charset=utf-8' });
}

function respond(response: ServerResponse, reply: HttpReply): void {
  const octets = Buffer.from(reply.body);
  response.writeHead(reply.status, {
    'Content-Type': reply.contentType ?? 'text/plain; charset=utf-8',
    'Content-Length': octets.length,
  });
  response.end(octets);
}

async function listen(server: Server, at: ListenAddress): Promise<AddressInfo> {
  const name = `${at.address.includes(':') ? `[${at.address}]` : at.address}:${at.port}`;
  if (at.fault !== undefined) throw new UserError(`listen tcp: ${at.fault}`);
  try {
    const address = at.address === '' ? undefined : await resolve(at.address);
    await new Promise<void>((done, failed) => {
      server.once('error', failed);
      // As CoreDNS: two processes may share the port (SO_REUSEPORT), a stranger's port is refused.
      server.listen({ port: at.port, host: address, reusePort: true }, () => {
        server.off('error', failed);
        done();
      });
    });
    return server.address() as AddressInfo;
  } catch (error) {
    const text = errorText(error as NodeJS.ErrnoException);
    throw new UserError(`listen tcp${text.startsWith('lookup ') ? '' : ` ${name}`}: ${text}`, { cause: error });
  }
}

/** Like Go, IPv4 first where a name has both. */
async function resolve(name: string): Promise<string> {
  const found = await lookup(name, { all: true });
  return (found.find(({ family }) => family === 4) ?? found[0]!).address;
}

function errorText(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'bind: address already in use';
    case 'EADDRNOTAVAIL':
      return 'bind: cannot assign requested address';
    case 'EACCES':
      return 'bind: permission denied';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `lookup ${(error as { hostname?: string }).hostname ?? ''}: no such host`;
    default:
      return error.message;
  }
}
