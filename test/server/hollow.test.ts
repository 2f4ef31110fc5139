// A text of plugin template that holds no record: where CoreDNS panics, the query ends there, too. Each expectation is
// CoreDNS's own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort } from '../e2e/support/ports.ts';
import { ask, page, serve } from './process.ts';

const TEMPLATES = `template IN SRV {
        answer "; comment"
    }
    template IN TXT {
        authority "; comment"
    }
    template IN MX {
        answer "{{ .Name }} 5 IN MX 1 a.test." "; comment"
        rcode NXDOMAIN
    }
    template IN NS {
        additional "; comment"
    }
    template IN PTR {
        additional "; comment"
        ederror 1 x
    }`;

const BLOCKS: readonly (readonly [string, Readonly<Record<string, 'SERVFAIL' | 'silence'>>])[] = [
  ['', { SRV: 'silence', TXT: 'silence', MX: 'silence', NS: 'SERVFAIL', PTR: 'silence' }],
  ['cache', { SRV: 'SERVFAIL', TXT: 'SERVFAIL', MX: 'SERVFAIL', NS: 'SERVFAIL', PTR: 'SERVFAIL' }],
  ['cache elsewhere.test', { SRV: 'silence', TXT: 'silence', MX: 'silence' }],
  ['cache {\n serve_stale 1h verify\n }', { SRV: 'SERVFAIL', TXT: 'SERVFAIL', MX: 'SERVFAIL' }],
  ['loadbalance', { SRV: 'SERVFAIL', TXT: 'SERVFAIL', MX: 'silence' }],
  ['loadbalance weighted weights.test', { SRV: 'SERVFAIL', TXT: 'silence', MX: 'silence' }],
  ['log', { SRV: 'silence', TXT: 'SERVFAIL', MX: 'silence', PTR: 'SERVFAIL' }],
  ['log elsewhere.test', { SRV: 'silence', TXT: 'silence', MX: 'silence', PTR: 'silence' }],
  ['rewrite name x.test y.test', { SRV: 'SERVFAIL', TXT: 'SERVFAIL', MX: 'SERVFAIL' }],
  ['rewrite name regex (x).test {1}.test answer auto', { SRV: 'SERVFAIL', TXT: 'SERVFAIL', MX: 'SERVFAIL' }],
];

test('a record that is not there ends a query where a plugin looks at it', { timeout: 60_000 }, async (t) => {
  const metrics = await freePort();
  const ports = await Promise.all(BLOCKS.map(() => freePort()));
  const blocks = BLOCKS.map(
    ([line], n) => `.:${ports[n]} {\n prometheus 127.0.0.1:${metrics}\n errors\n ${line}\n ${TEMPLATES}\n}\n`,
  );
  const started = await serve(t, blocks.join(''));
  let panics = 0;
  await Promise.all(
    BLOCKS.map(async ([line, expected], n) => {
      for (const [type, outcome] of Object.entries(expected)) {
        if (outcome === 'SERVFAIL') panics++;
        const withinMs = outcome === 'silence' ? 300 : 5000;
        assert.equal(await ask(ports[n]!, 'x.test', { type, withinMs }), outcome, `${line}: ${type}`);
      }
    }),
  );
  const text = await page(metrics, '/metrics');
  assert.match(text, new RegExp(`^coredns_panics_total ${panics}$`, 'm'));
  const dropped = text.matchAll(
    /^coredns_dns_responses_total\{.*zone="dropped",.*rcode="SERVFAIL",plugin=""\} (\d+)$/gm,
  );
  assert.equal(
    [...dropped].reduce((sum, [, count]) => sum + Number(count), 0),
    panics,
  );
  const cached = new RegExp(`^coredns_dns_responses_total\\{server="dns://:${ports[1]}",zone="\\.",`, 'm');
  assert.doesNotMatch(text, cached, 'the plugins above a panic hear of nothing');
  assert.equal(started.out.match(/Recovered from panic in server: "dns:\/\/:\d+" plugin\//g)?.length, panics);
  assert.doesNotMatch(started.out, / SERVFAIL qr/);
});
