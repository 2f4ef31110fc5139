// At and beyond capacity: more queries than the server can answer, garbage, thousands of TCP connections, an upstream that
// does not keep up. Those who ask little must not suffer, and memory must be bounded and come back.
//
// Figures are printed. The bounds hold on a machine that does other things as well: what is answered counts by the server's
// CPU time, and how long somebody waited, less what the machine kept server and client waiting for a core.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertServed,
  Bystander,
  cpuSeconds,
  droppedDatagrams,
  megabytes,
  probedText,
  settledBytes,
  watchPeak,
  watchWaits,
} from './capacity/measures.ts';
import type { LaneOutcome } from './capacity/order.ts';
import { isOverload, overload, type Round, roundText } from './capacity/overload.ts';
import { bench, questionFile, send, startSlowUpstream } from './capacity/processes.ts';
import {
  assertAllAnswered,
  assertAllRight,
  CLUSTER,
  descriptorCount,
  growthMax,
  isWasmdns,
  print,
  useStage,
  WEB,
  WEB_ANSWER,
  withServer,
} from './capacity/stage.ts';
import { Crowd, pipeline } from './capacity/streams.ts';
import { percentile } from './support/ask.ts';
import { sleep, until } from './support/child.ts';
import { freePort } from './support/ports.ts';
import { corefileTemplate, type DnsServer } from './support/server.ts';

useStage();

/** Overloads that the median is taken of. */
const ROUNDS = 3;
const QUERIES = 100_000;
const CONNECTIONS = 10_000;
/** Limit of open files in one test. */
const FILES = 256;
/** Clients that never read, and what each has to say: some megabytes of replies, which no socket buffer takes. */
const DEAF = 60;
const SLOW_READERS = 20;
/** Clients that send most of a large query, and no more: many times what they may keep together. */
const HALVES = 3000;
const PIPELINED = 60_000;

test('twice as many queries as the server can answer', () =>
  withServer(
    async (server) => {
      const bystander = new Bystander(server, WEB, WEB_ANSWER);
      const rounds: Round[] = [];
      let before = 0;
      // A round in which the machine gave the sender too little is no overload
      while (rounds.filter(isOverload).length < ROUNDS && rounds.length < 3 * ROUNDS) {
        rounds.push(await overload(server));
        before ||= await settledBytes(server, 500);
      }
      const probed = await bystander.stop();
      const growth = (await settledBytes(server, 2000, before + 4e6)) - before;
      for (const round of rounds) print(`overload: ${roundText(round)}`);
      print(`overload: memory ${megabytes(before)} grew by ${megabytes(growth)}; ${probedText(probed)}`);
      const worths = rounds.filter(isOverload).map(({ worth }) => worth);
      assert.equal(worths.length, ROUNDS, 'the server was not overloaded');
      assert.ok(percentile(worths, 0.5) >= 0.9, `right answers a CPU second fell to ${percentile(worths, 0.5)}`);
      assert.ok(growth < growthMax(16e6), `memory grew by ${megabytes(growth)}`);
      assertServed(probed);
    },
    // As many clients that ask one thing each: no two replies go to the same, so none leave together
    { env: { ...(process.env as Record<string, string>), WASMDNS_UDP_SEGMENT: '0' } },
  ));

test('half of the datagrams are garbage', () =>
  withServer(async (server) => {
    const { port } = server;
    const rate = isWasmdns ? 5000 : 2000;
    const lanes = [
      {
        name: 'good',
        port,
        sockets: 4,
        rate: 3 * rate,
        file: questionFile([...CLUSTER, 'www-garbage.example.org A NOERROR 1']),
      },
      { name: 'random', port, sockets: 2, rate, garbage: 'random' as const },
      { name: 'cut', port, sockets: 2, rate, garbage: 'cut' as const },
      { name: 'replies', port, sockets: 2, rate, garbage: 'replies' as const },
    ];
    // Once before: code is compiled once
    await send({ lanes, seconds: 1, lingerSeconds: 1 });
    const before = await settledBytes(server, 500);
    const bystander = new Bystander(server, WEB, WEB_ANSWER);
    const droppedBefore = droppedDatagrams(server);
    const { lanes: outcomes } = await send({ lanes, seconds: 4, lingerSeconds: 2 });
    const probed = await bystander.stop();
    const growth = (await settledBytes(server, 2000, before + 4e6)) - before;
    const counts = outcomes.map(
      ({ name, sent, answered, rcodes }) => `${name} ${answered}/${sent} ${JSON.stringify(rcodes)}`,
    );
    print(
      `garbage: ${counts.join(', ')}; memory ${megabytes(before)} grew by ${megabytes(growth)}; ${probedText(probed)}`,
    );
    const [good, random, cut, replies] = outcomes as [LaneOutcome, LaneOutcome, LaneOutcome, LaneOutcome];
    const dropped = droppedDatagrams(server) - droppedBefore;
    assertAllRight(good, dropped);
    assert.equal(replies.answered, 0, 'replies are not answered');
    assertAllAnswered(cut, dropped);
    assert.deepEqual(Object.keys(cut.rcodes), ['1'], 'a query that is cut gets FORMERR');
    assert.ok(random.answered < random.sent, 'garbage with QR=1 is not answered');
    assert.equal(random.stray + cut.stray + replies.stray, 0, 'one reply each');
    assert.ok(growth < growthMax(16e6), `memory grew by ${megabytes(growth)}`);
    assertServed(probed);
  }));

