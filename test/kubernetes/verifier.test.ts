// What a watch has shown against what the API has.

import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { loadAccess } from '../../host/kubernetes/access.ts';
import { API_TIMING, type Timing } from '../../host/kubernetes/backoff.ts';
import { ApiClient } from '../../host/kubernetes/client.ts';
import { SERVICES } from '../../host/kubernetes/objects/resources.ts';
import { glanceInterval, sweepInterval, Verifier, type Watched } from '../../host/kubernetes/verifier.ts';
import { objectKey, VersionTable } from '../../host/kubernetes/versions.ts';
import { createLog } from '../../host/log.ts';
import { encodeList, encodeNamespace } from './objects.ts';
import { type Scene, scriptedApi, status } from './scripted-api.ts';

const NO_POD = { host: undefined, port: undefined, root: '' };
/** Comparisons follow each other at once. */
const EAGER: Partial<Timing> = { checkMs: 20, graceMs: 200, random: () => 0 };

/** Objects of namespace `demo` by name, and the version that they are at. */
class FakeApi {
  readonly objects = new Map<string, number>();
  version = 100;
  requests: URLSearchParams[] = [];
  accepts: (string | undefined)[] = [];
  isProtobuf = false;
  /** Called before an answer is put together. */
  onRequest: () => void = () => {};

  readonly scene: Scene = (response, request) => {
    this.onRequest();
    const { octets, type } = this.#answer(request);
    response.writeHead(200, { 'Content-Type': type });
    response.end(octets);
  };

  #answer(request: IncomingMessage): { octets: Buffer; type: string } {
    const query = new URL(request.url!, 'http://x').searchParams;
    this.requests.push(query);
    this.accepts.push(request.headers.accept);
    const names = [...this.objects.keys()].sort().filter((name) => name > (query.get('continue') ?? ''));
    const shown = names.slice(0, Number(query.get('limit')));
    const next = shown.length < names.length ? shown.at(-1)! : '';
    const items = shown.map((name) => ({
      metadata: { name, namespace: 'demo', resourceVersion: String(this.objects.get(name)) },
    }));
    if (this.isProtobuf) {
      const octets = encodeList(items.map(encodeNamespace), String(this.version), next, names.length - shown.length);
      return { octets, type: 'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList' };
    }
    const rest = next === '' ? {} : { continue: next, remainingItemCount: names.length - shown.length };
    const text = JSON.stringify({ metadata: { resourceVersion: String(this.version), ...rest }, items });
    return { octets: Buffer.from(text), type: 'application/json' };
  }
}

class FakeWatch implements Watched {
  isOpen = true;
  version: string | undefined = '100';
  versions = new VersionTable();
  readonly reasons: string[] = [];
  mayList = true;

  distrust(reason: string): boolean {
    this.reasons.push(reason);
    return this.mayList;
  }

  show(name: string, version: number): void {
    this.versions.set(objectKey('demo', name), version);
  }

  remove(name: string): void {
    this.versions.delete(objectKey('demo', name));
  }
}

interface Setup {
  readonly api: FakeApi;
  readonly watched: FakeWatch;
  readonly verifier: Verifier;
  readonly results: string[];
}

async function verify(t: TestContext, timing: Partial<Timing>, prepare: (setup: Setup) => void, ...first: Scene[]) {
  const api = new FakeApi();
  const watched = new FakeWatch();
  for (const [name, version] of [
    ['a', 10],
    ['b', 20],
    ['c', 30],
  ] as const) {
    api.objects.set(name, version);
    watched.show(name, version);
  }
  const server = await scriptedApi(...first, api.scene);
  const config = await loadAccess({ kind: 'endpoint', url: server.url, tls: undefined }, NO_POD);
  const results: string[] = [];
  const client = new ApiClient(config, { requested: () => {}, listed: () => {} }, 1000);
  const verifier = new Verifier({
    client,
    resource: SERVICES,
    watched,
    log: createLog(() => {}),
    timing: { ...API_TIMING, ...timing },
    onChecked: (result, missed) => void results.push(`${result} ${missed}`),
  });
  t.after(async () => {
    await verifier.stop();
    client.close();
    await server.close();
  });
  const setup = { api, watched, verifier, results };
  prepare(setup);
  verifier.start();
  return setup;
}

