// 20,000 generated questions to wasmdns and to the real CoreDNS, with one Corefile, one API server and one upstream:
// no difference in meaning.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ALLOWED } from './differential/allowed.ts';
import { type Cluster, describeCluster } from './differential/cluster.ts';
import { Generator } from './differential/generator.ts';
import { formatOutcome, Lane, type Outcome } from './differential/pair.ts';
import { composeProbe, formatProbe, type Probe } from './differential/probe.ts';
import { shrink } from './differential/shrink.ts';
import type { KubernetesObject } from './support/api-client.ts';
import { ControlPlane } from './support/control-plane.ts';
import { clusterAddress } from './support/objects.ts';
import { Random } from './support/random.ts';
import { corefileTemplate, type DnsServer, seatUnderTest, startServer } from './support/server.ts';
import { Upstream } from './support/upstream.ts';

const QUESTIONS = Number(process.env['WASMDNS_E2E_QUESTIONS'] ?? 20_000);
const LANES = 48;
/** So many differences are shown in full; the rest is counted. */
const SHOWN_MAX = 12;

const random = new Random();
let plane: ControlPlane;
let upstream: Upstream;
let cluster: Cluster;
let servers: readonly [DnsServer, DnsServer];

before(async () => {
  plane = await ControlPlane.start();
  upstream = await Upstream.start();
  const described = describeCluster(random);
  await plane.api.createAll(described.objects);
  const list = (await plane.api.get('/api/v1/services')) as unknown as { items: KubernetesObject[] };
  const addresses = list.items.map(clusterAddress).filter((address) => address !== '');
  cluster = { ...described, addresses: [...described.addresses, ...addresses] };
  const options = { kubeconfig: plane.writeKubeconfig(), upstreamPort: upstream.port, shards: 2 };
  servers = [
    await startServer(seatUnderTest, corefileTemplate('kubeadm'), options),
    await startServer('coredns', corefileTemplate('kubeadm'), options),
  ];
});

after(async () => {
  for (const server of servers) await server.stop();
  await upstream.stop();
  await plane.stop();
});

interface Finding {
  readonly probe: Probe;
  readonly outcome: Outcome;
}

test(`${QUESTIONS} questions are answered as CoreDNS answers them`, async () => {
  const generator = new Generator(cluster, random);
  const findings: Finding[] = [];
  const allowed = new Map<string, number>();
  const notes = new Map<string, number>();
  const lanes = Array.from({ length: LANES }, (_, at) => new Lane(servers, at * 1000));
  let asked = 0;
  const since = performance.now();
  const work = async (lane: Lane) => {
    while (asked < QUESTIONS) {
      const probe = generator.next();
      asked += probe.times;
      const outcome = await lane.run(probe);
      if (upstream.seen.length > 10_000) upstream.seen.length = 0;
      for (const note of outcome.comparison.notes) notes.set(note, (notes.get(note) ?? 0) + 1);
      if (outcome.comparison.differences.length === 0) continue;
      const reason = ALLOWED.find((each) => each.explains(probe, outcome))?.reason;
      if (reason === undefined) findings.push({ probe, outcome });
      else allowed.set(reason, (allowed.get(reason) ?? 0) + 1);
    }
  };
  await Promise.all(lanes.map(work));
  const strays = lanes.flatMap((lane) => lane.strays());
  const seconds = ((performance.now() - since) / 1000).toFixed(1);
  process.stdout.write(`${asked} questions in ${seconds} s, ${findings.length} differences, seed ${random.seed}\n`);
  process.stdout.write(
    `for information: ${[...notes].map(([note, count]) => `${note} ${count}`).join(', ') || 'nothing'}\n`,
  );
  for (const [reason, count] of allowed) process.stdout.write(`allowed ${count} times: ${reason}\n`);
  const shown = await describeFindings(findings, lanes[0]!);
  for (const lane of lanes) lane.close();
  assert.equal(findings.length, 0, shown);
  assert.equal(strays.length, 0, `${strays.length} replies came late or twice`);
});

/** The smallest probe of each kind of difference, both answers in full. */
async function describeFindings(findings: readonly Finding[], lane: Lane): Promise<string> {
  const kinds = new Map<string, Finding[]>();
  for (const finding of findings) {
    const kind = kindOf(finding);
    kinds.set(kind, [...(kinds.get(kind) ?? []), finding]);
  }
  const texts = [`seed ${random.seed}; ${findings.length} differences of ${kinds.size} kinds`];
  for (const [kind, [first, ...others]] of [...kinds].slice(0, SHOWN_MAX)) {
    const differs = async (probe: Probe) => {
      const outcome = await lane.run(probe);
      return outcome.comparison.differences.length > 0 && kindOf({ probe, outcome }) === kind;
    };
    const isStable = await differs(first!.probe);
    const smallest = isStable ? await shrink(first!.probe, differs) : first!.probe;
    const outcome = isStable ? await lane.run(smallest) : first!.outcome;
    texts.push(
      `--- ${kind} (${others.length + 1} times)${isStable ? '' : ' NOT REPEATABLE'}`,
      `found with ${formatProbe(first!.probe)}`,
      `smallest   ${formatProbe(smallest)}`,
      `as octets  ${Buffer.from(composeProbe(smallest, 'token', 0x1234)).toString('hex')}`,
      formatOutcome(outcome.comparison.differences.length > 0 ? outcome : first!.outcome, servers),
    );
  }
  return texts.join('\n');
}

/** The difference without what is different from probe to probe: names, numbers, octets. */
function kindOf({ probe, outcome }: Finding): string {
  const difference = outcome.comparison.differences[0]!;
  const behaviour = /^([a-z0-9]+)-%/i.exec(probe.name)?.[1]?.toLowerCase() ?? 'cluster';
  const origin = `${behaviour}${probe.edits.length > 0 ? ' edited' : ''}`;
  const record = /^(\w+: (?:only on the \w+|TTL)).*? ([A-Z]+[0-9]*) /.exec(difference);
  if (record !== null) return `${record[1]} ${record[2]} ${origin}`;
  if (!difference.startsWith('opt: ')) return `${difference.replace(/[0-9]+/g, 'N').slice(0, 60)} ${origin}`;
  const [left = [], right = []] = difference
    .slice('opt: '.length)
    .split(' / ')
    .map((text) => text.split(' '));
  const word = left.find((each, at) => each !== right[at]) ?? right[left.length] ?? '';
  return `opt ${word.replace(/=.*/, '')}`;
}