test('10,000 idle TCP connections', () =>
  withServer(async (server) => {
    const { port } = server;
    const file = questionFile(CLUSTER);
    const crowd = new Crowd();
    const before = await settledBytes(server, 500);
    const peakOf = watchPeak(server);
    const bystander = new Bystander(server, WEB, WEB_ANSWER);
    const since = performance.now();
    await crowd.open(port, CONNECTIONS, pipeline(WEB, 1));
    const openedMs = performance.now() - since;
    const descriptors = descriptorCount(server);
    await sleep(300);
    const openCount = crowd.openCount;
    const {
      lanes: [lane],
    } = await send({ lanes: [{ name: 'udp', port, sockets: 4, rate: 5000, file }], seconds: 2, lingerSeconds: 1 });
    // CoreDNS core, A4: a connection that is silent for 10 s is closed
    await until('the idle connections are closed', 30_000, () => crowd.openCount === 0, 100);
    const probed = await bystander.stop();
    const peak = peakOf() - before;
    const growth = (await settledBytes(server, 3000, before + 20e6)) - before;
    print(
      `idle connections: ${CONNECTIONS} opened in ${(openedMs / 1000).toFixed(1)} s, ${openCount} stay open, ` +
        `${descriptors} descriptors, memory ${megabytes(before)} peak +${megabytes(peak)}, afterwards +${megabytes(growth)}, ` +
        `UDP p99 ${lane!.p99Ms.toFixed(1)} ms; ${probedText(probed)}`,
    );
    assertAllRight(lane!, droppedDatagrams(server));
    assertServed(probed);
    if (!isWasmdns) return;
    assert.ok(descriptors > 8192 && descriptors < 8292, `${descriptors} descriptors for 8192 connections of one shard`);
    assert.ok(peak < 120e6, `memory grew by ${megabytes(peak)}`);
    assert.ok(growth < 60e6, `memory stays ${megabytes(growth)} higher`);
  }));

test('more TCP connections than open files', () =>
  withServer(
    async (server) => {
      const { port } = server;
      // One without, so that what is opened once is open
      const names = questionFile(['##########.example.org A NXDOMAIN 0', `${WEB} A NOERROR 1`]);
      await send({
        lanes: [{ name: 'udp', port, sockets: 2, rate: 200, file: names }],
        seconds: 0.2,
        lingerSeconds: 1,
      });
      const crowd = new Crowd();
      await crowd.open(port, 4 * FILES, pipeline(WEB, 1));
      const bystander = new Bystander(server, WEB, WEB_ANSWER);
      const since = cpuSeconds(server);
      await sleep(1500);
      const cpu = (cpuSeconds(server) - since) / 1.5;
      const openCount = crowd.openCount;
      const {
        lanes: [lane],
      } = await send({
        lanes: [{ name: 'udp', port, sockets: 2, rate: 500, file: names }],
        seconds: 1,
        lingerSeconds: 2,
      });
      const probed = await bystander.stop();
      crowd.end();
      print(
        `limit of ${FILES} open files: ${openCount} of ${4 * FILES} connections stay open, CPU ${(cpu * 100).toFixed(0)} %; ` +
          `UDP ${lane!.right}/${lane!.sent} right; ${probedText(probed)}`,
      );
      if (!isWasmdns) return;
      assertAllRight(lane!, droppedDatagrams(server));
      assertServed(probed);
      assert.ok(openCount >= FILES / 4 && openCount < FILES, `${openCount} connections stay open`);
      assert.ok(cpu < 0.5, `busy with nothing: ${(cpu * 100).toFixed(0)} % of a core`);
      assert.match(
        server.child.output(),
        /\[WARNING\] at most [0-9]+ TCP connections a shard: the limit of open files is 256/,
      );
    },
    { under: ['prlimit', `--nofile=${FILES}`] },
  ));

