// Whole configurations: blocks, zones and ports, and the plugins that need something outside of the process.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { startDemoCluster } from '../../host/commands/demo/cluster.ts';
import { createLog } from '../../host/log.ts';
import { freePort } from '../e2e/support/ports.ts';
import { repository } from '../e2e/support/tools.ts';
import { Upstream } from '../e2e/support/upstream.ts';
import { ask, httpServer, page, pageIs, STACK_TRACE, serve, sleep, start } from './process.ts';

describe('serving', { concurrency: 4 }, () => {
  test('several zones and ports in a block, several blocks on a port', async (t) => {
    const [first, second] = [await freePort(), await freePort()];
    const started = await serve(
      t,
      `a.example:${first} b.example:${first} a.example:${second} {
    whoami
}
sub.a.example:${first} {
    health 127.0.0.1:${await freePort()}
}
c.example:${second} {
    whoami
}
`,
    );
    const lines = [
      ...[`a.example.:${first}`, `b.example.:${first}`, `sub.a.example.:${first}`],
      ...[`a.example.:${second}`, `c.example.:${second}`],
    ];
    assert.deepEqual(started.lines.slice(0, lines.length), lines);
    for (const [port, name, expected] of [
      [first, 'x.a.example', 'NOERROR'],
      [first, 'B.Example', 'NOERROR'],
      [first, 'x.c.example', 'REFUSED'],
      [first, 'y.sub.a.example', 'REFUSED'],
      [second, 'a.example', 'NOERROR'],
      [second, 'x.b.example', 'REFUSED'],
      [second, 'c.example', 'NOERROR'],
      [second, 'y.sub.a.example', 'NOERROR'],
    ] as const) {
      assert.equal(await ask(port, name), expected, `${name} on ${port === first ? 'first' : 'second'}`);
      assert.equal(await ask(port, name, { proto: 'tcp' }), expected, `${name} over TCP`);
    }
  });

  test('a block without a plugin that sees queries refuses them', async (t) => {
    const [dns, health, ready, empty] = [await freePort(), await freePort(), await freePort(), await freePort()];
    await serve(t, `.:${dns} {\n health 127.0.0.1:${health}\n ready 127.0.0.1:${ready}\n reload\n}\n.:${empty} {\n}\n`);
    assert.equal(await ask(dns, 'x.example'), 'REFUSED');
    assert.equal(await ask(empty, 'x.example'), 'REFUSED');
    assert.equal(await page(health, '/health'), '200 OK');
    assert.equal(await page(ready, '/ready'), '200 OK');
  });

  test('a chain that nobody ends: SERVFAIL', async (t) => {
    const dns = await freePort();
    await serve(t, `.:${dns} {\n errors\n cache\n}\n`);
    assert.equal(await ask(dns, 'x.example'), 'SERVFAIL');
  });

  test('two blocks with the same health and ready addresses', async (t) => {
    const [first, second, health, ready] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const inside = `health 127.0.0.1:${health}\n ready 127.0.0.1:${ready}\n whoami`;
    await serve(t, `.:${first} {\n ${inside}\n}\n.:${second} {\n ${inside}\n}\n`);
    assert.equal(await ask(first, 'x.example'), 'NOERROR');
    assert.equal(await ask(second, 'x.example'), 'NOERROR');
    assert.equal(await page(health, '/health'), '200 OK');
    assert.equal(await page(ready, '/ready'), '200 OK');
  });

  test('cache and forward', async (t) => {
    const upstream = await Upstream.start();
    t.after(() => upstream.stop());
    const [dns, metrics] = [await freePort(), await freePort()];
    await serve(
      t,
      `.:${dns} {\n prometheus 127.0.0.1:${metrics}\n cache 30\n forward . 127.0.0.1:${upstream.port}\n}\n`,
    );
    for (let i = 0; i < 3; i++) assert.equal(await ask(dns, 'www.example.org'), 'NOERROR 192.0.2.1');
    assert.equal(upstream.takeSeen(new Set(['www.example.org.'])).length, 1);
    const text = await page(metrics, '/metrics');
    assert.match(
      text,
      new RegExp(`coredns_cache_hits_total\\{[^}]*server="dns://:${dns}"[^}]*type="success"[^}]*\\} 2`),
    );
  });

  test('a query counts for the longest zone of its block, a cache for every key', async (t) => {
    const [first, second, metrics] = [await freePort(), await freePort(), await freePort()];
    await serve(
      t,
      `.:${first} b.example:${second} b.example:${first} a.b.example:${second} {
    prometheus 127.0.0.1:${metrics}
    cache
    whoami
}
10.0.0.0/9:${first} 10.0.0.0/9:${second} {
    prometheus 127.0.0.1:${metrics}
    whoami
}
`,
    );
    const counted = new Map<string, number>();
    for (const [port, name, zone, type] of [
      [first, 'x.example', '.'],
      [first, 'xb.example', '.'],
      [first, 'X.B.Example', 'b.example.'],
      [first, 'x.a.b.example', 'a.b.example.'],
      [first, 'a.b.example', 'a.b.example.'],
      [second, 'a.b.example', 'a.b.example.', 'DS'],
      [second, 'x.example', 'dropped'],
      [first, '1.127.10.in-addr.arpa', '127.10.in-addr.arpa.'],
      [second, '1.127.10.in-addr.arpa', '127.10.in-addr.arpa.'],
    ] as const) {
      await ask(port, name, { type: type ?? 'A' });
      const key = `${port} ${zone}`;
      counted.set(key, (counted.get(key) ?? 0) + 1);
    }
    const text = await page(metrics, '/metrics');
    for (const [key, count] of counted) {
      const [port, zone] = key.split(' ');
      const series = new RegExp(
        `^coredns_dns_requests_total\\{server="dns://:${port}",zone="${zone}",.* ${count}$`,
        'm',
      );
      assert.match(text, series);
    }
    const zones = '.,b.example.,b.example.,a.b.example.';
    assert.match(
      text,
      new RegExp(`^coredns_cache_requests_total\\{server="dns://:${first}",zones="${zones}",view=""\\} 5$`, 'm'),
    );
  });

  test('kubernetes: serves when it has synced', async (t) => {
    const file = join(repository, 'deploy/demo/cluster.yaml');
    const cluster = await startDemoCluster({ file, log: createLog(() => {}) });
    t.after(() => cluster.close());
    const [dns, ready] = [await freePort(), await freePort()];
    const started = await serve(
      t,
      `.:${dns} {\n ready 127.0.0.1:${ready}\n kubernetes cluster.local in-addr.arpa {\n  endpoint ${cluster.url}\n }\n}\n`,
    );
    assert.equal(await ask(dns, 'kubernetes.default.svc.cluster.local'), 'NOERROR 10.96.0.1');
    assert.equal(await ask(dns, 'nosuch.default.svc.cluster.local', { proto: 'tcp' }), 'NXDOMAIN');
    assert.equal(await page(ready, '/ready'), '200 OK');
    assert.doesNotMatch(started.out, /unsynced/);
  });

  test('an API server that is not there: serves unsynced, not ready', async (t) => {
    const [dns, health, ready] = [await freePort(), await freePort(), await freePort()];
    const started = await serve(
      t,
      `.:${dns} {
    health 127.0.0.1:${health}
    ready 127.0.0.1:${ready}
    kubernetes cluster.local {
      endpoint http://127.0.0.1:1
      startup_timeout 600ms
    }
}
`,
    );
    assert.match(
      started.out,
      /\[INFO\] plugin\/kubernetes: waiting for Kubernetes API before starting server\n\[WARNING\] plugin\/kubernetes: starting server with unsynced Kubernetes API\n\.:/,
    );
    assert.equal(await page(ready, '/ready'), '503 kubernetes');
    assert.equal(await page(health, '/health'), '200 OK');
    assert.equal(await ask(dns, 'x.y.svc.cluster.local'), 'SERVFAIL');
    assert.match(await ask(dns, 'cluster.local', { type: 'SOA' }), /^NOERROR ns\.dns\.cluster\.local\./);
  });

  test('an API server that refuses the token: said once, not for every try', async (t) => {
    const body = '{"kind":"Status","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}';
    const api = await httpServer(t, 401, body);
    const [dns, ready] = [await freePort(), await freePort()];
    const started = await serve(
      t,
      `.:${dns} {\n ready 127.0.0.1:${ready}\n kubernetes cluster.local {\n  endpoint http://127.0.0.1:${api}\n  startup_timeout 500ms\n }\n}\n`,
    );
    await started.says(/plugin\/kubernetes: .*(401|Unauthorized|credentials)/i);
    await sleep(1000);
    await pageIs(ready, '/ready', '503 kubernetes');
    assert.equal(await ask(dns, 'x.y.svc.cluster.local'), 'SERVFAIL');
    assert.doesNotMatch(started.out + started.err, STACK_TRACE);
    assert.ok(started.lines.length < 20, `the log is flooded: ${started.out}`);
    assert.equal(started.err, '');
  });

  test('the readiness endpoint answers while the server waits for the API', async (t) => {
    const [dns, health, ready] = [await freePort(), await freePort(), await freePort()];
    const started = start(t, [], {
      corefile: `.:${dns} {\n health 127.0.0.1:${health}\n ready 127.0.0.1:${ready}\n kubernetes cluster.local {\n  endpoint http://127.0.0.1:1\n  startup_timeout 30s\n }\n}\n`,
    });
    await started.says(/waiting for Kubernetes API/);
    assert.equal(await page(ready, '/ready'), '503 kubernetes');
    assert.equal(await page(health, '/health'), '200 OK');
    assert.equal(await ask(dns, 'x.example', { withinMs: 300 }), 'silence');
  });
});
