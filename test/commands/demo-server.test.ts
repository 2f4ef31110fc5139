// `-demo FILE`: a whole server over a cluster out of a file, in a process of its own.

import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { repository } from '../e2e/support/tools.ts';
import { Upstream } from '../e2e/support/upstream.ts';
import { ask, newFolder, page, STACK_TRACE, type Started, start, until } from '../server/process.ts';

const CLUSTER = join(repository, 'deploy/demo/cluster.yaml');

interface Ports {
  readonly dns: number;
  readonly health: number;
  readonly ready: number;
  readonly metrics: number;
}

/** The ports that the last lines name. */
async function portsOf(started: Started): Promise<Ports> {
  await started.says(/^A real cluster: .*\n/m);
  const find = (pattern: RegExp) => Number(pattern.exec(started.out)?.[1]);
  return {
    dns: find(/on 127\.0\.0\.1:(\d+) \(UDP and TCP\)/),
    health: find(/:(\d+)\/health/),
    ready: find(/:(\d+)\/ready/),
    metrics: find(/:(\d+)\/metrics/),
  };
}

/** serveDemo() in a process of its own, with another resolv.conf than this machine's. */
function scriptFor(file: string, resolvConf: string): string {
  const url = pathToFileURL(join(repository, 'host/commands/demo-server.ts')).href;
  const options = { file, resolvConf, shardCount: 1, isQuiet: false, version: 'test' };
  return `const { serveDemo } = await import(${JSON.stringify(url)});
await serveDemo({ ...${JSON.stringify(options)}, pidFile: undefined, exit: (code) => process.exit(code) });`;
}

// One after the other: two demos that start at the same moment may find the same ports free.
describe('demo', () => {
  test('answers, says what to try, and follows the file within a second', async (t) => {
    const file = join(newFolder(), 'cluster.yaml');
    copyFileSync(CLUSTER, file);
    const started = start(t, ['-demo', file]);
    const ports = await portsOf(started);
    assert.match(started.out, /^\.:\d+ on 127\.0\.0\.1\n/m);
    assert.equal(await ask(ports.dns, 'kubernetes.default.svc.cluster.local'), 'NOERROR 10.96.0.1');
    assert.equal(await ask(ports.dns, 'kubernetes.default.svc.cluster.local', { proto: 'tcp' }), 'NOERROR 10.96.0.1');
    assert.match(await ask(ports.dns, '1.0.96.10.in-addr.arpa', { type: 'PTR' }), /kubernetes\.default\.svc/);
    assert.match(await ask(ports.dns, '_http._tcp.web.shop.svc.cluster.local', { type: 'SRV' }), /^NOERROR 0 100 80 /);
    assert.equal(await page(ports.health, '/health'), '200 OK');
    assert.equal(await page(ports.ready, '/ready'), '200 OK');
    assert.match(await page(ports.metrics, '/metrics'), /^coredns_build_info/m);

    const name = 'added.shop.svc.cluster.local';
    assert.equal(await ask(ports.dns, name), 'NXDOMAIN');
    const service = (address: string) =>
      `\n---\nkind: Service\nmetadata: { name: added, namespace: shop }\nspec: { clusterIP: ${address}, ports: [{ port: 80 }] }\n`;
    const text = readFileSync(CLUSTER, 'utf8');
    for (const [content, answer] of [
      [text + service('10.96.7.7'), 'NOERROR 10.96.7.7'],
      [text + service('10.96.7.8'), 'NOERROR 10.96.7.8'],
      [text, 'NXDOMAIN'],
    ] as const) {
      writeFileSync(file, content);
      // A second on a machine that has nothing else to do.
      await until(answer, 5000, async () => (await ask(ports.dns, name)) === answer, 20);
    }
    writeFileSync(file, 'kind: [\n');
    await started.says(/\[WARNING\] .*cluster\.yaml:\d+: /);
    assert.equal(await ask(ports.dns, 'kubernetes.default.svc.cluster.local'), 'NOERROR 10.96.0.1');

    started.kill('SIGTERM');
    assert.equal((await started.ends()).code, 0);
    assert.equal(started.err, '');
  });

  test('a second one takes other ports', async (t) => {
    const first = start(t, ['-demo', CLUSTER]);
    const firstPorts = await portsOf(first);
    const second = start(t, ['-demo', CLUSTER]);
    const secondPorts = await portsOf(second);
    const all = [...Object.values(firstPorts), ...Object.values(secondPorts)];
    assert.equal(new Set(all).size, 8, all.join());
    for (const { dns } of [firstPorts, secondPorts]) {
      assert.equal(await ask(dns, 'kubernetes.default.svc.cluster.local'), 'NOERROR 10.96.0.1');
    }
  });

  test('resolvers: those of resolv.conf, and none at all is no failure', async (t) => {
    const upstream = await Upstream.start();
    t.after(() => upstream.stop());
    const folder = newFolder();
    const run = async (resolvConf: string) => {
      const started = start(t, [], { script: scriptFor(CLUSTER, resolvConf) });
      const ports = await portsOf(started);
      assert.equal(await ask(ports.dns, 'kubernetes.default.svc.cluster.local'), 'NOERROR 10.96.0.1');
      assert.doesNotMatch(started.out, /ERROR/);
      assert.equal(started.err, '');
      return { started, ports };
    };
    for (const [name, text] of [
      ['missing', undefined],
      ['useless', '# nothing\nsearch example.org\nnameserver\nnameserver not-an-address\n'],
    ] as const) {
      if (text !== undefined) writeFileSync(join(folder, name), text);
      const { started, ports } = await run(join(folder, name));
      assert.equal(await ask(ports.dns, 'www.example.org'), 'SERVFAIL');
      started.kill('SIGKILL');
      await started.exited;
    }
    writeFileSync(join(folder, 'some'), 'nameserver 127.0.0.1\n');
    const { ports } = await run(join(folder, 'some'));
    assert.match(await page(ports.metrics, '/metrics'), /name="forward"/);
  });

  test('-quiet: serves without a word', async (t) => {
    const started = start(t, ['-quiet', '-demo', CLUSTER, '-pidfile', 'x.pid']);
    await until('it serves', 15_000, () => {
      try {
        return readFileSync(join(started.folder, 'x.pid'), 'utf8') !== '';
      } catch {
        return false;
      }
    });
    assert.deepEqual(
      started.lines.filter((line) => !line.startsWith('[INFO] ')),
      [],
    );
  });

  test('-conf has precedence', async (t) => {
    const started = await start(t, ['-demo', 'nosuch.yaml', '-conf', 'Corefile'], {
      corefile: '.:0 {\n whoami\n}\n',
    }).serves();
    assert.doesNotMatch(started.out, /demo/);
  });

  test('a file that is not there or is no cluster: one line, exit 1', async (t) => {
    const folder = newFolder();
    writeFileSync(join(folder, 'bad.yaml'), 'kind: Service\nmetadata: [\n');
    for (const [file, pattern] of [
      ['nosuch.yaml', /^nosuch\.yaml: .*no such file/],
      ['bad.yaml', /^bad\.yaml:\d+: /],
    ] as const) {
      const started = start(t, ['-demo', file], { cwd: folder });
      assert.equal((await started.ends()).code, 1);
      assert.match(started.err, pattern);
      assert.equal(started.err.trimEnd().split('\n').length, 1, started.err);
      assert.doesNotMatch(started.err, STACK_TRACE);
    }
  });
});
