// Queries that a plugin leaves without a reply: they are counted and logged. Words and numbers as the real CoreDNS gave
// them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { freePort } from '../e2e/support/ports.ts';
import { ask, page, start } from './process.ts';

const CASES = [
  { face: 'the fast face', words: '', label: '-' },
  { face: 'the slow face', words: 'metadata', label: 'error' },
];

describe('dropped queries', { concurrency: 2 }, () => {
  for (const { face, words, label } of CASES) {
    test(face, async (t) => {
      const [dns, metrics] = [await freePort(), await freePort()];
      const format = `"{type} {name} {proto} {size} {rcode} {>rflags} {rsize}${words && ' {/log/class}'}"`;
      const corefile = `.:${dns} {
    log success.test ${format} {
        class success
    }
    log . ${format}
    prometheus 127.0.0.1:${metrics}
    ${words}
    rewrite name exact short.test much-longer.test
    acl {
        drop type A
    }
    whoami
}
`;
      const started = await start(t, ['-conf', 'Corefile'], { corefile }).serves();
      await started.says(/wasmdns-/);
      for (const name of ['short.test', 'x.success.test', 'last.test']) {
        for (const proto of ['udp', 'tcp'] as const) {
          assert.equal(await ask(dns, name, { type: 'A', proto, withinMs: 300 }), 'silence');
        }
      }
      assert.match(await ask(dns, 'last.test', { type: 'MX' }), /^NOERROR/);
      await started.says(/A last\.test\. tcp/);
      const end = words && ` ${label}`;
      const lines = started.lines.filter((line) => / A [a-z.-]+ (?:udp|tcp) /.test(line));
      assert.deepEqual(lines.map((line) => line.replace('[INFO] ', '')).sort(), [
        `A last.test. tcp 38 - - 0${end}`,
        `A last.test. udp 38 - - 0${end}`,
        // As the rule has made it
        `A short.test. tcp 45 - - 0${end}`,
        `A short.test. udp 45 - - 0${end}`,
      ]);
      const samples = (await page(metrics, '/metrics')).split('\n').map((line) => line.replaceAll(String(dns), 'PORT'));
      for (const sample of [
        'coredns_acl_dropped_requests_total{server="dns://:PORT",zone=".",view=""} 6',
        'coredns_acl_allowed_requests_total{server="dns://:PORT",view=""} 1',
        'coredns_dns_responses_total{server="dns://:PORT",zone=".",view="",rcode="NOERROR",plugin=""} 6',
        'coredns_dns_response_size_bytes_sum{server="dns://:PORT",zone=".",view="",proto="tcp"} 0',
        'coredns_dns_request_duration_seconds_count{server="dns://:PORT",zone=".",view=""} 7',
      ]) {
        assert.ok(
          samples.includes(sample),
          `${sample}\n${samples.filter((line) => /^coredns_(?:acl|dns)/.test(line)).join('\n')}`,
        );
      }
    });
  }
});
