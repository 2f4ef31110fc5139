// HTTP requests to the Kubernetes API: GET only, bodies as streams.

import { createHash } from 'node:crypto';
import http, { type IncomingMessage } from 'node:http';
import https, { type Agent, type RequestOptions } from 'node:https';
import { isIPv6 } from 'node:net';
import type { KubeConfig } from '@kubernetes/client-node';
import manifest from '../../package.json' with { type: 'json' };
import { withoutToken } from './access.ts';
import type { Named, Resource } from './objects/resources.ts';

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
  #config: KubeConfig;
  readonly #headersMs: number;
  /** For each content of CA and certificate: a new one would mean a TLS handshake for every request. */
  #agents: Agents | undefined;
  #agentKey = '';
  /** While nobody answers; aborted by the first response. */
  #outage: AbortController | undefined;

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
  async open(target: string, accept: string, signal: AbortSignal, isFresh = false): Promise<IncomingMessage> {
    try {
      const options: RequestOptions = {};
      const config = this.#config;
      await config.applyToHTTPSOptions(options);
      const response = await this.#request(target, accept, options, signal, isFresh);
      this.observer.requested(String(response.statusCode), this.host);
      this.#outage?.abort();
      this.#outage = undefined;
      // KubeConfig keeps a token for a minute; one that is refused may have been replaced meanwhile.
      if (response.statusCode === UNAUTHORIZED && config === this.#config) this.#config = await withoutToken(config);
      return response;
    } catch (error) {
      if (!signal.aborted) {
        this.observer.requested('<error>', this.host);
        this.#outage ??= new AbortController();
      }
      throw error;
    }
  }

  /** Aborts when the API answers somebody again; undefined while nothing is known to keep it from that. */
  get recovery(): AbortSignal | undefined {
    return this.#outage?.signal;
  }

  /** Ends the connections that are not in use. */
  close(): void {
    this.#agents?.shared.destroy();
    this.#agents = undefined;
  }

  #request(
    target: string,
    accept: string,
    options: RequestOptions,
    signal: AbortSignal,
    isFresh: boolean,
  ): Promise<IncomingMessage> {
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
      agent: this.#agentFor(url.protocol, options, isFresh),
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

  #agentFor(protocol: string, options: RequestOptions, isFresh: boolean): http.Agent {
    // A proxy's agent comes from KubeConfig, which keeps it.
    if (this.#config.getCurrentCluster()?.proxyUrl) return options.agent as Agent;
    const { ca, cert, key, servername, rejectUnauthorized } = options;
    const hash = createHash('sha256').update(protocol);
    for (const part of [ca, cert, key, servername, rejectUnauthorized]) hash.update(`${String(part)}\n`);
    const agentKey = hash.digest('base64');
    if (this.#agents === undefined || agentKey !== this.#agentKey) {
      // Watches that run on the old one go on to their end.
      for (const sockets of Object.values(this.#agents?.shared.freeSockets ?? {}))
        for (const socket of sockets ?? []) socket.destroy();
      this.#agents = agentsOf(protocol, options);
      this.#agentKey = agentKey;
    }
    return isFresh ? this.#agents.fresh : this.#agents.shared;
  }
}

const UNAUTHORIZED = 401;

interface Agents {
  readonly shared: http.Agent;
  /** Keeps no connection. */
  readonly fresh: http.Agent;
}

function agentsOf(protocol: string, options: RequestOptions): Agents {
  const { ca, cert, key, servername, rejectUnauthorized } = options;
  const kept = { keepAlive: true, keepAliveMsecs: 30_000 };
  if (protocol !== 'https:') return { shared: new http.Agent(kept), fresh: new http.Agent({ keepAlive: false }) };
  const tls = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(servername !== undefined && { servername }),
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
  };
  return { shared: new https.Agent({ ...kept, ...tls }), fresh: new https.Agent({ keepAlive: false, ...tls }) };
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

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
export const ACCEPT_WATCH = `${PROTOBUF};stream=watch, application/json;stream=watch`;
export const ACCEPT_LIST = `${PROTOBUF}, application/json`;
const METADATA = 'as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
/** Metadata alone, and whole objects from a server that cannot tell them apart. */
export const ACCEPT_METADATA = `${PROTOBUF};${METADATA}, application/json;${METADATA}, ${ACCEPT_LIST}`;

/** Path and query, the words in the order of the alphabet; empty ones are left out. */
export function targetOf(
  resource: Pick<Resource<Named>, 'path' | 'fieldSelector' | 'labelSelector'>,
  words: Readonly<Record<string, string>>,
): string {
  const { fieldSelector, labelSelector } = resource;
  const all = Object.entries({ ...words, fieldSelector, labelSelector }).filter(([, value]) => value !== '');
  const query = new URLSearchParams(all);
  query.sort();
  return `${resource.path}?${query}`;
}

export function isProtobuf(response: IncomingMessage): boolean {
  return (response.headers['content-type'] ?? '').startsWith(PROTOBUF);
}
