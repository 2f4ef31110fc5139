// Keeps a sink equal to one resource of the API, for ever.
//
//   no version yet ──► WatchList: one stream that begins with every object and goes on as a watch
//        ▲      └────► paged list, then watch, where the server refuses WatchList
//        │ 410                      │
//        └───────── watch from the last version ◄── whatever else ends a stream: again, after a wait
//
// WatchList is refused with status 422, or with one ERROR event of code 500 (an etcd without RequestWatchProgress).

import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream';
import type { Log } from '../log.ts';
import { Backoff, sleep, type Timing } from './backoff.ts';
import { type ApiClient, networkText } from './client.ts';
import { type Page, parsePage, parseStatus, type Status, type WatchEvent } from './events.ts';
import { eventSource } from './framing.ts';
import { MESSAGE_BYTES_MAX, PAGE_OBJECTS, STATUS_BYTES_MAX } from './limits.ts';
import type { Named, Resource } from './objects/resources.ts';
import { ProtocolError } from './protobuf.ts';
import type { ObjectSink } from './sinks.ts';
import { type Ending, WatchErrors, type WatchPlace } from './watch-errors.ts';

export interface ReflectorOptions<T extends Named> {
  readonly client: ApiClient;
  readonly resource: Resource<T>;
  readonly sink: ObjectSink<T>;
  /** Called when a batch of changes has gone into the sink. */
  readonly onBatch: () => void;
  readonly log: Log;
  readonly timing: Timing;
}

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const ACCEPT_WATCH = `${PROTOBUF};stream=watch, application/json;stream=watch`;
const ACCEPT_LIST = `${PROTOBUF}, application/json`;

/** The server ends a watch after this many seconds; spread, so that replicas do not come back together. */
const WATCH_SECONDS: readonly [min: number, max: number] = [300, 600];

/** A watch that the server ends sooner counts as a failure: without a wait the next one would follow at once. */
const SHORT_WATCH_MS = 1000;

