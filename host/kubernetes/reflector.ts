// Keeps a sink equal to one resource of the API, for ever.
//
//   no version yet ──► WatchList: one stream that begins with every object and goes on as a watch
//        ▲      └────► paged list, then watch, where the server refuses WatchList
//        │ 410, distrust            │
//        └───────── watch from the last version ◄── whatever else ends a stream: again, after a wait
//
// WatchList is refused with status 422, or with one ERROR event of code 500 (an etcd without RequestWatchProgress).
// Distrust: the versions of a stream go back, or a check (verifier.ts) has found what the watch did not show. The objects
// that are known stay until the new list is whole.

import type { IncomingMessage } from 'node:http';
import type { Log } from '../log.ts';
import { Backoff, sleep, type Timing } from './backoff.ts';
import { ACCEPT_LIST, ACCEPT_WATCH, type ApiClient, isProtobuf, networkText, targetOf } from './client.ts';
import { type Page, parsePage, parseStatus, type Status, type WatchEvent } from './events.ts';
import { eventSource } from './framing.ts';
import { MESSAGE_BYTES_MAX, PAGE_OBJECTS, STATUS_BYTES_MAX } from './limits.ts';
import type { Named, Resource } from './objects/resources.ts';
import { Patience } from './patience.ts';
import { ProtocolError } from './protobuf.ts';
import { readBody, readChunks } from './response-body.ts';
import type { ObjectSink } from './sinks.ts';
import { objectKey, VersionTable, versionNumber } from './versions.ts';
import { type Ending, WatchErrors, type WatchPlace } from './watch-errors.ts';

export interface ReflectorOptions<T extends Named> {
  readonly client: ApiClient;
  readonly resource: Resource<T>;
  readonly sink: ObjectSink<T>;
  /** Called when a batch of changes has gone into the sink. */
  readonly onBatch: () => void;
  readonly log: Log;
  readonly timing: Timing;
  /** A watch goes on after a failure: what it missed is to be seen now. */
  readonly onResumed?: () => void;
  /** An event is in the sink and published; since the object was written that many milliseconds have passed. */
  readonly onApplied?: (elapsedMs: number) => void;
}

/** The server ends a watch after this many seconds; spread, so that replicas do not come back together. */
const WATCH_SECONDS: readonly [min: number, max: number] = [300, 600];

/** A watch that the server ends sooner counts as a failure: without a wait the next one would follow at once. */
const SHORT_WATCH_MS = 1000;

/** A Retry-After beyond it is not believed. */
const RETRY_AFTER_MS_MAX = 60_000;

/** The watches of hundreds of replicas do not all come back at the moment when one of each has got through. */
const RECOVERY_MS = 1000;

const GONE = 410;

/** A server whose versions expire again and again is asked for lists at most as often. */
const EXPIRIES_MS_MAX = 60_000;

