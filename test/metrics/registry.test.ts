import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { REASON_CHASE } from '../../engine-as/shared/codes.ts';
import {
  CACHE_HITS_DENIAL,
  CACHE_REQUESTS,
  DURATION_BUCKETS,
  RCODE_SLOTS,
  REQUEST_TYPES,
  SCOPE_DO,
  SCOPE_DURATION,
  SCOPE_REQUEST_SIZE,
  SCOPE_REQUESTS,
  SCOPE_RESPONSES,
  SCOPE_SLOTS,
  SHARD_SLOW_REASONS,
  SIZE_BUCKETS,
  SLOT_COUNT,
  SLOT_NONE,
  SLOTS,
} from '../../engine-as/shared/layout.ts';
import { createProcessFamilies } from '../../host/metrics/process-families.ts';
import { showBuild, showSlowReasons } from '../../host/metrics/process-wide.ts';
import { createMetrics } from '../../host/metrics/registry.ts';
import { slotReader, slotWriter, slowReasonReader, writerOver } from '../../host/metrics/slots.ts';
import { familiesOf, seriesOf } from './page.ts';

const byText = (a: string, b: string) => (a < b ? -1 : 1);

function metricsOver(slots: Float64Array) {
  return createMetrics({ read: (slot) => slots[slot] ?? 0, slots: writerOver(slots), slotCount: slots.length });
}

test('families without labels are there from the start, with 0', async () => {
  const page = await metricsOver(new Float64Array(64)).expose();
  assert.deepEqual(
    familiesOf(page).map(({ name, type }) => `${name} ${type}`),
    [
      'coredns_forward_healthcheck_broken_total counter',
      'coredns_forward_max_concurrent_rejects_total counter',
      'coredns_health_request_duration_seconds histogram',
      'coredns_health_request_failures_total counter',
      'coredns_hosts_reload_timestamp_seconds gauge',
      'coredns_local_localhost_requests_total counter',
      'coredns_panics_total counter',
      'coredns_reload_failed_total counter',
    ],
  );
  for (const { value } of seriesOf(page)) assert.equal(value, 0);
});

test('a labelled counter appears with its first sample and keeps its slot', async () => {
  const slots = new Float64Array(64);
  const metrics = metricsOver(slots);
  const slot = metrics.counter('coredns_x_total', 'X.', { to: '127.0.0.1:53', proto: 'udp' });
  assert.equal(metrics.counter('coredns_x_total', 'X.', { proto: 'udp', to: '127.0.0.1:53' }), slot);
  assert.notEqual(metrics.counter('coredns_x_total', 'X.', { proto: 'tcp', to: '127.0.0.1:53' }), slot);
  assert(!(await metrics.expose()).includes('coredns_x_total'));
  metrics.slots.add(slot, 2);
  const page = await metrics.expose();
  assert(page.includes('# HELP coredns_x_total X.\n# TYPE coredns_x_total counter\n'));
  assert.deepEqual(
    seriesOf(page).filter(({ name }) => name === 'coredns_x_total'),
    [{ name: 'coredns_x_total', labels: { to: '127.0.0.1:53', proto: 'udp' }, value: 2 }],
  );
});

test('buckets of a histogram are cumulative on the page, whatever was observed', async () => {
  const bounds = [0.00025, 0.0025, 0.025, 0.25, 2.5];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { maxLength: 30 }), async (values) => {
      const metrics = metricsOver(new Float64Array(64));
      const slot = metrics.histogram('h_seconds', 'H.', {}, bounds);
      for (const value of values) metrics.slots.observe(slot, bounds, value);
      const series = seriesOf(await metrics.expose()).filter(({ name }) => name.startsWith('h_seconds'));
      for (const le of [...bounds, Number.POSITIVE_INFINITY]) {
        const bucket = series.find(({ labels }) => labels['le'] === (Number.isFinite(le) ? String(le) : '+Inf'))!;
        assert.equal(bucket.value, values.filter((value) => value <= le).length);
      }
      assert.equal(series.find(({ name }) => name === 'h_seconds_count')!.value, values.length);
      const sum = values.reduce((total, value) => total + value, 0);
      assert(Math.abs(series.find(({ name }) => name === 'h_seconds_sum')!.value - sum) < 1e-9);
    }),
    { numRuns: 50 },
  );
});

