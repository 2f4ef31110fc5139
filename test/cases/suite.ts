// The cases as node:test suites; `npm test` and the end-to-end run differ only in the servers that they start.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { corefileTemplate, type DnsServer, type ServerOptions } from '../e2e/support/server.ts';
import { Upstream } from '../e2e/support/upstream.ts';
import type { Case } from './case-file.ts';
import { type CaseGroup, readCaseGroups } from './groups.ts';
import { localAddress } from './objects.ts';
import { type CaseResult, runCase, transportsOf } from './run.ts';

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
    const open = async (): Promise<Stand> => {
      const own = await Upstream.start();
      const options = { upstreamPort: own.port };
      return { upstream: own, server: await start(corefileTemplate(group.corefile), group, options) };
    };
    before(async () => {
      ({ upstream, server } = await open());
    });
    after(() => close({ upstream, server }));
    for (const file of group.files) {
      const isMissing = file.needs.includes('local-address') && localAddress() === undefined;
      const skip = isMissing ? 'this machine has no address beside loopback' : false;
      for (const subject of file.cases) {
        if (!transportsOf(subject).includes(transport)) continue;
        test(`${subject.place} ${subject.title}`, { skip }, async () => {
          let { findings, lateMs } = await runOn({ server, upstream }, subject, transport);
          for (let n = 0; n < LATE_TRIES && findings.length > 0 && waits(subject) && lateMs > LATE_MS; n++) {
            const fresh = await open();
            ({ findings, lateMs } = await runOn(fresh, subject, transport));
            await close(fresh);
          }
          assert.equal(findings.join('\n'), '', `${file.title}: ${subject.title}`);
        });
      }
    }
  });
}

interface Stand {
  readonly server: DnsServer;
  readonly upstream: Upstream;
}

/**
 * A case with waits tells what holds some tenths of a second before or behind a TTL. On a machine that was late by as
 * much, its failure tells nothing: it runs again, by itself, with a server that has not seen its names.
 */
const LATE_MS = 150;
const LATE_TRIES = 3;

function waits({ steps }: Case): boolean {
  return steps.some(({ kind }) => kind === 'wait');
}

function runOn({ server, upstream }: Stand, subject: Case, transport: 'udp' | 'tcp'): Promise<CaseResult> {
  return runCase(subject, { port: server.port, transport, upstream, isExact: server.seat === 'coredns' });
}

async function close({ server, upstream }: Stand): Promise<void> {
  await server.stop();
  await upstream.stop();
}
