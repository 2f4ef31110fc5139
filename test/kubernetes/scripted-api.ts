// An API server that does what the test says: one function for each request, in order; the last one stays.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Scene = (response: ServerResponse, request: IncomingMessage) => void;

export interface ScriptedApi {
  readonly url: string;
  /** Path and query of each request. */
  readonly requests: string[];
  readonly headers: IncomingMessage['headers'][];
  close(): Promise<void>;
}

export async function scriptedApi(...scenes: readonly Scene[]): Promise<ScriptedApi> {
  const requests: string[] = [];
  const headers: IncomingMessage['headers'][] = [];
  const server = createServer((request, response) => {
    const scene = scenes[Math.min(requests.length, scenes.length - 1)];
    requests.push(request.url ?? '');
    headers.push(request.headers);
    scene?.(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    headers,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A JSON watch that stays open; `rest` is written as it is. */
export function watch(events: readonly object[], rest = ''): Scene {
  return (response) => {
    response.writeHead(200, { 'Content-Type': 'application/json;stream=watch' });
    response.write(events.map((event) => `${JSON.stringify(event)}\n`).join('') + rest || ' ');
  };
}

/** The same, and then the connection breaks. */
export function reset(events: readonly object[], rest = ''): Scene {
  return (response, request) => {
    watch(events, rest)(response, request);
    setTimeout(() => response.socket?.resetAndDestroy(), 20);
  };
}

/** The same, and then a proper end. */
export function ended(events: readonly object[], rest = ''): Scene {
  return (response, request) => {
    watch(events, rest)(response, request);
    response.end();
  };
}

export function status(code: number, message: string): Scene {
  return (response) => {
    response.writeHead(code, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ kind: 'Status', code, message }));
  };
}

export function page(names: readonly string[], version: string, next = ''): Scene {
  return (response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    const items = names.map((name) => ({ metadata: { name } }));
    response.end(
      JSON.stringify({ metadata: { resourceVersion: version, ...(next !== '' && { continue: next }) }, items }),
    );
  };
}

/** Never answers. */
export const silence: Scene = () => {};

export function added(name: string, resourceVersion = '1'): object {
  return { type: 'ADDED', object: { metadata: { name, resourceVersion } } };
}

export function deleted(name: string, resourceVersion: string): object {
  return { type: 'DELETED', object: { metadata: { name, resourceVersion } } };
}

export function bookmark(resourceVersion: string): object {
  return { type: 'BOOKMARK', object: { metadata: { resourceVersion } } };
}

export function endOfLoad(resourceVersion: string): object {
  const annotations = { 'k8s.io/initial-events-end': 'true' };
  return { type: 'BOOKMARK', object: { metadata: { resourceVersion, annotations } } };
}

export function errorEvent(code: number, message: string): object {
  return { type: 'ERROR', object: { kind: 'Status', code, message } };
}