test('a gauge is replaced by a later reader, which gives way when it is removed', async () => {
  const metrics = metricsOver(new Float64Array(64));
  const removeFirst = metrics.gauge('g', 'G.', { a: '1' }, () => 1);
  const removeSecond = metrics.gauge('g', 'G.', { a: '1' }, () => 2);
  assert((await metrics.expose()).includes('g{a="1"} 2'));
  removeSecond();
  assert((await metrics.expose()).includes('g{a="1"} 1'));
  const removeThird = metrics.gauge('g', 'G.', { a: '1' }, () => 3);
  removeFirst();
  assert((await metrics.expose()).includes('g{a="1"} 3'));
  removeThird();
  removeThird();
  assert(!(await metrics.expose()).includes('g{'));
  metrics.gauge('g', 'G.', { a: '1' }, () => undefined);
  assert(!(await metrics.expose()).includes('TYPE g '));
});

test('a scope prints the coredns_dns_* families as the engine counts them', async () => {
  const slots = new Float64Array(1024);
  const metrics = metricsOver(slots);
  const labels = { server: 'dns://:5590', zone: '.', view: '' };
  const at = metrics.scope(labels, 'errors');
  assert.equal(metrics.scope(labels, 'errors'), at);
  assert(!(await metrics.expose()).includes('coredns_dns_'));
  slots[at + SCOPE_REQUESTS] = 8; // udp, IPv4, A
  slots[at + SCOPE_REQUESTS + REQUEST_TYPES] = 1; // udp, IPv6, A
  slots[at + SCOPE_REQUESTS + 2 * REQUEST_TYPES + 17] = 1; // tcp, IPv4, AXFR
  slots[at + SCOPE_REQUESTS + REQUEST_TYPES - 1] = 2; // udp, IPv4, other
  slots[at + SCOPE_DURATION + 2] = 12;
  slots[at + SCOPE_DURATION + DURATION_BUCKETS] = 0.009;
  slots[at + SCOPE_REQUEST_SIZE + 1] = 10;
  slots[at + SCOPE_REQUEST_SIZE + SIZE_BUCKETS] = 400;
  slots[at + SCOPE_REQUEST_SIZE + SIZE_BUCKETS + 1 + 2] = 2;
  slots[at + SCOPE_DO] = 1;
  slots[at + SCOPE_RESPONSES + 3] = 4; // NXDOMAIN by a plugin
  slots[at + SCOPE_RESPONSES + RCODE_SLOTS + 2] = 1; // SERVFAIL by the server
  const page = await metrics.expose();
  const lines = page.split('\n');
  const base = 'server="dns://:5590",zone=".",view=""';
  for (const line of [
    `coredns_dns_requests_total{${base},proto="udp",family="1",type="A"} 8`,
    `coredns_dns_requests_total{${base},proto="udp",family="2",type="A"} 1`,
    `coredns_dns_requests_total{${base},proto="tcp",family="1",type="AXFR"} 1`,
    `coredns_dns_requests_total{${base},proto="udp",family="1",type="other"} 2`,
    `coredns_dns_do_requests_total{${base}} 1`,
    `coredns_dns_request_duration_seconds_bucket{${base},le="0.0005"} 0`,
    `coredns_dns_request_duration_seconds_bucket{${base},le="0.001"} 12`,
    `coredns_dns_request_duration_seconds_bucket{${base},le="+Inf"} 12`,
    `coredns_dns_request_duration_seconds_sum{${base}} 0.009`,
    `coredns_dns_request_size_bytes_bucket{${base},proto="udp",le="100"} 10`,
    `coredns_dns_request_size_bytes_sum{${base},proto="udp"} 400`,
    `coredns_dns_request_size_bytes_count{${base},proto="tcp"} 2`,
    `coredns_dns_responses_total{${base},rcode="NXDOMAIN",plugin="errors"} 4`,
    `coredns_dns_responses_total{${base},rcode="SERVFAIL",plugin=""} 1`,
  ]) {
    assert(lines.includes(line), `${line}\nis not in\n${page}`);
  }
});