async function until(isSo: () => boolean, text: () => string = () => ''): Promise<void> {
  for (let i = 0; i < 2000 && !isSo(); i++) await delay(5);
  assert.ok(isSo(), `waited in vain: ${text()}`);
}

test('a watch that has shown everything is left alone', async (t) => {
  const { watched, results, api } = await verify(t, EAGER, () => {});
  await until(() => results.length >= 3);
  assert.deepEqual(new Set(results), new Set(['same 0']));
  assert.deepEqual(watched.reasons, []);
  assert.ok(api.accepts.every((accept) => accept?.startsWith('application/vnd.kubernetes.protobuf;as=Partial')));
  assert.ok(api.requests.some((query) => query.get('limit') === '500'));
});

for (const [what, lose] of [
  ['an object that was made', ({ api }: Setup) => api.objects.set('d', 90)],
  ['a change', ({ api }: Setup) => api.objects.set('b', 90)],
  ['a removal', ({ api }: Setup) => api.objects.delete('b')],
  ['another history', ({ api }: Setup) => api.objects.set('c', 29)],
] as const) {
  for (const isProtobuf of [false, true]) {
    test(`${what} that the watch has not shown is found (${isProtobuf ? 'protobuf' : 'JSON'})`, async (t) => {
      const { watched, results } = await verify(t, EAGER, (setup) => {
        setup.api.isProtobuf = isProtobuf;
        lose(setup);
      });
      await until(() => results.includes('missed 1'));
      const name = what === 'a removal' ? 'one that is gone' : /demo\/[bcd]/;
      assert.match(
        watched.reasons[0]!,
        new RegExp(`^1 missed, among them ${typeof name === 'string' ? name : name.source}$`),
      );
    });
  }
}

test('what is late is not missed', async (t) => {
  const { watched, results, api } = await verify(t, { ...EAGER, graceMs: 400 }, (setup) => {
    setup.api.objects.set('d', 90).set('b', 95).delete('a');
  });
  await until(() => api.requests.length > 0);
  watched.show('d', 90);
  watched.show('b', 95);
  watched.remove('a');
  await until(() => results.length > 0);
  assert.equal(results[0], 'same 0');
});

test('what comes while pages are read is not taken for gone', async (t) => {
  const { watched, results } = await verify(t, EAGER, (setup) => {
    for (let i = 100; i < 900; i++) {
      setup.api.objects.set(`s-${i}`, 50);
      setup.watched.show(`s-${i}`, 50);
    }
    setup.api.objects.set('d', 90);
    setup.api.onRequest = () => {
      if (setup.api.requests.some((query) => query.get('limit') === '500')) setup.watched.show('d', 90);
    };
  });
  await until(() => results.length > 0);
  assert.deepEqual(watched.reasons, []);
  assert.equal(results[0], 'same 0');
});

test('a watch that is ahead of the list has missed nothing', async (t) => {
  const { results, watched } = await verify(t, EAGER, (setup) => {
    const { api, watched } = setup;
    api.objects.set('removed', 50);
    api.onRequest = () => {
      watched.show('b', 120);
      watched.show('made', 121);
      watched.show('removed', 50);
      watched.remove('removed');
    };
  });
  await until(() => results.length > 0);
  assert.deepEqual(watched.reasons, []);
  assert.equal(results[0], 'same 0');
});

test('an API that has gone back in time is found out by a glance', async (t) => {
  const { watched, results, verifier } = await verify(t, { random: () => 0.5 }, ({ api }) => {
    api.version = 99;
  });
  verifier.nudge();
  await until(() => results.length > 0);
  assert.deepEqual(watched.reasons, ['the API is at version 99, behind 100']);
  assert.deepEqual(results, ['missed 1']);
});

test('a number of objects that differs leads to a comparison of all at once', async (t) => {
  const { watched, results, verifier, api } = await verify(t, { random: () => 0.1, graceMs: 20 }, ({ api }) => {
    api.objects.set('d', 90);
  });
  verifier.nudge();
  await until(() => results.length > 0);
  assert.deepEqual(watched.reasons, ['1 missed, among them demo/d']);
  assert.deepEqual(
    api.requests.map((query) => query.get('limit')),
    ['1', '1', '500'],
  );
});

