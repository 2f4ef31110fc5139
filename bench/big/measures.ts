/** What is measured of one server on one big cluster. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../test/e2e/support/child.ts';
import { askedClusterIps, service } from '../inventory.ts';
import { load } from '../measure.ts';
import { serviceObject } from '../objects.ts';
import type { Peer, Room } from '../peers/peer.ts';
import { median } from '../statistics.ts';
import { type BigCluster, headlessSlice } from './cluster.ts';
import { Subject } from './subject.ts';

export interface Stand {
  readonly cluster: BigCluster;
  readonly room: Room;
}

const STEADY_MS = 10_000;
const LOAD_SECONDS = 4;

export interface SyncFigures {
  /** Of each start: from the start of the process to the first right answer, and the CPU time until then. */
  readonly seconds: readonly number[];
  readonly cpuSeconds: readonly number[];
  /** What it read until then. */
  readonly listBytes: number;
  readonly steadyBytes: number;
  readonly loadedBytes: number;
}

/** Starts the server `runs` times, and leaves the last one running. */
export async function measureSync(stand: Stand, peer: Peer, runs: number): Promise<[Subject, SyncFigures]> {
  const { cluster, room } = stand;
  const seconds: number[] = [];
  const cpuSeconds: number[] = [];
  for (let run = 1; ; run++) {
    const subject = await Subject.start(peer, room);
    seconds.push(await subject.firstAnswer(...lastName(cluster)));
    cpuSeconds.push(subject.cpuMs / 1000);
    if (run < runs) {
      await subject.stop();
      continue;
    }
    await sleep(STEADY_MS);
    const { residentBytes: steadyBytes, readBytes: listBytes } = subject;
    await loadFor(stand, subject);
    return [subject, { seconds, cpuSeconds, listBytes, steadyBytes, loadedBytes: subject.residentBytes }];
  }
}

/** The last object of a list, by its key, is the last that a client learns of: its answer needs all before it. */
function lastName({ content }: BigCluster): [name: string, records: number] {
  const last = service(content.services - 1);
  if (content.withEndpoints === content.services) return [last.owner, content.endpointsPerService];
  const plain = service(content.services - 2);
  return [plain.owner, 1];
}

async function loadFor({ cluster, room }: Stand, subject: Subject): Promise<void> {
  const file = join(room.directory, 'big.questions');
  const names = askedClusterIps(cluster.content.services).map(({ owner }) => `${owner} A NOERROR 1`);
  writeFileSync(file, `${names.join('\n')}\n`);
  const shape = { mode: 'closed', window: 64, sockets: 8, rate: 0, isEcho: false, isCoreShared: false } as const;
  const span = { warmSeconds: 0, seconds: LOAD_SECONDS };
  const outcome = await load({ ...shape, ...span, file, port: subject.port, serverPids: [subject.process.pid] }, room);
  if (outcome.wrong > 0) throw new Error(`${subject.name} answers wrong: ${outcome.firstWrong}`);
}

export interface RelistFigures {
  readonly beforeBytes: number;
  readonly peakBytes: number;
  readonly afterBytes: number;
  readonly cpuSeconds: number;
}

/** Of what the first list took: the watch's events of a few seconds are far less. */
const RELIST_SHARE = 0.7;

/** The API server is killed and comes back without history: everything is listed again. */
export async function measureRelist({ cluster }: Stand, subject: Subject, listBytes: number): Promise<RelistFigures> {
  const beforeBytes = subject.residentBytes;
  subject.forgetPeak();
  const { cpuMs, readBytes: read } = subject;
  await cluster.forgetWatches();
  const isListed = () => subject.readBytes - read > RELIST_SHARE * listBytes;
  await until(`${subject.name} lists everything again`, 120_000, isListed, 100);
  await sleep(3000);
  const cpuSeconds = (subject.cpuMs - cpuMs) / 1000;
  return { beforeBytes, peakBytes: subject.peakBytes, afterBytes: subject.residentBytes, cpuSeconds };
}

