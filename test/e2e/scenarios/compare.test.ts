// The comparisons of the scenarios find what they are for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXPRESSIONS, groupingsOf, select, selectorsOf } from './dashboards.ts';
import { compareLines, logLines } from './lines.ts';
import { comparePages, readPage } from './page.ts';

const PAGE = `# HELP coredns_dns_requests_total Counter of DNS requests made per zone, protocol and family.
# TYPE coredns_dns_requests_total counter
coredns_dns_requests_total{family="1",proto="udp",server="dns://:5300",type="A",view="",zone="."} 3
# HELP coredns_dns_request_duration_seconds Histogram of the time (in seconds) each request took per zone.
# TYPE coredns_dns_request_duration_seconds histogram
coredns_dns_request_duration_seconds_bucket{server="dns://:5300",zone=".",le="0.5"} 2
coredns_dns_request_duration_seconds_bucket{server="dns://:5300",zone=".",le="+Inf"} 3
coredns_dns_request_duration_seconds_sum{server="dns://:5300",zone="."} 1.5
coredns_dns_request_duration_seconds_count{server="dns://:5300",zone="."} 3
# HELP coredns_build_info A metric.
# TYPE coredns_build_info gauge
coredns_build_info{goversion="go1.26",revision="x",version="1.14.7"} 1
# HELP go_goroutines Number of goroutines.
# TYPE go_goroutines gauge
go_goroutines 12
`;
const MASKS = [[':5300', ':@DNS@']] as const;

function differences(change: (page: string) => string): string[] {
  const changed = change(PAGE);
  assert.notEqual(changed, PAGE);
  return comparePages(readPage(PAGE, MASKS), readPage(changed, [...MASKS, [':5301', ':@DNS@']]), () => true);
}

test('pages that mean the same', () => {
  const same = (page: string) =>
    page
      .replaceAll(':5300', ':5301')
      .replace('le="0.5"} 2', 'le="0.5"} 1')
      .replace('_sum{server="dns://:5301",zone="."} 1.5', '_sum{server="dns://:5301",zone="."} 2.5')
      .replace('goversion="go1.26"', 'goversion="node26"')
      .replace(/# HELP go_[\s\S]*/, '')
      .replace('{family="1",proto="udp"', '{proto="udp",family="1"');
  assert.deepEqual(differences(same), []);
});

test('planted differences of pages', () => {
  const planted: readonly (readonly [string, string, RegExp])[] = [
    [
      ' 3\n# HELP coredns_dns_request_d',
      ' 4\n# HELP coredns_dns_request_d',
      /value of coredns_dns_requests_total.*: 3 \/ 4/,
    ],
    ['zone="."} 3\n# HELP', 'zone="x."} 3\n# HELP', /series only of CoreDNS/],
    ['type="A"', 'type="other"', /series only of wasmdns.*type="other"/],
    ['le="0.5"', 'le="0.25"', /series only of CoreDNS.*le="0.5"/],
    ['le="+Inf"} 3', 'le="+Inf"} 2', /value of .*le="\+Inf"/],
    ['_count{server="dns://:5300",zone="."} 3', '_count{server="dns://:5300",zone="."} 2', /value of .*_count/],
    ['view="",', '', /series only of CoreDNS.*view=""/],
    ['coredns_build_info{', 'coredns_built_info{', /series only of CoreDNS: coredns_build_info/],
    ['dns://:5300",type', 'dns://:5399",type', /series only of wasmdns.*:5399/],
    ['# HELP coredns_build', 'coredns_more 1\n# HELP coredns_build', /series only of wasmdns: coredns_more/],
  ];
  for (const [from, to, found] of planted) {
    const result = differences((page) => page.replace(from, to)).join('\n');
    assert.match(result, found);
  }
});

test('log lines: times and ports of clients do not count, words and order do', () => {
  const output = (...lines: readonly string[]) => `CoreDNS-1.14.7\n.:5300\n${lines.join('\n')}\n`;
  const query = '[INFO] 127.0.0.1:40404 - 7 "A IN x.org. udp 35 false 512" NOERROR qr,rd 35 0.000123s';
  const failed = '[ERROR] plugin/errors: 2 x.org. A: read udp 127.0.0.1:1->127.0.0.1:53: i/o timeout';
  const left = logLines(output(query, failed), []);
  const again = logLines(
    output(query.replace('40404', '50505').replace('0.000123s', '1.5e-05s'), failed.replace(':1->', ':2->')),
    [],
  );
  assert.equal(left.length, 2);
  assert.deepEqual(compareLines(left, again), []);
  for (const other of [
    output(failed, query),
    output(query),
    output(query.replace('NOERROR', 'SERVFAIL'), failed),
    output(query, failed.replace('i/o timeout', 'timeout')),
    output(query, failed.replace('[ERROR]', '[WARNING]')),
  ]) {
    assert.notDeepEqual(compareLines(left, logLines(other, [])), []);
  }
});

test('log lines of queries that follow one another count in the order of their ids', () => {
  const line = (id: number) => `[INFO] 127.0.0.1:CLIENT - ${id} "A IN a. udp 33 false 512" NOERROR qr 64 TIMEs`;
  const error = '[ERROR] plugin/errors: 2 a. A: why';
  assert.deepEqual(compareLines([line(8), line(7), line(10)], [line(7), line(8), line(10)]), []);
  assert.equal(compareLines([line(7), error, line(8)], [line(8), error, line(7)]).length, 2);
  assert.equal(compareLines([line(7), error], [error, line(7)]).length, 2);
});

test('selectors of expressions', () => {
  const page = readPage(PAGE, MASKS);
  const taken = (expression: string) => selectorsOf(expression).flatMap((selector) => select(page, selector)).length;
  assert.equal(taken('sum(rate(coredns_dns_requests_total{type="A"}[5m])) by (type)'), 1);
  assert.equal(taken('sum(rate(coredns_dns_requests_total{type!="A"}[5m]))'), 0);
  assert.equal(taken('sum(rate(coredns_dns_requests_total{type=~"A|B",instance=~".*"}[5m]))'), 1);
  assert.equal(taken('sum(rate(coredns_dns_requests_total{type!~"A|B"}[5m]))'), 0);
  assert.equal(taken('coredns_build_info / coredns_dns_request_duration_seconds_bucket'), 3);
  assert.deepEqual(groupingsOf('sum(x) by (le, job) + sum(y) by(to)'), ['le', 'job', 'to']);
  for (const expression of Object.values(EXPRESSIONS).flat()) assert.ok(selectorsOf(expression).length > 0, expression);
});
