// Things that go wrong while the server serves: a shard that dies or hangs, reloads and shutdown under load, streams
// that break off.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { readObjects } from '../cases/objects.ts';
import { breakStreams } from './faults/streams.ts';
import { ask } from './support/ask.ts';
import { sleep, until } from './support/child.ts';
import { ControlPlane } from './support/control-plane.ts';
import { TcpClient, UdpClient } from './support/dns-client.ts';
import { startLoad } from './support/dnsperf.ts';
import { parseMessage } from './support/message.ts';
import { CLASSES, TYPES } from './support/numbers.ts';
import { composeQuery } from './support/query.ts';
import { corefileTemplate, type DnsServer, httpStatus, seatUnderTest, startServer } from './support/server.ts';
import { Upstream } from './support/upstream.ts';

const WEB = 'web.demo.svc.cluster.local.';
const WEB_ANSWER = 'NOERROR 10.96.0.80';
const QUESTIONS = [
  `${WEB} A`,
  `${WEB} SRV`,
  'db.demo.svc.cluster.local A',
  'nosuch.demo.svc.cluster.local A',
  'www-load.example.org A',
];
/** Sockets that ask side by side; enough that each of two shards has many of them. */
const SOCKETS = 64;
/** A shard that died is back within a second (house rule); the rest is for a busy machine. */
const RESTART_MAX_MS = 3000;
/** A shard that hangs has to be found first. */
const REPLACE_MAX_MS = 15_000;
const STREAMS = 20_000;
const STREAMS_GROWTH_MAX = 5e6;

/** CoreDNS in the seat under test has no shards, and other promises: only what both promise is checked then. */
const isWasmdns = seatUnderTest === 'wasmdns';
const noHooks = isWasmdns ? false : 'CoreDNS has neither shards nor test hooks';

let plane: ControlPlane;
let upstream: Upstream;

before(async () => {
  plane = await ControlPlane.start();
  upstream = await Upstream.start();
  await plane.api.createAll(readObjects('demo.yaml'));
});

after(async () => {
  await upstream.stop();
  await plane.stop();
});

/** Runs with a server of two shards that knows the test hooks, and stops it. */
async function withServer(
  work: (server: DnsServer) => Promise<void>,
  template = corefileTemplate('kubeadm'),
): Promise<void> {
  const server = await startServer(seatUnderTest, template, {
    kubeconfig: plane.writeKubeconfig(),
    upstreamPort: upstream.port,
    shards: 2,
    env: { WASMDNS_TEST_HOOKS: '1' },
  });
  try {
    await work(server);
  } finally {
    await server.stop();
  }
}

/** Asks through a hook: TXT CH of a name that only a server with WASMDNS_TEST_HOOKS=1 knows. */
async function pull(server: DnsServer, hook: 'crash' | 'hang'): Promise<void> {
  const client = new UdpClient(server.port);
  const query = composeQuery({ name: `${hook}.wasmdns.`, type: TYPES['TXT']!, class: CLASSES['CH']! });
  await client.exchange(query, 300);
  client.close();
}

/** How many of the sockets, each new and so spread over the shards, get the right answer within `timeoutMs`. */
async function answeredSockets(port: number, timeoutMs: number): Promise<number> {
  const clients = Array.from({ length: SOCKETS }, () => new UdpClient(port));
  const answers = await Promise.all(clients.map((client) => ask(client, WEB, 'A', timeoutMs)));
  for (const client of clients) client.close();
  return answers.filter((answer) => answer === WEB_ANSWER).length;
}

async function survive(hook: 'crash' | 'hang', withinMs: number): Promise<void> {
  await withServer(async (server) => {
    assert.equal(await answeredSockets(server.port, 2000), SOCKETS, 'before the fault');
    await pull(server, hook);
    const since = performance.now();
    const atOnce = await answeredSockets(server.port, 250);
    assert.ok(atOnce > 0, `no shard serves after a ${hook}: ${server.child.output()}`);
    const isWhole = async () => (await answeredSockets(server.port, 250)) === SOCKETS;
    await until(`all sockets are served after a ${hook}`, withinMs, isWhole, 20);
    const ms = (performance.now() - since).toFixed(0);
    process.stdout.write(`${hook}: ${atOnce} of ${SOCKETS} sockets served at once, all after ${ms} ms\n`);
    assert.equal(server.child.hasExited, false, server.child.output());
    assert.equal(await answeredSockets(server.port, 2000), SOCKETS, 'afterwards');
    assert.equal(await httpStatus(server.ports.metrics, '/metrics'), 200, 'metrics after the fault');
    assert.match(server.child.output(), /shard/i, 'the log says nothing about it');
  });
}

test('a shard that crashes is restarted while the others serve', { skip: noHooks }, () =>
  survive('crash', RESTART_MAX_MS),
);

test('a shard that hangs is found and replaced while the others serve', { skip: noHooks }, () =>
  survive('hang', REPLACE_MAX_MS),
);

test('ten crashes in a row', { skip: noHooks }, () =>
  withServer(async (server) => {
    for (let n = 0; n < 10; n++) {
      await pull(server, 'crash');
      await sleep(100);
    }
    const isWhole = async () => (await answeredSockets(server.port, 250)) === SOCKETS;
    await until('all sockets are served after ten crashes', REPLACE_MAX_MS, isWhole, 50);
    assert.equal(server.child.hasExited, false, server.child.output());
  }),
);

test('a crash drops no record and no counter', { skip: noHooks }, () =>
  withServer(async (server) => {
    await pull(server, 'crash');
    await sleep(500);
    const client = new TcpClient(server.port);
    assert.equal(await ask(client, 'db.demo.svc.cluster.local.', 'A'), 'NOERROR 10.1.0.20,10.1.0.21,10.1.0.22');
    client.close();
  }),
);

