import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Control } from '../../../host/plugin/contract.ts';
import { HealthEndpoint } from '../../../host/plugins/health/endpoint.ts';
import { health } from '../../../host/plugins/health/health.ts';
import { type HealthConfig, parseHealth } from '../../../host/plugins/health/parse.ts';
import { freePort } from '../../e2e/support/ports.ts';
import { seriesOf } from '../../metrics/page.ts';
import { ask } from '../support/http.ts';
import { parsed, refusal } from '../support/reader.ts';
import { type TestServices, testBlock, testServices } from '../support/services.ts';

const parse = (inside: string) => parsed(parseHealth, 'health', inside);

test('parse: defaults, address and lameduck', () => {
  assert.deepEqual(parse('health'), { address: '', port: 8080, lameduckMs: 0 });
  assert.deepEqual(parse('health localhost:8091'), { address: 'localhost', port: 8091, lameduckMs: 0 });
  assert.deepEqual(parse('health [::1]:8091 {\nlameduck 1m30s\n}'), { address: '::1', port: 8091, lameduckMs: 90_000 });
  assert.deepEqual(parse('health :1 {\nlameduck 1s\n}\nhealth\nhealth :2'), { address: '', port: 2, lameduckMs: 1000 });
});

test('parse: refusals', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['health x', 'address x: missing port in address'],
    ['health :1 :2', "Wrong argument count or unexpected line ending after ':2'"],
    ['health {\nlameduck 5\n}', `unable to parse lameduck duration value: '5' : time: missing unit in duration "5"`],
    ['health {\nlameduck\n}', "Wrong argument count or unexpected line ending after 'lameduck'"],
    ['health {\nnosuch\n}', "unknown property 'nosuch'"],
    ['health :x', 'parse "http://:x": invalid port ":x" after host'],
    ['health :x {\nnosuch\n}', "unknown property 'nosuch'"],
    ['health :1\nhealth :99999', 'listen tcp: address 99999: invalid port'],
    ['health {\nlameduk 5s\n}', `unknown property 'lameduk', did you mean "lameduck"?`],
  ];
  for (const [inside, text] of cases) {
    const message = refusal(() => parse(inside));
    assert(message.startsWith('plugin/health: Corefile:'), message);
    assert(message.endsWith(` - Error during parsing: ${text}`), message);
  }
});

function control(config: Partial<HealthConfig>, services: TestServices): Control {
  const whole = { address: '127.0.0.1', port: 0, lameduckMs: 0, ...config };
  return health.control!(whole, testBlock(['health']), services.services);
}

test('/health is 200 OK, everything else 404; blocks with one address share the listener', async () => {
  const port = await freePort();
  const services = testServices();
  const first = control({ port }, services);
  const second = control({ port }, services);
  await Promise.all([first.start!(), second.start!()]);
  const answer = await ask(port, '/health?x=1');
  assert.deepEqual([answer.status, answer.body], [200, 'OK']);
  assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8');
  assert.equal(answer.headers['content-length'], '2');
  const other = await ask(port, '/healthz');
  assert.deepEqual([other.status, other.body], [404, '404 page not found\n']);
  await first.stop!();
  assert.equal((await ask(port, '/health', 'POST')).status, 200, 'the second block still uses it');
  await second.stop!();
  await second.stop!();
  await assert.rejects(ask(port, '/health'));
});

test('a port held by somebody else refuses the start in the words of Go', async () => {
  const holder = createServer().unref();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', () => resolve()));
  const { port } = holder.address() as { port: number };
  const plugin = control({ port }, testServices());
  await assert.rejects(plugin.start!(), { message: `listen tcp 127.0.0.1:${port}: bind: address already in use` });
  await plugin.stop!();
  holder.close();
});

test('lameduck: the server goes on answering until it is over, then the endpoint closes', async () => {
  const port = await freePort();
  const services = testServices();
  const plugin = control({ port, lameduckMs: 300 }, services);
  await plugin.start!();
  const over = plugin.beforeExit!(new AbortController().signal);
  assert.deepEqual(services.lines, ['[INFO] plugin/health: Going into lameduck mode for 300ms']);
  assert.equal((await ask(port, '/health')).status, 200);
  await over;
  await assert.rejects(ask(port, '/health'));
});

test('an impatient end cuts the lameduck short', async () => {
  const plugin = control({ lameduckMs: 3_600_000 }, testServices());
  await plugin.start!();
  const abort = new AbortController();
  const over = plugin.beforeExit!(abort.signal);
  abort.abort();
  await over;
});

test('the process asks itself and counts how long it took', async () => {
  const services = testServices();
  const endpoint = new HealthEndpoint({ address: '127.0.0.1', port: 0 }, services.services.log, services.metrics);
  await endpoint.listening();
  const count = async () =>
    seriesOf(await services.metrics.expose()).find(
      ({ name }) => name === 'coredns_health_request_duration_seconds_count',
    )?.value ?? 0;
  const deadline = Date.now() + 20_000;
  while ((await count()) < 1 && Date.now() < deadline) await sleep(50);
  assert((await count()) >= 1);
  const page = await services.metrics.expose();
  assert(page.includes('coredns_health_request_failures_total 0\n'));
  for (const le of ['0.00025', '0.0025', '0.025', '0.25', '2.5', '+Inf']) assert(page.includes(`{le="${le}"}`), le);
  await endpoint.stop();
});

test('a slow answer is warned of', async () => {
  const services = testServices();
  let now = 0;
  const clock = { now: () => (now += 1500), wall: () => 0 };
  const log = services.services.log.withPrefix('plugin/health');
  const endpoint = new HealthEndpoint({ address: '127.0.0.1', port: 0 }, log, services.metrics, clock);
  await endpoint.listening();
  const deadline = Date.now() + 20_000;
  while (services.lines.length === 0 && Date.now() < deadline) await sleep(50);
  assert.equal(
    services.lines[0],
    '[WARNING] plugin/health: Local health request to "http://127.0.0.1:0/health" took more than 1s: 1.5s',
  );
  await endpoint.stop();
});
