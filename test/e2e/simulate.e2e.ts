// `wasmdns simulate` as an API server: the real CoreDNS and wasmdns both watch it, and give the same answers at rest,
// while it changes, when it comes back after an outage, and when all watches have to begin anew.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Api, listenApi } from '../../host/commands/api/api.ts';
import { record } from '../../host/commands/api/values.ts';
import { Churn } from '../../host/commands/simulate/churn.ts';
import { SimulatedCluster } from '../../host/commands/simulate/cluster.ts';
import { ownerOf, questions } from '../../host/commands/simulate/questions.ts';
import { Shape } from '../../host/commands/simulate/shape.ts';
import { forEach } from './support/api-client.ts';
import { answerText, ask } from './support/ask.ts';
import { Child, scratchDirectory, sleep, until } from './support/child.ts';
import { UdpClient } from './support/dns-client.ts';
import { startLoad } from './support/dnsperf.ts';
import type { TYPES } from './support/numbers.ts';
import { freePort } from './support/ports.ts';
import { Random } from './support/random.ts';
import { type DnsServer, seatUnderTest, startServer } from './support/server.ts';
import { repository } from './support/tools.ts';

const SERVICES = 2000;
const CHANGES_PER_SECOND = 50;
const HISTORY = 2000;
const QUESTIONS = 2000;
/** Questions in flight at both servers. */
const IN_FLIGHT = 16;
/** CoreDNS's watches back off by themselves, each up to half a minute. */
const SETTLED_MAX_MS = 45_000;
/** Ours are back within six seconds when an API server is; lists and the rest of a busy machine come on top. */
const OURS_MAX_MS = 12_000;

const TEMPLATE = `.:@PORT@ {
    errors
    ready 127.0.0.1:@READY@
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       endpoint @API@
       pods verified
       ttl 30
    }
}
`;

const random = new Random();
const seed = random.below(1_000_000);
const shape = new Shape({ services: SERVICES, endpoints: 5 * SERVICES, namespaces: 20, headlessPercent: 20, seed });
const cluster = new SimulatedCluster(shape, HISTORY, 1_000_000);
const churn = new Churn(cluster, seed);
const servers: DnsServer[] = [];
const clients: UdpClient[] = [];
let port = 0;
let api: Api;

async function listen(hasWatchList = true): Promise<void> {
  api = await listenApi(cluster, { address: '127.0.0.1', port, hasWatchList, bookmarkMs: 2000 });
}

async function startBoth(): Promise<void> {
  const options = { words: { API: api.url } };
  for (const seat of [seatUnderTest, 'coredns'] as const) servers.push(await startServer(seat, TEMPLATE, options));
  for (const server of servers) clients.push(new UdpClient(server.port));
}

async function stopBoth(): Promise<void> {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) await server.stop();
}

before(async () => {
  process.stdout.write(`seed ${random.seed}\n`);
  port = await freePort();
  await listen();
  await startBoth();
});

after(async () => {
  await stopBoth();
  await api.close();
});

interface Question {
  readonly name: string;
  readonly type: keyof typeof TYPES;
}

/** What pods ask, and the names of services of each kind whatever their state. */
function sample(): Question[] {
  const asked = [...questions(shape, QUESTIONS)].map((line) => {
    const [name, type] = line.split(' ') as [string, string];
    return { name: `${name}.`, type };
  });
  for (let n = 0; n < QUESTIONS / 4; n++) {
    const number = random.below(shape.count);
    const { incarnation } = cluster.stateOf(number);
    asked.push({ name: `${ownerOf(shape, number)}.`, type: random.pick(['A', 'SRV']) });
    asked.push({ name: `${shape.podName(number, 0, incarnation, 0)}.${ownerOf(shape, number)}.`, type: 'A' });
    const address = shape.podAddress(number, 0, incarnation).replaceAll('.', '-');
    asked.push({ name: `${address}.${shape.namespaceOf(number)}.pod.cluster.local.`, type: 'A' });
  }
  return asked;
}

/** When each server answered something else than before, last. */
type LastChanges = [ours: number, theirs: number];

/** Differences that are still there `patienceMs` after they were first seen. */
async function differences(
  asked: readonly Question[],
  patienceMs: number,
  changedAt: LastChanges = [0, 0],
): Promise<string[]> {
  const found: string[] = [];
  await forEach(asked, IN_FLIGHT, async ({ name, type }) => {
    const since = performance.now();
    let last: readonly string[] | undefined;
    for (;;) {
      const is = await Promise.all(clients.map((client) => ask(client, name, type, 5000)));
      const now = performance.now();
      for (const n of [0, 1] as const) if (last !== undefined && is[n] !== last[n]) changedAt[n] = now;
      last = is;
      const [ours, theirs] = is;
      if (ours === theirs) return;
      if (performance.now() - since > patienceMs) {
        found.push(`${name} ${type}: ${ours} / ${theirs}`);
        return;
      }
      await sleep(50);
    }
  });
  return found;
}

