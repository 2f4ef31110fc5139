// `wasmdns simulate`: the command in a process of its own.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../e2e/support/ports.ts';
import { ask, page, STACK_TRACE, start, until } from '../server/process.ts';

const SMALL = ['simulate', '-services', '50', '-listen', '127.0.0.1:0'];

test('serves an API, says what to try, and ends when told to', async (t) => {
  const started = start(t, [...SMALL, '-changes', '5', '-queries', 'questions']);
  await started.says(/^ {2}dnsperf -s 127\.0\.0\.1 -p 1053 -d questions -l 10 -c 16\n/m);
  const [, summary, url] = /^(Simulating .*): (http:\S+)\n/m.exec(started.out)!;
  const size = '50 services with 250 endpoints in 1 namespaces on 10 nodes';
  assert.equal(summary, `Simulating ${size}, 5 changes a second, seed 1`);
  assert.match(started.out, new RegExp(`^ +endpoint ${url}\n`, 'm'));
  assert.match(started.out, /^ {2}dig @127\.0\.0\.1 -p 1053 kubernetes\.default\.svc\.cluster\.local\n/m);
  const { items } = (await (await fetch(`${url}/api/v1/services`)).json()) as { items: unknown[] };
  assert.ok(items.length > 40, `${items.length} services`);
  const lines = readFileSync(join(started.folder, 'questions'), 'utf8').split('\n').slice(0, -1);
  assert.equal(lines.length, 50_000);
  const types = new Set(lines.map((line) => /^[a-z0-9_.-]+ (A|AAAA|SRV|PTR)$/.exec(line)?.[1]));
  assert.deepEqual([...types].sort(), ['A', 'AAAA', 'PTR', 'SRV']);
  started.kill('SIGTERM');
  assert.equal((await started.ends()).code, 0);
  assert.equal(started.err, '');
});

test('-serve: answers, and leaves no process behind', async (t) => {
  const started = start(t, ['simulate', '-serve', '-services', '50']);
  await started.says(/^Metrics: .*\n/m);
  const url = /^Simulating .*: (http:\S+)\n/m.exec(started.out)![1]!;
  const port = Number(/^ {2}dig @127\.0\.0\.1 -p (\d+) kubernetes/m.exec(started.out)?.[1]);
  assert.equal(await ask(port, 'kubernetes.default.svc.cluster.local'), 'NOERROR 10.96.0.1');
  const name = /^ {2}dig \S+ -p \d+ (\S+-\d+\.\S+)\n/m.exec(started.out)![1]!;
  assert.match(await ask(port, name), /^NOERROR 10\.96\.16\./);
  const apiPort = Number(new URL(url).port);
  assert.match(await page(apiPort, '/api/v1/namespaces'), /^200 /);
  started.kill('SIGKILL');
  await started.exited;
  await until(
    'the API has ended too',
    10_000,
    async () => (await page(apiPort, '/api/v1/namespaces')) === 'closed',
    50,
  );
});

test('-serve ends as a server does', async (t) => {
  const started = start(t, ['simulate', '-serve', '-services', '5', '-quiet', '-pidfile', 'x.pid']);
  await until('it serves', 15_000, () => {
    try {
      return readFileSync(join(started.folder, 'x.pid'), 'utf8') !== '';
    } catch {
      return false;
    }
  });
  started.kill('SIGTERM');
  assert.equal((await started.ends()).code, 0);
  assert.equal(started.err, '');
  assert.doesNotMatch(started.out, /Simulating/);
});

test('-quiet says nothing', async (t) => {
  const port = await freePort();
  const started = start(t, ['simulate', '-services', '50', '-listen', `127.0.0.1:${port}`, '-quiet']);
  await until('it listens', 15_000, async () => (await page(port, '/api/v1/namespaces')).startsWith('200'));
  started.kill('SIGINT');
  assert.equal((await started.ends()).code, 0);
  assert.equal(started.out, '');
});

test('what the user can mend is one line', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.after(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const inUse = `-listen: listen tcp 127.0.0.1:${port}: address already in use\n`;
  for (const [args, code, text] of [
    [['-listen', `127.0.0.1:${port}`], 1, inUse],
    [['-serve', '-listen', `127.0.0.1:${port}`], 1, inUse],
    [['-queries', 'no/such/folder'], 1, '-queries: open no/such/folder: no such file or directory\n'],
    [['-listen', 'here'], 1, '-listen: expected ADDRESS:PORT, got "here"\n'],
    [['-services', 'x'], 2, 'invalid value "x" for flag -services: must be a number between 1 and 500000\nUsage of'],
  ] as const) {
    const started = start(t, ['simulate', ...args]);
    assert.equal((await started.ends()).code, code, args.join(' '));
    assert.ok(started.err.startsWith(text), started.err);
    assert.doesNotMatch(started.err, STACK_TRACE);
    assert.equal(started.out, '');
  }
});
