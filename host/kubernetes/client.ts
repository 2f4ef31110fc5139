// HTTP requests to the Kubernetes API: GET only, bodies as streams.

import { createHash } from 'node:crypto';
import http, { type IncomingMessage } from 'node:http';
import https, { type Agent, type RequestOptions } from 'node:https';
import { isIPv6 } from 'node:net';
import type { KubeConfig } from '@kubernetes/client-node';
import manifest from '../../package.json' with { type: 'json' };

/** Hears of every request, for metrics. */
export interface RequestObserver {
  /** `code` is the status, or `<error>` if no response came. */
  requested(code: string, host: string): void;
  /** Duration of a request that was read to its end: lists. */
  listed(seconds: number, host: string): void;
}

export class ApiClient {
  /** Host and port, as metric labels show them. */
  readonly host: string;
  /** URL before the path of every request. */
  readonly server: string;
  readonly observer: RequestObserver;
  readonly #config: KubeConfig;
  readonly #headersMs: number;
  /** One for each content of CA and certificate: a new one would mean a TLS handshake for every request. */
  #agent: http.Agent | undefined;
  #agentKey = '';

  /** @param headersMs how long the header of a response may take. */
  constructor(config: KubeConfig, observer: RequestObserver, headersMs: number) {
    this.#config = config;
    this.server = config.getCurrentCluster()?.server ?? '';
    this.host = new URL(this.server).host;
    this.observer = observer;
    this.#headersMs = headersMs;
  }

  /**
   * Asks for path and query; resolves with the header of any response. Rejects when there is none: files of the
   * configuration that cannot be read, network, TLS, time.
   */
  async open(target: string, accept: string, signal: AbortSignal): Promise<IncomingMessage> {
    try {
      const options: RequestOptions = {};
      await this.#config.applyToHTTPSOptions(options);
      const response = await this.#request(target, accept, options, signal);
      this.observer.requested(String(response.statusCode), this.host);
      return response;
    } catch (error) {
      if (!signal.aborted) this.observer.requested('<error>', this.host);
      throw error;
    }
  }

  /** Ends the connections that are not in use. */
  close(): void {
    this.#agent?.destroy();
    this.#agent = undefined;
  }

  #request(target: string, accept: string, options: RequestOptions, signal: AbortSignal): Promise<IncomingMessage> {
    const url = new URL(this.server + target);
    const headers: Record<string, string> = { Accept: accept, 'User-Agent': `wasmdns/${manifest.version}` };
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      // A token file usually ends in a line break, which no header may hold.
      if (typeof value === 'string') headers[name] = value.trim();
    }
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const open = url.protocol === 'https:' ? https.request : http.request;
    const request = open(url, {
      method: 'GET',
      headers,
      signal,
      agent: this.#agentFor(url.protocol, options),
      ...(options.auth != null && { auth: options.auth }),
    });
    const late = () =>
      request.destroy(Object.assign(new Error('timeout awaiting response headers'), { code: TIMEOUT_CODE }));
    const timer = setTimeout(late, this.#headersMs);
    request.once('response', (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    // Stays for errors after the response too: they reach the reader of the body as well, and must not end the process.
    request.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.end();
    return promise;
  }

  #agentFor(protocol: string, options: RequestOptions): http.Agent {
    // A proxy's agent comes from KubeConfig, which keeps it.
    if (this.#config.getCurrentCluster()?.proxyUrl) return options.agent as Agent;
    const { ca, cert, key, servername, rejectUnauthorized } = options;
    const hash = createHash('sha256').update(protocol);
    for (const part of [ca, cert, key, servername, rejectUnauthorized]) hash.update(`${String(part)}\n`);
    const agentKey = hash.digest('base64');
    if (this.#agent !== undefined && agentKey === this.#agentKey) return this.#agent;
    // Watches that run on the old one go on to their end.
    for (const sockets of Object.values(this.#agent?.freeSockets ?? {}))
      for (const socket of sockets ?? []) socket.destroy();
    const shared = { keepAlive: true, keepAliveMsecs: 30_000 };
    this.#agent =
      protocol === 'https:'
        ? new https.Agent({
            ...shared,
            ...(ca !== undefined && { ca }),
            ...(cert !== undefined && { cert }),
            ...(key !== undefined && { key }),
            ...(servername !== undefined && { servername }),
            ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
          })
        : new http.Agent(shared);
    this.#agentKey = agentKey;
    return this.#agent;
  }
}

/** Why no response came, in Go's words where there are some; undefined for what client-go does not speak of. */
export function networkText(error: unknown): string | undefined {
  const { code = '', message, errors, ...more } = error as NetworkError;
  // Happy eyeballs: one error for each address that was tried.
  if (!message && errors?.[0] !== undefined) return networkText(errors[0]);
  if (SILENT_CODES.has(code)) return undefined;
  const { address, port, hostname } = more;
  const place = address === undefined ? '' : ` ${isIPv6(address) ? `[${address}]` : address}:${port}`;
  if (DIAL_TEXTS[code] !== undefined) return `dial tcp${place}: connect: ${DIAL_TEXTS[code]}`;
  if (LOOKUP_TEXTS[code] !== undefined) return `dial tcp: lookup ${hostname}: ${LOOKUP_TEXTS[code]}`;
  if (UNTRUSTED_CODES.has(code)) return `tls: failed to verify certificate: ${UNTRUSTED_TEXT}`;
  return message || code || String(error);
}

interface NetworkError extends NodeJS.ErrnoException {
  readonly errors?: unknown[];
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
}

/** No response within the time: client-go takes it for a stream that has ended. */
const TIMEOUT_CODE = 'ETIMEDOUT';

/** Nobody listens, the stream has ended, or time is up: client-go tries again without a word. */
const SILENT_CODES: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', TIMEOUT_CODE]);

const DIAL_TEXTS: Readonly<Record<string, string>> = {
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  EACCES: 'permission denied',
};

const LOOKUP_TEXTS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'server misbehaving',
};

const UNTRUSTED_TEXT = 'x509: certificate signed by unknown authority';
const UNTRUSTED_CODES: ReadonlySet<string> = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);
