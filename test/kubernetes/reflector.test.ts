// The reflector against servers that fail in every way a server can.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadAccess } from '../../host/kubernetes/access.ts';
import { Backoff } from '../../host/kubernetes/backoff.ts';
import { ApiClient } from '../../host/kubernetes/client.ts';
import type { Namespace } from '../../host/kubernetes/objects/namespace.ts';
import { PODS, type Resource } from '../../host/kubernetes/objects/resources.ts';
import { Reflector } from '../../host/kubernetes/reflector.ts';
import { createLog } from '../../host/log.ts';
import { encodeList, encodeNamespace, encodeStatus, envelope, frame } from './objects.ts';
import { isFirstLoad, NameSink, NO_POD, reflect, TIMING, until, versionOf } from './reflecting.ts';
import {
  added,
  bookmark,
  deleted,
  ended,
  endOfLoad,
  errorEvent,
  page,
  reset,
  type Scene,
  scriptedApi,
  silence,
  status,
  watch,
} from './scripted-api.ts';

test('a first load by WatchList, then changes', async (t) => {
  const events = [added('a'), added('b'), endOfLoad('10'), added('c', '11'), deleted('a', '12')];
  const { reflector, requests, shows, sink } = await reflect(t, [watch(events)]);
  await shows('b', 'c');
  assert.ok(reflector.isSynced);
  assert.equal(sink.ended, 1);
  const query = new URL(requests[0]!, 'http://x').searchParams;
  const seconds = Number(query.get('timeoutSeconds'));
  assert.ok(seconds >= 300 && seconds <= 600);
  query.delete('timeoutSeconds');
  assert.equal(
    query.toString(),
    'allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&watch=true',
  );
});

test('a load is not over before the server says so', async (t) => {
  const { reflector, shows, sink } = await reflect(t, [watch([added('a'), bookmark('5')])]);
  await shows('a');
  assert.equal(reflector.isSynced, false);
  assert.equal(sink.ended, 0);
});

test('the watch goes on from the last bookmark after a reset', async (t) => {
  const scenes = [reset([added('a'), endOfLoad('10'), added('b', '11'), bookmark('20')]), watch([added('c', '21')])];
  const { requests, shows, sink } = await reflect(t, scenes);
  await shows('a', 'b', 'c');
  assert.equal(versionOf(requests[1]), '20');
  assert.equal(sink.begun, 1);
});

test('a watch is open from its response to its end', async (t) => {
  const { reflector, shows } = await reflect(t, [watch([added('a'), endOfLoad('10')])]);
  assert.equal(reflector.isOpen, false, 'not yet');
  await shows('a');
  assert.equal(reflector.isOpen, true);
  const broken = await reflect(t, [reset([added('a'), endOfLoad('10')]), silence]);
  await broken.shows('a');
  await until(() => broken.requests.length === 2);
  assert.equal(broken.reflector.isOpen, false, 'the next one has no response');
});

test('a reset in the middle of an event loses nothing', async (t) => {
  const scenes = [reset([added('a'), endOfLoad('10')], '{"type":"ADDED","obj'), watch([added('b', '11')])];
  const { requests, shows } = await reflect(t, scenes);
  await shows('a', 'b');
  assert.equal(versionOf(requests[1]), '10');
});

test('a proper end in the middle of an event loses nothing', async (t) => {
  const scenes = [ended([added('a'), endOfLoad('10')], '{"type":"ADDED","obj'), watch([added('b', '11')])];
  const { requests, shows, lines } = await reflect(t, scenes);
  await shows('a', 'b');
  assert.equal(versionOf(requests[1]), '10');
  assert.deepEqual(lines, ['[INFO] plugin/kubernetes: Warning: watch ended with error']);
});

test('a first load that breaks off starts again', async (t) => {
  const scenes = [reset([added('gone'), added('a')]), watch([added('a'), endOfLoad('10')])];
  const { requests, shows, sink } = await reflect(t, scenes);
  await shows('a');
  assert.ok(isFirstLoad(requests[1]));
  assert.equal(sink.begun, 2);
  assert.equal(sink.ended, 1);
});

for (const [name, expired] of [
  ['as a status', status(410, 'too old')],
  ['as an event', ended([errorEvent(410, 'too old resource version')])],
] as const) {
  test(`an expired version ${name} leads to a new list, and what it lacks is gone`, async (t) => {
    const first = reset([added('a'), added('b'), endOfLoad('10')]);
    const { requests, shows, lines } = await reflect(t, [
      first,
      expired,
      watch([added('b'), added('c'), endOfLoad('30')]),
    ]);
    await shows('b', 'c');
    assert.equal(versionOf(requests[1]), '10');
    assert.ok(isFirstLoad(requests[2]));
    assert.ok(!lines.some((line) => line.includes('too old')), 'an expired version is no error');
  });
}

