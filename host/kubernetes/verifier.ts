// Looks whether a watch has shown everything: an event that is lost on its way stays lost, and nothing else tells.
//
//   glance   a list of one object, by the clock and after each failure: the number of objects, and the version they are at
//   sweep    a list of all objects' metadata in pages, spread over two minutes: the version of each object
//
// Both come the more often the fewer objects there are, so that the API server has the same work with either.
// What differs may be on its way, so it counts if it still differs after a time of grace. Then the reflector lists again.
// A sweep follows a glance that has found a difference at once.

import type { Log } from '../log.ts';
import { sleep, type Timing } from './backoff.ts';
import { ACCEPT_METADATA, type ApiClient, isProtobuf, targetOf } from './client.ts';
import { type Page, parsePage } from './events.ts';
import { MESSAGE_BYTES_MAX, PAGE_OBJECTS } from './limits.ts';
import type { Named, Resource } from './objects/resources.ts';
import { readBody } from './response-body.ts';
import { objectKey, type VersionTable, versionNumber } from './versions.ts';

/** What the verifier sees of a reflector. */
export interface Watched {
  /** The watch is open: what it has not shown by now, it has missed. One that comes back will show it by itself. */
  readonly isOpen: boolean;
  readonly version: string | undefined;
  readonly versions: VersionTable;
  distrust(reason: string): boolean;
}

type WatchedResource = Pick<Resource<Named>, 'path' | 'fieldSelector' | 'labelSelector' | 'goType'>;

export interface VerifierOptions {
  readonly client: ApiClient;
  readonly resource: WatchedResource;
  readonly watched: Watched;
  readonly log: Log;
  readonly timing: Timing;
  /** A look is over; `missed` objects are not as the watch has shown them. */
  readonly onChecked: (result: CheckResult, missed: number) => void;
}

/** `unfinished`: the API could not be asked, or the resource was listed anew meanwhile. */
export type CheckResult = 'same' | 'missed' | 'unfinished';

/** The store counts all objects for a glance: it has as much to do with many as with few. */
const GLANCE_MS_PER_OBJECT = 10;
const GLANCE_MS: readonly [min: number, max: number] = [10_000, 60_000];
/** From so many pages on a sweep comes after checkMs; with fewer after a part of it. */
const SWEEP_PAGES = 20;
const SWEEP_MS_MIN = 60_000;
/** Of each interval, so that replicas that began together do not stay together. */
const JITTER = 0.25;
/** The continue token of a list lives at least five minutes. */
const SPREAD_MS = 120_000;
/** A failure is often one of many: replicas do not ask at the same moment. */
const RESUMED_MS = 1000;
/** Names in a log line. */
const NAMES_MAX = 5;

/** Longest time from one glance at so many objects to the next. */
export function glanceInterval(objects: number, checkMs: number): number {
  const [min, max] = GLANCE_MS;
  return Math.min(checkMs, max, Math.max(min, objects * GLANCE_MS_PER_OBJECT));
}

/** Time from one sweep of so many objects to the next. */
export function sweepInterval(objects: number, checkMs: number): number {
  return Math.min(checkMs, Math.max(SWEEP_MS_MIN, (checkMs * pagesOf(objects)) / SWEEP_PAGES));
}

function pagesOf(objects: number): number {
  return Math.max(1, Math.ceil(objects / PAGE_OBJECTS));
}