test('rcodes from 24 on share one label', async () => {
  const slots = new Float64Array(1024);
  const metrics = metricsOver(slots);
  const at = metrics.scope({ server: 'dns://:53', zone: '.', view: '' }, 'errors');
  slots[at + SCOPE_RESPONSES + RCODE_SLOTS - 1] = 3;
  const page = await metrics.expose();
  assert.match(page, /coredns_dns_responses_total\{[^}]*rcode="other"[^}]*\} 3/);
  assert.doesNotMatch(page, /RCODE[0-9]/);
});

test('families, types, HELP texts and buckets are those of CoreDNS', async () => {
  const slots = new Float64Array(1024).fill(1);
  const metrics = metricsOver(slots);
  metrics.scope({ server: 'dns://:53', zone: '.', view: '' }, 'errors');
  metrics.cacheSlots({ server: 'dns://:53', zones: '.', view: '' });
  showBuild(metrics, '0.1.0', '');
  const page = await metrics.expose();
  // Written down from the real binary's page.
  const expected = [
    "coredns_build_info gauge A metric with a constant '1' value labeled by version, revision, and goversion from which CoreDNS was built.",
    'coredns_cache_hits_total counter The count of cache hits.',
    'coredns_cache_misses_total counter The count of cache misses. Deprecated, derive misses from cache hits/requests counters.',
    'coredns_cache_requests_total counter The count of cache requests.',
    'coredns_dns_do_requests_total counter Counter of DNS requests with DO bit set per zone.',
    'coredns_dns_request_duration_seconds histogram Histogram of the time (in seconds) each request took per zone.',
    'coredns_dns_request_size_bytes histogram Size of the EDNS0 UDP buffer in bytes (64K for TCP) per zone and protocol.',
    'coredns_dns_requests_total counter Counter of DNS requests made per zone, protocol and family.',
    'coredns_dns_response_size_bytes histogram Size of the returned response in bytes.',
    'coredns_dns_responses_total counter Counter of response status codes.',
    'coredns_forward_healthcheck_broken_total counter Counter of the number of complete failures of the healthchecks.',
    'coredns_panics_total counter A metrics that counts the number of panics.',
  ];
  const found = familiesOf(page).map(({ name, type, help }) => `${name} ${type} ${help}`);
  for (const family of expected) assert(found.includes(family), `${family}\nis not among\n${found.join('\n')}`);
  const les = (name: string) => [
    ...new Set(
      seriesOf(page)
        .filter((series) => series.name === `${name}_bucket`)
        .map(({ labels }) => labels['le']),
    ),
  ];
  assert.deepEqual(
    les('coredns_dns_request_duration_seconds').join(' '),
    '0.00025 0.0005 0.001 0.002 0.004 0.008 0.016 0.032 0.064 0.128 0.256 0.512 1.024 2.048 4.096 8.192 +Inf',
  );
  for (const name of ['coredns_dns_request_size_bytes', 'coredns_dns_response_size_bytes']) {
    assert.equal(les(name).join(' '), '0 100 200 300 400 511 1023 2047 4095 8291 16000 32000 48000 64000 +Inf');
  }
  const labelsOf = (name: string) =>
    Object.keys(seriesOf(page).find((series) => series.name === name)!.labels).sort(byText);
  assert.deepEqual(labelsOf('coredns_dns_requests_total'), ['family', 'proto', 'server', 'type', 'view', 'zone']);
  assert.deepEqual(labelsOf('coredns_dns_responses_total'), ['plugin', 'rcode', 'server', 'view', 'zone']);
  assert.deepEqual(labelsOf('coredns_cache_hits_total'), ['server', 'type', 'view', 'zones']);
  assert.deepEqual(labelsOf('coredns_cache_misses_total'), ['server', 'view', 'zones']);
});

test('no series stands twice on the page, even when a scope got another plugin label', async () => {
  const slots = new Float64Array(1024);
  const metrics = metricsOver(slots);
  const labels = { server: 'dns://:53', zone: '.', view: '' };
  const before = metrics.scope(labels, 'errors');
  const after = metrics.scope(labels, 'whoami');
  assert.notEqual(before, after);
  for (const at of [before, after]) {
    slots[at + SCOPE_REQUESTS] = 3;
    slots[at + SCOPE_DURATION] = 3;
    slots[at + SCOPE_RESPONSES] = 3;
  }
  const page = await metrics.expose();
  const names = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const keys = names.map((line) => line.slice(0, line.lastIndexOf(' ')));
  assert.equal(new Set(keys).size, keys.length);
  const total = seriesOf(page).find(({ name }) => name === 'coredns_dns_requests_total')!;
  assert.equal(total.value, 6);
  const plugins = seriesOf(page).filter(({ name }) => name === 'coredns_dns_responses_total');
  assert.deepEqual(plugins.map(({ labels: { plugin } }) => plugin ?? '').sort(byText), ['errors', 'whoami']);
});

