// Reloads of the built program, by signal and by plugin reload: nothing is lost on the way, and what is refused leaves
// everything as it was.

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { startDemoCluster } from '../../host/commands/demo/cluster.ts';
import { createLog } from '../../host/log.ts';
import { UdpClient } from '../e2e/support/dns-client.ts';
import { freePort } from '../e2e/support/ports.ts';
import { composeQuery } from '../e2e/support/query.ts';
import { Upstream } from '../e2e/support/upstream.ts';
import {
  ask,
  descriptorsOf,
  httpServer,
  newFolder,
  page,
  pageIs,
  type Started,
  serve,
  sleep,
  socketsOn,
  until,
} from './process.ts';

interface Ports {
  readonly dns: number;
  readonly health: number;
  readonly ready: number;
  readonly metrics: number;
}

async function choosePorts(): Promise<Ports> {
  return { dns: await freePort(), health: await freePort(), ready: await freePort(), metrics: await freePort() };
}

/** @param more lines of the block */
function corefile({ dns, health, ready, metrics }: Ports, ...more: string[]): string {
  const lines = [`health 127.0.0.1:${health}`, `ready 127.0.0.1:${ready}`, `prometheus 127.0.0.1:${metrics}`, ...more];
  return `.:${dns} {\n${lines.map((line) => `    ${line}\n`).join('')}}\n`;
}

