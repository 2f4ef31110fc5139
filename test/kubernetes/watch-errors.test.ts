// What is logged of a watch that fails, in client-go's words.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { loadAccess } from '../../host/kubernetes/access.ts';
import { API_TIMING } from '../../host/kubernetes/backoff.ts';
import { ApiClient, networkText } from '../../host/kubernetes/client.ts';
import type { Namespace } from '../../host/kubernetes/objects/namespace.ts';
import { NAMESPACES } from '../../host/kubernetes/objects/resources.ts';
import { Reflector } from '../../host/kubernetes/reflector.ts';
import type { ObjectSink } from '../../host/kubernetes/sinks.ts';
import { type Ending, WatchErrors } from '../../host/kubernetes/watch-errors.ts';
import { createLog } from '../../host/log.ts';
import { scriptedApi, silence } from './scripted-api.ts';

const NO_POD = { host: undefined, port: undefined, root: '' };
const PLACE = { goType: '*v1.Pod', listUrl: 'http://x/pods?limit=500', watchUrl: 'http://x/pods?watch=true' };
const NO_SINK: ObjectSink<Namespace> = { begin: () => {}, put: () => {}, remove: () => {}, end: () => {} };

function reporter(): { errors: WatchErrors; lines: string[] } {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line.trimEnd()));
  return { errors: new WatchErrors(log, () => PLACE), lines };
}

const refused = (code: number, message: string, isEvent = false): Ending => ({
  kind: 'refused',
  status: { code, message },
  isEvent,
  retryAfterMs: 0,
});

test('what is not spoken of', () => {
  const { errors, lines } = reporter();
  const silent: readonly Ending[] = [{ kind: 'listed' }, { kind: 'closed' }, { kind: 'unreachable', text: undefined }];
  for (const ending of [...silent, refused(429, 'slow down'), refused(410, 'gone')]) {
    for (const wasLoading of [true, false]) errors.report(ending, wasLoading, false);
  }
  errors.report({ kind: 'closed' }, true, true);
  assert.deepEqual(lines, []);
});

test('the first failure is that of the watch, the next ones are of the list', () => {
  const { errors, lines } = reporter();
  errors.report(refused(403, 'forbidden'), false, false);
  errors.report(refused(403, 'forbidden'), false, false);
  errors.report({ kind: 'unreachable', text: 'no way' }, false, false);
  errors.recover();
  errors.report({ kind: 'unreachable', text: 'no way' }, false, false);
  errors.report(refused(503, ''), true, false);
  assert.deepEqual(lines, [
    '[ERROR] Failed to watch: forbidden',
    '[ERROR] Failed to watch: failed to list *v1.Pod: forbidden',
    '[ERROR] Failed to watch: failed to list *v1.Pod: Get "http://x/pods?limit=500": no way',
    '[ERROR] Failed to watch: Get "http://x/pods?watch=true": no way',
    '[ERROR] Failed to watch: failed to list *v1.Pod: the server answered with status 503',
  ]);
});

test('attempts that follow each other faster than those of client-go are not all told', () => {
  const { errors, lines } = reporter();
  const told = Array.from({ length: 15 }, () => {
    const before = lines.length;
    errors.report(refused(403, 'forbidden'), false, false);
    return lines.length - before;
  });
  assert.deepEqual(told, [1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
  errors.recover();
  errors.report(refused(403, 'forbidden'), false, false);
  assert.equal(lines.length, 7);
});

test('a stream that ends with an error, in garbage or at once', () => {
  const { errors, lines } = reporter();
  errors.report(refused(500, 'internal', true), false, false);
  errors.report({ kind: 'garbage', text: 'malformed JSON' }, false, false);
  errors.report({ kind: 'closed' }, false, true);
  assert.deepEqual(lines, Array(3).fill('[INFO] Warning: watch ended with error'));
  errors.report({ kind: 'garbage', text: 'malformed JSON' }, true, false);
  assert.equal(lines[3], '[ERROR] Failed to watch: failed to list *v1.Pod: malformed JSON');
});

test('network errors as Go tells them', () => {
  const error = (code: string, more: object = {}) => Object.assign(new Error('node says'), { code, ...more });
  const table: readonly (readonly [unknown, string | undefined])[] = [
    [error('ECONNREFUSED'), undefined],
    [error('ECONNRESET'), undefined],
    [error('ETIMEDOUT'), undefined],
    [Object.assign(new AggregateError([error('ECONNREFUSED')], '')), undefined],
    [error('EHOSTUNREACH', { address: '10.0.0.1', port: 6443 }), 'dial tcp 10.0.0.1:6443: connect: no route to host'],
    [error('ENETUNREACH', { address: '::2', port: 1 }), 'dial tcp [::2]:1: connect: network is unreachable'],
    [error('ENOTFOUND', { hostname: 'api.x' }), 'dial tcp: lookup api.x: no such host'],
    [
      error('DEPTH_ZERO_SELF_SIGNED_CERT'),
      'tls: failed to verify certificate: x509: certificate signed by unknown authority',
    ],
    [error('EPROTO'), 'node says'],
  ];
  for (const [cause, text] of table) assert.equal(networkText(cause), text);
});

test('a refused connection is tried again without a word', async (t) => {
  const { lines, requests } = await unreachable(t, async () => {
    const api = await scriptedApi(silence);
    await api.close();
    return api.url;
  });
  await until(() => requests() >= 5);
  assert.deepEqual(lines, []);
});

test('a host that nobody knows is told each time, with the request that CoreDNS would make', async (t) => {
  const { lines } = await unreachable(t, async () => 'http://nosuch.invalid:6443');
  await until(() => lines.length >= 2);
  assert.match(
    lines[0]!,
    /^\[ERROR\] Failed to watch: failed to list \*v1\.Namespace: Get "http:\/\/nosuch\.invalid:6443\/api\/v1\/namespaces\?limit=500&resourceVersion=0": dial tcp: lookup nosuch\.invalid: (no such host|server misbehaving)$/,
  );
});

async function unreachable(t: TestContext, urlOf: () => Promise<string>) {
  const config = await loadAccess({ kind: 'endpoint', url: await urlOf(), tls: undefined }, NO_POD);
  const lines: string[] = [];
  let requests = 0;
  const client = new ApiClient(config, { requested: () => void requests++, listed: () => {} }, 1000);
  const log = createLog((line) => lines.push(line.trimEnd()));
  const reflector = new Reflector({
    client,
    resource: NAMESPACES,
    sink: NO_SINK,
    onBatch: () => {},
    log,
    timing: { ...API_TIMING, backoffMs: [5, 20] },
  });
  t.after(() => reflector.stop());
  reflector.start();
  return { lines, requests: () => requests };
}

async function until(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 2000 && !isSo(); i++) await delay(5);
  assert.ok(isSo());
}
