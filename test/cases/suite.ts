// The cases as node:test suites; `npm test` and the end-to-end run differ only in the servers that they start.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { corefileTemplate, type DnsServer, type ServerOptions } from '../e2e/support/server.ts';
import { Upstream } from '../e2e/support/upstream.ts';
import { type CaseGroup, readCaseGroups } from './groups.ts';
import { localAddress } from './objects.ts';
import { runCase, transportsOf } from './run.ts';

/** Starts the server for a group: its Corefile's text and what goes into it. */
export type StartServer = (template: string, group: CaseGroup, options: ServerOptions) => Promise<DnsServer>;

export interface CaseCounts {
  files: number;
  cases: number;
  questions: number;
  runs: number;
}

/** Registers one suite for each group and transport; every suite has a server and an upstream of its own. */
export function registerCases(label: string, start: StartServer): CaseCounts {
  const groups = readCaseGroups();
  const counts: CaseCounts = { files: 0, cases: 0, questions: 0, runs: 0 };
  for (const group of groups) {
    counts.files += group.files.length;
    for (const subject of group.files.flatMap((file) => file.cases)) {
      counts.cases++;
      counts.questions += subject.steps.filter((step) => step.kind === 'ask').length;
      counts.runs += transportsOf(subject).length;
    }
  }
  describe(label, { concurrency: 6 }, () => {
    for (const group of groups) {
      for (const transport of ['udp', 'tcp'] as const) registerGroup(group, transport, start);
    }
  });
  return counts;
}

function registerGroup(group: CaseGroup, transport: 'udp' | 'tcp', start: StartServer): void {
  describe(`${group.corefile} ${transport}`, { concurrency: 64 }, () => {
    let upstream: Upstream;
    let server: DnsServer;
    before(async () => {
      upstream = await Upstream.start();
      server = await start(corefileTemplate(group.corefile), group, { upstreamPort: upstream.port });
    });
    after(async () => {
      await server.stop();
      await upstream.stop();
    });
    for (const file of group.files) {
      const isMissing = file.needs.includes('local-address') && localAddress() === undefined;
      const skip = isMissing ? 'this machine has no address beside loopback' : false;
      for (const subject of file.cases) {
        if (!transportsOf(subject).includes(transport)) continue;
        test(`${subject.place} ${subject.title}`, { skip }, async () => {
          const findings = await runCase(subject, {
            port: server.port,
            transport,
            upstream,
            isExact: server.seat === 'coredns',
          });
          assert.equal(findings.join('\n'), '', `${file.title}: ${subject.title}`);
        });
      }
    }
  });
}
