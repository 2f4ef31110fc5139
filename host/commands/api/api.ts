// A Kubernetes API just large enough for a DNS server, over any source of objects: list and watch of five resources, JSON
// over HTTP. Pages, selectors, WatchList, bookmarks and expired versions are as the API server has them.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Form, formOf } from './encoding.ts';
import { answerList } from './lists.ts';
import { type Filter, filterOf } from './selectors.ts';
import type { ObjectSource, ResourceName } from './source.ts';
import { refuse } from './statuses.ts';
import { answerWatch } from './watches.ts';

export interface ApiOptions {
  readonly address: string;
  /** 0 = any that is free. */
  readonly port: number;
  readonly bookmarkMs: number;
  /** Answers WatchList as a server without it. */
  readonly hasWatchList?: boolean;
  /** Hears of each request for a resource. */
  readonly onRequest?: (verb: 'list' | 'watch', resource: ResourceName) => void;
}

export interface Api {
  readonly url: string;
  /** Ends all connections at once. */
  close(): Promise<void>;
}

/** A request that has been found to be one. */
export interface ApiRequest {
  readonly source: ObjectSource;
  readonly options: ApiOptions;
  readonly resource: ResourceName;
  readonly query: URLSearchParams;
  /** The selectors of the query. */
  readonly keeps: Filter;
  readonly form: Form;
  readonly response: ServerResponse;
}

const PATHS: Readonly<Record<string, ResourceName>> = {
  '/api/v1/namespaces': 'namespaces',
  '/api/v1/services': 'services',
  '/api/v1/pods': 'pods',
  '/apis/discovery.k8s.io/v1/endpointslices': 'endpointslices',
  '/apis/multicluster.x-k8s.io/v1alpha1/serviceimports': 'serviceimports',
};

/** Rejects if nobody can listen there. */
export async function listenApi(source: ObjectSource, options: ApiOptions): Promise<Api> {
  const server = createServer((request, response) => answer(source, options, request, response));
  await listening(server, options);
  const { port } = server.address() as AddressInfo;
  const { address } = options;
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${port}`,
    close: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      server.closeAllConnections();
      return promise;
    },
  };
}

function listening(server: Server, { address, port }: ApiOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  // A whole fleet may come at the same moment, as to a real API server.
  server.listen({ port, host: address, backlog: 4096 }, resolve);
  return promise;
}

function answer(source: ObjectSource, options: ApiOptions, request: IncomingMessage, response: ServerResponse): void {
  // A base is needed for the parser; only path and query are read.
  const url = URL.parse(request.url ?? '/', 'http://embedded');
  const resource = url !== null && Object.hasOwn(PATHS, url.pathname) ? PATHS[url.pathname] : undefined;
  const { accept = '*/*' } = request.headers;
  if (url === null || resource === undefined) {
    refuse(response, 404, 'the server could not find the requested resource');
    return;
  }
  if (request.method !== 'GET') {
    refuse(response, 405, 'the embedded cluster cannot be changed through its API');
    return;
  }
  const form = formOf(accept, resource);
  if (form === undefined) {
    const types = 'application/json, application/vnd.kubernetes.protobuf';
    refuse(response, 406, `only the following media types are accepted: ${types}`);
    return;
  }
  const query = url.searchParams;
  const keeps = filterOf(query);
  if (keeps === undefined) {
    refuse(response, 400, 'selector not supported');
    return;
  }
  const isWatch = ['1', 'true'].includes(query.get('watch') ?? '');
  options.onRequest?.(isWatch ? 'watch' : 'list', resource);
  const asked = { source, options, resource, query, keeps, form, response };
  void (isWatch ? answerWatch(asked) : answerList(asked));
}