for (const [name, refusal] of [
  ['with 422', status(422, 'sendInitialEvents is forbidden')],
  ['with an ERROR event of 500', ended([errorEvent(500, 'RequestWatchProgress is disabled')])],
  ['by ending at once', ended([])],
] as const) {
  test(`WatchList refused ${name}: a list in pages, then a watch`, async (t) => {
    const scenes = [refusal, page(['a', 'b'], '9', 'more/+'), page(['c'], '9'), watch([added('d', '10')])];
    const { requests, shows, reflector } = await reflect(t, scenes);
    await shows('a', 'b', 'c', 'd');
    assert.ok(reflector.isSynced);
    assert.equal(requests[1], '/api/v1/namespaces?limit=500');
    assert.equal(requests[2], '/api/v1/namespaces?continue=more%2F%2B&limit=500');
    assert.equal(versionOf(requests[3]), '9');
  });
}

test('a page token that has expired starts the list again', async (t) => {
  const scenes = [
    status(422, 'no'),
    page(['gone', 'a'], '9', 'more'),
    status(410, 'the provided continue parameter is too old'),
    page(['a', 'b'], '12'),
    watch([]),
  ];
  const { requests, shows, sink } = await reflect(t, scenes);
  await shows('a', 'b');
  await until(() => requests.length === 5);
  assert.equal(requests[3], '/api/v1/namespaces?limit=500');
  assert.equal(sink.ended, 1);
});

test('401 is logged in one clear line and tried again', async (t) => {
  const scenes = [status(401, 'Unauthorized'), status(401, 'Unauthorized'), watch([added('a'), endOfLoad('1')])];
  const { shows, lines, codes } = await reflect(t, scenes);
  await shows('a');
  const line = '[ERROR] plugin/kubernetes: Failed to watch: failed to list *v1.Namespace: Unauthorized';
  assert.deepEqual(lines, [line, line]);
  assert.deepEqual(codes, ['401', '401', '200']);
});

test('403 in protobuf is told in the words of the server', async (t) => {
  const forbidden: Scene = (response) => {
    response.writeHead(403, { 'Content-Type': 'application/vnd.kubernetes.protobuf' });
    response.end(envelope(encodeStatus(403, 'namespaces is forbidden: User "x" cannot list resource "namespaces"')));
  };
  const { shows, lines } = await reflect(t, [forbidden, watch([added('a'), endOfLoad('1')])]);
  await shows('a');
  assert.deepEqual(lines, [
    '[ERROR] plugin/kubernetes: Failed to watch: failed to list *v1.Namespace: namespaces is forbidden: User "x" cannot list resource "namespaces"',
  ]);
});

test('a status without words still says what it is', async (t) => {
  const busy: Scene = (response) => {
    response.writeHead(503);
    response.end();
  };
  const { shows, lines } = await reflect(t, [busy, watch([added('a'), endOfLoad('1')])]);
  await shows('a');
  assert.match(lines[0]!, /the server answered with status 503$/);
});

test('garbage ends the stream and nothing else', async (t) => {
  const scenes = [reset([added('a'), endOfLoad('10')], 'garbage\n'), watch([added('b', '11')])];
  const { shows, lines, requests } = await reflect(t, scenes);
  await shows('a', 'b');
  assert.equal(versionOf(requests[1]), '10');
  assert.equal(lines[0], '[INFO] plugin/kubernetes: Warning: watch ended with error');
});

test('a silent stream is given up', async (t) => {
  const scenes = [watch([added('a'), endOfLoad('10')]), watch([added('b', '11')])];
  const { shows, requests } = await reflect(t, scenes, { stallMs: 100 });
  await shows('a', 'b');
  assert.equal(versionOf(requests[1]), '10');
});

test('a slow stream is not given up', async (t) => {
  const slow: Scene = (response) => {
    response.writeHead(200, { 'Content-Type': 'application/json;stream=watch' });
    const text = [added('a'), endOfLoad('10')].map((event) => JSON.stringify(event)).join('\n');
    let at = 0;
    const timer = setInterval(() => {
      response.write(`${text}\n`.slice(at, at + 8));
      at += 8;
      if (at > text.length) clearInterval(timer);
    }, 100);
  };
  const { shows, requests, reflector } = await reflect(t, [slow], { stallMs: 1500 });
  await shows('a');
  await until(() => reflector.isSynced);
  assert.equal(requests.length, 1);
});

test('a server that never answers is given up', async (t) => {
  const { shows, codes } = await reflect(t, [silence, watch([added('a'), endOfLoad('1')])], { headersMs: 100 });
  await shows('a');
  assert.deepEqual(codes, ['<error>', '200']);
});

test('an event above the bound ends the stream', async (t) => {
  const huge: Scene = (response) => {
    response.writeHead(200, { 'Content-Type': 'application/vnd.kubernetes.protobuf;stream=watch' });
    response.write(Buffer.from([0x7f, 0xff, 0xff, 0xff, 1, 2, 3]));
  };
  const { shows, lines } = await reflect(t, [huge, page(['a'], '1'), watch([])]);
  await shows('a');
  assert.match(lines[0]!, /failed to list \*v1\.Namespace: an event is larger than 67108864 octets$/);
});