test('a resource that was listed meanwhile is not judged', async (t) => {
  const { watched, results } = await verify(t, EAGER, (setup) => {
    setup.api.objects.set('d', 90);
    setup.api.onRequest = () => {
      setup.watched.versions = new VersionTable();
    };
  });
  await until(() => results.length > 0);
  assert.equal(results[0], 'unfinished 0');
  assert.deepEqual(watched.reasons, []);
});

test('a list that nobody wants again is not counted as repaired', async (t) => {
  const { results } = await verify(t, EAGER, (setup) => {
    setup.api.objects.set('d', 90);
    setup.watched.mayList = false;
  });
  await until(() => results.length > 0);
  assert.equal(results[0], 'unfinished 0');
});

test('a watch that is about to come back is not judged', async (t) => {
  const { results, watched, api } = await verify(t, { ...EAGER, graceMs: 20 }, (setup) => {
    setup.api.objects.set('d', 90);
    setup.api.onRequest = () => {
      watched.isOpen = false;
    };
  });
  await until(() => results.length > 0);
  assert.deepEqual(results, ['unfinished 0']);
  assert.deepEqual(watched.reasons, []);
  const asked = api.requests.length;
  await delay(100);
  assert.equal(api.requests.length, asked, 'nothing is asked while it is away');
});

test('an API that refuses is asked again later', async (t) => {
  const { results } = await verify(t, EAGER, () => {}, status(500, 'no'), status(403, 'no'));
  await until(() => results.length >= 3);
  assert.deepEqual(results.slice(0, 2), ['unfinished 0', 'unfinished 0']);
  assert.ok(results.includes('same 0'));
});

test('versions that are no numbers cannot be compared', async (t) => {
  const { results, watched } = await verify(t, EAGER, ({ api }) => {
    api.version = Number.NaN;
  });
  await until(() => results.length > 0);
  assert.equal(results[0], 'unfinished 0');
  assert.deepEqual(watched.reasons, []);
});

test('many objects are compared in pages', async (t) => {
  const { results, api } = await verify(t, EAGER, (setup) => {
    for (let i = 0; i < 1200; i++) {
      setup.api.objects.set(`s-${i}`, i);
      setup.watched.show(`s-${i}`, i);
    }
    setup.api.version = 5000;
  });
  await until(() => results.length > 0);
  assert.equal(results[0], 'same 0');
  assert.equal(api.requests.filter((query) => query.has('continue')).length >= 2, true);
});

test('few objects are looked at more often than many', () => {
  const { checkMs } = API_TIMING;
  for (const [objects, glanceMs, sweepMs] of [
    [0, 10_000, 90_000],
    [500, 10_000, 90_000],
    [501, 10_000, 180_000],
    [3000, 30_000, 540_000],
    [10_000, 60_000, 1_800_000],
    [1_000_000, 60_000, 1_800_000],
  ] as const) {
    assert.equal(glanceInterval(objects, checkMs), glanceMs, `${objects} objects`);
    assert.equal(sweepInterval(objects, checkMs), sweepMs, `${objects} objects`);
  }
});

test('WASMDNS_WATCH_CHECK_SECONDS bounds all intervals', () => {
  for (const objects of [0, 10_000]) {
    assert.equal(glanceInterval(objects, 1000), 1000);
    assert.equal(sweepInterval(objects, 1000), 1000);
  }
  assert.equal(sweepInterval(500, 7_200_000), 360_000);
  assert.equal(sweepInterval(500, 600_000), 60_000, 'not more often than each minute');
});

test('glances follow each other by the number of objects', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { results, api, watched } = await verify(t, { random: () => 0 }, () => {});
  await until(() => results.length > 0);
  const glances = () => api.requests.filter((query) => query.get('limit') === '1').length;
  for (let n = 0; n < 4000; n++) {
    api.objects.set(`s-${n}`, n);
    watched.show(`s-${n}`, n);
  }
  for (const intervalMs of [10_000, 40_030]) {
    const before = glances();
    t.mock.timers.tick(intervalMs - 1);
    await delay(20);
    assert.equal(glances(), before, `sooner than ${intervalMs} ms`);
    t.mock.timers.tick(1);
    await until(() => glances() > before);
    await delay(20);
  }
});

test('WASMDNS_WATCH_CHECK_SECONDS=0: nothing is asked', async (t) => {
  const { api, verifier } = await verify(t, { checkMs: 0, random: () => 0 }, () => {});
  verifier.nudge();
  await delay(50);
  assert.deepEqual(api.requests, []);
});
