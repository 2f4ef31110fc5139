// What a reflector does about versions that cannot be, and about servers that ask for time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFirstLoad, reflect } from './reflecting.ts';
import { added, bookmark, deleted, endOfLoad, reset, type Scene, status, watch } from './scripted-api.ts';

test('a version that goes back, by an event that comes again: everything is listed again, and it is said', async (t) => {
  const first = watch([added('a'), endOfLoad('10'), added('b', '12'), deleted('b', '13'), added('b', '12')]);
  const { shows, requests, lines, sink } = await reflect(t, [first, watch([added('a'), added('c'), endOfLoad('14')])]);
  await shows('a', 'c');
  assert.ok(isFirstLoad(requests[1]));
  assert.equal(sink.begun, 2);
  assert.deepEqual(lines, [
    '[WARNING] plugin/kubernetes: The watch of *v1.Namespace is not the whole truth, listing again: version 12 came after 13',
  ]);
});

test('a bookmark of a version that has gone back: the API has another history', async (t) => {
  const { shows, requests } = await reflect(t, [
    watch([added('a'), endOfLoad('10'), bookmark('9')]),
    watch([added('b'), endOfLoad('9')]),
  ]);
  await shows('b');
  assert.ok(isFirstLoad(requests[1]));
});

test('events of one version are no step back', async (t) => {
  const { shows, requests } = await reflect(t, [
    watch([added('a'), endOfLoad('10'), added('b', '12'), added('c', '12'), bookmark('12')]),
  ]);
  await shows('a', 'b', 'c');
  assert.equal(requests.length, 1);
});

test('a server whose versions go back all the time is not asked for lists all the time', async (t) => {
  const { reflector, shows, requests } = await reflect(t, [
    watch([added('a'), endOfLoad('10'), bookmark('9')]),
    watch([added('a'), endOfLoad('10'), bookmark('9'), added('b', '8')]),
  ]);
  await shows('a', 'b');
  assert.equal(requests.length, 2);
  assert.equal(reflector.version, '8');
});

test('Retry-After is waited for', async (t) => {
  const busy: Scene = (response) => {
    response.writeHead(429, { 'Retry-After': '1' });
    response.end();
  };
  const startedAt = performance.now();
  const { shows } = await reflect(t, [busy, watch([added('a'), endOfLoad('1')])]);
  await shows('a');
  assert.ok(performance.now() - startedAt >= 990);
});

test('a version from the future that the server refuses leads to a new list', async (t) => {
  const scenes = [
    reset([added('a'), endOfLoad('10')]),
    status(504, 'Too large resource version: 10, current: 7'),
    watch([added('b'), endOfLoad('7')]),
  ];
  const { shows, requests } = await reflect(t, scenes);
  await shows('b');
  assert.ok(isFirstLoad(requests[2]));
});

test('versions and signs of life are there for others to see', async (t) => {
  const before = performance.now();
  const { shows, reflector } = await reflect(t, [
    watch([added('a', '3'), added('b', '4'), endOfLoad('10'), deleted('a', '11')]),
  ]);
  await shows('b');
  assert.equal(reflector.versions.size, 1);
  assert.equal(reflector.version, '11');
  assert.ok(reflector.heardAt! > before && reflector.contactAt >= reflector.heardAt!);
});