export class Verifier {
  readonly #options: VerifierOptions;
  readonly #metadata: Resource<Named>;
  readonly #stopping = new AbortController();
  #waking = new AbortController();
  #isNudged: boolean = false;
  #running: Promise<void> | undefined;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#metadata = metadataOf(options.resource);
  }

  start(): void {
    if (this.#options.timing.checkMs > 0) this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#waking.abort();
    await this.#running;
  }

  /** Something has happened to the watch: glances soon. */
  nudge(): void {
    this.#isNudged = true;
    this.#waking.abort();
  }

  async #run(): Promise<void> {
    const { watched, timing } = this.#options;
    const { checkMs, random } = timing;
    let sweptAt = performance.now();
    // The first ones at a random moment, so that neither replicas nor resources ask together.
    let sweepShare = random();
    let glanceShare = random();
    while (!this.#stopping.signal.aborted) {
      await sleep(glanceShare * glanceInterval(watched.versions.size, checkMs), this.#waking.signal);
      glanceShare = 1 - JITTER * random();
      if (this.#waking.signal.aborted) await this.#wake();
      if (this.#stopping.signal.aborted) return;
      if (watched.version === undefined || !watched.isOpen) continue;
      const isDue = performance.now() - sweptAt >= sweepShare * sweepInterval(watched.versions.size, checkMs);
      const isSame = await this.#try(() => this.#glance(isDue));
      if (isSame && !isDue) continue;
      await this.#try(() => this.#sweep(isSame));
      sweptAt = performance.now();
      sweepShare = 1;
    }
  }

  async #wake(): Promise<void> {
    if (!this.#stopping.signal.aborted) this.#waking = new AbortController();
    if (this.#isNudged) await sleep(RESUMED_MS * this.#options.timing.random(), this.#stopping.signal);
    this.#isNudged = false;
  }

  /** Whatever keeps the API from an answer also keeps the watch from its own, which says so. */
  async #try(look: () => Promise<boolean>): Promise<boolean> {
    try {
      return await look();
    } catch {
      if (!this.#stopping.signal.aborted) this.#options.onChecked('unfinished', 0);
      return true;
    }
  }

  /** False if the number of objects differs. @param isDue it will be looked closer at anyway. */
  async #glance(isDue: boolean): Promise<boolean> {
    const { watched, timing } = this.#options;
    if ((await this.#surplus()) === 0 || isDue) return true;
    await sleep(timing.graceMs, this.#stopping.signal);
    return watched.version === undefined || (await this.#surplus()) === 0;
  }

  /** Objects that the API has more than the watch has shown; 0 if that cannot be told. */
  async #surplus(): Promise<number> {
    const { watched } = this.#options;
    const { version, versions } = watched;
    if (version === undefined) return 0;
    const page = await this.#page('', 1);
    if (watched.versions !== versions || watched.version === undefined) return 0;
    if (versionNumber(page.version) < versionNumber(version)) {
      this.#miss(1, `the API is at version ${page.version}, behind ${version}`);
      return 0;
    }
    const count = page.next === '' ? page.objects.length : page.objects.length + (page.remaining ?? Number.NaN);
    return Number.isNaN(count) ? 0 : count - versions.size;
  }

  /** @param isSpread not all pages at once. */
  async #sweep(isSpread: boolean): Promise<boolean> {
    const { watched } = this.#options;
    const { versions } = watched;
    if (watched.version === undefined) return true;
    versions.startMarking();
    try {
      const suspects = await this.#compare(versions, isSpread);
      if (suspects.size > 0) await sleep(this.#options.timing.graceMs, this.#stopping.signal);
      if (this.#stopping.signal.aborted) return true;
      if (watched.versions !== versions || watched.version === undefined) throw new Error('listed meanwhile');
      const missed = [...suspects].filter(([key, suspect]) => isMissed(versions, key, suspect));
      const names = missed.map(([, { name }]) => name).slice(0, NAMES_MAX);
      if (missed.length === 0) this.#options.onChecked('same', 0);
      else this.#miss(missed.length, `${missed.length} missed, among them ${names.join(', ')}`);
      return true;
    } finally {
      versions.stopMarking();
    }
  }

  /** What differs now; some of it may be on its way. */
  async #compare(versions: VersionTable, isSpread: boolean): Promise<ReadonlyMap<number, Suspect>> {
    const suspects = new Map<number, Suspect>();
    const pauseMs = isSpread ? this.#pauseMs(versions.size) : 0;
    let firstVersion = Number.NaN;
    for (let next: string | undefined = ''; next !== undefined; ) {
      const page: Page<Named> = await this.#page(next, PAGE_OBJECTS);
      const listed = versionNumber(page.version);
      if (Number.isNaN(listed)) throw new Error(`version ${page.version} is no number`);
      if (next === '') firstVersion = listed;
      for (const [i, { namespace, name }] of page.objects.entries()) {
        const key = objectKey(namespace, name);
        const version = versionNumber(page.versions[i]!);
        versions.mark(key);
        const suspect = { name: nameOf(namespace, name), version, listed };
        if (isMissed(versions, key, suspect)) suspects.set(key, suspect);
      }
      next = page.next === '' ? undefined : page.next;
      if (next !== undefined) await sleep(pauseMs, this.#stopping.signal);
    }
    for (const key of versions.unmarked(firstVersion)) {
      // Listed before the watch showed it: there was nothing to mark
      if (!suspects.has(key)) suspects.set(key, { name: 'one that is gone', version: undefined, listed: firstVersion });
    }
    return suspects;
  }

  #pauseMs(objects: number): number {
    const spreadMs = Math.min(SPREAD_MS, sweepInterval(objects, this.#options.timing.checkMs) / 2);
    return spreadMs / pagesOf(objects);
  }

  #miss(missed: number, reason: string): void {
    const { watched, onChecked } = this.#options;
    if (watched.isOpen && watched.distrust(reason)) onChecked('missed', missed);
    else onChecked('unfinished', 0);
  }

  async #page(next: string, limit: number): Promise<Page<Named>> {
    const { client, timing } = this.#options;
    const target = targetOf(this.#metadata, { continue: next, limit: String(limit) });
    // A connection that has lain idle for long may be dead without anybody knowing.
    const response = await client.open(target, ACCEPT_METADATA, this.#stopping.signal, true);
    const octets = await readBody(response, timing.stallMs, MESSAGE_BYTES_MAX);
    if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
    return parsePage(octets, isProtobuf(response), this.#metadata);
  }
}

interface Suspect {
  readonly name: string;
  /** In the list; undefined: it was not in it. */
  readonly version: number | undefined;
  /** Version of the list. */
  readonly listed: number;
}

/** The watch shows what the list did, or is ahead of the list. */
function isMissed(versions: VersionTable, key: number, { version, listed }: Suspect): boolean {
  const shown = versions.get(key);
  if (shown === undefined) return version !== undefined && !versions.wasRemoved(key);
  return shown !== version && !(shown > listed);
}

function nameOf(namespace: string, name: string): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** The same resource, of which nothing but metadata is read. */
function metadataOf({ path, fieldSelector, labelSelector, goType }: WatchedResource): Resource<Named> {
  return {
    ...{ path, fieldSelector, labelSelector, goType, keepsLabels: false },
    read(reader, metadata, readMetadata) {
      while (reader.next()) {
        if (reader.is(1)) readMetadata();
        else reader.skip();
      }
      return { namespace: metadata.namespace, name: metadata.name };
    },
    ofJson: (_, { namespace, name }) => ({ namespace, name }),
  };
}