test('reloads under load lose no query', () =>
  withServer(async (server) => {
    const original = readFileSync(server.corefilePath, 'utf8');
    const load = startLoad({ port: server.port, seconds: 9, queriesPerSecond: 2000, questions: QUESTIONS });
    const client = new UdpClient(server.port);
    for (const ttl of [21, 22, 23]) {
      await sleep(1500);
      writeFileSync(server.corefilePath, original.replace('ttl 30', `ttl ${ttl}`));
      server.child.kill('SIGUSR1');
      await until(`answers have TTL ${ttl}`, 10_000, async () => (await timeToLive(client)) === ttl, 20);
    }
    writeFileSync(server.corefilePath, original.replace('loop', 'nosuch'));
    server.child.kill('SIGUSR1');
    const result = await load.finished;
    process.stdout.write(`reloads: ${result.sent} queries, ${result.lost} lost, ${result.rcodes}\n`);
    assert.match(server.child.output(), /Unknown directive 'nosuch'/, 'the bad Corefile was not refused');
    assert.equal(await timeToLive(client), 23, 'a bad Corefile changed the answers');
    client.close();
    assert.equal(result.lost, 0, 'queries lost');
    assert.ok(result.completed > 15_000, `only ${result.completed} queries`);
  }));

async function timeToLive(client: UdpClient): Promise<number> {
  const octets = await client.exchange(
    composeQuery({ id: 1 + Math.floor(Math.random() * 65535), name: WEB, type: 1 }),
    2000,
  );
  return octets === undefined ? -1 : (parseMessage(octets).answer[0]?.ttl ?? -1);
}

test('SIGTERM under load: the lameduck time is served to its end', () => {
  const template = corefileTemplate('kubeadm').replace('lameduck 5s', 'lameduck 3s');
  return withServer(async (server) => {
    const load = startLoad({ port: server.port, seconds: 2.5, queriesPerSecond: 2000, questions: QUESTIONS });
    await sleep(500);
    const since = performance.now();
    server.child.kill('SIGTERM');
    await sleep(400);
    assert.equal(await httpStatus(server.ports.ready, '/ready', 500), 0, '/ready is still there');
    assert.equal(await httpStatus(server.ports.health, '/health', 500), 200, '/health is gone during lameduck');
    const result = await load.finished;
    const exit = await server.child.exited;
    const seconds = (performance.now() - since) / 1000;
    process.stdout.write(`SIGTERM: ${result.sent} queries, ${result.lost} lost, exit after ${seconds.toFixed(1)} s\n`);
    assert.equal(result.lost, 0, 'queries lost during lameduck');
    assert.equal(exit.code, 0, server.child.output());
    assert.ok(seconds > 2.8 && seconds < 9, `exit after ${seconds.toFixed(1)} s`);
    assert.match(server.child.output(), /\[INFO\] SIGTERM: Shutting down servers then terminating/);
    assert.match(server.child.output(), /\[INFO\] plugin\/health: Going into lameduck mode for 3s/);
  }, template);
});

test('a second SIGINT ends the lameduck time', () =>
  withServer(async (server) => {
    server.child.kill('SIGINT');
    await sleep(700);
    server.child.kill('SIGINT');
    const exit = await server.child.exited;
    assert.equal(exit.code, 2, server.child.output());
  }));

test('SIGQUIT ends at once, SIGHUP not at all', () =>
  withServer(async (server) => {
    server.child.kill('SIGHUP');
    await sleep(300);
    assert.equal(await answeredSockets(server.port, 2000), SOCKETS, 'after SIGHUP');
    server.child.kill('SIGQUIT');
    const since = performance.now();
    const exit = await server.child.exited;
    assert.equal(exit.code, 0, server.child.output());
    assert.ok(performance.now() - since < 3000, 'SIGQUIT took its time');
  }));

test(`${STREAMS} broken TCP streams`, () =>
  withServer(async (server) => {
    // Twice as many before: compiled code, heaps and buffers of a busy server are there to stay, and grow for so long
    for (let n = 0; n < 2; n++) await breakStreams(server.port, STREAMS, 64);
    const before = await settledBytes(server);
    const since = performance.now();
    await breakStreams(server.port, STREAMS, 64);
    const seconds = (performance.now() - since) / 1000;
    const growth = (await settledBytes(server, before + STREAMS_GROWTH_MAX)) - before;
    const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
    process.stdout.write(
      `streams: ${STREAMS} in ${seconds.toFixed(1)} s, RSS ${megabytes(before)}, growth ${megabytes(growth)}\n`,
    );
    if (isWasmdns) assert.ok(growth < STREAMS_GROWTH_MAX, `RSS grew by ${megabytes(growth)}`);
    assert.equal(server.child.hasExited, false, server.child.output());
    const client = new TcpClient(server.port);
    assert.equal(await ask(client, WEB, 'A'), WEB_ANSWER, 'over TCP afterwards');
    client.close();
    assert.equal(await answeredSockets(server.port, 2000), SOCKETS, 'over UDP afterwards');
  }));

/**
 * The lowest RSS of some seconds: what the streams left behind, not what passes with the next collections. Looks longer
 * while it is not below `enough`.
 */
async function settledBytes(server: DnsServer, enough = Number.POSITIVE_INFINITY): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 24 || (lowest >= enough && n < 100); n++) {
    await sleep(250);
    lowest = Math.min(lowest, server.child.residentBytes());
  }
  return lowest;
}
