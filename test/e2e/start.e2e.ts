// What keeps the server from starting, and what it says then: one clear line, no stack trace.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WRONG_COREFILES } from './faults/corefiles.ts';
import { ask } from './support/ask.ts';
import { Child, type Exit, scratchDirectory, sleep, until } from './support/child.ts';
import { ControlPlane } from './support/control-plane.ts';
import { UdpClient } from './support/dns-client.ts';
import { freePort } from './support/ports.ts';
import {
  choosePorts,
  commandOf,
  corefileTemplate,
  fillCorefile,
  seatUnderTest,
  startServer,
} from './support/server.ts';
import { TcpProxy } from './support/tcp-proxy.ts';

/** Errors that name no file and line in CoreDNS do so here (house rule 5): its texts are not checked. */
const isWasmdns = seatUnderTest === 'wasmdns';
const EXIT_MAX_MS = 15_000;
const STACK_TRACE = /^\s+at .+[:(][0-9]+:[0-9]+\)?$|node:internal|goroutine/m;

let plane: ControlPlane;
before(async () => {
  plane = await ControlPlane.start();
});
after(() => plane.stop());

/** Starts a server that must not come up; resolves with how it ended and all that it printed. */
async function failToStart(text: string): Promise<{ exit: Exit; output: string }> {
  const directory = mkdtempSync(join(scratchDirectory(), 'corefile-'));
  const path = join(directory, 'Corefile');
  writeFileSync(path, text);
  const { command, args } = commandOf(seatUnderTest, path, 1);
  const child = new Child('start', command, args, { cwd: directory });
  const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_MAX_MS);
  const exit = await child.exited;
  clearTimeout(timer);
  return { exit, output: child.output().replace(/^maxprocs: .*\n/, '') };
}

for (const { kind, text, line, word } of WRONG_COREFILES) {
  test(`wrong Corefile: ${kind}`, async () => {
    const port = String(await freePort());
    const { exit, output } = await failToStart(text.replaceAll('@PORT@', port));
    assert.equal(exit.code, 1, output);
    assert.doesNotMatch(output, STACK_TRACE);
    if (!isWasmdns) return;
    assert.match(output, new RegExp(`Corefile:${line}\\b`), 'file and line');
    assert.ok(output.includes(word.replaceAll('@PORT@', port)), `the word '${word}' is missing in: ${output}`);
    assert.ok(output.trimEnd().split('\n').length <= 2, `more than one line: ${output}`);
  });
}

test('a Corefile that does not exist', async () => {
  const { command, args } = commandOf(seatUnderTest, join(scratchDirectory(), 'nosuch'), 1);
  const child = new Child('start', command, args);
  assert.equal((await child.exited).code, 1, child.output());
  assert.match(child.output(), /nosuch: no such file or directory/);
  assert.doesNotMatch(child.output(), STACK_TRACE);
});

test('a TCP port that another program holds', async () => {
  const port = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ port, host: '::', exclusive: true }, resolve));
  const { exit, output } = await failToStart(`.:${port} {\n    whoami\n}\n`);
  await new Promise((resolve) => server.close(resolve));
  assert.equal(exit.code, 1, output);
  assert.match(output, new RegExp(`${port}.*address already in use`));
  assert.doesNotMatch(output, STACK_TRACE);
});

test('a UDP port that another program holds', async () => {
  const port = await freePort();
  const socket = createSocket('udp6');
  await new Promise<void>((resolve) => socket.bind({ port, exclusive: true }, resolve));
  const { exit, output } = await failToStart(`.:${port} {\n    whoami\n}\n`);
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  assert.equal(exit.code, 1, output);
  assert.match(output, new RegExp(`${port}.*address already in use`));
  assert.doesNotMatch(output, STACK_TRACE);
});

test('the health port is held by another program', async () => {
  const port = await freePort();
  const health = await freePort();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ port: health, host: '127.0.0.1', exclusive: true }, resolve));
  const { exit, output } = await failToStart(`.:${port} {\n    health 127.0.0.1:${health}\n    whoami\n}\n`);
  await new Promise((resolve) => server.close(resolve));
  assert.equal(exit.code, 1, output);
  assert.match(output, new RegExp(`${health}.*address already in use`));
  assert.doesNotMatch(output, STACK_TRACE);
});

test('a kubeconfig that does not exist', async () => {
  const options = { kubeconfig: '/nonexistent/kubeconfig', upstreamPort: 1 };
  const text = await fillCorefile(corefileTemplate('kubeadm'), await choosePorts(), options);
  const { exit, output } = await failToStart(text);
  assert.equal(exit.code, 1, output);
  assert.match(output, /\/nonexistent\/kubeconfig/);
  assert.doesNotMatch(output, STACK_TRACE);
  if (isWasmdns) assert.ok(output.trimEnd().split('\n').length <= 2, `more than one line: ${output}`);
});

test('an API server that refuses the token', async () => {
  const kubeconfig = plane.writeKubeconfig({ token: 'wrong' });
  const template = corefileTemplate('kubeadm').replace('ttl 30', 'ttl 30\n       startup_timeout 1s');
  const server = await startServer(seatUnderTest, template, { kubeconfig, upstreamPort: 1, isUnsynced: true });
  const isSaid = () => /plugin\/kubernetes: .*(unauthorized|401|credentials)/i.test(server.child.output());
  await until('the refusal is logged', 15_000, isSaid, 100);
  const client = new UdpClient(server.port);
  assert.equal(await ask(client, 'kubernetes.default.svc.cluster.local', 'A'), 'SERVFAIL');
  client.close();
  await sleep(1000);
  const output = server.child.output();
  await server.stop();
  assert.doesNotMatch(output, STACK_TRACE);
  assert.ok(output.split('\n').length < 60, `the log is flooded:\n${output.slice(0, 2000)}`);
});

test('an API server that comes later', async () => {
  const proxy = await TcpProxy.start(plane.port);
  await proxy.setMode('refuse');
  const template = corefileTemplate('kubeadm').replace('ttl 30', 'ttl 30\n       startup_timeout 1s');
  const options = { kubeconfig: plane.writeKubeconfig({ port: proxy.port }), upstreamPort: 1, isUnsynced: true };
  const server = await startServer(seatUnderTest, template, options);
  assert.match(server.child.output(), /starting server with unsynced Kubernetes API/);
  const client = new UdpClient(server.port);
  const answer = () => ask(client, 'kubernetes.default.svc.cluster.local', 'A');
  assert.equal(await answer(), 'SERVFAIL');
  await proxy.setMode('pass');
  await until('the server has synced', 45_000, async () => (await answer()) === 'NOERROR 10.96.0.1', 50);
  client.close();
  await server.stop();
  await proxy.stop();
});
