// CoreDNS core, A6: at the end of the process /ready closes first, then the lameduck, then /health, then /metrics.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Control } from '../../host/plugin/contract.ts';
import { health } from '../../host/plugins/health/health.ts';
import { prometheus } from '../../host/plugins/prometheus/prometheus.ts';
import { ready } from '../../host/plugins/ready/ready.ts';
import { freePort } from '../e2e/support/ports.ts';
import { ask } from './support/http.ts';
import { testBlock, testServices } from './support/services.ts';

test('endpoints close in the order of the chain', async () => {
  const { services } = testServices();
  const address = '127.0.0.1';
  const ports = { ready: await freePort(), health: await freePort(), metrics: await freePort() };
  const block = testBlock(['ready', 'health', 'prometheus']);
  const controls: Control[] = [
    ready.control!({ address, port: ports.ready, isContinuous: false, fault: undefined }, block, services),
    health.control!({ address, port: ports.health, lameduckMs: 400 }, block, services),
    prometheus.control!(
      { address, port: ports.metrics, hasRuntimeMetrics: false, webConfigFile: '', fault: undefined },
      block,
      services,
    ),
  ];
  for (const control of controls) await control.start!();
  const open = async () => {
    const answers = await Promise.allSettled([
      ask(ports.ready, '/ready'),
      ask(ports.health, '/health'),
      ask(ports.metrics, '/metrics'),
    ]);
    return answers.map(({ status }) => (status === 'fulfilled' ? 'open' : 'closed')).join(' ');
  };
  assert.equal(await open(), 'open open open');
  const { signal } = new AbortController();
  await controls[0]!.beforeExit!(signal);
  assert.equal(await open(), 'closed open open');
  const lameduck = controls[1]!.beforeExit!(signal);
  assert.equal(await open(), 'closed open open');
  await lameduck;
  assert.equal(await open(), 'closed closed open');
  await controls[2]!.beforeExit!(signal);
  assert.equal(await open(), 'closed closed closed');
  for (const control of controls) await control.stop!();
});
