// Signals of the kernel against the built program: what is still answered in which order, and the exit code.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { TcpClient } from '../e2e/support/dns-client.ts';
import { freePort } from '../e2e/support/ports.ts';
import { ask, page, pageIs, STACK_TRACE, type Started, serve, start, until } from './process.ts';

interface Served {
  readonly started: Started;
  readonly dns: number;
  readonly health: number;
  readonly ready: number;
  readonly metrics: number;
}

async function served(t: TestContext, lameduck: string): Promise<Served> {
  const [dns, health, ready, metrics] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const corefile = `.:${dns} {
    errors
    health 127.0.0.1:${health} {
      lameduck ${lameduck}
    }
    ready 127.0.0.1:${ready}
    prometheus 127.0.0.1:${metrics}
    whoami
    reload
}
`;
  const started = await serve(t, corefile, ['-pidfile', 'x.pid']);
  await pageIs(ready, '/ready', '200 OK');
  await pageIs(health, '/health', '200 OK');
  return { started, dns, health, ready, metrics };
}

/** The four things that a lameduck server is seen by. */
async function state({ dns, health, ready, metrics }: Served): Promise<string> {
  const [answer, healthy, isReady, exposition] = await Promise.all([
    ask(dns, 'x.example', { withinMs: 1000 }),
    page(health, '/health'),
    page(ready, '/ready'),
    page(metrics, '/metrics'),
  ]);
  return [answer, healthy, isReady, exposition.slice(0, 3)].join(', ');
}

const LAMEDUCK = 'NOERROR, 200 OK, closed, 200';

/** What was printed since the start. */
function said(started: Started): string[] {
  return started.lines.filter((line) => /SIG|lameduck|ERROR/.test(line));
}

