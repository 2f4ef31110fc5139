// A watch that never lies: every fault between server and API server, in random order, under a stream of real changes.
// Five seconds after a fault every name is answered as the API server has it; all the time a name that exists is answered;
// in the end the server takes no more memory than before.
//
//   WASMDNS_E2E_FAULTS=N     how often each fault comes (1; `npm run test:soak`: 20)
//   WASMDNS_E2E_ONLY=TEXT    faults whose names hold the text

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { scratchDirectory, sleep } from './support/child.ts';
import { ControlPlane, DNS_TOKEN } from './support/control-plane.ts';
import { UdpClient } from './support/dns-client.ts';
import { Random } from './support/random.ts';
import { type DnsServer, httpGet, seatUnderTest, startServer } from './support/server.ts';
import { FAULTS, type Fault, type Stage } from './truth/faults.ts';
import { type Identity, WatchProxy } from './truth/watch-proxy.ts';
import { World } from './truth/world.ts';

const REPETITIONS = Number(process.env['WASMDNS_E2E_FAULTS'] ?? 1);
const ONLY = process.env['WASMDNS_E2E_ONLY'] ?? '';
const RECOVERY_MAX_MS = 5000;
/** Looked at for longer, to tell what is late from what is lost. */
const PATIENCE_MS = 60_000;
/** Changes go on so long after a fault, so that there is something to be late with. */
const AFTERWARDS_MS = 300;
const WARM_FAULTS = 8;
const GROWTH_MAX = 25e6;

const COREFILE = `cluster.local:@PORT@ {
    errors
    ready 127.0.0.1:@READY@
    prometheus 127.0.0.1:@METRICS@
    kubernetes {
        kubeconfig @KUBECONFIG@
        pods verified
    }
}
`;

/** The promises are those of wasmdns: CoreDNS keeps what it has missed, and waits up to half a minute after an outage. */
const skip = seatUnderTest === 'coredns' ? 'CoreDNS does not promise it' : false;

const random = new Random();
let plane: ControlPlane;
let proxy: WatchProxy;
let server: DnsServer;
let client: UdpClient;
let stage: Stage;
let steadyBytes = Number.POSITIVE_INFINITY;
const recoveries = new Map<string, number[]>();

before(async () => {
  process.stdout.write(`seed ${random.seed}\n`);
  plane = await ControlPlane.start();
  const directory = mkdtempSync(join(scratchDirectory(), 'truth-'));
  const file = (name: string) => join(directory, name);
  const first = authority(directory);
  writeFileSync(file('ca.crt'), first.certificate);
  writeFileSync(file('token'), 'first');
  proxy = await WatchProxy.start({ port: plane.port, token: DNS_TOKEN }, 'first', first.identity);
  writeFileSync(file('kubeconfig'), kubeconfig(proxy.port, file('ca.crt'), file('token')));
  const options = {
    kubeconfig: file('kubeconfig'),
    env: { WASMDNS_WATCH_CHECK_SECONDS: '1' },
  };
  server = await startServer(seatUnderTest, COREFILE, options);
  client = new UdpClient(server.port);
  const world = new World(plane.api, client, random);
  await world.fill();
  stage = {
    ...{ proxy, plane, world, random },
    writeToken: (token) => writeFileSync(file('token'), token),
    renewAuthority: () => {
      const next = authority(directory);
      return { identity: next.identity, trust: () => writeFileSync(file('ca.crt'), next.certificate) };
    },
  };
});

after(async () => {
  // What comes first is missing when something before it could not start
  for (const each of [client, server, proxy, plane] as ({ stop?(): Promise<void>; close?(): unknown } | undefined)[]) {
    await (each?.stop ?? each?.close)?.call(each);
  }
});

/** A new authority, and an identity of the proxy that it has signed. */
function authority(directory: string): { certificate: string; identity: Identity } {
  const at = mkdtempSync(join(directory, 'authority-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore', cwd: at });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', `/CN=authority ${at.slice(-6)}`);
  const names = ['-subj', '/CN=api', '-addext', 'subjectAltName=IP:127.0.0.1'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'api.key',
    '-out',
    'api.crt',
    ...names,
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
  );
  const read = (name: string) => readFileSync(join(at, name), 'utf8');
  return { certificate: read('ca.crt'), identity: { key: read('api.key'), cert: read('api.crt') } };
}

function kubeconfig(port: number, authorityFile: string, tokenFile: string): string {
  return [
    'apiVersion: v1',
    'kind: Config',
    `clusters: [{name: c, cluster: {server: "https://127.0.0.1:${port}", certificate-authority: ${authorityFile}}}]`,
    `users: [{name: u, user: {tokenFile: ${tokenFile}}}]`,
    'contexts: [{name: x, context: {cluster: c, user: u}}]',
    'current-context: x',
    '',
  ].join('\n');
}

