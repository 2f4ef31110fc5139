// Twice what a core of its own would answer, from many clients that ask one thing each.

import assert from 'node:assert/strict';
import type { DnsServer } from '../support/server.ts';
import { cpuSeconds, droppedDatagrams } from './measures.ts';
import type { LaneOutcome } from './order.ts';
import { bench, questionFile, send } from './processes.ts';
import { WEB } from './stage.ts';

/** Of one length, so that they can be sent faster than any server reads: see Lane.isJoined. */
const LEVEL = [
  `${WEB} A NOERROR 1`,
  `${WEB} AAAA NOERROR 0`,
  `${WEB} SRV NOERROR 2`,
  'pnr.demo.svc.cluster.local A NOERROR 1',
  'pnr.demo.svc.cluster.local SRV NOERROR 1',
  'not.demo.svc.cluster.local A NXDOMAIN 0',
  'not.demo.svc.cluster.local AAAA NXDOMAIN 0',
];
export interface Round {
  /** Right answers a second of the server's CPU time, in a closed loop: what a core of its own gives. */
  readonly capacity: number;
  /** Of capacity. */
  readonly offered: number;
  readonly rate: number;
  /** Right answers a CPU second, of capacity: holds however much of a core the machine gives the server. */
  readonly worth: number;
  /** Of a core. */
  readonly cpu: number;
  readonly droppedShare: number;
  readonly lane: LaneOutcome;
}

/** Sends twice what a core of its own would answer. */
export async function overload(server: DnsServer): Promise<Round> {
  const { port } = server;
  const file = questionFile(LEVEL);
  const serverPids = [server.child.pid];
  const closed = await bench({ mode: 'closed', port, file, sockets: 32, seconds: 2, serverPids });
  assert.equal(closed.wrong, 0, closed.firstWrong);
  const capacity = closed.right / closed.serverCpuSeconds;
  const droppedBefore = droppedDatagrams(server);
  const since = cpuSeconds(server);
  const lanes = [{ name: 'cluster', port, sockets: 32, rate: 2 * capacity, file, isJoined: true }];
  const { lanes: outcomes, seconds } = await send({ lanes, seconds: 3, lingerSeconds: 1 });
  const cpu = cpuSeconds(server) - since;
  const lane = outcomes[0]!;
  assert.equal(lane.answered, lane.right, lane.firstWrong);
  assert.equal(lane.stray, 0, 'replies to nothing');
  return {
    capacity,
    offered: lane.sent / seconds / capacity,
    rate: lane.rightInTime / seconds / capacity,
    worth: lane.right / cpu / capacity,
    cpu: cpu / seconds,
    droppedShare: (droppedDatagrams(server) - droppedBefore) / lane.sent,
    lane,
  };
}

/** The server was offered half as much again as it could answer, at least. */
export function isOverload({ droppedShare }: Round): boolean {
  return droppedShare >= 1 / 3;
}

export function roundText({ capacity, offered, rate, worth, cpu, droppedShare, lane }: Round): string {
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  return (
    `capacity ${capacity.toFixed(0)} a CPU second, offered ${offered.toFixed(2)} times that, ${percent(droppedShare)} dropped; ` +
    `right answers a CPU second ${percent(worth)} of it, a second ${percent(rate)} with ${percent(cpu)} of a core; ` +
    `latency p50 ${lane.p50Ms.toFixed(1)} p99 ${lane.p99Ms.toFixed(1)} ms`
  );
}
