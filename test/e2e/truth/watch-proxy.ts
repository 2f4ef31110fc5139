// Stands between the server and the API server, with TLS on both sides, and understands watches: whatever goes wrong on
// the way, or in the API server itself, it can do.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer as createTlsServer, request, type Server as TlsServer } from 'node:https';
import { createServer, type Server, type Socket } from 'node:net';
import { freePort } from '../support/ports.ts';
import { type Frame, FrameCutter } from './frames.ts';

export interface Identity {
  readonly key: string;
  readonly cert: string;
}

/** One request, as the rules see it. */
export interface Asked {
  /** Last part of the path. */
  readonly resource: string;
  readonly isWatch: boolean;
  /** Version that a watch goes on from; undefined for a list, or a watch that begins with one. */
  readonly version: string | undefined;
}

export interface Refusal {
  readonly code: number;
  readonly message: string;
  readonly retryAfter?: number;
}

/** What the proxy does beyond passing on; each fault sets some of it, and calm() takes it back. */
export interface Rules {
  refuse?: (asked: Asked) => Refusal | undefined;
  /** What is sent in an event's place, one after the other; by default the event. */
  onFrame?: (frame: Frame, stream: WatchStream) => readonly Buffer[];
  /** Octets go out one by one. */
  isSlow?: (asked: Asked) => boolean;
  /** Octets wait until the rules are taken back. */
  isHeld?: (asked: Asked) => boolean;
  /** Watches and lists are in JSON. */
  isJson?: boolean;
}

const SLOW_STEP_MS = 2;

/** A reply on its way to the server: octets pass a queue, which rules may stop or slow down. */
export class WatchStream {
  readonly asked: Asked;
  readonly isProtobuf: boolean;
  /** A list comes first; the bookmark that ends it has not been seen. */
  isListing: boolean;
  private readonly reply: ServerResponse;
  private readonly proxy: WatchProxy;
  private queue: Buffer[] = [];
  private timer: NodeJS.Timeout | undefined;
  private isDead = false;
  private hasEnded = false;

  constructor(proxy: WatchProxy, asked: Asked, reply: ServerResponse, isProtobuf: boolean) {
    this.proxy = proxy;
    this.asked = asked;
    this.reply = reply;
    this.isProtobuf = isProtobuf;
    this.isListing = asked.version === undefined;
    reply.on('close', () => {
      this.isDead = true;
      clearTimeout(this.timer);
    });
  }

  send(octets: Buffer): void {
    if (this.isDead || this.hasEnded) return;
    this.queue.push(octets);
    this.flush();
  }

  end(): void {
    this.hasEnded = true;
    this.flush();
  }

  /** Nothing is sent any more, and nobody is told. */
  die(): void {
    this.isDead = true;
  }

  /** The connection is reset, at once. */
  reset(): void {
    this.isDead = true;
    this.proxy.rawSocketOf(this.reply)?.resetAndDestroy();
  }

  /** Sends what waits, as far as the rules let it. */
  flush(): void {
    if (this.isDead || this.timer !== undefined || this.proxy.rules.isHeld?.(this.asked)) return;
    if (this.proxy.rules.isSlow?.(this.asked) && this.queue.length > 0) {
      this.sendSlowly();
      return;
    }
    for (const octets of this.queue.splice(0)) this.reply.write(octets);
    if (!this.hasEnded) return;
    this.isDead = true;
    this.reply.end();
  }

  private sendSlowly(): void {
    this.timer = setTimeout(() => {
      this.timer = undefined;
      const [first, ...rest] = this.queue;
      if (this.isDead || first === undefined) return;
      this.reply.write(first.subarray(0, 1));
      this.queue = first.length > 1 ? [first.subarray(1), ...rest] : rest;
      this.flush();
    }, SLOW_STEP_MS);
  }
}

export class WatchProxy {
  readonly port: number;
  rules: Rules = {};
  /** What the server must show; the proxy itself enters with another. */
  token: string;
  private readonly target: { readonly port: number; readonly token: string };
  private readonly agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  private readonly tls: TlsServer;
  private listener: Server | undefined;
  private readonly raw = new Map<number, Socket>();
  private readonly streams = new Set<WatchStream>();
  /** Requests that wait because replies are held. */
  private waiting: (() => void)[] = [];

  private constructor(port: number, target: { port: number; token: string }, token: string, identity: Identity) {
    this.port = port;
    this.target = target;
    this.token = token;
    this.tls = createTlsServer(identity, (query, reply) => this.serve(query, reply));
    this.tls.on('tlsClientError', () => {});
  }

  static async start(target: { port: number; token: string }, token: string, identity: Identity): Promise<WatchProxy> {
    const proxy = new WatchProxy(await freePort(), target, token, identity);
    await proxy.open();
    return proxy;
  }

