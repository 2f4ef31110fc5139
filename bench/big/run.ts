/** `npm run bench:cluster`: wasmdns and CoreDNS, one after the other, on big clusters. Prints Markdown. */
import { mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { describeMachine } from '../machine.ts';
import { coredns } from '../peers/coredns.ts';
import type { Peer, Room } from '../peers/peer.ts';
import { wasmdns } from '../peers/wasmdns.ts';
import { killAll, stopAll } from '../processes.ts';
import { note } from '../stage.ts';
import { median } from '../statistics.ts';
import { BigCluster, type Content } from './cluster.ts';
import {
  askHeadless,
  type ChangeFigures,
  measureEndpointChange,
  measureRelist,
  measureServiceChange,
  measureSync,
} from './measures.ts';
import { Report } from './report.ts';

const USAGE = `usage: npm run bench:cluster -- [--parts sync50k,sync150k,change,headless] [--peers coredns,wasmdns] [--runs N]`;

const SERVER_CORE = 0;
const LOAD_CORE = 1;
const MEGABYTE = 1e6;
const STEADY_MS = 10_000;

interface Plan {
  readonly peers: readonly Peer[];
  readonly runs: number;
  readonly room: Room;
  readonly report: Report;
}

const PARTS: Readonly<Record<string, (plan: Plan) => Promise<void>>> = {
  sync50k: (plan) => sync(plan, '10,000 services, 50,000 endpoints', 5),
  sync150k: (plan) => sync(plan, '10,000 services, 150,000 endpoints', 15),
  change: changes,
  headless,
};

/** Runs `work` with a filled cluster; its control plane is gone afterwards. */
async function withCluster(plan: Plan, content: Content, work: (cluster: BigCluster, room: Room) => Promise<void>) {
  const since = performance.now();
  const cluster = await BigCluster.start(content, LOAD_CORE);
  note(`filled with ${content.services} services in ${((performance.now() - since) / 1000).toFixed(0)} s`);
  try {
    await work(cluster, { ...plan.room, kubeconfig: cluster.kubeconfig });
  } finally {
    await cluster.stop();
  }
}

async function sync(plan: Plan, title: string, endpointsPerService: number): Promise<void> {
  const content = { services: 10_000, withEndpoints: 10_000, endpointsPerService };
  await withCluster(plan, content, async (cluster, room) => {
    for (const peer of plan.peers) {
      const [subject, figures] = await measureSync({ cluster, room }, peer, plan.runs);
      const say = (what: string, unit: string, value: number) => plan.report.add(title, what, unit, peer.name, value);
      say('process start to first right answer', 's', median(figures.seconds));
      say('CPU time until then', 's', median(figures.cpuSeconds));
      say('RSS after 10 s', 'MB', figures.steadyBytes / MEGABYTE);
      say('RSS after 4 s of load', 'MB', figures.loadedBytes / MEGABYTE);
      const relist = await measureRelist({ cluster, room }, subject, figures.listBytes);
      say('RSS before a full re-list', 'MB', relist.beforeBytes / MEGABYTE);
      say('peak RSS in it', 'MB', relist.peakBytes / MEGABYTE);
      say('peak / before', '', relist.peakBytes / relist.beforeBytes);
      say('RSS 3 s after it', 'MB', relist.afterBytes / MEGABYTE);
      say('CPU time of it', 's', relist.cpuSeconds);
      await subject.stop();
    }
  });
}

/** Endpoints for the first thousand only: both clusters answer the same but for the services that are more. */
async function changes(plan: Plan): Promise<void> {
  for (const services of [1000, 100_000]) {
    const content = { services, withEndpoints: 1000, endpointsPerService: 5 };
    await withCluster(plan, content, async (cluster, room) => {
      for (const peer of plan.peers) {
        const [subject, figures] = await measureSync({ cluster, room }, peer, 1);
        const title = `${services.toLocaleString('en')} services`;
        plan.report.add(title, 'process start to first right answer', 's', peer.name, median(figures.seconds));
        plan.report.add(title, 'RSS after 10 s', 'MB', peer.name, figures.steadyBytes / MEGABYTE);
        addChange(plan, title, 'one service', peer, await measureServiceChange({ cluster, room }, subject));
        await subject.stop();
      }
    });
  }
}

const HEADLESS = [4000, 10_000];

async function headless(plan: Plan): Promise<void> {
  for (const peer of plan.peers) {
    const content = { services: 1000, withEndpoints: 1000, endpointsPerService: 5 };
    await withCluster(plan, content, async (cluster, room) => {
      const [subject, figures] = await measureSync({ cluster, room }, peer, 1);
      let before = figures.steadyBytes;
      for (const endpoints of HEADLESS) {
        const title = `a headless service with ${endpoints.toLocaleString('en')} endpoints`;
        const owner = await cluster.addHeadless(endpoints);
        await sleep(STEADY_MS);
        const after = subject.residentBytes;
        plan.report.add(title, 'RSS more', 'MB', peer.name, (after - before) / MEGABYTE);
        for (const line of await askHeadless(subject, owner)) plan.report.remark(`${title}, ${peer.title}: ${line}`);
        subject.forgetPeak();
        addChange(
          plan,
          title,
          'one endpoint',
          peer,
          await measureEndpointChange({ cluster, room }, subject, endpoints),
        );
        plan.report.add(title, 'peak RSS during these changes', 'MB', peer.name, subject.peakBytes / MEGABYTE);
        before = subject.residentBytes;
      }
      await subject.stop();
    });
  }
}

function addChange({ report }: Plan, title: string, what: string, peer: Peer, figures: ChangeFigures): void {
  report.add(title, `CPU time of the change of ${what}`, 'ms', peer.name, figures.cpuMs);
  report.add(title, `until it is answered`, 'ms', peer.name, figures.latencyMs);
}

function readPlan(directory: string): Plan & { parts: readonly string[] } {
  const all = { parts: Object.keys(PARTS).join(), peers: 'coredns,wasmdns', runs: '3' };
  const { values } = parseArgs({
    options: {
      parts: { type: 'string', default: all.parts },
      peers: { type: 'string', default: all.peers },
      runs: { type: 'string', default: all.runs },
    },
  });
  const parts = values.parts.split(',');
  const peers = [coredns, wasmdns].filter(({ name }) => values.peers.split(',').includes(name));
  const runs = Number(values.runs);
  const isRight = parts.every((part) => part in PARTS) && peers.length > 0 && Number.isInteger(runs) && runs > 0;
  if (!isRight) throw new Error(USAGE);
  const room: Room = {
    directory,
    tools: process.env['WASMDNS_TOOLS'] ?? join(homedir(), '.cache', 'wasmdns-tools'),
    repository: join(import.meta.dirname, '..', '..'),
    ...{ serverCore: SERVER_CORE, loadCore: LOAD_CORE, services: 0, nodeFlags: [], upstreamPort: 9, kubeconfig: '' },
  };
  return { parts, peers, runs, room, report: new Report(peers.map(({ name }) => name)) };
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'wasmdns-bench-'));
  process.once('exit', killAll);
  try {
    const plan = readPlan(directory);
    for (const part of plan.parts) await PARTS[part]!(plan);
    process.stdout.write(plan.report.markdown(describeMachine()));
  } finally {
    await stopAll();
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

await main().catch((error: unknown) => {
  note(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
