// What all tests of the suite share: control plane and upstream, the server under test, what is asked, what holds always.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before } from 'node:test';
import { readObjects } from '../../cases/objects.ts';
import { ControlPlane } from '../support/control-plane.ts';
import { corefileTemplate, type DnsServer, seatUnderTest, startServer } from '../support/server.ts';
import { Upstream } from '../support/upstream.ts';
import type { LaneOutcome } from './order.ts';
import { onServersCore } from './processes.ts';

export const WEB = 'web.demo.svc.cluster.local';
export const WEB_ANSWER = 'NOERROR 10.96.0.80';
export const CLUSTER = [
  `${WEB} A NOERROR 1`,
  `${WEB} AAAA NOERROR 0`,
  `${WEB} SRV NOERROR 2`,
  'db.demo.svc.cluster.local A NOERROR 3',
  'db.demo.svc.cluster.local SRV NOERROR 3',
  'nosuch.demo.svc.cluster.local A NXDOMAIN 0',
  '80.0.96.10.in-addr.arpa PTR NOERROR 1',
  '10-1-2-3.demo.pod.cluster.local A NOERROR 1',
];

/** CoreDNS in the seat under test promises less: then the figures are printed, and only what both promise is checked. */
export const isWasmdns = seatUnderTest === 'wasmdns';
export const growthMax = (bytes: number): number => (isWasmdns ? bytes : Number.POSITIVE_INFINITY);

let plane: ControlPlane;
let upstream: Upstream;

/** Once a suite. */
export function useStage(): void {
  before(async () => {
    plane = await ControlPlane.start();
    upstream = await Upstream.start();
    await plane.api.createAll(readObjects('demo.yaml'));
  });

  after(async () => {
    await upstream.stop();
    await plane.stop();
  });
}

interface Place {
  readonly template?: string;
  readonly words?: Readonly<Record<string, number>>;
  readonly under?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export async function withServer(work: (server: DnsServer) => Promise<void>, place: Place = {}): Promise<void> {
  const server = await startServer(seatUnderTest, place.template ?? corefileTemplate('kubeadm'), {
    kubeconfig: plane.writeKubeconfig(),
    upstreamPort: upstream.port,
    under: [...onServersCore, ...(place.under ?? [])],
    words: place.words ?? {},
    ...(place.env && { env: place.env }),
  });
  try {
    await work(server);
    assert.equal(server.child.hasExited, false, server.child.output().slice(-2000));
  } finally {
    await server.stop();
  }
}

export function descriptorCount({ child }: DnsServer): number {
  return readdirSync(`/proc/${child.pid}/fd`).length;
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Whatever the server has read is answered, and rightly; a busy machine may have lost a little before. */
export function assertAllRight(lane: LaneOutcome, dropped = 0): void {
  assert.equal(lane.answered, lane.right, `${lane.name}: ${lane.firstWrong}`);
  assertAllAnswered(lane, dropped);
}

export function assertAllAnswered(lane: LaneOutcome, dropped = 0): void {
  assert.equal(lane.stray, 0, `${lane.name}: replies to nothing`);
  const lost = lane.sent - lane.answered;
  assert.ok(lost <= dropped, `${lane.name}: ${lost} of ${lane.sent} lost, ${dropped} by the kernel`);
}