describe('signals', { concurrency: 5 }, () => {
  test('SIGTERM: ready closes, DNS, health and metrics go on for the lameduck, exit 0', async (t) => {
    const all = await served(t, '2s');
    const { started, ready } = all;
    const begin = performance.now();
    started.kill('SIGTERM');
    await pageIs(ready, '/ready', 'closed');
    assert.equal(await state(all), LAMEDUCK);
    // Ignored: it is ending already.
    started.kill('SIGTERM');
    started.kill('SIGUSR1');
    started.kill('SIGHUP');
    while (performance.now() - begin < 1000) assert.equal(await state(all), LAMEDUCK);
    assert.equal((await started.ends()).code, 0);
    assert.ok(performance.now() - begin > 1950, `ended after ${performance.now() - begin} ms`);
    assert.deepEqual(said(started), [
      '[INFO] SIGTERM: Shutting down servers then terminating',
      '[INFO] plugin/health: Going into lameduck mode for 2s',
    ]);
    assert.equal(existsSync(join(started.folder, 'x.pid')), false);
    assert.equal(started.err, '');
  });

  test('SIGINT: the same', async (t) => {
    const all = await served(t, '1s');
    all.started.kill('SIGINT');
    await pageIs(all.ready, '/ready', 'closed');
    assert.equal(await state(all), LAMEDUCK);
    assert.equal((await all.started.ends()).code, 0);
    assert.deepEqual(said(all.started), [
      '[INFO] SIGINT: Shutting down',
      '[INFO] plugin/health: Going into lameduck mode for 1s',
    ]);
    assert.equal(existsSync(join(all.started.folder, 'x.pid')), false);
  });

  test('SIGINT twice: exit 2 at once', async (t) => {
    const { started, ready } = await served(t, '60s');
    started.kill('SIGINT');
    await pageIs(ready, '/ready', 'closed');
    started.kill('SIGINT');
    assert.equal((await started.ends()).code, 2);
    assert.equal(said(started).at(-1), '[INFO] SIGINT: Force quit');
    assert.equal(existsSync(join(started.folder, 'x.pid')), false);
    assert.equal(started.err, '');
  });

  test('SIGQUIT: exit 0 at once', async (t) => {
    const { started } = await served(t, '60s');
    started.kill('SIGQUIT');
    assert.equal((await started.ends()).code, 0);
    assert.deepEqual(said(started), ['[INFO] SIGQUIT: Quitting process immediately']);
    assert.equal(existsSync(join(started.folder, 'x.pid')), false);
  });

  test('SIGHUP does nothing, SIGUSR2 nothing but a line', async (t) => {
    const { started, dns } = await served(t, '1s');
    const before = started.out;
    started.kill('SIGHUP');
    started.kill('SIGUSR2');
    await started.says(/SIGUSR2/);
    assert.equal(await ask(dns, 'x.example'), 'NOERROR');
    assert.equal(started.out, `${before}[ERROR] SIGUSR2: upgrading is not supported\n`);
  });

  test('SIGTERM without a lameduck: a query under way is answered, idle streams do not hold it up', async (t) => {
    const dns = await freePort();
    const started = await serve(t, `.:${dns} {\n whoami\n}\n`);
    const client = new TcpClient(dns);
    t.after(() => client.close());
    assert.ok(await client.exchange(Buffer.from('00010000000100000000000001780000010001', 'hex'), 5000));
    started.kill('SIGTERM');
    const { code, ms } = await started.ends();
    assert.equal(code, 0);
    assert.ok(ms < 5000, `${ms} ms`);
  });

  const waiting = (dns: number, timeout: string) =>
    `.:${dns} {\n kubernetes cluster.local {\n  endpoint http://127.0.0.1:1\n  startup_timeout ${timeout}\n }\n}\n`;

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${signal} during the start: exit 0, and nothing is said to have started`, async (t) => {
      const started = start(t, ['-pidfile', 'x.pid'], { corefile: waiting(await freePort(), '30s') });
      await started.says(/waiting for Kubernetes API/);
      started.kill(signal);
      const { code, ms } = await started.ends();
      assert.equal(code, 0, started.out + started.err);
      assert.ok(ms < 8000, `${ms} ms`);
      assert.doesNotMatch(started.out, /^\.:|^wasmdns|ERROR/m);
      assert.equal(started.err, '');
    });
  }

  test('signals before it listens to them end nothing and open no debugger', async (t) => {
    const started = start(t, [], { corefile: '.:0 {\n whoami\n}\n' });
    // A process that is still Node's own has not asked for them: the kernel ends it then.
    const handled = () =>
      BigInt(`0x${/^SigCgt:\s*(\w+)/m.exec(readFileSync(`/proc/${started.pid}/status`, 'utf8'))![1]}`);
    await until('it handles SIGHUP', 5000, () => (handled() & 1n) === 1n, 1);
    for (const signal of ['SIGHUP', 'SIGUSR2', 'SIGUSR1'] as const) started.kill(signal);
    await started.serves();
    assert.equal(started.err, '');
  });

  test('SIGUSR1 during the start is obeyed behind it', async (t) => {
    const dns = await freePort();
    const started = start(t, [], { corefile: waiting(dns, '1500ms') });
    await started.says(/waiting for Kubernetes API/);
    started.kill('SIGUSR1');
    await started.says(/Reloading complete/);
    const order = started.lines.filter((line) => /^\.:|^wasmdns|Reloading/.test(line));
    assert.equal(order[0], '[INFO] SIGUSR1: Reloading');
    assert.equal(order[1], `.:${dns}`);
    assert.equal(order.filter((line) => line === `.:${dns}`).length, 1);
    assert.equal(order.at(-1), '[INFO] Reloading complete');
    assert.equal(await ask(dns, 'cluster.local', { type: 'SOA' }).then((text) => text.slice(0, 7)), 'NOERROR');
    assert.doesNotMatch(started.out + started.err, STACK_TRACE);
  });

  test('a loop ends the process with a fatal line and exit 1', async (t) => {
    const dns = await freePort();
    const started = start(t, ['-pidfile', 'x.pid'], {
      corefile: `.:${dns} {\n loop\n forward . 127.0.0.1:${dns}\n}\n`,
    });
    assert.equal((await started.ends()).code, 1);
    assert.match(
      started.lines.at(-1)!,
      /^\[FATAL\] plugin\/loop: Loop \(127\.0\.0\.1:\d+ -> :\d+\) detected for zone "\."/,
    );
    assert.equal(started.err, '');
    await until('the pid file is gone', 1000, () => !existsSync(join(started.folder, 'x.pid')));
  });

  test('a loop through two blocks is found before any attempt times out', async (t) => {
    const dns = await freePort();
    const other = await freePort();
    const blocks = [
      `.:${dns} {\n errors\n loop\n forward . 127.0.0.1:${other}\n}`,
      `.:${other} {\n errors\n forward . 127.0.0.1:${dns}\n}\n`,
    ];
    const started = start(t, [], { corefile: blocks.join('\n') });
    assert.equal((await started.ends()).code, 1);
    assert.match(started.lines.at(-1)!, /^\[FATAL\] plugin\/loop: Loop /);
    assert.doesNotMatch(started.out, /i\/o timeout/);
  });
});
