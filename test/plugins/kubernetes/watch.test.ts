// What the operator sees of the watches, and when they count as dead.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createControl, watchTimes } from '../../../host/plugins/kubernetes/control.ts';
import { clusterObserver } from '../../../host/plugins/kubernetes/metrics.ts';
import { TcpProxy } from '../../e2e/support/tcp-proxy.ts';
import { testBlock, testServices } from '../support/services.ts';
import { configOf, demo, WEB } from './demo.ts';

test('how old the watches are, what they missed and how long objects took is shown', async () => {
  const { services, metrics } = testServices();
  const observer = clusterObserver(services.metrics);
  const watches = [
    { resource: 'services', isSynced: true, heardAt: performance.now() - 5000, contactAt: 0 },
    { resource: 'services', isSynced: true, heardAt: performance.now() - 60_000, contactAt: 0 },
    { resource: 'pods', isSynced: false, heardAt: undefined, contactAt: 0 },
  ];
  const [first, others] = [observer.watching(watches.slice(0, 1)), observer.watching(watches.slice(1))];
  const age = async () => {
    const line = /^wasmdns_kubernetes_watch_age_seconds\{resource="services"\} (\S+)$/m;
    return Math.floor(Number(line.exec(await metrics.expose())?.[1]));
  };
  assert.equal(await age(), 60);
  others();
  assert.equal(await age(), 5);
  first();
  assert.ok(!(await metrics.expose()).includes('wasmdns_kubernetes_watch_age_seconds'));
  observer.checked('services', 'same', 0);
  observer.checked('services', 'missed', 3);
  observer.applied('services', 0.4);
  const page = await metrics.expose();
  for (const line of [
    'wasmdns_kubernetes_watch_checks_total{resource="services",result="same"} 1',
    'wasmdns_kubernetes_watch_checks_total{resource="services",result="missed"} 1',
    'wasmdns_kubernetes_watch_missed_total{resource="services"} 3',
    'wasmdns_kubernetes_programming_duration_seconds_sum{resource="services"} 0.4',
  ])
    assert.ok(page.includes(line), page);
});

test('the time from the writing of an object to its answer is measured', async (t) => {
  const { url, services, save, expose } = await demo(t);
  const control = createControl(configOf(`kubernetes cluster.local {\nendpoint ${url}\n}`), testBlock([]), services);
  t.after(() => control.stop?.());
  await control.start?.();
  const sum = async () => {
    const line = /^wasmdns_kubernetes_programming_duration_seconds_sum\{resource="endpointslices"\} (\S+)$/m;
    return Number(line.exec(await expose())?.[1] ?? 0);
  };
  const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
  save(WEB.replace('10.0.1.1', '10.0.1.2').replace('name: web-x', `name: web-x\n  creationTimestamp: '${hourAgo}'`));
  for (let i = 0; i < 1000 && (await sum()) === 0; i++) await delay(10);
  assert.ok((await sum()) >= 3600 && (await sum()) < 3700, String(await sum()));
});

test('WASMDNS_WATCH_CHECK_SECONDS and WASMDNS_WATCH_DEAD_SECONDS', () => {
  const { timing, deadMs } = watchTimes({});
  assert.deepEqual([timing.checkMs, timing.graceMs, deadMs], [1_800_000, 2000, 600_000]);
  assert.equal(watchTimes({ WASMDNS_WATCH_CHECK_SECONDS: '1' }).timing.graceMs, 1000);
  const set = watchTimes({ WASMDNS_WATCH_CHECK_SECONDS: '2.5', WASMDNS_WATCH_DEAD_SECONDS: '60' });
  assert.deepEqual([set.timing.checkMs, set.deadMs], [2500, 60_000]);
  const off = watchTimes({ WASMDNS_WATCH_CHECK_SECONDS: '0', WASMDNS_WATCH_DEAD_SECONDS: '0' });
  assert.deepEqual([off.timing.checkMs, off.deadMs], [0, Infinity]);
  assert.equal(watchTimes({ WASMDNS_WATCH_CHECK_SECONDS: 'soon' }).timing.checkMs, 1_800_000);
});

test('a watch that has been dead for long makes the directive fail, until the API is there again', async (t) => {
  const { url, services, stores } = await demo(t);
  const port = Number(new URL(url).port);
  const proxy = await TcpProxy.start(port);
  t.after(() => proxy.stop());
  process.env['WASMDNS_WATCH_DEAD_SECONDS'] = '2';
  t.after(() => delete process.env['WASMDNS_WATCH_DEAD_SECONDS']);
  const config = configOf(`kubernetes cluster.local {\nendpoint http://127.0.0.1:${proxy.port}\n}`);
  const control = createControl(config, testBlock(['kubernetes']), services);
  t.after(() => control.stop?.());
  await control.start?.();
  assert.equal(control.hasFailed?.(), false);
  await proxy.setMode('refuse');
  for (let i = 0; i < 1000 && !control.hasFailed?.(); i++) await delay(10);
  assert.equal(control.hasFailed?.(), true);
  assert.equal(control.isReady?.(), true, 'what was loaded stays');
  assert.ok(stores[0]!.isSynced);
  await proxy.setMode('pass');
  for (let i = 0; i < 1000 && control.hasFailed?.(); i++) await delay(10);
  assert.equal(control.hasFailed?.(), false);
});
