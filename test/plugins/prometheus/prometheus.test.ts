import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import type { BlockProgram, Control, Outcome, Query } from '../../../host/plugin/contract.ts';
import { parsePrometheus } from '../../../host/plugins/prometheus/parse.ts';
import { prometheus } from '../../../host/plugins/prometheus/prometheus.ts';
import { freePort } from '../../e2e/support/ports.ts';
import { seriesOf } from '../../metrics/page.ts';
import { ask } from '../support/http.ts';
import { readerOf, refusal } from '../support/reader.ts';
import { type TestServices, testBlock, testServices } from '../support/services.ts';

const parse = (inside: string) => parsePrometheus(readerOf('prometheus', inside));
const KUBEADM = ['ready', 'health', 'prometheus', 'errors', 'loadbalance', 'cache', 'kubernetes', 'loop', 'forward'];

test('parse: default, address and options', () => {
  assert.deepEqual(parse('prometheus'), {
    address: 'localhost',
    port: 9153,
    fault: undefined,
    hasRuntimeMetrics: false,
    webConfigFile: '',
  });
  assert.deepEqual(parse('prometheus :9153 {\nruntime_metrics\ntls web.yaml\n}'), {
    address: '',
    port: 9153,
    fault: undefined,
    hasRuntimeMetrics: true,
    webConfigFile: 'web.yaml',
  });
});

test('parse: refusals', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['prometheus x', 'address x: missing port in address'],
    ['prometheus :1 :2', "Wrong argument count or unexpected line ending after ':2'"],
    ['prometheus {\nnosuch\n}', 'unknown option: nosuch'],
    ['prometheus {\nruntime_metrics x\n}', "Wrong argument count or unexpected line ending after 'x'"],
    ['prometheus {\nruntime_metric\n}', 'unknown option: runtime_metric, did you mean "runtime_metrics"?'],
    ['prometheus {\ntls\n}', "Wrong argument count or unexpected line ending after 'tls'"],
    ['prometheus {\ntls a b\n}', "Wrong argument count or unexpected line ending after 'b'"],
    ['prometheus {\ntls a\ntls b\n}', 'tls block already specified'],
    ['prometheus\nprometheus', 'this plugin can only be used once per Server Block'],
  ];
  for (const [inside, text] of cases) {
    const message = refusal(() => parse(inside));
    assert(message.startsWith('plugin/prometheus: Corefile:') && message.endsWith(`: ${text}`), message);
  }
});

function labelWith(plugins: readonly string[]): string {
  let label: string | undefined;
  const program: Partial<BlockProgram> = {
    block: testBlock(plugins),
    count: (plugin) => {
      label = plugin;
    },
  };
  prometheus.compile!(parse('prometheus'), program as BlockProgram, undefined);
  assert(label !== undefined);
  return label;
}

test('the plugin label is that of the plugin directly below prometheus in the chain', () => {
  assert.equal(labelWith(KUBEADM), 'errors');
  assert.equal(labelWith(['prometheus', 'whoami']), 'whoami');
  assert.equal(labelWith(['ready', 'prometheus']), '');
});

test('the slow face passes queries on', async () => {
  const block = testBlock(['prometheus']);
  const plugin = prometheus.create!(parse('prometheus'), block, {} as never, undefined);
  const drop: Outcome = { kind: 'drop' };
  const query = { name: 'a.' } as Query;
  const passed: Query[] = [];
  const outcome = await plugin.answer!(query, async (given) => {
    passed.push(given);
    return drop;
  });
  assert.equal(outcome, drop);
  assert.deepEqual(passed, [query]);
});

function control(port: number, services: TestServices, plugins = KUBEADM, servers = ['dns://:5590']): Control {
  const config = { address: '127.0.0.1', port, fault: undefined, hasRuntimeMetrics: false, webConfigFile: '' };
  return prometheus.control!(config, testBlock(plugins, servers), services.services);
}

test('/metrics is the page in text format 0.0.4', async () => {
  const port = await freePort();
  const services = testServices();
  const plugin = control(port, services);
  await plugin.start!();
  const { status, headers, body } = await ask(port, '/metrics');
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores');
  assert(seriesOf(body).some(({ name }) => name === 'coredns_panics_total'));
  assert.equal((await ask(port, '/')).status, 404);
  await plugin.beforeExit!(new AbortController().signal);
  await assert.rejects(ask(port, '/metrics'));
  await plugin.stop!();
});

test('coredns_plugin_enabled shows the chain of the running configuration, on each address', async () => {
  const services = testServices();
  const port = await freePort();
  const enabled = async () =>
    seriesOf(await services.metrics.expose())
      .filter(({ name }) => name === 'coredns_plugin_enabled')
      .map(({ labels, value }) => `${labels['server']} ${labels['zone']} ${labels['name']} ${value}`);
  const old = control(port, services);
  await old.start!();
  assert.deepEqual(
    await enabled(),
    ['prometheus', 'errors', 'loadbalance', 'cache', 'kubernetes', 'loop', 'forward'].map(
      (name) => `dns://:5590 . ${name} 1`,
    ),
  );
  const next = control(port, services, ['prometheus', 'whoami'], ['dns://127.0.0.1:5590', 'dns://[::1]:5590']);
  await next.start!();
  await old.stop!();
  assert.deepEqual(await enabled(), [
    'dns://127.0.0.1:5590 . prometheus 1',
    'dns://127.0.0.1:5590 . whoami 1',
    'dns://[::1]:5590 . prometheus 1',
    'dns://[::1]:5590 . whoami 1',
  ]);
  assert.equal((await ask(port, '/metrics')).status, 200, 'the reload kept the listener');
  await next.stop!();
});

test('a configuration that was refused takes nothing of the running one away', async () => {
  const services = testServices();
  const port = await freePort();
  const running = control(port, services, ['prometheus', 'whoami']);
  await running.start!();
  const refused = control(port, services, ['prometheus', 'errors']);
  await refused.stop!();
  const names = seriesOf((await ask(port, '/metrics')).body)
    .filter(({ name }) => name === 'coredns_plugin_enabled')
    .map(({ labels }) => labels['name']);
  assert(names.includes('whoami') && !names.includes('errors'));
  assert(names.includes('prometheus'));
  await running.stop!();
});

test('a held port is told, and the server runs without metrics', async () => {
  const holder = createServer().unref();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', () => resolve()));
  const { port } = holder.address() as { port: number };
  const services = testServices();
  const plugin = control(port, services);
  await plugin.start!();
  assert.deepEqual(services.lines, [
    `[ERROR] Failed to start metrics handler: listen tcp 127.0.0.1:${port}: bind: address already in use`,
  ]);
  await plugin.stop!();
  holder.close();
});