  async open(): Promise<void> {
    const listener = createServer((socket) => {
      const port = socket.remotePort!;
      this.raw.set(port, socket);
      socket.on('close', () => this.raw.delete(port));
      socket.on('error', () => {});
      this.tls.emit('connection', socket);
    });
    this.listener = listener;
    await new Promise<void>((resolve) => listener.listen(this.port, '127.0.0.1', resolve));
  }

  /** Nobody listens any more, and what is open is reset. */
  async close(): Promise<void> {
    const { listener } = this;
    if (listener === undefined) return;
    this.listener = undefined;
    const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
    this.resetAll();
    await closed;
  }

  resetAll(): void {
    for (const socket of this.raw.values()) socket.resetAndDestroy();
  }

  /** Connections that are open pass nothing any more, for ever; new ones do. */
  strand(): void {
    for (const stream of this.streams) stream.die();
  }

  /** Ends watches as a server does that wants them to come back; by default all. */
  endWatches(resource?: string): void {
    for (const stream of this.streams) {
      if (stream.asked.isWatch && (resource === undefined || stream.asked.resource === resource)) stream.end();
    }
  }

  /** Does something to each watch that is open. */
  eachWatch(work: (stream: WatchStream) => void): void {
    for (const stream of this.streams) if (stream.asked.isWatch) work(stream);
  }

  /** Everything passes again. */
  calm(): void {
    this.rules = this.rules.isJson === undefined ? {} : { isJson: this.rules.isJson };
    for (const stream of this.streams) stream.flush();
    for (const go of this.waiting.splice(0)) go();
  }

  changeIdentity(identity: Identity): void {
    this.tls.setSecureContext(identity);
  }

  rawSocketOf(reply: ServerResponse): Socket | undefined {
    return this.raw.get(reply.req.socket.remotePort ?? -1);
  }

  async stop(): Promise<void> {
    await this.close();
    this.agent.destroy();
  }

  private serve(query: IncomingMessage, reply: ServerResponse): void {
    const asked = askedOf(query);
    if (this.rules.isHeld?.(asked)) {
      this.waiting.push(() => this.serve(query, reply));
      return;
    }
    const refusal = this.refusalOf(asked, query);
    if (refusal !== undefined) {
      const { code, message, retryAfter } = refusal;
      const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code };
      const more = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
      reply.writeHead(code, { 'Content-Type': 'application/json', ...more });
      reply.end(JSON.stringify(status));
      return;
    }
    this.forward(asked, query, reply);
  }

  private refusalOf(asked: Asked, query: IncomingMessage): Refusal | undefined {
    if (query.headers.authorization !== `Bearer ${this.token}`) return { code: 401, message: 'Unauthorized' };
    return this.rules.refuse?.(asked);
  }

  private forward(asked: Asked, query: IncomingMessage, reply: ServerResponse): void {
    const accept = this.rules.isJson ? jsonAccept(query.headers.accept ?? '') : query.headers.accept;
    const headers = { ...query.headers, accept, authorization: `Bearer ${this.target.token}` };
    const sent = request(
      { host: '127.0.0.1', port: this.target.port, path: query.url, headers, agent: this.agent },
      (response) => this.pass(asked, response, reply),
    );
    sent.on('error', () => this.rawSocketOf(reply)?.resetAndDestroy());
    reply.on('close', () => sent.destroy());
    sent.end();
  }

  private pass(asked: Asked, response: IncomingMessage, reply: ServerResponse): void {
    const isProtobuf = (response.headers['content-type'] ?? '').startsWith('application/vnd.kubernetes.protobuf');
    const stream = new WatchStream(this, asked, reply, isProtobuf);
    this.streams.add(stream);
    reply.on('close', () => this.streams.delete(stream));
    reply.writeHead(response.statusCode!, response.headers);
    reply.flushHeaders();
    const cutter = asked.isWatch && response.statusCode === 200 ? new FrameCutter(isProtobuf) : undefined;
    response.on('data', (chunk: Buffer) => {
      if (cutter === undefined) stream.send(chunk);
      else for (const frame of cutter.push(chunk)) this.passFrame(frame, stream);
    });
    response.on('end', () => stream.end());
    response.on('error', () => stream.reset());
  }

  private passFrame(frame: Frame, stream: WatchStream): void {
    if (frame.type === 'BOOKMARK') stream.isListing = false;
    for (const octets of this.rules.onFrame?.(frame, stream) ?? [frame.octets]) stream.send(octets);
  }
}

function askedOf(query: IncomingMessage): Asked {
  const url = new URL(query.url!, 'https://api');
  const isWatch = url.searchParams.get('watch') === 'true';
  const version = url.searchParams.get('resourceVersion') ?? undefined;
  return { resource: url.pathname.slice(url.pathname.lastIndexOf('/') + 1), isWatch, version };
}

function jsonAccept(accept: string): string {
  return accept
    .split(', ')
    .filter((type) => type.startsWith('application/json'))
    .join(', ');
}
