// A Kubernetes API just large enough for a DNS server: list and watch of five resources, JSON over HTTP on loopback.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Change, ObjectMemory, ResourceName } from './objects.ts';
import { type Filter, filterOf } from './selectors.ts';
import type { KubernetesObject } from './values.ts';

interface ResourceKind {
  readonly apiVersion: string;
  readonly kind: string;
}

const PATHS: Readonly<Record<string, ResourceName>> = {
  '/api/v1/namespaces': 'namespaces',
  '/api/v1/services': 'services',
  '/api/v1/pods': 'pods',
  '/apis/discovery.k8s.io/v1/endpointslices': 'endpointslices',
  '/apis/multicluster.x-k8s.io/v1alpha1/serviceimports': 'serviceimports',
};

const KINDS: Readonly<Record<ResourceName, ResourceKind>> = {
  namespaces: { apiVersion: 'v1', kind: 'Namespace' },
  services: { apiVersion: 'v1', kind: 'Service' },
  pods: { apiVersion: 'v1', kind: 'Pod' },
  endpointslices: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
  serviceimports: { apiVersion: 'multicluster.x-k8s.io/v1alpha1', kind: 'ServiceImport' },
};

/** A watch ends after so many seconds unless it asks for less. */
const WATCH_SECONDS_MAX = 3600;
/** A watcher that does not read is cut off: it will list again. */
const WATCHER_BYTES_MAX = 16 * 1024 * 1024;

export interface DemoApiTiming {
  readonly bookmarkMs: number;
}

/** Listens on an ephemeral port of 127.0.0.1. */
export async function listenDemoApi(
  memory: ObjectMemory,
  timing: DemoApiTiming,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => answer(memory, timing, request, response));
  await listening(server);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      server.closeAllConnections();
      return promise;
    },
  };
}

function listening(server: Server): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(0, '127.0.0.1', resolve);
  return promise;
}

function answer(memory: ObjectMemory, timing: DemoApiTiming, request: IncomingMessage, response: ServerResponse): void {
  // A base is needed for the parser; only path and query are read.
  const url = URL.parse(request.url ?? '/', 'http://demo');
  const resource = url !== null && Object.hasOwn(PATHS, url.pathname) ? PATHS[url.pathname] : undefined;
  if (url === null || resource === undefined) {
    refuse(response, 404, 'the server could not find the requested resource');
  } else if (request.method !== 'GET') {
    refuse(response, 405, 'the demo cluster is changed by editing its file');
  } else {
    const keeps = filterOf(url.searchParams);
    if (keeps === undefined) refuse(response, 400, 'selector not supported');
    else if (url.searchParams.get('watch') === 'true')
      new Watcher(memory, resource, keeps, url.searchParams, response).start(timing);
    else list(memory, resource, keeps, url.searchParams, response);
  }
}

/** A page token names the version it began with: when the cluster has changed since, the list must start again. */
function list(
  memory: ObjectMemory,
  resource: ResourceName,
  keeps: Filter,
  query: URLSearchParams,
  response: ServerResponse,
): void {
  const limit = Math.max(0, Number(query.get('limit') ?? 0)) || Number.POSITIVE_INFINITY;
  const [tokenVersion, after] = parseToken(query.get('continue') ?? '');
  if (after !== '' && tokenVersion !== memory.version) {
    refuse(response, 410, 'The provided continue parameter is too old');
    return;
  }
  const rest = memory.list(resource).filter(([key, object]) => key > after && keeps(object));
  const page = rest.slice(0, limit);
  const isLast = page.length === rest.length;
  const token = isLast ? '' : Buffer.from(`${memory.version} ${page.at(-1)![0]}`).toString('base64url');
  const { apiVersion, kind } = KINDS[resource];
  json(response, 200, {
    apiVersion,
    kind: `${kind}List`,
    metadata: { resourceVersion: String(memory.version), ...(token !== '' && { continue: token }) },
    items: page.map(([, object]) => object),
  });
}

function parseToken(token: string): readonly [version: number, after: string] {
  const [version, after] = Buffer.from(token, 'base64url').toString('utf8').split(' ');
  return [Number(version), after ?? ''];
}

class Watcher {
  readonly #memory: ObjectMemory;
  readonly #resource: ResourceName;
  readonly #keeps: Filter;
  readonly #query: URLSearchParams;
  readonly #response: ServerResponse;

  constructor(
    memory: ObjectMemory,
    resource: ResourceName,
    keeps: Filter,
    query: URLSearchParams,
    response: ServerResponse,
  ) {
    this.#memory = memory;
    this.#resource = resource;
    this.#keeps = keeps;
    this.#query = query;
    this.#response = response;
  }

  start(timing: DemoApiTiming): void {
    this.#response.writeHead(200, { 'Content-Type': 'application/json;stream=watch' });
    this.#response.flushHeaders();
    if (!this.#sendPast()) {
      this.#response.end();
      return;
    }
    const stopListening = this.#memory.listen((change) => this.#sendChange(change));
    const asked = Number(this.#query.get('timeoutSeconds') ?? 0) || WATCH_SECONDS_MAX;
    const end = setTimeout(() => this.#response.end(), 1000 * Math.min(asked, WATCH_SECONDS_MAX));
    const wantsBookmarks = this.#query.get('allowWatchBookmarks') === 'true';
    const bookmarks = wantsBookmarks ? setInterval(() => this.#bookmark({}), timing.bookmarkMs) : undefined;
    this.#response.on('close', () => {
      stopListening();
      clearTimeout(end);
      clearInterval(bookmarks);
    });
  }

  /** What the watcher has missed, or everything. False if that cannot be told any more. */
  #sendPast(): boolean {
    const asked = this.#query.get('resourceVersion') ?? '';
    const sendsAll = this.#query.get('sendInitialEvents') === 'true';
    if (sendsAll || asked === '' || asked === '0') {
      for (const [, object] of this.#memory.list(this.#resource)) this.#send('ADDED', object);
      if (sendsAll) this.#bookmark({ annotations: { 'k8s.io/initial-events-end': 'true' } });
      return true;
    }
    const changes = /^\d+$/.test(asked) ? this.#memory.since(Number(asked)) : undefined;
    for (const change of changes ?? []) this.#sendChange(change);
    if (changes === undefined) this.#write('ERROR', status(410, `too old resource version: ${asked}`));
    return changes !== undefined;
  }

  #sendChange(change: Change): void {
    if (change.resource === this.#resource) this.#send(change.type, change.object);
  }

  /** An object that leaves the selection is deleted for this watcher. */
  #send(type: Change['type'], object: KubernetesObject): void {
    if (this.#keeps(object)) this.#write(type, { ...KINDS[this.#resource], ...object });
    else if (type === 'MODIFIED') this.#write('DELETED', { ...KINDS[this.#resource], ...object });
  }

  #bookmark(metadata: object): void {
    const resourceVersion = String(this.#memory.version);
    this.#write('BOOKMARK', { ...KINDS[this.#resource], metadata: { ...metadata, resourceVersion } });
  }

  #write(type: string, object: object): void {
    this.#response.write(`${JSON.stringify({ type, object })}\n`);
    if (this.#response.writableLength > WATCHER_BYTES_MAX) this.#response.destroy();
  }
}

function refuse(response: ServerResponse, code: number, message: string): void {
  json(response, code, status(code, message));
}

function status(code: number, message: string): object {
  return { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Failure', message, code };
}

function json(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}
