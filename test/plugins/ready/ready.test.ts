import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import type { Control, ControlServices } from '../../../host/plugin/contract.ts';
import { parseReady } from '../../../host/plugins/ready/parse.ts';
import { ready } from '../../../host/plugins/ready/ready.ts';
import { freePort } from '../../e2e/support/ports.ts';
import { ask } from '../support/http.ts';
import { readerOf, refusal } from '../support/reader.ts';
import { type TestServices, testBlock, testServices } from '../support/services.ts';

const parse = (inside: string) => parseReady(readerOf('ready', inside));

test('parse: defaults, address and monitor', () => {
  assert.deepEqual(parse('ready'), { address: '', port: 8181, fault: undefined, isContinuous: false });
  assert.deepEqual(parse('ready 127.0.0.1:81 {\nmonitor continuously\n}'), {
    address: '127.0.0.1',
    port: 81,
    fault: undefined,
    isContinuous: true,
  });
  assert.equal(parse('ready {\nmonitor until-ready\n}').isContinuous, false);
});

test('parse: refusals', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['ready x', 'address x: missing port in address'],
    ['ready :1 :2', "Wrong argument count or unexpected line ending after ':2'"],
    ['ready {\nmonitor often\n}', "monitor type 'often' not supported"],
    ['ready {\nmonitor\n}', "Wrong argument count or unexpected line ending after 'monitor'"],
    ['ready {\nnosuch\n}', "unknown property 'nosuch'"],
    ['ready\nready', 'this plugin can only be used once per Server Block'],
  ];
  for (const [inside, text] of cases) {
    const message = refusal(() => parse(inside));
    assert(message.startsWith('plugin/ready: Corefile:') && message.endsWith(`: ${text}`), message);
  }
});

function control(port: number, services: TestServices, isContinuous = false): Control {
  return ready.control!(
    { address: '127.0.0.1', port, fault: undefined, isContinuous },
    testBlock(['ready']),
    services.services,
  );
}

async function answerOf(port: number): Promise<readonly [number, string]> {
  const { status, body } = await ask(port, '/ready');
  return [status, body];
}

test('503 with the sorted names until all plugins are ready', async () => {
  const port = await freePort();
  const services = testServices();
  const plugin = control(port, services);
  await plugin.start!();
  services.readiness.set('nomad', false).set('kubernetes', false).set('erratic', true);
  assert.deepEqual(await answerOf(port), [503, 'kubernetes,nomad']);
  assert.deepEqual(services.lines, ['[INFO] plugin/ready: Plugins not ready: "kubernetes,nomad"']);
  services.readiness.set('kubernetes', true);
  assert.deepEqual(await answerOf(port), [503, 'nomad']);
  services.readiness.set('nomad', true).set('kubernetes', false);
  assert.deepEqual(await answerOf(port), [200, 'OK'], 'until-ready: kubernetes is not asked again');
  assert.equal((await ask(port, '/ready', 'POST')).status, 200);
  assert.equal((await ask(port, '/')).status, 404);
  await plugin.stop!();
  await assert.rejects(ask(port, '/ready'));
});

test('continuously: plugins are asked again', async () => {
  const port = await freePort();
  const services = testServices();
  const plugin = control(port, services, true);
  await plugin.start!();
  services.readiness.set('kubernetes', true);
  assert.deepEqual(await answerOf(port), [200, 'OK']);
  services.readiness.set('kubernetes', false);
  assert.deepEqual(await answerOf(port), [503, 'kubernetes']);
  await plugin.stop!();
});

test('a plugin that has failed is not ready, be it asked again or not', async () => {
  const port = await freePort();
  const services = testServices();
  const plugin = control(port, services);
  await plugin.start!();
  services.readiness.set('kubernetes', true);
  assert.deepEqual(await answerOf(port), [200, 'OK']);
  services.readiness.set('kubernetes', 'failed');
  assert.deepEqual(await answerOf(port), [503, 'kubernetes']);
  services.readiness.set('kubernetes', true);
  assert.deepEqual(await answerOf(port), [200, 'OK']);
  await plugin.stop!();
});

test('reload: the old configuration is asked until it is withdrawn, and the endpoint stays', async () => {
  const port = await freePort();
  const services = testServices();
  const old = control(port, services);
  await old.start!();
  const states = new Map([['kubernetes', false]]);
  const next = ready.control!(
    { address: '127.0.0.1', port, fault: undefined, isContinuous: false },
    testBlock(['ready']),
    {
      ...services.services,
      readiness: () => states,
    },
  );
  await next.start!();
  assert.deepEqual(await answerOf(port), [200, 'OK']);
  await old.stop!();
  assert.deepEqual(await answerOf(port), [503, 'kubernetes']);
  await next.beforeExit!(new AbortController().signal);
  await assert.rejects(ask(port, '/ready'));
  await next.stop!();
});

test('a held port, or none, is no reason not to start, and nothing is said', async () => {
  const holder = createServer().unref();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', () => resolve()));
  const { port } = holder.address() as { port: number };
  const services = testServices();
  const held = control(port, services);
  await held.start!();
  const none = ready.control!(parse('ready :x'), testBlock(['ready']), services.services);
  await none.start!();
  assert.deepEqual(services.lines, []);
  await held.stop!();
  await none.stop!();
  holder.close();
});

test('every endpoint shows the plugins of all blocks with ready, and the last block decides how', async () => {
  const [first, second] = [await freePort(), await freePort()];
  const services = testServices();
  const asked: number[][] = [];
  const shared: ControlServices = {
    ...services.services,
    readiness: (blocks) => {
      asked.push([...blocks]);
      return services.readiness;
    },
  };
  const make = (index: number, port: number, isContinuous: boolean) =>
    ready.control!(
      { address: '127.0.0.1', port, fault: undefined, isContinuous },
      { ...testBlock(['ready']), index },
      shared,
    );
  const controls = [make(1, first, true), make(4, second, false)];
  for (const each of controls) await each.start!();
  services.readiness.set('kubernetes', true);
  assert.deepEqual(await answerOf(first), [200, 'OK']);
  services.readiness.set('kubernetes', false);
  assert.deepEqual(await answerOf(first), [200, 'OK'], 'until-ready: of the last block');
  assert.deepEqual(asked, [
    [1, 4],
    [1, 4],
  ]);
  for (const each of controls) await each.stop!();
});