/** Waits until every name is answered as the API server has it; returns how long that took. */
async function expectTruth(what: string, maxMs: number): Promise<number> {
  const { world } = stage;
  const since = performance.now();
  const truth = await world.truth();
  for (;;) {
    const askedAt = performance.now();
    const wrong = await world.wrongNames(truth);
    const tookMs = askedAt - since;
    if (wrong.length === 0) {
      world.settle(truth);
      assert.ok(tookMs <= maxMs, `${what}: right after ${(tookMs / 1000).toFixed(1)} s only`);
      return tookMs;
    }
    const some = wrong.slice(0, 5).join('\n');
    assert.ok(tookMs < PATIENCE_MS, `${what}: ${wrong.length} names stay wrong:\n${some}\n${logged()}`);
    await sleep(50);
  }
}

function logged(): string {
  return server.child.output().slice(-3000);
}

async function survive(fault: Fault): Promise<void> {
  const { world } = stage;
  proxy.rules.isJson = random.chance(0.4);
  if (random.chance(0.5)) proxy.endWatches();
  let isOver = false;
  const asking = world.watchUntil(() => isOver);
  const changing = world.changeUntil(() => isOver);
  try {
    await Promise.race([fault.run(stage), changing]);
    await sleep(AFTERWARDS_MS);
  } finally {
    isOver = true;
  }
  const [wrong] = await Promise.all([asking, changing]);
  let isRight = false;
  const recovering = world.watchUntil(() => isRight);
  try {
    const tookMs = await expectTruth(fault.name, RECOVERY_MAX_MS - AFTERWARDS_MS);
    recoveries.set(fault.name, [...(recoveries.get(fault.name) ?? []), tookMs + AFTERWARDS_MS]);
  } finally {
    isRight = true;
  }
  wrong.push(...(await recovering));
  assert.deepEqual(wrong, [], `${fault.name}: names that exist were answered wrongly\n${logged()}`);
  assert.equal(server.child.hasExited, false, logged());
}

/** All faults, each as often as it is to come, in random order. */
function order(): Fault[] {
  const faults = Array.from({ length: REPETITIONS }, () => FAULTS.filter(({ name }) => name.includes(ONLY))).flat();
  return faults
    .map((fault) => ({ fault, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ fault }) => fault);
}

/** The lowest RSS of some seconds: what stays, not what passes with the next collections. */
async function settledBytes(): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY;
  for (let n = 0; n < 16; n++) {
    await sleep(250);
    lowest = Math.min(lowest, server.child.residentBytes());
  }
  return lowest;
}

async function metric(series: string): Promise<number> {
  const { body } = await httpGet(server.ports.metrics, '/metrics');
  const lines = body.split('\n').filter((line) => line.startsWith(series));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

test('all names are right at first', async () => {
  await expectTruth('start', PATIENCE_MS);
});

test(`every fault, ${REPETITIONS} of each`, { skip, timeout: 7_200_000 }, async (t) => {
  for (const [n, fault] of order().entries()) {
    await t.test(fault.name, () => survive(fault));
    // Compiled code and buffers of a server that has seen some of it are there to stay
    if (n === WARM_FAULTS) steadyBytes = await settledBytes();
  }
  for (const [name, times] of recoveries) {
    const seconds = times.map((ms) => ms / 1000);
    const mean = seconds.reduce((sum, each) => sum + each, 0) / seconds.length;
    const most = Math.max(...seconds);
    process.stdout.write(
      `${name}: ${times.length} times, right after ${mean.toFixed(1)} s, at most ${most.toFixed(1)} s\n`,
    );
  }
  process.stdout.write(`${stage.world.changes} changes\n`);
});

test('memory is back where it was', { skip }, async () => {
  const bytes = await settledBytes();
  const megabytes = (count: number) => `${(count / 1e6).toFixed(0)} MB`;
  process.stdout.write(`RSS ${megabytes(steadyBytes)}, then ${megabytes(bytes)}\n`);
  assert.ok(bytes - steadyBytes < GROWTH_MAX, `${megabytes(steadyBytes)} have become ${megabytes(bytes)}`);
});

test('lost events were found, counted and told', { skip }, async () => {
  const missed = await metric('wasmdns_kubernetes_watch_missed_total');
  const same = await metric('wasmdns_kubernetes_watch_checks_total{resource="services",result="same"}');
  process.stdout.write(`${missed} objects missed, ${same} comparisons of services without a difference\n`);
  assert.ok(same > 0);
  if (!recoveries.has('events lost')) return;
  assert.ok(missed > 0);
  assert.match(server.child.output(), /\[WARNING\] plugin\/kubernetes: The watch of \*v1\.\w+ is not the whole truth/);
  assert.ok((await metric('wasmdns_kubernetes_watch_age_seconds{resource="services"}')) < 90);
  assert.ok((await metric('wasmdns_kubernetes_programming_duration_seconds_count')) > 0);
});
