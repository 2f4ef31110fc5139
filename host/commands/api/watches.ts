// GET with watch: what has happened since a version, or all that is there (WatchList), and what happens from now on.
//
//   sendInitialEvents   ADDED for each object, a bookmark that ends them, then changes
//   resourceVersion=N   changes after N; ERROR 410 if they are forgotten
//   none, or 0          ADDED for each object, then changes

import type { ApiRequest } from './api.ts';
import { Outlet } from './outlet.ts';
import { everything } from './selectors.ts';
import { type Change, ForgottenError, KINDS } from './source.ts';
import { parseVersion, refuse, status } from './statuses.ts';

/** A watch ends after so many seconds unless it asks for less. */
const WATCH_SECONDS_MAX = 3600;

export async function answerWatch(request: ApiRequest): Promise<void> {
  const { options, query, response } = request;
  const asked = parseVersion(query.get('resourceVersion') ?? '');
  const isList = query.get('sendInitialEvents') === 'true';
  const match = query.get('resourceVersionMatch') ?? '';
  if (asked === undefined) refuse(response, 400, 'Invalid value: "": resourceVersion');
  else if (isList && options.hasWatchList === false) {
    const text = 'sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled';
    refuse(response, 422, invalid('sendInitialEvents', text));
  } else if (isList && match !== 'NotOlderThan') {
    const text = 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan';
    refuse(response, 422, invalid('resourceVersionMatch', text));
  } else if (!query.has('sendInitialEvents') && match !== '') {
    const text = 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided';
    refuse(response, 422, invalid('resourceVersionMatch', text));
  } else await new Watch(request, asked).run(isList);
}

function invalid(field: string, text: string): string {
  return `ListOptions.meta.k8s.io "" is invalid: ${field}: Forbidden: ${text}`;
}

class Watch {
  readonly #request: ApiRequest;
  readonly #outlet: Outlet;
  /** The client knows what happened up to here. */
  #version: number;
  #isOver: boolean = false;
  #isBookmarkDue: boolean = false;
  #wake: () => void = () => {};

  constructor(request: ApiRequest, version: number) {
    this.#request = request;
    this.#outlet = new Outlet(request.response);
    this.#version = version;
  }

  async run(isList: boolean): Promise<void> {
    const { response, source, options, query, form } = this.#request;
    const { encoding } = form;
    response.writeHead(200, { 'Content-Type': `${encoding.contentType};stream=watch` });
    response.flushHeaders();
    const wake = () => this.#wake();
    const stopListening = source.listen(wake);
    const seconds = Math.min(Number(query.get('timeoutSeconds') ?? 0) || WATCH_SECONDS_MAX, WATCH_SECONDS_MAX);
    const end = setTimeout(() => {
      this.#isOver = true;
      wake();
    }, 1000 * seconds);
    const wantsBookmarks = query.get('allowWatchBookmarks') === 'true';
    const bookmarks = wantsBookmarks ? setInterval(() => this.#remind(), options.bookmarkMs) : undefined;
    response.once('close', wake);
    try {
      if (isList || this.#version === 0) await this.#sendAll(isList && wantsBookmarks);
      await this.#follow();
      if (!this.#outlet.isClosed) response.end();
    } finally {
      stopListening();
      clearTimeout(end);
      clearInterval(bookmarks);
    }
  }

  #remind(): void {
    this.#isBookmarkDue = true;
    this.#wake();
  }

  async #sendAll(endsInBookmark: boolean): Promise<void> {
    const { source, resource, keeps, form } = this.#request;
    const version = Math.max(this.#version, source.version);
    this.#version = version;
    try {
      for (const { object } of source.list(resource, version, '')) {
        if (keeps(object)) this.#outlet.add(form.encoding.event('ADDED', KINDS[resource], object));
        if (this.#outlet.isFull) await this.#outlet.flush();
        if (this.#outlet.isClosed) return;
      }
    } catch (error) {
      if (!(error instanceof ForgottenError)) throw error;
      // #follow() will say so.
      return;
    }
    if (endsInBookmark) this.#bookmark({ annotations: { 'k8s.io/initial-events-end': 'true' } });
  }

  /** Until the client goes, time is up, or the client is so late that what it lacks is forgotten. */
  async #follow(): Promise<void> {
    const { source } = this.#request;
    while (!this.#outlet.isClosed) {
      if (this.#version < source.oldestVersion || this.#version > source.version) {
        this.#sendExpired();
        await this.#outlet.flush();
        return;
      }
      while (this.#version < source.version && !this.#outlet.isFull) this.#tell(source.changeAt(++this.#version));
      const isUpToDate = this.#version === source.version;
      if (this.#isBookmarkDue && isUpToDate) this.#bookmark({});
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await this.#outlet.flush();
      if (this.#version < source.version) continue;
      if (this.#isOver) return;
      if (!this.#outlet.isClosed && !this.#isBookmarkDue) await promise;
    }
  }

  #sendExpired(): void {
    const { version } = this.#request.source;
    const object = status(410, `too old resource version: ${this.#version} (${version})`);
    this.#outlet.add(this.#request.form.encoding.event('ERROR', { apiVersion: 'v1', kind: 'Status' }, object));
  }

  /** An object that leaves the selection is deleted for this client, one that enters it is added. */
  #tell(change: Change): void {
    const { resource, keeps, form } = this.#request;
    if (change.resource !== resource) return;
    if (keeps === everything) {
      this.#outlet.add(form.encoding.change(change));
      return;
    }
    const was = change.before !== undefined && keeps(change.before);
    const is = change.type !== 'DELETED' && keeps(change.object);
    if (!was && !is) return;
    const type = is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED';
    this.#outlet.add(form.encoding.event(type, KINDS[resource], change.object));
  }

  #bookmark(metadata: object): void {
    this.#isBookmarkDue = false;
    const { resource, form } = this.#request;
    const object = { metadata: { resourceVersion: String(this.#version), ...metadata } };
    this.#outlet.add(form.encoding.event('BOOKMARK', KINDS[resource], object));
  }
}