export class Reflector<T extends Named> {
  readonly #options: ReflectorOptions<T>;
  readonly #stopping = new AbortController();
  readonly #backoff: Backoff;
  #running: Promise<void> | undefined;
  /** Version from which a watch can go on; undefined: a list is needed. */
  #version: string | undefined;
  #usesWatchList = true;
  #isSynced: boolean = false;
  readonly #errors: WatchErrors;
  /** Events of the watch, those of the first load not counted. */
  #events = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#backoff = new Backoff(options.timing);
    this.#errors = new WatchErrors(options.log, () => this.#place());
  }

  /** A whole list has arrived once. Stays true. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const wasLoading = this.#version === undefined;
      const startedAt = performance.now();
      const ending = await this.#session();
      if (signal.aborted) return;
      await sleep(this.#waitMs(ending, wasLoading, performance.now() - startedAt), signal);
    }
  }

  async #session(): Promise<Ending> {
    try {
      return await (this.#version === undefined && !this.#usesWatchList ? this.#list() : this.#watch());
    } catch (error) {
      if (error instanceof ProtocolError) return { kind: 'garbage', text: error.message };
      return { kind: 'unreachable', text: networkText(error) };
    }
  }

  /** Draws the conclusions from an ending; returns the milliseconds to wait. */
  #waitMs(ending: Ending, wasLoading: boolean, lastedMs: number): number {
    const hasLoaded = wasLoading && this.#version !== undefined;
    if (hasLoaded || lastedMs >= this.#options.timing.healthyMs) this.#backoff.reset();
    if (ending.kind === 'listed') return 0;
    if (ending.kind === 'closed' && lastedMs >= SHORT_WATCH_MS && (hasLoaded || !wasLoading)) return 0;
    if (wasLoading && !hasLoaded && this.#usesWatchList && isWatchListRefused(ending)) {
      this.#usesWatchList = false;
      if (ending.kind === 'refused') return 0;
    }
    if (ending.kind === 'refused' && ending.status.code === 410) this.#version = undefined;
    else this.#errors.report(ending, wasLoading && !hasLoaded, lastedMs < SHORT_WATCH_MS && this.#events === 0);
    return this.#backoff.next();
  }

  async #watch(): Promise<Ending> {
    const { client, resource, sink, onBatch } = this.#options;
    const response = await client.open(this.#watchTarget(), ACCEPT_WATCH, this.#stopping.signal);
    if (response.statusCode !== 200) return this.#refusal(response);
    if (this.#version === undefined) sink.begin();
    this.#events = 0;
    const source = eventSource(isProtobuf(response), resource, MESSAGE_BYTES_MAX);
    let refused: Status | undefined;
    await this.#read(response, (chunk) => {
      source.push(chunk, (event) => {
        refused ??= this.#apply(event);
      });
      onBatch();
      return refused === undefined;
    });
    if (refused !== undefined) return { kind: 'refused', status: refused, isEvent: true };
    return { kind: 'closed' };
  }

  /** Returns the status of an ERROR event. */
  #apply(event: WatchEvent<T>): Status | undefined {
    const { sink } = this.#options;
    this.#events++;
    this.#errors.recover();
    if (event.type === 'error') return event.status;
    if (event.type === 'bookmark') {
      if (event.endsInitialEvents && this.#version === undefined) this.#endList(event.version);
    } else if (event.type === 'put') sink.put(event.object);
    else sink.remove(event.object);
    // Until the first load is whole, no version in it is one to go on from.
    if (this.#version !== undefined && event.version !== '') this.#version = event.version;
    return undefined;
  }

  async #list(): Promise<Ending> {
    const { resource, sink, onBatch } = this.#options;
    sink.begin();
    for (let next: string | undefined = ''; next !== undefined; ) {
      const page: Page<T> | Ending = await this.#page(next);
      if ('kind' in page) return page;
      this.#errors.recover();
      for (const object of page.objects) sink.put(object);
      if (page.next === '') this.#endList(page.version);
      onBatch();
      next = page.next === '' ? undefined : page.next;
    }
    this.#options.log.debug(`listed ${resource.goType}`);
    return { kind: 'listed' };
  }

  async #page(next: string): Promise<Page<T> | Ending> {
    const { client, resource } = this.#options;
    const startedAt = performance.now();
    const target = targetOf(resource, { continue: next, limit: String(PAGE_OBJECTS) });
    const response = await client.open(target, ACCEPT_LIST, this.#stopping.signal);
    if (response.statusCode !== 200) return this.#refusal(response);
    const octets = await this.#body(response, MESSAGE_BYTES_MAX);
    client.observer.listed((performance.now() - startedAt) / 1000, client.host);
    return parsePage(octets, isProtobuf(response), resource);
  }

  #endList(version: string): void {
    this.#options.sink.end();
    this.#events = 0;
    this.#version = version;
    this.#isSynced = true;
  }

  #watchTarget(): string {
    const { resource, timing } = this.#options;
    const [min, max] = WATCH_SECONDS;
    const seconds = Math.round(min + timing.random() * (max - min));
    const start: Record<string, string> =
      this.#version === undefined
        ? { resourceVersionMatch: 'NotOlderThan', sendInitialEvents: 'true' }
        : { resourceVersion: this.#version };
    return targetOf(resource, {
      allowWatchBookmarks: 'true',
      ...start,
      timeoutSeconds: String(seconds),
      watch: 'true',
    });
  }

  async #refusal(response: IncomingMessage): Promise<Ending> {
    const body = await this.#body(response, STATUS_BYTES_MAX);
    const status = parseStatus(body, isProtobuf(response), response.statusCode ?? 0);
    return { kind: 'refused', status, isEvent: false };
  }

  async #body(response: IncomingMessage, bytesMax: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    await this.#read(response, (chunk) => {
      bytes += chunk.length;
      if (bytes > bytesMax) throw new ProtocolError(`a response is larger than ${bytesMax} octets`);
      chunks.push(chunk);
      return true;
    });
    return Buffer.concat(chunks);
  }

  /** Reads until the end, or until `take` returns false. Rejects on a broken or silent stream. */
  async #read(response: IncomingMessage, take: (chunk: Buffer) => boolean): Promise<void> {
    const { stallMs } = this.#options.timing;
    const stalled = () => response.destroy(new ProtocolError(`nothing received for ${stallMs / 1000} s`));
    const timer = setTimeout(stalled, stallMs);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // No iteration: a promise for each of the many small pieces of a first load costs as much as what is in them.
    response.on('data', (chunk: Buffer) => {
      timer.refresh();
      try {
        if (response.destroyed || take(chunk)) return;
        resolve();
      } catch (error) {
        reject(error);
      }
      response.destroy();
    });
    finished(response, { writable: false }, (error) => (error == null ? resolve() : reject(error)));
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What log lines show is what CoreDNS would have asked for. */
  #place(): WatchPlace {
    const { client, resource } = this.#options;
    const list = { limit: String(PAGE_OBJECTS), resourceVersion: '0' };
    return {
      goType: resource.goType,
      listUrl: client.server + targetOf(resource, list),
      watchUrl: client.server + this.#watchTarget(),
    };
  }
}

/** Path and query, the words in the order of the alphabet; empty ones are left out. */
function targetOf(resource: Resource<Named>, words: Readonly<Record<string, string>>): string {
  const { fieldSelector, labelSelector } = resource;
  const all = Object.entries({ ...words, fieldSelector, labelSelector }).filter(([, value]) => value !== '');
  const query = new URLSearchParams(all);
  query.sort();
  return `${resource.path}?${query}`;
}

/** A server that does not know WatchList may also answer it with a plain watch, whose first load never ends. */
function isWatchListRefused(ending: Ending): boolean {
  if (ending.kind === 'refused') return ending.status.code === (ending.isEvent ? 500 : 422);
  return ending.kind === 'closed' || ending.kind === 'garbage';
}

function isProtobuf(response: IncomingMessage): boolean {
  return (response.headers['content-type'] ?? '').startsWith(PROTOBUF);
}