export interface ChangeFigures {
  /** CPU time of the server for one change. */
  readonly cpuMs: number;
  /** From the API server's word that it is done until the server answers with it. */
  readonly latencyMs: number;
}

const CHANGES = 200;
const LATENCIES = 60;
const PAUSE_MS = 10;

/** A service gets another port, again and again. */
export async function measureServiceChange({ cluster }: Stand, subject: Subject): Promise<ChangeFigures> {
  const one = service(0);
  const object = serviceObject(one);
  const { ports } = object['spec'] as { ports: { port: number }[] };
  const change = (port: number) =>
    cluster.plane.api.patch(object, { spec: { ports: [{ ...ports[0], port }, ...ports.slice(1)] } });
  const isShown = (port: number) =>
    subject.until(
      `_http._tcp.${one.owner}`,
      ({ rdata }) => [...rdata].some((text) => text.includes(` ${port} `)),
      'SRV',
    );
  return measureChange(subject, CHANGES, LATENCIES, change, isShown);
}

/** One endpoint of a headless service gets another address, again and again. */
export async function measureEndpointChange(
  { cluster }: Stand,
  subject: Subject,
  endpoints: number,
): Promise<ChangeFigures> {
  const label = (turn: number) => `10-${turn % 2 === 0 ? 250 : 251}-0-0`;
  const owner = `headless-${endpoints}.big.svc.cluster.local.`;
  const change = (turn: number) => {
    const slice = headlessSlice(endpoints, 0, turn % 2);
    return cluster.plane.api.patch(slice, { endpoints: slice['endpoints'] });
  };
  const isShown = (turn: number) => subject.until(`${label(turn)}.${owner}`, ({ records }) => records === 1);
  return measureChange(subject, 40, 20, change, isShown);
}

async function measureChange(
  subject: Subject,
  changes: number,
  latencies: number,
  change: (turn: number) => Promise<unknown>,
  isShown: (turn: number) => Promise<number>,
): Promise<ChangeFigures> {
  let turn = 1001;
  for (let i = 0; i < 20; i++) await change(turn++);
  await sleep(1000);
  const [busyMs, seconds] = await cpuOf(subject, async () => {
    for (let i = 0; i < changes; i++) {
      await change(turn++);
      await sleep(PAUSE_MS);
    }
    await sleep(500);
  });
  const [idleMs] = await cpuOf(subject, () => sleep(seconds * 1000));
  const times: number[] = [];
  for (let i = 0; i < latencies; i++) {
    await change(turn);
    times.push(await isShown(turn++));
  }
  return { cpuMs: (busyMs - idleMs) / changes, latencyMs: median(times) };
}

async function cpuOf(subject: Subject, work: () => Promise<void>): Promise<[cpuMs: number, seconds: number]> {
  const before = subject.cpuMs;
  const since = performance.now();
  await work();
  return [subject.cpuMs - before, (performance.now() - since) / 1000];
}

/** What is answered of a headless service with many endpoints, by transport and size of the EDNS buffer (0: no EDNS). */
export async function askHeadless(subject: Subject, owner: string): Promise<string[]> {
  const lines: string[] = [];
  for (const [transport, size] of TRANSPORTS) {
    const answer = await subject.ask(owner, 'A', size, transport);
    const end = answer?.isTruncated ? 'TC' : 'no TC';
    const isWhole = answer !== undefined && answer.rdata.size === answer.records;
    if (!isWhole) lines.push(`${transport} ${size}: no answer, or a record twice`);
    else lines.push(`${transport} ${size}: ${answer.records} records, ${answer.octets} octets, ${end}`);
  }
  return lines;
}

const TRANSPORTS = [
  ['udp', 0],
  ['udp', 1232],
  ['udp', 4096],
  ['tcp', 0],
] as const;