const SLOW = corefileTemplate('kubeadm')
  .replace(/ {4}(loop|reload)\n/g, '')
  .replace(
    / {4}forward[^}]*}\n/,
    `    forward limited.test 127.0.0.1:@SLOW@ {
        max_concurrent 1000
    }
    forward slow.test 127.0.0.1:@SLOW@
    forward mute.test 127.0.0.1:@MUTE@
`,
  );

const isEmpty = (rcodes: object): boolean => Object.keys(rcodes).length === 0;

for (const [zone, what, isRight] of [
  [
    'limited',
    'answers after a second, max_concurrent 1000',
    ({ 0: right = 0, 5: refused = 0, ...others }) => right > 2000 && refused > 2000 && isEmpty(others),
  ],
  [
    'slow',
    'answers after a second',
    ({ 0: right = 0, 2: failed = 0, ...others }) => right > 10 * failed && isEmpty(others),
  ],
  ['mute', 'never answers', ({ 2: failed = 0, ...others }) => failed > 0 && isEmpty(others)],
] as readonly [string, string, (rcodes: Readonly<Record<number, number>>) => boolean][]) {
  test(`100,000 queries for an upstream that ${what}`, async () => {
    const words = { SLOW: await freePort(), MUTE: await freePort() };
    const upstreams = [await startSlowUpstream(words.SLOW, 1000), await startSlowUpstream(words.MUTE, -1)];
    try {
      await withServer((server) => offerToSlow(server, zone, isRight), { template: SLOW, words });
    } finally {
      for (const child of upstreams) child.kill('SIGKILL');
    }
  });
}

async function offerToSlow(
  server: DnsServer,
  zone: string,
  isRight: (rcodes: Readonly<Record<number, number>>) => boolean,
): Promise<void> {
  const { port } = server;
  const slow = {
    name: zone,
    port,
    sockets: 8,
    rate: QUERIES / 6,
    file: questionFile([`##########.${zone}.test A NOERROR 1`]),
  };
  const cluster = { name: 'cluster', port, sockets: 2, rate: 1000, file: questionFile(CLUSTER) };
  await send({ lanes: [{ ...slow, rate: 1000 }, cluster], seconds: 0.5, lingerSeconds: 8 });
  const before = await settledBytes(server, 500);
  const peakOf = watchPeak(server);
  const droppedBefore = droppedDatagrams(server);
  const bystander = new Bystander(server, WEB, WEB_ANSWER);
  const waited = watchWaits(server);
  const { lanes, seconds, waitedMs } = await send({
    lanes: [slow, cluster],
    seconds: QUERIES / slow.rate,
    lingerSeconds: 12,
  });
  const serverWaitedMs = waited();
  const probed = await bystander.stop();
  const dropped = droppedDatagrams(server) - droppedBefore;
  const [offered, beside] = lanes as [LaneOutcome, LaneOutcome];
  const peak = peakOf() - before;
  const growth = (await settledBytes(server, 8000, before + 20e6)) - before;
  print(
    `upstream ${zone}: ${offered.sent} queries in ${seconds.toFixed(1)} s, ${offered.answered} answered ${JSON.stringify(offered.rcodes)}, ` +
      `the slowest after ${offered.slowestMs.toFixed(0)} ms; cluster names p50 ${beside.p50Ms.toFixed(2)} p99 ${beside.p99Ms.toFixed(1)} ms; ` +
      `memory ${megabytes(before)} peak +${megabytes(peak)}, afterwards +${megabytes(growth)}; ${probedText(probed)}`,
  );
  if (!isWasmdns) return;
  // What server and sender waited for their cores is the machine's doing
  assert.ok(offered.sent > 0.9 * QUERIES || waitedMs > 500, `only ${offered.sent} queries`);
  assert.ok(dropped === 0 || serverWaitedMs > 100, `the server had its core, and was too slow for ${dropped} queries`);
  assertAllAnswered(offered, dropped);
  assert.ok(isRight(offered.rcodes), JSON.stringify(offered.rcodes));
  assertAllRight(beside, dropped);
  assert.ok(beside.p99Ms < 250 + serverWaitedMs + waitedMs, `cluster names wait for ${beside.p99Ms.toFixed(0)} ms`);
  assertServed(probed);
  assert.ok(peak < 150e6, `memory grew by ${megabytes(peak)}`);
  assert.ok(growth < 40e6, `memory stays ${megabytes(growth)} higher`);
}