test('cache counters', async () => {
  const slots = new Float64Array(64);
  const metrics = metricsOver(slots);
  const at = metrics.cacheSlots({ server: 'dns://:53', zones: 'a.,b.', view: '' });
  slots[at + CACHE_REQUESTS] = 18;
  slots[at + CACHE_HITS_DENIAL] = 1;
  const page = await metrics.expose();
  assert(page.includes('coredns_cache_requests_total{server="dns://:53",zones="a.,b.",view=""} 18'));
  assert(page.includes('coredns_cache_hits_total{server="dns://:53",zones="a.,b.",view="",type="denial"} 1'));
  assert(!page.includes('type="success"'));
});

test('slots run out without a failure and without a second use of any', async () => {
  const slots = new Float64Array(SCOPE_SLOTS + 18);
  const metrics = metricsOver(slots);
  assert.notEqual(metrics.scope({ server: 'a', zone: '.', view: '' }, ''), SLOT_NONE);
  assert.equal(metrics.scope({ server: 'b', zone: '.', view: '' }, ''), SLOT_NONE);
  assert.equal(metrics.histogram('h', 'H.', {}, [1, 2, 3, 4, 5, 6, 7, 8, 9]), SLOT_NONE);
  metrics.slots.add(SLOT_NONE, 1);
  assert.doesNotMatch(await metrics.expose(), /"b"|\bh\b/);
});

test('slots of all areas of shared memory add up', async () => {
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
  const areas = [8192, 8192 + 1572864];
  assert(areas[1]! + SLOTS + SLOT_COUNT * 8 <= memory.buffer.byteLength);
  const read = slotReader(memory, areas);
  slotWriter(memory, areas[0]!).add(7, 1.5);
  const second = slotWriter(memory, areas[1]!);
  second.add(7, 2);
  second.observe(100, [1, 2], 1.5);
  second.add(SLOT_COUNT, 1);
  assert.equal(read(7), 3.5);
  assert.deepEqual([100, 101, 102, 103].map(read), [0, 1, 0, 1.5]);
  assert.equal(read(SLOT_COUNT), 0);
  new Uint32Array(memory.buffer, areas[0]! + SHARD_SLOW_REASONS, 6)[REASON_CHASE] = 4;
  new Uint32Array(memory.buffer, areas[1]! + SHARD_SLOW_REASONS, 6)[REASON_CHASE] = 5;
  const metrics = createMetrics({ read, slots: second });
  showSlowReasons(metrics, slowReasonReader(memory, areas));
  assert((await metrics.expose()).includes('wasmdns_slow_total{reason="chase"} 9\n'));
});

test('process families are on the page, nodejs_* only when asked for', async () => {
  const slots = new Float64Array(64);
  const process = createProcessFamilies();
  const metrics = createMetrics({ read: () => 0, slots: writerOver(slots), process });
  const page = await metrics.expose();
  // The families of Prometheus's Go client, and no others
  const expected = [
    ...['process_cpu_seconds_total', 'process_max_fds', 'process_network_receive_bytes_total'],
    ...['process_network_transmit_bytes_total', 'process_open_fds', 'process_resident_memory_bytes'],
    ...['process_start_time_seconds', 'process_virtual_memory_bytes', 'process_virtual_memory_max_bytes'],
  ];
  const shown = [...page.matchAll(/^(process_\w+) ([0-9.e+]+)$/gm)];
  assert.deepEqual(shown.map(([, name]) => name).sort(), expected);
  for (const [, name, value] of shown) assert(Number(value) > 0 || name!.includes('network'), `${name} ${value}`);
  assert(!page.includes('nodejs_'));
  metrics.enableRuntimeMetrics();
  metrics.enableRuntimeMetrics();
  const both = await metrics.expose();
  assert(both.includes('\nnodejs_heap_size_used_bytes ') && both.includes('\nprocess_cpu_seconds_total '));
  const names = familiesOf(both).map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
});