test('protobuf is asked for and understood', async (t) => {
  const scene: Scene = (response, request) => {
    assert.equal(
      request.headers.accept,
      'application/vnd.kubernetes.protobuf;stream=watch, application/json;stream=watch',
    );
    assert.match(request.headers['user-agent'] ?? '', /^wasmdns\/\d+\.\d+\.\d+/);
    response.writeHead(200, { 'Content-Type': 'application/vnd.kubernetes.protobuf;stream=watch' });
    response.write(frame('ADDED', encodeNamespace({ metadata: { name: 'a' } })));
    const annotations = { 'k8s.io/initial-events-end': 'true' };
    response.write(frame('BOOKMARK', encodeNamespace({ metadata: { name: '', resourceVersion: '3', annotations } })));
  };
  const { shows, reflector } = await reflect(t, [scene]);
  await shows('a');
  await until(() => reflector.isSynced);
});

test('a list in protobuf', async (t) => {
  const list: Scene = (response, request) => {
    assert.equal(request.headers.accept, 'application/vnd.kubernetes.protobuf, application/json');
    response.writeHead(200, { 'Content-Type': 'application/vnd.kubernetes.protobuf' });
    response.end(encodeList([encodeNamespace({ metadata: { name: 'a' } })], '4'));
  };
  const { shows } = await reflect(t, [status(422, 'no'), list, watch([added('b', '5')])]);
  await shows('a', 'b');
});

test('a refusal after all was well: first of the watch, then of the list', async (t) => {
  const refused = status(403, 'namespaces is forbidden');
  const whole = [added('a'), endOfLoad('10'), added('c', '10')];
  const scenes = [ended(whole), refused, refused, watch([added('b', '11')])];
  const { shows, lines } = await reflect(t, scenes);
  await shows('a', 'b', 'c');
  assert.deepEqual(lines, [
    '[ERROR] plugin/kubernetes: Failed to watch: namespaces is forbidden',
    '[ERROR] plugin/kubernetes: Failed to watch: failed to list *v1.Namespace: namespaces is forbidden',
  ]);
});

test('streams that end with an error, or at once, are a warning; too many requests are nothing', async (t) => {
  const scenes = [
    watch([added('a'), endOfLoad('10'), errorEvent(500, 'internal')]),
    ended([]),
    status(429, 'too many requests'),
    watch([added('b', '11')]),
  ];
  const { shows, lines } = await reflect(t, scenes);
  await shows('a', 'b');
  const line = '[INFO] plugin/kubernetes: Warning: watch ended with error';
  assert.deepEqual(lines, [line, line]);
});

test('pods that have ended are not asked for', async (t) => {
  const api = await scriptedApi(watch([]));
  const config = await loadAccess({ kind: 'endpoint', url: api.url, tls: undefined }, NO_POD);
  const client = new ApiClient(config, { requested: () => {}, listed: () => {} }, 1000);
  const resource = PODS as Resource<Namespace>;
  const sink = new NameSink();
  const reflector = new Reflector({
    client,
    resource,
    sink,
    onBatch: () => {},
    log: createLog(() => {}),
    timing: TIMING,
  });
  t.after(async () => {
    await reflector.stop();
    await api.close();
  });
  reflector.start();
  await until(() => api.requests.length === 1);
  assert.equal(
    new URL(api.requests[0]!, 'http://x').searchParams.get('fieldSelector'),
    'status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown',
  );
});

test('stop ends a stream that is open, and a wait', async (t) => {
  const { reflector, shows } = await reflect(t, [watch([added('a'), endOfLoad('1')])]);
  await shows('a');
  await reflector.stop();
  const waiting = await reflect(t, [status(500, 'no')], { backoffMs: [60_000, 60_000] });
  await until(() => waiting.lines.length > 0);
  await waiting.reflector.stop();
});

test('waits double up to their bound, with a spread', () => {
  const waits = (random: number) => {
    const backoff = new Backoff({ ...TIMING, backoffMs: [800, 30_000], random: () => random });
    return Array.from({ length: 8 }, () => backoff.next());
  };
  assert.deepEqual(waits(0), [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
  assert.deepEqual(waits(1).map(Math.round), [80, 160, 320, 640, 1280, 2560, 3000, 3000]);
  const backoff = new Backoff({ ...TIMING, backoffMs: [800, 30_000] });
  backoff.next();
  backoff.next();
  backoff.reset();
  const mixed = new Backoff({ ...TIMING, backoffMs: [800, 4000], costlyBackoffMs: 30_000 });
  assert.deepEqual(
    Array.from({ length: 8 }, () => mixed.next(true)),
    [800, 1600, 3200, 4000, 4000, 25_600, 30_000, 30_000],
    'lists that break off cost more than what is refused at the door',
  );
  assert.equal(backoff.next(), 800);
});