test('new TCP connections in a burst, half-open ones, slow readers and clients that never read', () =>
  withServer(async (server) => {
    const { port } = server;
    const file = questionFile(CLUSTER);
    // Once before: code is compiled once
    await bench({ mode: 'reconnect', port, file, sockets: 64, seconds: 1, serverPids: [] });
    const before = await settledBytes(server, 500);
    const peakOf = watchPeak(server);
    const bystander = new Bystander(server, WEB, WEB_ANSWER);
    const [halfOpen, deaf, slow] = [new Crowd(), new Crowd(), new Crowd()];
    await slow.open(port, SLOW_READERS, pipeline('db.demo.svc.cluster.local', PIPELINED), false);
    const reading = setInterval(() => slow.read(4096), 50);
    await halfOpen.open(port, 2000, Uint8Array.of(0));
    await deaf.open(port, DEAF, pipeline('db.demo.svc.cluster.local', PIPELINED), false);
    const [burst, { lanes }] = await Promise.all([
      bench({ mode: 'reconnect', port, file, sockets: 64, seconds: 3, serverPids: [] }),
      send({ lanes: [{ name: 'udp', port, sockets: 4, rate: 2000, file }], seconds: 3, lingerSeconds: 1 }),
    ]);
    assert.equal(slow.closed, 0, 'slow readers are cut off');
    clearInterval(reading);
    await until('half-open, deaf and slow clients are cut off', 60_000, () => descriptorCount(server) < 100, 100);
    const probed = await bystander.stop();
    const peak = peakOf() - before;
    for (const crowd of [halfOpen, deaf, slow]) crowd.end();
    const growth = (await settledBytes(server, 3000, before + 20e6)) - before;
    print(
      `bursts: ${burst.qps.toFixed(0)} connections/s each with one query, ${burst.lost} lost; beside 2000 half-open, ${DEAF} deaf and ${SLOW_READERS} slow ones ` +
        `UDP p99 ${lanes[0]!.p99Ms.toFixed(1)} ms; memory ${megabytes(before)} peak +${megabytes(peak)}, afterwards ` +
        `+${megabytes(growth)}; ${probedText(probed)}`,
    );
    assert.equal(burst.wrong, 0, burst.firstWrong);
    assert.ok(burst.right > 0);
    assertAllRight(lanes[0]!, droppedDatagrams(server));
    assertServed(probed);
    if (!isWasmdns) return;
    assert.ok(peak < 120e6, `memory grew by ${megabytes(peak)}`);
    assert.ok(growth < 60e6, `memory stays ${megabytes(growth)} higher`);
  }));

test('clients that keep the server waiting with large halves of queries, and others that never read', () =>
  withServer(async (server) => {
    const { port } = server;
    const before = await settledBytes(server, 500);
    const peakOf = watchPeak(server);
    const bystander = new Bystander(server, WEB, WEB_ANSWER);
    const [halves, deaf] = [new Crowd(), new Crowd()];
    const half = Buffer.alloc(60_000);
    half.writeUInt16BE(65535);
    await Promise.all([
      halves.open(port, HALVES, half),
      deaf.open(port, 2 * DEAF, pipeline('db.demo.svc.cluster.local', PIPELINED), false),
    ]);
    await sleep(1000);
    const peak = peakOf() - before;
    const closed = halves.closed;
    await until('all of them are cut off', 60_000, () => descriptorCount(server) < 100, 100);
    const probed = await bystander.stop();
    for (const crowd of [halves, deaf]) crowd.end();
    const growth = (await settledBytes(server, 3000, before + 20e6)) - before;
    print(
      `halves: ${HALVES} clients with ${megabytes(HALVES * half.length)} of half queries, ${2 * DEAF} that never read; ${closed} halves ` +
        `closed after a second; memory ${megabytes(before)} peak +${megabytes(peak)}, afterwards +${megabytes(growth)}; ${probedText(probed)}`,
    );
    assertServed(probed);
    if (!isWasmdns) return;
    assert.ok(closed > HALVES / 3, `only ${closed} of them are closed`);
    // 32 MiB for what they have sent, and what the connections themselves take
    assert.ok(peak < 90e6, `memory grew by ${megabytes(peak)}`);
    assert.ok(growth < 60e6, `memory stays ${megabytes(growth)} higher`);
  }));