/** `coredns_x{...} 3` -> 3; 0 when it is not there. */
async function metric(ports: Ports, series: RegExp): Promise<number> {
  const text = await page(ports.metrics, '/metrics');
  return Number(new RegExp(`^${series.source} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
}

/** Everything that a reload must not touch. */
async function isWhole(ports: Ports, answer = 'NOERROR'): Promise<void> {
  assert.equal(await ask(ports.dns, 'x.example'), answer);
  assert.equal(await ask(ports.dns, 'x.example', { proto: 'tcp' }), answer);
  assert.equal(await page(ports.health, '/health'), '200 OK');
  assert.equal(await page(ports.ready, '/ready'), '200 OK');
  const text = await page(ports.metrics, '/metrics');
  for (const name of ['prometheus', 'whoami']) {
    assert.match(text, new RegExp(`^coredns_plugin_enabled\\{[^}]*name="${name}"[^}]*\\} 1$`, 'm'), 'plugin_enabled');
  }
}

/** Asks without a pause; `end()` resolves with the answers that were not as expected. */
function asking(t: TestContext, port: number) {
  const client = new UdpClient(port);
  const wrong: string[] = [];
  let count = 0;
  let isOn = true;
  const done = (async () => {
    while (isOn) {
      const reply = await client.exchange(composeQuery({ id: ++count & 0xffff, name: 'x.example', type: 1 }), 3000);
      if (reply === undefined || (reply[3]! & 15) !== 0) wrong.push(`${count}: ${reply?.[3] ?? 'silence'}`);
    }
  })();
  t.after(() => client.close());
  return {
    end: async () => {
      isOn = false;
      await done;
      assert.ok(count > 10, `${count} questions`);
      assert.deepEqual(wrong, []);
    },
  };
}

/** Opens a port as another program would. */
async function hold(t: TestContext): Promise<number> {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ port, host: '::', exclusive: true }, resolve));
  t.after(() => server.close());
  return port;
}

function lastLines(started: Started, from: number): string[] {
  return started.out.slice(from).split('\n').slice(0, -1);
}

describe('reload', { concurrency: 5 }, () => {
  test('an unchanged and a changed file: no question is lost, sockets and counters stay', async (t) => {
    const ports = await choosePorts();
    const started = await serve(t, corefile(ports, 'whoami'));
    const sockets = socketsOn(started.pid, ports.dns);
    const endpoints = [ports.health, ports.ready, ports.metrics].flatMap((port) => socketsOn(started.pid, port));
    assert.equal(sockets.length, 2);
    assert.equal(endpoints.length, 3);
    const questions = asking(t, ports.dns);
    for (let i = 0; i < 5; i++) {
      const said = await started.reload(corefile(ports, 'whoami', i % 2 === 0 ? 'errors' : 'loadbalance'));
      assert.equal(said, '[INFO] SIGUSR1: Reloading\n[INFO] Reloading\n[INFO] Reloading complete\n');
    }
    await questions.end();
    await isWhole(ports);
    assert.deepEqual(socketsOn(started.pid, ports.dns), sockets);
    assert.deepEqual(
      [ports.health, ports.ready, ports.metrics].flatMap((port) => socketsOn(started.pid, port)),
      endpoints,
    );
    assert.ok((await metric(ports, /coredns_dns_requests_total\{[^}]*proto="udp"[^}]*type="A"[^}]*\}/)) > 10);
    assert.equal(started.err, '');
  });

  test('ports, zones and endpoints that come and go', async (t) => {
    const ports = await choosePorts();
    const other = await choosePorts();
    const started = await serve(t, corefile(ports, 'whoami'));
    await started.reload(`${corefile(ports, 'whoami')}a.example:${ports.dns} {\n}\n${corefile(other, 'whoami')}`);
    await isWhole(ports);
    await isWhole(other);
    assert.equal(await ask(ports.dns, 'x.a.example'), 'REFUSED');
    await started.reload(corefile(other, 'whoami'));
    await isWhole(other);
    await until('the old port is closed', 10_000, () => socketsOn(started.pid, ports.dns).length === 0);
    for (const port of [ports.health, ports.ready, ports.metrics]) await pageIs(port, '/health', 'closed');
    await started.reload(`.:${other.dns} {\n erratic\n}\n`);
    await isWhole(other);
    await started.reload(`.:${other.dns} {\n whoami\n}\n`);
    await pageIs(other.health, '/health', 'closed');
    await pageIs(other.ready, '/ready', 'closed');
    await pageIs(other.metrics, '/metrics', 'closed');
    assert.equal(await ask(other.dns, 'x.example'), 'NOERROR');
  });

  test('what is refused leaves the old configuration, its endpoints and metrics', async (t) => {
    const ports = await choosePorts();
    const next = await choosePorts();
    const held = await hold(t);
    const heldHealth = await httpServer(t, 200, '');
    const good = corefile(ports, 'whoami');
    const started = await serve(t, good);
    const sockets = socketsOn(started.pid, ports.dns);
    await isWhole(ports);
    const descriptors = descriptorsOf(started.pid).length;
    const moved = { ...next, dns: ports.dns };
    const kubernetes = (kubeconfig: string) => [
      `kubernetes cluster.local {`,
      `kubeconfig ${kubeconfig}`,
      '}',
      'whoami',
    ];
    const refusals: readonly (readonly [text: string, error: RegExp])[] = [
      [corefile(ports, 'nosuch'), /^Corefile:5 - Error during parsing: Unknown directive 'nosuch'$/],
      [corefile(ports, 'cache 0'), /^plugin\/cache: Corefile:5 - Error during parsing: .*: 0$/],
      [
        corefile(moved, ...kubernetes('nosuch')),
        /^plugin\/kubernetes: Corefile:5 - Error during parsing: stat nosuch: no such file/,
      ],
      [corefile(moved, ...kubernetes('Corefile')), /^plugin\/kubernetes: Corefile:5 - /],
      [corefile({ ...moved, health: heldHealth }, 'whoami'), /^plugin\/health: Corefile:2 - .*address already in use$/],
      [corefile({ ...next, dns: held }, 'whoami'), /^Listen: listen tcp :\d+: bind: address already in use$/],
      [`${good}.:${held} {\n whoami\n}\n`, /^Listen: listen tcp :\d+: bind: address already in use$/],
    ];
    const questions = asking(t, ports.dns);
    for (const [text, error] of refusals) {
      const said = (await started.reload(text)).split('\n');
      assert.deepEqual(said.slice(0, 2), ['[INFO] SIGUSR1: Reloading', '[INFO] Reloading']);
      const reason = /^\[ERROR\] Restart failed: (.*)$/.exec(said.at(-3)!)?.[1] ?? '';
      assert.match(reason, error);
      assert.equal(said.at(-2), `[ERROR] SIGUSR1: starting with listener file descriptors: ${reason}`);
      await isWhole(ports);
      for (const port of [next.health, next.ready, next.metrics]) await pageIs(port, '/', 'closed');
      assert.deepEqual(socketsOn(started.pid, next.dns), []);
    }
    await questions.end();
    assert.deepEqual(socketsOn(started.pid, ports.dns), sockets);
    // Beside them, both ends of the connection over which health asks itself.
    const isBack = () => descriptorsOf(started.pid).length <= descriptors + 2;
    await until('every descriptor is given back', 10_000, isBack).catch(() => {
      assert.fail(`${descriptors} descriptors before, now ${descriptorsOf(started.pid).join(' ')}`);
    });
    assert.match(await started.reload(corefile(next, 'whoami')), /Reloading complete/);
    await isWhole(next);
    assert.equal(started.err, '');
  });

  test('a file that is gone', async (t) => {
    const ports = await choosePorts();
    const started = await serve(t, corefile(ports, 'whoami'));
    rmSync(started.corefile);
    started.kill('SIGUSR1');
    await started.says(/SIGUSR1: starting with listener file descriptors: .*Corefile: no such file or directory\n/);
    await isWhole(ports);
  });

  test('many in a row are worked off one after the other', async (t) => {
    const ports = await choosePorts();
    const started = await serve(t, corefile(ports, 'whoami'));
    for (let i = 0; i < 10; i++) {
      started.kill('SIGUSR1');
      await sleep(10);
    }
    await until('all are done', 15_000, () => {
      const count = (pattern: RegExp) => started.out.match(pattern)?.length ?? 0;
      return count(/Reloading complete/g) === count(/SIGUSR1: Reloading/g) && count(/SIGUSR1/g) > 0;
    });
    assert.doesNotMatch(started.out, /Reloading\n\[INFO\] Reloading\n.*complete\n.*complete/);
    await isWhole(ports);
  });

  test('a cache begins empty with each configuration', async (t) => {
    const upstream = await Upstream.start();
    t.after(() => upstream.stop());
    const dns = await freePort();
    const text = `.:${dns} {\n cache 30\n forward . 127.0.0.1:${upstream.port}\n}\n`;
    const started = await serve(t, text);
    const askTwice = async () => {
      for (let i = 0; i < 2; i++) assert.equal(await ask(dns, 'www.example.org'), 'NOERROR 192.0.2.1');
      return upstream.takeSeen(new Set(['www.example.org.'])).length;
    };
    assert.equal(await askTwice(), 1);
    await started.reload(text);
    assert.equal(await askTwice(), 1);
    await started.reload(text.replace('cache 30', 'cache 31'));
    assert.equal(await askTwice(), 1);
  });

  test('readiness and answers stay while the next configuration waits for its API server', async (t) => {
    const file = `${newFolder()}/cluster.yaml`;
    writeFileSync(file, SERVICE);
    const cluster = await startDemoCluster({ file, log: createLog(() => {}) });
    t.after(() => cluster.close());
    const ports = await choosePorts();
    const kubernetes = (api: string) => [
      'kubernetes cluster.local {',
      `endpoint ${api}`,
      'startup_timeout 1500ms',
      '}',
    ];
    const name = 'web.shop.svc.cluster.local';
    const good = corefile(ports, ...kubernetes(cluster.url));
    const started = await serve(t, good);
    assert.equal(await ask(ports.dns, name), 'NOERROR 10.96.1.1');
    const from = started.out.length;
    writeFileSync(started.corefile, corefile(ports, ...kubernetes('http://127.0.0.1:1')));
    started.kill('SIGUSR1');
    await started.says(/waiting for Kubernetes API/, from);
    assert.equal(await page(ports.ready, '/ready'), '200 OK');
    assert.equal(await ask(ports.dns, name), 'NOERROR 10.96.1.1');
    await started.says(/Reloading complete/, from);
    await pageIs(ports.ready, '/ready', '503 kubernetes');
    assert.equal(await ask(ports.dns, name), 'SERVFAIL');
    assert.match(await started.reload(good), /Reloading complete/);
    await pageIs(ports.ready, '/ready', '200 OK');
    assert.equal(await ask(ports.dns, name), 'NOERROR 10.96.1.1');
  });

  test('SIGTERM while a reload waits for its API server: the lameduck is that of the old one, exit 0', async (t) => {
    const ports = await choosePorts();
    const text = corefile(ports, 'whoami').replace(/health (.*)/, 'health $1 {\n        lameduck 1s\n    }');
    const started = await serve(t, text);
    const waiting = ['kubernetes cluster.local {', 'endpoint http://127.0.0.1:1', 'startup_timeout 60s', '}'];
    writeFileSync(started.corefile, corefile(ports, 'whoami', ...waiting));
    started.kill('SIGUSR1');
    await started.says(/waiting for Kubernetes API/);
    started.kill('SIGTERM');
    await started.says(/Going into lameduck mode for 1s/);
    assert.equal(await ask(ports.dns, 'x.example'), 'NOERROR');
    const { code, ms } = await started.ends();
    assert.equal(code, 0);
    assert.ok(ms < 10_000, `${ms} ms`);
    assert.equal(started.err, '');
  });

  test('plugin reload: good, wrong and missing files, and it goes on polling', async (t) => {
    const ports = await choosePorts();
    const polled = (...more: string[]) => corefile(ports, 'whoami', 'reload 2s 0s', ...more);
    const started = await serve(t, polled());
    assert.match(
      started.out,
      /^\.:\d+\n\[INFO\] plugin\/reload: Running configuration SHA512 = [0-9a-f]{128}\nwasmdns-/,
    );

    const change = async (text: string, pattern: RegExp): Promise<string[]> => {
      const from = started.out.length;
      writeFileSync(started.corefile, text);
      await started.says(pattern, from);
      await isWhole(ports);
      return lastLines(started, from);
    };
    const applied = [
      /^\[INFO\] Reloading$/,
      /^\[INFO\] plugin\/reload: Running configuration SHA512 = [0-9a-f]{128}$/,
      /^\[INFO\] Reloading complete$/,
    ];
    const isAs = (lines: string[], patterns: readonly RegExp[]) => {
      assert.equal(lines.length, patterns.length, lines.join('\n'));
      for (const [i, pattern] of patterns.entries()) assert.match(lines[i]!, pattern);
    };

    const wrong = await change(polled('nosuch'), /plugin\/reload: Corefile changed but .*\n/);
    isAs(wrong, [
      /^\[INFO\] Reloading$/,
      /^\[ERROR\] Restart failed: Corefile:7 - Error during parsing: Unknown directive 'nosuch'$/,
      /^\[ERROR\] plugin\/reload: Corefile changed but reload failed: starting with listener file descriptors: Corefile:7 - /,
    ]);
    assert.equal(await metric(ports, /coredns_reload_failed_total/), 1);
    const from = started.out.length;
    rmSync(started.corefile);
    await sleep(2500);
    assert.deepEqual(lastLines(started, from), [], 'the same mistake and a missing file are nothing to talk about');
    isAs(await change(polled('loadbalance'), /Reloading complete\n/), applied);
    started.kill('SIGUSR1');
    await started.says(/SIGUSR1: Reloading\n\[INFO\] Reloading\n\[INFO\] Reloading complete\n/, from);
    isAs(await change(polled('errors', 'loadbalance'), /Reloading complete\n/), applied);
    assert.match(await page(ports.metrics, '/metrics'), /^coredns_reload_version_info\{.*hash="sha512".*\} 1$/m);
  });
});

const SERVICE = `kind: Namespace
metadata: { name: shop }
---
kind: Service
metadata: { name: web, namespace: shop }
spec: { clusterIP: 10.96.1.1, ports: [{ name: http, port: 80 }] }
`;
