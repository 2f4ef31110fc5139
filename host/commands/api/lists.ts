// GET without watch: whole or in pages. All pages of a list show one version, however much changes meanwhile.

import type { ApiRequest } from './api.ts';
import { PARTIAL, partialOf } from './encoding.ts';
import { Outlet } from './outlet.ts';
import { everything } from './selectors.ts';
import { ForgottenError, KINDS, type Listed } from './source.ts';
import { parseVersion, refuse, refuseFuture } from './statuses.ts';

interface Place {
  readonly version: number;
  /** Key of the last object of the page before. */
  readonly after: string;
  readonly limit: number;
}

export async function answerList(request: ApiRequest): Promise<void> {
  const { query, response } = request;
  const place = query.get('continue') ? continued(request) : begun(request);
  if (place === undefined) return;
  const outlet = new Outlet(response);
  try {
    if (place.limit > 0) await writePage(request, place, outlet);
    else await writeWhole(request, place, outlet);
    if (!outlet.isClosed) response.end();
  } catch (error) {
    if (!(error instanceof ForgottenError)) throw error;
    // So slow a reader that the version is forgotten by now: it gets half a list, which is none.
    response.destroy();
  }
}

function begun({ source, query, response }: ApiRequest): Place | undefined {
  const asked = query.get('resourceVersion') ?? '';
  const version = parseVersion(asked);
  const isExact = query.get('resourceVersionMatch') === 'Exact';
  if (version === undefined || (isExact && version === 0)) {
    refuse(response, 400, `Invalid value: ${JSON.stringify(asked)}: resourceVersion`);
  } else if (version > source.version) refuseFuture(response, version, source.version);
  else if (isExact && version < source.oldestVersion) {
    refuse(response, 410, `The resourceVersion for the provided list is too old.`);
  } else {
    // What the API server's cache answers comes in one piece.
    const limit = asked === '0' ? 0 : Number(query.get('limit') ?? 0);
    return { version: isExact ? version : source.version, after: '', limit: limit > 0 ? limit : 0 };
  }
  return undefined;
}

function continued({ source, query, response }: ApiRequest): Place | undefined {
  if (!['', '0'].includes(query.get('resourceVersion') ?? '')) {
    refuse(response, 400, 'specifying resource version is not allowed when using continue');
    return undefined;
  }
  const [version, after] = parseToken(query.get('continue')!);
  if (after === undefined || !(version <= source.version)) {
    refuse(response, 400, 'continue key is not valid: unrecognized encoded continue token');
    return undefined;
  }
  if (version < source.oldestVersion) {
    refuse(response, 410, 'The provided continue parameter is too old to display a consistent list result.');
    return undefined;
  }
  return { version, after, limit: Math.max(0, Number(query.get('limit') ?? 0)) };
}

function composeToken(version: number, after: string): string {
  return Buffer.from(`${version} ${after}`).toString('base64url');
}

function parseToken(token: string): readonly [version: number, after: string | undefined] {
  const [version, after] = Buffer.from(token, 'base64url').toString('utf8').split(' ');
  return [Number(version), after];
}

async function writePage(request: ApiRequest, { version, after, limit }: Place, outlet: Outlet): Promise<void> {
  const page: Listed[] = [];
  let hasMore = false;
  for (const listed of request.source.list(request.resource, version, after)) {
    if (!request.keeps(listed.object)) continue;
    hasMore = page.length === limit;
    if (hasMore) break;
    page.push(listed);
  }
  const next = hasMore ? { continue: composeToken(version, page.at(-1)!.key) } : {};
  const { source, resource, keeps, form, response } = request;
  // On the first page only: the count is of now, and later pages show the cluster as it was.
  const isCounted = hasMore && keeps === everything && after === '' && version === source.version;
  const rest = isCounted ? { remainingItemCount: source.countOf(resource) - page.length } : {};
  const metadata = { resourceVersion: String(version), ...next, ...rest };
  const kind = form.isPartial ? PARTIAL : KINDS[resource];
  const items = page.map(({ object }) => (form.isPartial ? partialOf(object) : object));
  response.writeHead(200, { 'Content-Type': form.encoding.contentType });
  outlet.add(form.encoding.page(kind, metadata, items));
  await outlet.flush();
}

/** In JSON, whatever would be rather taken: protobuf says how long a list is before it begins. */
async function writeWhole(request: ApiRequest, { version, after }: Place, outlet: Outlet): Promise<void> {
  const { source, resource, keeps, form, response } = request;
  response.writeHead(200, { 'Content-Type': 'application/json' });
  const { apiVersion, kind } = form.isPartial ? PARTIAL : KINDS[resource];
  const metadata = JSON.stringify({ resourceVersion: String(version) });
  outlet.add(`{"kind":"${kind}List","apiVersion":"${apiVersion}","metadata":${metadata},"items":[`);
  let separator = '';
  for (const { object } of source.list(resource, version, after)) {
    if (!keeps(object)) continue;
    outlet.add(separator + JSON.stringify(form.isPartial ? partialOf(object) : object));
    separator = ',';
    if (!outlet.isFull) continue;
    await outlet.flush();
    if (outlet.isClosed) return;
  }
  outlet.add(']}');
  await outlet.flush();
}
