// Replies that CoreDNS cannot pack: no reply, but the query is counted, logged and cached as if it had been answered.
// Words and numbers as the real CoreDNS gave them.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { freePort } from '../e2e/support/ports.ts';
import { ask, page, start } from './process.ts';

const HOSTS = '10.0.0.1 good.org bad..org\n10.0.0.3 fine.org\n';

interface Case {
  readonly face: string;
  readonly words: string;
  readonly format: string;
  /** Of three equal questions. */
  readonly hits: number;
}

const CASES: readonly Case[] = [
  { face: 'the fast face', words: '', format: '"{common}"', hits: 0 },
  { face: 'the slow face', words: 'metadata', format: '"{common} {/log/class}"', hits: 0 },
  { face: 'the fast face with a cache', words: 'cache', format: '"{common}"', hits: 2 },
  { face: 'the slow face with a cache', words: 'metadata\ncache', format: '"{common} {/log/class}"', hits: 2 },
  { face: 'the fast face, records in another order', words: 'loadbalance', format: '"{common}"', hits: 0 },
];

describe('withheld replies', { concurrency: 2 }, () => {
  for (const { face, words, format, hits } of CASES) {
    test(face, async (t) => {
      const [dns, metrics] = [await freePort(), await freePort()];
      const corefile = `.:${dns} {
    log . ${format}
    prometheus 127.0.0.1:${metrics}
    ${words}
    hosts HOSTS
}
`;
      const process = start(t, ['-conf', 'Corefile'], { corefile });
      writeFileSync(join(process.folder, 'HOSTS'), HOSTS);
      const started = await process.serves();
      await started.says(/wasmdns-/);
      const deadline = Date.now() + 10_000;
      while ((await ask(dns, '3.0.0.10.in-addr.arpa', { type: 'PTR' })) !== 'NOERROR fine.org.') {
        assert.ok(Date.now() < deadline, 'the file is read');
      }
      const seen = await linesFor(started, '3.0.0.10');
      assert.match(seen[0]!, / NOERROR qr,aa,rd 82 /);
      const before = await counts(metrics);
      for (const proto of ['udp', 'udp', 'tcp'] as const) {
        assert.equal(await ask(dns, '1.0.0.10.in-addr.arpa', { type: 'PTR', proto, withinMs: 300 }), 'silence');
      }
      const lines = await linesFor(started, '1.0.0.10');
      assert.equal(lines.length, 3);
      for (const line of lines) assert.match(line, / NOERROR qr,aa,rd 125 /);
      const after = await counts(metrics);
      assert.deepEqual(
        [...after.keys()].map((key) => after.get(key)! - before.get(key)!),
        [2, 3, 3 * 125, hits],
      );
    });
  }
});

async function linesFor(started: { readonly lines: string[]; says(pattern: RegExp): Promise<unknown> }, name: string) {
  await started.says(new RegExp(`IN ${name.replaceAll('.', '\\.')}`));
  return started.lines.filter((line) => line.includes(`IN ${name}`));
}

const PATTERNS: readonly RegExp[] = [
  /^coredns_dns_requests_total\{.*proto="udp".*type="PTR".*\} (\S+)$/gm,
  /^coredns_dns_responses_total\{.*rcode="NOERROR".*\} (\S+)$/gm,
  /^coredns_dns_response_size_bytes_sum\{.*\} (\S+)$/gm,
  /^coredns_cache_hits_total\{.*\} (\S+)$/gm,
];

/** Sums of the samples that match, by pattern. */
async function counts(port: number): Promise<Map<RegExp, number>> {
  const text = await page(port, '/metrics');
  const sum = (pattern: RegExp) => [...text.matchAll(pattern)].reduce((all, [, value]) => all + Number(value), 0);
  return new Map(PATTERNS.map((pattern) => [pattern, sum(pattern)]));
}