/** The cluster is at rest: each service is asked for, and must be what the cluster says. */
async function wrongNames(changedAt: LastChanges): Promise<string[]> {
  const wrong: string[] = [];
  const objects = new Map([...cluster.list('services', cluster.version, '')].map(({ key, object }) => [key, object]));
  const numbers = Array.from({ length: shape.count }, (_, number) => number);
  await forEach(numbers, IN_FLIGHT, async (number) => {
    const object = objects.get(`${shape.namespaceOf(number)}/${shape.nameOf(number)}`);
    const ip = record(object?.['spec'])['clusterIP'];
    if (object !== undefined && (typeof ip !== 'string' || ip === 'None')) return;
    const expected = object === undefined ? 'NXDOMAIN' : answerText('NOERROR', [String(ip)]);
    const is = await Promise.all(clients.map((client) => ask(client, `${ownerOf(shape, number)}.`, 'A', 5000)));
    for (const n of [0, 1] as const) if (is[n] !== expected) changedAt[n] = performance.now();
    if (is.some((each) => each !== expected))
      wrong.push(`${ownerOf(shape, number)}: ${expected}, got ${is.join(' / ')}`);
  });
  return wrong;
}

async function expectEqual(what: string): Promise<void> {
  let wrong: string[] = [];
  const since = performance.now();
  const changedAt: LastChanges = [since, since];
  do {
    wrong = await wrongNames(changedAt);
  } while (wrong.length > 0 && performance.now() - since < SETTLED_MAX_MS);
  assert.deepEqual(wrong.slice(0, 5), [], `${what}: ${wrong.length} names wrong`);
  const asked = sample();
  const found = await differences(asked, SETTLED_MAX_MS, changedAt);
  assert.deepEqual(found.slice(0, 5), [], `${what}: ${found.length} of ${asked.length} answers differ`);
  const [ours, theirs] = changedAt.map((at) => (at - since) / 1000) as LastChanges;
  process.stdout.write(
    `${what}: ${asked.length} answers equal, version ${cluster.version}; right after ${ours.toFixed(1)} s, ` +
      `CoreDNS after ${theirs.toFixed(1)} s\n`,
  );
  assert.ok(1000 * ours < OURS_MAX_MS, `${what}: right after ${ours.toFixed(1)} s only`);
}

test('both sync, and answer alike', () => expectEqual('at rest'));

test('answers stay alike while the cluster changes', async () => {
  const stop = churn.start(CHANGES_PER_SECOND);
  for (let round = 0; round < 3; round++) {
    const asked = sample();
    // Of names that change at the moment one server may know earlier than the other.
    const found = await differences(asked, 5000);
    assert.deepEqual(found.slice(0, 5), [], `${found.length} of ${asked.length} answers differ`);
  }
  stop();
  await expectEqual('after churn');
});

test('an outage with changes that a watch can go on from', async () => {
  await api.close();
  for (let n = 0; n < 200; n++) churn.step();
  await sleep(1500);
  await listen();
  await expectEqual('outage');
});

test('an outage with more changes than are remembered: 410, and all is listed anew', async () => {
  const sentinel = cluster.version;
  await api.close();
  while (cluster.oldestVersion <= sentinel) churn.step();
  await listen();
  await expectEqual('expired');
});

test('a server without WatchList: lists, pages, watches', async () => {
  await stopBoth();
  await api.close();
  await listen(false);
  await startBoth();
  const stop = churn.start(CHANGES_PER_SECOND);
  await sleep(2000);
  stop();
  await expectEqual('without WatchList');
});

test('100,000 services from the command line, and dnsperf', async (t) => {
  await stopBoth();
  const listenPort = await freePort();
  const file = join(scratchDirectory(), 'questions');
  const program = join(repository, 'dist/wasmdns.js');
  const flags = ['-services', '100000', '-changes', '50', '-queries', file, '-listen', `127.0.0.1:${listenPort}`];
  const since = performance.now();
  const simulator = new Child('simulate', process.execPath, [program, 'simulate', ...flags]);
  t.after(() => simulator.stop());
  await until('it says what to try', 60_000, () => simulator.output().includes('dnsperf'));
  const startedMs = performance.now() - since;
  const idleBytes = simulator.residentBytes();
  const server = await startServer(seatUnderTest, TEMPLATE.replace('pods verified', 'pods insecure'), {
    words: { API: `http://127.0.0.1:${listenPort}` },
    withinMs: 300_000,
  });
  t.after(() => server.stop());
  const syncedMs = performance.now() - since - startedMs;
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const { finished } = startLoad({ port: server.port, seconds: 5, queriesPerSecond: 2000, questions: lines });
  const load = await finished;
  const bytes = simulator.residentBytes();
  const megabytes = (size: number) => (size / 1e6).toFixed(0);
  process.stdout.write(
    `simulator: ${(startedMs / 1000).toFixed(1)} s, RSS ${megabytes(idleBytes)} MB, after one list ${megabytes(bytes)} MB; ` +
      `${server.seat} synced after ${(syncedMs / 1000).toFixed(1)} s; ${load.completed} of ${load.sent}: ${load.rcodes}\n`,
  );
  assert.ok(load.completed > 0.95 * load.sent, `${load.lost} lost`);
  assert.match(load.rcodes, /^NOERROR/);
  assert.doesNotMatch(load.rcodes, /SERVFAIL|REFUSED/);
  assert.ok(bytes < 300e6, `${megabytes(bytes)} MB`);
});