export class Reflector<T extends Named> {
  readonly #options: ReflectorOptions<T>;
  readonly #stopping = new AbortController();
  /** Ends what is under way: a request, a stream, a wait. */
  #attempt = new AbortController();
  readonly #backoff: Backoff;
  readonly #patience = new Patience();
  readonly #expiries = new Patience();
  #running: Promise<void> | undefined;
  /** Version from which a watch can go on; undefined: a list is needed. */
  #version: string | undefined;
  #usesWatchList = true;
  #isSynced: boolean = false;
  readonly #errors: WatchErrors;
  /** Events of the watch, those of the first load not counted. */
  #events = 0;
  #versions = new VersionTable();
  /** The same of a list that is not whole yet. */
  #listed = new VersionTable();
  #heardAt: number | undefined;
  #contactAt: number;
  #isOpen: boolean = false;
  /** The load that failed last had begun: it has cost the server something. */
  #hasBegun: boolean = false;
  /** How the last session failed; undefined since one has come about. */
  #failure: Ending['kind'] | undefined;
  /** When the objects of this batch were written. */
  readonly #written: number[] = [];

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#backoff = new Backoff(options.timing);
    this.#errors = new WatchErrors(options.log, () => this.#place());
    this.#contactAt = performance.now();
  }

  /** A whole list has arrived once. Stays true. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Version up to which the watch has shown everything; undefined while a list is under way. */
  get version(): string | undefined {
    return this.#version;
  }

  /** The API sends, or could. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Versions of the objects as the watch has shown them; another table after each list. */
  get versions(): VersionTable {
    return this.#versions;
  }

  /** When the last event or bookmark came (monotonic milliseconds); undefined before the first. */
  get heardAt(): number | undefined {
    return this.#heardAt;
  }

  /** When the API last did what it was asked for: opened a watch, sent an event, a bookmark or a page. */
  get contactAt(): number {
    return this.#contactAt;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#attempt.abort();
    await this.#running;
  }

  /**
   * What the watch shows is not what the API has: lists again. False if that has been asked for too often of late.
   * @param reason ends the log line.
   */
  distrust(reason: string): boolean {
    if (this.#version === undefined) return true;
    const { log, resource, timing } = this.#options;
    if (!this.#patience.spend(performance.now(), timing.checkMs)) return false;
    log.warning(`The watch of ${resource.goType} is not the whole truth, listing again: ${reason}`);
    this.#version = undefined;
    this.#attempt.abort();
    return true;
  }

  async #run(): Promise<void> {
    const stopping = this.#stopping.signal;
    while (!stopping.aborted) {
      if (this.#attempt.signal.aborted) this.#attempt = new AbortController();
      const wasLoading = this.#version === undefined;
      const startedAt = performance.now();
      this.#hasBegun = false;
      const ending = await this.#session();
      this.#isOpen = false;
      if (stopping.aborted) return;
      const waitMs = this.#attempt.signal.aborted ? 0 : this.#waitMs(ending, wasLoading, performance.now() - startedAt);
      await this.#rest(waitMs, ending);
    }
  }

  /** Waits that long; not longer than a moment once another watch has found the server again. */
  async #rest(waitMs: number, ending: Ending): Promise<void> {
    const endsAt = performance.now() + waitMs;
    await sleep(waitMs, this.#interruption(ending));
    const momentMs = RECOVERY_MS * this.#options.timing.random();
    await sleep(Math.min(endsAt - performance.now(), momentMs), this.#attempt.signal);
  }

  /** What one watch finds out about a server that nobody could reach counts for all. */
  #interruption(ending: Ending): AbortSignal {
    const { recovery } = this.#options.client;
    if (ending.kind !== 'unreachable' || recovery === undefined) return this.#attempt.signal;
    return AbortSignal.any([this.#attempt.signal, recovery]);
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
    // A server that refuses is past what made it unreachable
    if (this.#failure === 'unreachable' && ending.kind === 'refused') this.#backoff.reset();
    this.#failure = ending.kind;
    if (ending.kind === 'refused' && this.#version !== undefined && needsList(ending.status)) this.#expire();
    if (ending.kind !== 'refused' || ending.status.code !== GONE)
      this.#errors.report(ending, wasLoading && !hasLoaded, lastedMs < SHORT_WATCH_MS && this.#events === 0);
    const waitMs = this.#backoff.next(wasLoading && this.#hasBegun);
    return ending.kind === 'refused' ? Math.max(waitMs, ending.retryAfterMs) : waitMs;
  }

  /** A list is needed, which is another request than the one that has failed. */
  #expire(): void {
    this.#version = undefined;
    if (this.#expiries.spend(performance.now(), EXPIRIES_MS_MAX)) this.#backoff.reset();
  }

  async #watch(): Promise<Ending> {
    const { client, resource, sink, onBatch, timing } = this.#options;
    const response = await client.open(this.#watchTarget(), ACCEPT_WATCH, this.#attempt.signal);
    if (response.statusCode !== 200) return this.#refusal(response);
    this.#begin();
    this.#isOpen = true;
    if (this.#version === undefined) sink.begin();
    else if (this.#failure !== undefined) this.#resumed();
    this.#events = 0;
    const source = eventSource(isProtobuf(response), resource, MESSAGE_BYTES_MAX);
    let ending: Ending | undefined;
    await readChunks(response, timing.stallMs, (chunk) => {
      source.push(chunk, (event) => {
        ending ??= this.#apply(event);
      });
      onBatch();
      this.#tellWritten();
      return ending === undefined;
    });
    return ending ?? { kind: 'closed' };
  }

  /** The server does what it was asked for. */
  #begin(): void {
    this.#hasBegun = true;
    this.#contactAt = performance.now();
    if (this.#version === undefined) this.#listed = new VersionTable();
  }

  #resumed(): void {
    this.#failure = undefined;
    this.#options.onResumed?.();
  }

  /** Returns an ending if nothing more is to be read. */
  #apply(event: WatchEvent<T>): Ending | undefined {
    const { sink } = this.#options;
    this.#events++;
    this.#errors.recover();
    this.#heardAt = performance.now();
    if (event.type === 'error') {
      return { kind: 'refused', status: event.status, isEvent: true, retryAfterMs: 0 };
    }
    this.#contactAt = this.#heardAt;
    if (this.#goesBack(event.version)) return { kind: 'closed' };
    if (event.type === 'bookmark') {
      if (event.endsInitialEvents && this.#version === undefined) this.#endList(event.version);
    } else this.#change(sink, event.type, event.object, event.version);
    // Until the first load is whole, no version in it is one to go on from.
    if (this.#version === undefined || event.version === '') return undefined;
    this.#version = event.version;
    if (event.type !== 'bookmark' && event.writtenAt > 0) this.#written.push(event.writtenAt);
    return undefined;
  }

  #change(sink: ObjectSink<T>, type: 'put' | 'remove', object: T, version: string): void {
    const versions = this.#version === undefined ? this.#listed : this.#versions;
    const key = objectKey(object.namespace, object.name);
    if (type === 'put') {
      sink.put(object);
      versions.set(key, versionNumber(version));
    } else {
      sink.remove(object);
      versions.delete(key);
    }
  }

  /** Events of one resource come in the order of their versions: an older one is a repetition, or another history. */
  #goesBack(version: string): boolean {
    if (this.#version === undefined || !(versionNumber(version) < versionNumber(this.#version))) return false;
    return this.distrust(`version ${version} came after ${this.#version}`);
  }

  #tellWritten(): void {
    if (this.#written.length === 0) return;
    const now = Date.now();
    for (const writtenAt of this.#written) this.#options.onApplied?.(Math.max(0, now - writtenAt));
    this.#written.length = 0;
  }

  async #list(): Promise<Ending> {
    const { resource, sink, onBatch } = this.#options;
    this.#listed = new VersionTable();
    sink.begin();
    for (let next: string | undefined = ''; next !== undefined; ) {
      const page: Page<T> | Ending = await this.#page(next);
      if ('kind' in page) return page;
      this.#errors.recover();
      for (const [i, object] of page.objects.entries()) this.#change(sink, 'put', object, page.versions[i]!);
      if (page.next === '') this.#endList(page.version);
      onBatch();
      next = page.next === '' ? undefined : page.next;
    }
    this.#options.log.debug(`listed ${resource.goType}`);
    return { kind: 'listed' };
  }

  async #page(next: string): Promise<Page<T> | Ending> {
    const { client, resource, timing } = this.#options;
    const startedAt = performance.now();
    const target = targetOf(resource, { continue: next, limit: String(PAGE_OBJECTS) });
    const response = await client.open(target, ACCEPT_LIST, this.#attempt.signal);
    if (response.statusCode !== 200) return this.#refusal(response);
    this.#hasBegun = true;
    const octets = await readBody(response, timing.stallMs, MESSAGE_BYTES_MAX);
    this.#contactAt = performance.now();
    this.#heardAt = this.#contactAt;
    client.observer.listed((performance.now() - startedAt) / 1000, client.host);
    return parsePage(octets, isProtobuf(response), resource);
  }

  #endList(version: string): void {
    this.#options.sink.end();
    this.#events = 0;
    this.#version = version;
    this.#versions = this.#listed;
    this.#listed = new VersionTable();
    this.#isSynced = true;
    if (this.#failure !== undefined) this.#resumed();
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
    const body = await readBody(response, this.#options.timing.stallMs, STATUS_BYTES_MAX);
    const status = parseStatus(body, isProtobuf(response), response.statusCode ?? 0);
    return { kind: 'refused', status, isEvent: false, retryAfterMs: this.#retryAfterMs(response) };
  }

  /** What the server asks for in seconds, and up to half as much more, so that replicas spread. */
  #retryAfterMs(response: IncomingMessage): number {
    const seconds = Number(response.headers['retry-after']);
    if (!(seconds > 0)) return 0;
    return Math.min(RETRY_AFTER_MS_MAX, seconds * 1000) * (1 + this.#options.timing.random() / 2);
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

/** A server that does not know WatchList may also answer it with a plain watch, whose first load never ends. */
function isWatchListRefused(ending: Ending): boolean {
  if (ending.kind === 'refused') return ending.status.code === (ending.isEvent ? 500 : 422);
  return ending.kind === 'closed' || ending.kind === 'garbage';
}

/** The version from which a watch should go on is none that the server knows: it is gone, or still to come. */
function needsList({ code, message }: Status): boolean {
  if (code === 504) return message.startsWith('Too large resource version');
  return code >= 400 && code < 500 && ![401, 403, 408, 429].includes(code);
}
